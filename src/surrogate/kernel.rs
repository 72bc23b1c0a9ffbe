//! The Matérn-5/2 kernel with a lengthscale a parameter (automatic relevance determination), over every kind of
//! coordinate.
//!
//! With the scaled distance r² = Σᵢ δᵢ(u, v) / ℓᵢ²,
//!
//! k(r) = s² (1 + √5 r + 5/3 r²) e^{−√5 r}   (Rasmussen & Williams, *Gaussian Processes for Machine Learning*, eq. 4.17)
//!
//! δᵢ is a squared Euclidean distance for each kind of coordinate, so that the kernel is positive definite:
//! - numbers and ordered labels: (u − v)²;
//! - labels without an order: 0 if equal, else 1 (the corners of a simplex);
//! - a parameter that is switched off in both points: 0; in one of them: (u − ½)² + ¾, the distance to a place half
//!   way along the axis and beside it. Branches of a conditional space so share what they have in common.

use crate::space::Coordinate;

const SQRT_5: f64 = 2.236_067_977_499_79;

/// The squared distance along one coordinate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// Between numbers.
    Numeric,
    /// Between labels without an order.
    Overlap,
}

impl Distance {
    /// The distance that suits a coordinate.
    pub fn of(coordinate: Coordinate) -> Self {
        match coordinate {
            Coordinate::Continuous | Coordinate::Ordered { .. } => Self::Numeric,
            Coordinate::Categorical { .. } => Self::Overlap,
        }
    }

    /// δ(u, v).
    #[inline]
    pub fn squared(self, u: f64, v: f64) -> f64 {
        match (u.is_nan(), v.is_nan()) {
            (false, false) => match self {
                Self::Numeric => (u - v) * (u - v),
                Self::Overlap => f64::from(u8::from((u - v).abs() > 1e-9)),
            },
            (true, true) => 0.0,
            (false, true) => beside(u),
            (true, false) => beside(v),
        }
    }

    /// ∂δ/∂u, 0 where δ has none.
    #[inline]
    pub fn derivative(self, u: f64, v: f64) -> f64 {
        match self {
            Self::Overlap => 0.0,
            Self::Numeric if u.is_nan() => 0.0,
            Self::Numeric if v.is_nan() => 2.0 * (u - 0.5),
            Self::Numeric => 2.0 * (u - v),
        }
    }
}

fn beside(u: f64) -> f64 {
    (u - 0.5) * (u - 0.5) + 0.75
}

/// The kernel at some hyperparameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Matern52 {
    distances: Vec<Distance>,
    /// 1 / ℓᵢ².
    weights: Vec<f64>,
    variance: f64,
}

impl Matern52 {
    /// A kernel with a lengthscale for each coordinate and the signal variance s², all positive.
    pub fn new(distances: &[Distance], lengthscales: &[f64], variance: f64) -> Self {
        let weights = lengthscales.iter().map(|l| 1.0 / (l * l)).collect();
        Self { distances: distances.to_vec(), weights, variance }
    }

    /// How many coordinates it takes.
    pub fn dimension(&self) -> usize {
        self.weights.len()
    }

    /// s², its value at distance 0.
    pub fn variance(&self) -> f64 {
        self.variance
    }

    /// r².
    #[inline]
    pub fn squared_distance(&self, u: &[f64], v: &[f64]) -> f64 {
        let mut sum = 0.0;
        for i in 0..self.weights.len() {
            sum += self.weights[i] * self.distances[i].squared(u[i], v[i]);
        }
        sum
    }

    /// k(u, v).
    #[inline]
    pub fn value(&self, u: &[f64], v: &[f64]) -> f64 {
        self.value_and_slope(self.squared_distance(u, v)).0
    }

    /// k and −2 ∂k/∂(r²) at squared distance `r2`: the slope has no singularity at 0.
    #[inline]
    pub fn value_and_slope(&self, r2: f64) -> (f64, f64) {
        let z = SQRT_5 * r2.sqrt();
        // libm's: the C library's stalls after wide vector code, and may differ between machines.
        let decay = self.variance * libm::exp(-z);
        ((1.0 + z + z * z / 3.0) * decay, 5.0 / 3.0 * (1.0 + z) * decay)
    }

    /// k(u, v), with ∂k/∂u added into `gradient` times `factor`.
    #[inline]
    pub fn add_gradient(&self, u: &[f64], v: &[f64], slope: f64, factor: f64, gradient: &mut [f64]) {
        for i in 0..self.weights.len() {
            gradient[i] -= 0.5 * factor * slope * self.weights[i] * self.distances[i].derivative(u[i], v[i]);
        }
    }

    /// 1 / ℓᵢ² of each coordinate.
    pub(super) fn weights(&self) -> &[f64] {
        &self.weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_closed_form() {
        let kernel = Matern52::new(&[Distance::Numeric], &[0.5], 2.0);
        let r: f64 = 0.3 / 0.5;
        let z = 5.0_f64.sqrt() * r;
        let expected = 2.0 * (1.0 + z + z * z / 3.0) * (-z).exp();
        assert!((kernel.value(&[0.1], &[0.4]) - expected).abs() < 1e-15);
    }

    #[test]
    fn its_gradient_equals_finite_differences() {
        let distances = [Distance::Numeric, Distance::Overlap, Distance::Numeric];
        let kernel = Matern52::new(&distances, &[0.5, 1.0, 0.8], 1.3);
        let v = [0.7, 1.0, f64::NAN];
        let at = |x: f64, y: f64| kernel.value(&[x, 0.0, y], &v);
        let u = [0.2, 0.0, 0.9];
        let (_, slope) = kernel.value_and_slope(kernel.squared_distance(&u, &v));
        let mut gradient = [0.0; 3];
        kernel.add_gradient(&u, &v, slope, 1.0, &mut gradient);
        let h = 1e-6;
        assert!((gradient[0] - (at(0.2 + h, 0.9) - at(0.2 - h, 0.9)) / (2.0 * h)).abs() < 1e-8);
        assert!((gradient[2] - (at(0.2, 0.9 + h) - at(0.2, 0.9 - h)) / (2.0 * h)).abs() < 1e-8);
        assert_eq!(gradient[1], 0.0);
    }

    #[test]
    fn branches_share_what_they_have_in_common() {
        let kernel = Matern52::new(&[Distance::Numeric; 2], &[0.5, 0.5], 1.0);
        let off = f64::NAN;
        assert!((kernel.value(&[0.3, off], &[0.3, off]) - 1.0).abs() < 1e-15);
        let across = kernel.value(&[0.3, off], &[0.3, 0.5]);
        assert!(across > 0.0 && across < 1.0);
    }
}
