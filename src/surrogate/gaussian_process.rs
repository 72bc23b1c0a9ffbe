//! An exact Gaussian process with given hyperparameters: its factor, its posterior and the gradients of it.
//!
//! With K = k(X, X) + diag(noise), L its Cholesky factor and α = K⁻¹(y − m) (Frazier, arXiv 1807.02811, §3):
//! mean μ(x) = m + k(x, X) α, variance σ²(x) = k(x, x) − ‖L⁻¹ k(X, x)‖².
//!
//! Costs: factor n³/3, a further observation n², a posterior with gradients n² + n·d.

use faer::linalg::cholesky::llt::factor::{
    LltParams, LltRegularization, cholesky_in_place, cholesky_in_place_scratch,
};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Auto, Mat, MatMut, Par, Spec};

use super::Matern52;

/// Why there is no posterior.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SurrogateError {
    /// There is nothing to learn from.
    #[error("a Gaussian process needs at least one observation")]
    Empty,
    /// An input or an output is not a number.
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

/// Jitter added to the diagonal, relative to the signal variance, when the factorization fails: none first.
const JITTERS: [f64; 6] = [0.0, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2];
/// The posterior variance is never reported below this share of the prior's: rounding leaves no more.
const LEAST_VARIANCE: f64 = 1e-16;

/// A posterior over a standardized output.
#[derive(Clone, Debug)]
pub struct GaussianProcess {
    kernel: Matern52,
    mean: f64,
    /// n rows of d coordinates, row after row.
    inputs: Vec<f64>,
    outputs: Vec<f64>,
    noise: Vec<f64>,
    /// Lower triangle: L.
    factor: Mat<f64>,
    /// α = K⁻¹(y − m).
    weights: Vec<f64>,
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
    /// When there is no observation, one is not finite (NaN coordinates are allowed: switched off), or no jitter
    /// makes the covariance positive definite.
    pub fn new(
        kernel: Matern52,
        mean: f64,
        inputs: &[f64],
        outputs: &[f64],
        noise: &[f64],
    ) -> Result<Self, SurrogateError> {
        let n = outputs.len();
        if n == 0 {
            return Err(SurrogateError::Empty);
        }
        let d = kernel.dimension();
        let finite = |row: usize| {
            outputs[row].is_finite()
                && noise[row].is_finite()
                && inputs[row * d..(row + 1) * d].iter().all(|u| !u.is_infinite())
        };
        if let Some(row) = (0..n).find(|&row| !finite(row)) {
            return Err(SurrogateError::NotFinite { row });
        }
        let covariance = covariance(&kernel, inputs, noise);
        Self::factored(kernel, mean, inputs, outputs, noise, &covariance)
    }

    /// The process whose covariance matrix (its lower triangle, noise included) is known already.
    pub(super) fn factored(
        kernel: Matern52,
        mean: f64,
        inputs: &[f64],
        outputs: &[f64],
        noise: &[f64],
        covariance: &Mat<f64>,
    ) -> Result<Self, SurrogateError> {
        let n = outputs.len();
        for jitter in JITTERS {
            let mut factor = covariance.clone();
            for i in 0..n {
                factor[(i, i)] += jitter * kernel.variance();
            }
            if factorize(&mut factor) {
                let weights = Vec::new();
                let (inputs, outputs, noise) = (inputs.to_vec(), outputs.to_vec(), noise.to_vec());
                let mut process = Self { kernel, mean, inputs, outputs, noise, factor, weights, jitter };
                process.weigh();
                return Ok(process);
            }
        }
        Err(SurrogateError::NotPositiveDefinite { observations: n })
    }

    /// How many observations it is conditioned on.
    pub fn observations(&self) -> usize {
        self.outputs.len()
    }

    /// The kernel.
    pub fn kernel(&self) -> &Matern52 {
        &self.kernel
    }

    /// The jitter that the factorization needed, relative to the signal variance; normally 0.
    pub fn jitter(&self) -> f64 {
        self.jitter
    }

    /// Row `i` of the inputs.
    pub fn input(&self, i: usize) -> &[f64] {
        let d = self.kernel.dimension();
        &self.inputs[i * d..(i + 1) * d]
    }

    /// The posterior mean at `x`. O(n·d).
    pub fn mean(&self, x: &[f64]) -> f64 {
        let n = self.observations();
        self.mean + (0..n).map(|i| self.kernel.value(x, self.input(i)) * self.weights[i]).sum::<f64>()
    }

    /// The posterior mean at observation `i`'s place: yᵢ − noiseᵢ αᵢ, in O(1).
    pub fn mean_at_observation(&self, i: usize) -> f64 {
        self.outputs[i] - (self.noise[i] + self.jitter * self.kernel.variance()) * self.weights[i]
    }

    /// The posterior at `x`. O(n²).
    pub fn predict(&self, x: &[f64]) -> Prediction {
        let n = self.observations();
        let mut column = vec![0.0; n];
        for i in 0..n {
            column[i] = self.kernel.value(x, self.input(i));
        }
        let mean = self.mean + dot(&column, &self.weights);
        self.solve_lower(&mut column);
        Prediction { mean, sd: self.sd(&column) }
    }

    /// The posterior at `x` with the gradients of μ and σ, added into zeroed slices of length d. O(n² + n·d).
    pub fn predict_with_gradient(
        &self,
        x: &[f64],
        mean_gradient: &mut [f64],
        sd_gradient: &mut [f64],
    ) -> Prediction {
        let n = self.observations();
        let mut column = vec![0.0; n];
        let mut slopes = vec![0.0; n];
        for i in 0..n {
            let r2 = self.kernel.squared_distance(x, self.input(i));
            (column[i], slopes[i]) = self.kernel.value_and_slope(r2);
        }
        let mean = self.mean + dot(&column, &self.weights);
        self.solve_lower(&mut column);
        let sd = self.sd(&column);
        self.solve_upper(&mut column);
        // ∂σ²/∂x = −2 Σᵢ (K⁻¹k)ᵢ ∂kᵢ/∂x, ∂σ = ∂σ² / 2σ.
        for i in 0..n {
            self.kernel.add_gradient(x, self.input(i), slopes[i], self.weights[i], mean_gradient);
            self.kernel.add_gradient(x, self.input(i), slopes[i], -column[i] / sd, sd_gradient);
        }
        Prediction { mean, sd }
    }

    /// The same process with one more observation. O(n²) and the copy of the factor: L gains the row
    /// (L⁻¹k)ᵀ, √(k(x, x) + noise − ‖L⁻¹k‖²).
    #[must_use]
    pub fn with_observation(&self, x: &[f64], output: f64, noise: f64) -> Self {
        let n = self.observations();
        let mut row: Vec<f64> = (0..n).map(|i| self.kernel.value(x, self.input(i))).collect();
        self.solve_lower(&mut row);
        let left = self.kernel.variance() * (1.0 + self.jitter) + noise - dot(&row, &row);
        let pivot = left.max(self.kernel.variance() * 1e-12).sqrt();
        let factor = Mat::from_fn(n + 1, n + 1, |i, j| match (i < n, j < n) {
            (true, true) => self.factor[(i, j)],
            (false, true) => row[j],
            (false, false) => pivot,
            (true, false) => 0.0,
        });
        let mut extended = Self { factor, ..self.clone() };
        extended.inputs.extend_from_slice(x);
        extended.outputs.push(output);
        extended.noise.push(noise);
        extended.weigh();
        extended
    }

    /// ln p(y | X), the log marginal likelihood (Rasmussen & Williams, eq. 2.30).
    pub fn log_marginal_likelihood(&self) -> f64 {
        let n = self.observations();
        let fit: f64 = (0..n).map(|i| (self.outputs[i] - self.mean) * self.weights[i]).sum();
        let log_determinant: f64 = (0..n).map(|i| self.factor[(i, i)].ln()).sum();
        #[allow(clippy::cast_precision_loss)]
        let constant = 0.5 * n as f64 * (2.0 * std::f64::consts::PI).ln();
        -0.5 * fit - log_determinant - constant
    }

    /// α = K⁻¹(y − m).
    pub(super) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// K⁻¹, both triangles.
    pub(super) fn inverse(&self) -> Mat<f64> {
        let n = self.observations();
        let mut inverse = Mat::<f64>::identity(n, n);
        solve_lower_triangular_in_place(self.factor.as_ref(), inverse.as_mut(), Par::Seq);
        // K⁻¹ = L⁻ᵀ L⁻¹.
        inverse.transpose() * &inverse
    }

    fn weigh(&mut self) {
        let mut weights: Vec<f64> = self.outputs.iter().map(|y| y - self.mean).collect();
        self.solve_lower(&mut weights);
        self.solve_upper(&mut weights);
        self.weights = weights;
    }

    fn sd(&self, solved: &[f64]) -> f64 {
        let prior = self.kernel.variance();
        (prior - dot(solved, solved)).max(prior * LEAST_VARIANCE).sqrt()
    }

    fn solve_lower(&self, column: &mut [f64]) {
        let n = column.len();
        let column = MatMut::from_column_major_slice_mut(column, n, 1);
        solve_lower_triangular_in_place(self.factor.as_ref(), column, Par::Seq);
    }

    fn solve_upper(&self, column: &mut [f64]) {
        let n = column.len();
        let column = MatMut::from_column_major_slice_mut(column, n, 1);
        solve_upper_triangular_in_place(self.factor.transpose(), column, Par::Seq);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The lower triangle of k(X, X) + diag(noise).
fn covariance(kernel: &Matern52, inputs: &[f64], noise: &[f64]) -> Mat<f64> {
    let n = noise.len();
    let d = kernel.dimension();
    let row = |i: usize| &inputs[i * d..(i + 1) * d];
    let mut covariance = Mat::<f64>::zeros(n, n);
    for j in 0..n {
        for i in j + 1..n {
            covariance[(i, j)] = kernel.value(row(i), row(j));
        }
        covariance[(j, j)] = kernel.variance() + noise[j];
    }
    covariance
}

/// Replaces the lower triangle by its Cholesky factor; false where it is not positive definite.
fn factorize(matrix: &mut Mat<f64>) -> bool {
    let n = matrix.nrows();
    let parameters: Spec<LltParams, f64> = <LltParams as Auto<f64>>::auto().into();
    let mut memory =
        faer::dyn_stack::MemBuffer::new(cholesky_in_place_scratch::<f64>(n, Par::Seq, parameters));
    let stack = faer::dyn_stack::MemStack::new(&mut memory);
    let done = cholesky_in_place(matrix.as_mut(), LltRegularization::default(), Par::Seq, stack, parameters);
    done.is_ok() && (0..n).all(|i| matrix[(i, i)].is_finite() && matrix[(i, i)] > 0.0)
}
