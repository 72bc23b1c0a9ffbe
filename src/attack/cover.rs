//! The covering step and the poll of the covering direct search method (cDSM).
//!
//! Source: Audet, Bouchet & Bourdin, arXiv 2401.07097. The covering step, in a ball of a radius that never shrinks, makes
//! the evaluated points dense around every point where the poll's radius goes to zero; the poll's directions span the
//! space positively. Both are what the convergence of the whole rests on; `docs/attacks.md` says where each assumption
//! is met.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::curvature::dot;

/// How many points the distance oracle compares.
const COMPARED: usize = 64;

/// A point of the max-norm ball around `x` and the unit cube that lies far from all in `seen`: the farthest of some
/// uniform ones, which is at least a fixed share of the largest distance with probability one in the long run
/// (construction (b) of the source). Only the variables in `free` move.
pub fn covering_point(x: &[f64], radius: f64, free: &[bool], seen: &[&[f64]], seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut best = (f64::NEG_INFINITY, x.to_vec());
    for _ in 0..COMPARED {
        let z: Vec<f64> = x
            .iter()
            .zip(free)
            .map(|(&x, &free)| {
                let (least, most) = ((x - radius).max(0.0), (x + radius).min(1.0));
                if free && least < most { rng.random_range(least..=most) } else { x }
            })
            .collect();
        let nearest = seen
            .iter()
            .map(|other| z.iter().zip(*other).map(|(a, b)| (a - b) * (a - b)).sum::<f64>())
            .fold(f64::INFINITY, f64::min);
        if nearest > best.0 {
            best = (nearest, z);
        }
    }
    best.1
}

/// n + 1 directions that span ℝⁿ positively, each of length 1 in the maximum norm: the columns of a random Householder
/// reflection and minus their sum. (The released code of the published hybrid leaves half of the coordinates out.)
pub fn positive_basis(n: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let v: Vec<f64> = (0..n).map(|_| normal(&mut rng)).collect();
    let square = dot(&v, &v).max(f64::MIN_POSITIVE);
    let mut directions: Vec<Vec<f64>> =
        (0..n).map(|j| (0..n).map(|i| f64::from(i == j) - 2.0 * v[i] * v[j] / square).collect()).collect();
    let opposite: Vec<f64> = (0..n).map(|i| -directions.iter().map(|d| d[i]).sum::<f64>()).collect();
    directions.push(opposite);
    for direction in &mut directions {
        let most = direction.iter().fold(0.0_f64, |most, d| most.max(d.abs()));
        direction.iter_mut().for_each(|d| *d /= most);
    }
    directions
}

/// A standard normal number (Box & Muller 1958).
pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    let u: f64 = 1.0 - rng.random::<f64>();
    let angle = std::f64::consts::TAU * rng.random::<f64>();
    (-2.0 * libm::log(u)).sqrt() * libm::cos(angle)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every vector has a direction within less than a right angle: what positive spanning means (Davis 1954).
    #[test]
    fn the_basis_spans_positively() {
        for n in [1, 2, 5, 20] {
            for seed in 0..20 {
                let mut rng = ChaCha8Rng::seed_from_u64(seed + 100);
                let wanted: Vec<f64> = (0..n).map(|_| normal(&mut rng)).collect();
                let basis = positive_basis(n, seed);
                assert!(basis.iter().any(|d| dot(d, &wanted) > 0.0), "n {n} seed {seed}");
                assert!(basis.iter().flatten().all(|d| d.abs() <= 1.0 + 1e-12));
            }
        }
    }

    /// No part of the ball stays empty.
    #[test]
    fn covering_points_become_dense() {
        let x = [0.5, 0.95];
        let mut seen: Vec<Vec<f64>> = vec![x.to_vec()];
        for seed in 0..300 {
            let others: Vec<&[f64]> = seen.iter().map(Vec::as_slice).collect();
            let z = covering_point(&x, 0.1, &[true, true], &others, seed);
            assert!((z[0] - 0.5).abs() <= 0.1 && (0.85..=1.0).contains(&z[1]));
            seen.push(z);
        }
        for a in 0..20 {
            for b in 0..15 {
                let place = [0.4 + 0.01 * f64::from(a) + 0.005, 0.85 + 0.01 * f64::from(b) + 0.005];
                let near =
                    seen.iter().any(|z| (z[0] - place[0]).abs() < 0.02 && (z[1] - place[1]).abs() < 0.02);
                assert!(near, "{place:?}");
            }
        }
    }
}
