//! How a study's points are chosen, as clients write and read it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

use crate::study::AlgorithmDraft;

/// How points are chosen.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Algorithm {
    /// `auto`, or one that `GET /v1/algorithms` lists.
    #[serde(default = "default_acquisition")]
    pub acquisition: String,
    /// Size of the initial design.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_trials: Option<u64>,
    /// When running trials are told to stop, by their measurements.
    #[serde(default, skip_serializing_if = "EarlyStopping::is_auto")]
    pub early_stopping: EarlyStopping,
    /// How the models' hyperparameters are learned.
    #[serde(default, skip_serializing_if = "HyperparameterLearning::is_auto")]
    pub hyperparameters: HyperparameterLearning,
    /// Whether the models' inputs are warped.
    #[serde(default, skip_serializing_if = "InputWarping::is_auto")]
    pub input_warping: InputWarping,
    /// The acquisition's settings by name, as `GET /v1/algorithms` lists them.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub settings: Map<String, Json>,
}

/// When a running trial is told to stop, from its intermediate measurements of the one objective: `auto` (the service
/// chooses), `never`, `median` (below the completed trials' median), `successive_halving` (not among the best third at
/// a rung of 1, 3, 9 … steps), `predicted` (unlikely to become the best).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EarlyStopping {
    /// The service chooses.
    #[default]
    Auto,
    /// Only when the study is not active.
    Never,
    /// Below the completed trials' median.
    Median,
    /// Not among the best third at a rung.
    SuccessiveHalving,
    /// Unlikely to become the best.
    Predicted,
}

impl EarlyStopping {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }

    fn into_rule(self) -> crate::study::EarlyStopping {
        match self {
            Self::Auto => crate::study::EarlyStopping::Auto,
            Self::Never => crate::study::EarlyStopping::Never,
            Self::Median => crate::study::EarlyStopping::Median,
            Self::SuccessiveHalving => crate::study::EarlyStopping::SuccessiveHalving,
            Self::Predicted => crate::study::EarlyStopping::Predicted,
        }
    }
}

/// How the hyperparameters of the models, such as lengthscales, are learned: `auto` (the service chooses, and insights
/// tell), `fitted` (the likeliest ones), `sampled` (averaged over 16 samples of their posterior: surer of what it does not
/// know, and slower), `sparse` (likewise, under the prior that few parameters matter: for 20 to 100 parameters and few
/// trials). Named acquisitions look at the likeliest ones, as do metrics that are not objectives of a named one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HyperparameterLearning {
    /// The service chooses.
    #[default]
    Auto,
    /// The likeliest ones.
    Fitted,
    /// Averaged over samples of their posterior.
    Sampled,
    /// Likewise, under a prior by which few parameters matter.
    Sparse,
}

impl HyperparameterLearning {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }

    fn into_rule(self) -> crate::study::HyperparameterLearning {
        match self {
            Self::Auto => crate::study::HyperparameterLearning::Auto,
            Self::Fitted => crate::study::HyperparameterLearning::Fitted,
            Self::Sampled => crate::study::HyperparameterLearning::Sampled,
            Self::Sparse => crate::study::HyperparameterLearning::Sparse,
        }
    }
}

/// Whether the models learn a warping of each number's axis, for functions that vary much at one end of a range and little
/// at the other: `auto` (the service chooses, and insights tell), `never`, `always` (but where derivatives are told).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputWarping {
    /// The service chooses.
    #[default]
    Auto,
    /// Never.
    Never,
    /// Always.
    Always,
}

impl InputWarping {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }

    fn into_rule(self) -> crate::study::InputWarping {
        match self {
            Self::Auto => crate::study::InputWarping::Auto,
            Self::Never => crate::study::InputWarping::Never,
            Self::Always => crate::study::InputWarping::Always,
        }
    }
}

fn default_acquisition() -> String {
    "auto".into()
}

impl Default for Algorithm {
    fn default() -> Self {
        Self {
            acquisition: default_acquisition(),
            initial_trials: None,
            settings: Map::new(),
            early_stopping: EarlyStopping::Auto,
            hyperparameters: HyperparameterLearning::Auto,
            input_warping: InputWarping::Auto,
        }
    }
}

impl Algorithm {
    pub(super) fn into_draft(self) -> AlgorithmDraft {
        AlgorithmDraft {
            acquisition: self.acquisition,
            initial_trials: self.initial_trials,
            early_stopping: self.early_stopping.into_rule(),
            hyperparameters: self.hyperparameters.into_rule(),
            input_warping: self.input_warping.into_rule(),
            settings: self.settings,
        }
    }
}
