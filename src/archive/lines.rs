//! The lines of a file.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::space::PointKey;
use crate::store::access::{ProjectRecord, Quotas};
use crate::store::archive::KeptTrial;
use crate::store::{NetworkDescription, NetworkRecord};
use crate::study::{
    BudgetDraft, Definition, Event, EventKind, Measurement, NetworkId, Outcome, PastOutcome, Settings,
    StudyDraft, StudyId, StudyRecord, StudyState, Trial, TrialCounts, TrialState, check_settings,
    outcome_faults,
};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Line {
    Archive(Header),
    Project(ProjectLine),
    Network(NetworkLine),
    Study(Box<StudyLine>),
    Trial(Box<TrialLine>),
    Event(EventLine),
    StudyEnd(StudyEnd),
    End(End),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) version: u64,
    pub(super) release: String,
    pub(super) made_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProjectLine {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    studies: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trials: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    networks: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asks_a_minute: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requests_a_minute: Option<u64>,
}

impl ProjectLine {
    pub(super) fn of(record: &ProjectRecord) -> Self {
        let Quotas { studies, trials, networks, bytes, asks_a_minute, requests_a_minute } = record.quotas;
        let name = record.name.clone();
        Self { name, studies, trials, networks, bytes, asks_a_minute, requests_a_minute }
    }

    pub(super) fn quotas(&self) -> Quotas {
        Quotas {
            studies: self.studies,
            trials: self.trials,
            networks: self.networks,
            bytes: self.bytes,
            asks_a_minute: self.asks_a_minute,
            requests_a_minute: self.requests_a_minute,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NetworkLine {
    pub(super) id: Uuid,
    pub(super) project: String,
    pub(super) name: String,
    pub(super) description: NetworkDescription,
    pub(super) created_at: DateTime<Utc>,
    /// The file in base 64.
    pub(super) onnx: String,
}

impl NetworkLine {
    pub(super) fn record(&self, bytes: u64) -> NetworkRecord {
        NetworkRecord {
            id: NetworkId(self.id),
            project: self.project.clone(),
            name: self.name.clone(),
            bytes,
            description: self.description.clone(),
            created_at: self.created_at,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StudyLine {
    pub(super) id: Uuid,
    definition: StudyDraft,
    seed: u64,
    state: StudyState,
    budget: BudgetDraft,
    default_lease_seconds: Option<u64>,
    retry_expired: bool,
    metadata: Map<String, Json>,
    revision: u64,
    next_number: u64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl StudyLine {
    pub(super) fn of(record: &StudyRecord) -> Self {
        Self {
            id: record.id.0,
            definition: record.definition.draft().clone(),
            seed: record.definition.seed(),
            state: record.state,
            budget: record.settings.budget,
            default_lease_seconds: record.settings.default_lease_seconds,
            retry_expired: record.settings.retry_expired,
            metadata: record.metadata.clone(),
            revision: record.revision,
            next_number: record.next_number,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }

    /// The study, its counts yet to be counted.
    pub(super) fn record(self) -> Result<StudyRecord, String> {
        let definition = Definition::check(self.definition, self.seed).map_err(|faults| {
            let faults: Vec<String> =
                faults.iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect();
            format!("the study's definition is impossible: {}", faults.join("; "))
        })?;
        if [self.revision, self.next_number].iter().any(|count| i64::try_from(*count).is_err()) {
            return Err("a count is beyond what databases count to".to_owned());
        }
        let settings = Settings {
            budget: self.budget,
            default_lease_seconds: self.default_lease_seconds,
            retry_expired: self.retry_expired,
        };
        if let Some(fault) = check_settings(&settings, definition.draft().cost_metric.is_some()).first() {
            return Err(format!("the study's settings are impossible: {}: {}", fault.pointer, fault.detail));
        }
        Ok(StudyRecord {
            id: StudyId(self.id),
            definition: Arc::new(definition),
            settings,
            state: self.state,
            metadata: self.metadata,
            revision: self.revision,
            next_number: self.next_number,
            counts: TrialCounts::default(),
            spent_trials: 0,
            spent_cost: 0.0,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrialLine {
    number: u64,
    state: String,
    parameters: Map<String, Json>,
    replicate: u32,
    outside: bool,
    attached: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_of: Option<u64>,
    superseded: bool,
    origin: String,
    history_revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease_token: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease_expires_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    cost: f64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    revisions: Vec<PastOutcome>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    measurements: Vec<Measurement>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    metadata: Map<String, Json>,
    created_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told_revision: Option<u64>,
    revision: u64,
}

impl TrialLine {
    pub(super) fn of(kept: KeptTrial) -> Self {
        let KeptTrial { trial, cost } = kept;
        Self {
            number: trial.number,
            state: trial.state.name().to_owned(),
            parameters: trial.parameters,
            replicate: trial.replicate,
            outside: trial.outside,
            attached: trial.attached,
            retry_of: trial.retry_of,
            superseded: trial.superseded,
            origin: trial.origin,
            history_revision: trial.history_revision,
            worker: trial.worker,
            lease_token: trial.lease_token,
            lease_seconds: trial.lease_seconds,
            lease_expires_at: trial.lease_expires_at,
            outcome: trial.outcome,
            cost,
            revisions: trial.revisions,
            measurements: trial.measurements,
            note: trial.note,
            tags: trial.tags,
            metadata: trial.metadata,
            created_at: trial.created_at,
            started_at: trial.started_at,
            ended_at: trial.ended_at,
            told_revision: trial.told_revision,
            revision: trial.revision,
        }
    }

    /// The trial `number` of a study, with everything checked that the study says of it.
    pub(super) fn kept(self, study: &StudyRecord, number: u64) -> Result<KeptTrial, String> {
        if self.number != number {
            return Err(format!("trial {} is where trial {number} belongs", self.number));
        }
        let definition = &study.definition;
        let state = TrialState::from_name(&self.state).ok_or("a trial's state is not known")?;
        if self.outcome.as_ref().is_some_and(|outcome| outcome.state() != state)
            || self.outcome.is_some() != state.is_told()
        {
            return Err(format!("the outcome of trial {number} does not fit its state"));
        }
        if self.revision == 0 || self.revision.max(self.history_revision) > study.revision {
            return Err(format!("trial {number} is of a revision that the study never had"));
        }
        if self.retry_of.is_some_and(|of| of >= number) {
            return Err(format!("trial {number} retries a later one"));
        }
        let space = definition.space();
        let reading = space.read(&self.parameters).map_err(|faults| {
            let fault = faults.first().map(|fault| format!("{}: {}", fault.pointer, fault.detail));
            format!("the parameters of trial {number} are impossible: {}", fault.unwrap_or_default())
        })?;
        let key = match &reading.point {
            Some(point) => space.canonical(point),
            None => PointKey::of_json(&self.parameters),
        };
        let told = self.revisions.iter().map(|past| &past.outcome).chain(&self.outcome);
        for metrics in told.filter_map(|outcome| match outcome {
            Outcome::Completed { metrics } => Some(metrics),
            _ => None,
        }) {
            first(outcome_faults(definition, metrics, false), number)?;
        }
        for measurement in &self.measurements {
            first(outcome_faults(definition, &measurement.metrics, true), number)?;
        }
        let trial = Trial {
            number,
            state,
            parameters: self.parameters,
            key,
            replicate: self.replicate,
            outside: self.outside,
            attached: self.attached,
            retry_of: self.retry_of,
            superseded: self.superseded,
            origin: self.origin,
            history_revision: self.history_revision,
            worker: self.worker,
            lease_token: self.lease_token,
            lease_seconds: self.lease_seconds,
            lease_expires_at: self.lease_expires_at,
            outcome: self.outcome,
            revisions: self.revisions,
            measurements: self.measurements,
            note: self.note,
            tags: self.tags,
            metadata: self.metadata,
            created_at: self.created_at,
            started_at: self.started_at,
            ended_at: self.ended_at,
            told_revision: self.told_revision,
            revision: self.revision,
        };
        Ok(KeptTrial { trial, cost: self.cost })
    }
}

fn first(faults: Vec<crate::space::Fault>, number: u64) -> Result<(), String> {
    match faults.first() {
        Some(fault) => Err(format!("the metrics of trial {number}: {}: {}", fault.pointer, fault.detail)),
        None => Ok(()),
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventLine {
    revision: u64,
    event: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    at: DateTime<Utc>,
    data: Json,
}

impl EventLine {
    pub(super) fn of(event: Event) -> Self {
        let Event { revision, kind, number, at, data } = event;
        Self { revision, event: kind.name().to_owned(), number, at, data }
    }

    /// The event, which comes behind the revision `after`.
    pub(super) fn kept(self, study: &StudyRecord, after: u64) -> Result<Event, String> {
        if self.revision <= after || self.revision > study.revision {
            return Err(format!("the event {} is not where it belongs", self.revision));
        }
        let kind = EventKind::from_name(&self.event).ok_or("an event's kind is not known")?;
        Ok(Event { revision: self.revision, kind, number: self.number, at: self.at, data: self.data })
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StudyEnd {
    pub(super) trials: u64,
    pub(super) events: u64,
    /// Of all bytes before this line.
    pub(super) sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    pub(super) projects: u64,
    pub(super) networks: u64,
    pub(super) studies: u64,
    pub(super) trials: u64,
    /// Of all bytes before this line.
    pub(super) sha256: String,
}
