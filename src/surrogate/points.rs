//! Points of the unit cube laid out for loops: each coordinate of all of them side by side.
//!
//! A number that is switched off is put half way along its axis and beside it: at (½, √¾) of a plane whose first axis
//! is the coordinate, where numbers that are on lie at (u, 0). A second row is kept for a coordinate that some point
//! has switched off, and for it alone. A label that is switched off is one more label.

use super::lanes::{Block, LANES};
use crate::space::Coordinate;

/// How the squared distance δ(u, v) along one coordinate is measured.
///
/// Each is a squared Euclidean distance, so that a kernel of a sum of them is positive definite. Switched off in both
/// points: 0. Branches of a conditional space so share what they have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// Between numbers and ordered labels: (u − v)². Switched off in one of them: (u − ½)² + ¾.
    Numeric,
    /// Between labels without an order: 0 if equal, else 1 (the corners of a simplex). Off is a label of its own.
    Overlap,
}

/// How far beside its axis a number lies that is switched off, squared.
const BESIDE: f64 = 0.75;
/// The label of a categorical coordinate that is switched off.
const OFF_LABEL: f64 = -1.0;
/// Labels nearer than this are the same.
const SAME_LABEL: f64 = 1e-9;

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
        let ((u0, u1), (v0, v1)) = (self.place(u), self.place(v));
        match self {
            Self::Numeric => (u0 - v0) * (u0 - v0) + (u1 - v1) * (u1 - v1),
            Self::Overlap => f64::from(u8::from((u0 - v0).abs() > SAME_LABEL)),
        }
    }

    /// ½ ∂δ/∂u = −½ ∂δ/∂v in the sense of a difference of places: u − v, and 0 where δ has no derivative.
    #[inline]
    pub fn difference(self, u: f64, v: f64) -> f64 {
        match self {
            Self::Overlap => 0.0,
            Self::Numeric => self.place(u).0 - self.place(v).0,
        }
    }

    /// Where `u` lies: along the axis and beside it.
    #[inline]
    pub(super) fn place(self, u: f64) -> (f64, f64) {
        match (self, u.is_nan()) {
            (_, false) => (u, 0.0),
            (Self::Numeric, true) => (0.5, BESIDE.sqrt()),
            (Self::Overlap, true) => (OFF_LABEL, 0.0),
        }
    }

    /// Whether two places along the axis of labels are different, as 0 or 1.
    #[inline(always)]
    pub(super) fn differ(u: f64, v: f64) -> f64 {
        if (u - v).abs() > SAME_LABEL { 1.0 } else { 0.0 }
    }
}

/// n points of d coordinates.
#[derive(Clone, Debug)]
pub struct Points {
    distances: Vec<Distance>,
    /// The coordinates as they were given, row after row.
    rows: Vec<f64>,
    /// Places along the axes: one vector a coordinate, its last block filled up with 0.
    along: Vec<Vec<Block>>,
    /// Places beside them; empty where no point has the coordinate switched off.
    beside: Vec<Vec<Block>>,
    count: usize,
}

impl Points {
    /// The points in `rows`, row after row, NaN where a parameter is switched off.
    pub fn new(distances: &[Distance], rows: &[f64]) -> Self {
        let d = distances.len();
        let count = rows.len().checked_div(d).unwrap_or(0);
        let mut points = Self {
            distances: distances.to_vec(),
            rows: Vec::with_capacity(rows.len()),
            along: vec![Vec::with_capacity(count.div_ceil(LANES)); d],
            beside: vec![Vec::new(); d],
            count: 0,
        };
        for i in 0..count {
            points.push(&rows[i * d..(i + 1) * d]);
        }
        points
    }

    /// Adds a point of d coordinates. O(d).
    pub fn push(&mut self, row: &[f64]) {
        self.rows.extend_from_slice(row);
        let (block, lane) = (self.count / LANES, self.count % LANES);
        for (a, &u) in row.iter().enumerate() {
            let (along, beside) = self.distances[a].place(u);
            set(&mut self.along[a], block, lane, along);
            if beside != 0.0 || !self.beside[a].is_empty() {
                set(&mut self.beside[a], block, lane, beside);
            }
        }
        self.count += 1;
    }

    /// Drops the points from `count` on.
    pub fn truncate(&mut self, count: usize) {
        self.count = self.count.min(count);
        self.rows.truncate(self.count * self.distances.len());
        let blocks = self.count.div_ceil(LANES);
        for row in self.along.iter_mut().chain(&mut self.beside) {
            row.truncate(blocks);
        }
    }

    /// n.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// d.
    pub fn dimension(&self) -> usize {
        self.distances.len()
    }

    /// The distance along each coordinate.
    pub fn distances(&self) -> &[Distance] {
        &self.distances
    }

    /// Point `i`.
    pub fn row(&self, i: usize) -> &[f64] {
        let d = self.distances.len();
        &self.rows[i * d..(i + 1) * d]
    }

    /// All of them, row after row.
    pub fn rows(&self) -> &[f64] {
        &self.rows
    }

    /// The places of all points along coordinate `a`, and beside it (empty where all of them are on).
    #[inline]
    pub(super) fn places(&self, a: usize) -> (&[Block], &[Block]) {
        (&self.along[a], &self.beside[a])
    }
}

/// Writes one place, with as many blocks of 0 before it as there are not yet.
fn set(row: &mut Vec<Block>, block: usize, lane: usize, place: f64) {
    if row.len() <= block {
        row.resize(block + 1, [0.0; LANES]);
    }
    row[block][lane] = place;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_share_what_they_have_in_common() {
        let off = f64::NAN;
        for distance in [Distance::Numeric, Distance::Overlap] {
            assert_eq!(distance.squared(off, off), 0.0);
            assert_eq!(distance.squared(0.3, 0.3), 0.0);
        }
        assert!((Distance::Numeric.squared(off, 0.75) - (0.0625 + 0.75)).abs() < 1e-15);
        assert_eq!(Distance::Overlap.squared(off, 0.5), 1.0);
        assert_eq!(Distance::Overlap.squared(0.0, 0.5), 1.0);
    }
}
