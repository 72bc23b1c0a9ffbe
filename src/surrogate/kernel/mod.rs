//! Kernels: what the values of a function at two points of the unit cube have to do with each other.
//!
//! | kernel | what it is |
//! | --- | --- |
//! | [`Stationary`] | a function of the scaled distance r² = Σᵢ δᵢ(u, v) / ℓᵢ², a lengthscale a coordinate |
//! | [`Matern52`], [`Matern32`], [`SquaredExponential`] | its shapes |
//! | [`MainEffects`] | sums of functions of one coordinate each |
//! | [`Quadratic`] | the quadratic functions of the numbers |
//! | [`Sum`], [`Product`] | of kernels on some of the coordinates each |
//! | [`Warped`] | of inputs that are warped first |
//!
//! Coordinates may be numbers, ordered labels, labels without an order, and switched off: see [`Distance`]. A further
//! kernel (of tasks, of fidelities) is one more file with an implementation of [`Kernel`]; the Gaussian process knows
//! the trait alone.
//!
//! Hyperparameters are positive and all derivatives in them are taken in their logarithms. Work on many pairs is done
//! in columns, with the pair's derivatives contracted where they arise; what a fit needs twice of a pair it may keep in a
//! [`Record`].

mod axis;
mod composed;
mod jet;
mod main_effects;
mod quadratic;
mod record;
mod shape;
mod stationary;
mod warped;
mod waves;
mod wendland;

use std::fmt::Debug;

pub use composed::{Product, Sum};
pub use jet::Jet;
pub use main_effects::MainEffects;
pub use quadratic::Quadratic;
pub use record::Record;
pub use shape::Shape;
pub use stationary::{Matern32, Matern52, SquaredExponential, Stationary};
pub use warped::Warped;
pub use waves::Wave;
pub(super) use waves::normal;

use super::points::{Distance, Points};
use super::square::Square;

/// What a hyperparameter of a kernel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The lengthscale of a coordinate, in units of the unit cube (of labels: of one exchange).
    Lengthscale {
        /// The coordinate.
        coordinate: usize,
    },
    /// The variance s² of the function, or of the part of it that the kernel is for.
    Variance,
    /// The lengthscale of what a coordinate does by itself.
    MainEffect {
        /// The coordinate.
        coordinate: usize,
    },
    /// The variance of a trend over the whole box.
    Trend,
    /// A number that the warping of a coordinate has: 1 where it is not warped.
    Warping {
        /// The coordinate.
        coordinate: usize,
    },
}

/// A positive definite function of two points. All slices of coordinates have length d.
pub trait Kernel: Debug + Send + Sync {
    /// What each coordinate of a point is, d of them: of all, and not only of those that it looks at.
    fn distances(&self) -> &[Distance];

    /// What each hyperparameter is.
    fn roles(&self) -> Vec<Role>;

    /// The hyperparameters' values, in the order of [`Kernel::roles`].
    fn hyperparameters(&self) -> Vec<f64>;

    /// Takes other values, in the same order.
    fn set_hyperparameters(&mut self, values: &[f64]);

    /// A copy.
    fn boxed(&self) -> Box<dyn Kernel>;

    /// k(x, x).
    fn variance(&self, x: &[f64]) -> f64;

    /// k(u, v).
    fn value(&self, u: &[f64], v: &[f64]) -> f64;

    /// k(x, pᵢ) for all points, written to `column` of length n. O(n·d).
    fn column(&self, x: &[f64], points: &Points, column: &mut [f64]);

    /// k(pᵢ, pⱼ) for all pairs with i ≥ j, written to the lower triangle of `matrix`. O(n²·d).
    fn matrix(&self, points: &Points, matrix: &mut Square) {
        for j in 0..points.len() {
            self.column(points.row(j), points, matrix.column_mut(j));
        }
    }

    /// Adds Σᵢ cᵢ ∂k(x, pᵢ)/∂x to `gradient` of length d: 0 where a coordinate is switched off or has no order. O(n·d).
    fn add_gradient(&self, x: &[f64], points: &Points, coefficients: &[f64], gradient: &mut [f64]);

    /// [`Self::add_gradient`] for two sets of coefficients at once.
    fn add_two_gradients(
        &self,
        x: &[f64],
        points: &Points,
        coefficients: [&[f64]; 2],
        gradients: [&mut [f64]; 2],
    ) {
        for (coefficients, gradient) in coefficients.into_iter().zip(gradients) {
            self.add_gradient(x, points, coefficients, gradient);
        }
    }

    /// Adds `factor` · ∂k(x, x)/∂x to `gradient`. Nothing where the variance is the same everywhere.
    fn add_variance_gradient(&self, _x: &[f64], _factor: f64, _gradient: &mut [f64]) {}

    /// Adds ½ Σᵢⱼ Cᵢⱼ ∂k(pᵢ, pⱼ)/∂ln θ to `gradient`, one entry a hyperparameter; C is symmetric and its upper triangle
    /// is read. O(n²·d).
    fn add_log_gradient(&self, points: &Points, coefficients: &Square, gradient: &mut [f64]);

    /// Adds k(pᵢ, pⱼ) for all pairs with i ≤ j to the upper triangle of `matrix`, spoiling what is below it, and keeps in
    /// `record` what [`Self::add_recorded_log_gradient`] of the same kernel and points can use. O(n²·d).
    fn record(&self, points: &Points, matrix: &mut Square, _record: &mut Record) {
        let mut part = Square::zeros(points.len());
        self.matrix(points, &mut part);
        for j in 0..points.len() {
            for (i, value) in part.column(j).iter().enumerate().skip(j) {
                matrix.set(j, i, matrix.at(j, i) + value);
            }
        }
    }

    /// [`Self::add_log_gradient`] with what [`Self::record`] kept.
    fn add_recorded_log_gradient(
        &self,
        points: &Points,
        _record: &Record,
        coefficients: &Square,
        gradient: &mut [f64],
    ) {
        self.add_log_gradient(points, coefficients, gradient);
    }

    /// k and its derivatives in one or both of two points.
    fn jet(&self, u: &[f64], v: &[f64]) -> Jet;

    /// Adds ⟨`coefficients`, ∂jet(u, v)/∂ln θ⟩ to `gradient`.
    fn add_jet_log_gradient(&self, u: &[f64], v: &[f64], coefficients: &Jet, gradient: &mut [f64]);

    /// Random waves whose sum has this kernel, for functions drawn from the prior: about `count` of them, from a seed.
    fn waves(&self, count: usize, seed: u64) -> Vec<Wave>;

    /// Where the waves are to be taken for the function at `x`, and the slope of that in each coordinate; `None` where that
    /// is `x` itself.
    fn wave_place(&self, _x: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
        None
    }
}

impl Clone for Box<dyn Kernel> {
    fn clone(&self) -> Self {
        self.boxed()
    }
}

#[cfg(test)]
mod tests;
