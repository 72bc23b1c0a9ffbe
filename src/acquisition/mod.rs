//! What is worth trying: acquisition functions, and the search for their maximum.
//!
//! Every acquisition is a logarithm to be maximized over the unit cube: products of improvement and feasibility are
//! sums here, and stay usable where the functions themselves underflow (Ament et al., arXiv 2310.20708). Nothing here
//! knows studies or units.

mod expected_improvement;
mod feasibility;
mod normal;
mod search;

pub use expected_improvement::LogExpectedImprovement;
pub use feasibility::{Bounded, Success};
pub use normal::{log_cdf, log_improvement};
pub use search::{Search, maximize};

use crate::surrogate::GaussianProcess;

/// One acquisition function by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm {
    /// The name in a study's `algorithm.acquisition`.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// Where it comes from.
    pub source: &'static str,
}

/// Every algorithm that a study may name.
pub const ALGORITHMS: [Algorithm; 4] = [
    Algorithm {
        name: "auto",
        purpose: "chooses for you, by the study and what it has seen",
        source: "this project",
    },
    Algorithm {
        name: "log_expected_improvement",
        purpose: "improves on the best trial as much as can be expected; weighted by feasibility",
        source: "Jones, Schonlau & Welch 1998; in log space: Ament et al. 2023, arXiv 2310.20708",
    },
    Algorithm {
        name: "space_filling",
        purpose: "covers the space evenly and learns nothing: designs of experiments, baselines",
        source: "Sobol 1967; Joe & Kuo 2008; scrambling: Owen 1995",
    },
    Algorithm {
        name: "random",
        purpose: "independent uniform points: baselines",
        source: "Bergstra & Bengio 2012",
    },
];

/// A function to be maximized over the unit cube.
pub trait Acquisition {
    /// Its value at `x`.
    fn value(&self, x: &[f64]) -> f64;

    /// Its value at `x`; adds its gradient to `gradient`.
    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64;
}

/// The sum of some acquisitions: of logarithms, hence the logarithm of the product.
pub struct Sum<'a>(pub Vec<Box<dyn Acquisition + 'a>>);

impl Acquisition for Sum<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        self.0.iter().map(|term| term.value(x)).sum()
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        self.0.iter().map(|term| term.value_with_gradient(x, gradient)).sum()
    }
}

/// The posterior mean itself: what to recommend.
pub struct PosteriorMean<'a>(pub &'a GaussianProcess);

impl Acquisition for PosteriorMean<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        self.0.mean(x)
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let mut unused = vec![0.0; x.len()];
        self.0.predict_with_gradient(x, gradient, &mut unused).mean
    }
}
