//! The one list of algorithms: what a study may name, what `GET /v1/algorithms` answers, and how each is made.
//!
//! An entry is a name, what it is for, its settings, its source, and its maker: from the beliefs, a search and the
//! settings to a function to be maximized, or straight to a point. A new algorithm is one file and one entry.

use serde_json::{Map, Value as Json};

use super::entropy::{
    JointEntropySearch, MaxValueEntropySearch, PredictiveEntropySearch, gumbel_maxima, information_gains,
    sample_maxima,
};
use super::hypervolume::{ExpectedHypervolumeImprovement, NoisyExpectedHypervolumeImprovement};
use super::knowledge_gradient::{
    Ascent, SimulatedKnowledgeGradient, discrete_knowledge_gradient, one_shot, stochastic_ascent,
};
use super::noisy_expected_improvement::{LogNoisyExpectedImprovement, exact_noisy_expected_improvement};
use super::probability_of_improvement::LogProbabilityOfImprovement;
use super::search::{Candidate, Search};
use super::settings::{Range, Setting, Settings};
use super::thompson::{ThompsonPath, draw_at};
use super::upper_confidence_bound::{UpperConfidenceBound, scheduled_beta};
use super::{Acquisition, Beliefs, LogExpectedImprovement, Sum};
use crate::space::Fault;
use crate::surrogate::{GaussianProcess, SurrogateError};

/// One algorithm by name.
#[derive(Clone, Copy, Debug)]
pub struct Algorithm {
    /// The name in a study's `algorithm.acquisition`.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// What there is to set.
    pub settings: &'static [Setting],
    /// Whether it looks at every objective of several; the others look at a weighting of them.
    pub is_multi_objective: bool,
    pub(super) maker: Maker,
}

/// What an algorithm is made from.
pub(super) struct Context<'a> {
    pub(super) beliefs: &'a Beliefs<'a>,
    pub(super) search: &'a Search<'a>,
    pub(super) settings: &'a Settings,
}

type Made<'a> = Result<Box<dyn Acquisition + 'a>, SurrogateError>;
type Make = for<'a> fn(&Context<'a>) -> Made<'a>;
type Direct = for<'a> fn(&Context<'a>, &Sum<'_>) -> Result<Option<Candidate>, SurrogateError>;

/// How an algorithm is made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Maker {
    /// The advisor's own: no acquisition is maximized, or it chooses which.
    Policy,
    /// A function over beliefs that have taken the awaited results in at their means.
    Believing(Make),
    /// A function that samples the awaited results itself.
    Sampling(Make),
    /// Straight to a place; and the function that is maximized where that place is taken.
    Direct { direct: Direct, otherwise: Make },
}

/// An algorithm with its settings.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The algorithm.
    pub algorithm: &'static Algorithm,
    /// Its settings.
    pub settings: Settings,
}

/// The algorithm that a study names, with its settings.
///
/// # Errors
/// Every fault, with pointers into the study.
pub fn choose(name: &str, settings: &Map<String, Json>) -> Result<Chosen, Vec<Fault>> {
    let Some(algorithm) = ALGORITHMS.iter().find(|algorithm| algorithm.name == name) else {
        let names: Vec<&str> = ALGORITHMS.iter().map(|algorithm| algorithm.name).collect();
        return Err(vec![Fault::new(
            "/algorithm/acquisition",
            format!("there is no such acquisition; choose one of {}", names.join(", ")),
        )]);
    };
    Ok(Chosen { algorithm, settings: Settings::check(algorithm.settings, settings)? })
}

const fn integer(name: &'static str, purpose: &'static str, default: u32, high: u32) -> Setting {
    Setting { name, purpose, range: Range::Integer { default, low: 1, high } }
}

const MARGIN: Setting = Setting {
    name: "margin",
    purpose: "by how much to improve, in standard deviations of the objective's values",
    range: Range::Number { default: 0.01, low: 0.0, high: 10.0 },
};
const SCHEDULE: Setting = Setting {
    name: "schedule",
    purpose: "whether beta grows with the trials or is fixed",
    range: Range::Choice(&["growing", "fixed"]),
};
const BETA: Setting = Setting {
    name: "beta",
    purpose: "the fixed weight of the variance: the bound is mean + sqrt(beta) sd",
    range: Range::Number { default: 4.0, low: 0.0, high: 1e4 },
};
const DOMAIN: Setting = Setting {
    name: "domain",
    purpose: "where the drawn function is maximized: the continuum, or exactly on points spread over it",
    range: Range::Choice(&["continuum", "grid"]),
};
const SAMPLES: Setting =
    integer("samples", "quasi-random samples of what the evaluated points are worth", 64, 1024);
const FRONTS: Setting = integer("samples", "quasi-random samples of the front", 16, 256);
const OUTCOMES: Setting = integer("outcomes", "quantiles of the imagined outcome", 8, 128);
const STARTS: Setting = integer("starts", "places to ascend from", 4, 64);
const STEPS: Setting = integer("steps", "steps from each start", 30, 1000);
const DRAWS: Setting = integer("draws", "draws of the outcome for a gradient", 4, 256);
const DECAY: Setting = Setting {
    name: "decay",
    purpose: "a in the length a/(a + t) of step t",
    range: Range::Number { default: 4.0, low: 0.1, high: 1e3 },
};
const MAXIMA: Setting = integer("maxima", "drawn maxima to average over", 16, 256);
const CONDITIONED: Setting = integer("maxima", "drawn maxima to average over", 8, 128);
const DRAWN_BY: Setting = Setting {
    name: "drawn_by",
    purpose: "how maxima are drawn: from a Gumbel distribution or as those of drawn functions",
    range: Range::Choice(&["gumbel", "paths"]),
};
const POINTS: Setting = Setting {
    name: "points",
    purpose: "points that stand for the domain",
    range: Range::Integer { default: 150, low: 2, high: 1000 },
};
const DRAWN: Setting = integer("samples", "joint samples at the points", 256, 4096);

/// Every algorithm that a study may name.
pub static ALGORITHMS: [Algorithm; 20] = [
    Algorithm {
        name: "auto",
        purpose: "chooses for you, by the study and what it has seen",
        source: "this project",
        settings: &[],
        is_multi_objective: false,
        maker: Maker::Policy,
    },
    Algorithm {
        name: "log_expected_improvement",
        purpose: "improves on the best trial as much as can be expected; weighted by feasibility",
        source: "Jones, Schonlau & Welch 1998; in log space: Ament et al. 2023, arXiv 2310.20708",
        settings: &[],
        is_multi_objective: false,
        maker: Maker::Believing(expected_improvement),
    },
    Algorithm {
        name: "noisy_expected_improvement",
        purpose: "expected improvement when it is uncertain how good the best trial is: noisy metrics, batches",
        source: "Letham et al. 2019, Bayesian Analysis 14; in log space: Ament et al. 2023, arXiv 2310.20708",
        settings: &[SAMPLES],
        is_multi_objective: false,
        maker: Maker::Sampling(noisy_expected_improvement),
    },
    Algorithm {
        name: "exact_noisy_expected_improvement",
        purpose: "the value of a trial when one of the tried points is taken home in the end; noise in closed form",
        source: "Frazier 2018, arXiv 1807.02811, section 5; Frazier, Powell & Dayanik 2009",
        settings: &[],
        is_multi_objective: false,
        maker: Maker::Believing(exact_noisy),
    },
    Algorithm {
        name: "probability_of_improvement",
        purpose: "the point most likely to be better than the best by a margin: cautious refinement",
        source: "Kushner 1964",
        settings: &[MARGIN],
        is_multi_objective: false,
        maker: Maker::Believing(probability_of_improvement),
    },
    Algorithm {
        name: "upper_confidence_bound",
        purpose: "optimism in the face of uncertainty, with bounds on the regret",
        source: "Srinivas et al. 2010, arXiv 0912.3995; batches: Desautels, Krause & Burdick 2014",
        settings: &[SCHEDULE, BETA],
        is_multi_objective: false,
        maker: Maker::Believing(upper_confidence_bound),
    },
    Algorithm {
        name: "thompson_sampling",
        purpose: "each point is tried as likely as it is the best: large batches, many workers",
        source: "Thompson 1933; paths: Wilson et al. 2020, arXiv 2002.09309",
        settings: &[DOMAIN],
        is_multi_objective: false,
        maker: Maker::Direct { direct: thompson_on_grid, otherwise: thompson_path },
    },
    Algorithm {
        name: "knowledge_gradient",
        purpose: "the value of a trial when any point may be taken home in the end: noise, few trials",
        source: "Frazier, Powell & Dayanik 2009",
        settings: &[],
        is_multi_objective: false,
        maker: Maker::Believing(knowledge_gradient),
    },
    Algorithm {
        name: "knowledge_gradient_simulated",
        purpose: "the knowledge gradient over the continuum, by simulation of the outcome",
        source: "Frazier 2018, arXiv 1807.02811, algorithms 2 and 4",
        settings: &[OUTCOMES],
        is_multi_objective: false,
        maker: Maker::Believing(simulated_knowledge_gradient),
    },
    Algorithm {
        name: "knowledge_gradient_stochastic",
        purpose: "the knowledge gradient over the continuum, by multi-start stochastic gradient ascent",
        source: "Frazier 2018, arXiv 1807.02811, algorithms 3 and 4; Wu & Frazier 2016, arXiv 1606.04414",
        settings: &[STARTS, STEPS, DRAWS, DECAY],
        is_multi_objective: false,
        maker: Maker::Direct { direct: stochastic_knowledge_gradient, otherwise: knowledge_gradient },
    },
    Algorithm {
        name: "knowledge_gradient_one_shot",
        purpose: "the knowledge gradient with the maximizers of imagined outcomes optimized beside the point",
        source: "Balandat et al. 2020, arXiv 1910.06403",
        settings: &[OUTCOMES],
        is_multi_objective: false,
        maker: Maker::Direct { direct: one_shot_knowledge_gradient, otherwise: knowledge_gradient },
    },
    Algorithm {
        name: "max_value_entropy_search",
        purpose: "learns how high the maximum is: cheap information about the optimum",
        source: "Wang & Jegelka 2017, arXiv 1703.01968",
        settings: &[MAXIMA, DRAWN_BY],
        is_multi_objective: false,
        maker: Maker::Believing(max_value_entropy_search),
    },
    Algorithm {
        name: "joint_entropy_search",
        purpose: "learns where and how high the maximum is",
        source: "Hvarfner, Hutter & Nardi 2022, arXiv 2206.04771",
        settings: &[MAXIMA],
        is_multi_objective: false,
        maker: Maker::Believing(joint_entropy_search),
    },
    Algorithm {
        name: "predictive_entropy_search",
        purpose: "learns where the maximum is",
        source: "Hernandez-Lobato, Hoffman & Ghahramani 2014, arXiv 1406.2541",
        settings: &[CONDITIONED],
        is_multi_objective: false,
        maker: Maker::Believing(predictive_entropy_search),
    },
    Algorithm {
        name: "entropy_search",
        purpose: "learns where the maximum is among points that stand for the domain, by counting: a reference",
        source: "Hennig & Schuler 2012, arXiv 1112.1217",
        settings: &[POINTS, DRAWN],
        is_multi_objective: false,
        maker: Maker::Direct { direct: entropy_search, otherwise: max_value_entropy_search },
    },
    Algorithm {
        name: "expected_hypervolume_improvement",
        purpose: "several objectives without noise: adds the most to what the front dominates",
        source: "Emmerich, Deutz & Klinkenberg 2011; Yang et al. 2019",
        settings: &[],
        is_multi_objective: true,
        maker: Maker::Believing(expected_hypervolume_improvement),
    },
    Algorithm {
        name: "noisy_expected_hypervolume_improvement",
        purpose: "several objectives, noisy metrics or batches",
        source: "Daulton, Balandat & Bakshy 2021, arXiv 2105.08195",
        settings: &[FRONTS],
        is_multi_objective: true,
        maker: Maker::Sampling(noisy_expected_hypervolume_improvement),
    },
    Algorithm {
        name: "probability_of_feasibility",
        purpose: "the point most likely to succeed and to keep every constraint: finds what is feasible",
        source: "Gardner et al. 2014",
        settings: &[],
        is_multi_objective: false,
        maker: Maker::Policy,
    },
    Algorithm {
        name: "space_filling",
        purpose: "covers the space evenly and learns nothing: designs of experiments, baselines",
        source: "Sobol 1967; Joe & Kuo 2008; scrambling: Owen 1995",
        settings: &[],
        is_multi_objective: false,
        maker: Maker::Policy,
    },
    Algorithm {
        name: "random",
        purpose: "independent uniform points: baselines",
        source: "Bergstra & Bengio 2012",
        settings: &[],
        is_multi_objective: false,
        maker: Maker::Policy,
    },
];

/// The first objective, and f*.
fn objective<'a>(context: &Context<'a>) -> Result<(&'a GaussianProcess, f64), SurrogateError> {
    let beliefs = context.beliefs;
    let process = beliefs.objectives.first().ok_or(SurrogateError::Empty)?;
    Ok((&**process, beliefs.incumbent().ok_or(SurrogateError::Empty)?))
}

fn expected_improvement<'a>(context: &Context<'a>) -> Made<'a> {
    let (objective, incumbent) = objective(context)?;
    Ok(Box::new(LogExpectedImprovement { objective, incumbent }))
}

fn noisy_expected_improvement<'a>(context: &Context<'a>) -> Made<'a> {
    let samples = context.settings.integer(&SAMPLES);
    Ok(Box::new(LogNoisyExpectedImprovement::new(context.beliefs, samples, context.search.seed)?))
}

fn exact_noisy<'a>(context: &Context<'a>) -> Made<'a> {
    Ok(Box::new(exact_noisy_expected_improvement(context.beliefs)?))
}

fn probability_of_improvement<'a>(context: &Context<'a>) -> Made<'a> {
    let (objective, incumbent) = objective(context)?;
    let target = incumbent + context.settings.number(&MARGIN);
    Ok(Box::new(LogProbabilityOfImprovement { objective, target }))
}

fn upper_confidence_bound<'a>(context: &Context<'a>) -> Made<'a> {
    let (objective, incumbent) = objective(context)?;
    let beta = match context.settings.choice(&SCHEDULE) {
        "fixed" => context.settings.number(&BETA),
        _ => scheduled_beta(context.beliefs.trials, context.beliefs.dimension()),
    };
    Ok(Box::new(UpperConfidenceBound { objective, incumbent, beta }))
}

fn thompson_path<'a>(context: &Context<'a>) -> Made<'a> {
    // Functions are drawn from what is known: what is awaited changes a drawn function in no way that helps.
    let (objective, incumbent) = objective(context)?;
    Ok(Box::new(ThompsonPath::new(objective, incumbent, context.search.seed)))
}

fn thompson_on_grid(context: &Context<'_>, weights: &Sum<'_>) -> Result<Option<Candidate>, SurrogateError> {
    if context.settings.choice(&DOMAIN) != "grid" {
        return Ok(None);
    }
    let (objective, incumbent) = objective(context)?;
    let rows = context.search.raw_points();
    let drawn = draw_at(objective, &rows, context.search.seed)?;
    let values: Vec<f64> =
        drawn.iter().map(|f| super::upper_confidence_bound::log_softplus(f - incumbent).0).collect();
    Ok(best_weighted(context, weights, &rows, values))
}

fn knowledge_gradient<'a>(context: &Context<'a>) -> Made<'a> {
    Ok(Box::new(discrete_knowledge_gradient(context.beliefs, context.search)?))
}

fn simulated_knowledge_gradient<'a>(context: &Context<'a>) -> Made<'a> {
    let (objective, _) = objective(context)?;
    let outcomes = context.settings.integer(&OUTCOMES);
    Ok(Box::new(SimulatedKnowledgeGradient::new(objective, context.search, outcomes)))
}

fn stochastic_knowledge_gradient(
    context: &Context<'_>,
    weights: &Sum<'_>,
) -> Result<Option<Candidate>, SurrogateError> {
    let (objective, _) = objective(context)?;
    let gradient_of = SimulatedKnowledgeGradient::new(objective, context.search, 1);
    let ascent = Ascent {
        starts: context.settings.integer(&STARTS),
        steps: context.settings.integer(&STEPS),
        draws: context.settings.integer(&DRAWS),
        decay: context.settings.number(&DECAY),
    };
    Ok(stochastic_ascent(&gradient_of, weights, ascent))
}

fn one_shot_knowledge_gradient(
    context: &Context<'_>,
    weights: &Sum<'_>,
) -> Result<Option<Candidate>, SurrogateError> {
    let (objective, _) = objective(context)?;
    one_shot(objective, context.search, weights, context.settings.integer(&OUTCOMES))
}

fn max_value_entropy_search<'a>(context: &Context<'a>) -> Made<'a> {
    let (objective, incumbent) = objective(context)?;
    let count = context.settings.integer(&MAXIMA);
    // A maximum is at least what is known to be reached.
    let least = incumbent + 1e-6;
    let maxima = match context.settings.choice(&DRAWN_BY) {
        "paths" => sample_maxima(objective, context.search, count, context.search.seed)
            .values
            .into_iter()
            .map(|value| value.max(least))
            .collect(),
        _ => gumbel_maxima(&objective.predict_many(&context.search.raw_points()), count, least),
    };
    Ok(Box::new(MaxValueEntropySearch { objective, maxima }))
}

fn joint_entropy_search<'a>(context: &Context<'a>) -> Made<'a> {
    let (objective, _) = objective(context)?;
    let maxima =
        sample_maxima(objective, context.search, context.settings.integer(&MAXIMA), context.search.seed);
    Ok(Box::new(JointEntropySearch::new(objective, &maxima)?))
}

fn predictive_entropy_search<'a>(context: &Context<'a>) -> Made<'a> {
    let (objective, _) = objective(context)?;
    let count = context.settings.integer(&CONDITIONED);
    let maxima = sample_maxima(objective, context.search, count, context.search.seed);
    Ok(Box::new(PredictiveEntropySearch::new(objective, &maxima, context.search)?))
}

fn entropy_search(context: &Context<'_>, weights: &Sum<'_>) -> Result<Option<Candidate>, SurrogateError> {
    let (objective, _) = objective(context)?;
    let d = context.beliefs.dimension();
    let most = context.settings.integer(&POINTS);
    let raw = context.search.raw_points();
    let count = raw.len() / d.max(1);
    // Evenly from the raw points: spread ones come first, those around the best trials after them.
    let rows: Vec<f64> = (0..most.min(count))
        .flat_map(|k| {
            let i = k * count / most.min(count);
            raw[i * d..(i + 1) * d].to_vec()
        })
        .collect();
    let gains = information_gains(objective, &rows, context.settings.integer(&DRAWN), context.search.seed)?;
    let values = gains.iter().map(|gain| super::entropy::log_positive(*gain).0).collect();
    Ok(best_weighted(context, weights, &rows, values))
}

fn expected_hypervolume_improvement<'a>(context: &Context<'a>) -> Made<'a> {
    Ok(Box::new(ExpectedHypervolumeImprovement::new(context.beliefs)))
}

fn noisy_expected_hypervolume_improvement<'a>(context: &Context<'a>) -> Made<'a> {
    let samples = context.settings.integer(&FRONTS);
    Ok(Box::new(NoisyExpectedHypervolumeImprovement::new(context.beliefs, samples, context.search.seed)?))
}

/// The best of some places that are not taken, their values weighted.
fn best_weighted(
    context: &Context<'_>,
    weights: &Sum<'_>,
    rows: &[f64],
    mut values: Vec<f64>,
) -> Option<Candidate> {
    let mut of_weights = vec![0.0; values.len()];
    weights.rate(rows, &mut of_weights);
    values.iter_mut().zip(&of_weights).for_each(|(value, weight)| *value += weight);
    context.search.best_open(rows, &values).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_unknown_ones_are_refused_with_the_list() {
        for (i, algorithm) in ALGORITHMS.iter().enumerate() {
            assert!(ALGORITHMS[..i].iter().all(|earlier| earlier.name != algorithm.name));
            assert!(choose(algorithm.name, &Map::new()).is_ok());
        }
        let faults = choose("simulated_annealing", &Map::new()).unwrap_err();
        assert!(faults[0].detail.contains("knowledge_gradient_one_shot"), "{faults:?}");
    }
}
