//! The expected improvement of a batch, noise and awaited trials included.
//!
//! The best of q points improves on f* by the sum of what each improves on f* and the points before it:
//! (max f(X) − f*)₊ = Σᵢ (f(xᵢ) − max(f*, f(x₁) … f(xᵢ₋₁)))₊. Given a joint sample of the baseline and the earlier points, f(xᵢ)
//! is normal, so that every term is an expected improvement in closed form, and the whole is had in log space. For one
//! point it is noisy expected improvement (Letham et al. 2019), without a baseline expected improvement itself; what is
//! maximized is that of Ginsbourger, Le Riche & Carraro 2010. Gradients go through the root of the joint covariance
//! (Wilson et al., arXiv 1712.00424). For m baseline points, S samples: n² (m + q) + (m + q)³ + S (m + q)² a batch.

use faer::Mat;

use super::Batch;
use crate::acquisition::Acquisition;
use crate::acquisition::expected_improvement::log_expected_improvement;
use crate::acquisition::normal::{log_sum, quasi_normal};
use crate::surrogate::GaussianProcess;

/// ln of the expected improvement of q points.
pub struct BatchImprovement<'a> {
    process: &'a GaussianProcess,
    /// Places whose values are sampled: the best of them is what is improved on. None where `incumbent` is known.
    baseline: Vec<f64>,
    incumbent: f64,
    weights: &'a dyn Acquisition,
    /// S rows of standard normal numbers, one for each baseline point and each of the q.
    normals: Vec<f64>,
    width: usize,
}

impl<'a> BatchImprovement<'a> {
    /// Over the best of the values at `baseline`, row after row, and `incumbent`, which is −∞ where nothing is known
    /// but samples. A point's share is multiplied with the exponential of `weights`; what is less likely than not to be
    /// feasible is no incumbent for those after it.
    pub fn new(
        process: &'a GaussianProcess,
        baseline: Vec<f64>,
        incumbent: f64,
        weights: &'a dyn Acquisition,
        (points, samples, seed): (usize, usize, u64),
    ) -> Self {
        let width = baseline.len() / process.dimension().max(1) + points;
        // Without a baseline and with one point nothing is sampled.
        let samples = if width < 2 { 1 } else { samples };
        Self { process, baseline, incumbent, weights, normals: quasi_normal(samples, width, seed), width }
    }
}

/// One term of the sum: a point's improvement in a sample, and where its derivatives go.
struct Term {
    sample: usize,
    point: usize,
    /// What it improves on, where that is sampled.
    over: Option<usize>,
    log: f64,
    in_mean: f64,
    in_sd: f64,
}

#[allow(clippy::cast_precision_loss)]
impl Batch for BatchImprovement<'_> {
    fn value_with_gradient(&self, places: &[f64], gradient: &mut [f64]) -> f64 {
        let d = self.process.dimension().max(1);
        let mut rows = self.baseline.clone();
        rows.extend_from_slice(places);
        let joint = self.process.joint(&rows);
        let Ok(root) = joint.root() else { return f64::NEG_INFINITY };
        let lower = root.lower();
        let q = places.len() / d;
        let m = joint.len() - q;
        let mut of_weights = vec![0.0; places.len()];
        let weights: Vec<f64> = places
            .chunks_exact(d)
            .zip(of_weights.chunks_exact_mut(d))
            .map(|(x, gradient)| self.weights.value_with_gradient(x, gradient))
            .collect();
        let samples: Vec<&[f64]> = self.normals.chunks_exact(self.width.max(1)).collect();
        let mut terms = Vec::with_capacity(samples.len() * q);
        for (sample, z) in samples.iter().enumerate() {
            let (mut over, mut best) = (None, self.incumbent);
            for p in 0..m + q {
                let mean = joint.mean()[p] + (0..p).map(|k| lower[(p, k)] * z[k]).sum::<f64>();
                let sd = lower[(p, p)];
                if p >= m && best > f64::NEG_INFINITY {
                    let gain = log_expected_improvement(mean, sd, best);
                    let log = gain.value + weights[p - m];
                    terms.push(Term {
                        sample,
                        point: p,
                        over,
                        log,
                        in_mean: gain.in_mean,
                        in_sd: gain.in_sd,
                    });
                }
                let value = mean + sd * z[p];
                if value > best && (p < m || weights[p - m] > -std::f64::consts::LN_2) {
                    (over, best) = (Some(p), value);
                }
            }
        }
        let total = log_sum(&terms.iter().map(|term| term.log).collect::<Vec<_>>());
        if !total.is_finite() {
            return f64::NEG_INFINITY;
        }
        let mut of_mean = vec![0.0; m + q];
        let mut of_root = Mat::<f64>::zeros(m + q, m + q);
        for term in &terms {
            let share = (term.log - total).exp();
            if share < 1e-14 {
                continue;
            }
            let z = samples[term.sample];
            let p = term.point;
            let in_mean = share * term.in_mean;
            of_mean[p] += in_mean;
            (0..p).for_each(|k| of_root[(p, k)] += in_mean * z[k]);
            of_root[(p, p)] += share * term.in_sd;
            if let Some(j) = term.over {
                of_mean[j] -= in_mean;
                (0..=j).for_each(|k| of_root[(j, k)] -= in_mean * z[k]);
            }
            let of_point = (p - m) * d;
            (0..d).for_each(|i| gradient[of_point + i] += share * of_weights[of_point + i]);
        }
        let of_covariance = root.pull_back(of_root.as_ref());
        let pulled = joint.pull_back_to(m..m + q, &of_mean, of_covariance.as_ref());
        gradient.iter_mut().zip(pulled).for_each(|(g, pulled)| *g += pulled);
        total - (samples.len() as f64).ln()
    }
}
