//! A search space as somebody wrote it down, unchecked. Its JSON form is the one of the HTTP contract, and the one
//! in which the store keeps definitions.

use std::collections::BTreeMap;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Number;

/// Parameters and the linear constraints between them, unchecked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpaceDraft {
    /// The parameters, in the order in which clients see them.
    pub parameters: Vec<ParameterDraft>,
    /// Linear constraints over the parameters' own units.
    #[serde(default)]
    pub parameter_constraints: Vec<ConstraintDraft>,
}

/// One parameter, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterDraft {
    /// Unique in its space.
    pub name: String,
    /// What values it takes.
    #[serde(flatten)]
    pub domain: DomainDraft,
    /// The parameter exists only while each parameter named here has one of the listed values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, Vec<Label>>,
}

/// The values of a parameter, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DomainDraft {
    /// A real number in `[low, high]`, optionally on the grid `low + k·step`.
    Float {
        /// Lower bound.
        low: f64,
        /// Upper bound.
        high: f64,
        /// Linear or logarithmic.
        #[serde(default)]
        scale: Scale,
        /// Distance of neighbouring values.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<f64>,
    },
    /// An integer in `[low, high]`, optionally on the grid `low + k·step`.
    Int {
        /// Lower bound.
        low: i64,
        /// Upper bound.
        high: i64,
        /// Linear or logarithmic.
        #[serde(default)]
        scale: Scale,
        /// Distance of neighbouring values.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<i64>,
    },
    /// One of some labels without an order.
    Categorical {
        /// The labels, all of one kind.
        choices: Vec<Label>,
    },
    /// One of some labels in an order.
    Ordinal {
        /// The labels, all of one kind, in their order.
        values: Vec<Label>,
    },
}

/// How a numeric parameter is spread over its range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Equal differences are equally far.
    #[default]
    Linear,
    /// Equal ratios are equally far.
    Log,
}

/// A choice of a categorical parameter or a value of an ordinal one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Label {
    /// `true` or `false`.
    Boolean(bool),
    /// A number. Checked spaces hold a whole number below 2⁵³ as an integer, so that 16 and 16.0 are the same label.
    Number(Number),
    /// A string.
    Text(String),
}

/// By hand, since what is derived does not say what was expected.
impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfLabel;
        impl Visitor<'_> for OfLabel {
            type Value = Label;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a string, a number or a boolean")
            }

            fn visit_bool<E: Error>(self, boolean: bool) -> Result<Label, E> {
                Ok(Label::Boolean(boolean))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Label, E> {
                Ok(Label::Number(number.into()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Label, E> {
                Ok(Label::Number(number.into()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Label, E> {
                Number::from_f64(number)
                    .map(Label::Number)
                    .ok_or_else(|| E::custom("a number must be finite"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Label, E> {
                Ok(Label::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(OfLabel)
    }
}

/// A linear constraint `lower ≤ Σ weight·value ≤ upper`, or `Σ weight·value = equals`, unchecked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConstraintDraft {
    /// The weight of each parameter named, in its own units; an inactive parameter counts 0.
    pub sum: BTreeMap<String, f64>,
    /// Least value of the sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<f64>,
    /// Greatest value of the sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<f64>,
    /// The only value of the sum; over unstepped linear floats alone (mixtures).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<f64>,
}
