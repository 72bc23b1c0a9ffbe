//! Space-filling designs: scrambled Sobol points of a search space, feasible and distinct.

use std::collections::HashSet;

use super::sobol::Sobol;
use super::{Point, PointKey, Space};

/// A design over a space, a pure function of its seed.
pub struct Design<'a> {
    space: &'a Space,
    sobol: Sobol,
}

/// Indices looked at for each point wanted before infeasible points are repaired and finite spaces listed.
const PATIENCE: u64 = 200;
/// Indices looked at in all.
const MOST_LOOKED_AT: u64 = 20_000;
/// Largest finite space that is gone through when the sequence finds nothing new.
const MOST_LISTED: usize = 200_000;

impl<'a> Design<'a> {
    /// The design of that seed.
    pub fn new(space: &'a Space, seed: u64) -> Self {
        Self { space, sobol: Sobol::new(space.dimension(), seed) }
    }

    /// The point of an index; `None` where it is infeasible.
    pub fn point(&self, index: u64) -> Option<Point> {
        let point = self.space.at_uniform(&self.sobol.point(index));
        self.space.satisfies(&point).then_some(point)
    }

    /// `count` feasible points that are not taken and all different, from index `from` on. Fewer only where the space
    /// has no more.
    pub fn points(&self, from: u64, count: usize, taken: &dyn Fn(&PointKey) -> bool) -> Vec<Point> {
        let mut points = Vec::with_capacity(count);
        let mut chosen = HashSet::with_capacity(count);
        let mut add = |point: Point, points: &mut Vec<Point>| {
            let key = self.space.canonical(&point);
            if !taken(&key) && chosen.insert(key) {
                points.push(point);
            }
        };
        let end = from + (PATIENCE * count as u64).min(MOST_LOOKED_AT);
        for index in from..end {
            if points.len() == count {
                return points;
            }
            if let Some(point) = self.point(index) {
                add(point, &mut points);
            }
        }
        // The feasible region is small: what lies outside is moved to it.
        if self.space.has_constraints() {
            for index in from..end {
                if points.len() == count {
                    return points;
                }
                add(self.repaired(index), &mut points);
            }
        }
        // Nearly every point is taken: go through all of them.
        for point in self.space.enumerate(MOST_LISTED).unwrap_or_default() {
            if points.len() == count {
                break;
            }
            add(point, &mut points);
        }
        points
    }

    /// A feasible point for an index: drawn towards the middle of the feasible region by a share of its own, so that
    /// points do not all end on its boundary.
    fn repaired(&self, index: u64) -> Point {
        let outside = self.space.encode(&self.space.at_uniform(&self.sobol.point(index)));
        let boundary = self.space.encode(&self.space.repair(&outside));
        let middle = self.space.encode(&self.space.centre());
        let share = self.sobol.point(index ^ 0x5555_5555).first().copied().unwrap_or(0.5);
        #[allow(clippy::cast_precision_loss)]
        let share = share.powf(1.0 / self.space.dimension() as f64);
        let mixed: Vec<f64> = boundary
            .iter()
            .zip(&middle)
            .map(|(b, m)| if b.is_nan() || m.is_nan() { *b } else { m + share * (b - m) })
            .collect();
        self.space.repair(&mixed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{DomainDraft, ParameterDraft, Scale, SpaceDraft};

    #[test]
    fn finds_every_point_of_a_finite_space_and_then_none() {
        let parameter = |name: &str, high: i64| ParameterDraft {
            name: name.into(),
            domain: DomainDraft::Int { low: 1, high, scale: Scale::Log, step: None },
            when: Default::default(),
        };
        let draft = SpaceDraft {
            parameters: vec![parameter("a", 7), parameter("b", 30)],
            parameter_constraints: Vec::new(),
        };
        let space = Space::check(draft).unwrap();
        let design = Design::new(&space, 1);
        let points = design.points(0, 300, &|_| false);
        assert_eq!(points.len(), 210);
        let all: HashSet<PointKey> = points.iter().map(|point| space.canonical(point)).collect();
        assert_eq!(all.len(), 210);
        assert!(design.points(5, 1, &|key| all.contains(key)).is_empty());
    }
}
