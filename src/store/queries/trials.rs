//! Trials: read, listed, inserted and written back.

use serde_json::json;
use sqlx::QueryBuilder;
use sqlx::types::Json;

use super::super::super::{Cursor, Page, Result, StoreError, TrialChange};
use super::super::{Connection, Database};
use super::Backend;
use super::audit::Change;
use super::rows::{self, signed};
use crate::study::{Definition, Entry, EventKind, StudyId, StudyRecord, Trial, TrialState};

/// How many rows one statement inserts: databases bound the number of values.
const ROWS: usize = 500;

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
    study: StudyId,
    trials: &[Entry],
) -> std::result::Result<(), sqlx::Error> {
    for chunk in trials.chunks(ROWS) {
        let mut query: QueryBuilder<Database> =
            QueryBuilder::new(concat!("INSERT INTO trials (study_id, ", trial_columns!(), ") "));
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
        // Statements of every length are not worth a place among the prepared ones.
        query.build().persistent(chunk.len() == 1).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Writes back what may change of a trial.
pub(super) async fn update(connection: &mut Connection, study: StudyId, stored: &Entry) -> Result<()> {
    let trial = &stored.trial;
    sqlx::query(
        "UPDATE trials SET state = $3, superseded = $4, worker = $5, lease_token = $6, lease_seconds = $7, \
         lease_expires_at = $8, outcome = $9, cost = $10, revisions = $11, measurements = $12, note = $13, \
         tags = $14, metadata = $15, started_at = $16, ended_at = $17, told_revision = $18, revision = $19 \
         WHERE study_id = $1 AND number = $2",
    )
    .bind(study.0)
    .bind(signed(trial.number))
    .bind(trial.state.name())
    .bind(trial.superseded)
    .bind(&trial.worker)
    .bind(trial.lease_token)
    .bind(trial.lease_seconds.map(signed))
    .bind(trial.lease_expires_at)
    .bind(trial.outcome.as_ref().map(Json))
    .bind(stored.cost)
    .bind(Json(&trial.revisions))
    .bind(Json(&trial.measurements))
    .bind(&trial.note)
    .bind(Json(&trial.tags))
    .bind(Json(&trial.metadata))
    .bind(trial.started_at)
    .bind(trial.ended_at)
    .bind(trial.told_revision.map(signed))
    .bind(signed(trial.revision))
    .execute(connection)
    .await?;
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

    pub(super) async fn snapshot(&self, study: StudyId, revision: u64) -> Result<(StudyRecord, Vec<Trial>)> {
        let mut transaction = self.begin_read().await?;
        let record = self.read_study(&mut transaction, study).await?;
        if record.revision <= revision {
            return Ok((record, Vec::new()));
        }
        let rows = sqlx::query(concat!(
            "SELECT ",
            trial_columns!(),
            " FROM trials WHERE study_id = $1 AND revision > $2 ORDER BY number"
        ))
        .bind(study.0)
        .bind(signed(revision))
        .fetch_all(&mut *transaction)
        .await?;
        let trials = rows.iter().map(|row| Ok(rows::trial(row, &record.definition)?.trial));
        let trials = trials.collect::<Result<Vec<Trial>>>()?;
        Ok((record, trials))
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
            update(&mut transaction, id, &after).await?;
            let said = json!({ "note": after.trial.note, "tags": after.trial.tags, "metadata": after.trial.metadata });
            let change = Change::of_trial("change_trial", &study, number, said);
            self.note(&mut transaction, study.ledger.now, change).await?;
            study.save(&mut transaction).await?;
            transaction.commit().await?;
        }
        Ok(after.trial)
    }
}
