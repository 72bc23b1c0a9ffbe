//! What the outcomes of a batch say together, from below.
//!
//! I(y(X); θ) = H(y(X)) − E[H(y(X) | θ)] ≥ H(y(X)) − Σᵢ E[H(yᵢ | θ)] = Σᵢ I(yᵢ; θ) + ½ ln det corr(y(X)) for a normal y, whatever
//! θ is: the maximum's value, its place, or both. The gains of the points one by one are those of the acquisition that is
//! given; the determinant takes off what they say twice (Moss, Leslie, Gonzalez & Rayson, arXiv 2102.03324, §4, for the
//! maximum's value; Tu et al., arXiv 2210.02905, for both). O(n² q + q³) beside the gains.

use faer::Mat;

use super::Batch;
use crate::acquisition::Acquisition;
use crate::acquisition::entropy::log_positive;
use crate::surrogate::GaussianProcess;

/// ln of the joint gain.
pub struct BatchInformation<'a> {
    /// The objective.
    pub process: &'a GaussianProcess,
    /// ln of the gain at one point.
    pub gain: Box<dyn Acquisition + 'a>,
}

/// Noise is never less than this: outcomes that are certain are not correlated.
const LEAST_NOISE: f64 = 1e-6;

impl Batch for BatchInformation<'_> {
    fn value_with_gradient(&self, places: &[f64], gradient: &mut [f64]) -> f64 {
        let d = self.process.dimension().max(1);
        let noise = self.process.noise_ahead().max(LEAST_NOISE);
        let joint = self.process.joint(places);
        let Ok(root) = joint.noisy_root(noise) else { return f64::NEG_INFINITY };
        let q = joint.len();
        let mut of_gains = vec![0.0; places.len()];
        let mut total = 0.0;
        for (x, gradient) in places.chunks_exact(d).zip(of_gains.chunks_exact_mut(d)) {
            let gain = self.gain.value_with_gradient(x, gradient).exp();
            gradient.iter_mut().for_each(|g| *g *= gain);
            total += gain;
        }
        // ½ ln det Σ − ½ Σ ln Σᵢᵢ, and its derivatives ½ Σ⁻¹ − ½ diag(1/Σᵢᵢ).
        let own = |p: usize| joint.covariance()[(p, p)] + noise;
        total += (0..q).map(|p| root.lower()[(p, p)].ln() - 0.5 * own(p).ln()).sum::<f64>();
        let mut inverse = Mat::<f64>::zeros(q, q);
        for p in 0..q {
            inverse[(p, p)] = 1.0;
            root.solve(inverse.col_as_slice_mut(p));
        }
        let of_covariance =
            Mat::from_fn(q, q, |i, j| 0.5 * inverse[(i, j)] - if i == j { 0.5 / own(i) } else { 0.0 });
        let pulled = joint.pull_back(&vec![0.0; q], of_covariance.as_ref());
        let (value, slope) = log_positive(total);
        for ((g, of_gain), pulled) in gradient.iter_mut().zip(&of_gains).zip(&pulled) {
            *g += slope * (of_gain + pulled);
        }
        value
    }
}
