//! Trials as clients write and read them.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Utc};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Prediction;
use super::study::present;
use crate::service::{Best, Recommended};
use crate::space::Fault;
use crate::store::{AttachedTrial, Measure, Tell};
use crate::study::{
    AskRequest, Definition, Event, Measurement, Observation, Outcome, PastOutcome, Trial as StoredTrial,
    outcome_faults,
};

/// Most trials of one ask.
const MAX_COUNT: usize = 256;
/// Most trials attached at once.
pub const MAX_ATTACHED: usize = 10_000;
/// Longest worker's name, reason or note, in characters.
const MAX_TEXT: usize = 10_000;
/// Steps beyond this are not exact in every JSON reader.
const MAX_STEP: u64 = (1 << 53) - 1;
/// Most tags of a trial.
const MAX_TAGS: usize = 100;

/// What is asked for. Every field is optional, and so is the body.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AskRequest, example = json!({"count": 1, "worker": "gpu-3"}))]
pub struct AskBody {
    /// How many trials, from 1 to 256; 1 where absent.
    #[schema(minimum = 1, maximum = 256)]
    pub count: Option<u64>,
    /// Who will evaluate them.
    pub worker: Option<String>,
    /// How long they stay this worker's; null for ever; the study's default where absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u64>)]
    pub lease_seconds: Option<Option<u64>>,
    /// Return the worker's open trials first.
    #[serde(default)]
    pub sticky: bool,
}

impl AskBody {
    /// The checked request.
    ///
    /// # Errors
    /// Every fault.
    pub fn check(self) -> Result<AskRequest, Vec<Fault>> {
        let mut faults = Vec::new();
        let count = self.count.map_or(Some(1), |count| usize::try_from(count).ok());
        let count = count.filter(|count| (1..=MAX_COUNT).contains(count));
        if count.is_none() {
            faults.push(Fault::new("/count", format!("an ask is for 1 to {MAX_COUNT} trials")));
        }
        if let Some(worker) = &self.worker {
            check_text(worker, 1, "/worker", &mut faults);
        }
        if let Some(Some(seconds)) = self.lease_seconds
            && !(1..=316_224_000).contains(&seconds)
        {
            let detail = "a lease lasts from 1 second to 10 years; null means for ever";
            faults.push(Fault::new("/lease_seconds", detail));
        }
        if self.sticky && self.worker.is_none() {
            faults.push(Fault::new("/sticky", "a sticky ask names its worker"));
        }
        match count {
            Some(count) if faults.is_empty() => Ok(AskRequest {
                count,
                worker: self.worker,
                lease_seconds: self.lease_seconds,
                sticky: self.sticky,
            }),
            _ => Err(faults),
        }
    }
}

fn check_text(text: &str, least: usize, pointer: &str, faults: &mut Vec<Fault>) {
    let length = text.chars().count();
    if length < least || length > MAX_TEXT || text.contains('\0') {
        faults.push(Fault::new(
            pointer,
            format!("must have {least} to {MAX_TEXT} characters, none of them NUL"),
        ));
    }
}

/// The value of a metric: a number, or a number with what is known about it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum MetricValue {
    /// The value.
    Number(f64),
    /// The value with its standard error and gradient.
    Observation(MetricObservation),
}

/// The value of a metric with what is known about it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricObservation {
    /// The value.
    pub value: f64,
    /// Its standard error.
    #[serde(default)]
    pub sem: Option<f64>,
    /// Its partial derivatives with respect to float parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient: Option<BTreeMap<String, f64>>,
}

/// By hand, since what is derived does not say what was expected.
impl<'de> Deserialize<'de> for MetricValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfMetric;
        impl<'de> Visitor<'de> for OfMetric {
            type Value = MetricValue;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a number, or an object with its value, sem and gradient")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<MetricValue, E> {
                Ok(MetricValue::Number(number as f64))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<MetricValue, E> {
                Ok(MetricValue::Number(number as f64))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<MetricValue, E> {
                Ok(MetricValue::Number(number))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MetricValue, A::Error> {
                let seen = MetricObservation::deserialize(MapAccessDeserializer::new(map))?;
                Ok(MetricValue::Observation(seen))
            }
        }
        deserializer.deserialize_any(OfMetric)
    }
}

impl From<MetricValue> for Observation {
    fn from(value: MetricValue) -> Self {
        match value {
            MetricValue::Number(value) => Self { value, sem: None, gradient: None },
            MetricValue::Observation(seen) => {
                Self { value: seen.value, sem: seen.sem, gradient: seen.gradient }
            }
        }
    }
}

impl From<&Observation> for MetricObservation {
    fn from(seen: &Observation) -> Self {
        Self { value: seen.value, sem: seen.sem, gradient: seen.gradient.clone() }
    }
}

type MetricValues = BTreeMap<String, MetricValue>;

fn observations(values: MetricValues) -> BTreeMap<String, Observation> {
    values.into_iter().map(|(name, value)| (name, value.into())).collect()
}

/// What became of a trial: exactly one of `metrics`, `failed`, `stopped` and `abandoned`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"metrics": {"loss": 0.31}}))]
pub struct TellRequest {
    /// Its metrics: it is completed.
    pub metrics: Option<BTreeMap<String, MetricValue>>,
    /// Why the point itself could not be evaluated: it is failed.
    pub failed: Option<String>,
    /// `true`: it was ended early.
    pub stopped: Option<bool>,
    /// Why it was given up, for a reason that says nothing about the point.
    pub abandoned: Option<String>,
    /// Replaces what was told before.
    #[serde(default)]
    pub amend: bool,
    /// Must be the current one where given.
    pub lease_token: Option<Uuid>,
}

impl TellRequest {
    /// The checked outcome.
    ///
    /// # Errors
    /// Every fault.
    pub fn check(self, definition: &Definition) -> Result<Tell, Vec<Fault>> {
        let (amend, lease_token) = (self.amend, self.lease_token);
        let outcome = outcome(definition, self.metrics, self.failed, self.stopped, self.abandoned)?;
        let Some(outcome) = outcome else {
            return Err(vec![Fault::new("", "tell exactly one of metrics, failed, stopped and abandoned")]);
        };
        let cost = definition.draft().cost_metric.as_ref().and_then(|name| outcome.value(name));
        Ok(Tell { outcome, cost: cost.unwrap_or(0.0), amend, lease_token })
    }
}

/// The outcome that at most one of the four fields says.
fn outcome(
    definition: &Definition,
    metrics: Option<MetricValues>,
    failed: Option<String>,
    stopped: Option<bool>,
    abandoned: Option<String>,
) -> Result<Option<Outcome>, Vec<Fault>> {
    let mut faults = Vec::new();
    for (reason, pointer) in [(&failed, "/failed"), (&abandoned, "/abandoned")] {
        if let Some(reason) = reason {
            check_text(reason, 0, pointer, &mut faults);
        }
    }
    if stopped == Some(false) {
        faults.push(Fault::new("/stopped", "stopped is true or absent"));
    }
    let told = [metrics.is_some(), failed.is_some(), stopped.is_some(), abandoned.is_some()];
    if told.into_iter().filter(|told| *told).count() > 1 {
        faults.push(Fault::new("", "tell exactly one of metrics, failed, stopped and abandoned"));
    }
    let metrics = metrics.map(observations);
    if let Some(metrics) = &metrics {
        let of_metrics = outcome_faults(definition, metrics, false);
        faults.extend(of_metrics.into_iter().map(|fault| fault.under("/metrics")));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(match (metrics, failed, stopped, abandoned) {
        (Some(metrics), ..) => Some(Outcome::Completed { metrics }),
        (_, Some(reason), ..) => Some(Outcome::Failed { reason }),
        (_, _, Some(_), _) => Some(Outcome::Stopped),
        (_, _, _, Some(reason)) => Some(Outcome::Abandoned { reason }),
        (None, None, None, None) => None,
    })
}

/// Trials evaluated elsewhere, or to be queued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachRequest {
    /// 1 to 10,000; all are attached, or none.
    pub trials: Vec<AttachedTrialRequest>,
}

/// A trial evaluated elsewhere, with one of `metrics`, `failed` and `stopped`; without, it is queued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachedTrialRequest {
    /// Its point.
    #[schema(value_type = Object)]
    pub parameters: Map<String, Json>,
    /// Its metrics: it is completed.
    pub metrics: Option<BTreeMap<String, MetricValue>>,
    /// Why the point itself could not be evaluated: it is failed.
    pub failed: Option<String>,
    /// `true`: it was ended early.
    pub stopped: Option<bool>,
    /// Intermediate values.
    #[serde(default)]
    pub measurements: Vec<MeasurementRequest>,
    /// When it ended; now where absent.
    pub ended_at: Option<DateTime<Utc>>,
    /// The point lies outside the search space, on purpose.
    #[serde(default)]
    pub outside: bool,
}

/// An intermediate value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasurementRequest {
    /// Epoch, iteration or whatever is counted, from 0.
    pub step: u64,
    /// The metrics so far.
    pub metrics: BTreeMap<String, MetricValue>,
}

impl AttachRequest {
    /// The checked trials.
    ///
    /// # Errors
    /// Every fault.
    pub fn check(self, definition: &Definition) -> Result<Vec<AttachedTrial>, Vec<Fault>> {
        if self.trials.is_empty() || self.trials.len() > MAX_ATTACHED {
            return Err(vec![Fault::new("/trials", format!("attach 1 to {MAX_ATTACHED} trials at once"))]);
        }
        let mut faults = Vec::new();
        let mut attached = Vec::with_capacity(self.trials.len());
        for (i, trial) in self.trials.into_iter().enumerate() {
            match trial.check(definition) {
                Ok(trial) => attached.push(trial),
                Err(of_trial) => {
                    let at = format!("/trials/{i}");
                    faults.extend(of_trial.into_iter().map(|fault| fault.under(&at)));
                }
            }
        }
        if faults.is_empty() { Ok(attached) } else { Err(faults) }
    }
}

impl AttachedTrialRequest {
    fn check(self, definition: &Definition) -> Result<AttachedTrial, Vec<Fault>> {
        let mut faults = Vec::new();
        let space = definition.space();
        let reading = match space.read(&self.parameters) {
            Ok(reading) => Some(reading),
            Err(of_point) => {
                faults.extend(of_point.into_iter().map(|fault| fault.under("/parameters")));
                None
            }
        };
        if let Some(reading) = &reading
            && !self.outside
        {
            let outside = reading.outside.iter().cloned();
            faults.extend(outside.map(|fault| {
                let detail = format!("{}; to attach it all the same, send \"outside\": true", fault.detail);
                Fault::new(fault.pointer, detail).under("/parameters")
            }));
        }
        let outcome = match outcome(definition, self.metrics, self.failed, self.stopped, None) {
            Ok(outcome) => outcome,
            Err(of_outcome) => {
                faults.extend(of_outcome);
                None
            }
        };
        let mut measurements = Vec::with_capacity(self.measurements.len());
        for (i, measurement) in self.measurements.into_iter().enumerate() {
            let metrics = observations(measurement.metrics);
            let at = format!("/measurements/{i}/metrics");
            let of_metrics = outcome_faults(definition, &metrics, true);
            faults.extend(of_metrics.into_iter().map(|fault| fault.under(&at)));
            measurements.push(Measurement { step: measurement.step, metrics });
        }
        if self.ended_at.is_some_and(|at| !(1..=9999).contains(&at.year())) {
            faults.push(Fault::new("/ended_at", "a time lies in the years 1 to 9999"));
        }
        let Some(reading) = reading.filter(|_| faults.is_empty()) else { return Err(faults) };
        let (key, parameters) = match &reading.point {
            Some(point) => (space.canonical(point), space.write(point)),
            // A point that the space cannot express is known by its text.
            None => (crate::space::PointKey::of_json(&self.parameters), self.parameters),
        };
        Ok(AttachedTrial {
            parameters,
            key,
            outside: !reading.outside.is_empty(),
            outcome,
            measurements,
            ended_at: self.ended_at,
        })
    }
}

/// A sign that a trial is still being evaluated.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatRequest {
    /// Must be the current one where given.
    pub lease_token: Option<Uuid>,
}

/// An intermediate value of a running trial.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"step": 3, "metrics": {"accuracy": 0.81}}))]
pub struct MeasureRequest {
    /// Epoch, iteration or whatever is counted, from 0. A step that was measured before is replaced.
    pub step: u64,
    /// The metrics so far; none need be there.
    pub metrics: BTreeMap<String, MetricValue>,
    /// Must be the current one where given.
    pub lease_token: Option<Uuid>,
}

impl MeasureRequest {
    /// The checked measurement.
    ///
    /// # Errors
    /// Every fault.
    pub fn check(self, definition: &Definition) -> Result<Measure, Vec<Fault>> {
        let metrics = observations(self.metrics);
        let of_metrics = outcome_faults(definition, &metrics, true);
        let mut faults: Vec<Fault> = of_metrics.into_iter().map(|fault| fault.under("/metrics")).collect();
        if self.step > MAX_STEP {
            faults.push(Fault::new("/step", "a step lies below 2^53"));
        }
        let measurement = Measurement { step: self.step, metrics };
        if faults.is_empty() {
            Ok(Measure { measurement, lease_token: self.lease_token })
        } else {
            Err(faults)
        }
    }
}

/// Whether to go on.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeartbeatAnswer {
    /// The evaluation is no longer wanted.
    pub should_stop: bool,
}

/// What changes of a trial; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialPatch {
    /// A remark; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub note: Option<Option<String>>,
    /// Replaces all tags.
    pub tags: Option<Vec<String>>,
    /// Replaces all metadata.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Json>>,
}

impl TrialPatch {
    /// Every fault.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(Some(note)) = &self.note {
            check_text(note, 0, "/note", &mut faults);
        }
        let tags = self.tags.as_deref().unwrap_or_default();
        if tags.len() > MAX_TAGS {
            faults.push(Fault::new("/tags", format!("a trial has at most {MAX_TAGS} tags")));
        }
        for (i, tag) in tags.iter().enumerate() {
            check_text(tag, 1, &format!("/tags/{i}"), &mut faults);
        }
        faults
    }
}

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

/// A change of a study or of one of its trials.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventAnswer {
    /// The study's revision that it made.
    pub id: u64,
    /// `study_created`, `study_changed`, `trial_created`, `trial_started`, `trial_told`, `trial_amended`,
    /// `trial_expired`, `trial_measured`, `trial_revived`, `trial_changed`; `reset` where events before this one are no longer kept.
    #[serde(rename = "type")]
    pub kind: String,
    /// The trial it happened to.
    pub number: Option<u64>,
    /// When.
    pub at: DateTime<Utc>,
    /// What changed.
    #[schema(value_type = Object)]
    pub data: Json,
}

impl From<&Event> for EventAnswer {
    fn from(event: &Event) -> Self {
        Self {
            id: event.revision,
            kind: event.kind.name().into(),
            number: event.number,
            at: event.at,
            data: event.data.clone(),
        }
    }
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventList {
    /// Oldest first.
    pub events: Vec<EventAnswer>,
    /// Events between `after` and the first of these are no longer kept: read the study anew.
    pub reset: bool,
    /// Where the next page begins: send it as `after`.
    pub next_after: u64,
}
