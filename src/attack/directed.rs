//! Attacks: small changes of the input, within a radius in the maximum norm, that raise the goal most.
//!
//! Source: Bouchet & Vidal, arXiv 2510.01461: the attack operator targeted at u = ∇f(Φ(x)). To first order
//! f(Φ(x + d)) ≈ f(Φ(x)) + ⟨g, d⟩ with g = Jᵀu, one vector-Jacobian product; the operators differ in how they use it.
//! They return a change `d` with `|dᵢ| ≤ r` that keeps x + d in the unit cube; whether it raises the goal is for the
//! caller to see. FGSM: Goodfellow, Shlens & Szegedy, arXiv 1412.6572. PGD: Madry et al., arXiv 1706.06083; with
//! momentum: Dong et al., arXiv 1710.06081. APGD: Croce & Hein, arXiv 2003.01690, section 3.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Where an attack starts: a place in the unit cube, and how far it may go.
#[derive(Clone, Copy, Debug)]
pub struct Ball<'a> {
    /// The centre.
    pub x: &'a [f64],
    /// The radius in the maximum norm.
    pub radius: f64,
}

impl Ball<'_> {
    /// The nearest point of the ball and the cube.
    pub fn project(&self, z: &mut [f64]) {
        for (z, &x) in z.iter_mut().zip(self.x) {
            *z = z.clamp((x - self.radius).max(0.0), (x + self.radius).min(1.0));
        }
    }

    /// x + d, projected.
    pub fn moved(&self, d: &[f64]) -> Vec<f64> {
        let mut z: Vec<f64> = self.x.iter().zip(d).map(|(x, d)| x + d).collect();
        self.project(&mut z);
        z
    }
}

/// FGSM: every variable goes as far as it may.
pub fn sign_step(ball: &Ball<'_>, gradient: &[f64]) -> Vec<f64> {
    let d: Vec<f64> =
        gradient.iter().map(|&g| if g == 0.0 { 0.0 } else { ball.radius.copysign(g) }).collect();
    ball.moved(&d)
}

/// The gradient itself, its largest component as long as the radius.
pub fn gradient_step(ball: &Ball<'_>, gradient: &[f64]) -> Vec<f64> {
    let most = gradient.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
    let scale = if most > 0.0 { ball.radius / most } else { 0.0 };
    let d: Vec<f64> = gradient.iter().map(|g| g * scale).collect();
    ball.moved(&d)
}

/// A function with its gradient, of points in the unit cube: larger is better.
pub type Ascent<'a> = dyn FnMut(&[f64]) -> (f64, Vec<f64>) + 'a;

/// Iterated attacks.
#[derive(Clone, Copy, Debug)]
pub struct Projected {
    /// Gradients in all.
    pub steps: usize,
    /// Starts: the centre, then random points of the ball.
    pub restarts: usize,
    /// Share of the last change that is kept.
    pub momentum: f64,
    /// Seed of the starts.
    pub seed: u64,
}

/// PGD with momentum and restarts: the best point seen.
pub fn projected_ascent(ball: &Ball<'_>, settings: &Projected, function: &mut Ascent<'_>) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut best = (f64::NEG_INFINITY, ball.x.to_vec());
    let each = (settings.steps / settings.restarts.max(1)).max(1);
    for restart in 0..settings.restarts.max(1) {
        let mut z = ball.x.to_vec();
        if restart > 0 {
            z.iter_mut().for_each(|z| *z += ball.radius * rng.random_range(-1.0..=1.0));
            ball.project(&mut z);
        }
        // Enough to cross the ball; one step of its radius where there is only one.
        #[allow(clippy::cast_precision_loss)]
        let length = if each == 1 { ball.radius } else { 2.0 * ball.radius / each as f64 };
        let mut velocity = vec![0.0; z.len()];
        for _ in 0..each {
            let (value, gradient) = function(&z);
            if value > best.0 {
                best = (value, z.clone());
            }
            let size: f64 = gradient.iter().map(|g| g.abs()).sum::<f64>().max(f64::MIN_POSITIVE);
            for ((v, g), z) in velocity.iter_mut().zip(&gradient).zip(&mut z) {
                *v = settings.momentum * *v + g / size;
                *z += if *v == 0.0 { 0.0 } else { length.copysign(*v) };
            }
            ball.project(&mut z);
        }
        let (value, _) = function(&z);
        if value > best.0 {
            best = (value, z);
        }
    }
    best.1
}

/// APGD: a step that starts at twice the radius and is halved, from the best point, at checkpoints where less than three
/// quarters of the steps since the last one rose, or nothing was gained since. `steps` gradients; the best point seen.
pub fn adaptive_ascent(ball: &Ball<'_>, steps: usize, function: &mut Ascent<'_>) -> Vec<f64> {
    const KEPT: f64 = 0.75;
    let mut z = ball.x.to_vec();
    let (mut value, mut gradient) = function(&z);
    let (mut best, mut at_checkpoint) = ((value, z.clone(), gradient.clone()), value);
    let mut previous = z.clone();
    let (mut length, mut rises, mut since, mut period, mut halved) =
        (2.0 * ball.radius, 0, 0, (steps * 22).div_ceil(100).max(1), false);
    for step in 0..steps {
        let mut ahead: Vec<f64> = z
            .iter()
            .zip(&gradient)
            .map(|(z, &g)| if g == 0.0 { *z } else { z + length.copysign(g) })
            .collect();
        ball.project(&mut ahead);
        let next: Vec<f64> = if step == 0 {
            ahead
        } else {
            let mut next: Vec<f64> = (0..z.len())
                .map(|i| z[i] + KEPT * (ahead[i] - z[i]) + (1.0 - KEPT) * (z[i] - previous[i]))
                .collect();
            ball.project(&mut next);
            next
        };
        previous = std::mem::replace(&mut z, next);
        let before = value;
        (value, gradient) = function(&z);
        rises += usize::from(value > before);
        since += 1;
        if value > best.0 {
            best = (value, z.clone(), gradient.clone());
        }
        if since >= period {
            let stalls = 4 * rises < 3 * since || (!halved && best.0 <= at_checkpoint);
            halved = stalls;
            if stalls {
                length /= 2.0;
                (value, z, gradient) = best.clone();
                previous = z.clone();
            }
            at_checkpoint = best.0;
            (rises, since) = (0, 0);
            period = (period - (steps * 3).div_ceil(100).min(period)).max((steps * 6).div_ceil(100)).max(1);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A concave function whose maximum in the ball is known: the projection of its peak.
    fn hill(peak: &[f64]) -> impl FnMut(&[f64]) -> (f64, Vec<f64>) {
        let peak = peak.to_vec();
        move |z: &[f64]| {
            let d: Vec<f64> = z.iter().zip(&peak).map(|(z, p)| p - z).collect();
            (-d.iter().map(|d| d * d).sum::<f64>(), d.iter().map(|d| 2.0 * d).collect())
        }
    }

    #[test]
    fn every_attack_stays_in_the_ball_and_the_cube_and_climbs() {
        let (x, peak) = ([0.5, 0.02, 0.97, 0.4], [0.52, 0.0, 1.4, 0.9]);
        let ball = Ball { x: &x, radius: 0.1 };
        let start = hill(&peak)(&x);
        let settings = Projected { steps: 40, restarts: 2, momentum: 0.5, seed: 3 };
        let points = [
            (sign_step(&ball, &start.1), start.0),
            (gradient_step(&ball, &start.1), start.0),
            (projected_ascent(&ball, &settings, &mut hill(&peak)), -0.42),
            (adaptive_ascent(&ball, 40, &mut hill(&peak)), -0.4105),
        ];
        for (point, least) in points {
            for (z, x) in point.iter().zip(&x) {
                assert!((z - x).abs() <= 0.1 + 1e-12 && (0.0..=1.0).contains(z));
            }
            // The best in the ball is (0.52, 0, 1, 0.5), of value −0.4² − 0.4² = −0.32.
            let value = hill(&peak)(&point).0;
            assert!(value > least && value <= -0.32 + 1e-12, "{value}");
        }
        let still = sign_step(&ball, &[0.0; 4]);
        assert_eq!(still, x);
    }
}
