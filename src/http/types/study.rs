//! Studies as clients write and read them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::network::{Solve, StudyNetwork};
use super::{Algorithm, Parameter, ParameterConstraint};
use crate::space::{ConstraintDraft, ParameterDraft};
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
        let parameter_constraints =
            self.parameter_constraints.into_iter().map(ParameterConstraint::into_draft).collect();
        let draft = StudyDraft {
            name: self.name,
            project: self.project.unwrap_or_else(default_project),
            parameters,
            metrics,
            parameter_constraints,
            cost_metric: self.cost_metric,
            algorithm: self.algorithm.into_draft(),
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
