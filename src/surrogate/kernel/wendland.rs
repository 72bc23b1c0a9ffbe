//! Wendland's function φ₃,₁ = (1 − ρ)⁴ (4ρ + 1) for ρ < 1, else 0 (Wendland, *Adv. Comput. Math.* 4, 1995): twice
//! differentiable like Matérn-5/2, and without an exponential. Positive definite in up to three dimensions, which an
//! effect of one coordinate needs two of: along its axis and beside it.

use pulp::Simd;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::waves::{Wave, normal};
use super::{Shape, waves};
use crate::surrogate::points::Distance;

/// ρ of one lengthscale: the function's width is then about that of a Matérn-5/2 with that lengthscale.
const NARROWING: f64 = 0.3;

/// φ₃,₁(0.3 r).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wendland;

impl Wendland {
    /// [`Shape::value_and_slope`] where r is known: along one axis it takes no root.
    #[inline(always)]
    pub(super) fn at_distance(r: f64) -> (f64, f64) {
        let rho = NARROWING * r;
        let left = (1.0 - rho).max(0.0);
        let cubed = left * left * left;
        (cubed * left * (4.0 * rho + 1.0), 20.0 * NARROWING * NARROWING * cubed)
    }
}

impl Shape for Wendland {
    #[inline(always)]
    fn value_and_slope<S: Simd>(s: f64) -> (f64, f64) {
        Self::at_distance(s.sqrt())
    }

    #[inline(always)]
    fn higher_slopes<S: Simd>(s: f64) -> (f64, f64) {
        let rho = NARROWING * s.sqrt();
        let left = (1.0 - rho).max(0.0);
        let inverse = if rho > 0.0 { 1.0 / rho } else { 0.0 };
        let fourth = NARROWING.powi(4);
        let third = left * (1.0 + rho) * inverse * inverse * inverse;
        (60.0 * fourth * left * left * inverse, 60.0 * fourth * NARROWING * NARROWING * third)
    }

    /// Of one axis. A label's shift has the spread that gives two labels their correlation.
    fn waves(
        axes: &[(usize, Distance, f64)],
        dimension: usize,
        variance: f64,
        count: usize,
        seed: u64,
    ) -> Vec<Wave> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut waves = Vec::with_capacity(count);
        for _ in 0..count {
            let mut wave = waves::still(dimension, variance, count, &mut rng);
            for &(coordinate, distance, lengthscale) in axes {
                match distance {
                    Distance::Numeric => {
                        let [along, beside] = frequency(&mut rng);
                        wave.along[coordinate] = NARROWING / lengthscale * along;
                        wave.beside[coordinate] = NARROWING / lengthscale * beside;
                    }
                    Distance::Overlap => {
                        let (correlation, _) = Self::value_and_slope::<pulp::Scalar>(lengthscale.powi(-2));
                        let spread = (-correlation.ln()).sqrt().min(WIDEST);
                        wave.shift_by_label(coordinate, spread, rng.random());
                    }
                }
            }
            waves.push(wave);
        }
        waves
    }
}

/// A spread of phases that leaves no correlation.
const WIDEST: f64 = 8.0;
/// Scale of the Student's t distribution that frequencies are drawn from first, and the largest ratio of the densities.
const SCALE: f64 = 0.16;
const LARGEST_RATIO: f64 = 1.46;
/// Steps of the quadrature a radian, and at least.
const STEPS_PER_RADIAN: f64 = 8.0;
const FEWEST_STEPS: f64 = 64.0;

/// Two coordinates of a frequency of φ₃,₁ in three dimensions: its length by rejection from the spectral density of
/// Matérn-3/2, which decays as fast; its direction is uniform.
fn frequency(rng: &mut ChaCha8Rng) -> [f64; 2] {
    loop {
        let direction = [normal(rng), normal(rng), normal(rng)];
        let chi_squared: f64 = (0..3).map(|_| normal(rng).powi(2)).sum();
        let spread = 1.0 / (SCALE * chi_squared.sqrt());
        let length = spread * direction.iter().map(|n| n * n).sum::<f64>().sqrt();
        let proposed = 16.0 * SCALE.powi(3) / std::f64::consts::PI * length * length
            / (1.0 + (SCALE * length).powi(2)).powi(3);
        if rng.random::<f64>() * LARGEST_RATIO * proposed < density(length) {
            return [spread * direction[0], spread * direction[1]];
        }
    }
}

/// The density of a frequency's length ω: (2/π) ω ∫₀¹ ρ φ(ρ) sin(ωρ) dρ, by Simpson's rule.
fn density(length: f64) -> f64 {
    let half_steps = (0.5 * (STEPS_PER_RADIAN * length).clamp(FEWEST_STEPS, 1e5)).ceil();
    let step = 0.5 / half_steps;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let count = 2 * half_steps as u32;
    let mut sum = 0.0;
    for k in 1..count {
        let rho = f64::from(k) * step;
        let weight = if k % 2 == 1 { 4.0 } else { 2.0 };
        sum += weight * rho * (1.0 - rho).powi(4) * (4.0 * rho + 1.0) * libm::sin(length * rho);
    }
    2.0 / std::f64::consts::PI * length * sum * step / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_density_of_frequencies_sums_to_one_and_has_its_known_beginning() {
        let step = 0.05;
        let total: f64 = (0..4000).map(|k| step * density((f64::from(k) + 0.5) * step)).sum();
        assert!((total - 1.0).abs() < 1e-4, "{total}");
        // (2/π) ω² ∫ ρ² φ dρ with ∫ = 1/42.
        let expected = 2.0 / std::f64::consts::PI * 0.01 * 0.01 / 42.0;
        assert!((density(0.01) / expected - 1.0).abs() < 1e-4, "{} {expected}", density(0.01));
    }
}
