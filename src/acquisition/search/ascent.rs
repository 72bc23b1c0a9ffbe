//! The ascent in the continuous parameters from one place: a projected quasi-Newton method in the box, and within the
//! faces of the polyhedron where linear constraints hold.

use super::faces::climb;
use super::{Candidate, Search};
use crate::acquisition::Acquisition;
use crate::quasi_newton::{Bounds, minimize};
use crate::space::Coordinate;

/// Most iterations of one ascent.
pub(super) const ITERATIONS: u64 = 40;
/// An ascent ends when an iteration gains less: logarithms count, so that this is a share of the acquisition itself.
pub(super) const TOLERANCE: f64 = 1e-7;

/// Climbs from `from`; never ends lower.
pub(super) fn ascend(search: &Search<'_>, acquisition: &dyn Acquisition, from: Candidate) -> Candidate {
    let free: Vec<usize> = (0..from.coordinates.len()).filter(|&i| is_free(search, &from, i)).collect();
    if free.is_empty() {
        return from;
    }
    if search.space.has_constraints() {
        return climb(search, acquisition, from, &free);
    }
    let place = |part: &[f64], x: &mut Vec<f64>| {
        x.clone_from(&from.coordinates);
        free.iter().zip(part).for_each(|(&i, &u)| x[i] = u);
    };
    let buffers = std::cell::RefCell::new((Vec::new(), vec![0.0; from.coordinates.len()]));
    let objective = |part: &[f64], gradient: &mut [f64]| {
        let (x, of_all) = &mut *buffers.borrow_mut();
        place(part, x);
        of_all.fill(0.0);
        let value = acquisition.value_with_gradient(x, of_all);
        free.iter().zip(gradient).for_each(|(&i, g)| *g = -of_all[i]);
        -value
    };
    let start: Vec<f64> = free.iter().map(|&i| from.coordinates[i]).collect();
    let (lower, upper): (Vec<f64>, Vec<f64>) = free.iter().map(|&i| search.bounds(i)).unzip();
    let bounds = Bounds { lower: &lower, upper: &upper, iterations: ITERATIONS, tolerance: TOLERANCE };
    let end = minimize(&objective, &start, &bounds);
    if -end.value > from.value {
        let mut coordinates = Vec::new();
        place(&end.x, &mut coordinates);
        Candidate { coordinates, value: -end.value }
    } else {
        from
    }
}

/// Whether coordinate `i` is continuous, switched on, and not held by the region.
fn is_free(search: &Search<'_>, from: &Candidate, i: usize) -> bool {
    let (lower, upper) = search.bounds(i);
    search.space.coordinates()[i] == Coordinate::Continuous && !from.coordinates[i].is_nan() && lower < upper
}
