//! What clients ask for and tell of trials, and its checks.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Utc};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::metric_value::{MetricValue, observations};
use super::study::present;
use crate::space::Fault;
use crate::store::{AttachedTrial, Measure, Tell};
use crate::study::{AskRequest, Definition, Measurement, Outcome, outcome_faults};

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
    metrics: Option<BTreeMap<String, MetricValue>>,
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
