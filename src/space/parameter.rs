//! A checked parameter: its values and the conditions under which it exists.

use super::{Label, Scale, Value};

/// A parameter whose draft was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub(super) name: String,
    pub(super) domain: Domain,
    pub(super) conditions: Vec<Condition>,
}

impl Parameter {
    /// Its name, unique in the space.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its values.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// It exists only while all of these hold.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}

/// Holds while the parameter at index `parent` is active and has one of `values`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Index of the parameter that decides.
    pub parent: usize,
    /// The values with which the condition holds.
    pub values: Vec<Value>,
}

/// The values of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// Real numbers.
    Float(FloatRange),
    /// Integers.
    Int(IntRange),
    /// Labels without an order, at least two.
    Categorical(Vec<Label>),
    /// Labels in an order, at least two.
    Ordinal(Vec<Label>),
}

/// Real numbers in `[low, high]`, `low < high`; with a step the grid `low + k·step` that ends at `high`.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatRange {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) scale: Scale,
    pub(super) step: Option<f64>,
}

/// Integers in `[low, high]`, `low < high`, on the grid `low + k·step` that ends at `high`; `step` is at least 1.
#[derive(Clone, Debug, PartialEq)]
pub struct IntRange {
    pub(super) low: i64,
    pub(super) high: i64,
    pub(super) scale: Scale,
    pub(super) step: i64,
}
