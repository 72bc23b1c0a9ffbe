//! Functions drawn from the posterior, as functions: to be maximized by themselves (Thompson sampling) or looked at as
//! a whole (entropy search).
//!
//! A function drawn from the prior by random waves is corrected exactly at the observations (Matheron's rule; Wilson et
//! al., *Efficiently Sampling Functions from Gaussian Process Posteriors*, arXiv 2002.09309, eq. 13):
//! f(x) = g(x) + k(x, X) K⁻¹ (y − g(X) − ε), with ε drawn from the noise. Away from the observations it is as good as
//! the number of waves. Costs: n² + n·w·d to draw, (n + w)·d a value with gradient, for w waves.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::gaussian_process::GaussianProcess;
use super::kernel::{Wave, normal};
use super::lanes::dot;
use super::observations::Functional;

/// How many waves a function has for each term of the kernel.
const WAVES: usize = 512;

/// One function drawn from a posterior.
#[derive(Clone, Debug)]
pub struct Path<'a> {
    process: &'a GaussianProcess,
    /// Waves with their amplitudes times √2 times a normal weight.
    waves: Vec<Wave>,
    /// K⁻¹ (y − g(X) − ε).
    correction: Vec<f64>,
}

impl GaussianProcess {
    /// A function drawn from the posterior, from a seed.
    pub fn path(&self, seed: u64) -> Path<'_> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut waves = self.kernel.waves(WAVES, seed);
        for wave in &mut waves {
            wave.amplitude *= std::f64::consts::SQRT_2 * normal(&mut rng);
        }
        let mut path = Path { process: self, waves, correction: Vec::new() };
        let mut gradient = vec![0.0; self.dimension()];
        let mut correction: Vec<f64> = (0..self.observations())
            .map(|i| {
                let drawn = match self.observations.functional(i) {
                    Functional::Value => path.prior(self.input(i)),
                    Functional::Derivative { coordinate } => {
                        gradient.fill(0.0);
                        path.add_prior_gradient(self.input(i), &mut gradient);
                        gradient[coordinate]
                    }
                };
                self.observations.centred(i, self.mean) - drawn - self.noise[i].sqrt() * normal(&mut rng)
            })
            .collect();
        self.factor.solve(&mut correction);
        path.correction = correction;
        path
    }
}

impl Path<'_> {
    /// f(x).
    pub fn value(&self, x: &[f64]) -> f64 {
        self.process.mean + self.prior(x) + dot(&self.process.covariances(x), &self.correction)
    }

    /// f(x); adds its gradient to `gradient`.
    pub fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let kernel = self.process.kernel();
        self.process.observations.add_gradient(kernel, x, &self.correction, gradient);
        let prior = self.add_prior_gradient(x, gradient);
        self.process.mean + prior + dot(&self.process.covariances(x), &self.correction)
    }

    fn prior(&self, x: &[f64]) -> f64 {
        let place = self.process.kernel.wave_place(x);
        let x = place.as_ref().map_or(x, |(place, _)| place);
        let of = |wave: &Wave| wave.amplitude * wave.product_at(x) * libm::cos(wave.phase_at(x));
        self.waves.iter().map(of).sum()
    }

    /// g(x); adds its gradient.
    fn add_prior_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let Some((place, slopes)) = self.process.kernel.wave_place(x) else {
            return self.add_wave_gradient(x, gradient);
        };
        let mut of_place = vec![0.0; x.len()];
        let value = self.add_wave_gradient(&place, &mut of_place);
        let both = of_place.iter().zip(&slopes);
        gradient.iter_mut().zip(both).for_each(|(sum, (g, slope))| *sum += g * slope);
        value
    }

    /// The sum of the waves at `x`; adds its gradient.
    fn add_wave_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let mut sum = 0.0;
        for wave in &self.waves {
            let (sin, cos) = libm::sincos(wave.phase_at(x));
            let amplitude = wave.amplitude * wave.product_at(x);
            sum += amplitude * cos;
            wave.add_product_gradient(x, wave.amplitude * cos, gradient);
            for (a, slope) in gradient.iter_mut().enumerate() {
                if !x[a].is_nan() {
                    *slope -= amplitude * sin * wave.along[a];
                }
            }
        }
        sum
    }
}
