//! Every acquisition against something independent: BoTorch's values and gradients (`tests/fixtures/acquisitions.py`),
//! nested simulation by brute force, finite differences, and inputs that make no sense.

use std::borrow::Cow;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value as Json};

use super::normal::{quantile, quasi_normal};
use super::*;
use crate::space::{DomainDraft, ParameterDraft, Scale, Space, SpaceDraft};
use crate::surrogate::{Distance, Matern52, Noise, Observations};

fn fixture() -> Json {
    serde_json::from_str(include_str!("../../tests/fixtures/acquisitions.json")).unwrap()
}

fn numbers(json: &Json) -> Vec<f64> {
    match json {
        Json::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// A process with learned noise.
fn process(
    distances: &[Distance],
    lengthscales: &[f64],
    (variance, mean, noise): (f64, f64, f64),
    inputs: &[f64],
    outputs: &[f64],
) -> GaussianProcess {
    let kernel = Matern52::new(distances, lengthscales, variance);
    let observations = Observations::new(distances, inputs, outputs, &vec![0.0; outputs.len()]);
    let learned = Noise { value: noise, ..Noise::default() };
    GaussianProcess::condition(std::sync::Arc::new(kernel), mean, learned, observations).unwrap()
}

/// The fixture's objective number `k`.
fn recorded(fixture: &Json, k: usize) -> GaussianProcess {
    let given = &fixture["processes"][k];
    let number = |name: &str| given[name].as_f64().unwrap();
    process(
        &[Distance::Numeric; 2],
        &numbers(&given["lengthscales"]),
        (number("variance"), number("mean"), number("noise")),
        &numbers(&fixture["inputs"]),
        &numbers(&fixture["outputs"][k]),
    )
}

fn beliefs(objectives: Vec<GaussianProcess>, feasible: Vec<f64>) -> Beliefs<'static> {
    let outcomes: Vec<Vec<f64>> = feasible
        .chunks_exact(objectives[0].dimension())
        .map(|x| objectives.iter().map(|process| process.mean(x)).collect())
        .collect();
    Beliefs {
        reference: inferred_reference(&outcomes),
        objectives: objectives.into_iter().map(Cow::Owned).collect(),
        constraints: Vec::new(),
        success: None,
        cost: None,
        trials: outcomes.len(),
        feasible,
        pending: Vec::new(),
    }
}

fn cube(d: usize) -> Space {
    let parameter = |i: usize| ParameterDraft {
        name: format!("x{i}"),
        domain: DomainDraft::Float { low: 0.0, high: 1.0, scale: Scale::Linear, step: None },
        when: Default::default(),
    };
    let draft = SpaceDraft { parameters: (0..d).map(parameter).collect(), parameter_constraints: Vec::new() };
    Space::check(draft).unwrap()
}

/// Compares values and gradients with recorded ones, which are logarithms or not.
fn agrees(
    name: &str,
    acquisition: &dyn Acquisition,
    recorded: &Json,
    points: &[f64],
    tolerance: f64,
    is_log: bool,
) {
    let (values, gradients) = (numbers(&recorded["values"]), numbers(&recorded["gradients"]));
    for (k, x) in points.chunks_exact(2).enumerate() {
        let mut gradient = [0.0; 2];
        let value = acquisition.value_with_gradient(x, &mut gradient);
        // A sampled value says something where the samples reach.
        if tolerance > 1e-5 && values[k] < 0.01 {
            continue;
        }
        let (expected, factor) = if is_log { (values[k], 1.0) } else { (values[k].ln(), 1.0 / values[k]) };
        assert!(
            (value - expected).abs() < tolerance * (1.0 + expected.abs()),
            "{name} {k}: {value} {expected}"
        );
        for i in 0..2 {
            let slope = gradients[2 * k + i] * factor;
            assert!(
                (gradient[i] - slope).abs() < 3.0 * tolerance * (1.0 + slope.abs()),
                "{name} {k} {i}: {} {slope}",
                gradient[i]
            );
        }
    }
}

#[test]
fn closed_forms_equal_botorch() {
    let fixture = fixture();
    let points = numbers(&fixture["points"]);
    let functions = &fixture["functions"];
    let objective = &recorded(&fixture, 0);
    for name in ["log_expected_improvement", "log_expected_improvement_far"] {
        let incumbent = functions[name]["incumbent"].as_f64().unwrap();
        let acquisition = LogExpectedImprovement { objective, incumbent };
        agrees(name, &acquisition, &functions[name], &points, 1e-6, true);
    }
    let name = "log_probability_of_improvement";
    let target = functions[name]["incumbent"].as_f64().unwrap();
    agrees(name, &LogProbabilityOfImprovement { objective, target }, &functions[name], &points, 1e-6, true);
    // Seen from far below, softplus is the identity, so that its exponential is the bound.
    let name = "upper_confidence_bound";
    let bound = UpperConfidenceBound { objective, incumbent: -50.0, beta: 4.0 };
    let (values, gradients) = (numbers(&functions[name]["values"]), numbers(&functions[name]["gradients"]));
    for (k, x) in points.chunks_exact(2).enumerate() {
        let mut gradient = [0.0; 2];
        let value = bound.value_with_gradient(x, &mut gradient).exp();
        assert!((value - 50.0 - values[k]).abs() < 1e-6);
        (0..2).for_each(|i| assert!((gradient[i] * value - gradients[2 * k + i]).abs() < 1e-6));
    }
    for count in [2, 3] {
        let name = format!("expected_hypervolume_improvement_{count}");
        let objectives = (0..count).map(|k| self::recorded(&fixture, k)).collect();
        let mut beliefs = beliefs(objectives, numbers(&fixture["inputs"]));
        beliefs.reference = numbers(&functions[&name]["reference"]);
        let acquisition = ExpectedHypervolumeImprovement::new(&beliefs);
        agrees(&name, &acquisition, &functions[&name], &points, 1e-6, false);
    }
}

#[test]
fn sampled_forms_equal_botorch_within_their_error() {
    let fixture = fixture();
    let points = numbers(&fixture["points"]);
    let functions = &fixture["functions"];
    let one = beliefs(vec![recorded(&fixture, 0)], numbers(&fixture["inputs"]));
    let name = "noisy_expected_improvement";
    let acquisition = LogNoisyExpectedImprovement::new(&one, 1024, 3).unwrap();
    agrees(name, &acquisition, &functions[name], &points, 0.03, false);
    {
        let name = "noisy_expected_hypervolume_improvement_2";
        let objectives = (0..2).map(|k| recorded(&fixture, k)).collect();
        let mut beliefs = beliefs(objectives, numbers(&fixture["inputs"]));
        beliefs.reference = numbers(&functions[name]["reference"]);
        let acquisition = NoisyExpectedHypervolumeImprovement::new(&beliefs, 1024, 3).unwrap();
        for (x, expected) in points.chunks_exact(2).zip(numbers(&functions[name]["values"])) {
            let value = acquisition.value(x).exp();
            assert!((value - expected).abs() < 0.05 * expected + 2e-3, "{name} {x:?}: {value} {expected}");
        }
    }
}

/// A space of one or two coordinates with a process on a few noisy observations in it.
fn small(d: usize) -> (Space, GaussianProcess) {
    let inputs: &[f64] =
        if d == 1 { &[0.05, 0.35, 0.6, 0.9] } else { &[0.1, 0.2, 0.8, 0.3, 0.5, 0.9, 0.3, 0.6] };
    let outputs = [0.2, 0.9, 0.1, -0.8];
    (cube(d), process(&vec![Distance::Numeric; d], &vec![0.3; d], (1.0, 0.0, 0.02), inputs, &outputs))
}

fn grid(d: usize, steps: u32) -> Vec<f64> {
    let unit = |k: u32| f64::from(k) / f64::from(steps - 1);
    match d {
        1 => (0..steps).map(unit).collect(),
        _ => (0..steps).flat_map(|i| (0..steps).flat_map(move |j| [unit(i), unit(j)])).collect(),
    }
}

/// KG at x by brute force: drawn outcomes, each with the posterior refitted and its mean maximized over a grid.
fn nested_knowledge_gradient(process: &GaussianProcess, x: &[f64], grid: &[f64], draws: usize) -> f64 {
    let d = x.len();
    let best = |process: &GaussianProcess| {
        grid.chunks_exact(d).map(|z| process.mean(z)).fold(process.mean(x), f64::max)
    };
    let noise = process.noise().value;
    let at = process.predict(x);
    let spread = (at.sd * at.sd + noise).sqrt();
    let before = best(process);
    (0..draws)
        .map(|j| {
            let z = quantile((j as f64 + 0.5) / draws as f64);
            best(&process.with_observation(x, at.mean + spread * z, noise)) - before
        })
        .sum::<f64>()
        / draws as f64
}

#[test]
fn knowledge_gradients_equal_nested_simulation() {
    for (d, places) in [(1, vec![0.2, 0.45, 0.75]), (2, vec![0.3, 0.75, 0.9, 0.9, 0.2, 0.4])] {
        let (space, process) = small(d);
        let around: Vec<Vec<f64>> = vec![process.input(1).to_vec()];
        let search = Search { space: &space, around: &around, taken: &|_| false, region: None, seed: 2 };
        let fine = grid(d, if d == 1 { 201 } else { 31 });
        let simulated = SimulatedKnowledgeGradient::new(&process, &search, 64);
        let on_grid = ValueOfInformation::new(&process, &grid(d, if d == 1 { 101 } else { 16 })).unwrap();
        let believed =
            beliefs(vec![process.clone()], (0..4).flat_map(|i| process.input(i).to_vec()).collect());
        let closed = discrete_knowledge_gradient(&believed, &search).unwrap();
        for x in places.chunks_exact(d) {
            let reference = nested_knowledge_gradient(&process, x, &fine, 128);
            let (by_simulation, by_grid, by_closed) =
                (simulated.value(x).exp(), on_grid.value(x).exp(), closed.value(x).exp());
            let close = |value: f64, share: f64| (value - reference).abs() < share * reference + 0.02 * share;
            assert!(close(by_simulation, 0.05), "{d} {x:?}: {by_simulation} {reference}");
            assert!(close(by_grid, 0.05), "{d} {x:?}: {by_grid} {reference}");
            assert!(close(by_closed, 0.2), "{d} {x:?}: {by_closed} {reference}");
        }
        // The places that the three ways choose are nearly as good as the best of the grid.
        let best = fine
            .chunks_exact(d)
            .step_by(if d == 1 { 5 } else { 7 })
            .map(|x| nested_knowledge_gradient(&process, x, &fine, 16))
            .fold(0.0, f64::max);
        let none = Sum(Vec::new());
        let stochastic =
            stochastic_ascent(&simulated, &none, Ascent { starts: 4, steps: 20, draws: 4, decay: 4.0 });
        let jointly = one_shot(&process, &search, &none, 16).unwrap();
        let (_, closed) = best_of(&search, &closed).unwrap();
        for (name, found) in
            [("stochastic", stochastic.unwrap()), ("one-shot", jointly.unwrap()), ("closed", closed)]
        {
            let worth = nested_knowledge_gradient(&process, &found.coordinates, &fine, 64);
            assert!(worth > 0.9 * best, "{d} {name}: {worth} of {best} at {:?}", found.coordinates);
        }
    }
}

/// Mutual information between y at x and the maximizer among `grid`, by counting in a table of joint draws: the outcome
/// in bins, the maximizer by point.
fn counted_information(process: &GaussianProcess, points: &[f64], i: usize, draws: usize) -> f64 {
    let joint = process.joint(points);
    let root = joint.root().unwrap();
    let m = joint.len();
    let bins = 24;
    let noise = process.noise().value.sqrt();
    let mut table = vec![vec![0.0_f64; m]; bins];
    let spread = (joint.covariance()[(i, i)] + noise * noise).sqrt();
    for z in quasi_normal(draws, m + 1, 5).chunks_exact(m + 1) {
        let sample = joint.sample(&root, &z[..m]);
        let best = (0..m).max_by(|&a, &b| sample[a].total_cmp(&sample[b])).unwrap();
        let outcome = (sample[i] + noise * z[m] - joint.mean()[i]) / spread;
        let bin = ((super::normal::cdf(outcome) * bins as f64) as usize).min(bins - 1);
        table[bin][best] += 1.0 / draws as f64;
    }
    let rows: Vec<f64> = table.iter().map(|row| row.iter().sum()).collect();
    let columns: Vec<f64> = (0..m).map(|k| table.iter().map(|row| row[k]).sum()).collect();
    let mut information = 0.0;
    for (row, of_row) in table.iter().zip(&rows) {
        for (p, of_column) in row.iter().zip(&columns) {
            if *p > 0.0 {
                information += p * (p / (of_row * of_column)).ln();
            }
        }
    }
    information
}

#[test]
fn entropy_searches_equal_counted_information() {
    for d in [1, 2] {
        let (space, process) = small(d);
        let points = grid(d, if d == 1 { 15 } else { 4 });
        let m = points.len() / d;
        let gains = information_gains(&process, &points, 4096, 1).unwrap();
        let counted: Vec<f64> = (0..m).map(|i| counted_information(&process, &points, i, 1 << 14)).collect();
        for i in 0..m {
            assert!(
                (gains[i] - counted[i]).abs() < 0.05 + 0.1 * counted[i],
                "{d} {i}: {} {}",
                gains[i],
                counted[i]
            );
        }
        // The approximations rank the places like the reference on a finer grid.
        let fine = grid(d, if d == 1 { 41 } else { 9 });
        let reference = information_gains(&process, &fine, 2048, 3).unwrap();
        let most = reference.iter().fold(0.0_f64, |m, v| m.max(*v));
        let search = Search { space: &space, around: &[], taken: &|_| false, region: None, seed: 4 };
        let maxima = sample_maxima(&process, &search, 64, 7);
        let predictive = PredictiveEntropySearch::new(&process, &maxima, &search).unwrap();
        let joint = JointEntropySearch::new(&process, &maxima).unwrap();
        let all: [(&str, &dyn Acquisition, f64); 2] =
            [("predictive", &predictive, 0.7), ("joint", &joint, 0.6)];
        for (name, acquisition, share) in all {
            let best = (0..fine.len() / d)
                .max_by(|&a, &b| {
                    let at = |i: usize| acquisition.value(&fine[i * d..(i + 1) * d]);
                    at(a).total_cmp(&at(b))
                })
                .unwrap();
            assert!(reference[best] > share * most, "{d} {name}: {} of {most}", reference[best]);
        }
    }
}

#[test]
fn gradients_equal_finite_differences() {
    let fixture = fixture();
    let mut one = beliefs(vec![recorded(&fixture, 0)], numbers(&fixture["inputs"]));
    one.pending = vec![0.7, 0.7];
    let two = beliefs(vec![recorded(&fixture, 0), recorded(&fixture, 1)], numbers(&fixture["inputs"]));
    let objective = &recorded(&fixture, 0);
    let space = cube(2);
    let search = Search { space: &space, around: &[], taken: &|_| false, region: None, seed: 4 };
    let maxima = sample_maxima(objective, &search, 6, 7);
    let all: Vec<(&str, Box<dyn Acquisition + '_>)> = vec![
        ("noisy", Box::new(LogNoisyExpectedImprovement::new(&one, 16, 1).unwrap())),
        ("exact noisy", Box::new(exact_noisy_expected_improvement(&one).unwrap())),
        ("kg", Box::new(discrete_knowledge_gradient(&one, &search).unwrap())),
        ("mes", Box::new(MaxValueEntropySearch { objective, maxima: maxima.values.clone() })),
        ("jes", Box::new(JointEntropySearch::new(objective, &maxima).unwrap())),
        ("pes", Box::new(PredictiveEntropySearch::new(objective, &maxima, &search).unwrap())),
        ("thompson", Box::new(ThompsonPath::new(objective, 1.0, 3))),
        ("ucb", Box::new(UpperConfidenceBound { objective, incumbent: 1.0, beta: 2.0 })),
        ("ehvi", Box::new(ExpectedHypervolumeImprovement::new(&two))),
        ("nehvi", Box::new(NoisyExpectedHypervolumeImprovement::new(&two, 8, 1).unwrap())),
        ("simulated", Box::new(SimulatedKnowledgeGradient::new(objective, &search, 6))),
    ];
    for (name, acquisition) in &all {
        for x in [[0.2, 0.4], [0.9, 0.95], [0.55, 0.1], [0.33, 0.71]] {
            let mut gradient = [0.0; 2];
            let value = acquisition.value_with_gradient(&x, &mut gradient);
            assert!((value - acquisition.value(&x)).abs() < 1e-8 * (1.0 + value.abs()), "{name}");
            // A simulated maximum is found to a tolerance only.
            let (h, tolerance) = if *name == "simulated" { (1e-3, 0.1) } else { (1e-6, 2e-4) };
            for i in 0..2 {
                let (mut above, mut below) = (x, x);
                above[i] += h;
                below[i] -= h;
                let slope = (acquisition.value(&above) - acquisition.value(&below)) / (2.0 * h);
                assert!(
                    (slope - gradient[i]).abs() < tolerance * (1.0 + slope.abs()),
                    "{name} {x:?} {i}: {slope} {gradient:?}"
                );
            }
        }
    }
}

/// Proposals of a batch, each with those before it awaited.
fn batch(name: &str, beliefs: &Beliefs<'_>, space: &Space, q: usize) -> Vec<Vec<f64>> {
    let chosen = choose(name, &Map::new()).unwrap();
    let mut beliefs = beliefs.clone();
    let mut places: Vec<Vec<f64>> = Vec::new();
    for k in 0..q {
        let keys: Vec<_> = places.iter().map(|x| space.canonical(&space.decode(x))).collect();
        let around = vec![beliefs.feasible[..space.dimension()].to_vec()];
        let taken = |key: &crate::space::PointKey| keys.contains(key);
        let search = Search { space, around: &around, taken: &taken, region: None, seed: k as u64 };
        let point = propose(&chosen, &beliefs, &search).unwrap().unwrap();
        let place = space.encode(&point);
        beliefs.pending.extend_from_slice(&place);
        places.push(place);
    }
    places
}

#[test]
fn every_algorithm_proposes_spread_batches() {
    let fixture = fixture();
    let space = cube(2);
    let one = beliefs(vec![recorded(&fixture, 0)], numbers(&fixture["inputs"]));
    let two = beliefs(vec![recorded(&fixture, 0), recorded(&fixture, 1)], numbers(&fixture["inputs"]));
    for algorithm in &ALGORITHMS {
        if matches!(algorithm.maker, super::registry::Maker::Policy) {
            continue;
        }
        let beliefs = if algorithm.is_multi_objective { &two } else { &one };
        let places = batch(algorithm.name, beliefs, &space, 3);
        for a in 0..3 {
            for b in a + 1..3 {
                let apart: f64 = places[a].iter().zip(&places[b]).map(|(x, y)| (x - y).powi(2)).sum();
                assert!(apart.sqrt() > 1e-3, "{}: {places:?}", algorithm.name);
            }
        }
    }
    // A batch of 64 where each is cheap.
    let places = batch("noisy_expected_improvement", &one, &space, 64);
    assert_eq!(places.len(), 64);
}

#[test]
fn feasibility_comes_first_and_weighs_after() {
    let fixture = fixture();
    let space = cube(2);
    let inputs = numbers(&fixture["inputs"]);
    // A constraint that is −x₀ ≥ −0.5: feasible on the left.
    let left: Vec<f64> = inputs.chunks_exact(2).map(|x| -x[0]).collect();
    let metric = process(&[Distance::Numeric; 2], &[0.8, 2.0], (1.0, -0.5, 1e-6), &inputs, &left);
    let mut beliefs = beliefs(vec![recorded(&fixture, 1)], inputs);
    beliefs.constraints =
        vec![Constraint { metric: Cow::Owned(metric), lower: f64::NEG_INFINITY, upper: -0.8 }];
    // Upper bound −0.8: only x₀ ≥ 0.8 is feasible.
    for name in ["log_expected_improvement", "noisy_expected_improvement", "knowledge_gradient"] {
        let place = &batch(name, &beliefs, &space, 1)[0];
        assert!(place[0] > 0.78, "{name}: {place:?}");
    }
    beliefs.objectives.clear();
    let place = &batch("knowledge_gradient", &beliefs, &space, 1)[0];
    assert!(place[0] > 0.85, "{place:?}");
}

#[test]
fn a_million_evaluations_of_nonsense_are_numbers() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut draw = |scale: f64| scale * (rng.random::<f64>() - 0.5);
    let mut most = 0;
    // Functions of a normal outcome, at any mean and spread.
    let cells = Cells::new(&[vec![1.0, 0.0], vec![0.5, 0.7], vec![0.5, 0.7]], &[-1.0, f64::MIN_POSITIVE]);
    let process = process(&[Distance::Numeric], &[0.3], (1.0, 0.0, 0.0), &[0.5, 0.5, 0.2], &[1.0, -1.0, 0.0]);
    let maxima = vec![1.0, 1.0 + 1e-15, 50.0];
    let functions: Vec<Box<dyn Marginal + '_>> = vec![
        Box::new(LogExpectedImprovement { objective: &process, incumbent: 0.5 }),
        Box::new(LogProbabilityOfImprovement { objective: &process, target: 0.5 }),
        Box::new(UpperConfidenceBound { objective: &process, incumbent: 0.5, beta: 4.0 }),
        Box::new(MaxValueEntropySearch { objective: &process, maxima }),
        Box::new(Bounded { metric: &process, lower: -0.1, upper: 0.1 }),
        Box::new(Bounded { metric: &process, lower: 0.0, upper: f64::INFINITY }),
        Box::new(Success { labels: &process }),
    ];
    for _ in 0..110_000 {
        let mean = draw(2.0) * 10.0_f64.powf(draw(16.0));
        let sd = 10.0_f64.powf(draw(24.0) - 2.0);
        for (k, function) in functions.iter().enumerate() {
            let slopes = function.of(&crate::surrogate::Prediction { mean, sd });
            assert!(!slopes.value.is_nan() && slopes.value < f64::INFINITY, "{k} {mean} {sd}: {slopes:?}");
            most += 1;
        }
        let gain = cells.expected(&[mean, draw(4.0)], &[sd, 1.0]);
        assert!(!gain.log.is_nan(), "{mean} {sd}: {gain:?}");
        let (a, b) = ([mean, draw(1.0), 0.0], [sd, draw(1.0), draw(1.0)]);
        let worth = super::envelope::expected_maximum(&a, &b);
        assert!(!worth.log.is_nan(), "{a:?} {b:?}");
        most += 2;
    }
    // Processes of repeated points and no noise, hundreds of awaited points among them.
    let space = cube(1);
    let search = Search { space: &space, around: &[], taken: &|_| false, region: None, seed: 4 };
    let mut beliefs = beliefs(vec![process.clone(), process.clone()], vec![0.5, 0.5, 0.2]);
    beliefs.pending = (0..256).map(|k| f64::from(k % 16) / 16.0).collect();
    let believing = beliefs.believing_pending();
    let objective = &believing.objectives[0];
    let drawn = sample_maxima(objective, &search, 3, 1);
    let all: Vec<Box<dyn Acquisition + '_>> = vec![
        Box::new(LogNoisyExpectedImprovement::new(&beliefs, 4, 1).unwrap()),
        Box::new(exact_noisy_expected_improvement(&believing).unwrap()),
        Box::new(JointEntropySearch::new(objective, &drawn).unwrap()),
        Box::new(NoisyExpectedHypervolumeImprovement::new(&beliefs, 2, 1).unwrap()),
        Box::new(ExpectedHypervolumeImprovement::new(&believing)),
        Box::new(LogExpectedImprovement { objective, incumbent: 2.0 }),
    ];
    for (k, acquisition) in all.iter().enumerate() {
        for i in 0..1_700 {
            let x = if i % 10 == 0 { 0.5 } else { draw(1.0) + 0.5 };
            let mut gradient = [0.0];
            let value = acquisition.value_with_gradient(&[x], &mut gradient);
            assert!(!value.is_nan() && value < f64::INFINITY, "{k} {x}: {value}");
            most += 1;
        }
    }
    assert!(most > 1_000_000, "{most}");
}
