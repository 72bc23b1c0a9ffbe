//! How many points a finite space has, and all of them.

use super::{Coordinate, Domain, Point, Space, Value};

/// Steps of work after which counting or listing gives up.
const MOST_STEPS: usize = 2_000_000;

impl Space {
    /// How many values parameter `i` has; `None`: any number.
    fn levels(&self, i: usize) -> Option<u64> {
        match self.coordinates[i] {
            Coordinate::Continuous => None,
            Coordinate::Ordered { levels } => Some(levels),
            Coordinate::Categorical { choices } => Some(choices as u64),
        }
    }

    /// How many distinct points there are, linear constraints aside; `None` where there is no end of them, more than
    /// 10¹², or their conditions are too entangled to count.
    pub fn cardinality(&self) -> Option<u64> {
        const LIMIT: u64 = 1_000_000_000_000;
        if !self.is_conditional() {
            let product = |product: u64, i: usize| {
                product.checked_mul(self.levels(i)?).filter(|product| *product <= LIMIT)
            };
            return (0..self.dimension()).try_fold(1, product);
        }
        if (0..self.dimension()).any(|i| self.levels(i).is_none()) {
            return None;
        }
        self.walk(MOST_STEPS, usize::MAX).map(|points| points.len() as u64)
    }

    /// All feasible points in a fixed order; `None` where there are more than `limit` or too many to go through.
    pub fn enumerate(&self, limit: usize) -> Option<Vec<Point>> {
        if (0..self.dimension()).any(|i| self.levels(i).is_none()) {
            return None;
        }
        if !self.is_conditional() && self.cardinality().is_none_or(|count| count > MOST_STEPS as u64) {
            return None;
        }
        let points: Vec<Point> =
            self.walk(MOST_STEPS, usize::MAX)?.into_iter().filter(|point| self.satisfies(point)).collect();
        (points.len() <= limit).then_some(points)
    }

    /// All points, by going through the parameters in topological order.
    fn walk(&self, most_steps: usize, limit: usize) -> Option<Vec<Point>> {
        let mut points = vec![Point { values: vec![None; self.dimension()] }];
        let mut steps = 0;
        for &i in &self.order {
            let mut next = Vec::with_capacity(points.len());
            for point in points {
                if !self.is_active(i, &point) {
                    next.push(point);
                    continue;
                }
                let levels = usize::try_from(self.levels(i)?).ok()?;
                steps += levels;
                if steps > most_steps || next.len() + levels > limit {
                    return None;
                }
                for k in 0..levels {
                    let mut longer = point.clone();
                    longer.values[i] = Some(self.level(i, k));
                    next.push(longer);
                }
            }
            points = next;
        }
        Some(points)
    }

    /// Value `k` of a parameter that has finitely many.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_wrap)]
    fn level(&self, i: usize, k: usize) -> Value {
        match &self.parameters[i].domain {
            Domain::Float(range) => {
                Value::Float(range.nearest(range.low() + k as f64 * range.step().unwrap_or(0.0)))
            }
            Domain::Int(range) => Value::Int(range.low() + k as i64 * range.step()),
            Domain::Categorical(_) | Domain::Ordinal(_) => Value::Choice(k),
        }
    }
}
