//! The fit of the hyperparameters: maximum a posteriori by multi-start quasi-Newton with analytic gradients.
//!
//! Free are the log lengthscales, the log signal variance, the log noise variance and the constant mean. Priors:
//! - lengthscales: log-normal with location √2 + ½ ln d and scale √3, which suits any dimension (Hvarfner, Hellsten &
//!   Nardi, arXiv 2402.02229);
//! - signal variance: log-normal around 1, for outputs are standardized;
//! - noise variance: log-normal around 10⁻⁴ and wide, so that a noise-free function is recognized as such;
//! - mean: normal around 0.
//!
//! The gradient of ln p(y | X) in θ is ½ tr((ααᵀ − K⁻¹) ∂K/∂θ) (Rasmussen & Williams, eq. 5.9). An evaluation costs
//! about n³ + ½ n² d.

use faer::Mat;

use super::{Distance, GaussianProcess, Matern52, SurrogateError};
use crate::quasi_newton::{Bounds, minimize};
use crate::space::sobol::Sobol;

/// What a Gaussian process is made with.
#[derive(Clone, Debug, PartialEq)]
pub struct Hyperparameters {
    /// One lengthscale a coordinate, in units of the unit cube.
    pub lengthscales: Vec<f64>,
    /// s², in units of the standardized output's variance.
    pub signal_variance: f64,
    /// Variance of the noise of an observation, in the same units.
    pub noise_variance: f64,
    /// The constant prior mean of the standardized output.
    pub mean: f64,
}

/// Starting places of the fit beside the prior's centre.
const STARTS: usize = 1;
/// Most iterations from one start.
const ITERATIONS: u64 = 60;
/// Bounds of the logarithms.
const LOG_LENGTHSCALE: (f64, f64) = (-5.3, 5.3);
const LOG_SIGNAL: (f64, f64) = (-6.9, 6.9);
const LOG_NOISE: (f64, f64) = (-20.7, 0.7);
const MEAN: (f64, f64) = (-5.0, 5.0);
/// Location and scale of the priors of the logarithms.
const SIGNAL_PRIOR: (f64, f64) = (0.0, 1.5);
const NOISE_PRIOR: (f64, f64) = (-9.2, 4.0);
const MEAN_PRIOR: (f64, f64) = (0.0, 1.0);

impl Hyperparameters {
    /// The kernel with these.
    pub fn kernel(&self, distances: &[Distance]) -> Matern52 {
        Matern52::new(distances, &self.lengthscales, self.signal_variance)
    }

    /// The process with these. `known_noise`: noise variances that add to the learned one.
    ///
    /// # Errors
    /// As [`GaussianProcess::new`].
    pub fn process(
        &self,
        distances: &[Distance],
        inputs: &[f64],
        outputs: &[f64],
        known_noise: &[f64],
    ) -> Result<GaussianProcess, SurrogateError> {
        let noise: Vec<f64> = known_noise.iter().map(|known| known + self.noise_variance).collect();
        GaussianProcess::new(self.kernel(distances), self.mean, inputs, outputs, &noise)
    }

    fn to_free(&self) -> Vec<f64> {
        let mut free: Vec<f64> = self.lengthscales.iter().map(|l| l.ln()).collect();
        free.extend([self.signal_variance.ln(), self.noise_variance.ln(), self.mean]);
        free
    }

    fn from_free(free: &[f64]) -> Self {
        let d = free.len() - 3;
        Self {
            lengthscales: free[..d].iter().map(|l| l.exp()).collect(),
            signal_variance: free[d].exp(),
            noise_variance: free[d + 1].exp(),
            mean: free[d + 2],
        }
    }
}

/// Location and scale of the log lengthscales' prior in d dimensions.
#[allow(clippy::cast_precision_loss)]
fn lengthscale_prior(d: usize) -> (f64, f64) {
    (std::f64::consts::SQRT_2 + 0.5 * (d.max(1) as f64).ln(), 3.0_f64.sqrt())
}

/// Observations to fit to, with δᵢ of every pair of them: computed once, and used by every evaluation.
pub struct Observations<'a> {
    distances: &'a [Distance],
    inputs: &'a [f64],
    outputs: &'a [f64],
    known_noise: &'a [f64],
    /// δᵢ(xⱼ, xₖ) for j < k, the coordinates of a pair side by side.
    deltas: Vec<f64>,
}

impl<'a> Observations<'a> {
    /// `outputs` at `inputs` (row after row), each with a noise variance that is known of it. O(n²·d).
    pub fn new(
        distances: &'a [Distance],
        inputs: &'a [f64],
        outputs: &'a [f64],
        known_noise: &'a [f64],
    ) -> Self {
        let (n, d) = (outputs.len(), distances.len());
        let mut deltas = Vec::with_capacity(n * n.saturating_sub(1) / 2 * d);
        for j in 0..n {
            for k in j + 1..n {
                let pair = inputs[j * d..(j + 1) * d].iter().zip(&inputs[k * d..(k + 1) * d]);
                deltas.extend(pair.zip(distances).map(|((&u, &v), distance)| distance.squared(u, v)));
            }
        }
        Self { distances, inputs, outputs, known_noise, deltas }
    }
}

/// The hyperparameters with the greatest posterior density that the search finds. A pure function of its arguments.
///
/// # Errors
/// As [`GaussianProcess::new`] at the priors' modes.
pub fn fit(observations: &Observations<'_>, seed: u64) -> Result<Hyperparameters, SurrogateError> {
    let d = observations.distances.len();
    let centre = centre(d);
    let Observations { distances, inputs, outputs, known_noise, .. } = *observations;
    centre.process(distances, inputs, outputs, known_noise)?;
    let (lower, upper) = box_of(d);
    let objective = |free: &[f64], gradient: &mut [f64]| -> f64 {
        match log_posterior(&Hyperparameters::from_free(free), observations, gradient) {
            Ok(value) => {
                gradient.iter_mut().for_each(|g| *g = -*g);
                -value
            }
            Err(_) => f64::INFINITY,
        }
    };
    let bounds = Bounds { lower: &lower, upper: &upper, iterations: ITERATIONS, tolerance: 1e-6 };
    let best = starts(&centre, d, seed)
        .iter()
        .map(|start| minimize(&objective, start, &bounds))
        .min_by(|a, b| a.value.total_cmp(&b.value));
    Ok(best.filter(|best| best.value.is_finite()).map_or(centre, |best| Hyperparameters::from_free(&best.x)))
}

/// The modes of the priors: where the fit starts, and what is left when there is too little to fit.
fn centre(d: usize) -> Hyperparameters {
    let (location, scale) = lengthscale_prior(d);
    Hyperparameters {
        lengthscales: vec![(location - scale * scale).exp().max(0.2); d],
        signal_variance: 1.0,
        noise_variance: 1e-4,
        mean: 0.0,
    }
}

fn box_of(d: usize) -> (Vec<f64>, Vec<f64>) {
    let mut lower = vec![LOG_LENGTHSCALE.0; d];
    lower.extend([LOG_SIGNAL.0, LOG_NOISE.0, MEAN.0]);
    let mut upper = vec![LOG_LENGTHSCALE.1; d];
    upper.extend([LOG_SIGNAL.1, LOG_NOISE.1, MEAN.1]);
    (lower, upper)
}

fn starts(centre: &Hyperparameters, d: usize, seed: u64) -> Vec<Vec<f64>> {
    let sobol = Sobol::new(d + 2, seed);
    let mut starts = vec![centre.to_free()];
    for index in 0..STARTS {
        let uniform = sobol.point(index as u64);
        let mut start = centre.to_free();
        for i in 0..d {
            start[i] = -2.3 + 3.7 * uniform[i];
        }
        start[d] = -1.0 + 2.0 * uniform[d];
        start[d + 1] = -16.0 + 15.0 * uniform[d + 1];
        starts.push(start);
    }
    starts
}

/// ln p(y | X, θ) with its gradient in (ln ℓ, ln s², ln noise, mean), written to `gradient`.
///
/// # Errors
/// As [`GaussianProcess::new`].
pub fn log_marginal_likelihood(
    at: &Hyperparameters,
    observations: &Observations<'_>,
    gradient: &mut [f64],
) -> Result<f64, SurrogateError> {
    let (n, d) = (observations.outputs.len(), observations.distances.len());
    let kernel = at.kernel(observations.distances);
    let noise: Vec<f64> = observations.known_noise.iter().map(|known| known + at.noise_variance).collect();
    let mut covariance = Mat::<f64>::zeros(n, n);
    let mut slopes = Vec::with_capacity(observations.deltas.len() / d.max(1));
    let mut pairs = observations.deltas.chunks_exact(d.max(1));
    for j in 0..n {
        covariance[(j, j)] = kernel.variance() + noise[j];
        for (k, deltas) in (j + 1..n).zip(pairs.by_ref()) {
            let r2: f64 = deltas.iter().zip(kernel.weights()).map(|(delta, weight)| delta * weight).sum();
            let (value, slope) = kernel.value_and_slope(r2);
            covariance[(k, j)] = value;
            slopes.push(slope);
        }
    }
    let process = GaussianProcess::factored(
        kernel,
        at.mean,
        observations.inputs,
        observations.outputs,
        &noise,
        &covariance,
    )?;
    let weights = process.weights();
    let inverse = process.inverse();
    gradient.fill(0.0);
    let mut trace = 0.0;
    let mut pairs = observations.deltas.chunks_exact(d.max(1)).zip(&slopes);
    for j in 0..n {
        let diagonal = weights[j] * weights[j] - inverse[(j, j)];
        trace += diagonal;
        gradient[d] += 0.5 * diagonal * at.signal_variance;
        for (k, (deltas, slope)) in (j + 1..n).zip(pairs.by_ref()) {
            // Twice one half: the pair stands in both triangles.
            let weight = weights[k] * weights[j] - inverse[(k, j)];
            gradient[d] += weight * covariance[(k, j)];
            // ∂k/∂ln ℓᵢ = slope · δᵢ/ℓᵢ²; the last factor is put on below.
            let factor = weight * slope;
            gradient.iter_mut().zip(deltas).for_each(|(sum, delta)| *sum += factor * delta);
        }
    }
    gradient.iter_mut().zip(process.kernel().weights()).for_each(|(sum, weight)| *sum *= weight);
    gradient[d + 1] = 0.5 * trace * at.noise_variance;
    gradient[d + 2] = weights.iter().sum();
    Ok(process.log_marginal_likelihood())
}

/// ln p(θ | X, y) up to a constant: [`log_marginal_likelihood`] and the priors' log densities, likewise with its
/// gradient. Densities are in the hyperparameters themselves (not their logarithms), as the priors are stated.
///
/// # Errors
/// As [`GaussianProcess::new`].
pub fn log_posterior(
    at: &Hyperparameters,
    observations: &Observations<'_>,
    gradient: &mut [f64],
) -> Result<f64, SurrogateError> {
    let mut value = log_marginal_likelihood(at, observations, gradient)?;
    let d = observations.distances.len();
    let free = at.to_free();
    let (location, scale) = lengthscale_prior(d);
    for i in 0..d {
        value += log_normal(free[i], location, scale, &mut gradient[i]);
    }
    value += normal(free[d], SIGNAL_PRIOR, &mut gradient[d]);
    value += normal(free[d + 1], NOISE_PRIOR, &mut gradient[d + 1]);
    value += normal(free[d + 2], MEAN_PRIOR, &mut gradient[d + 2]);
    Ok(value)
}

/// The log-normal log density of e^x in terms of x, up to a constant.
fn log_normal(x: f64, location: f64, scale: f64, gradient: &mut f64) -> f64 {
    *gradient -= 1.0;
    -x + normal(x, (location, scale), gradient)
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

    #[test]
    fn the_gradient_equals_finite_differences() {
        let distances = [Distance::Numeric, Distance::Overlap, Distance::Numeric];
        let inputs = [0.1, 0.0, 0.3, 0.7, 1.0, f64::NAN, 0.4, 1.0, 0.8, 0.95, 0.0, 0.1, 0.2, 0.0, f64::NAN];
        let (outputs, known) = ([0.4, -1.2, 0.9, 0.3, -0.5], [0.0, 0.01, 0.0, 0.2, 0.0]);
        let observations = Observations::new(&distances, &inputs, &outputs, &known);
        let at = vec![-0.7, 0.3, -0.2, 0.4, -3.0, 0.2];
        let value = |free: &[f64]| {
            log_posterior(&Hyperparameters::from_free(free), &observations, &mut [0.0; 6]).unwrap()
        };
        let mut gradient = [0.0; 6];
        log_posterior(&Hyperparameters::from_free(&at), &observations, &mut gradient).unwrap();
        for i in 0..6 {
            let (mut above, mut below) = (at.clone(), at.clone());
            above[i] += 1e-5;
            below[i] -= 1e-5;
            let slope = (value(&above) - value(&below)) / 2e-5;
            assert!((slope - gradient[i]).abs() < 1e-7 * (1.0 + slope.abs()), "{i}: {slope} {gradient:?}");
        }
    }

    #[test]
    fn the_likelihood_is_that_of_the_process() {
        let (inputs, outputs) = ([0.1, 0.5, 0.9], [1.0, -0.5, 0.2]);
        let at =
            Hyperparameters { lengthscales: vec![0.3], signal_variance: 1.2, noise_variance: 0.1, mean: 0.1 };
        let observations = Observations::new(&[Distance::Numeric], &inputs, &outputs, &[0.0; 3]);
        let value = log_marginal_likelihood(&at, &observations, &mut [0.0; 4]).unwrap();
        let process = at.process(&[Distance::Numeric], &inputs, &outputs, &[0.0; 3]).unwrap();
        assert!((value - process.log_marginal_likelihood()).abs() < 1e-12);
    }
}
