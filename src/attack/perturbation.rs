//! The gradient of what has none, from values alone: simultaneous perturbation.
//!
//! Source: Spall, *IEEE Trans. Automatic Control* 37, 1992: g ≈ mean over random signs Δ of
//! (F(x + cΔ) − F(x − cΔ)) / (2c) · Δ. With c as large as the attack's radius the estimate sees over steps that are
//! smaller, such as those of quantized outputs and trees. Cost: two values a draw, whatever the dimension.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::curvature::dot;
use super::directed::Ball;

/// Estimates the gradient at the ball's centre from `draws` pairs of values at its corners, kept inside the unit cube.
#[allow(clippy::cast_precision_loss)]
pub fn simultaneous_perturbation(
    ball: &Ball<'_>,
    draws: usize,
    seed: u64,
    value: &mut dyn FnMut(&[f64]) -> f64,
) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n = ball.x.len();
    let mut gradient = vec![0.0; n];
    for _ in 0..draws {
        let signs: Vec<f64> =
            (0..n).map(|_| if rng.random::<bool>() { ball.radius } else { -ball.radius }).collect();
        let back: Vec<f64> = signs.iter().map(|s| -s).collect();
        let (ahead, behind) = (ball.moved(&signs), ball.moved(&back));
        let between: Vec<f64> = ahead.iter().zip(&behind).map(|(a, b)| a - b).collect();
        let length = dot(&between, &between);
        let change = value(&ahead) - value(&behind);
        if length > 0.0 && change.is_finite() {
            // n / ‖Δ‖² instead of 1 / Δᵢ: the same inside the cube, and sound where a corner was moved into it.
            let scale = change * n as f64 / length / draws as f64;
            gradient.iter_mut().zip(&between).for_each(|(g, d)| *g += scale * d);
        }
    }
    gradient
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_draws_agree_with_the_gradient() {
        let slope = [3.0, -1.0, 0.5, 0.0];
        let x = [0.5; 4];
        let ball = Ball { x: &x, radius: 0.01 };
        let estimate = simultaneous_perturbation(&ball, 4000, 1, &mut |z| dot(&slope, z));
        for (e, s) in estimate.iter().zip(&slope) {
            assert!((e - s).abs() < 0.25, "{estimate:?}");
        }
        // Steps of 0.05 hide the slope from small perturbations, not from large ones.
        let mut stairs = |z: &[f64]| (dot(&slope, z) * 20.0).round() / 20.0;
        let near = simultaneous_perturbation(&Ball { x: &x, radius: 1e-6 }, 50, 1, &mut stairs);
        let far = simultaneous_perturbation(&Ball { x: &x, radius: 0.1 }, 50, 1, &mut stairs);
        assert!(dot(&near, &slope).abs() < 1e-12 || near.iter().any(|g| g.abs() > 1e3));
        assert!(dot(&far, &slope) > 5.0);
    }
}
