//! The one list of algorithms: what a study may name, what `GET /v1/algorithms` answers, and how each is made.
//!
//! An entry is a name, what it is for, its settings, its source, and its maker: from the beliefs, a search and the
//! settings to a function to be maximized, or straight to a point (`makers`); and how a batch is valued as a whole, where
//! that is had (`together`). A new algorithm is one file and one entry.

mod known;
mod makers;
mod together;

use serde_json::{Map, Value as Json};

use super::batch::Batch;
use super::search::{Candidate, Search};
use super::settings::{Setting, Settings};
use super::{Acquisition, Beliefs, Sum};
use crate::space::Fault;
use crate::surrogate::SurrogateError;
use known::*;
use makers::*;
use together::*;

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
    /// What q points are worth together, where that can be had.
    pub(super) jointly: Option<Jointly>,
}

/// What an algorithm is made from.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) beliefs: &'a Beliefs<'a>,
    pub(super) search: &'a Search<'a>,
    pub(super) settings: &'a Settings,
}

type Made<'a> = Result<Box<dyn Acquisition + 'a>, SurrogateError>;
type Make = for<'a> fn(&Context<'a>) -> Made<'a>;
type Direct = for<'a> fn(&Context<'a>, &Sum<'_>) -> Result<Option<Candidate>, SurrogateError>;

/// From beliefs that have not taken in the awaited results, the same ones that have, weights and q; nothing where the
/// weights stand in the way.
pub(super) type Jointly = for<'a> fn(&Together<'a>) -> Result<Option<Box<dyn Batch + 'a>>, SurrogateError>;

/// What a batch is valued from.
pub(super) struct Together<'a> {
    pub(super) beliefs: &'a Beliefs<'a>,
    /// The beliefs with the awaited results taken in at their means.
    pub(super) believing: &'a Beliefs<'a>,
    pub(super) search: &'a Search<'a>,
    pub(super) settings: &'a Settings,
    pub(super) weights: &'a Sum<'a>,
    /// How many points.
    pub(super) q: usize,
}

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

/// Every algorithm that a study may name.
pub static ALGORITHMS: [Algorithm; 20] = [
    Algorithm {
        name: "auto",
        purpose: "chooses for you, by the study and what it has seen",
        source: "this project",
        settings: &[],
        is_multi_objective: false,
        maker: Maker::Policy,
        jointly: None,
    },
    Algorithm {
        name: "log_expected_improvement",
        purpose: "improves on the best trial as much as can be expected; weighted by feasibility",
        source: "Jones, Schonlau & Welch 1998; in log space: Ament et al. 2023, arXiv 2310.20708",
        settings: &[],
        is_multi_objective: false,
        maker: Maker::Believing(expected_improvement),
        jointly: Some(improvement_together),
    },
    Algorithm {
        name: "noisy_expected_improvement",
        purpose: "expected improvement when it is uncertain how good the best trial is: noisy metrics, batches",
        source: "Letham et al. 2019, Bayesian Analysis 14; in log space: Ament et al. 2023, arXiv 2310.20708",
        settings: &[SAMPLES],
        is_multi_objective: false,
        maker: Maker::Sampling(noisy_expected_improvement),
        jointly: Some(noisy_improvement_together),
    },
    Algorithm {
        name: "exact_noisy_expected_improvement",
        purpose: "the value of a trial when one of the tried points is taken home in the end; noise in closed form",
        source: "Frazier 2018, arXiv 1807.02811, section 5; Frazier, Powell & Dayanik 2009",
        settings: &[],
        is_multi_objective: false,
        maker: Maker::Believing(exact_noisy),
        jointly: None,
    },
    Algorithm {
        name: "probability_of_improvement",
        purpose: "the point most likely to be better than the best by a margin: cautious refinement",
        source: "Kushner 1964",
        settings: &[MARGIN],
        is_multi_objective: false,
        maker: Maker::Believing(probability_of_improvement),
        jointly: None,
    },
    Algorithm {
        name: "upper_confidence_bound",
        purpose: "optimism in the face of uncertainty, with bounds on the regret",
        source: "Srinivas et al. 2010, arXiv 0912.3995; batches: Desautels, Krause & Burdick 2014",
        settings: &[SCHEDULE, BETA],
        is_multi_objective: false,
        maker: Maker::Believing(upper_confidence_bound),
        jointly: None,
    },
    Algorithm {
        name: "thompson_sampling",
        purpose: "each point is tried as likely as it is the best: large batches, many workers",
        source: "Thompson 1933; paths: Wilson et al. 2020, arXiv 2002.09309",
        settings: &[DOMAIN],
        is_multi_objective: false,
        maker: Maker::Direct { direct: thompson_on_grid, otherwise: thompson_path },
        jointly: None,
    },
    Algorithm {
        name: "knowledge_gradient",
        purpose: "the value of a trial when any point may be taken home in the end: noise, few trials",
        source: "Frazier, Powell & Dayanik 2009",
        settings: &[],
        is_multi_objective: false,
        maker: Maker::Believing(knowledge_gradient),
        jointly: Some(knowledge_together),
    },
    Algorithm {
        name: "knowledge_gradient_simulated",
        purpose: "the knowledge gradient over the continuum, by simulation of the outcome",
        source: "Frazier 2018, arXiv 1807.02811, algorithms 2 and 4",
        settings: &[OUTCOMES],
        is_multi_objective: false,
        maker: Maker::Believing(simulated_knowledge_gradient),
        jointly: None,
    },
    Algorithm {
        name: "knowledge_gradient_stochastic",
        purpose: "the knowledge gradient over the continuum, by multi-start stochastic gradient ascent",
        source: "Frazier 2018, arXiv 1807.02811, algorithms 3 and 4; Wu & Frazier 2016, arXiv 1606.04414",
        settings: &[STARTS, STEPS, DRAWS, DECAY],
        is_multi_objective: false,
        maker: Maker::Direct { direct: stochastic_knowledge_gradient, otherwise: knowledge_gradient },
        jointly: None,
    },
    Algorithm {
        name: "knowledge_gradient_one_shot",
        purpose: "the knowledge gradient with the maximizers of imagined outcomes optimized beside the point",
        source: "Balandat et al. 2020, arXiv 1910.06403",
        settings: &[OUTCOMES],
        is_multi_objective: false,
        maker: Maker::Direct { direct: one_shot_knowledge_gradient, otherwise: knowledge_gradient },
        jointly: None,
    },
    Algorithm {
        name: "max_value_entropy_search",
        purpose: "learns how high the maximum is: cheap information about the optimum",
        source: "Wang & Jegelka 2017, arXiv 1703.01968",
        settings: &[MAXIMA, DRAWN_BY],
        is_multi_objective: false,
        maker: Maker::Believing(max_value_entropy_search),
        jointly: Some(max_value_together),
    },
    Algorithm {
        name: "joint_entropy_search",
        purpose: "learns where and how high the maximum is",
        source: "Hvarfner, Hutter & Nardi 2022, arXiv 2206.04771",
        settings: &[MAXIMA],
        is_multi_objective: false,
        maker: Maker::Believing(joint_entropy_search),
        jointly: Some(joint_together),
    },
    Algorithm {
        name: "predictive_entropy_search",
        purpose: "learns where the maximum is",
        source: "Hernandez-Lobato, Hoffman & Ghahramani 2014, arXiv 1406.2541",
        settings: &[CONDITIONED],
        is_multi_objective: false,
        maker: Maker::Believing(predictive_entropy_search),
        jointly: Some(predictive_together),
    },
    Algorithm {
        name: "entropy_search",
        purpose: "learns where the maximum is among points that stand for the domain, by counting: a reference",
        source: "Hennig & Schuler 2012, arXiv 1112.1217",
        settings: &[POINTS, DRAWN],
        is_multi_objective: false,
        maker: Maker::Direct { direct: entropy_search, otherwise: max_value_entropy_search },
        jointly: None,
    },
    Algorithm {
        name: "expected_hypervolume_improvement",
        purpose: "several objectives without noise: adds the most to what the front dominates",
        source: "Emmerich, Deutz & Klinkenberg 2011; Yang et al. 2019",
        settings: &[],
        is_multi_objective: true,
        maker: Maker::Believing(expected_hypervolume_improvement),
        jointly: None,
    },
    Algorithm {
        name: "noisy_expected_hypervolume_improvement",
        purpose: "several objectives, noisy metrics or batches",
        source: "Daulton, Balandat & Bakshy 2021, arXiv 2105.08195",
        settings: &[FRONTS],
        is_multi_objective: true,
        maker: Maker::Sampling(noisy_expected_hypervolume_improvement),
        jointly: None,
    },
    Algorithm {
        name: "probability_of_feasibility",
        purpose: "the point most likely to succeed and to keep every constraint: finds what is feasible",
        source: "Gardner et al. 2014",
        settings: &[],
        is_multi_objective: false,
        maker: Maker::Policy,
        jointly: None,
    },
    Algorithm {
        name: "space_filling",
        purpose: "covers the space evenly and learns nothing: designs of experiments, baselines",
        source: "Sobol 1967; Joe & Kuo 2008; scrambling: Owen 1995",
        settings: &[],
        is_multi_objective: false,
        maker: Maker::Policy,
        jointly: None,
    },
    Algorithm {
        name: "random",
        purpose: "independent uniform points: baselines",
        source: "Bergstra & Bengio 2012",
        settings: &[],
        is_multi_objective: false,
        maker: Maker::Policy,
        jointly: None,
    },
];

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
