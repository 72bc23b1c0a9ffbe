//! Handing out: a plan that was made from a snapshot is done, if it still fits.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, json};
use uuid::Uuid;

use super::super::super::{AskPlan, Assignment, HandOut, NewTrial, Result, StoreError};
use super::super::Connection;
use super::audit::{Change, note_by};
use super::locked::LockedStudy;
use super::projects::admit_trials;
use super::rows::StoredTrial;
use super::{Backend, events, keys, trials};
use crate::study::{EventKind, StudyId, StudyRecord, StudyState, Trial, TrialState};

impl Backend {
    pub(super) async fn hand_out_planned(
        &self,
        study: StudyId,
        plan: &HandOut<'_>,
    ) -> Result<Vec<Vec<Trial>>> {
        let mut transaction = self.begin().await?;
        let mut study = self.lock(&mut transaction, study).await?;
        if !fits(&study.record, plan) {
            return Err(StoreError::Outdated);
        }
        let assigned = plan.asks.iter().flat_map(|ask| &ask.assignments);
        let more = assigned.filter(|assignment| matches!(assignment, Assignment::New(_))).count();
        if more > 0 {
            admit_trials(&mut transaction, &study, more).await?;
        }
        let mut created = Vec::new();
        let mut answers = Vec::with_capacity(plan.asks.len());
        for ask in &plan.asks {
            let mut given = Vec::with_capacity(ask.assignments.len());
            for assignment in &ask.assignments {
                given.push(match assignment {
                    Assignment::Again(number) => again(&mut transaction, &study, ask, *number).await?,
                    Assignment::Queued(number) => start(&mut transaction, &mut study, ask, *number).await?,
                    Assignment::New(new) => {
                        if let Some(original) = new.retry_of {
                            may_be_retried(&mut transaction, &study, original).await?;
                        }
                        let stored = create(&mut study, ask, new);
                        created.push(stored.clone());
                        stored.trial
                    }
                });
            }
            answers.push(given);
        }
        trials::insert(&mut transaction, study.record.id, &created).await.map_err(|error| match &error {
            // A point is taken, or a trial was retried.
            sqlx::Error::Database(cause) if cause.is_unique_violation() => StoreError::Outdated,
            _ => error.into(),
        })?;
        study.save(&mut transaction).await?;
        for (ask, given) in plan.asks.iter().zip(&answers) {
            let said = json!({
                "numbers": given.iter().map(|trial| trial.number).collect::<Vec<_>>(), "worker": ask.worker,
            });
            note_by(&mut transaction, ask.by.as_ref(), study.now, Change::of_study("ask", &study, said))
                .await?;
            keys::keep(&mut transaction, ask.keyed.as_ref(), given, study.now).await?;
        }
        transaction.commit().await?;
        Ok(answers)
    }
}

/// Whether the plan was made from the study as it is.
fn fits(study: &StudyRecord, plan: &HandOut<'_>) -> bool {
    let assignments = plan.asks.iter().flat_map(|ask| &ask.assignments);
    let spent = assignments.filter(|assignment| !matches!(assignment, Assignment::Again(_))).count();
    study.state == StudyState::Active
        && study.next_number == plan.expected_next_number
        && study.budget_left() >= u64::try_from(spent).unwrap_or(u64::MAX)
}

/// A trial that the plan says is there, in `state`.
async fn planned(
    connection: &mut Connection,
    study: &StudyRecord,
    number: u64,
    states: &[TrialState],
) -> Result<StoredTrial> {
    let stored = trials::read(connection, study.id, number, &study.definition).await?;
    if states.contains(&stored.trial.state) { Ok(stored) } else { Err(StoreError::Outdated) }
}

/// An open trial of the worker that asks.
async fn again(
    connection: &mut Connection,
    study: &LockedStudy,
    ask: &AskPlan<'_>,
    number: u64,
) -> Result<Trial> {
    let stored = planned(connection, &study.record, number, &[TrialState::Running]).await?;
    if stored.trial.worker == ask.worker { Ok(stored.trial) } else { Err(StoreError::Outdated) }
}

/// Hands out a queued trial.
async fn start(
    connection: &mut Connection,
    study: &mut LockedStudy,
    ask: &AskPlan<'_>,
    number: u64,
) -> Result<Trial> {
    let mut stored = planned(connection, &study.record, number, &[TrialState::Queued]).await?;
    study.discount(&stored);
    let trial = &mut stored.trial;
    trial.state = TrialState::Running;
    trial.worker.clone_from(&ask.worker);
    trial.lease_token = Some(Uuid::new_v4());
    trial.lease_seconds = ask.lease_seconds;
    trial.lease_expires_at = lease_end(study.now, ask.lease_seconds);
    trial.started_at = Some(study.now);
    trial.revision = study.append(EventKind::TrialStarted, Some(number), events::of_start(trial));
    study.count(&stored);
    trials::update(connection, study.record.id, &stored).await?;
    Ok(stored.trial)
}

/// Checks that the trial's point may be handed out again. That it was not yet is the database's to say.
async fn may_be_retried(connection: &mut Connection, study: &LockedStudy, original: u64) -> Result<()> {
    planned(connection, &study.record, original, &[TrialState::Expired, TrialState::Abandoned]).await?;
    Ok(())
}

/// Makes a new trial, yet to be inserted.
fn create(study: &mut LockedStudy, ask: &AskPlan<'_>, new: &NewTrial) -> StoredTrial {
    let number = study.record.next_number;
    study.record.next_number += 1;
    let mut trial = Trial {
        number,
        state: TrialState::Running,
        parameters: new.parameters.clone(),
        key: new.key,
        replicate: new.replicate,
        outside: false,
        attached: false,
        retry_of: new.retry_of,
        superseded: false,
        origin: new.origin.clone(),
        history_revision: new.history_revision,
        worker: ask.worker.clone(),
        lease_token: Some(Uuid::new_v4()),
        lease_seconds: ask.lease_seconds,
        lease_expires_at: lease_end(study.now, ask.lease_seconds),
        outcome: None,
        revisions: Vec::new(),
        measurements: Vec::new(),
        note: None,
        tags: Vec::new(),
        metadata: Map::new(),
        created_at: study.now,
        started_at: Some(study.now),
        ended_at: None,
        told_revision: None,
        revision: 0,
    };
    trial.revision = study.append(EventKind::TrialCreated, Some(number), events::of_start(&trial));
    let stored = StoredTrial { trial, cost: 0.0 };
    study.count(&stored);
    stored
}

/// When a lease ends that begins now; one beyond the calendar never does.
pub(super) fn lease_end(now: DateTime<Utc>, seconds: Option<u64>) -> Option<DateTime<Utc>> {
    let length = TimeDelta::try_seconds(i64::try_from(seconds?).ok()?)?;
    now.checked_add_signed(length)
}
