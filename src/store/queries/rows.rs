//! Rows of the tables as the types of a study, and back.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sqlx::Row as _;
use sqlx::types::Json;

use super::super::super::definitions::Definitions;
use super::super::super::{Result, StoreError};
use super::super::Row;
use crate::space::PointKey;
use crate::study::{
    BudgetDraft, Definition, Entry, Event, EventKind, Settings, StudyDraft, StudyId, StudyRecord, StudyState,
    Trial, TrialCounts, TrialState,
};

/// A count or number as databases keep it, which have signed integers alone. Those beyond are out of reach.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The study of a row of `study_columns!`.
pub(super) fn study(row: &Row, definitions: &Definitions) -> Result<StudyRecord> {
    study_unless_known(row, None, definitions)
}

/// The study of a row in which the definition is only needed where it is not known.
pub(super) fn study_unless_known(
    row: &Row,
    known: Option<Arc<Definition>>,
    definitions: &Definitions,
) -> Result<StudyRecord> {
    let id = StudyId(row.try_get("id")?);
    let definition = match known.or_else(|| definitions.get(id)) {
        Some(definition) => definition,
        None => {
            let definition = Arc::new(definition(row)?);
            definitions.put(id, Arc::clone(&definition));
            definition
        }
    };
    let mut counts = TrialCounts::default();
    for state in TrialState::ALL {
        counts.0[state as usize] = count(row, trial_count_column(state))?;
    }
    Ok(StudyRecord {
        id,
        definition,
        settings: Settings {
            budget: BudgetDraft {
                trials: optional_count(row, "budget_trials")?,
                cost: row.try_get("budget_cost")?,
            },
            default_lease_seconds: optional_count(row, "default_lease_seconds")?,
            retry_expired: row.try_get("retry_expired")?,
        },
        state: named(row, "state", StudyState::from_name)?,
        metadata: document(row, "metadata")?,
        revision: count(row, "revision")?,
        next_number: count(row, "next_number")?,
        counts,
        spent_trials: count(row, "spent_trials")?,
        spent_cost: row.try_get("spent_cost")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

/// The column of the table `studies` that counts the trials in a state.
pub(super) fn trial_count_column(state: TrialState) -> &'static str {
    match state {
        TrialState::Queued => "queued_trials",
        TrialState::Running => "running_trials",
        TrialState::Completed => "completed_trials",
        TrialState::Failed => "failed_trials",
        TrialState::Stopped => "stopped_trials",
        TrialState::Abandoned => "abandoned_trials",
        TrialState::Expired => "expired_trials",
    }
}

/// The definition of a row with the columns `definition` and `seed`.
pub(super) fn definition(row: &Row) -> Result<Definition> {
    let draft: StudyDraft = document(row, "definition")?;
    Definition::check(draft, count(row, "seed")?).map_err(|faults| {
        let faults: Vec<String> =
            faults.iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect();
        StoreError::Unreadable { what: "a study's definition", reason: faults.join("; ") }
    })
}

/// The trial of a row of `trial_columns!`.
pub(super) fn trial(row: &Row, definition: &Definition) -> Result<Entry> {
    let key: Vec<u8> = row.try_get("point_key")?;
    let key =
        key.try_into().map_err(|key: Vec<u8>| unreadable("point_key", format!("{} bytes", key.len())))?;
    let replicate: i64 = row.try_get("replicate")?;
    let outcome: Option<Json<_>> = row.try_get("outcome")?;
    let trial = Trial {
        number: count(row, "number")?,
        state: trial_state(row)?,
        parameters: in_order(document(row, "parameters")?, definition),
        key: PointKey(key),
        replicate: u32::try_from(replicate).map_err(|error| unreadable("replicate", error))?,
        outside: row.try_get("outside")?,
        attached: row.try_get("attached")?,
        retry_of: optional_count(row, "retry_of")?,
        superseded: row.try_get("superseded")?,
        origin: row.try_get("origin")?,
        history_revision: count(row, "history_revision")?,
        worker: row.try_get("worker")?,
        lease_token: row.try_get("lease_token")?,
        lease_seconds: optional_count(row, "lease_seconds")?,
        lease_expires_at: row.try_get("lease_expires_at")?,
        outcome: outcome.map(|outcome| outcome.0),
        revisions: document(row, "revisions")?,
        measurements: document(row, "measurements")?,
        note: row.try_get("note")?,
        tags: document(row, "tags")?,
        metadata: document(row, "metadata")?,
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        ended_at: row.try_get("ended_at")?,
        told_revision: optional_count(row, "told_revision")?,
        revision: count(row, "revision")?,
    };
    Ok(Entry { trial, cost: row.try_get("cost")? })
}

/// The state of a row of the table `trials`.
pub(super) fn trial_state(row: &Row) -> Result<TrialState> {
    named(row, "state", TrialState::from_name)
}

/// The event of a row of the table `events`.
pub(super) fn event(row: &Row) -> Result<Event> {
    Ok(Event {
        revision: count(row, "revision")?,
        kind: named(row, "kind", EventKind::from_name)?,
        number: optional_count(row, "number")?,
        at: row.try_get("at")?,
        data: document(row, "data")?,
    })
}

/// Parameters in the order of the definition: binary JSON keeps none.
fn in_order(mut parameters: Map<String, Value>, definition: &Definition) -> Map<String, Value> {
    let mut ordered = Map::with_capacity(parameters.len());
    for parameter in definition.space().parameters() {
        if let Some((name, value)) = parameters.remove_entry(parameter.name()) {
            ordered.insert(name, value);
        }
    }
    ordered.append(&mut parameters);
    ordered
}

/// A number that is not negative.
pub(super) fn count(row: &Row, column: &'static str) -> Result<u64> {
    let signed: i64 = row.try_get(column)?;
    u64::try_from(signed).map_err(|error| unreadable(column, error))
}

pub(super) fn optional_count(row: &Row, column: &'static str) -> Result<Option<u64>> {
    let signed: Option<i64> = row.try_get(column)?;
    signed.map(u64::try_from).transpose().map_err(|error| unreadable(column, error))
}

fn document<T: DeserializeOwned>(row: &Row, column: &'static str) -> Result<T> {
    let document: Json<T> = row.try_get(column)?;
    Ok(document.0)
}

pub(super) fn named<T>(row: &Row, column: &'static str, from_name: fn(&str) -> Option<T>) -> Result<T> {
    let name: &str = row.try_get(column)?;
    from_name(name).ok_or_else(|| unreadable(column, format!("unknown name {name:?}")))
}

fn unreadable(what: &'static str, reason: impl ToString) -> StoreError {
    StoreError::Unreadable { what, reason: reason.to_string() }
}
