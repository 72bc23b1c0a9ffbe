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

/// Ints beyond this are not exact in every JSON reader.
pub(super) const INT_LIMIT: i64 = (1 << 53) - 1;

impl FloatRange {
    /// Least value.
    pub fn low(&self) -> f64 {
        self.low
    }

    /// Greatest value, on the grid where there is one.
    pub fn high(&self) -> f64 {
        self.high
    }

    /// Linear or logarithmic.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Distance of neighbouring values.
    pub fn step(&self) -> Option<f64> {
        self.step
    }

    /// How many values there are; `None`: any number.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn levels(&self) -> Option<u64> {
        self.step.map(|step| ((self.high - self.low) / step).round() as u64 + 1)
    }

    /// Value `k` of the grid, rounded to the decimals of its low and step.
    #[allow(clippy::cast_precision_loss)]
    fn grid_value(&self, step: f64, k: u64) -> f64 {
        round_to(self.low + k as f64 * step, decimals(self.low).max(decimals(step)))
    }

    /// The admissible value nearest to `x`.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn nearest(&self, x: f64) -> f64 {
        let x = x.clamp(self.low, self.high);
        match self.step {
            None => x,
            Some(step) => self.grid_value(step, ((x - self.low) / step).round() as u64),
        }
    }

    pub(super) fn encode(&self, x: f64) -> f64 {
        unit(x, self.low, self.high, self.scale)
    }

    pub(super) fn relaxed(&self, u: f64) -> f64 {
        from_unit(u, self.low, self.high, self.scale)
    }

    /// The value at `u` in [0, 1): every grid value equally likely.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn at_uniform(&self, u: f64) -> f64 {
        match (self.step, self.levels()) {
            (Some(step), Some(levels)) => self.grid_value(step, ((u * levels as f64) as u64).min(levels - 1)),
            _ => self.relaxed(u),
        }
    }
}

impl IntRange {
    /// Least value.
    pub fn low(&self) -> i64 {
        self.low
    }

    /// Greatest value, on the grid.
    pub fn high(&self) -> i64 {
        self.high
    }

    /// Linear or logarithmic.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Distance of neighbouring values, at least 1.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// How many values there are.
    pub(super) fn levels(&self) -> u64 {
        ((self.high - self.low) / self.step).unsigned_abs() + 1
    }

    /// The admissible value nearest to `x`.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    pub(super) fn nearest(&self, x: f64) -> i64 {
        let x = x.clamp(self.low as f64, self.high as f64);
        let k = ((x - self.low as f64) / self.step as f64).round() as i64;
        (self.low + k * self.step).min(self.high)
    }

    /// Whether `x` is in range and on the grid.
    pub(super) fn admits(&self, x: i64) -> bool {
        (self.low..=self.high).contains(&x) && (x - self.low) % self.step == 0
    }

    #[allow(clippy::cast_precision_loss)]
    pub(super) fn encode(&self, x: i64) -> f64 {
        unit(x as f64, self.low as f64, self.high as f64, self.scale)
    }

    #[allow(clippy::cast_precision_loss)]
    pub(super) fn relaxed(&self, u: f64) -> f64 {
        from_unit(u, self.low as f64, self.high as f64, self.scale)
    }

    /// The value at `u` in [0, 1): equally likely on a linear scale, by the width of its cell on a log scale.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn at_uniform(&self, u: f64) -> i64 {
        match self.scale {
            Scale::Linear => {
                let k = ((u * self.levels() as f64) as u64).min(self.levels() - 1);
                self.low + k as i64 * self.step
            }
            Scale::Log => {
                let half = 0.5 * self.step as f64;
                let low = (self.low as f64 - half).max(0.5 * self.low as f64);
                self.nearest(from_unit(u, low, self.high as f64 + half, Scale::Log))
            }
        }
    }
}

/// Where `x` lies between `low` (0) and `high` (1); finite for any finite `x`.
fn unit(x: f64, low: f64, high: f64, scale: Scale) -> f64 {
    match scale {
        Scale::Linear => (x - low) / (high - low),
        // A value that has no logarithm lies below every one that has.
        Scale::Log if x <= 0.0 => -1.0,
        Scale::Log => (x.ln() - low.ln()) / (high.ln() - low.ln()),
    }
}

/// The inverse of [`unit`] on [0, 1], exact at both ends.
fn from_unit(u: f64, low: f64, high: f64, scale: Scale) -> f64 {
    if u <= 0.0 {
        return low;
    }
    if u >= 1.0 {
        return high;
    }
    match scale {
        Scale::Linear => low + u * (high - low),
        Scale::Log => (low.ln() + u * (high.ln() - low.ln())).exp(),
    }
    .clamp(low, high)
}

/// How many decimals the shortest form of `x` has.
fn decimals(x: f64) -> usize {
    let text = format!("{x}");
    text.split_once('.').map_or(0, |(_, fraction)| fraction.len())
}

fn round_to(x: f64, decimals: usize) -> f64 {
    format!("{x:.decimals$}").parse().unwrap_or(x)
}

/// A range from its draft's numbers; `high` is lowered onto the grid. `None` when nothing is left of it.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn float_range(low: f64, high: f64, scale: Scale, step: Option<f64>) -> Option<FloatRange> {
    let mut range = FloatRange { low, high, scale, step };
    if let Some(step) = step {
        // A little is added so that 0.3 is on the grid of 0.1.
        let k = ((high - low) / step + 1e-9).floor();
        // Neighbours have to differ by more than the rounding of numbers of their size.
        let rounding = 2.0 * f64::EPSILON * low.abs().max(high.abs());
        if !(1.0..=9e15).contains(&k) || step < rounding {
            return None;
        }
        range.high = range.grid_value(step, k as u64);
    }
    (range.low < range.high).then_some(range)
}

/// Likewise for ints.
pub(super) fn int_range(low: i64, high: i64, scale: Scale, step: i64) -> Option<IntRange> {
    let high = low + (high - low) / step * step;
    (low < high).then_some(IntRange { low, high, scale, step })
}
