//! The advisor on functions with known optima: it improves on a space-filling design, on every kind of space, and the
//! same history gives the same point.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use tellus::acquisition::ALGORITHMS;
use tellus::advisor::{Advisor, History, Proposal, Seen, Standing, pareto_front};
use tellus::study::{Definition, Observation, StudyDraft};

fn define(study: Json) -> Definition {
    let draft: StudyDraft = serde_json::from_value(study).unwrap();
    Definition::check(draft, 0).unwrap()
}

fn observation(value: f64) -> Option<Observation> {
    Some(Observation { value, sem: None, gradient: None })
}

/// Runs `trials` trials one by one; `evaluate` gives the metrics, or `None` for a failure.
fn run(
    definition: &Definition,
    trials: usize,
    evaluate: impl Fn(&BTreeMap<String, Json>) -> Option<Vec<f64>>,
) -> History {
    let advisor = Advisor::default();
    let mut history = History::default();
    for number in 0..trials {
        let proposals = advisor.suggest(definition, &history, 1);
        let Some(proposal) = proposals.first() else { break };
        history.put(number, tell(definition, proposal, number, &evaluate));
    }
    history
}

fn tell(
    definition: &Definition,
    proposal: &Proposal,
    number: usize,
    evaluate: impl Fn(&BTreeMap<String, Json>) -> Option<Vec<f64>>,
) -> Seen {
    let parameters = definition.space().write(&proposal.point).into_iter().collect();
    let standing = match evaluate(&parameters) {
        Some(values) => Standing::Completed(values.into_iter().map(observation).collect()),
        None => Standing::Failed,
    };
    Seen {
        key: proposal.key,
        coordinates: Some(definition.space().encode(&proposal.point)),
        standing,
        told_revision: number as u64 + 1,
        curve: Vec::new(),
        gain: None,
    }
}

/// A proposal that was handed out and is awaited.
fn pending(definition: &Definition, proposal: &Proposal) -> Seen {
    Seen { standing: Standing::Pending, told_revision: 0, ..tell(definition, proposal, 0, |_| None) }
}

fn number(parameters: &BTreeMap<String, Json>, name: &str) -> f64 {
    parameters[name].as_f64().unwrap()
}

fn best(history: &History, definition: &Definition, metric: usize) -> f64 {
    let best = pareto_front(definition, history);
    match &history.trials()[best[0]].standing {
        Standing::Completed(metrics) => metrics[metric].as_ref().unwrap().value,
        other => panic!("{other:?}"),
    }
}

fn branin(seed: u64) -> Definition {
    define(json!({
        "name": "branin", "seed": seed,
        "parameters": [
            {"name": "x", "type": "float", "low": -5, "high": 10},
            {"name": "y", "type": "float", "low": 0, "high": 15},
        ],
        "metrics": [{"name": "f", "goal": "minimize"}],
    }))
}

fn branin_value(p: &BTreeMap<String, Json>) -> Option<Vec<f64>> {
    let (x, y) = (number(p, "x"), number(p, "y"));
    let pi = std::f64::consts::PI;
    let a = y - 5.1 / (4.0 * pi * pi) * x * x + 5.0 / pi * x - 6.0;
    Some(vec![a * a + 10.0 * (1.0 - 1.0 / (8.0 * pi)) * x.cos() + 10.0])
}

const BRANIN_MINIMUM: f64 = 0.397_887_357_729_738;

#[test]
fn finds_the_minimum_of_branin() {
    let regret = |seed| {
        let definition = branin(seed);
        let history = run(&definition, 35, branin_value);
        best(&history, &definition, 0) - BRANIN_MINIMUM
    };
    let mut regrets: Vec<f64> = (0..5).map(regret).collect();
    regrets.sort_by(f64::total_cmp);
    assert!(regrets[2] < 1e-3 && regrets[4] < 0.05, "{regrets:?}");
}

#[test]
fn the_same_history_gives_the_same_point_with_or_without_a_memo() {
    let definition = branin(5);
    let history = run(&definition, 20, branin_value);
    let warm = Advisor::default();
    let batch = warm.suggest(&definition, &history, 3);
    assert_eq!(warm.suggest(&definition, &history, 3), batch);
    assert_eq!(Advisor::default().suggest(&definition, &history, 3), batch);
    assert_eq!(Advisor::default().suggest(&definition, &history, 1)[0], batch[0]);
    assert_ne!(batch[0].point, batch[1].point);
    // The service's own choice is one by one: three points of one ask are those of three asks.
    let mut answered = history.clone();
    for (number, one) in (history.len()..).zip(&batch) {
        assert_eq!(Advisor::default().suggest(&definition, &answered, 1)[0], *one);
        answered.put(number, pending(&definition, one));
    }
}

#[test]
fn every_way_to_learn_the_models_improves_and_gives_the_same_point_again() {
    for algorithm in [
        json!({"hyperparameters": "sampled"}),
        json!({"hyperparameters": "sparse"}),
        json!({"input_warping": "always"}),
        json!({"hyperparameters": "sampled", "input_warping": "always"}),
    ] {
        let definition = define(json!({
            "name": "branin", "seed": 2, "algorithm": algorithm,
            "parameters": [
                {"name": "x", "type": "float", "low": -5, "high": 10},
                {"name": "y", "type": "float", "low": 0, "high": 15},
            ],
            "metrics": [{"name": "f", "goal": "minimize"}],
        }));
        let history = run(&definition, 25, branin_value);
        let regret = best(&history, &definition, 0) - BRANIN_MINIMUM;
        // A random design of as many trials is about 2 away.
        assert!(regret < 0.5, "{algorithm}: {regret}");
        let again = Advisor::default().suggest(&definition, &history, 2);
        assert_eq!(Advisor::default().suggest(&definition, &history, 2), again, "{algorithm}");
        assert_ne!(again[0].point, again[1].point, "{algorithm}");
        // The choice reaches the models: the likeliest hyperparameters propose another point.
        let plain = branin(2);
        assert_ne!(Advisor::default().suggest(&plain, &history, 1)[0].point, again[0].point, "{algorithm}");
    }
}

#[test]
fn optimizes_mixed_and_conditional_spaces() {
    let definition = define(json!({
        "name": "mixed", "seed": 3,
        "parameters": [
            {"name": "kind", "type": "categorical", "choices": ["a", "b", "c"]},
            {"name": "depth", "type": "int", "low": 1, "high": 20, "when": {"kind": ["b"]}},
            {"name": "rate", "type": "float", "low": 1e-4, "high": 1, "scale": "log"},
            {"name": "size", "type": "ordinal", "values": [8, 16, 32, 64]},
        ],
        "metrics": [{"name": "f", "goal": "maximize"}],
    }));
    let history = run(&definition, 45, |p| {
        let depth = if p["kind"] == "b" { -((number(p, "depth") - 13.0) / 10.0).powi(2) } else { -0.8 };
        let rate = -((number(p, "rate").ln() - 0.01_f64.ln()) / 3.0).powi(2);
        let size = if p["size"] == 32 { 0.2 } else { 0.0 };
        Some(vec![depth + rate + size])
    });
    // The maximum is 0.2, at kind b, depth 13, rate 0.01, size 32.
    let found = best(&history, &definition, 0);
    assert!(found > 0.17, "{found}");
}

#[test]
fn learns_constraints_and_failures() {
    let definition = define(json!({
        "name": "constrained", "seed": 1,
        "parameters": [
            {"name": "x", "type": "float", "low": 0, "high": 1},
            {"name": "y", "type": "float", "low": 0, "high": 1},
        ],
        "metrics": [
            {"name": "f", "goal": "maximize"},
            {"name": "c", "goal": "constrain", "upper": 1.0},
        ],
    }));
    let history = run(&definition, 40, |p| {
        let (x, y) = (number(p, "x"), number(p, "y"));
        // It fails where x is large; the best of the rest is at x = 0.6, y = 0.4.
        (x < 0.6).then(|| vec![2.0 * x + y, x + y])
    });
    let found = best(&history, &definition, 0);
    assert!(found > 1.5, "{found}");
    let failures = history.trials()[20..].iter().filter(|seen| seen.standing == Standing::Failed).count();
    assert!(failures <= 12, "{failures} of the last 20 failed");
}

#[test]
fn keeps_parameter_constraints_of_a_mixture() {
    let definition = define(json!({
        "name": "mixture", "seed": 2,
        "parameters": [
            {"name": "a", "type": "float", "low": 0, "high": 1},
            {"name": "b", "type": "float", "low": 0, "high": 1},
            {"name": "c", "type": "float", "low": 0, "high": 1},
        ],
        "metrics": [{"name": "f", "goal": "minimize"}],
        "parameter_constraints": [{"sum": {"a": 1, "b": 1, "c": 1}, "equals": 1}, {"sum": {"a": 1}, "upper": 0.7}],
    }));
    let history = run(&definition, 25, |p| {
        let (a, b, c) = (number(p, "a"), number(p, "b"), number(p, "c"));
        assert!((a + b + c - 1.0).abs() < 1e-9 && a <= 0.7 + 1e-12, "{a} {b} {c}");
        Some(vec![(a - 0.5).powi(2) + (b - 0.3).powi(2) + (c - 0.2).powi(2)])
    });
    let found = best(&history, &definition, 0);
    assert!(found < 1e-3, "{found}");
}

#[test]
fn exhausts_a_discrete_space_without_repeating_a_point() {
    let definition = define(json!({
        "name": "discrete", "seed": 2,
        "parameters": [
            {"name": "a", "type": "int", "low": 1, "high": 5},
            {"name": "b", "type": "categorical", "choices": [true, false]},
        ],
        "metrics": [{"name": "f", "goal": "minimize"}],
    }));
    let history = run(&definition, 20, |p| Some(vec![number(p, "a")]));
    assert_eq!(history.len(), 10);
}

#[test]
fn spreads_over_the_front_of_two_objectives() {
    let definition = define(json!({
        "name": "front", "seed": 4,
        "parameters": [
            {"name": "x", "type": "float", "low": 0, "high": 1},
            {"name": "y", "type": "float", "low": 0, "high": 1},
        ],
        "metrics": [{"name": "f", "goal": "minimize"}, {"name": "g", "goal": "minimize"}],
    }));
    let history = run(&definition, 40, |p| {
        let (x, y) = (number(p, "x"), number(p, "y"));
        Some(vec![x * x + (y - 0.5).powi(2), (x - 1.0).powi(2) + (y - 0.5).powi(2)])
    });
    assert!(pareto_front(&definition, &history).len() >= 12);
}

#[test]
fn survives_values_of_any_size_and_kind() {
    for scale in [1e300, 1e-300, 0.0] {
        let definition = branin(1);
        let history = run(&definition, 12, |p| Some(vec![scale * (number(p, "x") + 6.0) / 16.0]));
        assert_eq!(history.len(), 12);
    }
    // Everything fails, or everything is far from feasible.
    let definition = branin(2);
    assert_eq!(run(&definition, 12, |_| None).len(), 12);
}

#[test]
fn every_acquisition_that_a_study_may_name_proposes_its_points() {
    for algorithm in &ALGORITHMS {
        let definition = define(json!({
            "name": "named", "seed": 1,
            "parameters": [
                {"name": "x", "type": "float", "low": 0, "high": 1},
                {"name": "kind", "type": "categorical", "choices": ["a", "b"]},
                {"name": "k", "type": "int", "low": 1, "high": 9},
            ],
            "metrics": [
                {"name": "f", "goal": "maximize"},
                {"name": "g", "goal": "minimize"},
                {"name": "c", "goal": "constrain", "upper": 1.0},
                {"name": "seconds", "goal": "record"},
            ],
            "cost_metric": "seconds",
            "algorithm": {"acquisition": algorithm.name, "initial_trials": 4},
        }));
        let evaluate = |p: &BTreeMap<String, Json>| {
            let (x, k) = (number(p, "x"), number(p, "k"));
            (x < 0.95).then(|| vec![x + k / 20.0, (x - 0.3).powi(2), x + k / 9.0, 1.0 + k])
        };
        let history = run(&definition, 8, evaluate);
        assert_eq!(history.len(), 8, "{}", algorithm.name);
        let proposals = Advisor::default().suggest(&definition, &history, 2);
        let origins: Vec<&str> = proposals.iter().map(|proposal| proposal.origin).collect();
        assert!(
            origins.iter().all(|origin| !origin.starts_with("fallback")),
            "{}: {origins:?}",
            algorithm.name
        );
        if algorithm.name != "auto" {
            assert_eq!(origins[0], algorithm.name);
        }
        assert_ne!(proposals[0].point, proposals[1].point);
        assert_eq!(Advisor::default().suggest(&definition, &history, 2), proposals, "{}", algorithm.name);
        // Two asks at once get what they would get one after the other.
        let each = Advisor::default().suggest_each(&definition, &history, &[1, 1]);
        assert_eq!(Advisor::default().suggest(&definition, &history, 1)[0], each[0], "{}", algorithm.name);
        let mut answered = history.clone();
        answered.put(history.len(), pending(&definition, &each[0]));
        assert_eq!(Advisor::default().suggest(&definition, &answered, 1)[0], each[1], "{}", algorithm.name);
        // What looks at a weighting of the objectives chooses one by one, and nothing else here moves a batch as a whole.
        assert_eq!(
            Advisor::default().suggest(&definition, &history, 1)[0],
            proposals[0],
            "{}",
            algorithm.name
        );
    }
}

#[test]
fn every_acquisition_takes_in_gradients_and_standard_errors() {
    for algorithm in ALGORITHMS.iter().filter(|algorithm| !algorithm.is_multi_objective) {
        let definition = define(json!({
            "name": "gradients", "seed": 2,
            "parameters": [
                {"name": "x", "type": "float", "low": 0, "high": 1},
                {"name": "y", "type": "float", "low": 0, "high": 1},
            ],
            "metrics": [{"name": "f", "goal": "minimize"}],
            "algorithm": {"acquisition": algorithm.name, "initial_trials": 3},
        }));
        let mut history = History::default();
        for trial in 0..6 {
            let proposal = Advisor::default().suggest(&definition, &history, 1).remove(0);
            assert!(!proposal.origin.starts_with("fallback"), "{}", algorithm.name);
            let parameters = definition.space().write(&proposal.point).into_iter().collect();
            let (x, y) = (number(&parameters, "x") - 0.7, number(&parameters, "y") - 0.2);
            let gradient = BTreeMap::from([("x".to_owned(), 2.0 * x), ("y".to_owned(), 4.0 * y)]);
            let told = Observation { value: x * x + 2.0 * y * y, sem: Some(1e-3), gradient: Some(gradient) };
            let mut seen = tell(&definition, &proposal, trial, |_| Some(vec![0.0]));
            seen.standing = Standing::Completed(vec![Some(told)]);
            history.put(trial, seen);
        }
        if !matches!(algorithm.name, "random" | "space_filling") {
            let closest = best(&history, &definition, 0);
            assert!(closest < 0.1, "{}: {closest}", algorithm.name);
        }
    }
}

#[test]
fn a_batch_is_moved_as_a_whole_and_asks_at_once_are_not() {
    for name in ["noisy_expected_improvement", "knowledge_gradient", "joint_entropy_search"] {
        let definition = define(json!({
            "name": "branin", "seed": 3, "algorithm": {"acquisition": name},
            "parameters": [
                {"name": "x", "type": "float", "low": -5, "high": 10},
                {"name": "y", "type": "float", "low": 0, "high": 15},
            ],
            "metrics": [{"name": "f", "goal": "minimize"}],
        }));
        let history = run(&definition, 12, branin_value);
        let advisor = Advisor::default();
        let batch = advisor.suggest(&definition, &history, 3);
        let each = advisor.suggest_each(&definition, &history, &[1, 1, 1]);
        assert_eq!((batch.len(), each.len()), (3, 3));
        assert_ne!(batch[0].point, each[0].point, "{name}");
        assert!((0..3).all(|i| (0..i).all(|j| batch[i].key != batch[j].key)), "{name}: {batch:?}");
    }
}

#[test]
fn hypervolume_improvement_spreads_over_fronts_of_two_three_and_four_objectives() {
    for objectives in 2..=4 {
        let names: Vec<String> = (0..objectives).map(|k| format!("f{k}")).collect();
        let metrics: Vec<Json> = names.iter().map(|name| json!({"name": name, "goal": "minimize"})).collect();
        let definition = define(json!({
            "name": "front", "seed": 4,
            "parameters": [
                {"name": "x", "type": "float", "low": 0, "high": 1},
                {"name": "y", "type": "float", "low": 0, "high": 1},
            ],
            "metrics": metrics,
            "algorithm": {"acquisition": "expected_hypervolume_improvement", "initial_trials": 6},
        }));
        // Distances to the corners of the square.
        let history = run(&definition, 22, |p| {
            let (x, y) = (number(p, "x"), number(p, "y"));
            let corners = [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 0.0)];
            Some(corners[..objectives].iter().map(|(a, b)| (x - a).powi(2) + (y - b).powi(2)).collect())
        });
        let front = pareto_front(&definition, &history).len();
        assert!(front >= if objectives == 2 { 9 } else { 15 }, "{objectives}: {front}");
    }
}

#[test]
fn auto_improves_the_hypervolume_of_few_objectives_and_weighs_many() {
    for (objectives, expected) in [
        (1, "log_expected_improvement"),
        (2, "expected_hypervolume_improvement"),
        (3, "expected_hypervolume_improvement"),
        (4, "scalarized_log_expected_improvement"),
    ] {
        let metrics: Vec<Json> =
            (0..objectives).map(|k| json!({"name": format!("f{k}"), "goal": "minimize"})).collect();
        let definition = define(json!({
            "name": "auto", "seed": 2, "metrics": metrics,
            "parameters": [
                {"name": "x", "type": "float", "low": 0, "high": 1},
                {"name": "y", "type": "float", "low": 0, "high": 1},
            ],
        }));
        let history = run(&definition, 6, |p| {
            let (x, y) = (number(p, "x"), number(p, "y"));
            Some((0..objectives).map(|k| (x - 0.3 * f64::from(k)).powi(2) + (y - 0.5).powi(2)).collect())
        });
        let advisor = Advisor::default();
        assert_eq!(advisor.suggest(&definition, &history, 1)[0].origin, expected);
        let insights = advisor.insights(&definition, &history).unwrap();
        assert_eq!(
            (insights.decisions[0].what.as_str(), insights.decisions[0].chosen.as_str()),
            ("acquisition", expected)
        );
    }
}

#[test]
fn a_named_acquisition_has_the_models_that_auto_has() {
    // Rosenbrock's values are so skewed that they are transformed.
    let define = |acquisition: &str| {
        define(json!({
            "name": "skewed", "seed": 5,
            "parameters": [
                {"name": "x", "type": "float", "low": -2, "high": 2},
                {"name": "y", "type": "float", "low": -1, "high": 3},
            ],
            "metrics": [{"name": "value", "goal": "minimize"}],
            "algorithm": {"acquisition": acquisition},
        }))
    };
    let advisor = Advisor::default();
    let (auto, named) = (define("auto"), define("log_expected_improvement"));
    let history = run(&auto, 16, |p| {
        let (x, y) = (number(p, "x"), number(p, "y"));
        Some(vec![100.0 * (y - x * x).powi(2) + (1.0 - x).powi(2)])
    });
    let insights = advisor.insights(&auto, &history).unwrap();
    assert!(
        insights
            .decisions
            .iter()
            .any(|decision| decision.what == "output_transform" && decision.chosen != "none")
    );
    let proposed = |definition| advisor.suggest(definition, &history, 1).remove(0);
    assert_eq!(proposed(&auto).point, proposed(&named).point);
}

#[test]
fn auto_weighs_what_a_trial_gains_by_what_it_costs() {
    let spent = |acquisition: &str, has_cost: bool| {
        let mut study = json!({
            "name": "dear", "seed": 1,
            "parameters": [
                {"name": "x", "type": "float", "low": 0, "high": 1},
                {"name": "y", "type": "float", "low": 0, "high": 1},
            ],
            "metrics": [{"name": "value", "goal": "minimize"}, {"name": "seconds", "goal": "record"}],
            "algorithm": {"acquisition": acquisition},
        });
        if has_cost {
            study["cost_metric"] = json!("seconds");
        }
        let definition = define(study);
        let history = run(&definition, 16, |p| {
            let (x, y) = (number(p, "x"), number(p, "y"));
            Some(vec![(9.0 * x).sin() + (7.0 * y).cos(), (5.0 * x).exp()])
        });
        let insights = Advisor::default().insights(&definition, &history).unwrap();
        assert_eq!(insights.decisions.iter().any(|decision| decision.what == "cost"), has_cost);
        let costs = history.trials()[5..].iter().map(|seen| match &seen.standing {
            Standing::Completed(metrics) => metrics[1].as_ref().unwrap().value,
            other => panic!("{other:?}"),
        });
        costs.sum::<f64>()
    };
    let (with, without) = (spent("auto", true), spent("auto", false));
    assert!(with < 0.7 * without, "{with} {without}");
    assert_eq!(with.to_bits(), spent("log_expected_improvement", true).to_bits());
}

#[test]
fn auto_counts_with_the_noise_that_it_is_told_or_finds() {
    let definition = define(json!({
        "name": "noisy", "seed": 3,
        "parameters": [{"name": "x", "type": "float", "low": 0, "high": 1}],
        "metrics": [{"name": "value", "goal": "minimize"}],
    }));
    let told = |sem: Option<f64>, noise: f64| {
        let mut history = History::default();
        let advisor = Advisor::default();
        for trial in 0..14 {
            let proposal = advisor.suggest(&definition, &history, 1).remove(0);
            let mut seen = tell(&definition, &proposal, trial, |p| {
                // Noise that is the same wherever it is run: a pattern of signs.
                let sign = [1.0, -1.0, -0.4, 0.7, 1.0, 0.2, -1.0][trial % 7];
                Some(vec![(5.0 * number(p, "x")).sin() + noise * sign])
            });
            if let Standing::Completed(metrics) = &mut seen.standing {
                metrics.iter_mut().flatten().for_each(|observation| observation.sem = sem);
            }
            history.put(trial, seen);
        }
        let insights = advisor.insights(&definition, &history).unwrap();
        let origin = advisor.suggest(&definition, &history, 1).remove(0).origin;
        assert_eq!(insights.decisions[0].chosen, origin);
        origin
    };
    assert_eq!(told(None, 0.0), "log_expected_improvement");
    assert_eq!(told(None, 0.5), "exact_noisy_expected_improvement");
    assert_eq!(told(Some(0.2), 0.2), "exact_noisy_expected_improvement");
}
