//! Trials as clients read them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{MetricObservation, Prediction};
use crate::service::{Best, Recommended};
use crate::study::{Observation, Outcome, PastOutcome, Trial as StoredTrial};

/// A trial.
#[derive(Debug, Serialize, ToSchema)]
pub struct Trial {
    /// From 0 inside its study.
    pub number: u64,
    /// `queued`, `running`, `completed`, `failed`, `stopped`, `abandoned` or `expired`.
    pub state: String,
    /// The point; parameters that are switched off are absent.
    #[schema(value_type = Object)]
    pub parameters: Map<String, Json>,
    /// What was told, where it is completed.
    pub metrics: Option<BTreeMap<String, MetricObservation>>,
    /// Why it failed or was abandoned.
    pub reason: Option<String>,
    /// Which repetition of the point it is.
    pub replicate: u32,
    /// The point lies outside the search space.
    pub outside: bool,
    /// The trial whose point this one hands out again.
    pub retry_of: Option<u64>,
    /// Its retry was told before it.
    pub superseded: bool,
    /// What proposed the point: `initial_design`, `log_expected_improvement`,
    /// `scalarized_log_expected_improvement`, `probability_of_feasibility`, `space_filling`, `random`,
    /// `fallback_space_filling`, `queued` or `attached`.
    pub origin: String,
    /// The study's revision that the proposal was computed from.
    pub history_revision: u64,
    /// Who evaluates it.
    pub worker: Option<String>,
    /// Proves who holds it; sent with heartbeats and tells.
    pub lease_token: Option<Uuid>,
    /// When the lease ends; null for ever.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// Intermediate values.
    pub measurements: Vec<TrialMeasurement>,
    /// What had been told before amendments, oldest first.
    pub revisions: Vec<TrialRevision>,
    /// A remark.
    pub note: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// Whatever else the client keeps with it.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Json>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was handed out.
    pub started_at: Option<DateTime<Utc>>,
    /// When its outcome was told.
    pub ended_at: Option<DateTime<Utc>>,
}

/// An intermediate value of a trial.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialMeasurement {
    /// Epoch, iteration or whatever is counted.
    pub step: u64,
    /// The metrics so far.
    pub metrics: BTreeMap<String, MetricObservation>,
}

/// An outcome that an amendment replaced.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialRevision {
    /// The state it had led to.
    pub state: String,
    /// The metrics told.
    pub metrics: Option<BTreeMap<String, MetricObservation>>,
    /// Why it had failed or been abandoned.
    pub reason: Option<String>,
    /// When it was replaced.
    pub replaced_at: DateTime<Utc>,
}

fn answers(metrics: &BTreeMap<String, Observation>) -> BTreeMap<String, MetricObservation> {
    metrics.iter().map(|(name, seen)| (name.clone(), seen.into())).collect()
}

/// The metrics and the reason of an outcome.
fn told(outcome: &Outcome) -> (Option<BTreeMap<String, MetricObservation>>, Option<String>) {
    match outcome {
        Outcome::Completed { metrics } => (Some(answers(metrics)), None),
        Outcome::Failed { reason } | Outcome::Abandoned { reason } => (None, Some(reason.clone())),
        Outcome::Stopped => (None, None),
    }
}

impl From<&StoredTrial> for Trial {
    fn from(trial: &StoredTrial) -> Self {
        let (metrics, reason) = trial.outcome.as_ref().map(told).unwrap_or_default();
        Self {
            number: trial.number,
            state: trial.state.name().into(),
            parameters: trial.parameters.clone(),
            metrics,
            reason,
            replicate: trial.replicate,
            outside: trial.outside,
            retry_of: trial.retry_of,
            superseded: trial.superseded,
            origin: trial.origin.clone(),
            history_revision: trial.history_revision,
            worker: trial.worker.clone(),
            lease_token: trial.lease_token,
            lease_expires_at: trial.lease_expires_at,
            measurements: trial
                .measurements
                .iter()
                .map(|m| TrialMeasurement { step: m.step, metrics: answers(&m.metrics) })
                .collect(),
            revisions: trial.revisions.iter().map(TrialRevision::from).collect(),
            note: trial.note.clone(),
            tags: trial.tags.clone(),
            metadata: trial.metadata.clone(),
            created_at: trial.created_at,
            started_at: trial.started_at,
            ended_at: trial.ended_at,
        }
    }
}

impl From<&PastOutcome> for TrialRevision {
    fn from(past: &PastOutcome) -> Self {
        let (metrics, reason) = told(&past.outcome);
        let state = past.outcome.state().name().into();
        Self { state, metrics, reason, replaced_at: past.replaced_at }
    }
}

/// Trials that were handed out.
#[derive(Debug, Serialize, ToSchema)]
pub struct AskAnswer {
    /// At least one; fewer than asked for where the space or the budget has no more.
    pub trials: Vec<Trial>,
}

impl AskAnswer {
    /// Of stored trials.
    pub fn of(trials: &[StoredTrial]) -> Self {
        Self { trials: trials.iter().map(Trial::from).collect() }
    }
}

/// Trials that were attached.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttachAnswer {
    /// Their numbers, in the order of the request.
    pub numbers: Vec<u64>,
}

/// A page of trials.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialList {
    /// By number.
    pub trials: Vec<Trial>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
}

/// What a study has found so far.
#[derive(Debug, Serialize, ToSchema)]
pub struct BestAnswer {
    /// The best feasible trial, or the Pareto front.
    pub trials: Vec<Trial>,
    /// The point with the best posterior mean; null while nothing feasible is known.
    pub recommended: Option<Recommendation>,
    /// The front of posterior means; multi-objective studies alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recommended_front: Option<Vec<Recommendation>>,
    /// Why there is no trial yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A point worth taking home.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Recommendation {
    /// The point.
    #[schema(value_type = Object)]
    pub parameters: Map<String, Json>,
    /// What is predicted of each metric, in its own units, without the noise of an observation.
    pub predicted: BTreeMap<String, Prediction>,
}

impl From<&Recommended> for Recommendation {
    fn from(recommended: &Recommended) -> Self {
        let predicted = recommended.predicted.iter();
        Self {
            parameters: recommended.parameters.clone(),
            predicted: predicted.map(|(name, p)| (name.clone(), (*p).into())).collect(),
        }
    }
}

impl From<Best> for BestAnswer {
    fn from(best: Best) -> Self {
        let front: Vec<Recommendation> = best.recommended.iter().map(Recommendation::from).collect();
        Self {
            trials: best.trials.iter().map(Trial::from).collect(),
            recommended: if best.is_multi_objective { None } else { front.first().cloned() },
            recommended_front: best.is_multi_objective.then_some(front),
            reason: best.reason,
        }
    }
}

/// Whether to go on.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeartbeatAnswer {
    /// The evaluation is no longer wanted.
    pub should_stop: bool,
}
