//! The search for an acquisition's maximum over a search space.
//!
//! Raw points, half spread over the region and half around the best trials at several scales, are rated together; the
//! best are improved by turns of a quasi-Newton ascent in the continuous parameters and exchanges of the others'
//! values; the best point that is not taken is returned. Linear constraints hold throughout: raw points are feasible,
//! and the ascent moves in the faces of the polyhedron that they leave. A small finite space is gone through whole.
//! Cost: some hundreds of values, rated at once, and about a hundred gradients of the acquisition.

mod ascent;
mod exchange;
mod faces;
mod raw;

#[cfg(test)]
mod tests;

use super::Acquisition;
use crate::space::{Point, PointKey, Space};

/// Where to search.
pub struct Search<'a> {
    /// The space.
    pub space: &'a Space,
    /// Coordinates of the best trials, best first: half of the raw points lie around them.
    pub around: &'a [Vec<f64>],
    /// Whether a point may not be proposed.
    pub taken: &'a dyn Fn(&PointKey) -> bool,
    /// A box to stay in; the whole space where there is none.
    pub region: Option<&'a Region>,
    /// Seed of the raw points.
    pub seed: u64,
}

/// A box within the unit cube, as a trust region is one. Bounds of a parameter that is switched off, or whose labels
/// have no order, say nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// Least coordinates, from 0.
    pub lower: Vec<f64>,
    /// Greatest coordinates, to 1; not below `lower`.
    pub upper: Vec<f64>,
}

/// A place with its value.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The coordinates.
    pub coordinates: Vec<f64>,
    /// The acquisition there.
    pub value: f64,
}

/// How many raw points are improved.
const STARTS: usize = 5;
/// Turns of ascent and exchange.
const TURNS: usize = 4;

/// The best point found that is not taken; `None` only where every point that the search saw is.
pub fn maximize(search: &Search<'_>, acquisition: &dyn Acquisition) -> Option<Point> {
    best_of(search, acquisition).map(|(point, _)| point)
}

/// As [`maximize`], with the place and its value.
pub fn best_of(search: &Search<'_>, acquisition: &dyn Acquisition) -> Option<(Point, Candidate)> {
    let space = search.space;
    let raw = raw::points(search);
    let d = space.dimension();
    let mut values = vec![0.0; raw.len() / d.max(1)];
    acquisition.rate(&raw, &mut values);
    let mut ranked: Vec<usize> = (0..values.len()).filter(|&i| !values[i].is_nan()).collect();
    ranked.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let raw_at = |i: usize| &raw[i * d..(i + 1) * d];
    let mut improved: Vec<Candidate> = spread(space, &ranked, &raw_at)
        .into_iter()
        .map(|i| {
            let start = Candidate { coordinates: raw_at(i).to_vec(), value: values[i] };
            improve(search, acquisition, start)
        })
        .collect();
    improved.sort_by(|a, b| b.value.total_cmp(&a.value));
    let found = improved
        .into_iter()
        .find_map(|candidate| search.open(&candidate.coordinates).map(|point| (point, candidate)));
    // A start may have been taken and not left; the raw points behind the best are what remains.
    let least = found.as_ref().map_or(f64::NEG_INFINITY, |(_, candidate)| candidate.value);
    let unimproved = ranked.into_iter().take_while(|&i| values[i] > least || found.is_none()).find_map(|i| {
        let candidate = || Candidate { coordinates: raw_at(i).to_vec(), value: values[i] };
        search.open(raw_at(i)).map(|point| (point, candidate()))
    });
    unimproved.or(found)
}

/// The best raw points that are not all the same place: two starts from one place end in one place.
fn spread<'a>(space: &Space, ranked: &[usize], at: &dyn Fn(usize) -> &'a [f64]) -> Vec<usize> {
    let near = |a: &[f64], b: &[f64]| {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 0.01 || (a.is_nan() && b.is_nan()))
    };
    let mut starts: Vec<usize> = Vec::with_capacity(STARTS);
    for &i in ranked {
        if starts.len() == STARTS {
            break;
        }
        if space.dimension() > 0 && !starts.iter().any(|&start| near(at(start), at(i))) {
            starts.push(i);
        }
    }
    starts
}

/// Turns of ascent and exchange from `start`, until neither improves.
fn improve(search: &Search<'_>, acquisition: &dyn Acquisition, start: Candidate) -> Candidate {
    let mut best = ascent::ascend(search, acquisition, start);
    for _ in 0..TURNS {
        match exchange::exchange(search, acquisition, &best) {
            Some(better) => best = ascent::ascend(search, acquisition, better),
            None => break,
        }
    }
    best
}

/// The best that climbing from the best of some places reaches, taken or not: `starts` of the rows are climbed from.
/// `None` where there is no row with a value.
pub fn climb_from(
    search: &Search<'_>,
    acquisition: &dyn Acquisition,
    rows: &[f64],
    starts: usize,
) -> Option<Candidate> {
    let d = search.space.dimension().max(1);
    let mut values = vec![0.0; rows.len() / d];
    acquisition.rate(rows, &mut values);
    let mut ranked: Vec<usize> = (0..values.len()).filter(|&i| !values[i].is_nan()).collect();
    ranked.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    ranked
        .into_iter()
        .take(starts)
        .map(|i| {
            let start = Candidate { coordinates: rows[i * d..(i + 1) * d].to_vec(), value: values[i] };
            improve(search, acquisition, start)
        })
        .max_by(|a, b| a.value.total_cmp(&b.value))
}

impl Search<'_> {
    /// The coordinates of a feasible point of the region for uniform numbers.
    pub fn feasible_at(&self, uniform: &[f64]) -> Vec<f64> {
        raw::feasible_at(self, uniform)
    }

    /// The coordinates of the raw points, row after row.
    pub fn raw_points(&self) -> Vec<f64> {
        raw::points(self)
    }

    /// The best of some places whose points are not taken.
    pub fn best_open(&self, rows: &[f64], values: &[f64]) -> Option<(Point, Candidate)> {
        let d = self.space.dimension().max(1);
        let mut ranked: Vec<usize> = (0..values.len()).filter(|&i| !values[i].is_nan()).collect();
        ranked.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        ranked.into_iter().find_map(|i| {
            let x = &rows[i * d..(i + 1) * d];
            let candidate = || Candidate { coordinates: x.to_vec(), value: values[i] };
            self.open(x).map(|point| (point, candidate()))
        })
    }

    /// The point at a place, where it is feasible and not taken.
    pub fn open(&self, x: &[f64]) -> Option<Point> {
        let point = self.space.decode(x);
        (self.space.satisfies(&point) && !(self.taken)(&self.space.canonical(&point))).then_some(point)
    }

    /// The nearest value of coordinate `i` that the region has.
    pub fn clamped(&self, i: usize, u: f64) -> f64 {
        let (lower, upper) = self.bounds(i);
        u.clamp(lower, upper)
    }

    /// Least and greatest value of coordinate `i`.
    pub fn bounds(&self, i: usize) -> (f64, f64) {
        self.region.map_or((0.0, 1.0), |region| (region.lower[i], region.upper[i]))
    }
}
