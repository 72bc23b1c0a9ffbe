//! The posterior at several points at once: mean, full covariance, samples, and their gradients in the points.
//!
//! μ = m + k(X*, X) α, Σ = k(X*, X*) − VᵀV with V = L⁻¹ k(X, X*). A sample is μ + R z with R Rᵀ = Σ and standard
//! normal z, so that a function of samples has gradients in the points (Wilson et al., *The Reparameterization Trick
//! for Acquisition Functions*, arXiv 1712.00424). Gradients come as pullbacks: given the derivatives of a number in μ
//! and Σ, or in samples, its derivatives in the points. Costs: n² m + n m² to make, n m (m + d) a pullback.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::solve_upper_triangular_in_place;
use faer::{Accum, Mat, MatRef, Par};

use super::factor::Factor;
use super::gaussian_process::{GaussianProcess, SurrogateError};
use super::points::Points;
use super::square::Square;

/// The posterior at m points.
#[derive(Debug)]
pub struct Joint<'a> {
    process: &'a GaussianProcess,
    points: Points,
    mean: Vec<f64>,
    covariance: Mat<f64>,
    /// K⁻¹ k(X, X*).
    solved: Mat<f64>,
}

/// Jitter of the covariance's factor, relative to the prior variance: points may coincide, or lie at the data.
const JITTERS: [f64; 6] = [1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2];

impl GaussianProcess {
    /// The posterior at the points in `rows`, row after row.
    pub fn joint(&self, rows: &[f64]) -> Joint<'_> {
        let points = Points::new(self.kernel.distances(), rows);
        let (mut solved, mean) = self.solved_columns(rows);
        let m = points.len();
        let mut covariance = Mat::<f64>::zeros(m, m);
        for j in 0..m {
            self.kernel.column(points.row(j), &points, covariance.col_as_slice_mut(j));
            covariance[(j, j)] = self.kernel.variance(points.row(j));
        }
        matmul(covariance.as_mut(), Accum::Add, solved.transpose(), &solved, -1.0, Par::Seq);
        self.factor.solve_upper_many(solved.as_mut());
        Joint { process: self, points, mean, covariance, solved }
    }

    /// The posterior covariances of the values at the points in `a` with those in `b`. O(n² m).
    pub fn covariance(&self, a: &[f64], b: &[f64]) -> Mat<f64> {
        let (of_a, _) = self.solved_columns(a);
        let (of_b, _) = self.solved_columns(b);
        let (a, b) = (Points::new(self.kernel.distances(), a), Points::new(self.kernel.distances(), b));
        let mut covariance = Mat::<f64>::zeros(a.len(), b.len());
        for j in 0..b.len() {
            self.kernel.column(b.row(j), &a, covariance.col_as_slice_mut(j));
        }
        matmul(covariance.as_mut(), Accum::Add, of_a.transpose(), &of_b, -1.0, Par::Seq);
        covariance
    }

    /// The posterior covariance of the value at `x` with the one at `z`; adds its gradient in `x` to `gradient`. O(n²).
    pub fn covariance_with_gradient(&self, x: &[f64], z: &[f64], gradient: &mut [f64]) -> f64 {
        let (of_x, mut of_z) = (self.covariances(x), self.covariances(z));
        self.factor.solve(&mut of_z);
        let learned: f64 = of_x.iter().zip(&of_z).map(|(a, b)| a * b).sum();
        of_z.iter_mut().for_each(|weight| *weight = -*weight);
        self.observations.add_gradient(self.kernel.as_ref(), x, &of_z, gradient);
        let other = Points::new(self.kernel.distances(), z);
        self.kernel.add_gradient(x, &other, &[1.0], gradient);
        self.kernel.value(x, z) - learned
    }
}

impl Joint<'_> {
    /// The points, μ, and K⁻¹ k(X, X*).
    pub(super) fn into_parts(self) -> (Points, Vec<f64>, Mat<f64>) {
        (self.points, self.mean, self.solved)
    }

    /// Σ, to be factored.
    pub(super) fn square(&self) -> Square {
        let mut square = Square::zeros(self.len());
        (0..self.len()).for_each(|q| square.column_mut(q).copy_from_slice(self.covariance.col_as_slice(q)));
        square
    }

    /// m.
    pub fn len(&self) -> usize {
        self.mean.len()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.mean.is_empty()
    }

    /// μ.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Σ, both triangles.
    pub fn covariance(&self) -> MatRef<'_, f64> {
        self.covariance.as_ref()
    }

    /// The gradient of Σₚᵩ in point p, point q held still; for p = q that of the variance. O(n·d).
    pub fn covariance_gradient(&self, p: usize, q: usize) -> Vec<f64> {
        let x = self.points.row(p);
        let factor = if p == q { 2.0 } else { 1.0 };
        let weights: Vec<f64> = self.solved.col_as_slice(q).iter().map(|weight| -factor * weight).collect();
        let kernel = self.process.kernel();
        let mut gradient = vec![0.0; x.len()];
        self.process.observations.add_gradient(kernel, x, &weights, &mut gradient);
        if p == q {
            kernel.add_variance_gradient(x, 1.0, &mut gradient);
        } else {
            let other = Points::new(kernel.distances(), self.points.row(q));
            kernel.add_gradient(x, &other, &[1.0], &mut gradient);
        }
        gradient
    }

    /// The gradients in the points, m rows of d, of a number whose derivatives in μ and Σ are given. `of_covariance`
    /// holds the derivative in each entry of Σ as if all m² of them were free.
    pub fn pull_back(&self, of_mean: &[f64], of_covariance: MatRef<'_, f64>) -> Vec<f64> {
        self.pull_back_to(0..self.len(), of_mean, of_covariance)
    }

    /// As [`Self::pull_back`], in some of the points only.
    pub fn pull_back_to(
        &self,
        points: Range<usize>,
        of_mean: &[f64],
        of_covariance: MatRef<'_, f64>,
    ) -> Vec<f64> {
        let (m, d) = (self.len(), self.points.dimension());
        let kernel = self.process.kernel();
        let mut gradients = vec![0.0; points.len() * d];
        for (row, p) in points.enumerate() {
            let x = self.points.row(p);
            let gradient = &mut gradients[row * d..(row + 1) * d];
            let mut on_data: Vec<f64> =
                self.process.weights.iter().map(|weight| of_mean[p] * weight).collect();
            let mut on_points = vec![0.0; m];
            for q in 0..m {
                let both = of_covariance[(p, q)] + of_covariance[(q, p)];
                on_points[q] = if p == q { 0.0 } else { both };
                for (on, weight) in on_data.iter_mut().zip(self.solved.col_as_slice(q)) {
                    *on -= both * weight;
                }
            }
            self.process.observations.add_gradient(kernel, x, &on_data, gradient);
            kernel.add_gradient(x, &self.points, &on_points, gradient);
            kernel.add_variance_gradient(x, of_covariance[(p, p)], gradient);
        }
        gradients
    }

    /// The root R of Σ, with which samples are drawn.
    ///
    /// # Errors
    /// Where Σ is not positive definite, even with the largest jitter.
    pub fn root(&self) -> Result<Root, SurrogateError> {
        self.noisy_root(0.0)
    }

    /// The root of Σ with `noise` added to its diagonal: that of observations.
    ///
    /// # Errors
    /// As [`Self::root`].
    pub fn noisy_root(&self, noise: f64) -> Result<Root, SurrogateError> {
        let m = self.len();
        let prior = |p: usize| self.process.kernel.variance(self.points.row(p));
        let scale = (0..m).map(prior).fold(0.0, f64::max);
        for jitter in JITTERS {
            let mut covariance = self.square();
            (0..m).for_each(|p| covariance.add_to_diagonal(p, noise + jitter * scale));
            if let Some(factor) = Factor::of(covariance) {
                return Ok(Root { factor });
            }
        }
        Err(SurrogateError::NotPositiveDefinite { observations: m })
    }

    /// The sample μ + R z for m standard normal numbers. O(m²).
    pub fn sample(&self, root: &Root, z: &[f64]) -> Vec<f64> {
        let lower = root.factor.lower();
        (0..self.len()).map(|p| self.mean[p] + (0..=p).map(|q| lower[(p, q)] * z[q]).sum::<f64>()).collect()
    }

    /// The gradients in the points, m rows of d, of a number whose derivatives in some samples are given: for each
    /// sample its z and the derivatives in its m values.
    pub fn pull_back_samples<'z>(
        &self,
        root: &Root,
        samples: impl IntoIterator<Item = (&'z [f64], &'z [f64])>,
    ) -> Vec<f64> {
        let m = self.len();
        let mut of_mean = vec![0.0; m];
        let mut of_root = Mat::<f64>::zeros(m, m);
        for (z, derivatives) in samples {
            for p in 0..m {
                of_mean[p] += derivatives[p];
                for q in 0..=p {
                    of_root[(p, q)] += derivatives[p] * z[q];
                }
            }
        }
        self.pull_back(&of_mean, root.pull_back(of_root.as_ref()).as_ref())
    }
}

/// The lower triangular root of a posterior covariance.
#[derive(Clone, Debug)]
pub struct Root {
    factor: Factor,
}

impl Root {
    /// R; what is above the diagonal means nothing.
    pub fn lower(&self) -> MatRef<'_, f64> {
        self.factor.lower()
    }

    /// (R Rᵀ)⁻¹ b, in the place of b.
    pub fn solve(&self, b: &mut [f64]) {
        self.factor.solve(b);
    }

    /// R⁻ᵀ b, in the place of b.
    pub fn solve_upper(&self, b: &mut [f64]) {
        self.factor.solve_upper(b);
    }

    /// The derivatives in the entries of R Rᵀ, as if all of them were free, of a number whose derivatives in those of
    /// R's lower triangle are given (Murray, *Differentiation of the Cholesky decomposition*, arXiv 1602.07527, eq. 10).
    pub fn pull_back(&self, of_root: MatRef<'_, f64>) -> Mat<f64> {
        let m = of_root.nrows();
        let below = |i: usize, j: usize, matrix: MatRef<'_, f64>| if i >= j { matrix[(i, j)] } else { 0.0 };
        // Φ(Rᵀ R̄): the lower triangle with half the diagonal; made symmetric, then R⁻ᵀ · R⁻¹ around it.
        let lower = Mat::from_fn(m, m, |i, j| below(i, j, self.factor.lower()));
        let product = lower.transpose() * &Mat::from_fn(m, m, |i, j| below(i, j, of_root));
        let mut inner = Mat::from_fn(m, m, |i, j| 0.5 * product[(i.max(j), i.min(j))]);
        solve_upper_triangular_in_place(lower.transpose(), inner.as_mut(), Par::Seq);
        let mut turned = inner.transpose().to_owned();
        solve_upper_triangular_in_place(lower.transpose(), turned.as_mut(), Par::Seq);
        turned
    }
}
