//! Probability of improvement in log space.
//!
//! PI(x) = P(f(x) > f* + ξ) = Φ(z), z = (μ − f* − ξ)/σ (Kushner 1964; Brochu, Cora & de Freitas, arXiv 1012.2599,
//! §2.3.1). Greedy: of two points that are sure to improve it prefers the surer one. A margin ξ keeps it moving.

use super::log_cdf;
use super::marginal::{Marginal, Slopes};
use super::normal::hazard;
use crate::surrogate::{GaussianProcess, Prediction};

/// ln PI over an incumbent. O(n²).
pub struct LogProbabilityOfImprovement<'a> {
    /// The objective, to be maximized.
    pub objective: &'a GaussianProcess,
    /// f* + ξ, in the objective's units.
    pub target: f64,
}

impl Marginal for LogProbabilityOfImprovement<'_> {
    fn process(&self) -> &GaussianProcess {
        self.objective
    }

    fn of(&self, at: &Prediction) -> Slopes {
        let z = (at.mean - self.target) / at.sd;
        let value = log_cdf(z);
        let slope = hazard(z) / at.sd;
        Slopes { value, in_mean: slope, in_sd: -slope * z }
    }
}
