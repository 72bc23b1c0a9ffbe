//! A study whose row is locked: what every transaction that changes it has in hand, from the lock to the last write.

use chrono::{DateTime, Utc};
use sqlx::Row as _;
use sqlx::types::Json;

use super::super::super::{Result, StoreError};
use super::super::Connection;
use super::Backend;
use super::events;
use super::rows::{self, signed};
use crate::study::{Ledger, StudyId, TrialState};

/// A study, locked until the transaction ends, with the books of what it changes.
pub(super) struct LockedStudy {
    pub(super) ledger: Ledger,
    /// How many trials its project may have.
    pub(super) trials_quota: Option<u64>,
}

impl Backend {
    /// Locks a study and reads it.
    pub(super) async fn lock(&self, connection: &mut Connection, id: StudyId) -> Result<LockedStudy> {
        let row = sqlx::query(concat!(
            "SELECT ",
            study_columns!(),
            ", ",
            clock!(),
            " AS clock, (SELECT max_trials FROM projects WHERE name = project) AS max_trials \
             FROM studies WHERE id = $1",
            for_update!()
        ))
        .bind(id.0)
        .fetch_optional(connection)
        .await?
        .ok_or(StoreError::NoStudy(id))?;
        let record = rows::study(&row, &self.definitions)?;
        let clock: DateTime<Utc> = row.try_get("clock")?;
        let trials_quota = rows::optional_count(&row, "max_trials")?;
        Ok(LockedStudy { ledger: Ledger::open(record, clock), trials_quota })
    }
}

impl LockedStudy {
    /// Writes the study and its new events.
    pub(super) async fn save(&self, connection: &mut Connection) -> Result<()> {
        if self.ledger.events.is_empty() {
            return Ok(());
        }
        self.write(connection).await?;
        events::insert(connection, self.ledger.record.id, &self.ledger.events).await
    }

    /// Writes the study alone.
    pub(super) async fn write(&self, connection: &mut Connection) -> Result<()> {
        let record = &self.ledger.record;
        let counted = |state| signed(record.counts.of(state));
        sqlx::query(
            "UPDATE studies SET state = $2, budget_trials = $3, budget_cost = $4, default_lease_seconds = $5, \
             retry_expired = $6, metadata = $7, revision = $8, next_number = $9, queued_trials = $10, \
             running_trials = $11, completed_trials = $12, failed_trials = $13, stopped_trials = $14, \
             abandoned_trials = $15, expired_trials = $16, spent_trials = $17, spent_cost = $18, updated_at = $19 \
             WHERE id = $1",
        )
        .bind(record.id.0)
        .bind(record.state.name())
        .bind(record.settings.budget.trials.map(signed))
        .bind(record.settings.budget.cost)
        .bind(record.settings.default_lease_seconds.map(signed))
        .bind(record.settings.retry_expired)
        .bind(Json(&record.metadata))
        .bind(signed(record.revision))
        .bind(signed(record.next_number))
        .bind(counted(TrialState::Queued))
        .bind(counted(TrialState::Running))
        .bind(counted(TrialState::Completed))
        .bind(counted(TrialState::Failed))
        .bind(counted(TrialState::Stopped))
        .bind(counted(TrialState::Abandoned))
        .bind(counted(TrialState::Expired))
        .bind(signed(record.spent_trials))
        .bind(record.spent_cost)
        .bind(record.updated_at)
        .execute(&mut *connection)
        .await?;
        Ok(())
    }
}

/// The database's clock.
pub(super) async fn clock(connection: &mut Connection) -> Result<DateTime<Utc>> {
    Ok(sqlx::query_scalar(concat!("SELECT ", clock!())).fetch_one(connection).await?)
}
