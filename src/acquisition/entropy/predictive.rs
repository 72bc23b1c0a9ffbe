//! Predictive entropy search: what an observation says about the maximum's place.
//!
//! α(x) = H(y | D) − E[H(y | D, x*)] (Hernández-Lobato, Hoffman & Ghahramani, arXiv 1406.2541). For each drawn x* the
//! prediction is conditioned on what a maximum is:
//! 1. the gradient vanishes at x* along every continuous coordinate that is off its bounds: exact observations of
//!    derivatives;
//! 2. f(x*) is above every trial's value, noise included: a half line, taken in by matching moments, which for a single
//!    half line is exact;
//! 3. f(x) ≤ f(x*): with (m, m*) and V the mean and covariance of (f(x), f(x*)), s = V₁₁ + V₂₂ − 2V₁₂, a = (m* − m)/√s,
//!    b = φ(a)/Φ(a), the variance left is v = V₁₁ − b(b + a)(V₁₁ − V₁₂)²/s (ibid., §2.2).
//!
//! α = ½ ln(σ² + λ) − mean of ½ ln(v + λ). Not conditioned on: that the Hessian at x* is negative. For S maxima and n
//! trials (n + d)³ S to make, (n + d)² S a point.

use std::sync::Arc;

use super::Maxima;
use super::joint::{cut, log_positive};
use crate::acquisition::Acquisition;
use crate::acquisition::normal::hazard;
use crate::acquisition::search::Search;
use crate::space::Coordinate;
use crate::surrogate::{Functional, GaussianProcess, SurrogateError};

/// ln α for some maxima.
pub struct PredictiveEntropySearch<'a> {
    objective: &'a GaussianProcess,
    /// The process conditioned on each maximum, and its place.
    conditioned: Vec<(GaussianProcess, Vec<f64>)>,
    noise: f64,
}

const LEAST_NOISE: f64 = 1e-6;
/// A coordinate nearer than this to a bound is held by it: its derivative need not vanish.
const AT_BOUND: f64 = 1e-4;

impl<'a> PredictiveEntropySearch<'a> {
    /// With maxima drawn from the posterior over the region of a search; at least one.
    ///
    /// # Errors
    /// Where a conditioned covariance cannot be factored, or there is no maximum.
    pub fn new(
        objective: &'a GaussianProcess,
        maxima: &Maxima,
        search: &Search<'_>,
    ) -> Result<Self, SurrogateError> {
        let noise = objective.noise_ahead().max(LEAST_NOISE);
        let is_value = |&i: &usize| objective.evidence().functional(i) == Functional::Value;
        let best = (0..objective.observations())
            .filter(is_value)
            .map(|i| objective.mean_at_observation(i))
            .fold(f64::NEG_INFINITY, f64::max);
        let conditioned: Vec<_> = maxima
            .places
            .iter()
            .filter_map(|place| condition(objective, place, search, best, noise).map(|p| (p, place.clone())))
            .collect();
        if conditioned.is_empty() {
            return Err(SurrogateError::Empty);
        }
        Ok(Self { objective, conditioned, noise })
    }
}

/// The process after conditions 1 and 2; `None` where they cannot be met numerically.
fn condition(
    objective: &GaussianProcess,
    place: &[f64],
    search: &Search<'_>,
    best: f64,
    noise: f64,
) -> Option<GaussianProcess> {
    let mut observations = objective.evidence().clone();
    // Derivatives are observed at a point that is part of the evidence: one of almost no information about the value.
    let at = objective.predict(place);
    let prior = objective.kernel().variance(place);
    observations.push(place, at.mean, 1e6 * prior);
    let point = observations.points().len() - 1;
    for i in 0..place.len() {
        let (lower, upper) = search.bounds(i);
        let is_inside = place[i] > lower + AT_BOUND && place[i] < upper - AT_BOUND;
        if search.space.coordinates()[i] == Coordinate::Continuous && is_inside {
            observations.push_derivative(point, i, 0.0, 1e-6 * prior);
        }
    }
    let kernel = Arc::from(objective.kernel().boxed());
    let mut process =
        GaussianProcess::condition(kernel, objective.prior_mean(), objective.noise(), observations).ok()?;
    // Moments of f(x*) above η, blurred by the noise of η.
    let before = process.predict(place);
    let variance = before.sd * before.sd;
    let width = (variance + noise).sqrt();
    let a = (before.mean - best) / width;
    let mean = before.mean + variance / width * hazard(a);
    let left = variance - variance * variance / (width * width) * (1.0 - cut(a).0);
    // The observation that leads from the one to the other.
    let precision = 1.0 / left - 1.0 / variance;
    if precision > 1e-9 / variance && precision.is_finite() {
        let value = (mean / left - before.mean / variance) / precision;
        process.push(place, value, 1.0 / precision);
    }
    Some(process)
}

/// v and its derivatives in m, V₁₁ and V₁₂.
fn left(mean: f64, variance: f64, covariance: f64, of_maximum: (f64, f64)) -> (f64, f64, f64, f64) {
    let (maximum, its_variance) = of_maximum;
    let least = 1e-10 * (variance + its_variance);
    let s = (variance + its_variance - 2.0 * covariance).max(least);
    let root = s.sqrt();
    let a = (maximum - mean) / root;
    let (kept, slope) = cut(a);
    let (k, slope) = (1.0 - kept, -slope);
    let u = variance - covariance;
    let v = variance - k * u * u / s;
    let in_a = -slope * u * u / s;
    let in_s = k * u * u / (s * s) - in_a * a / (2.0 * s);
    let in_u = -2.0 * k * u / s;
    (v, -in_a / root, 1.0 + in_u + in_s, -in_u - 2.0 * in_s)
}

#[allow(clippy::cast_precision_loss)]
impl Acquisition for PredictiveEntropySearch<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        let at = self.objective.predict(x);
        let sum: f64 = self
            .conditioned
            .iter()
            .map(|(process, place)| {
                let (here, there) = (process.predict(x), process.predict(place));
                let covariance = process.covariance(x, place)[(0, 0)];
                let (v, ..) =
                    left(here.mean, here.sd * here.sd, covariance, (there.mean, there.sd * there.sd));
                0.5 * (v.max(0.0) + self.noise).ln()
            })
            .sum();
        let gain = 0.5 * (at.sd * at.sd + self.noise).ln() - sum / self.conditioned.len() as f64;
        log_positive(gain).0
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let d = x.len();
        let count = self.conditioned.len() as f64;
        let mut gradients = vec![0.0; 4 * d];
        let (total, rest) = gradients.split_at_mut(d);
        let (of_mean, rest) = rest.split_at_mut(d);
        let (of_sd, of_covariance) = rest.split_at_mut(d);
        let mut sum = 0.0;
        for (process, place) in &self.conditioned {
            of_mean.fill(0.0);
            of_sd.fill(0.0);
            of_covariance.fill(0.0);
            let here = process.predict_with_gradient(x, of_mean, of_sd);
            let there = process.predict(place);
            let covariance = process.covariance_with_gradient(x, place, of_covariance);
            let (v, in_mean, in_variance, in_covariance) =
                left(here.mean, here.sd * here.sd, covariance, (there.mean, there.sd * there.sd));
            sum += 0.5 * (v.max(0.0) + self.noise).ln();
            if v > 0.0 {
                let outer = -0.5 / (v + self.noise) / count;
                for i in 0..d {
                    total[i] += outer
                        * (in_mean * of_mean[i]
                            + in_variance * 2.0 * here.sd * of_sd[i]
                            + in_covariance * of_covariance[i]);
                }
            }
        }
        of_mean.fill(0.0);
        of_sd.fill(0.0);
        let at = self.objective.predict_with_gradient(x, of_mean, of_sd);
        let (value, slope) = log_positive(0.5 * (at.sd * at.sd + self.noise).ln() - sum / count);
        for i in 0..d {
            gradient[i] += slope * (total[i] + at.sd / (at.sd * at.sd + self.noise) * of_sd[i]);
        }
        value
    }
}
