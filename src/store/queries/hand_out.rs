//! Handing out: a plan that was made from a snapshot is done, if it still fits.

use serde_json::json;
use uuid::Uuid;

use super::super::super::{AskPlan, Assignment, HandOut, Result, StoreError};
use super::super::Connection;
use super::audit::{Change, note_by};
use super::locked::LockedStudy;
use super::projects::admit_trials;
use super::{Backend, keys, trials};
use crate::study::{self, Entry, Lease, StudyId, StudyRecord, Trial, TrialState};

impl Backend {
    pub(super) async fn hand_out_planned(
        &self,
        study: StudyId,
        plan: &HandOut<'_>,
    ) -> Result<Vec<Vec<Trial>>> {
        let mut transaction = self.begin().await?;
        let mut study = self.lock(&mut transaction, study).await?;
        let assigned = plan.asks.iter().flat_map(|ask| &ask.assignments);
        let spent = assigned.filter(|assignment| !matches!(assignment, Assignment::Again(_))).count();
        if !study.ledger.admits(plan.expected_next_number, spent) {
            return Err(StoreError::Outdated);
        }
        let assigned = plan.asks.iter().flat_map(|ask| &ask.assignments);
        let more = assigned.filter(|assignment| matches!(assignment, Assignment::New(_))).count();
        if more > 0 {
            admit_trials(&mut transaction, &study, more).await?;
        }
        let (mut created, mut started) = (Vec::new(), Vec::new());
        let mut answers = Vec::with_capacity(plan.asks.len());
        for ask in &plan.asks {
            let mut given = Vec::with_capacity(ask.assignments.len());
            for assignment in &ask.assignments {
                given.push(match assignment {
                    Assignment::Again(number) => again(&mut transaction, &study, ask, *number).await?,
                    Assignment::Queued(number) => {
                        let stored = start(&mut transaction, &mut study, ask, *number).await?;
                        started.push(stored.clone());
                        stored.trial
                    }
                    Assignment::New(new) => {
                        if let Some(original) = new.retry_of {
                            may_be_retried(&mut transaction, &study, original).await?;
                        }
                        let stored = study.ledger.create(new, lease(ask));
                        created.push(stored.clone());
                        stored.trial
                    }
                });
            }
            answers.push(given);
        }
        study.save(&mut transaction, &created, &started).await.map_err(|error| match &error {
            // A point is taken, or a trial was retried.
            sqlx::Error::Database(cause) if cause.is_unique_violation() => StoreError::Outdated,
            _ => error.into(),
        })?;
        for (ask, given) in plan.asks.iter().zip(&answers) {
            let said = json!({
                "numbers": given.iter().map(|trial| trial.number).collect::<Vec<_>>(), "worker": ask.worker,
            });
            note_by(
                &mut transaction,
                ask.by.as_ref(),
                study.ledger.now,
                Change::of_study("ask", &study, said),
            )
            .await?;
            keys::keep(&mut transaction, ask.keyed.as_ref(), given, study.ledger.now).await?;
        }
        transaction.commit().await?;
        Ok(answers)
    }
}

/// A lease that begins now.
fn lease<'a>(ask: &'a AskPlan<'_>) -> Lease<'a> {
    Lease { worker: ask.worker.as_deref(), seconds: ask.lease_seconds, token: Uuid::new_v4() }
}

/// A trial that the plan says is there, in `state`.
async fn planned(
    connection: &mut Connection,
    study: &StudyRecord,
    number: u64,
    may: impl Fn(TrialState) -> bool,
) -> Result<Entry> {
    let stored = trials::read(connection, study.id, number, &study.definition).await?;
    if may(stored.trial.state) { Ok(stored) } else { Err(StoreError::Outdated) }
}

/// An open trial of the worker that asks.
async fn again(
    connection: &mut Connection,
    study: &LockedStudy,
    ask: &AskPlan<'_>,
    number: u64,
) -> Result<Trial> {
    let stored =
        planned(connection, &study.ledger.record, number, |state| state == TrialState::Running).await?;
    if stored.trial.worker == ask.worker { Ok(stored.trial) } else { Err(StoreError::Outdated) }
}

/// Hands out a queued trial.
async fn start(
    connection: &mut Connection,
    study: &mut LockedStudy,
    ask: &AskPlan<'_>,
    number: u64,
) -> Result<Entry> {
    let mut stored =
        planned(connection, &study.ledger.record, number, |state| state == TrialState::Queued).await?;
    study.ledger.start(&mut stored, lease(ask));
    Ok(stored)
}

/// Checks that the trial's point may be handed out again. That it was not yet is the database's to say.
async fn may_be_retried(connection: &mut Connection, study: &LockedStudy, original: u64) -> Result<()> {
    planned(connection, &study.ledger.record, original, study::may_be_retried).await?;
    Ok(())
}
