//! Leases: extended by heartbeats, ended by the database's clock.

use serde_json::json;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::super::super::{Result, StoreError};
use super::super::{Connection, Database};
use super::hand_out::lease_end;
use super::locked::LockedStudy;
use super::rows::{self, StoredTrial};
use super::{Backend, events, trials};
use crate::study::{self, EventKind, Refusal, StudyId, StudyState, TrialState};

/// Who says that a trial is being evaluated.
pub(super) struct Holder {
    pub(super) number: u64,
    /// Must be the current one where given.
    pub(super) lease_token: Option<Uuid>,
}

/// Extends the lease of a trial by its length from now, by the rules of [`study::heartbeat`].
pub(super) async fn extend(
    connection: &mut Connection,
    study: &mut LockedStudy,
    stored: &mut StoredTrial,
    holder: Holder,
) -> Result<()> {
    if holder.lease_token.is_some() && holder.lease_token != stored.trial.lease_token {
        return Err(Refusal::LeaseLost.into());
    }
    let before = stored.trial.state;
    let retried = before == TrialState::Expired
        && trials::retry_of(connection, study.record.id, holder.number).await?.is_some();
    let after = study::heartbeat(before, retried)?;
    study.discount(stored);
    stored.trial.state = after;
    stored.trial.lease_expires_at = lease_end(study.now, stored.trial.lease_seconds);
    study.count(stored);
    if before != after {
        let data = events::of_start(&stored.trial);
        stored.trial.revision = study.append(EventKind::TrialRevived, Some(holder.number), data);
    }
    Ok(())
}

impl Backend {
    pub(super) async fn extend_lease(
        &self,
        study: StudyId,
        number: u64,
        lease_token: Option<Uuid>,
    ) -> Result<StudyState> {
        let mut transaction = self.begin().await?;
        let mut study = self.lock(&mut transaction, study).await?;
        let id = study.record.id;
        let mut stored = trials::read(&mut transaction, id, number, &study.record.definition).await?;
        extend(&mut transaction, &mut study, &mut stored, Holder { number, lease_token }).await?;
        trials::update(&mut transaction, id, &stored).await?;
        study.save(&mut transaction).await?;
        transaction.commit().await?;
        Ok(study.record.state)
    }

    /// The studies, or the one, with running trials whose lease ended.
    pub(super) async fn with_due_leases(&self, study: Option<StudyId>) -> Result<Vec<StudyId>> {
        // The clock in a query of its own, which is evaluated once, so that the index serves.
        let mut query: QueryBuilder<Database> = QueryBuilder::new(concat!(
            "SELECT DISTINCT study_id FROM trials WHERE state = 'running' AND lease_expires_at <= (SELECT ",
            clock!(),
            ")"
        ));
        if let Some(study) = study {
            query.push(" AND study_id = ").push_bind(study.0);
        }
        let studies: Vec<Uuid> = query.build_query_scalar().fetch_all(&mut *self.reading().await?).await?;
        Ok(studies.into_iter().map(StudyId).collect())
    }

    /// Expires the due trials of one study. Returns whether there were any.
    pub(super) async fn expire(&self, study: StudyId) -> Result<bool> {
        let mut transaction = self.begin().await?;
        let mut study = match self.lock(&mut transaction, study).await {
            // It was deleted since.
            Err(StoreError::NoStudy(_)) => return Ok(false),
            locked => locked?,
        };
        let id = study.record.id;
        let rows = sqlx::query(concat!(
            "SELECT ",
            trial_columns!(),
            " FROM trials WHERE study_id = $1 AND state = 'running' AND lease_expires_at <= $2 ORDER BY number"
        ))
        .bind(id.0)
        .bind(study.now)
        .fetch_all(&mut *transaction)
        .await?;
        for row in &rows {
            let mut stored = rows::trial(row, &study.record.definition)?;
            study.discount(&stored);
            stored.trial.state = TrialState::Expired;
            study.count(&stored);
            let data = json!({ "state": stored.trial.state.name(), "worker": stored.trial.worker });
            stored.trial.revision = study.append(EventKind::TrialExpired, Some(stored.trial.number), data);
            trials::update(&mut transaction, id, &stored).await?;
        }
        study.save(&mut transaction).await?;
        transaction.commit().await?;
        Ok(!rows.is_empty())
    }
}
