//! One encoding of points into the unit cube and back: exact at the bounds, and exact for every value of a stepped,
//! ordered or categorical parameter, as far as coordinates tell its values apart: up to 10¹³ of them. Of more than
//! that, a value may come back as a neighbour.

use sha2::{Digest, Sha256};

use super::{Coordinate, Domain, INACTIVE, Parameter, Point, PointKey, Scale, Space, Value};

impl Space {
    /// The coordinates of a point. Values outside their range lie outside the unit cube; all are finite or
    /// [`INACTIVE`].
    pub fn encode(&self, point: &Point) -> Vec<f64> {
        self.parameters
            .iter()
            .zip(&point.values)
            .map(|(parameter, value)| value.map_or(INACTIVE, |value| parameter.encode(value)))
            .collect()
    }

    /// The point at some coordinates: the nearest admissible values, conditions resolved. A coordinate that is
    /// missing where the parameter is active counts ½. Linear constraints are not enforced.
    pub fn decode(&self, coordinates: &[f64]) -> Point {
        self.resolve(|i, parameter| {
            let u = coordinates.get(i).copied().unwrap_or(INACTIVE);
            parameter.decode(if u.is_nan() { 0.5 } else { u.clamp(0.0, 1.0) })
        })
    }

    /// The point at some uniform numbers in [0, 1): every value equally likely on its parameter's scale.
    pub fn at_uniform(&self, uniform: &[f64]) -> Point {
        self.resolve(|i, parameter| parameter.at_uniform(uniform.get(i).copied().unwrap_or(0.5)))
    }

    /// dx/du of an unstepped float parameter at a coordinate; `None` for every other.
    pub fn stretch(&self, parameter: usize, u: f64) -> Option<f64> {
        match &self.parameters[parameter].domain {
            Domain::Float(range) if range.step().is_none() && !u.is_nan() => Some(match range.scale() {
                Scale::Linear => range.high() - range.low(),
                Scale::Log => range.relaxed(u) * (range.high() / range.low()).ln(),
            }),
            _ => None,
        }
    }

    /// A feasible point near the middle of the space.
    pub fn centre(&self) -> Point {
        self.repair(&vec![0.5; self.dimension()])
    }

    /// What identifies a point: equal points have equal keys, and 0 is −0.
    pub fn canonical(&self, point: &Point) -> PointKey {
        let mut digest = Sha256::new();
        for value in &point.values {
            let (kind, bits) = match *value {
                None => (0u8, 0),
                Some(Value::Float(x)) => (1, (x + 0.0).to_bits()),
                Some(Value::Int(x)) => (2, x as u64),
                Some(Value::Choice(k)) => (3, k as u64),
            };
            digest.update([kind]);
            digest.update(bits.to_le_bytes());
        }
        PointKey(digest.finalize().into())
    }

    /// Gives each parameter that its conditions leave on the value that `value` says.
    pub(super) fn resolve(&self, mut value: impl FnMut(usize, &Parameter) -> Value) -> Point {
        let mut point = Point { values: vec![None; self.dimension()] };
        for &i in &self.order {
            if self.is_active(i, &point) {
                point.values[i] = Some(value(i, &self.parameters[i]));
            }
        }
        point
    }

    /// Whether parameter `i` exists at `point`, whose values before it in the topological order are known.
    pub(super) fn is_active(&self, i: usize, point: &Point) -> bool {
        self.parameters[i].conditions.iter().all(|condition| {
            point.values[condition.parent].is_some_and(|value| condition.values.contains(&value))
        })
    }
}

impl Parameter {
    #[allow(clippy::cast_precision_loss)]
    fn encode(&self, value: Value) -> f64 {
        match (&self.domain, value) {
            (Domain::Float(range), Value::Float(x)) => range.encode(x),
            (Domain::Int(range), Value::Int(x)) => range.encode(x),
            (Domain::Categorical(labels) | Domain::Ordinal(labels), Value::Choice(k)) => {
                k as f64 / (labels.len() - 1) as f64
            }
            // A point of another space; reading and decoding make none.
            _ => 0.5,
        }
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn decode(&self, u: f64) -> Value {
        match &self.domain {
            Domain::Float(range) => Value::Float(range.nearest(range.relaxed(u))),
            Domain::Int(range) => Value::Int(range.nearest(range.relaxed(u))),
            Domain::Categorical(labels) | Domain::Ordinal(labels) => {
                Value::Choice((u * (labels.len() - 1) as f64).round() as usize)
            }
        }
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn at_uniform(&self, u: f64) -> Value {
        match &self.domain {
            Domain::Float(range) => Value::Float(range.at_uniform(u)),
            Domain::Int(range) => Value::Int(range.at_uniform(u)),
            Domain::Categorical(labels) | Domain::Ordinal(labels) => {
                Value::Choice(((u * labels.len() as f64) as usize).min(labels.len() - 1))
            }
        }
    }

    /// What its coordinate means.
    pub(super) fn coordinate(&self) -> Coordinate {
        match &self.domain {
            Domain::Float(range) => {
                range.levels().map_or(Coordinate::Continuous, |levels| Coordinate::Ordered { levels })
            }
            Domain::Int(range) => Coordinate::Ordered { levels: range.levels() },
            Domain::Ordinal(labels) => Coordinate::Ordered { levels: labels.len() as u64 },
            Domain::Categorical(labels) => Coordinate::Categorical { choices: labels.len() },
        }
    }
}
