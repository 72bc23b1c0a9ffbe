//! What an observation is worth for a choice among finitely many points, in closed form.
//!
//! After one observation at x the posterior means at x and at points z₁ … zₘ are aᵢ + bᵢ Z with a = μ,
//! b(z) = C(z, x)/√(σ²(x) + noise), Z ~ N(0, 1); what the observation is worth is E[maxᵢ (aᵢ + bᵢ Z)] − maxᵢ aᵢ (Frazier,
//! Powell & Dayanik 2009). Over the evaluated points it is Frazier's noisy expected improvement; over points that cover
//! the domain it is the knowledge gradient, discretized. Costs: n² m to make, n² + n m + m log m a point.

use super::Acquisition;
use super::envelope::{expected_maximum, log_expected_maximum};
use crate::surrogate::{GaussianProcess, Imagined, Prediction, SurrogateError};

/// ln of the value of an observation at x for the best choice among x and some points.
pub struct ValueOfInformation<'a> {
    process: &'a GaussianProcess,
    among: Imagined<'a>,
    noise: f64,
}

impl<'a> ValueOfInformation<'a> {
    /// For the choice among `points`, row after row, and the point itself.
    ///
    /// # Errors
    /// Where the covariance at the points cannot be factored.
    pub fn new(process: &'a GaussianProcess, points: &[f64]) -> Result<Self, SurrogateError> {
        let noise = process.noise().value;
        Ok(Self { process, among: process.imagine(points, noise.max(1e-6))?, noise })
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
}

impl Acquisition for ValueOfInformation<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        let at = self.process.predict(x);
        let (a, b, _) = self.lines(&at, &self.among.covariances(x));
        log_expected_maximum(&a, &b)
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
        for i in 0..d {
            gradient[i] += of_weighted[i] + (in_mean - 1.0) * of_mean[i] + in_sd * of_sd[i];
        }
        worth.log
    }
}
