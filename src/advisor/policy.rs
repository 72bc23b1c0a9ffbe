//! What a study's points are chosen by, and why: the rules of `auto` in one table, which `suggest` follows and
//! `insights` tells.
//!
//! | where | `auto` chooses | measured |
//! | --- | --- | --- |
//! | the first trials: one more than there are parameters, 5 to 20 | a scrambled Sobol design, its first point the space's centre | half as long as twice the dimension, and better or level on 16 of 21 functions (`docs/decisions/kernel.md`) |
//! | every metric | a sum of interaction, quadratic trend and main effects; the output's transform by likelihood | better or level on 21 of 24 functions (ibid.) |
//! | no trial is feasible yet | the probability of feasibility | after Gardner et al. 2014 |
//! | one objective | ln EI over the best posterior mean, weighted by feasibility | `bench/RESULTS.md` |
//! | one objective, results noisy: a variance above 10⁻³ of the values' own | Frazier's noisy EI likewise | with noise better on 8 of 9 functions and level on one by the mean of 101 seeds, on Hartmann-3 by 10^0.44; the same without noise, on Ackley-5 better by 10^0.13 (`docs/decisions/acquisitions.md`) |
//! | a metric is named as the cost | the same per unit of the predicted cost | after Snoek, Larochelle & Adams 2012, §3.2 |
//! | two or three objectives | the exact expected hypervolume improvement | Branin-Currin, 40 trials, median hypervolume 70.70 against 68.48 by random weightings (worst of 5 seeds 70.59 against 58.54); DTLZ2-6 0.356 against 0.335 |
//! | four and more | ln EI on random weightings (ParEGO, Knowles 2006) | the exact improvement's cost grows with the front's cells |
//! | hyperparameters: 20 to 100 parameters, up to 100 told trials, one objective or weightings | sampled, under the sparse prior | 60 trials, 6 seeds: better on 7 of 9 functions, by 10^2.2 on Branin among 25 (`docs/decisions/hyperparameters.md`) |
//! | hyperparameters elsewhere | the likeliest | samples were better on 7 of 16 functions, worse on 9, and cost dozens of times as much (ibid.) |
//! | inputs | not warped | worse on 12 of 16 functions, by 10^6 on a rotated cigar (ibid.) |
//! | everywhere | the whole space, no trust region | in 10 and 20 dimensions, 80 and 200 trials, a TuRBO region was level with the whole space under this model (`docs/decisions/kernel.md`) |

use super::beliefs::Form;
use super::insights::Decision;
use crate::acquisition::{Chosen, choose};
use crate::study::{Definition, HyperparameterLearning, InputWarping};
use crate::surrogate::Prior;

/// What proposes a study's points.
pub(super) enum Policy {
    /// The space-filling design, always.
    Fill,
    /// Random points, always.
    Draw,
    /// After the initial design, an acquisition of the registry.
    Named(Chosen),
    /// After the initial design, ln EI on the objective, its noisy form where results are noisy, or on a weighting of several.
    Improve,
}

/// The noise variance of standardized values from which it matters to the choice of a trial that a result is noisy.
const NOISY: f64 = 1e-3;
/// Objectives up to which the hypervolume's improvement is exact.
const MOST_EXACT: usize = 3;
/// Parameters of which few are expected to matter, and told trials up to which they are.
const LEAST_SPARSE: usize = 20;
const MOST_SPARSE: usize = 100;
const MOST_SPARSE_TRIALS: usize = 100;
/// Parameters up to which hyperparameters are sampled where a study wants that: an evaluation costs n² (n + d).
const MOST_SAMPLED_PARAMETERS: usize = 200;
const HYPERVOLUME: &str = "expected_hypervolume_improvement";

/// The policy of a study.
pub(super) fn policy(definition: &Definition) -> Policy {
    let algorithm = &definition.draft().algorithm;
    let (name, settings) = (algorithm.acquisition.as_str(), &algorithm.settings);
    let chosen = match name {
        "space_filling" => return Policy::Fill,
        "random" => return Policy::Draw,
        "auto" if (2..=MOST_EXACT).contains(&definition.objectives().count()) => {
            choose(HYPERVOLUME, &serde_json::Map::new())
        }
        "auto" => return Policy::Improve,
        _ => choose(name, settings),
    };
    // A study was admitted with an algorithm that there is.
    chosen.map_or(Policy::Improve, Policy::Named)
}

/// The form of the models of a study with so many told trials. Named acquisitions look at the likeliest hyperparameters.
pub(super) fn form(definition: &Definition, trials: usize) -> Form {
    let algorithm = &definition.draft().algorithm;
    let averaging = match algorithm.hyperparameters {
        _ if !is_averaging_possible(definition) => None,
        HyperparameterLearning::Fitted => None,
        HyperparameterLearning::Sampled => Some(Prior::Fit),
        HyperparameterLearning::Sparse => Some(Prior::Sparse),
        HyperparameterLearning::Auto => is_sparse(definition, trials).then_some(Prior::Sparse),
    };
    Form { averaging, is_warped: algorithm.input_warping == InputWarping::Always }
}

fn is_averaging_possible(definition: &Definition) -> bool {
    matches!(policy(definition), Policy::Improve) && definition.space().dimension() <= MOST_SAMPLED_PARAMETERS
}

/// Whether few of many parameters may matter, and too little is known to tell which.
fn is_sparse(definition: &Definition, trials: usize) -> bool {
    (LEAST_SPARSE..=MOST_SPARSE).contains(&definition.space().dimension()) && trials <= MOST_SPARSE_TRIALS
}

/// The size of the initial design: one more than the dimension, at least 5 and at most 20, or what the study says.
pub(super) fn initial_trials(definition: &Definition) -> usize {
    let chosen = definition.draft().algorithm.initial_trials;
    let default = (definition.space().dimension() + 1).clamp(5, 20);
    chosen.map_or(default, |trials| usize::try_from(trials).unwrap_or(usize::MAX))
}

/// Parameters up to which a point of a sequence is a matter of microseconds.
const MOST_IMMEDIATE: usize = 100;

/// How many points after the first `trials` come straight from a sequence, each in microseconds: by no model, and in a
/// space where no infeasible point is repaired and no list of all points is gone through.
pub(super) fn immediate(definition: &Definition, trials: usize) -> usize {
    let space = definition.space();
    if definition.draft().network.is_some()
        || space.dimension() > MOST_IMMEDIATE
        || space.has_constraints()
        || space.is_conditional()
        || space.cardinality().is_some()
    {
        return 0;
    }
    match policy(definition) {
        Policy::Fill | Policy::Draw => usize::MAX,
        Policy::Named(_) | Policy::Improve => initial_trials(definition).saturating_sub(trials),
    }
}

/// Whether results with such a noise variance, of standardized values, are chosen for as noisy ones.
pub(super) fn is_noisy(variance: f64) -> bool {
    variance > NOISY
}

/// What was decided for a study as a whole; `is_noisy` tells whether the results of its one objective are.
pub(super) fn decisions(definition: &Definition, trials: usize, is_noisy: bool) -> Vec<Decision> {
    let algorithm = &definition.draft().algorithm;
    let is_auto = algorithm.acquisition == "auto";
    let objectives = definition.objectives().count();
    let decision = |what: &str, chosen: String, because: String| Decision {
        what: what.to_owned(),
        metric: None,
        chosen,
        because,
    };
    let (acquisition, because) = match policy(definition) {
        _ if !is_auto => (algorithm.acquisition.clone(), "the study names it".to_owned()),
        Policy::Named(chosen) => (
            chosen.algorithm.name.to_owned(),
            format!("there are {objectives} objectives, for which the hypervolume's improvement is exact"),
        ),
        _ if objectives > 1 => (
            "scalarized_log_expected_improvement".to_owned(),
            format!(
                "there are {objectives} objectives; a random weighting of them for each trial spreads over the front"
            ),
        ),
        _ if is_noisy => (
            "exact_noisy_expected_improvement".to_owned(),
            "there is one objective and its results are noisy, so that one more beside the incumbent tells little; \
             feasibility weights it"
                .to_owned(),
        ),
        _ => (
            "log_expected_improvement".to_owned(),
            "there is one objective; the incumbent is the best posterior mean, and feasibility weights it"
                .to_owned(),
        ),
    };
    let mut decisions = vec![decision("acquisition", acquisition, because)];
    if !matches!(policy(definition), Policy::Fill | Policy::Draw) {
        let size = format!("{} space-filling trials", initial_trials(definition));
        let because = match algorithm.initial_trials {
            Some(_) => "the study says so",
            None => "one more than there are parameters, at least 5 and at most 20",
        };
        decisions.push(decision("initial_design", size, because.to_owned()));
        if let Some(name) = &definition.draft().cost_metric {
            let because = "the study names it as the cost of a trial".to_owned();
            decisions.push(decision("cost", format!("per unit of the predicted {name}"), because));
        }
        decisions.extend(of_models(definition, trials));
        decisions.push(decision(
            "region",
            "the whole space".to_owned(),
            "a trust region was level with it in 10 and 20 dimensions under this kernel".to_owned(),
        ));
    }
    decisions
}

/// What was decided for the models.
fn of_models(definition: &Definition, trials: usize) -> [Decision; 3] {
    let decision = |what: &str, chosen: &str, because: &str| Decision {
        what: what.to_owned(),
        metric: None,
        chosen: chosen.to_owned(),
        because: because.to_owned(),
    };
    let Form { averaging, is_warped } = form(definition, trials);
    let learned = match averaging {
        None => "fitted",
        Some(Prior::Fit) => "sampled",
        Some(Prior::Sparse) => "sparse",
    };
    let because = match (definition.draft().algorithm.hyperparameters, averaging) {
        (HyperparameterLearning::Auto, Some(_)) => {
            "there are many parameters and few trials, and few parameters may matter"
        }
        (HyperparameterLearning::Auto, None) => {
            "samples were no better on functions of every kind, and cost dozens of times as much"
        }
        (HyperparameterLearning::Fitted, _) | (_, Some(_)) => "the study says so",
        (_, None) => "named acquisitions, and spaces of more than 200 parameters, look at the likeliest",
    };
    let kernel = match averaging {
        Some(Prior::Sparse) => {
            decision("kernel", "interaction", "the model that the sparse prior was measured with")
        }
        _ => decision(
            "kernel",
            "interaction + quadratic trend + main effects",
            "each has a variance of its own, which the data decide",
        ),
    };
    let warping = if is_warped { "learned" } else { "none" };
    let why = match definition.draft().algorithm.input_warping {
        InputWarping::Auto => "warped inputs lost more than they won on functions of every kind",
        InputWarping::Never | InputWarping::Always => "the study says so",
    };
    [kernel, decision("hyperparameters", learned, because), decision("input_warping", warping, why)]
}
