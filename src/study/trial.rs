//! A trial: one point of the search space and what became of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{Definition, TrialState};
use crate::space::{Fault, Point, PointKey};

/// What was measured of one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The value, finite.
    pub value: f64,
    /// Its standard error, finite and not negative, where known.
    #[serde(default)]
    pub sem: Option<f64>,
    /// Partial derivatives with respect to float parameters, in their own units, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient: Option<BTreeMap<String, f64>>,
}

/// What was told of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Outcome {
    /// Its metrics, by name. Every objective is there.
    Completed {
        /// The observations.
        metrics: BTreeMap<String, Observation>,
    },
    /// The point itself made the evaluation fail.
    Failed {
        /// Why, for people.
        reason: String,
    },
    /// Ended early; its measurements are partial.
    Stopped,
    /// Given up for a reason that says nothing about the point.
    Abandoned {
        /// Why, for people.
        reason: String,
    },
}

impl Outcome {
    /// The state in which this outcome leaves a trial.
    pub fn state(&self) -> TrialState {
        match self {
            Self::Completed { .. } => TrialState::Completed,
            Self::Failed { .. } => TrialState::Failed,
            Self::Stopped => TrialState::Stopped,
            Self::Abandoned { .. } => TrialState::Abandoned,
        }
    }

    /// The value of metric `name`, where it was told.
    pub fn value(&self, name: &str) -> Option<f64> {
        match self {
            Self::Completed { metrics } => metrics.get(name).map(|observation| observation.value),
            Self::Failed { .. } | Self::Stopped | Self::Abandoned { .. } => None,
        }
    }
}

/// An outcome that an amendment replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastOutcome {
    /// What had been told.
    pub outcome: Outcome,
    /// When the amendment replaced it.
    pub replaced_at: DateTime<Utc>,
}

/// An intermediate value of a running trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Epoch, iteration, or whatever the client counts; from 0.
    pub step: u64,
    /// The observations so far, by metric.
    pub metrics: BTreeMap<String, Observation>,
}

/// A trial as the store remembers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// From 0 inside its study, without gaps.
    pub number: u64,
    /// Where it stands.
    pub state: TrialState,
    /// The parameters as clients see them.
    pub parameters: Map<String, Json>,
    /// What identifies the point.
    pub key: PointKey,
    /// Which repetition of the point it is; 0 for the first.
    pub replicate: u32,
    /// The point lies outside the search space.
    pub outside: bool,
    /// It came with its outcome from elsewhere, and was never handed out.
    pub attached: bool,
    /// The trial whose point this one hands out again.
    pub retry_of: Option<u64>,
    /// Its retry was told before it.
    pub superseded: bool,
    /// What proposed the point.
    pub origin: String,
    /// The study's revision that the proposal was computed from.
    pub history_revision: u64,
    /// Who evaluates it.
    pub worker: Option<String>,
    /// Proves that a heartbeat or a tell comes from the current holder.
    pub lease_token: Option<Uuid>,
    /// Length of the lease; `None` means for ever.
    pub lease_seconds: Option<u64>,
    /// End of the lease, by the database's clock.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// What was told.
    pub outcome: Option<Outcome>,
    /// What had been told before amendments, oldest first.
    pub revisions: Vec<PastOutcome>,
    /// Intermediate values, by step.
    pub measurements: Vec<Measurement>,
    /// A remark of the client.
    pub note: Option<String>,
    /// Labels of the client.
    pub tags: Vec<String>,
    /// Whatever else the client keeps with it.
    pub metadata: Map<String, Json>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was handed out.
    pub started_at: Option<DateTime<Utc>>,
    /// When its outcome was told, or ended elsewhere.
    pub ended_at: Option<DateTime<Utc>>,
    /// The study's revision of its first tell: orders the history.
    pub told_revision: Option<u64>,
    /// The study's revision of its last change.
    pub revision: u64,
}

impl Trial {
    /// Whether the model may learn from it: an outcome that counts and was not overtaken by a retry.
    pub fn counts(&self) -> bool {
        self.state.is_told() && self.state != TrialState::Abandoned && !self.superseded
    }

    /// Its point, where the search space can express it.
    pub fn point(&self, definition: &Definition) -> Option<Point> {
        definition.space().read(&self.parameters).ok()?.point
    }
}

/// Every fault of metrics that a client tells for a study: unknown names, a missing objective, numbers that are not
/// finite, gradients of anything but unstepped float parameters. Pointers are relative to the `metrics` object.
/// `partial`: objectives may be missing (measurements).
pub fn outcome_faults(
    definition: &Definition,
    metrics: &BTreeMap<String, Observation>,
    partial: bool,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, observation) in metrics {
        let pointer = format!("/{}", escape(name));
        if definition.metric(name).is_none() {
            let known: Vec<&str> = definition.metrics().iter().map(|metric| metric.name.as_str()).collect();
            faults.push(Fault::new(pointer, format!("unknown metric; this study has {}", known.join(", "))));
            continue;
        }
        if !observation.value.is_finite() {
            faults.push(Fault::new(format!("{pointer}/value"), "a value must be a finite number"));
        }
        if let Some(sem) = observation.sem
            && !(sem.is_finite() && sem >= 0.0)
        {
            faults.push(Fault::new(
                format!("{pointer}/sem"),
                "a standard error must be finite and not negative",
            ));
        }
        for (parameter, derivative) in observation.gradient.iter().flatten() {
            let pointer = format!("{pointer}/gradient/{}", escape(parameter));
            if !definition.is_differentiable_in(parameter) {
                faults.push(Fault::new(pointer, "derivatives are taken in unstepped float parameters alone"));
            } else if !derivative.is_finite() {
                faults.push(Fault::new(pointer, "a derivative must be a finite number"));
            }
        }
    }
    if !partial {
        for metric in definition.objectives() {
            if !metrics.contains_key(&metric.name) {
                faults.push(Fault::new(
                    format!("/{}", escape(&metric.name)),
                    "every objective must be told; this one is missing",
                ));
            }
        }
    }
    faults
}

/// A name as one token of a JSON pointer (RFC 6901 §3).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
