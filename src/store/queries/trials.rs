//! Trials: read, listed, inserted and written back.

use futures_util::TryStreamExt as _;
use serde_json::json;
use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};

use super::super::super::{Cursor, Page, Present, Result, StoreError, TakeTrial, TrialChange};
use super::super::{Connection, Database};
use super::Backend;
use super::audit::Change;
use super::rows::{self, signed};
use super::together::Together;
use crate::study::{Definition, Entry, EventKind, StudyId, Trial, TrialState};

/// How many rows one statement inserts: databases bound the number of its values.
const ROWS: usize = 500;

/// A study and its trials that changed after a revision, by number: first a row of `study_columns!`, without the definition
/// where it is known, then rows of `trial_columns!`, in which the columns of the others are empty.
const CHANGES: &str = concat!(
    "SELECT id, CASE WHEN $3 THEN NULL ELSE definition END AS definition, seed, budget_trials, budget_cost, \
     default_lease_seconds, retry_expired, next_number, queued_trials, running_trials, completed_trials, failed_trials, stopped_trials, abandoned_trials, \
     expired_trials, spent_trials, spent_cost, updated_at, state, metadata, revision, created_at, \
     EXISTS (SELECT 1 FROM trials WHERE study_id = $1 AND state = 'running' AND lease_expires_at <= (SELECT ",
    // In a query of its own the clock is read once, so that an index serves.
    clock!(),
    ")) AS has_due_leases, \
     NULL AS number, NULL AS parameters, NULL AS point_key, NULL AS replicate, NULL AS outside, NULL AS attached, \
     NULL AS retry_of, NULL AS superseded, NULL AS origin, NULL AS history_revision, NULL AS worker, \
     NULL AS lease_token, NULL AS lease_seconds, NULL AS lease_expires_at, NULL AS outcome, NULL AS cost, \
     NULL AS revisions, NULL AS measurements, NULL AS note, NULL AS tags, NULL AS started_at, NULL AS ended_at, \
     NULL AS told_revision FROM studies WHERE id = $1 \
     UNION ALL \
     SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
     NULL, state, metadata, revision, created_at, NULL, number, parameters, point_key, replicate, outside, \
     attached, retry_of, superseded, origin, history_revision, worker, lease_token, lease_seconds, \
     lease_expires_at, outcome, cost, revisions, measurements, note, tags, started_at, ended_at, told_revision \
     FROM trials WHERE study_id = $1 AND revision > $2 \
     ORDER BY number NULLS FIRST"
);

/// One trial.
pub(super) async fn read(
    connection: &mut Connection,
    study: StudyId,
    number: u64,
    definition: &Definition,
) -> Result<Entry> {
    let row =
        sqlx::query(concat!("SELECT ", trial_columns!(), " FROM trials WHERE study_id = $1 AND number = $2"))
            .bind(study.0)
            .bind(signed(number))
            .fetch_optional(connection)
            .await?
            .ok_or(StoreError::NoTrial(number))?;
    rows::trial(&row, definition)
}

/// Inserts new trials.
pub(super) async fn insert(
    connection: &mut Connection,
    writes: &mut Together,
    study: StudyId,
    trials: &[Entry],
) -> std::result::Result<(), sqlx::Error> {
    for chunk in trials.chunks(ROWS) {
        let query = writes.part(connection, chunk.len()).await?;
        query.push(concat!("INSERT INTO trials (study_id, ", trial_columns!(), ") "));
        query.push_values(chunk, |mut values, Entry { trial, cost }| {
            values
                .push_bind(study.0)
                .push_bind(signed(trial.number))
                .push_bind(trial.state.name())
                .push_bind(Json(&trial.parameters))
                .push_bind(&trial.key.0[..])
                .push_bind(i64::from(trial.replicate))
                .push_bind(trial.outside)
                .push_bind(trial.attached)
                .push_bind(trial.retry_of.map(signed))
                .push_bind(trial.superseded)
                .push_bind(&trial.origin)
                .push_bind(signed(trial.history_revision))
                .push_bind(&trial.worker)
                .push_bind(trial.lease_token)
                .push_bind(trial.lease_seconds.map(signed))
                .push_bind(trial.lease_expires_at)
                .push_bind(trial.outcome.as_ref().map(Json))
                .push_bind(*cost)
                .push_bind(Json(&trial.revisions))
                .push_bind(Json(&trial.measurements))
                .push_bind(&trial.note)
                .push_bind(Json(&trial.tags))
                .push_bind(Json(&trial.metadata))
                .push_bind(trial.created_at)
                .push_bind(trial.started_at)
                .push_bind(trial.ended_at)
                .push_bind(trial.told_revision.map(signed))
                .push_bind(signed(trial.revision));
        });
    }
    Ok(())
}

/// Writes back what may change of a trial.
pub(super) async fn update(
    connection: &mut Connection,
    writes: &mut Together,
    study: StudyId,
    stored: &Entry,
) -> std::result::Result<(), sqlx::Error> {
    let trial = &stored.trial;
    let query = writes.part(connection, 1).await?;
    query.push("UPDATE trials SET ");
    let mut set = query.separated(", ");
    set.push("state = ").push_bind_unseparated(trial.state.name());
    set.push("superseded = ").push_bind_unseparated(trial.superseded);
    set.push("worker = ").push_bind_unseparated(&trial.worker);
    set.push("lease_token = ").push_bind_unseparated(trial.lease_token);
    set.push("lease_seconds = ").push_bind_unseparated(trial.lease_seconds.map(signed));
    set.push("lease_expires_at = ").push_bind_unseparated(trial.lease_expires_at);
    set.push("outcome = ").push_bind_unseparated(trial.outcome.as_ref().map(Json));
    set.push("cost = ").push_bind_unseparated(stored.cost);
    set.push("revisions = ").push_bind_unseparated(Json(&trial.revisions));
    set.push("measurements = ").push_bind_unseparated(Json(&trial.measurements));
    set.push("note = ").push_bind_unseparated(&trial.note);
    set.push("tags = ").push_bind_unseparated(Json(&trial.tags));
    set.push("metadata = ").push_bind_unseparated(Json(&trial.metadata));
    set.push("started_at = ").push_bind_unseparated(trial.started_at);
    set.push("ended_at = ").push_bind_unseparated(trial.ended_at);
    set.push("told_revision = ").push_bind_unseparated(trial.told_revision.map(signed));
    set.push("revision = ").push_bind_unseparated(signed(trial.revision));
    query
        .push(" WHERE study_id = ")
        .push_bind(study.0)
        .push(" AND number = ")
        .push_bind(signed(trial.number));
    Ok(())
}

/// The trial that hands out the point of `number` again: its number and state.
pub(super) async fn retry_of(
    connection: &mut Connection,
    study: StudyId,
    number: u64,
) -> Result<Option<(u64, TrialState)>> {
    let row = sqlx::query("SELECT number, state FROM trials WHERE study_id = $1 AND retry_of = $2")
        .bind(study.0)
        .bind(signed(number))
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok((rows::count(&row, "number")?, rows::trial_state(&row)?))).transpose()
}

impl Backend {
    pub(super) async fn list_trials(
        &self,
        study: StudyId,
        state: Option<TrialState>,
        page: &Page,
    ) -> Result<Vec<Trial>> {
        let mut transaction = self.begin_read().await?;
        let definition = self.read_definition(&mut transaction, study).await?;
        let mut query: QueryBuilder<Database> =
            QueryBuilder::new(concat!("SELECT ", trial_columns!(), " FROM trials WHERE study_id = "));
        query.push_bind(study.0);
        if let Some(state) = state {
            query.push(" AND state = ").push_bind(state.name());
        }
        if let Some(Cursor::Trial(after)) = &page.after {
            query
                .push(if page.descending { " AND number < " } else { " AND number > " })
                .push_bind(signed(*after));
        }
        query.push(if page.descending { " ORDER BY number DESC LIMIT " } else { " ORDER BY number LIMIT " });
        query.push_bind(i64::from(page.limit));
        let rows = query.build().fetch_all(&mut *transaction).await?;
        rows.iter().map(|row| Ok(rows::trial(row, &definition)?.trial)).collect()
    }

    /// The study and its trials that changed after a revision, which one statement reads, so that they are of one moment.
    pub(super) async fn snapshot(
        &self,
        study: StudyId,
        revision: u64,
        take: TakeTrial<'_>,
    ) -> Result<Present> {
        let mut connection = self.reading().await?;
        let known = self.definitions.get(study);
        let mut rows = sqlx::query(CHANGES)
            .bind(study.0)
            .bind(signed(revision))
            .bind(known.is_some())
            .fetch(&mut *connection);
        let first = rows.try_next().await?.ok_or(StoreError::NoStudy(study))?;
        let record = rows::study_unless_known(&first, known, &self.definitions)?;
        let has_due_leases = first.try_get("has_due_leases")?;
        while let Some(row) = rows.try_next().await? {
            take(&record, rows::trial(&row, &record.definition)?.trial);
        }
        Ok(Present { study: record, has_due_leases })
    }

    pub(super) async fn annotate(&self, study: StudyId, number: u64, change: &TrialChange) -> Result<Trial> {
        let mut transaction = self.begin().await?;
        let mut study = self.lock(&mut transaction, study).await?;
        let id = study.ledger.record.id;
        let before = read(&mut transaction, id, number, &study.ledger.record.definition).await?;
        let mut after = before.clone();
        if let Some(note) = &change.note {
            after.trial.note = note.clone();
        }
        if let Some(tags) = &change.tags {
            after.trial.tags = tags.clone();
        }
        if let Some(metadata) = &change.metadata {
            after.trial.metadata = metadata.clone();
        }
        if before.trial != after.trial {
            let data = json!({ "state": after.trial.state.name() });
            after.trial.revision = study.ledger.append(EventKind::TrialChanged, Some(number), data);
            let said = json!({ "note": after.trial.note, "tags": after.trial.tags, "metadata": after.trial.metadata });
            let change = Change::of_trial("change_trial", &study, number, said);
            self.note(&mut transaction, study.ledger.now, change).await?;
            study.save(&mut transaction, &[], std::slice::from_ref(&after)).await?;
            transaction.commit().await?;
        }
        Ok(after.trial)
    }
}
