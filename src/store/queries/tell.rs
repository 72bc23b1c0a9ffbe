//! Telling: the outcome of a trial, by the rules of [`study::tell`].

use serde_json::json;

use super::super::super::{Keyed, Result, Tell};
use super::super::Connection;
use super::audit::Change;
use super::locked::LockedStudy;
use super::rows::StoredTrial;
use super::{Backend, events, keys, trials};
use crate::study::{self, EventKind, Leap, PastOutcome, Refusal, StudyId, Trial, TrialState};

impl Backend {
    pub(super) async fn told(
        &self,
        study: StudyId,
        number: u64,
        tell: &Tell,
        keyed: Option<&Keyed<'_, Trial>>,
    ) -> Result<Trial> {
        let mut transaction = self.begin().await?;
        let mut study = self.lock(&mut transaction, study).await?;
        let mut stored =
            trials::read(&mut transaction, study.record.id, number, &study.record.definition).await?;
        let trial = &stored.trial;
        if tell.lease_token.is_some() && tell.lease_token != trial.lease_token {
            return Err(Refusal::LeaseLost.into());
        }
        let leap = study::tell(trial.state, trial.outcome.as_ref(), &tell.outcome, tell.amend)?;
        if let Leap::Ended(state) | Leap::Amended(state) = leap {
            // An outcome that says something of the point now, and did not before, may come too late.
            let may_be_late = matches!(trial.state, TrialState::Expired | TrialState::Abandoned);
            let overtaken = trial.superseded
                || (may_be_late && was_retried(&mut transaction, study.record.id, number).await?);
            record(&mut study, &mut stored, tell, state, overtaken);
            let said = json!({ "outcome": tell.outcome, "amend": tell.amend });
            self.note(&mut transaction, study.now, Change::of_trial("tell", &study, number, said)).await?;
            trials::update(&mut transaction, study.record.id, &stored).await?;
            study.save(&mut transaction).await?;
        }
        keys::keep(&mut transaction, keyed, &stored.trial, study.now).await?;
        transaction.commit().await?;
        Ok(stored.trial)
    }
}

/// Moves the trial to the state of its new outcome.
fn record(
    study: &mut LockedStudy,
    stored: &mut StoredTrial,
    tell: &Tell,
    state: TrialState,
    superseded: bool,
) {
    study.discount(stored);
    let trial = &mut stored.trial;
    let kind = match trial.outcome.replace(tell.outcome.clone()) {
        Some(outcome) => {
            trial.revisions.push(PastOutcome { outcome, replaced_at: study.now });
            EventKind::TrialAmended
        }
        None => {
            trial.ended_at = Some(study.now);
            trial.lease_expires_at = None;
            EventKind::TrialTold
        }
    };
    trial.state = state;
    trial.superseded = superseded;
    trial.revision = study.append(kind, Some(trial.number), events::of_outcome(&tell.outcome, superseded));
    trial.told_revision = trial.told_revision.or(Some(trial.revision));
    stored.cost = tell.cost;
    study.count(stored);
}

/// Whether a trial that handed out the point of `number` again was told what became of it.
async fn was_retried(connection: &mut Connection, study: StudyId, number: u64) -> Result<bool> {
    let mut original = number;
    // A retry that expired or was abandoned may itself have been retried.
    while let Some((retry, state)) = trials::retry_of(connection, study, original).await? {
        if state.is_told() && state != TrialState::Abandoned {
            return Ok(true);
        }
        original = retry;
    }
    Ok(false)
}
