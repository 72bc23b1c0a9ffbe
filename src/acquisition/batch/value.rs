//! The knowledge gradient of a batch, discretized.
//!
//! After outcomes at X the posterior means at X and at points that stand for the domain are a + B Z with
//! B = C(·, X) R⁻ᵀ, R Rᵀ = C(X, X) + noise and q standard normal numbers Z (Wu & Frazier, arXiv 1606.04414). In one of
//! them the expected maximum is closed form, the others are sampled in pairs ±Z, so that E[max] − max a is never negative;
//! for one point nothing is sampled. Gradients by the envelope theorem. n² (q + m) + S m q a batch for m points.

use faer::Mat;

use super::Batch;
use crate::acquisition::entropy::log_positive;
use crate::acquisition::envelope::expected_maximum;
use crate::acquisition::normal::quasi_normal;
use crate::surrogate::{GaussianProcess, Imagined, SurrogateError};

/// ln of the value of q observations for the best choice among them and some points.
pub struct BatchValue<'a> {
    process: &'a GaussianProcess,
    among: Imagined<'a>,
    noise: f64,
    /// Rows of q − 1 standard normal numbers.
    normals: Vec<f64>,
    q: usize,
}

/// Noise is never less than this: points may coincide.
const LEAST_NOISE: f64 = 1e-6;

impl<'a> BatchValue<'a> {
    /// For the choice among `points`, row after row, and the q places themselves; `samples` pairs.
    ///
    /// # Errors
    /// Where the covariance at the points cannot be factored.
    pub fn new(
        process: &'a GaussianProcess,
        points: &[f64],
        (q, samples, seed): (usize, usize, u64),
    ) -> Result<Self, SurrogateError> {
        let noise = process.noise_ahead().max(LEAST_NOISE);
        let among = process.imagine(points, noise)?;
        let mut normals = Vec::new();
        if q > 1 {
            for z in quasi_normal(samples, q - 1, seed).chunks_exact(q - 1) {
                normals.extend_from_slice(z);
                normals.extend(z.iter().map(|z| -z));
            }
        }
        Ok(Self { process, among, noise, normals, q })
    }

    fn samples(&self) -> Vec<&[f64]> {
        if self.q > 1 { self.normals.chunks_exact(self.q - 1).collect() } else { vec![&[][..]] }
    }
}

#[allow(clippy::cast_precision_loss)]
impl Batch for BatchValue<'_> {
    fn value_with_gradient(&self, places: &[f64], gradient: &mut [f64]) -> f64 {
        let d = self.process.dimension().max(1);
        let joint = self.process.joint(places);
        let Ok(root) = joint.noisy_root(self.noise) else { return f64::NEG_INFINITY };
        let (q, m) = (self.q, self.among.len());
        let mut a = self.among.mean().to_vec();
        a.extend_from_slice(joint.mean());
        let covariances: Vec<Vec<f64>> = places.chunks_exact(d).map(|x| self.among.covariances(x)).collect();
        // C(choices, X), then B = C R⁻ᵀ by forward substitution in each row.
        let of_choice = |j: usize, k: usize| {
            if j < m { covariances[k][j] } else { joint.covariance()[(j - m, k)] }
        };
        let lower = root.lower();
        let mut b = Mat::<f64>::zeros(m + q, q);
        for j in 0..m + q {
            for k in 0..q {
                let before: f64 = (0..k).map(|l| b[(j, l)] * lower[(k, l)]).sum();
                b[(j, k)] = (of_choice(j, k) - before) / lower[(k, k)];
            }
        }
        let samples = self.samples();
        let share = 1.0 / samples.len() as f64;
        let first: Vec<f64> = b.col_as_slice(0).to_vec();
        let best = a.iter().fold(f64::NEG_INFINITY, |most, a| most.max(*a));
        let mut total = 0.0;
        let mut of_a = vec![0.0; m + q];
        let mut of_b = Mat::<f64>::zeros(m + q, q);
        for z in samples {
            let shifted: Vec<f64> = (0..m + q)
                .map(|j| a[j] + z.iter().enumerate().map(|(k, z)| b[(j, k + 1)] * z).sum::<f64>())
                .collect();
            let Some(top) = (0..m + q).max_by(|&i, &j| shifted[i].total_cmp(&shifted[j])) else { continue };
            let worth = expected_maximum(&shifted, &first);
            let gain = worth.log.exp();
            total += share * (gain + shifted[top] - best);
            let mut add = |j: usize, in_a: f64| {
                of_a[j] += share * in_a;
                z.iter().enumerate().for_each(|(k, z)| of_b[(j, k + 1)] += share * in_a * z);
            };
            add(top, 1.0);
            for &(j, in_a, _) in &worth.slopes {
                add(j, gain * in_a);
            }
            for &(j, _, in_b) in &worth.slopes {
                of_b[(j, 0)] += share * gain * in_b;
            }
        }
        // max a itself moves where it is at one of the places.
        if let Some(top) = (0..m + q).find(|&j| a[j] >= best) {
            of_a[top] -= 1.0;
        }
        // C̄ = B̄ R⁻¹ and R̄ = −C̄ᵀ B.
        let mut of_c = of_b;
        for j in 0..m + q {
            let mut row: Vec<f64> = (0..q).map(|k| of_c[(j, k)]).collect();
            root.solve_upper(&mut row);
            (0..q).for_each(|k| of_c[(j, k)] = row[k]);
        }
        let of_root = Mat::from_fn(q, q, |i, k| -(0..m + q).map(|j| of_c[(j, i)] * b[(j, k)]).sum::<f64>());
        let mut of_covariance = root.pull_back(of_root.as_ref());
        for j in 0..q {
            for k in 0..q {
                of_covariance[(j, k)] += of_c[(m + j, k)];
            }
        }
        let mut pulled = joint.pull_back(&of_a[m..], of_covariance.as_ref());
        for (k, x) in places.chunks_exact(d).enumerate() {
            // The gradient of Σ wⱼ C(x, zⱼ): that of the mean with these weights, less that of the mean.
            let weights: Vec<f64> = (0..m).map(|j| of_c[(j, k)]).collect();
            let mut of_mean = vec![0.0; d];
            self.process.mean_with_gradient(x, &mut of_mean);
            let row = &mut pulled[k * d..(k + 1) * d];
            self.among.mean_with_gradient(x, &weights, row);
            row.iter_mut().zip(&of_mean).for_each(|(g, of_mean)| *g -= of_mean);
        }
        let (value, slope) = log_positive(total);
        gradient.iter_mut().zip(&pulled).for_each(|(g, pulled)| *g += slope * pulled);
        value
    }
}
