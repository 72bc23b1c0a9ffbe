//! A point of a space: one value a parameter.

use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use super::Fault;

/// The value of one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Of a float parameter, in its own units.
    Float(f64),
    /// Of an int parameter.
    Int(i64),
    /// Of a categorical or ordinal parameter: the index into its labels.
    Choice(usize),
}

/// One value a parameter, in the order of the definition; `None` where the parameter's conditions switch it off.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The values.
    pub values: Vec<Option<Value>>,
}

/// What identifies a point in its space: the SHA-256 of its canonical form. Equal points have equal keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PointKey(pub [u8; 32]);

impl PointKey {
    /// The key of parameters that the space cannot express as a point: the digest of their text, names in order.
    pub fn of_json(parameters: &Map<String, Json>) -> Self {
        let sorted: std::collections::BTreeMap<&String, &Json> = parameters.iter().collect();
        let mut digest = Sha256::new();
        for (name, value) in sorted {
            digest.update(Json::from(name.as_str()).to_string());
            digest.update(value.to_string());
        }
        Self(digest.finalize().into())
    }
}

/// What [`Space::read`](super::Space::read) made of the parameters that a client sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The point, as far as it can be expressed: `None` when a label is unknown. Numbers may lie outside their range.
    pub point: Option<Point>,
    /// Why the point lies outside the space; empty when it lies inside.
    pub outside: Vec<Fault>,
}
