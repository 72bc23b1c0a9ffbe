//! A second opinion on the numerics: friedrich's posterior at our kernel and hyperparameters.
//!
//! friedrich (0.6) is an independent Gaussian process on nalgebra. Its own fit is not used (its likelihood and some of
//! its gradients are wrong, see `docs/decisions`); with given hyperparameters its posterior is right. It knows one noise
//! for all observations, values alone, and panics where a matrix is not positive definite: such models are refused, and
//! panics are caught.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use friedrich::SRowVector;
use friedrich::gaussian_process::GaussianProcess as Friedrich;
use friedrich::kernel::Kernel as FriedrichKernel;
use friedrich::prior::ConstantPrior;
use nalgebra::{DMatrix, DVector, Dyn, U1, storage::Storage};

use super::gaussian_process::{GaussianProcess, Prediction};
use super::kernel::Kernel;

/// Observations beyond which the check is not worth its time.
const MOST: usize = 1000;

/// Why friedrich has no opinion on a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoOpinion {
    /// More than a thousand observations.
    #[error("there are more than {MOST} observations")]
    TooMany,
    /// The observations differ in their noise.
    #[error("friedrich knows no noise of its own for each observation")]
    NoiseDiffers,
    /// There are derivatives among the observations.
    #[error("friedrich knows no observations of derivatives")]
    Derivatives,
    /// It panicked.
    #[error("friedrich could not factor the covariance matrix")]
    Failed,
}

/// Our kernel as friedrich's.
struct Adapter(Arc<dyn Kernel>);

impl Default for Adapter {
    fn default() -> Self {
        Self(Arc::new(super::kernel::Matern52::new(&[], &[], 1.0)))
    }
}

impl FriedrichKernel for Adapter {
    fn nb_parameters(&self) -> usize {
        0
    }

    fn kernel<S1: Storage<f64, U1, Dyn>, S2: Storage<f64, U1, Dyn>>(
        &self,
        x1: &SRowVector<S1>,
        x2: &SRowVector<S2>,
    ) -> f64 {
        let (u, v): (Vec<f64>, Vec<f64>) = (x1.iter().copied().collect(), x2.iter().copied().collect());
        self.0.value(&u, &v)
    }

    fn gradient<S1: Storage<f64, U1, Dyn>, S2: Storage<f64, U1, Dyn>>(
        &self,
        _: &SRowVector<S1>,
        _: &SRowVector<S2>,
    ) -> Vec<f64> {
        Vec::new()
    }

    fn get_parameters(&self) -> Vec<f64> {
        Vec::new()
    }

    fn set_parameters(&mut self, _: &[f64]) {}
}

/// friedrich's posterior at some points, row after row, with the kernel, noise and data of `process`. O(n³).
///
/// # Errors
/// Where friedrich cannot express the model.
pub fn friedrich_predictions(process: &GaussianProcess, rows: &[f64]) -> Result<Vec<Prediction>, NoOpinion> {
    let seen = process.evidence();
    let (n, d) = (seen.len(), process.dimension());
    if n > MOST {
        return Err(NoOpinion::TooMany);
    }
    if seen.has_derivatives() {
        return Err(NoOpinion::Derivatives);
    }
    let noise = process.noise_variance(0);
    if (0..n).any(|i| (process.noise_variance(i) - noise).abs() > 1e-12 * noise) {
        return Err(NoOpinion::NoiseDiffers);
    }
    let opinion = catch_unwind(AssertUnwindSafe(|| {
        let inputs = DMatrix::from_row_slice(n, d, seen.points().rows());
        let outputs = DVector::from_column_slice(seen.outputs());
        let prior = ConstantPrior::new(process.prior_mean());
        let kernel = Adapter(process.shared_kernel());
        let theirs = Friedrich::new(prior, kernel, noise.sqrt(), None, inputs, outputs);
        let at = DMatrix::from_row_slice(rows.len() / d.max(1), d, rows);
        let (means, variances) = theirs.predict_mean_variance(&at);
        means
            .iter()
            .zip(variances.iter())
            .map(|(&mean, &v)| Prediction { mean, sd: v.max(0.0).sqrt() })
            .collect()
    }));
    opinion.map_err(|_| NoOpinion::Failed)
}

/// The largest disagreement of the two engines at the observations' places, of means in units of the prior's standard
/// deviation and of variances in units of its variance. O(n³).
///
/// # Errors
/// Where friedrich cannot express the model.
pub fn cross_check(process: &GaussianProcess) -> Result<f64, NoOpinion> {
    let rows = process.evidence().points().rows();
    let theirs = friedrich_predictions(process, rows)?;
    let ours = process.predict_many(rows);
    let mut largest = 0.0_f64;
    for (i, (our, their)) in ours.iter().zip(&theirs).enumerate() {
        let prior = process.kernel().variance(process.input(i));
        let of_means = (our.mean - their.mean).abs() / prior.sqrt();
        let of_variances = (our.sd * our.sd - their.sd * their.sd).abs() / prior;
        largest = largest.max(of_means).max(of_variances);
    }
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surrogate::{Distance, Matern52, Noise, Observations};

    fn process(noise: &[f64; 6]) -> GaussianProcess {
        let distances = [Distance::Numeric, Distance::Overlap, Distance::Numeric];
        let kernel = Matern52::new(&distances, &[0.4, 0.9, 0.7], 1.3);
        let inputs =
            [0.1, 0.0, 0.4, 0.5, 1.0, f64::NAN, 0.9, 0.5, 0.2, 0.3, 0.0, 0.8, 0.7, 1.0, 0.6, 0.2, 0.5, 0.9];
        let seen = Observations::new(&distances, &inputs, &[0.4, -1.0, 0.3, 1.2, -0.7, 0.1], noise);
        let learned = Noise { value: 1e-3, derivative: 1e-3 };
        GaussianProcess::condition(Arc::new(kernel), 0.2, learned, seen).unwrap()
    }

    #[test]
    fn the_two_engines_agree() {
        let process = process(&[0.0; 6]);
        assert!(cross_check(&process).unwrap() < 1e-12);
        let rows = [0.33, 0.5, 0.7, 0.8, 0.0, f64::NAN];
        for (x, their) in rows.chunks(3).zip(friedrich_predictions(&process, &rows).unwrap()) {
            let our = process.predict(x);
            assert!((our.mean - their.mean).abs() < 1e-12 && (our.sd - their.sd).abs() < 1e-10);
        }
    }

    #[test]
    fn what_friedrich_cannot_express_has_a_reason() {
        assert_eq!(cross_check(&process(&[0.0, 0.1, 0.0, 0.0, 0.0, 0.0])), Err(NoOpinion::NoiseDiffers));
        let mut seen = process(&[0.0; 6]).evidence().clone();
        seen.push_derivative(0, 0, 1.0, 0.0);
        let kernel = process(&[0.0; 6]).shared_kernel();
        let derived = GaussianProcess::condition(kernel, 0.0, Noise { value: 1e-3, derivative: 1e-3 }, seen);
        assert_eq!(cross_check(&derived.unwrap()), Err(NoOpinion::Derivatives));
    }
}
