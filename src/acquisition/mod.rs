//! What is worth trying: acquisition functions, and the search for their maximum.
//!
//! Every acquisition is a logarithm to be maximized over the unit cube: products of improvement and feasibility are
//! sums here, and stay usable where the functions themselves underflow (Ament et al., arXiv 2310.20708). Nothing here
//! knows studies or units.
//!
//! | for | see |
//! | --- | --- |
//! | what a study may name, and the makers | [`ALGORITHMS`], [`choose`] |
//! | from beliefs to the next points | [`Beliefs`], [`propose_batch`] |
//! | what points are worth together | [`Batch`] |
//! | improvement: closed form, noisy, probability of | [`LogExpectedImprovement`], [`LogNoisyExpectedImprovement`], … |
//! | bounds and draws | [`UpperConfidenceBound`], [`ThompsonPath`] |
//! | the value of information, the knowledge gradient | [`ValueOfInformation`], `knowledge_gradient` |
//! | information about the maximum | `entropy` |
//! | several objectives | `hypervolume` |
//! | feasibility | [`Bounded`], [`Success`] |
//! | the average over several models | [`LogMean`], [`Mean`] |
//! | the maximum of any of them | [`Search`], [`maximize`] |

mod averaged;
mod baseline;
mod batch;
mod beliefs;
mod entropy;
mod envelope;
mod expected_improvement;
mod feasibility;
mod hypervolume;
mod knowledge_gradient;
mod marginal;
mod noisy_expected_improvement;
mod normal;
mod probability_of_improvement;
mod propose;
mod registry;
mod search;
mod settings;
#[cfg(test)]
mod tests;
mod thompson;
mod upper_confidence_bound;
mod value_of_information;

pub use averaged::{LogMean, Mean};
pub use batch::{Batch, BatchImprovement, BatchInformation, BatchValue};
pub use beliefs::{Beliefs, Constraint};
pub use entropy::{
    EntropySearch, JointEntropySearch, MaxValueEntropySearch, Maxima, PredictiveEntropySearch, gumbel_maxima,
    information_gains, sample_maxima,
};
pub use expected_improvement::LogExpectedImprovement;
pub use feasibility::{Bounded, Success};
pub use hypervolume::{
    Cells, ExpectedHypervolumeImprovement, NoisyExpectedHypervolumeImprovement, inferred_reference,
};
pub use knowledge_gradient::{
    Ascent, SimulatedKnowledgeGradient, discrete_knowledge_gradient, one_shot, representers,
    stochastic_ascent,
};
pub use marginal::{Marginal, Slopes};
pub use noisy_expected_improvement::{
    LogNoisyExpectedImprovement, exact_noisy_expected_improvement, noisy_improvement,
};
pub use normal::{log_cdf, log_improvement};
pub use probability_of_improvement::LogProbabilityOfImprovement;
pub use propose::{PerCost, propose_batch};
pub use registry::{ALGORITHMS, Algorithm, Chosen, choose};
pub use search::{Candidate, Region, Search, best_of, climb_from, maximize};
pub use settings::{Range, Setting, Settings};
pub use thompson::{ThompsonPath, draw_at};
pub use upper_confidence_bound::{UpperConfidenceBound, scheduled_beta};
pub use value_of_information::ValueOfInformation;

use crate::surrogate::GaussianProcess;

/// A function to be maximized over the unit cube.
pub trait Acquisition {
    /// Its value at `x`.
    fn value(&self, x: &[f64]) -> f64;

    /// Its value at `x`; adds its gradient to `gradient`.
    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64;

    /// Its values at as many places, row after row in `points`. One by one where nothing is gained together.
    fn rate(&self, points: &[f64], values: &mut [f64]) {
        let d = points.len() / values.len().max(1);
        for (value, x) in values.iter_mut().zip(points.chunks_exact(d.max(1))) {
            *value = self.value(x);
        }
    }
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

    fn rate(&self, points: &[f64], values: &mut [f64]) {
        let mut of_term = vec![0.0; values.len()];
        values.fill(0.0);
        for term in &self.0 {
            term.rate(points, &mut of_term);
            values.iter_mut().zip(&of_term).for_each(|(sum, value)| *sum += value);
        }
    }
}

/// The posterior mean itself: what to recommend.
pub struct PosteriorMean<'a>(pub &'a GaussianProcess);

impl Acquisition for PosteriorMean<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        self.0.mean(x)
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        self.0.mean_with_gradient(x, gradient)
    }
}
