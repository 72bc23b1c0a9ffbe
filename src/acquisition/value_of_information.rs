//! What an observation is worth for a choice among finitely many points, in closed form.
//!
//! After one observation at x the posterior means at x and at points z₁ … zₘ are aᵢ + bᵢ Z with a = μ,
//! b(z) = C(z, x)/√(σ²(x) + noise), Z ~ N(0, 1); what the observation is worth is E[maxᵢ (aᵢ + bᵢ Z)] − maxᵢ aᵢ (Frazier,
//! Powell & Dayanik 2009). Over points that cover the domain it is the knowledge gradient, discretized. Over the evaluated
//! points it is Frazier's noisy expected improvement, where x can be chosen only once it is evaluated: the second maximum is
//! that over the points without x (arXiv 1807.02811, §5), and without noise it is expected improvement. Costs: n² m to
//! make, n² + n m + m log m a point.

use super::Acquisition;
use super::envelope::{expected_maximum, log_expected_maximum};
use super::normal::log_sum;
use crate::surrogate::{GaussianProcess, Imagined, Prediction, SurrogateError};

/// A gain below this is none: the slope of its logarithm would leave the range of numbers.
const LEAST_GAIN: f64 = 1e-290;

/// ln of the value of an observation at x for the best choice among x and some points.
pub struct ValueOfInformation<'a> {
    process: &'a GaussianProcess,
    among: Imagined<'a>,
    noise: f64,
    /// The best posterior mean where x can be chosen only once it is evaluated.
    incumbent: Option<f64>,
}

impl<'a> ValueOfInformation<'a> {
    /// For the choice among `points`, row after row, and the point itself, which may be chosen unseen.
    ///
    /// # Errors
    /// Where the covariance at the points cannot be factored.
    pub fn new(process: &'a GaussianProcess, points: &[f64]) -> Result<Self, SurrogateError> {
        let noise = process.noise_ahead();
        Ok(Self { process, among: process.imagine(points, noise.max(1e-6))?, noise, incumbent: None })
    }

    /// For the choice among evaluated `points`, row after row, and the point itself once it is evaluated.
    ///
    /// # Errors
    /// Where the covariance at the points cannot be factored.
    pub fn over_evaluated(process: &'a GaussianProcess, points: &[f64]) -> Result<Self, SurrogateError> {
        let mut value = Self::new(process, points)?;
        value.incumbent = value.among.mean().iter().copied().reduce(f64::max);
        Ok(value)
    }

    /// What is gained by evaluating x even if its outcome is the expected one; 0 where it is hardly a number.
    fn sure_gain(&self, at: &Prediction) -> f64 {
        let gain = self.incumbent.map_or(0.0, |incumbent| at.mean - incumbent);
        if gain > LEAST_GAIN { gain } else { 0.0 }
    }

    /// a and b, x last; and s.
    fn lines(&self, at: &Prediction, covariances: &[f64]) -> (Vec<f64>, Vec<f64>, f64) {
        let variance = at.sd * at.sd;
        let s = (variance + self.noise).sqrt();
        let mut a = self.among.mean().to_vec();
        a.push(at.mean);
        let mut b: Vec<f64> = covariances.iter().map(|c| c / s).collect();
        b.push(variance / s);
        (a, b, s)
    }

    /// The value at `x`, whose posterior is `at`.
    fn value_at(&self, x: &[f64], at: &Prediction) -> f64 {
        let (a, b, _) = self.lines(at, &self.among.covariances(x));
        log_sum(&[log_expected_maximum(&a, &b), self.sure_gain(at).ln()])
    }
}

impl Acquisition for ValueOfInformation<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        self.value_at(x, &self.process.predict(x))
    }

    fn rate(&self, points: &[f64], values: &mut [f64]) {
        let predictions = self.process.predict_many(points);
        let rows = points.chunks_exact(self.process.dimension().max(1));
        for ((value, x), at) in values.iter_mut().zip(rows).zip(&predictions) {
            *value = self.value_at(x, at);
        }
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let d = x.len();
        let mut gradients = vec![0.0; 3 * d];
        let (of_mean, rest) = gradients.split_at_mut(d);
        let (of_sd, of_weighted) = rest.split_at_mut(d);
        let at = self.process.predict_with_gradient(x, of_mean, of_sd);
        let covariances = self.among.covariances(x);
        let (a, b, s) = self.lines(&at, &covariances);
        let worth = expected_maximum(&a, &b);
        let m = covariances.len();
        let (mut in_mean, mut in_sd) = (0.0, 0.0);
        let mut weights = vec![0.0; m];
        for &(i, in_a, in_b) in &worth.slopes {
            // ∂s/∂σ = σ/s.
            if i < m {
                weights[i] += in_b / s;
                in_sd -= in_b * covariances[i] * at.sd / (s * s * s);
            } else {
                in_mean += in_a;
                in_sd += in_b * at.sd * (2.0 - at.sd * at.sd / (s * s)) / s;
            }
        }
        // The gradient of Σ wᵢ C(x, zᵢ): that of the mean with these weights, less that of the mean.
        self.among.mean_with_gradient(x, &weights, of_weighted);
        let sure_gain = self.sure_gain(&at);
        let log = log_sum(&[worth.log, sure_gain.ln()]);
        let (share, of_sure) =
            if sure_gain > 0.0 { ((worth.log - log).exp(), (-log).exp()) } else { (1.0, 0.0) };
        for i in 0..d {
            let of_worth = of_weighted[i] + (in_mean - 1.0) * of_mean[i] + in_sd * of_sd[i];
            gradient[i] += share * of_worth + of_sure * of_mean[i];
        }
        log
    }
}
