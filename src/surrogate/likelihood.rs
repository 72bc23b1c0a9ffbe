//! How well hyperparameters explain the observations: the log marginal likelihood, the priors, and their gradients.
//!
//! The gradient of ln p(y | X) in θ is ½ tr((ααᵀ − K⁻¹) ∂K/∂θ) (Rasmussen & Williams, eq. 5.9). An evaluation costs
//! about n³ + n² d.
//!
//! Priors:
//! - lengthscales (of main effects with d = 1): log-normal with location √2 + ½ ln d and scale √3, which suits any dimension (Hvarfner, Hellsten &
//!   Nardi, arXiv 2402.02229);
//! - variances of the function: log-normal around 1, for outputs are standardized;
//! - the variance of a trend: log-normal around e⁻⁴ and wide, for most functions have little of one and some nothing else;
//! - what warps an input: log-normal around 1, where nothing is warped (Snoek et al. 2014, §3.2);
//! - noise variances: log-normal around 10⁻⁴ and wide, so that a noise-free function is recognized as such;
//! - mean: normal around 0.

use serde::{Deserialize, Serialize};

use super::factor::Factor;
use super::gaussian_process::{GaussianProcess, Noise, SurrogateError};
use super::kernel::{Kernel, Record, Role};
use super::lanes::dot;
use super::observations::{Functional, Observations};

/// What a Gaussian process is made with, beside the form of its kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hyperparameters {
    /// The kernel's, in the order of its roles: lengthscales in units of the unit cube, variances in units of the
    /// standardized output's variance.
    pub kernel: Vec<f64>,
    /// Variances of the learned noise.
    pub noise: Noise,
    /// The constant prior mean of the standardized output.
    pub mean: f64,
}

/// Location and scale of the priors of the logarithms.
const VARIANCE_PRIOR: (f64, f64) = (0.0, 1.5);
const TREND_PRIOR: (f64, f64) = (-4.0, 3.0);
const WARPING_PRIOR: (f64, f64) = (0.0, 0.75);
const NOISE_PRIOR: (f64, f64) = (-9.2, 4.0);
const MEAN_PRIOR: (f64, f64) = (0.0, 1.0);

impl Hyperparameters {
    /// The process with a kernel of this form.
    ///
    /// # Errors
    /// As [`GaussianProcess::condition`].
    pub fn process(
        &self,
        kernel: &dyn Kernel,
        observations: Observations,
    ) -> Result<GaussianProcess, SurrogateError> {
        GaussianProcess::condition(self.kernel(kernel).into(), self.mean, self.noise, observations)
    }

    /// A kernel of this form with these.
    pub fn kernel(&self, kernel: &dyn Kernel) -> Box<dyn Kernel> {
        let mut kernel = kernel.boxed();
        kernel.set_hyperparameters(&self.kernel);
        kernel
    }

    /// ln of the kernel's, ln of the noise variances (the derivatives' where there are any), and the mean.
    pub(super) fn to_free(&self, has_derivatives: bool) -> Vec<f64> {
        let mut free: Vec<f64> = self.kernel.iter().map(|value| value.ln()).collect();
        free.push(self.noise.value.ln());
        if has_derivatives {
            free.push(self.noise.derivative.ln());
        }
        free.push(self.mean);
        free
    }

    pub(super) fn from_free(free: &[f64], has_derivatives: bool) -> Self {
        let count = free.len() - 2 - usize::from(has_derivatives);
        let derivative = if has_derivatives { free[count + 1].exp() } else { 0.0 };
        Self {
            kernel: free[..count].iter().map(|value| value.exp()).collect(),
            noise: Noise { value: free[count].exp(), derivative },
            mean: free[free.len() - 1],
        }
    }
}

/// Location and scale of the log lengthscales' prior in d dimensions.
#[allow(clippy::cast_precision_loss)]
pub(super) fn lengthscale_prior(d: usize) -> (f64, f64) {
    (std::f64::consts::SQRT_2 + 0.5 * (d.max(1) as f64).ln(), 3.0_f64.sqrt())
}

/// ln p(y | X, θ), with its gradient in (ln of the kernel's hyperparameters, ln of the noise variances, mean) written
/// to `gradient`; the derivatives' noise takes part where there are derivatives.
///
/// # Errors
/// Where the covariance is not positive definite.
pub fn log_marginal_likelihood(
    at: &Hyperparameters,
    kernel: &dyn Kernel,
    observations: &Observations,
    gradient: &mut [f64],
) -> Result<f64, SurrogateError> {
    log_marginal_likelihood_in(&mut Record::default(), at, kernel, observations, gradient)
}

/// The same in memory that is used again and again.
fn log_marginal_likelihood_in(
    record: &mut Record,
    at: &Hyperparameters,
    kernel: &dyn Kernel,
    observations: &Observations,
    gradient: &mut [f64],
) -> Result<f64, SurrogateError> {
    let n = observations.len();
    let noise = at.noise.with(observations);
    let mut covariance = observations.recorded_covariance(kernel, record);
    (0..n).for_each(|i| covariance.add_to_diagonal(i, noise[i]));
    let factor = Factor::of(covariance).ok_or(SurrogateError::NotPositiveDefinite { observations: n })?;
    let centred: Vec<f64> = (0..n).map(|i| observations.centred(i, at.mean)).collect();
    let mut weights = centred.clone();
    factor.solve(&mut weights);
    // ααᵀ − K⁻¹.
    let mut coefficients = factor.inverse_above();
    for j in 0..n {
        let weight = weights[j];
        for (entry, other) in coefficients.column_mut(j)[..=j].iter_mut().zip(&weights) {
            *entry = weight * other - *entry;
        }
    }
    gradient.fill(0.0);
    let count = at.kernel.len();
    observations.add_recorded_log_gradient(kernel, record, &coefficients, &mut gradient[..count]);
    let last = gradient.len() - 1;
    for i in 0..n {
        let diagonal = 0.5 * coefficients.at(i, i);
        match observations.functional(i) {
            Functional::Value => {
                gradient[count] += diagonal * at.noise.value;
                gradient[last] += weights[i];
            }
            Functional::Derivative { .. } => gradient[count + 1] += diagonal * at.noise.derivative,
        }
    }
    #[allow(clippy::cast_precision_loss)]
    let constant = n as f64 * (2.0 * std::f64::consts::PI).ln();
    Ok(-0.5 * (dot(&centred, &weights) + factor.log_determinant() + constant))
}

/// ln p(θ | X, y) up to a constant: [`log_marginal_likelihood`] and the priors' log densities, likewise with its
/// gradient. Densities are in the hyperparameters themselves (not their logarithms), as the priors are stated.
///
/// # Errors
/// As [`log_marginal_likelihood`].
pub fn log_posterior(
    at: &Hyperparameters,
    kernel: &dyn Kernel,
    observations: &Observations,
    gradient: &mut [f64],
) -> Result<f64, SurrogateError> {
    log_posterior_in(&mut Record::default(), at, kernel, observations, gradient)
}

/// The same in memory that is used again and again.
pub(super) fn log_posterior_in(
    record: &mut Record,
    at: &Hyperparameters,
    kernel: &dyn Kernel,
    observations: &Observations,
    gradient: &mut [f64],
) -> Result<f64, SurrogateError> {
    let mut value = log_marginal_likelihood_in(record, at, kernel, observations, gradient)?;
    let free = at.to_free(observations.has_derivatives());
    let last = free.len() - 1;
    for (i, role) in kernel.roles().into_iter().enumerate() {
        value += log_prior(role, kernel.distances().len(), free[i], &mut gradient[i]);
    }
    for i in at.kernel.len()..last {
        value += normal(free[i], NOISE_PRIOR, &mut gradient[i]);
    }
    value += normal(free[last], MEAN_PRIOR, &mut gradient[last]);
    Ok(value)
}

/// The log prior density of a kernel's hyperparameter in d dimensions, in terms of its logarithm x.
pub(super) fn log_prior(role: Role, d: usize, x: f64, gradient: &mut f64) -> f64 {
    match role {
        Role::Lengthscale { .. } => log_normal(x, lengthscale_prior(d), gradient),
        Role::MainEffect { .. } => log_normal(x, lengthscale_prior(1), gradient),
        Role::Variance => normal(x, VARIANCE_PRIOR, gradient),
        Role::Trend => normal(x, TREND_PRIOR, gradient),
        Role::Warping { .. } => normal(x, WARPING_PRIOR, gradient),
    }
}

/// The log-normal log density of e^x in terms of x, up to a constant.
fn log_normal(x: f64, prior: (f64, f64), gradient: &mut f64) -> f64 {
    *gradient -= 1.0;
    -x + normal(x, prior, gradient)
}

/// The normal log density of x, up to a constant.
fn normal(x: f64, (location, scale): (f64, f64), gradient: &mut f64) -> f64 {
    let z = (x - location) / scale;
    *gradient -= z / scale;
    -0.5 * z * z
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surrogate::{Distance, Matern52};

    fn assert_gradient(kernel: &dyn Kernel, observations: &Observations, at: &[f64]) {
        let has_derivatives = observations.has_derivatives();
        let value = |free: &[f64], gradient: &mut [f64]| {
            let at = Hyperparameters::from_free(free, has_derivatives);
            log_posterior(&at, at.kernel(kernel).as_ref(), observations, gradient).unwrap()
        };
        let mut gradient = vec![0.0; at.len()];
        value(at, &mut gradient);
        for i in 0..at.len() {
            let (mut above, mut below, mut unused) = (at.to_vec(), at.to_vec(), gradient.clone());
            above[i] += 1e-5;
            below[i] -= 1e-5;
            let slope = (value(&above, &mut unused) - value(&below, &mut unused)) / 2e-5;
            assert!((slope - gradient[i]).abs() < 1e-7 * (1.0 + slope.abs()), "{i}: {slope} {gradient:?}");
        }
    }

    const INPUTS: [f64; 15] =
        [0.1, 0.0, 0.3, 0.7, 1.0, f64::NAN, 0.4, 1.0, 0.8, 0.95, 0.0, 0.1, 0.2, 0.0, f64::NAN];

    fn observations() -> Observations {
        let distances = [Distance::Numeric, Distance::Overlap, Distance::Numeric];
        Observations::new(&distances, &INPUTS, &[0.4, -1.2, 0.9, 0.3, -0.5], &[0.0, 0.01, 0.0, 0.2, 0.0])
    }

    #[test]
    fn the_gradient_equals_finite_differences() {
        let observations = observations();
        let kernel = Matern52::new(observations.points().distances(), &[1.0; 3], 1.0);
        assert_gradient(&kernel, &observations, &[-0.7, 0.3, -0.2, 0.4, -3.0, 0.2]);
    }

    #[test]
    fn the_gradient_with_derivatives_equals_finite_differences() {
        let mut observations = observations();
        observations.push_derivative(0, 0, 0.7, 0.0);
        observations.push_derivative(2, 2, -0.3, 0.01);
        observations.push(&[0.55, 1.0, 0.4], 0.1, 0.0);
        observations.push_derivative(2, 0, 0.1, 0.0);
        let kernel = Matern52::new(observations.points().distances(), &[1.0; 3], 1.0);
        assert_gradient(&kernel, &observations, &[-0.7, 0.3, -0.2, 0.4, -3.0, -2.0, 0.2]);
    }

    #[test]
    fn the_likelihood_is_that_of_the_process() {
        let observations = observations();
        let kernel = Matern52::new(observations.points().distances(), &[1.0; 3], 1.0);
        let noise = Noise { value: 0.1, derivative: 0.0 };
        let at = Hyperparameters { kernel: vec![0.3, 0.8, 0.5, 1.2], noise, mean: 0.1 };
        let value =
            log_marginal_likelihood(&at, at.kernel(&kernel).as_ref(), &observations, &mut [0.0; 6]).unwrap();
        let process = at.process(&kernel, observations).unwrap();
        assert!((value - process.log_marginal_likelihood()).abs() < 1e-12);
    }
}
