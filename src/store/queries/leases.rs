//! Leases: extended by heartbeats, ended by the database's clock.

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::super::super::{Result, StoreError};
use super::super::{Connection, Database};
use super::{Backend, rows, trials};
use crate::study::{StudyId, StudyState, Trial, TrialState};

/// Whether the point of an expired trial was handed out again.
pub(super) async fn was_handed_out_again(
    connection: &mut Connection,
    study: StudyId,
    trial: &Trial,
) -> Result<bool> {
    Ok(trial.state == TrialState::Expired
        && trials::retry_of(connection, study, trial.number).await?.is_some())
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
        let id = study.ledger.record.id;
        let mut stored = trials::read(&mut transaction, id, number, &study.ledger.record.definition).await?;
        let was_retried = was_handed_out_again(&mut transaction, id, &stored.trial).await?;
        study.ledger.extend(&mut stored, lease_token, was_retried)?;
        study.save(&mut transaction, &[], std::slice::from_ref(&stored)).await?;
        transaction.commit().await?;
        Ok(study.ledger.record.state)
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
        let rows = sqlx::query(concat!(
            "SELECT ",
            trial_columns!(),
            " FROM trials WHERE study_id = $1 AND state = 'running' AND lease_expires_at <= $2 ORDER BY number"
        ))
        .bind(study.ledger.record.id.0)
        .bind(study.ledger.now)
        .fetch_all(&mut *transaction)
        .await?;
        let mut expired = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut stored = rows::trial(row, &study.ledger.record.definition)?;
            study.ledger.expire(&mut stored);
            expired.push(stored);
        }
        study.save(&mut transaction, &[], &expired).await?;
        transaction.commit().await?;
        Ok(!expired.is_empty())
    }
}
