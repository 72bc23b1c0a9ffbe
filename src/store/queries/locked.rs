//! A study whose row is locked: what every transaction that changes it has in hand, from the lock to the last write.

use chrono::{DateTime, Utc};
use sqlx::Row as _;
use sqlx::types::Json;

use super::super::super::{Result, StoreError};
use super::super::Connection;
use super::rows::{self, signed};
use super::together::Together;
use super::{Backend, events, trials};
use crate::study::{Entry, Ledger, StudyId, TrialState};

/// A study, locked until the transaction ends, with the books of what it changes.
pub(super) struct LockedStudy {
    pub(super) ledger: Ledger,
    /// How many trials its project may have.
    pub(super) trials_quota: Option<u64>,
}

impl Backend {
    /// Locks a study and reads it.
    pub(super) async fn lock(&self, connection: &mut Connection, id: StudyId) -> Result<LockedStudy> {
        let known = self.definitions.get(id);
        let row = sqlx::query(concat!(
            "SELECT ",
            defined_study_columns!(),
            ", CASE WHEN $2 THEN NULL ELSE definition END AS definition, ",
            clock!(),
            " AS clock, (SELECT max_trials FROM projects WHERE name = project) AS max_trials \
             FROM studies WHERE id = $1",
            for_update!()
        ))
        .bind(id.0)
        .bind(known.is_some())
        .fetch_optional(connection)
        .await?
        .ok_or(StoreError::NoStudy(id))?;
        let record = rows::study_unless_known(&row, known, &self.definitions)?;
        let clock: DateTime<Utc> = row.try_get("clock")?;
        let trials_quota = rows::optional_count(&row, "max_trials")?;
        Ok(LockedStudy { ledger: Ledger::open(record, clock), trials_quota })
    }
}

impl LockedStudy {
    /// Writes what became of the study: new trials, changed ones, its events, and itself.
    pub(super) async fn save(
        &self,
        connection: &mut Connection,
        new: &[Entry],
        changed: &[Entry],
    ) -> std::result::Result<(), sqlx::Error> {
        let id = self.ledger.record.id;
        let mut writes = Together::new();
        trials::insert(connection, &mut writes, id, new).await?;
        for stored in changed {
            trials::update(connection, &mut writes, id, stored).await?;
        }
        if !self.ledger.events.is_empty() {
            self.write(connection, &mut writes).await?;
            events::insert(connection, &mut writes, id, &self.ledger.events).await?;
        }
        writes.execute(connection).await
    }

    /// Writes the study alone.
    pub(super) async fn write(
        &self,
        connection: &mut Connection,
        writes: &mut Together,
    ) -> std::result::Result<(), sqlx::Error> {
        let record = &self.ledger.record;
        let query = writes.part(connection, 1).await?;
        query.push("UPDATE studies SET ");
        let mut set = query.separated(", ");
        set.push("state = ").push_bind_unseparated(record.state.name());
        set.push("budget_trials = ").push_bind_unseparated(record.settings.budget.trials.map(signed));
        set.push("budget_cost = ").push_bind_unseparated(record.settings.budget.cost);
        set.push("default_lease_seconds = ")
            .push_bind_unseparated(record.settings.default_lease_seconds.map(signed));
        set.push("retry_expired = ").push_bind_unseparated(record.settings.retry_expired);
        set.push("metadata = ").push_bind_unseparated(Json(&record.metadata));
        set.push("revision = ").push_bind_unseparated(signed(record.revision));
        set.push("next_number = ").push_bind_unseparated(signed(record.next_number));
        for state in TrialState::ALL {
            let count = signed(record.counts.of(state));
            set.push(rows::trial_count_column(state)).push_unseparated(" = ").push_bind_unseparated(count);
        }
        set.push("spent_trials = ").push_bind_unseparated(signed(record.spent_trials));
        set.push("spent_cost = ").push_bind_unseparated(record.spent_cost);
        set.push("updated_at = ").push_bind_unseparated(record.updated_at);
        query.push(" WHERE id = ").push_bind(record.id.0);
        Ok(())
    }
}

/// The database's clock.
pub(super) async fn clock(connection: &mut Connection) -> Result<DateTime<Utc>> {
    Ok(sqlx::query_scalar(concat!("SELECT ", clock!())).fetch_one(connection).await?)
}
