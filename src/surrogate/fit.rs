//! The fit of the hyperparameters: maximum a posteriori by multi-start quasi-Newton with analytic gradients.
//!
//! Free are the logarithms of the kernel's hyperparameters and of the noise variances, and the constant mean; the
//! priors are in [`log_posterior`]. Starts: the priors' centre; a scrambled Sobol point or, where the kernel has trends,
//! the place where these explain nearly everything; and, of enough observations, a place where noise explains much. Or
//! hyperparameters known from before.

use std::cell::RefCell;

use super::gaussian_process::{Noise, SurrogateError};
use super::kernel::{Kernel, Record, Role};
use super::likelihood::{Hyperparameters, lengthscale_prior, log_posterior_in};
use super::observations::Observations;
use crate::quasi_newton::{Bounds, Differentiable, Minimum, minimize};
use crate::space::sobol::Sobol;

/// Starting places of the fit beside the prior's centre.
const STARTS: u64 = 1;
/// Most iterations from one start, and the gain relative to the value's size below which they end: what a tighter
/// one gains is below what two transforms of the output differ by.
const ITERATIONS: u64 = 60;
/// Iterations of a climb before it is compared with others: enough to tell which is worth finishing.
const SCOUTING: u64 = 3;
const TOLERANCE: f64 = 1e-3;
/// Observations a coordinate from which on a rugged function and a noisy one can be told apart. Of fewer, a search does
/// better to take the function for rugged (`docs/decisions/hyperparameters.md`).
const TELLS_NOISE: usize = 10;
/// The noise variance of the start where it explains much.
const MUCH_NOISE: f64 = 0.1;
/// Bounds of the logarithms.
const LOG_LENGTHSCALE: (f64, f64) = (-5.3, 5.3);
const LOG_VARIANCE: (f64, f64) = (-6.9, 6.9);
const LOG_TREND: (f64, f64) = (-14.0, 7.0);
const LOG_WARPING: (f64, f64) = (-2.3, 2.3);
const LOG_NOISE: (f64, f64) = (-28.0, 0.7);
const MEAN: (f64, f64) = (-5.0, 5.0);

/// The hyperparameters with the greatest posterior density that the search finds, for a kernel of the form of
/// `kernel`. A pure function of its arguments.
///
/// # Errors
/// As [`GaussianProcess::condition`](super::GaussianProcess::condition) at the priors' centre.
pub fn fit(
    kernel: &dyn Kernel,
    observations: &Observations,
    seed: u64,
) -> Result<Hyperparameters, SurrogateError> {
    Ok(Climb::scout(kernel, observations, seed)?.finish(observations).hyperparameters())
}

/// The same from hyperparameters that are known from before, and from nowhere else: for a few more observations.
///
/// # Errors
/// As [`fit`].
pub fn fit_from(
    start: &Hyperparameters,
    kernel: &dyn Kernel,
    observations: &Observations,
) -> Result<Hyperparameters, SurrogateError> {
    let starts = [start.to_free(observations.has_derivatives())];
    Ok(Climb::from(&starts, kernel, observations, ITERATIONS)?.hyperparameters())
}

/// A climb to the greatest posterior density that may pause: several are compared before one is finished.
pub(super) struct Climb<'a> {
    kernel: &'a dyn Kernel,
    has_derivatives: bool,
    at: Minimum,
}

impl<'a> Climb<'a> {
    /// The best of the starts after a few iterations.
    ///
    /// # Errors
    /// As [`fit`].
    pub(super) fn scout(
        kernel: &'a dyn Kernel,
        observations: &Observations,
        seed: u64,
    ) -> Result<Self, SurrogateError> {
        let starts = starts(kernel, observations, seed);
        Self::from(&starts, kernel, observations, SCOUTING)
    }

    /// The best end of climbs from some starts, at least one; where none has a finite density, the first start.
    fn from(
        starts: &[Vec<f64>],
        kernel: &'a dyn Kernel,
        observations: &Observations,
        iterations: u64,
    ) -> Result<Self, SurrogateError> {
        centre(kernel).process(kernel, observations.clone())?;
        let has_derivatives = observations.has_derivatives();
        let climbs = starts.iter().map(|start| {
            within(kernel, observations, iterations, |objective, bounds| minimize(objective, start, bounds))
        });
        let Some(at) = climbs.min_by(|a, b| a.value.total_cmp(&b.value)) else {
            return Err(SurrogateError::Empty);
        };
        Ok(Self { kernel, has_derivatives, at })
    }

    /// A few iterations more.
    pub(super) fn go_on(self, observations: &Observations) -> Self {
        self.climb_on(observations, SCOUTING)
    }

    /// To the top.
    pub(super) fn finish(self, observations: &Observations) -> Self {
        self.climb_on(observations, ITERATIONS)
    }

    fn climb_on(self, observations: &Observations, iterations: u64) -> Self {
        let at = within(self.kernel, observations, iterations, |objective, bounds| {
            self.at.go_on(objective, bounds)
        });
        Self { at, ..self }
    }

    /// A few iterations with the same places and other outputs, from here.
    pub(super) fn change(&self, observations: &Observations) -> Self {
        self.change_from(&[], observations)
    }

    /// The same for outputs of another scale: from here or from the priors' centre, whichever is better.
    pub(super) fn change_scale(&self, observations: &Observations) -> Self {
        self.change_from(&[centre(self.kernel).to_free(self.has_derivatives)], observations)
    }

    fn change_from(&self, starts: &[Vec<f64>], observations: &Observations) -> Self {
        let at = within(self.kernel, observations, SCOUTING, |objective, bounds| {
            self.at.change(objective, starts, bounds)
        });
        Self { at, ..*self }
    }

    /// ln of the posterior density, up to a constant; −∞ where it is not finite.
    pub(super) fn log_density(&self) -> f64 {
        -self.at.value
    }

    /// Where it stands.
    pub(super) fn hyperparameters(&self) -> Hyperparameters {
        Hyperparameters::from_free(&self.at.x, self.has_derivatives)
    }
}

/// Runs `climb` on the negative log posterior density and its box.
fn within(
    kernel: &dyn Kernel,
    observations: &Observations,
    iterations: u64,
    climb: impl FnOnce(&dyn Differentiable, &Bounds<'_>) -> Minimum,
) -> Minimum {
    let has_derivatives = observations.has_derivatives();
    let (lower, upper) = box_of(kernel, has_derivatives);
    let memory = RefCell::new((kernel.boxed(), Record::default()));
    let objective = |free: &[f64], gradient: &mut [f64]| -> f64 {
        let at = Hyperparameters::from_free(free, has_derivatives);
        let (kernel, record) = &mut *memory.borrow_mut();
        kernel.set_hyperparameters(&at.kernel);
        match log_posterior_in(record, &at, kernel.as_ref(), observations, gradient) {
            Ok(value) => {
                gradient.iter_mut().for_each(|g| *g = -*g);
                -value
            }
            Err(_) => f64::INFINITY,
        }
    };
    climb(&objective, &Bounds { lower: &lower, upper: &upper, iterations, tolerance: TOLERANCE })
}

/// The modes of the priors: where the fit starts, and what is left when there is too little to fit.
fn centre(kernel: &dyn Kernel) -> Hyperparameters {
    let (location, scale) = lengthscale_prior(kernel.distances().len());
    let of = |role: Role| match role {
        Role::Lengthscale { .. } => (location - scale * scale).exp().max(0.2),
        Role::MainEffect { .. } => 0.3,
        Role::Variance => 1.0,
        Role::Trend => 0.018,
        Role::Warping { .. } => 1.0,
    };
    Hyperparameters {
        kernel: kernel.roles().into_iter().map(of).collect(),
        noise: Noise { value: 1e-4, derivative: 1e-4 },
        mean: 0.0,
    }
}

fn box_of(kernel: &dyn Kernel, has_derivatives: bool) -> (Vec<f64>, Vec<f64>) {
    let mut bounds: Vec<(f64, f64)> = kernel
        .roles()
        .into_iter()
        .map(|role| match role {
            Role::Lengthscale { .. } => LOG_LENGTHSCALE,
            Role::MainEffect { .. } => LOG_LENGTHSCALE,
            Role::Variance => LOG_VARIANCE,
            Role::Trend => LOG_TREND,
            Role::Warping { .. } => LOG_WARPING,
        })
        .collect();
    bounds.push(LOG_NOISE);
    if has_derivatives {
        bounds.push(LOG_NOISE);
    }
    bounds.push(MEAN);
    bounds.into_iter().unzip()
}

fn starts(kernel: &dyn Kernel, observations: &Observations, seed: u64) -> Vec<Vec<f64>> {
    let has_derivatives = observations.has_derivatives();
    let centre = &centre(kernel);
    let roles = kernel.roles();
    let mut starts = vec![centre.to_free(has_derivatives)];
    if roles.contains(&Role::Trend) {
        starts.push(of_trends(&roles, centre).to_free(has_derivatives));
    } else {
        starts.extend((0..STARTS).map(|index| drawn(&roles, centre.to_free(has_derivatives), seed, index)));
    }
    if observations.outputs().len() >= TELLS_NOISE * kernel.distances().len() {
        let noise = Noise { value: MUCH_NOISE, ..centre.noise };
        starts.push(Hyperparameters { noise, ..centre.clone() }.to_free(has_derivatives));
    }
    starts
}

/// A scrambled Sobol point, its other coordinates those of the centre.
fn drawn(roles: &[Role], mut start: Vec<f64>, seed: u64, index: u64) -> Vec<f64> {
    let uniform = Sobol::new(roles.len() + 1, seed).point(index);
    for (i, role) in roles.iter().enumerate() {
        start[i] = match role {
            Role::Lengthscale { .. } => -2.3 + 3.7 * uniform[i],
            Role::Variance => -1.0 + 2.0 * uniform[i],
            // Kernels with these start elsewhere.
            Role::Trend | Role::MainEffect { .. } | Role::Warping { .. } => start[i],
        };
    }
    start[roles.len()] = -16.0 + 15.0 * uniform[roles.len()];
    start
}

/// Where the trends explain nearly everything: an optimum of its own, for functions that are of their kind.
fn of_trends(roles: &[Role], centre: &Hyperparameters) -> Hyperparameters {
    let mut start = centre.clone();
    for (value, role) in start.kernel.iter_mut().zip(roles) {
        match role {
            Role::Trend => *value = 2.7,
            Role::Variance => *value = 0.018,
            Role::Lengthscale { .. } | Role::MainEffect { .. } | Role::Warping { .. } => {}
        }
    }
    start.noise = Noise { value: 1e-7, ..start.noise };
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surrogate::{Distance, Matern52, log_posterior};

    #[test]
    fn a_warm_start_ends_where_a_cold_one_does() {
        let inputs: Vec<f64> = (0..40).map(|i| f64::from(i * 17 % 40) / 39.0).collect();
        let outputs: Vec<f64> = inputs.chunks(2).map(|x| (5.0 * x[0]).sin() + 0.3 * x[1]).collect();
        let observations = Observations::new(&[Distance::Numeric; 2], &inputs, &outputs, &[0.0; 20]);
        let kernel = Matern52::new(&[Distance::Numeric; 2], &[1.0; 2], 1.0);
        let cold = fit(&kernel, &observations, 3).unwrap();
        let warm = fit_from(&cold, &kernel, &observations).unwrap();
        let density = |at: &Hyperparameters| {
            log_posterior(at, at.kernel(&kernel).as_ref(), &observations, &mut [0.0; 5]).unwrap()
        };
        assert!(density(&warm) >= density(&cold));
        assert!(density(&warm) - density(&cold) < 0.5, "{} {}", density(&warm), density(&cold));
    }
}
