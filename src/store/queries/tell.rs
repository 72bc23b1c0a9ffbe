//! Telling: the outcome of a trial, by the rules of [`study::tell`](crate::study::tell).

use serde_json::json;

use super::super::super::{Keyed, Result, Tell};
use super::super::Connection;
use super::audit::Change;
use super::{Backend, keys, trials};
use crate::study::{self, Leap, StudyId, Trial, TrialState};

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
            trials::read(&mut transaction, study.ledger.record.id, number, &study.ledger.record.definition)
                .await?;
        let is_overtaken = study::may_be_late(stored.trial.state)
            && was_retried(&mut transaction, study.ledger.record.id, number).await?;
        let leap = study.ledger.tell(&mut stored, tell, is_overtaken)?;
        if leap != Leap::Unchanged {
            let said = json!({ "outcome": tell.outcome, "amend": tell.amend });
            let change = Change::of_trial("tell", &study, number, said);
            self.note(&mut transaction, study.ledger.now, change).await?;
            study.save(&mut transaction, &[], std::slice::from_ref(&stored)).await?;
        }
        keys::keep(&mut transaction, keyed, &stored.trial, study.ledger.now).await?;
        transaction.commit().await?;
        Ok(stored.trial)
    }
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
