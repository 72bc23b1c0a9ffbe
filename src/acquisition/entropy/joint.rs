//! Joint entropy search: what an observation says about the maximum's place and value together.
//!
//! α(x) = H(y | D) − E[H(y | D, (x*, f*), f ≤ f*)]: each drawn maximum is taken in as an exact observation, and the
//! prediction that is left is cut off at f*. With γ = (f* − m)/s, r = φ(γ)/Φ(γ), the variance cut off is s²(1 − r(γ + r)),
//! and the noisy prediction is taken as normal with it (Hvarfner, Hutter & Nardi, arXiv 2206.04771, §4 and eq. 10):
//! α = ½ ln(σ² + λ) − mean of ½ ln(s²(1 − r(γ + r)) + λ). All conditioned posteriors come from one preparation: for S
//! maxima n² S to make, n² + n S a point.

use crate::acquisition::Acquisition;
use crate::acquisition::normal::hazard;
use crate::surrogate::{GaussianProcess, Imagined, SurrogateError};

use super::Maxima;

/// ln α for some maxima.
pub struct JointEntropySearch<'a> {
    objective: &'a GaussianProcess,
    among: Imagined<'a>,
    /// f* − μ(x*) and σ²(x*) of each maximum.
    maxima: Vec<(f64, f64, f64)>,
    noise: f64,
}

/// λ is never less than this: without noise a certain prediction would be worth infinitely much.
const LEAST_NOISE: f64 = 1e-6;

impl<'a> JointEntropySearch<'a> {
    /// With maxima drawn from the posterior; at least one.
    ///
    /// # Errors
    /// Where the covariance at the maxima cannot be factored, or there is none.
    pub fn new(objective: &'a GaussianProcess, maxima: &Maxima) -> Result<Self, SurrogateError> {
        if maxima.values.is_empty() {
            return Err(SurrogateError::Empty);
        }
        let rows: Vec<f64> = maxima.places.iter().flatten().copied().collect();
        let among = objective.imagine(&rows, LEAST_NOISE)?;
        let maxima = maxima
            .places
            .iter()
            .zip(&maxima.values)
            .map(|(place, value)| {
                let at = objective.predict(place);
                (*value, value - at.mean, at.sd * at.sd)
            })
            .collect();
        Ok(Self { objective, among, maxima, noise: objective.noise_ahead().max(LEAST_NOISE) })
    }

    /// Σ ½ ln(cut + λ) over the maxima, and its derivatives in μ(x), σ²(x) and each C(x, x*).
    fn left(&self, mean: f64, variance: f64, covariances: &[f64]) -> (f64, f64, f64, Vec<f64>) {
        let (mut sum, mut in_mean, mut in_variance) = (0.0, 0.0, 0.0);
        let mut in_covariances = vec![0.0; covariances.len()];
        for (k, (&c, &(maximum, surprise, of_maximum))) in covariances.iter().zip(&self.maxima).enumerate() {
            let of_maximum =
                of_maximum.max(1e-12 * self.objective.kernel().variance(self.objective.input(0)));
            let m = mean + c / of_maximum * surprise;
            let floor = 1e-12 * variance.max(f64::MIN_POSITIVE);
            let free = variance - c * c / of_maximum;
            let s2 = free.max(floor);
            let s = s2.sqrt();
            let gamma = (maximum - m) / s;
            let (kept, slope) = cut(gamma);
            let cut = s2 * kept + self.noise;
            sum += 0.5 * cut.ln();
            // γ = (f* − m)/s: ∂γ/∂m = −1/s, ∂γ/∂s² = −γ/(2 s²).
            let outer = 0.5 / cut;
            let in_m = -outer * s2 * slope / s;
            let in_s2 = outer * (kept - 0.5 * slope * gamma);
            in_mean += in_m;
            in_covariances[k] += in_m * surprise / of_maximum;
            if free > floor {
                in_variance += in_s2;
                in_covariances[k] -= in_s2 * 2.0 * c / of_maximum;
            }
        }
        (sum, in_mean, in_variance, in_covariances)
    }
}

/// 1 − r(γ + r), the share of the variance that a cut at γ leaves, and its derivative in γ.
pub(super) fn cut(gamma: f64) -> (f64, f64) {
    if gamma < -20.0 {
        // The tail is exponential: variance 1/γ² − 6/γ⁴.
        let g2 = gamma * gamma;
        return (1.0 / g2 - 6.0 / (g2 * g2), -2.0 / (g2 * gamma) + 24.0 / (g2 * g2 * gamma));
    }
    let r = hazard(gamma);
    let kept = (1.0 - r * (gamma + r)).max(0.0);
    // r′ = −r(γ + r).
    (kept, r * (gamma + r) * (gamma + 2.0 * r) - r)
}

#[allow(clippy::cast_precision_loss)]
impl Acquisition for JointEntropySearch<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        let at = self.objective.predict(x);
        let variance = at.sd * at.sd;
        let (left, ..) = self.left(at.mean, variance, &self.among.covariances(x));
        log_positive(0.5 * (variance + self.noise).ln() - left / self.maxima.len() as f64).0
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let d = x.len();
        let mut gradients = vec![0.0; 3 * d];
        let (of_mean, rest) = gradients.split_at_mut(d);
        let (of_sd, of_weighted) = rest.split_at_mut(d);
        let at = self.objective.predict_with_gradient(x, of_mean, of_sd);
        let variance = at.sd * at.sd;
        let (left, in_mean, in_variance, in_covariances) =
            self.left(at.mean, variance, &self.among.covariances(x));
        let count = self.maxima.len() as f64;
        let (value, slope) = log_positive(0.5 * (variance + self.noise).ln() - left / count);
        let in_variance = 0.5 / (variance + self.noise) - in_variance / count;
        let weights: Vec<f64> = in_covariances.iter().map(|w| -w / count).collect();
        self.among.mean_with_gradient(x, &weights, of_weighted);
        for i in 0..d {
            gradient[i] += slope
                * (of_weighted[i]
                    + (-in_mean / count - 1.0) * of_mean[i]
                    + in_variance * 2.0 * at.sd * of_sd[i]);
        }
        value
    }
}

/// ln of a gain that is positive but for rounding and approximation, and its derivative: linear below 10⁻⁶, so that
/// there is always a way up.
pub(in crate::acquisition) fn log_positive(gain: f64) -> (f64, f64) {
    const LEAST: f64 = 1e-6;
    if gain > LEAST { (gain.ln(), 1.0 / gain) } else { (LEAST.ln() + (gain - LEAST) / LEAST, 1.0 / LEAST) }
}
