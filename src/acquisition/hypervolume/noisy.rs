//! Noisy expected hypervolume improvement: EHVI integrated over what the front really is.
//!
//! Joint samples of the noise-free objectives at the evaluated and awaited points each have a front of their own; given
//! a sample the outcome at a further point is normal, so that the gain over its front is closed form. The average over
//! quasi-random samples is what is maximized, one point of a batch after the other, each with those before it in the
//! baseline (Daulton, Balandat & Bakshy, arXiv 2105.08195, §4: cached box decompositions; there the inner expectation is
//! sampled too). For S samples and m objectives m (n² + n S) + boxes a point.

use super::Cells;
use crate::acquisition::baseline::{Baseline, Conditional};
use crate::acquisition::normal::{log_sum, quasi_normal};
use crate::acquisition::{Acquisition, Beliefs};
use crate::surrogate::SurrogateError;

/// ln of the average gain.
pub struct NoisyExpectedHypervolumeImprovement<'a> {
    /// One an objective.
    baselines: Vec<Baseline<'a>>,
    /// One a sample.
    cells: Vec<Cells>,
}

/// Most evaluated points whose values are sampled.
const MOST_BASELINE: usize = 64;

impl<'a> NoisyExpectedHypervolumeImprovement<'a> {
    /// With `samples` quasi-random samples. `beliefs` name the awaited points and have not taken them in.
    ///
    /// # Errors
    /// Where the covariance at the baseline cannot be factored, or there is no objective or no baseline.
    pub fn new(beliefs: &'a Beliefs<'_>, samples: usize, seed: u64) -> Result<Self, SurrogateError> {
        let places = beliefs.baseline_places(MOST_BASELINE);
        let (objectives, count) = (beliefs.objectives.len(), places.len() / beliefs.dimension().max(1));
        if objectives * count == 0 {
            return Err(SurrogateError::Empty);
        }
        // One sequence for all objectives: two scramblings of the same sequence are not independent of each other.
        let normals = quasi_normal(samples, objectives * count, seed);
        let baselines = beliefs
            .objectives
            .iter()
            .enumerate()
            .map(|(k, process)| {
                let of_objective = normals.chunks_exact(objectives * count);
                Baseline::new(process, &places, of_objective.map(|z| &z[k * count..(k + 1) * count]))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let outcome = |s: usize, p: usize| -> Vec<f64> {
            baselines.iter().map(|baseline| baseline.values[s][p]).collect()
        };
        let cells = (0..samples)
            .map(|s| Cells::new(&(0..count).map(|p| outcome(s, p)).collect::<Vec<_>>(), &beliefs.reference))
            .collect();
        Ok(Self { baselines, cells })
    }

    fn sds(at: &[Conditional]) -> Vec<f64> {
        at.iter().map(|at| at.sd).collect()
    }
}

#[allow(clippy::cast_precision_loss)]
impl Acquisition for NoisyExpectedHypervolumeImprovement<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        let at: Vec<Conditional> = self.baselines.iter().map(|baseline| baseline.at(x)).collect();
        let sds = Self::sds(&at);
        let logs: Vec<f64> = self
            .cells
            .iter()
            .enumerate()
            .map(|(s, cells)| cells.expected(&at.iter().map(|at| at.means[s]).collect::<Vec<_>>(), &sds).log)
            .collect();
        log_sum(&logs) - (logs.len() as f64).ln()
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let at: Vec<Conditional> = self.baselines.iter().map(|baseline| baseline.at(x)).collect();
        let sds = Self::sds(&at);
        let gains: Vec<_> = self
            .cells
            .iter()
            .enumerate()
            .map(|(s, cells)| cells.expected(&at.iter().map(|at| at.means[s]).collect::<Vec<_>>(), &sds))
            .collect();
        let logs: Vec<f64> = gains.iter().map(|gain| gain.log).collect();
        let total = log_sum(&logs);
        if total.is_finite() {
            for (k, baseline) in self.baselines.iter().enumerate() {
                let shares = logs.iter().map(|log| (log - total).exp());
                let in_means: Vec<f64> =
                    gains.iter().zip(shares.clone()).map(|(g, s)| g.in_means[k] * s).collect();
                let in_sd = gains.iter().zip(shares).map(|(g, s)| g.in_sds[k] * s).sum();
                baseline.pull_back(x, &at[k], &in_means, in_sd, gradient);
            }
        }
        total - (logs.len() as f64).ln()
    }
}
