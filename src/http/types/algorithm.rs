//! Algorithms as clients read them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::acquisition::{Algorithm, Range, Setting};

/// The algorithms that a study may name.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlgorithmList {
    /// All of them.
    pub algorithms: Vec<AlgorithmDescription>,
}

/// One algorithm.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlgorithmDescription {
    /// The name in a study's `algorithm.acquisition`.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// What a study may set in `algorithm.settings`.
    pub settings: Vec<AlgorithmSetting>,
    /// Whether it looks at every objective of several; the others look at a random weighting of them.
    pub multi_objective: bool,
    /// Where it comes from.
    pub source: String,
}

/// One setting of an algorithm.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AlgorithmSetting {
    /// A whole number.
    Integer(IntegerSetting),
    /// A number.
    Number(NumberSetting),
    /// One of some names.
    Choice(ChoiceSetting),
}

/// A whole number.
#[derive(Debug, Serialize, ToSchema)]
pub struct IntegerSetting {
    /// The name.
    pub name: String,
    /// What it does.
    pub purpose: String,
    /// What it is where a study says nothing.
    pub default: u32,
    /// Least value.
    pub low: u32,
    /// Greatest value.
    pub high: u32,
}

/// A number.
#[derive(Debug, Serialize, ToSchema)]
pub struct NumberSetting {
    /// The name.
    pub name: String,
    /// What it does.
    pub purpose: String,
    /// What it is where a study says nothing.
    pub default: f64,
    /// Least value.
    pub low: f64,
    /// Greatest value.
    pub high: f64,
}

/// One of some names.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChoiceSetting {
    /// The name.
    pub name: String,
    /// What it does.
    pub purpose: String,
    /// What it is where a study says nothing.
    pub default: String,
    /// The names.
    pub choices: Vec<String>,
}

impl From<&Algorithm> for AlgorithmDescription {
    fn from(algorithm: &Algorithm) -> Self {
        Self {
            name: algorithm.name.into(),
            purpose: algorithm.purpose.into(),
            settings: algorithm.settings.iter().map(Into::into).collect(),
            multi_objective: algorithm.is_multi_objective,
            source: algorithm.source.into(),
        }
    }
}

impl From<&Setting> for AlgorithmSetting {
    fn from(setting: &Setting) -> Self {
        let (name, purpose) = (setting.name.into(), setting.purpose.into());
        match setting.range {
            Range::Integer { default, low, high } => {
                Self::Integer(IntegerSetting { name, purpose, default, low, high })
            }
            Range::Number { default, low, high } => {
                Self::Number(NumberSetting { name, purpose, default, low, high })
            }
            Range::Choice(names) => Self::Choice(ChoiceSetting {
                name,
                purpose,
                default: names.first().copied().unwrap_or_default().into(),
                choices: names.iter().map(|name| (*name).into()).collect(),
            }),
        }
    }
}
