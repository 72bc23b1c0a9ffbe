//! Expected improvement where observations are noisy.
//!
//! Two answers to "what is the best so far":
//! - Letham et al. (2019, §3.2): nobody knows, so integrate over it. Each joint sample of the noise-free values at the
//!   evaluated points has an incumbent of its own, and EI over it is closed form; quasi Monte Carlo over the samples.
//!   Awaited points are part of the baseline, so that batches are chosen one by one and asynchronously.
//! - Frazier (arXiv 1807.02811, §5.1): the value of having evaluated x, when one of the evaluated points is reported
//!   in the end, is E[max of the posterior means after, over them and x] − the best one now, over them. Exact, by the
//!   expected maximum of straight lines.

use super::baseline::Baseline;
use super::expected_improvement::log_expected_improvement;
use super::marginal::Slopes;
use super::normal::{log_sum, quasi_normal};
use super::value_of_information::ValueOfInformation;
use super::{Acquisition, Beliefs};
use crate::surrogate::{GaussianProcess, SurrogateError};

/// ln of EI averaged over samples of the incumbent. For a baseline of m points and S samples O(n² + nm + Sm).
pub struct LogNoisyExpectedImprovement<'a> {
    baseline: Baseline<'a>,
    incumbents: Vec<f64>,
}

/// Most evaluated points whose values are sampled.
const MOST_BASELINE: usize = 64;

impl<'a> LogNoisyExpectedImprovement<'a> {
    /// With `samples` quasi-random samples. `beliefs` name the awaited points and have not taken them in.
    ///
    /// # Errors
    /// Where the covariance at the baseline cannot be factored, or there is no objective or no baseline.
    pub fn new(beliefs: &'a Beliefs<'_>, samples: usize, seed: u64) -> Result<Self, SurrogateError> {
        let objective = beliefs.objectives.first().ok_or(SurrogateError::Empty)?;
        let places = beliefs.baseline_places(MOST_BASELINE);
        let count = places.len() / beliefs.dimension().max(1);
        if count == 0 {
            return Err(SurrogateError::Empty);
        }
        let normals = quasi_normal(samples, count, seed);
        let baseline = Baseline::new(objective, &places, normals.chunks_exact(count))?;
        let incumbents = baseline
            .values
            .iter()
            .map(|values| values.iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v)))
            .collect();
        Ok(Self { baseline, incumbents })
    }

    fn terms(&self, means: &[f64], sd: f64) -> Vec<Slopes> {
        means.iter().zip(&self.incumbents).map(|(mean, f)| log_expected_improvement(*mean, sd, *f)).collect()
    }
}

#[allow(clippy::cast_precision_loss)]
impl Acquisition for LogNoisyExpectedImprovement<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        let at = self.baseline.at(x);
        let logs: Vec<f64> = self.terms(&at.means, at.sd).iter().map(|term| term.value).collect();
        log_sum(&logs) - (logs.len() as f64).ln()
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let at = self.baseline.at(x);
        let terms = self.terms(&at.means, at.sd);
        let logs: Vec<f64> = terms.iter().map(|term| term.value).collect();
        let total = log_sum(&logs);
        let shares: Vec<f64> = logs.iter().map(|log| (log - total).exp()).collect();
        let in_means: Vec<f64> =
            terms.iter().zip(&shares).map(|(term, share)| term.in_mean * share).collect();
        let in_sd = terms.iter().zip(&shares).map(|(term, share)| term.in_sd * share).sum();
        self.baseline.pull_back(x, &at, &in_means, in_sd, gradient);
        total - (logs.len() as f64).ln()
    }
}

/// Frazier's noisy expected improvement: the value of information among the evaluated points and x.
///
/// # Errors
/// As [`noisy_improvement`], or where there is no objective.
pub fn exact_noisy_expected_improvement<'a>(
    beliefs: &'a Beliefs<'_>,
) -> Result<ValueOfInformation<'a>, SurrogateError> {
    let objective = beliefs.objectives.first().ok_or(SurrogateError::Empty)?;
    ValueOfInformation::over_evaluated(objective, &beliefs.baseline_places(MOST_BASELINE))
}

/// The same on the `evaluated` places, row after row, of which the best by posterior mean count.
///
/// # Errors
/// Where the covariance at the places cannot be factored.
pub fn noisy_improvement<'a>(
    objective: &'a GaussianProcess,
    evaluated: &[f64],
) -> Result<ValueOfInformation<'a>, SurrogateError> {
    let rows: Vec<&[f64]> = evaluated.chunks_exact(objective.dimension().max(1)).collect();
    if rows.len() <= MOST_BASELINE {
        return ValueOfInformation::over_evaluated(objective, evaluated);
    }
    let mut ranked: Vec<(f64, &[f64])> = rows.iter().map(|x| (objective.mean(x), *x)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let best: Vec<f64> = ranked.iter().take(MOST_BASELINE).flat_map(|(_, x)| *x).copied().collect();
    ValueOfInformation::over_evaluated(objective, &best)
}
