//! Search spaces as clients write and read them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::space::{ConstraintDraft, DomainDraft, Label, ParameterDraft, Scale};

/// A parameter of the search space.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Parameter {
    /// A real number.
    Float(FloatParameter),
    /// A whole number.
    Int(IntParameter),
    /// One of some choices without an order.
    Categorical(CategoricalParameter),
    /// One of some values in an order.
    Ordinal(OrdinalParameter),
}

/// The parameter exists only while each parameter named has one of the listed values.
type When = BTreeMap<String, Vec<Label>>;

/// A real number in a range.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FloatParameter {
    /// Unique in its study.
    pub name: String,
    /// Least value.
    pub low: f64,
    /// Greatest value; off the grid of a step it is lowered to it.
    pub high: f64,
    /// `linear` or `log`.
    #[serde(default)]
    pub scale: ScaleName,
    /// Distance of neighbouring values; any value where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
    /// When it exists.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Object)]
    pub when: When,
}

/// A whole number in a range.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IntParameter {
    /// Unique in its study.
    pub name: String,
    /// Least value.
    pub low: i64,
    /// Greatest value; off the grid of a step it is lowered to it.
    pub high: i64,
    /// `linear` or `log`.
    #[serde(default)]
    pub scale: ScaleName,
    /// Distance of neighbouring values; 1 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<i64>,
    /// When it exists.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Object)]
    pub when: When,
}

/// One of some choices without an order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CategoricalParameter {
    /// Unique in its study.
    pub name: String,
    /// Strings, numbers or booleans, all of one kind.
    #[schema(value_type = Vec<Value>)]
    pub choices: Vec<Label>,
    /// When it exists.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Object)]
    pub when: When,
}

/// One of some values in an order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrdinalParameter {
    /// Unique in its study.
    pub name: String,
    /// Strings, numbers or booleans, all of one kind, in their order.
    #[schema(value_type = Vec<Value>)]
    pub values: Vec<Label>,
    /// When it exists.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Object)]
    pub when: When,
}

/// How a number is spread over its range.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Scale)]
pub enum ScaleName {
    /// Equal differences are equally far.
    #[default]
    Linear,
    /// Equal ratios are equally far.
    Log,
}

/// A linear constraint between parameters: `lower ≤ Σ weight·value ≤ upper`, or `Σ weight·value = equals`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ParameterConstraint {
    /// The weight of each parameter, in its own units; an inactive parameter counts 0.
    pub sum: BTreeMap<String, f64>,
    /// Least value of the sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<f64>,
    /// Greatest value of the sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<f64>,
    /// The only value of the sum; between unstepped linear floats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<f64>,
}

impl ParameterConstraint {
    pub(super) fn into_draft(self) -> ConstraintDraft {
        ConstraintDraft { sum: self.sum, lower: self.lower, upper: self.upper, equals: self.equals }
    }
}

impl From<ScaleName> for Scale {
    fn from(name: ScaleName) -> Self {
        match name {
            ScaleName::Linear => Self::Linear,
            ScaleName::Log => Self::Log,
        }
    }
}

impl Parameter {
    pub(super) fn into_draft(self) -> ParameterDraft {
        match self {
            Self::Float(p) => ParameterDraft {
                name: p.name,
                domain: DomainDraft::Float { low: p.low, high: p.high, scale: p.scale.into(), step: p.step },
                when: p.when,
            },
            Self::Int(p) => ParameterDraft {
                name: p.name,
                domain: DomainDraft::Int { low: p.low, high: p.high, scale: p.scale.into(), step: p.step },
                when: p.when,
            },
            Self::Categorical(p) => ParameterDraft {
                name: p.name,
                domain: DomainDraft::Categorical { choices: p.choices },
                when: p.when,
            },
            Self::Ordinal(p) => ParameterDraft {
                name: p.name,
                domain: DomainDraft::Ordinal { values: p.values },
                when: p.when,
            },
        }
    }
}
