//! The shapes of stationary kernels: correlation as a function of s = r².
//!
//! | shape | k | functions are | source |
//! | --- | --- | --- | --- |
//! | Matérn-5/2 | (1 + z + z²/3) e⁻ᶻ, z = √5 r | twice differentiable | Rasmussen & Williams, eq. 4.17 |
//! | Matérn-3/2 | (1 + z) e⁻ᶻ, z = √3 r | once | the same |
//! | squared exponential | e^{−s/2} | smooth | the same, eq. 4.9 |

use std::fmt::Debug;

use pulp::Simd;

use super::waves::{self, Wave};
use crate::surrogate::lanes::exp;
use crate::surrogate::points::Distance;

/// Correlation with its derivatives in s; all singularities at s = 0 are removed (a derivative of a function that
/// many times counts 0 there, and is multiplied with a distance that is 0).
pub trait Shape: Copy + Debug + Default + Send + Sync + 'static {
    /// k(s) and −2 k′(s).
    fn value_and_slope<S: Simd>(s: f64) -> (f64, f64);

    /// 4 k″(s) and −8 k‴(s).
    fn higher_slopes<S: Simd>(s: f64) -> (f64, f64);

    /// `count` random waves of a kernel with this variance over some axes (coordinate, distance, lengthscale)
    /// of points of `dimension` coordinates.
    fn waves(
        axes: &[(usize, Distance, f64)],
        dimension: usize,
        variance: f64,
        count: usize,
        seed: u64,
    ) -> Vec<Wave>;
}

/// Matérn-5/2.
#[derive(Clone, Copy, Debug, Default)]
pub struct FiveHalves;
/// Matérn-3/2.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreeHalves;
/// Squared exponential.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauss;

const SQRT_5: f64 = 2.236_067_977_499_79;
const SQRT_3: f64 = 1.732_050_807_568_877_2;

/// 1 / z, and 0 at 0.
#[inline(always)]
fn inverse(z: f64) -> f64 {
    if z > 0.0 { 1.0 / z } else { 0.0 }
}

impl Shape for FiveHalves {
    #[inline(always)]
    fn value_and_slope<S: Simd>(s: f64) -> (f64, f64) {
        let z = SQRT_5 * s.sqrt();
        let decay = exp::<S>(-z);
        ((1.0 + z + z * z / 3.0) * decay, 5.0 / 3.0 * (1.0 + z) * decay)
    }

    #[inline(always)]
    fn higher_slopes<S: Simd>(s: f64) -> (f64, f64) {
        let z = SQRT_5 * s.sqrt();
        let decay = exp::<S>(-z);
        (25.0 / 3.0 * decay, 125.0 / 3.0 * decay * inverse(z))
    }

    fn waves(
        axes: &[(usize, Distance, f64)],
        dimension: usize,
        variance: f64,
        count: usize,
        seed: u64,
    ) -> Vec<Wave> {
        waves::draw(axes, dimension, 2.5, variance, count, seed)
    }
}

impl Shape for ThreeHalves {
    #[inline(always)]
    fn value_and_slope<S: Simd>(s: f64) -> (f64, f64) {
        let z = SQRT_3 * s.sqrt();
        let decay = exp::<S>(-z);
        ((1.0 + z) * decay, 3.0 * decay)
    }

    #[inline(always)]
    fn higher_slopes<S: Simd>(s: f64) -> (f64, f64) {
        let z = SQRT_3 * s.sqrt();
        let decay = exp::<S>(-z);
        let inverse = inverse(z);
        (9.0 * decay * inverse, 27.0 * decay * (1.0 + z) * inverse * inverse * inverse)
    }

    fn waves(
        axes: &[(usize, Distance, f64)],
        dimension: usize,
        variance: f64,
        count: usize,
        seed: u64,
    ) -> Vec<Wave> {
        waves::draw(axes, dimension, 1.5, variance, count, seed)
    }
}

impl Shape for Gauss {
    #[inline(always)]
    fn value_and_slope<S: Simd>(s: f64) -> (f64, f64) {
        let value = exp::<S>(-0.5 * s);
        (value, value)
    }

    #[inline(always)]
    fn higher_slopes<S: Simd>(s: f64) -> (f64, f64) {
        let value = exp::<S>(-0.5 * s);
        (value, value)
    }

    fn waves(
        axes: &[(usize, Distance, f64)],
        dimension: usize,
        variance: f64,
        count: usize,
        seed: u64,
    ) -> Vec<Wave> {
        waves::draw(axes, dimension, f64::INFINITY, variance, count, seed)
    }
}
