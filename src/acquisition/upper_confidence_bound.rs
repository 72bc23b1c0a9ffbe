//! The upper confidence bound μ + √β σ.
//!
//! β is fixed, or grows with the trials as Srinivas et al. (arXiv 0912.3995, theorem 1) prove enough for a finite set of
//! points: βₜ = 2 ln(D t² π² / 6δ), with D = 100ᵈ standing for the cube, δ = 0.1, and the whole divided by 5 as in
//! their experiments (§6).
//!
//! As a bound may be negative, it is looked at through a strictly increasing positive function, whose logarithm can be
//! weighted by feasibility and cost like that of an improvement: see [`log_softplus`].

use std::f64::consts::PI;

use super::marginal::{Marginal, Slopes};
use crate::surrogate::{GaussianProcess, Prediction};

/// δ of the schedule.
const CONFIDENCE: f64 = 0.1;
/// What the schedule's β is divided by.
const TAMED: f64 = 5.0;
/// ln of how many points stand for an axis.
const LOG_POINTS_PER_AXIS: f64 = 4.605_170_185_988_092;

/// ln softplus(μ + √β σ − f*). O(n²).
pub struct UpperConfidenceBound<'a> {
    /// The objective, to be maximized.
    pub objective: &'a GaussianProcess,
    /// f*: shifts the scale, which matters to weights only.
    pub incumbent: f64,
    /// β, not negative.
    pub beta: f64,
}

/// β at trial `t`, counted from 1, in d dimensions.
#[allow(clippy::cast_precision_loss)]
pub fn scheduled_beta(t: usize, d: usize) -> f64 {
    let t = t.max(1) as f64;
    2.0 * (d as f64 * LOG_POINTS_PER_AXIS + (t * t * PI * PI / (6.0 * CONFIDENCE)).ln()) / TAMED
}

impl Marginal for UpperConfidenceBound<'_> {
    fn process(&self) -> &GaussianProcess {
        self.objective
    }

    fn of(&self, at: &Prediction) -> Slopes {
        let width = self.beta.sqrt();
        let (value, slope) = log_softplus(at.mean + width * at.sd - self.incumbent);
        Slopes { value, in_mean: slope, in_sd: slope * width }
    }
}

/// ln(τ ln(1 + e^{t/τ})) with τ = 0.1, a tenth of a standardized output's spread, and its derivative in t: ln t for
/// t ≫ τ, t/τ for t ≪ 0.
pub(super) fn log_softplus(t: f64) -> (f64, f64) {
    const WIDTH: f64 = 0.1;
    let s = t / WIDTH;
    if s < -30.0 {
        return (WIDTH.ln() + s, 1.0 / WIDTH);
    }
    // ln(1 + eˢ) with no overflow.
    let soft = s.max(0.0) + (-s.abs()).exp().ln_1p();
    let sigmoid = 1.0 / (1.0 + (-s).exp());
    (WIDTH.ln() + soft.ln(), sigmoid / (soft * WIDTH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_that_of_theorem_one_over_five() {
        // 2 ln(100² · 10² π²/0.6)/5.
        assert!((scheduled_beta(10, 2) - 6.646_318_4).abs() < 1e-6, "{}", scheduled_beta(10, 2));
        assert!(scheduled_beta(100, 2) > scheduled_beta(10, 2));
    }
}
