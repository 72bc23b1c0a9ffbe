//! The posterior after outcomes that are imagined at some points ("fantasies"), without refitting.
//!
//! With C the posterior covariance, conditioning on q further outcomes y at X′ is a rank-q update of the posterior:
//! μ′(x) = μ(x) + C(x, X′) β, β = (C(X′, X′) + noise)⁻¹ (y − μ(X′)), σ′²(x) = σ²(x) − ‖R⁻¹ C(X′, x)‖². All imagined
//! outcomes share the root R; each has q numbers β of its own. Costs: n² q to make, q² an outcome, n (q + d) a mean.

use std::borrow::Cow;

use faer::{Mat, MatRef};

use super::factor::Factor;
use super::gaussian_process::{GaussianProcess, Prediction, SurrogateError};
use super::lanes::dot;
use super::points::Points;

/// A process at the moment before the outcomes at some points are known.
#[derive(Debug)]
pub struct Imagined<'a> {
    process: &'a GaussianProcess,
    points: Points,
    /// μ(X′).
    mean: Vec<f64>,
    /// K⁻¹ k(X, X′).
    solved: Mat<f64>,
    noise: f64,
    root: Factor,
}

impl GaussianProcess {
    /// Prepares for outcomes at the points in `rows`, row after row, each with the noise variance `noise`.
    ///
    /// # Errors
    /// Where the covariance at the points is not positive definite.
    pub fn imagine(&self, rows: &[f64], noise: f64) -> Result<Imagined<'_>, SurrogateError> {
        let joint = self.joint(rows);
        let m = joint.len();
        let prior = |p: usize| self.kernel.variance(&rows[p * self.dimension()..(p + 1) * self.dimension()]);
        let scale = (0..m).map(prior).fold(0.0, f64::max);
        for jitter in [1e-12, 1e-9, 1e-6, 1e-3] {
            let mut covariance = joint.square();
            (0..m).for_each(|p| covariance.add_to_diagonal(p, noise + jitter * scale));
            if let Some(root) = Factor::of(covariance) {
                let (points, mean, solved) = joint.into_parts();
                return Ok(Imagined { process: self, points, mean, solved, noise, root });
            }
        }
        Err(SurrogateError::NotPositiveDefinite { observations: m })
    }
}

impl Imagined<'_> {
    /// q.
    pub fn len(&self) -> usize {
        self.mean.len()
    }

    /// Whether nothing is awaited.
    pub fn is_empty(&self) -> bool {
        self.mean.is_empty()
    }

    /// μ(X′): the outcomes that change no mean.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// R: outcomes drawn from the posterior are μ(X′) + R z with q standard normal numbers z.
    pub fn root(&self) -> MatRef<'_, f64> {
        self.root.lower()
    }

    /// β of some outcomes.
    pub fn learn(&self, outcomes: &[f64]) -> Vec<f64> {
        let mut weights: Vec<f64> = outcomes.iter().zip(&self.mean).map(|(y, mean)| y - mean).collect();
        self.root.solve(&mut weights);
        weights
    }

    /// β of the outcomes μ(X′) + R z, that is R⁻ᵀ z.
    pub fn learn_standard(&self, z: &[f64]) -> Vec<f64> {
        let mut weights = z.to_vec();
        self.root.solve_upper(&mut weights);
        weights
    }

    /// C(x, X′). O(n q).
    pub fn covariances(&self, x: &[f64]) -> Vec<f64> {
        self.covariances_after(x, &self.process.covariances(x))
    }

    fn covariances_after(&self, x: &[f64], column: &[f64]) -> Vec<f64> {
        let mut covariances = vec![0.0; self.len()];
        self.process.kernel.column(x, &self.points, &mut covariances);
        for (q, covariance) in covariances.iter_mut().enumerate() {
            *covariance -= dot(column, self.solved.col_as_slice(q));
        }
        covariances
    }

    /// μ′(x) for each of some outcomes, by their β. O(n q).
    pub fn means(&self, x: &[f64], learned: &[Vec<f64>]) -> Vec<f64> {
        let column = self.process.covariances(x);
        let before = self.process.mean + dot(&column, &self.process.weights);
        let covariances = self.covariances_after(x, &column);
        learned.iter().map(|weights| before + dot(&covariances, weights)).collect()
    }

    /// μ′(x) for one outcome, by its β; adds its gradient in `x` to `gradient`. O(n (q + d)).
    pub fn mean_with_gradient(&self, x: &[f64], learned: &[f64], gradient: &mut [f64]) -> f64 {
        let column = self.process.covariances(x);
        let covariances = self.covariances_after(x, &column);
        let mut weights = self.process.weights.clone();
        for (q, beta) in learned.iter().enumerate() {
            let solved = self.solved.col_as_slice(q);
            weights.iter_mut().zip(solved).for_each(|(weight, solved)| *weight -= beta * solved);
        }
        let kernel = self.process.kernel();
        self.process.observations.add_gradient(kernel, x, &weights, gradient);
        kernel.add_gradient(x, &self.points, learned, gradient);
        self.process.mean + dot(&column, &self.process.weights) + dot(&covariances, learned)
    }

    /// μ′(x) for each of some outcomes and the σ′(x) that they share. O(n² + n q).
    pub fn predict(&self, x: &[f64], learned: &[Vec<f64>]) -> (Vec<f64>, f64) {
        let Prediction { mean, sd } = self.process.predict(x);
        let covariances = self.covariances(x);
        let means = learned.iter().map(|weights| mean + dot(&covariances, weights)).collect();
        let mut reduced = covariances;
        self.root.solve_lower(&mut reduced);
        let prior = self.process.kernel.variance(x);
        (means, (sd * sd - dot(&reduced, &reduced)).max(prior * 1e-16).sqrt())
    }

    /// The process that some outcomes leave, of its own. O((n + q)²) and the copy of the factor.
    pub fn process(&self, outcomes: &[f64]) -> GaussianProcess {
        let mut process = Cow::Borrowed(self.process);
        for (q, outcome) in outcomes.iter().enumerate() {
            process.to_mut().push(self.points.row(q), *outcome, self.noise);
        }
        process.into_owned()
    }
}
