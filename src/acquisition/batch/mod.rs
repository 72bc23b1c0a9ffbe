//! What q points are worth together, and the ascent of all of them at once.
//!
//! | acquisition | together | file |
//! | --- | --- | --- |
//! | expected improvement, noisy expected improvement | E[(max f(X) − f*)₊], a sum of closed forms over samples | `improvement` |
//! | knowledge gradient | E[max μₙ₊q − max μₙ], closed form in one of the q outcomes | `value` |
//! | max-value, joint, predictive entropy search | I(y(X); ·) from below: gains and the correlation between outcomes | `information` |
//!
//! The others go one by one: upper confidence bounds and Thompson sampling are defined so (Desautels, Krause & Burdick
//! 2014; independent draws), hypervolumes need a front for each sample of each earlier point (Daulton et al. 2021 take
//! turns for that), and the probability of improvement, classic entropy search and the other forms of the knowledge
//! gradient are too dear. The joint ascent starts from the points that were chosen one by one, so that it never
//! ends with a batch worth less.

mod improvement;
mod information;
mod value;

pub use improvement::BatchImprovement;
pub use information::BatchInformation;
pub use value::BatchValue;

use super::search::Search;
use crate::quasi_newton::{Bounds, minimize};
use crate::space::Coordinate;

/// A function of some places at once, to be maximized.
pub trait Batch {
    /// Its value at `places`, row after row; adds its gradient to `gradient`.
    fn value_with_gradient(&self, places: &[f64], gradient: &mut [f64]) -> f64;
}

/// Largest batch that is moved as a whole; most coordinates of it, and most observations that it costs.
const MOST_POINTS: usize = 8;
const MOST_COORDINATES: usize = 64;
const MOST_OBSERVATIONS: usize = 250;
const ITERATIONS: u64 = 30;
const TOLERANCE: f64 = 1e-6;

/// Whether q points of d coordinates are cheap enough to be moved together, with n observations. Where linear
/// constraints hold they are not.
pub(super) fn is_cheap(search: &Search<'_>, q: usize, observations: usize) -> bool {
    let d = search.space.dimension();
    (2..=MOST_POINTS).contains(&q)
        && q * d <= MOST_COORDINATES
        && observations <= MOST_OBSERVATIONS
        && !search.space.has_constraints()
}

/// Climbs from `places` in their continuous coordinates, all at once. Never ends lower.
pub(super) fn climb(search: &Search<'_>, batch: &dyn Batch, places: &[f64]) -> Vec<f64> {
    let d = search.space.dimension().max(1);
    let free: Vec<usize> = (0..places.len())
        .filter(|&k| {
            let (lower, upper) = search.bounds(k % d);
            search.space.coordinates()[k % d] == Coordinate::Continuous
                && !places[k].is_nan()
                && lower < upper
        })
        .collect();
    if free.is_empty() {
        return places.to_vec();
    }
    let whole = |part: &[f64]| {
        let mut whole = places.to_vec();
        free.iter().zip(part).for_each(|(&k, &u)| whole[k] = u);
        whole
    };
    let objective = |part: &[f64], gradient: &mut [f64]| {
        let mut of_all = vec![0.0; places.len()];
        let value = batch.value_with_gradient(&whole(part), &mut of_all);
        free.iter().zip(gradient).for_each(|(&k, g)| *g = -of_all[k]);
        -value
    };
    let start: Vec<f64> = free.iter().map(|&k| places[k]).collect();
    let (lower, upper): (Vec<f64>, Vec<f64>) = free.iter().map(|&k| search.bounds(k % d)).unzip();
    let bounds = Bounds { lower: &lower, upper: &upper, iterations: ITERATIONS, tolerance: TOLERANCE };
    let end = minimize(&objective, &start, &bounds);
    let before = objective(&start, &mut vec![0.0; start.len()]);
    if end.value < before { whole(&end.x) } else { places.to_vec() }
}
