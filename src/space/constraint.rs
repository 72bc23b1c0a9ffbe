//! Linear constraints between parameters, in the parameters' own units, and the ways into the region they leave.

use super::{Coordinate, Domain, Label, Point, Space, Value};

/// `lower ≤ Σ weight·value ≤ upper` over the active parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LinearConstraint {
    /// Index of a parameter and its weight.
    pub(super) terms: Vec<(usize, f64)>,
    /// −∞ where open.
    pub(super) lower: f64,
    /// +∞ where open; equal to `lower` for an equality.
    pub(super) upper: f64,
}

/// An equality holds when it is missed by at most this share of the sum of the terms' sizes; an inequality may be
/// missed by rounding alone.
const EQUALITY_TOLERANCE: f64 = 1e-9;
const ROUNDING: f64 = 1e-14;
/// Most passes over all constraints when projecting, and most of their terms looked at on the way.
const MOST_PASSES: usize = 500;
const MOST_TERMS: usize = 200_000;
/// How far a repair goes from a feasible point towards the wanted one, in turn.
const SHARES: [f64; 10] = [0.9, 0.7, 0.5, 0.35, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001];

impl LinearConstraint {
    /// Whether values satisfy it, `value(i)` being parameter i's value or 0 where it is inactive.
    fn holds(&self, value: impl Fn(usize) -> f64) -> bool {
        let (sum, size) = self.sum(value);
        let tolerance = size * if self.lower == self.upper { EQUALITY_TOLERANCE } else { ROUNDING };
        sum >= self.lower - tolerance && sum <= self.upper + tolerance
    }

    /// The sum, and the sum of the terms' sizes.
    fn sum(&self, value: impl Fn(usize) -> f64) -> (f64, f64) {
        self.terms.iter().fold((0.0, 0.0), |(sum, size), &(i, weight)| {
            let term = weight * value(i);
            (sum + term, size + term.abs())
        })
    }
}

/// One side of a linear constraint, to first order around a place: `normal · move ≤ room` for a move from there.
#[derive(Clone, Debug, PartialEq)]
pub struct HalfSpace {
    /// One number a coordinate; 0 in those that do not move.
    pub normal: Vec<f64>,
    /// How far the place is from the bound, in units of the normal's length; negative where the bound is missed.
    pub room: f64,
    /// The constraint has one value only: a move keeps to `normal · move = room`.
    pub is_equality: bool,
}

impl Space {
    /// The constraints as half spaces around a place, for moves of the `free` coordinates, normals of length 1. Exact
    /// for parameters on a linear scale, to first order for the others. Constraints that no free coordinate moves are
    /// left out.
    pub fn half_spaces(&self, coordinates: &[f64], free: &[usize]) -> Vec<HalfSpace> {
        let mut sides = Vec::with_capacity(2 * self.constraints.len());
        for constraint in &self.constraints {
            let mut normal = vec![0.0; coordinates.len()];
            for &(i, weight) in constraint.terms.iter().filter(|(i, _)| free.contains(i)) {
                normal[i] += weight * self.slope(i, coordinates[i]);
            }
            let size = normal.iter().map(|n| n * n).sum::<f64>().sqrt();
            if !(size > 0.0 && size.is_finite()) {
                continue;
            }
            normal.iter_mut().for_each(|n| *n /= size);
            let (sum, _) = constraint.sum(|i| self.relaxed(i, coordinates[i]));
            if constraint.lower == constraint.upper {
                let room = (constraint.upper - sum) / size;
                sides.push(HalfSpace { normal, room, is_equality: true });
                continue;
            }
            if constraint.lower.is_finite() {
                let normal = normal.iter().map(|n| -n).collect();
                let room = (sum - constraint.lower) / size;
                sides.push(HalfSpace { normal, room, is_equality: false });
            }
            if constraint.upper.is_finite() {
                let room = (constraint.upper - sum) / size;
                sides.push(HalfSpace { normal, room, is_equality: false });
            }
        }
        sides
    }

    /// The derivative of parameter `i`'s value by its coordinate at `u`.
    fn slope(&self, i: usize, u: f64) -> f64 {
        if u.is_nan() {
            return 0.0;
        }
        let h = 1e-6;
        let (below, above) = ((u - h).max(0.0), (u + h).min(1.0));
        (self.relaxed(i, above) - self.relaxed(i, below)) / (above - below)
    }

    /// Whether a point satisfies every linear constraint. An equality may be missed by 10⁻⁹ of the sum of its terms'
    /// absolute values.
    pub fn satisfies(&self, point: &Point) -> bool {
        self.constraints.iter().all(|constraint| constraint.holds(|i| self.number(point, i)))
    }

    /// The numeric value of parameter `i`; 0 where it is inactive.
    #[allow(clippy::cast_precision_loss)]
    fn number(&self, point: &Point, i: usize) -> f64 {
        match point.values[i] {
            None => 0.0,
            Some(Value::Float(x)) => x,
            Some(Value::Int(x)) => x as f64,
            Some(Value::Choice(k)) => self.label_number(i, k),
        }
    }

    /// The number of label `k` of ordinal `i`.
    pub(super) fn label_number(&self, i: usize, k: usize) -> f64 {
        match &self.parameters[i].domain {
            Domain::Ordinal(labels) | Domain::Categorical(labels) => match labels.get(k) {
                Some(Label::Number(number)) => number.as_f64().unwrap_or(0.0),
                _ => 0.0,
            },
            Domain::Float(_) | Domain::Int(_) => 0.0,
        }
    }

    /// The value of parameter `i` at coordinate `u`, between the admissible ones for ordered parameters.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn relaxed(&self, i: usize, u: f64) -> f64 {
        match &self.parameters[i].domain {
            _ if u.is_nan() => 0.0,
            Domain::Float(range) => range.relaxed(u),
            Domain::Int(range) => range.relaxed(u),
            Domain::Ordinal(labels) | Domain::Categorical(labels) => {
                let place = u.clamp(0.0, 1.0) * (labels.len() - 1) as f64;
                let (below, share) = (place.floor(), place.fract());
                let above = (below as usize + 1).min(labels.len() - 1);
                (1.0 - share) * self.label_number(i, below as usize) + share * self.label_number(i, above)
            }
        }
    }

    /// Moves the coordinates with `free[i]` close to the nearest place where all linear constraints hold, ordered
    /// parameters taken as continuous; the others stay. Each pass moves onto one violated constraint after the other
    /// along its gradient (Kaczmarz's method; constraints are linearized where scales are logarithmic). False where it
    /// does not get there.
    pub fn project(&self, coordinates: &mut [f64], free: &[bool]) -> bool {
        for _ in 0..self.most_passes() {
            let mut violated = false;
            for constraint in &self.constraints {
                let (sum, size) = constraint.sum(|i| self.relaxed(i, coordinates[i]));
                // Inequalities are kept with a margin that outlasts rounding.
                let margin = if constraint.lower == constraint.upper { 0.0 } else { 1e-12 * size };
                let slack = if margin == 0.0 { 1e-14 * size } else { 0.0 };
                let missing = if sum < constraint.lower - slack {
                    constraint.lower + margin - sum
                } else if sum > constraint.upper + slack {
                    constraint.upper - margin - sum
                } else {
                    continue;
                };
                violated = true;
                self.step(constraint, missing, coordinates, free);
            }
            if !violated {
                return true;
            }
        }
        self.constraints.iter().all(|constraint| constraint.holds(|i| self.relaxed(i, coordinates[i])))
    }

    fn most_passes(&self) -> usize {
        (MOST_TERMS / self.terms().max(1)).clamp(1, MOST_PASSES)
    }

    /// How many terms all constraints have.
    pub(super) fn terms(&self) -> usize {
        self.constraints.iter().map(|constraint| constraint.terms.len()).sum()
    }

    /// How many terms of constraints a repair looks at at most; at least 1.
    pub(super) fn repair_terms(&self) -> usize {
        (2 * (1 + SHARES.len()) * self.most_passes() * self.terms()).max(1)
    }

    /// Moves the sum of a constraint by `missing`, to first order, along its gradient in the movable coordinates.
    fn step(&self, constraint: &LinearConstraint, missing: f64, coordinates: &mut [f64], free: &[bool]) {
        let mut gradient: Vec<(usize, f64)> = Vec::with_capacity(constraint.terms.len());
        for &(i, weight) in &constraint.terms {
            let u = coordinates[i];
            if !free[i] || u.is_nan() {
                continue;
            }
            let slope = weight * self.slope(i, u);
            let direction = slope * missing;
            if (u <= 0.0 && direction < 0.0) || (u >= 1.0 && direction > 0.0) || slope == 0.0 {
                continue;
            }
            gradient.push((i, slope));
        }
        let size: f64 = gradient.iter().map(|(_, slope)| slope * slope).sum();
        if size > 0.0 && size.is_finite() {
            for (i, slope) in gradient {
                coordinates[i] = (coordinates[i] + missing * slope / size).clamp(0.0, 1.0);
            }
        }
    }

    /// A feasible point near `decode(coordinates)`: that point where it is feasible, else projected, else ever closer
    /// to a point known to be feasible.
    pub fn repair(&self, coordinates: &[f64]) -> Point {
        let point = self.decode(coordinates);
        if self.satisfies(&point) {
            return point;
        }
        let from = self.encode(&point);
        if let Some(repaired) = self.projected(&from) {
            return repaired;
        }
        let anchor = self.encode(&self.anchor);
        for share in SHARES {
            let mixed: Vec<f64> = (0..anchor.len())
                .map(|i| match self.coordinates[i] {
                    Coordinate::Categorical { .. } => anchor[i],
                    _ if anchor[i].is_nan() || from[i].is_nan() => anchor[i],
                    _ => anchor[i] + share * (from[i] - anchor[i]),
                })
                .collect();
            if let Some(repaired) = self.projected(&mixed) {
                return repaired;
            }
        }
        self.anchor.clone()
    }

    /// Projects all numbers, rounds the ordered ones, and projects the continuous ones once more.
    fn projected(&self, from: &[f64]) -> Option<Point> {
        let is_number = |c: &Coordinate| !matches!(c, Coordinate::Categorical { .. });
        let numbers: Vec<bool> = self.coordinates.iter().map(is_number).collect();
        let continuous: Vec<bool> =
            self.coordinates.iter().map(|c| matches!(c, Coordinate::Continuous)).collect();
        let mut coordinates = from.to_vec();
        self.project(&mut coordinates, &numbers);
        let mut rounded = self.encode(&self.decode(&coordinates));
        for i in 0..rounded.len() {
            if continuous[i] && !rounded[i].is_nan() && !coordinates[i].is_nan() {
                rounded[i] = coordinates[i];
            }
        }
        self.project(&mut rounded, &continuous);
        let point = self.decode(&rounded);
        self.satisfies(&point).then_some(point)
    }
}
