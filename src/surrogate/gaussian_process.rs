//! An exact Gaussian process with given hyperparameters: its factor, its posterior and the gradients of it.
//!
//! With K the observations' covariances and noise, L its Cholesky factor and α = K⁻¹(y − m) (Frazier, arXiv 1807.02811,
//! §3): mean μ(x) = m + k(x, X) α, variance σ²(x) = k(x, x) − ‖L⁻¹ k(X, x)‖².
//!
//! Costs: factor n³/3, a further observation n², a posterior with gradients n² + n·d. What goes beyond one point is in
//! [`Joint`](super::Joint), imagined outcomes in [`Imagined`](super::Imagined), drawn functions in
//! [`Path`](super::Path).

use std::sync::Arc;

use faer::Mat;
use serde::{Deserialize, Serialize};

use super::factor::Factor;
use super::kernel::Kernel;
use super::lanes::dot;
use super::observations::{Functional, Observations};

/// Why there is no posterior.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SurrogateError {
    /// There is nothing to learn from.
    #[error("a Gaussian process needs at least one observation")]
    Empty,
    /// An input, an output or a noise is not a number, or a noise is negative.
    #[error("observation {row} is not finite")]
    NotFinite {
        /// The first such observation.
        row: usize,
    },
    /// The covariance matrix is not positive definite, even with the largest jitter.
    #[error("the covariance matrix of {observations} observations is not positive definite")]
    NotPositiveDefinite {
        /// How many there are.
        observations: usize,
    },
}

/// Jitter added to the diagonal, relative to the prior variance, when the factorization fails: none first.
const JITTERS: [f64; 6] = [0.0, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2];
/// The posterior variance is never reported below this share of the prior's: rounding leaves no more.
const LEAST_VARIANCE: f64 = 1e-16;

/// Variances of the noise that is learned, which add to what is known of each observation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Of a value.
    pub value: f64,
    /// Of a partial derivative.
    pub derivative: f64,
}

/// A posterior over a standardized output.
#[derive(Clone, Debug)]
pub struct GaussianProcess {
    pub(super) kernel: Arc<dyn Kernel>,
    pub(super) mean: f64,
    pub(super) learned: Noise,
    pub(super) observations: Observations,
    /// Known and learned noise together, and the jitter.
    pub(super) noise: Vec<f64>,
    noise_ahead: f64,
    pub(super) factor: Factor,
    /// α = K⁻¹(y − m).
    pub(super) weights: Vec<f64>,
    jitter: f64,
}

/// The posterior at one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// μ.
    pub mean: f64,
    /// σ, without the noise of an observation.
    pub sd: f64,
}

impl GaussianProcess {
    /// Conditions a prior with constant `mean` on `outputs` at `inputs` (row after row), each with its noise variance.
    ///
    /// # Errors
    /// As [`Self::condition`].
    pub fn new(
        kernel: impl Kernel + 'static,
        mean: f64,
        inputs: &[f64],
        outputs: &[f64],
        noise: &[f64],
    ) -> Result<Self, SurrogateError> {
        let observations = Observations::new(kernel.distances(), inputs, outputs, noise);
        Self::condition(Arc::new(kernel), mean, Noise::default(), observations)
    }

    /// Conditions a prior with constant `mean` on observations, whose noise is the known one and the learned one.
    ///
    /// # Errors
    /// When there is no observation, one is not finite (NaN coordinates are allowed: switched off), or no jitter
    /// makes the covariance positive definite.
    pub fn condition(
        kernel: Arc<dyn Kernel>,
        mean: f64,
        learned: Noise,
        observations: Observations,
    ) -> Result<Self, SurrogateError> {
        let n = observations.len();
        if n == 0 {
            return Err(SurrogateError::Empty);
        }
        if let Some(row) = observations.not_finite() {
            return Err(SurrogateError::NotFinite { row });
        }
        let noise = learned.with(&observations);
        let noise_ahead = learned.value + observations.typical_known_noise();
        let mut covariance = observations.covariance(kernel.as_ref());
        let scale = (0..n).map(|i| covariance.at(i, i)).fold(0.0, f64::max);
        let mut before = 0.0;
        (0..n).for_each(|i| covariance.add_to_diagonal(i, noise[i]));
        for jitter in JITTERS {
            (0..n).for_each(|i| covariance.add_to_diagonal(i, (jitter - before) * scale));
            before = jitter;
            if let Some(factor) = Factor::of(covariance.clone()) {
                let noise = noise.iter().map(|noise| noise + jitter * scale).collect();
                let weights = Vec::new();
                let mut process =
                    Self { kernel, mean, learned, observations, noise, noise_ahead, factor, weights, jitter };
                process.weigh();
                return Ok(process);
            }
        }
        Err(SurrogateError::NotPositiveDefinite { observations: n })
    }

    /// How many observations it is conditioned on.
    pub fn observations(&self) -> usize {
        self.observations.len()
    }

    /// What it is conditioned on.
    pub fn evidence(&self) -> &Observations {
        &self.observations
    }

    /// d.
    pub fn dimension(&self) -> usize {
        self.observations.points().dimension()
    }

    /// The kernel.
    pub fn kernel(&self) -> &dyn Kernel {
        self.kernel.as_ref()
    }

    /// The kernel, to be shared.
    pub fn shared_kernel(&self) -> Arc<dyn Kernel> {
        Arc::clone(&self.kernel)
    }

    /// The noise variance of observation `i`: known, learned, and jitter.
    pub fn noise_variance(&self, i: usize) -> f64 {
        self.noise[i]
    }

    /// The constant mean of the prior.
    pub fn prior_mean(&self) -> f64 {
        self.mean
    }

    /// The variances of the learned noise.
    pub fn noise(&self) -> Noise {
        self.learned
    }

    /// The noise variance of a value that is still to be observed: what is learned, and what is typically known of the
    /// values that were conditioned on.
    pub fn noise_ahead(&self) -> f64 {
        self.noise_ahead
    }

    /// The jitter that the factorization needed, relative to the prior variance; normally 0.
    pub fn jitter(&self) -> f64 {
        self.jitter
    }

    /// The Cholesky factor of the observations' covariances.
    pub fn factor(&self) -> &Factor {
        &self.factor
    }

    /// α = K⁻¹(y − m), one entry an observation.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The place of observation `i`.
    pub fn input(&self, i: usize) -> &[f64] {
        self.observations.points().row(self.observations.point(i))
    }

    /// cov(f(x), observations) under the prior. O(n·d).
    pub fn covariances(&self, x: &[f64]) -> Vec<f64> {
        let mut column = vec![0.0; self.observations()];
        self.observations.column(self.kernel.as_ref(), x, &mut column);
        column
    }

    /// The posterior mean at `x`. O(n·d).
    pub fn mean(&self, x: &[f64]) -> f64 {
        self.mean + dot(&self.covariances(x), &self.weights)
    }

    /// The posterior mean at `x`; adds its gradient to `gradient`. O(n·d).
    pub fn mean_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        self.observations.add_gradient(self.kernel.as_ref(), x, &self.weights, gradient);
        self.mean(x)
    }

    /// The posterior mean of what observation `i` is of: yᵢ − noiseᵢ αᵢ, in O(1).
    pub fn mean_at_observation(&self, i: usize) -> f64 {
        self.observations.outputs()[i] - self.noise[i] * self.weights[i]
    }

    /// The posterior at `x`. O(n²).
    pub fn predict(&self, x: &[f64]) -> Prediction {
        let mut column = self.covariances(x);
        let mean = self.mean + dot(&column, &self.weights);
        self.factor.solve_lower(&mut column);
        Prediction { mean, sd: self.sd(x, &column) }
    }

    /// The posterior at `x`; adds the gradients of μ and σ to slices of length d. O(n² + n·d).
    pub fn predict_with_gradient(
        &self,
        x: &[f64],
        mean_gradient: &mut [f64],
        sd_gradient: &mut [f64],
    ) -> Prediction {
        let mut column = self.covariances(x);
        let mean = self.mean + dot(&column, &self.weights);
        self.factor.solve_lower(&mut column);
        let sd = self.sd(x, &column);
        self.factor.solve_upper(&mut column);
        self.add_gradients(x, sd, &mut column, mean_gradient, sd_gradient);
        Prediction { mean, sd }
    }

    /// The posterior at each of m points, row after row. O(n² m), faster than m single ones.
    pub fn predict_many(&self, rows: &[f64]) -> Vec<Prediction> {
        let (columns, means) = self.solved_columns(rows);
        let d = self.dimension();
        let at = |(j, mean): (usize, f64)| {
            let x = &rows[j * d..(j + 1) * d];
            Prediction { mean, sd: self.sd(x, columns.col_as_slice(j)) }
        };
        means.into_iter().enumerate().map(at).collect()
    }

    /// The posterior at each of m points, row after row; adds the gradients of μ and σ to m rows of length d each.
    /// O(m (n² + n·d)), faster than m single ones.
    pub fn predict_many_with_gradient(
        &self,
        rows: &[f64],
        mean_gradients: &mut [f64],
        sd_gradients: &mut [f64],
    ) -> Vec<Prediction> {
        let (mut columns, means) = self.solved_columns(rows);
        let d = self.dimension();
        let row = |j: usize| j * d..(j + 1) * d;
        let mut predictions = Vec::with_capacity(means.len());
        for (j, mean) in means.into_iter().enumerate() {
            predictions.push(Prediction { mean, sd: self.sd(&rows[row(j)], columns.col_as_slice(j)) });
        }
        self.factor.solve_upper_many(columns.as_mut());
        for (j, prediction) in predictions.iter().enumerate() {
            self.add_gradients(
                &rows[row(j)],
                prediction.sd,
                columns.col_as_slice_mut(j),
                &mut mean_gradients[row(j)],
                &mut sd_gradients[row(j)],
            );
        }
        predictions
    }

    /// The same process with one more value whose noise variance is `noise`, the learned one not added. O(n²) and the
    /// copy of the factor.
    #[must_use]
    pub fn with_observation(&self, x: &[f64], output: f64, noise: f64) -> Self {
        let mut extended = self.clone();
        extended.push(x, output, noise);
        extended
    }

    /// Takes in one more value whose noise variance is `noise`, the learned one not added. O(n²): L gains the row
    /// (L⁻¹k)ᵀ, √(k(x, x) + noise − ‖L⁻¹k‖²).
    pub fn push(&mut self, x: &[f64], output: f64, noise: f64) {
        let mut row = self.covariances(x);
        self.factor.solve_lower(&mut row);
        let prior = self.kernel.variance(x);
        self.observations.push(x, output, noise);
        let noise = noise + self.jitter * prior;
        let left = prior + noise - dot(&row, &row);
        self.factor.push(&row, left.max(prior * 1e-12).sqrt());
        self.noise.push(noise);
        self.weigh();
    }

    /// ln p(y | X), the log marginal likelihood (Rasmussen & Williams, eq. 2.30).
    pub fn log_marginal_likelihood(&self) -> f64 {
        let n = self.observations();
        let fit: f64 = (0..n).map(|i| self.observations.centred(i, self.mean) * self.weights[i]).sum();
        #[allow(clippy::cast_precision_loss)]
        let constant = n as f64 * (2.0 * std::f64::consts::PI).ln();
        -0.5 * (fit + self.factor.log_determinant() + constant)
    }

    /// What each observation would be predicted as from all others, noise-free, in closed form: yᵢ − αᵢ/K⁻¹ᵢᵢ with
    /// variance 1/K⁻¹ᵢᵢ less the noise (Rasmussen & Williams, eq. 5.12). O(n³), without refitting.
    pub fn leave_one_out(&self) -> Vec<Prediction> {
        let inverse = self.factor.inverse_above();
        let of = |i: usize| {
            let variance = 1.0 / inverse.at(i, i);
            let mean = self.observations.outputs()[i] - self.weights[i] * variance;
            Prediction { mean, sd: (variance - self.noise[i]).max(LEAST_VARIANCE * variance).sqrt() }
        };
        (0..self.observations()).map(of).collect()
    }

    fn weigh(&mut self) {
        let centred = |i: usize| self.observations.centred(i, self.mean);
        let mut weights: Vec<f64> = (0..self.observations()).map(centred).collect();
        self.factor.solve(&mut weights);
        self.weights = weights;
    }

    /// L⁻¹k(X, x) for each of the rows, and the posterior means.
    pub(super) fn solved_columns(&self, rows: &[f64]) -> (Mat<f64>, Vec<f64>) {
        let (n, d) = (self.observations(), self.dimension());
        let m = rows.len().checked_div(d).unwrap_or(0);
        let mut columns = Mat::<f64>::zeros(n, m);
        let mut means = Vec::with_capacity(m);
        for j in 0..m {
            let column = columns.col_as_slice_mut(j);
            self.observations.column(self.kernel.as_ref(), &rows[j * d..(j + 1) * d], column);
            means.push(self.mean + dot(column, &self.weights));
        }
        self.factor.solve_lower_many(columns.as_mut());
        (columns, means)
    }

    /// σ at `x` from L⁻¹k(X, x).
    pub(super) fn sd(&self, x: &[f64], solved: &[f64]) -> f64 {
        let prior = self.kernel.variance(x);
        (prior - dot(solved, solved)).max(prior * LEAST_VARIANCE).sqrt()
    }

    /// Adds the gradients of μ and σ; `solved` is K⁻¹k(X, x), and overwritten.
    fn add_gradients(
        &self,
        x: &[f64],
        sd: f64,
        solved: &mut [f64],
        mean_gradient: &mut [f64],
        sd_gradient: &mut [f64],
    ) {
        let kernel = self.kernel.as_ref();
        // ∂σ²/∂x = ∂k(x, x)/∂x − 2 Σᵢ (K⁻¹k)ᵢ ∂kᵢ/∂x, ∂σ = ∂σ² / 2σ.
        let factor = -1.0 / sd;
        solved.iter_mut().for_each(|weight| *weight *= factor);
        let gradients = [mean_gradient, &mut *sd_gradient];
        self.observations.add_two_gradients(kernel, x, [&self.weights, solved], gradients);
        kernel.add_variance_gradient(x, 0.5 / sd, sd_gradient);
    }
}

impl Noise {
    /// The noise variance of each observation, the known one included.
    pub(super) fn with(self, observations: &Observations) -> Vec<f64> {
        let learned = |i: usize| match observations.functional(i) {
            Functional::Value => self.value,
            Functional::Derivative { .. } => self.derivative,
        };
        observations.known_noise().iter().enumerate().map(|(i, known)| known + learned(i)).collect()
    }
}
