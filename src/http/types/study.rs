//! Studies as clients write and read them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::network::{Solve, StudyNetwork};
use crate::space::{ConstraintDraft, DomainDraft, Label, ParameterDraft, Scale};
use crate::study::{
    AlgorithmDraft, BudgetDraft, GoalDraft, MetricDraft, NetworkDraft, StudyDraft, StudyRecord, StudyState,
    TrialState,
};

/// What a study is made of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "quick-start",
    "parameters": [{"name": "x", "type": "float", "low": -5.0, "high": 10.0}],
    "metrics": [{"name": "loss", "goal": "minimize"}]
}))]
pub struct StudyRequest {
    /// Unique in its project; 1 to 200 characters.
    pub name: String,
    /// What it belongs to: where absent, the only project of the token, or `default`. Without authentication there is
    /// one, `default`.
    #[serde(default)]
    pub project: Option<String>,
    /// The search space, 1 to 1000 parameters.
    pub parameters: Vec<Parameter>,
    /// What is measured; at least one objective.
    pub metrics: Vec<Metric>,
    /// Linear constraints between parameters.
    #[serde(default)]
    pub parameter_constraints: Vec<ParameterConstraint>,
    /// The recorded metric that is the cost of a trial.
    pub cost_metric: Option<String>,
    /// How points are chosen.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// The networks that the objective runs through.
    pub network: Option<StudyNetwork>,
    /// How much may be spent; asks past it are 409.
    #[serde(default)]
    pub budget: Budget,
    /// How long a running trial stays its worker's; null for ever.
    #[serde(default = "default_lease_seconds")]
    pub default_lease_seconds: Option<u64>,
    /// Whether the points of expired trials are handed out again.
    #[serde(default)]
    pub retry_expired: bool,
    /// Seed of everything random, from 0 to 2^53 − 1; drawn where absent.
    pub seed: Option<u64>,
    /// Whatever the client keeps with it.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub metadata: Map<String, Json>,
}

fn default_project() -> String {
    "default".into()
}

#[allow(clippy::unnecessary_wraps)]
fn default_lease_seconds() -> Option<u64> {
    Some(86_400)
}

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

/// What is measured in a trial, and what is wanted of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Unique in its study.
    pub name: String,
    /// `minimize`, `maximize`, `constrain` or `record`.
    pub goal: GoalName,
    /// Least feasible value of a constraint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<f64>,
    /// Greatest feasible value of a constraint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<f64>,
    /// Hypervolume reference value of an objective in a multi-objective study.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<f64>,
}

/// The kinds of goal.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Goal)]
pub enum GoalName {
    /// Smaller is better.
    Minimize,
    /// Larger is better.
    Maximize,
    /// Feasible within bounds.
    Constrain,
    /// Kept and shown.
    Record,
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

/// How much may be spent.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Trials handed out, without abandoned and expired ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<u64>,
    /// Sum of the cost metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

/// What counts against a budget.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Spent {
    /// Trials handed out, without abandoned and expired ones.
    pub trials: u64,
    /// Sum of the cost metric over those; 0 where the study names none.
    pub cost: f64,
}

impl From<Budget> for BudgetDraft {
    fn from(budget: Budget) -> Self {
        Self { trials: budget.trials, cost: budget.cost }
    }
}

/// What changes of a study; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StudyPatch {
    /// `active`, `paused` or `completed`.
    pub state: Option<StudyStateName>,
    /// Replaces all metadata.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Json>>,
    /// Replaces the budget.
    pub budget: Option<Budget>,
    /// The length of leases to come; null for ever.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u64>)]
    pub default_lease_seconds: Option<Option<u64>>,
    /// Whether the points of expired trials are handed out again.
    pub retry_expired: Option<bool>,
}

/// Tells a field that is null from one that is absent.
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Whether a study hands out trials.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StudyState)]
pub enum StudyStateName {
    /// Asks are answered.
    Active,
    /// Asks are refused until it is active again.
    Paused,
    /// Asks are refused: the study is done.
    Completed,
}

impl From<StudyStateName> for StudyState {
    fn from(name: StudyStateName) -> Self {
        match name {
            StudyStateName::Active => Self::Active,
            StudyStateName::Paused => Self::Paused,
            StudyStateName::Completed => Self::Completed,
        }
    }
}

/// A study.
#[derive(Debug, Serialize, ToSchema)]
pub struct Study {
    /// Identifies it in paths.
    pub id: Uuid,
    /// Unique in its project.
    pub name: String,
    /// What it belongs to.
    pub project: String,
    /// `active`, `paused` or `completed`.
    pub state: String,
    /// The search space, after defaults.
    #[schema(value_type = Vec<Parameter>)]
    pub parameters: Vec<ParameterDraft>,
    /// What is measured.
    #[schema(value_type = Vec<Metric>)]
    pub metrics: Vec<MetricDraft>,
    /// Linear constraints between parameters.
    #[schema(value_type = Vec<ParameterConstraint>)]
    pub parameter_constraints: Vec<ConstraintDraft>,
    /// The recorded metric that is the cost of a trial.
    pub cost_metric: Option<String>,
    /// How points are chosen.
    #[schema(value_type = Algorithm)]
    pub algorithm: AlgorithmDraft,
    /// The networks that the objective runs through.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StudyNetwork>)]
    pub network: Option<NetworkDraft>,
    /// How the service's own search through the networks stands; only where a single study is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solve: Option<Solve>,
    /// How much may be spent.
    #[schema(value_type = Budget)]
    pub budget: BudgetDraft,
    /// Length of a lease; null for ever.
    pub default_lease_seconds: Option<u64>,
    /// Whether the points of expired trials are handed out again.
    pub retry_expired: bool,
    /// Seed of everything random.
    pub seed: u64,
    /// Whatever the client keeps with it.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Json>,
    /// Raised by every change of the study and its trials.
    pub revision: u64,
    /// What counts against the budget so far.
    pub spent: Spent,
    /// How many trials are in each state.
    pub trial_counts: BTreeMap<String, u64>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it, or one of its trials, was last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<&StudyRecord> for Study {
    fn from(record: &StudyRecord) -> Self {
        let draft = record.definition.draft();
        Self {
            id: record.id.0,
            name: draft.name.clone(),
            project: draft.project.clone(),
            state: record.state.name().into(),
            parameters: draft.parameters.clone(),
            metrics: draft.metrics.clone(),
            parameter_constraints: draft.parameter_constraints.clone(),
            cost_metric: draft.cost_metric.clone(),
            algorithm: draft.algorithm.clone(),
            network: draft.network.clone(),
            solve: None,
            budget: record.settings.budget,
            default_lease_seconds: record.settings.default_lease_seconds,
            retry_expired: record.settings.retry_expired,
            seed: record.definition.seed(),
            metadata: record.metadata.clone(),
            revision: record.revision,
            spent: Spent { trials: record.spent_trials, cost: record.spent_cost },
            trial_counts: TrialState::ALL
                .into_iter()
                .map(|state| (state.name().to_owned(), record.counts.of(state)))
                .collect(),
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

/// A page of studies.
#[derive(Debug, Serialize, ToSchema)]
pub struct StudyList {
    /// In the order of creation.
    pub studies: Vec<Study>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
}

impl StudyRequest {
    /// The draft of the study, and what the client keeps with it.
    pub fn into_draft(self) -> (StudyDraft, Map<String, Json>) {
        let parameters = self.parameters.into_iter().map(Parameter::into_draft).collect();
        let metrics = self.metrics.into_iter().map(Metric::into_draft).collect();
        let parameter_constraints = self
            .parameter_constraints
            .into_iter()
            .map(|c| ConstraintDraft { sum: c.sum, lower: c.lower, upper: c.upper, equals: c.equals })
            .collect();
        let draft = StudyDraft {
            name: self.name,
            project: self.project.unwrap_or_else(default_project),
            parameters,
            metrics,
            parameter_constraints,
            cost_metric: self.cost_metric,
            algorithm: AlgorithmDraft {
                acquisition: self.algorithm.acquisition,
                initial_trials: self.algorithm.initial_trials,
                early_stopping: self.algorithm.early_stopping.into_rule(),
                hyperparameters: self.algorithm.hyperparameters.into_rule(),
                input_warping: self.algorithm.input_warping.into_rule(),
                settings: self.algorithm.settings,
            },
            network: self.network.map(Into::into),
            budget: self.budget.into(),
            default_lease_seconds: self.default_lease_seconds,
            retry_expired: self.retry_expired,
            seed: self.seed,
        };
        (draft, self.metadata)
    }
}

impl Metric {
    fn into_draft(self) -> MetricDraft {
        let goal = match self.goal {
            GoalName::Minimize => GoalDraft::Minimize,
            GoalName::Maximize => GoalDraft::Maximize,
            GoalName::Constrain => GoalDraft::Constrain,
            GoalName::Record => GoalDraft::Record,
        };
        MetricDraft { name: self.name, goal, lower: self.lower, upper: self.upper, reference: self.reference }
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
    fn into_draft(self) -> ParameterDraft {
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
