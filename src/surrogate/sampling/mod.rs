//! Samples of the hyperparameters from their posterior: what is not known of them is averaged over, where a single
//! likeliest value would be trusted.
//!
//! The No-U-Turn sampler in the logarithms of the hyperparameters and the mean, from where the fit ended; two priors. A
//! pure function of its arguments. Cost: a bounded number of likelihoods with gradients, n³ + n² d each.

mod nuts;
mod sparse;

#[cfg(test)]
mod tests;

use std::cell::RefCell;

use nuts::Plan;

use super::kernel::{Kernel, Record, Role};
use super::likelihood::{Hyperparameters, log_posterior_in, log_prior};
use super::observations::Observations;
use crate::quasi_newton::{Bounds, Differentiable, minimize};

/// What is believed of the hyperparameters before there are observations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prior {
    /// That of the fit, [`log_posterior`](super::log_posterior).
    Fit,
    /// The sparse axis-aligned prior on the lengthscales (not those of main effects, which are each by themselves), the
    /// fit's on everything else.
    Sparse,
}

/// How many samples are kept: of draws so far apart that they differ.
const SAMPLES: usize = 16;
const WARM_UP: usize = 64;
const DRAWS: usize = 96;
/// What all evaluations together may cost, an evaluation n² (n + d); and how many there are at least and at most.
const WORK: usize = 4_000_000_000;
const LEAST_EVALUATIONS: usize = 1000;
const MOST_EVALUATIONS: usize = 4000;
/// Logarithms beyond this are as good as infinite.
const FARTHEST: f64 = 40.0;
/// Most iterations of the climb to where sampling under the sparse prior starts.
const ITERATIONS: u64 = 60;

/// Samples of the hyperparameters of a kernel of the form of `kernel` from their posterior, at most 16, from a chain
/// that starts near `fitted`. None where the density is not finite there.
pub fn sample(
    kernel: &dyn Kernel,
    observations: &Observations,
    fitted: &Hyperparameters,
    prior: Prior,
    seed: u64,
) -> Vec<Hyperparameters> {
    let plan = plan(observations.len(), kernel.distances().len());
    sample_by(&plan, SAMPLES, &Posterior::new(kernel, observations, prior), fitted, seed)
}

/// Trajectories as long as the work for n observations in d dimensions allows.
fn plan(n: usize, d: usize) -> Plan {
    let each = n.saturating_mul(n).saturating_mul(n + d).max(1);
    let evaluations = (WORK / each).clamp(LEAST_EVALUATIONS, MOST_EVALUATIONS);
    let depth = match evaluations {
        3000.. => 5,
        2000.. => 4,
        _ => 3,
    };
    Plan { warm_up: WARM_UP, draws: DRAWS, depth, evaluations }
}

fn sample_by(
    plan: &Plan,
    samples: usize,
    posterior: &Posterior<'_>,
    fitted: &Hyperparameters,
    seed: u64,
) -> Vec<Hyperparameters> {
    let draws = nuts::sample(posterior, &posterior.start(fitted), plan, seed);
    // The last of as many stretches of equal length.
    let kept = samples.min(draws.len());
    (1..=kept).map(|k| posterior.hyperparameters(&draws[k * draws.len() / kept - 1])).collect()
}

/// The posterior density in the variables that are sampled: ln of the kernel's hyperparameters and of the noise
/// variances, and the mean; under the sparse prior v in the place of each ln ℓ, and t at the end.
struct Posterior<'a> {
    kernel: &'a dyn Kernel,
    observations: &'a Observations,
    prior: Prior,
    roles: Vec<Role>,
    memory: RefCell<(Box<dyn Kernel>, Record)>,
}

impl<'a> Posterior<'a> {
    fn new(kernel: &'a dyn Kernel, observations: &'a Observations, prior: Prior) -> Self {
        let memory = RefCell::new((kernel.boxed(), Record::default()));
        Self { kernel, observations, prior, roles: kernel.roles(), memory }
    }

    /// Whether a hyperparameter has the sparse prior.
    fn is_sparse(&self, role: Role) -> bool {
        self.prior == Prior::Sparse && matches!(role, Role::Lengthscale { .. })
    }

    /// The indices of the hyperparameters that have it.
    fn sparse(&self) -> impl Iterator<Item = usize> {
        let roles = self.roles.iter().enumerate();
        roles.filter(|(_, role)| self.is_sparse(**role)).map(|(i, _)| i)
    }

    /// ln of the hyperparameters, and the mean, for the variables.
    fn free(&self, variables: &[f64]) -> Vec<f64> {
        let mut free = variables.to_vec();
        if self.prior == Prior::Sparse
            && let Some(global) = free.pop()
        {
            for i in self.sparse() {
                free[i] = sparse::log_lengthscale(global, free[i]);
            }
        }
        free
    }

    fn hyperparameters(&self, variables: &[f64]) -> Hyperparameters {
        Hyperparameters::from_free(&self.free(variables), self.observations.has_derivatives())
    }

    /// Where the chain starts: the fit, or under the sparse prior the densest place that climbs from it and from the
    /// prior's centre reach.
    fn start(&self, fitted: &Hyperparameters) -> Vec<f64> {
        let mut start = fitted.to_free(self.observations.has_derivatives());
        if self.prior == Prior::Fit {
            return start;
        }
        let global = sparse::centre();
        start.push(global);
        let mut centre = start.clone();
        for i in self.sparse() {
            start[i] = sparse::local(start[i], global);
            centre[i] = 0.0;
        }
        let (lower, upper) = (vec![-FARTHEST; start.len()], vec![FARTHEST; start.len()]);
        let bounds = Bounds { lower: &lower, upper: &upper, iterations: ITERATIONS, tolerance: 1e-4 };
        let loss = |variables: &[f64], gradient: &mut [f64]| {
            let value = self.evaluate(variables, gradient);
            gradient.iter_mut().for_each(|g| *g = -*g);
            -value
        };
        let climbs = [&start, &centre].map(|from| minimize(&loss, from, &bounds));
        let best = climbs.into_iter().min_by(|a, b| a.value.total_cmp(&b.value));
        best.map_or(start, |minimum| minimum.x)
    }
}

impl Differentiable for Posterior<'_> {
    /// ln of the density, up to a constant, with its gradient.
    fn evaluate(&self, variables: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        if variables.iter().any(|x| x.is_nan() || x.abs() > FARTHEST) {
            return f64::NEG_INFINITY;
        }
        let (at, free) = (self.hyperparameters(variables), self.free(variables));
        let (kernel, record) = &mut *self.memory.borrow_mut();
        kernel.set_hyperparameters(&at.kernel);
        let of_free = &mut gradient[..free.len()];
        let value = log_posterior_in(record, &at, kernel.as_ref(), self.observations, of_free);
        let Ok(mut value) = value else { return f64::NEG_INFINITY };
        let d = self.kernel.distances().len();
        for (i, &role) in self.roles.iter().enumerate() {
            if self.is_sparse(role) {
                let mut of_prior = 0.0;
                value -= log_prior(role, d, free[i], &mut of_prior);
                let half = 0.5 * (gradient[i] - of_prior);
                gradient[i] = -half;
                gradient[free.len()] -= half;
                value += sparse::log_sech(variables[i], &mut gradient[i]);
            } else if matches!(role, Role::Lengthscale { .. } | Role::MainEffect { .. }) {
                // The fit's density is one of ℓ, the chain's one of ln ℓ.
                value += free[i];
                gradient[i] += 1.0;
            }
        }
        if self.prior == Prior::Sparse {
            let global = free.len();
            value += sparse::log_sech(variables[global] - sparse::centre(), &mut gradient[global]);
        }
        value
    }
}
