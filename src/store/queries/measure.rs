//! Measuring: an intermediate value of a running trial, which is a heartbeat too.

use serde_json::json;

use super::super::super::{Keyed, Measure, Measured, Result};
use super::audit::Change;
use super::leases::was_handed_out_again;
use super::{Backend, keys, trials};
use crate::study::StudyId;

impl Backend {
    pub(super) async fn measured(
        &self,
        study: StudyId,
        number: u64,
        measure: &Measure,
        keyed: Option<&Keyed<'_, Measured>>,
    ) -> Result<Measured> {
        let mut transaction = self.begin().await?;
        let mut study = self.lock(&mut transaction, study).await?;
        let id = study.ledger.record.id;
        let mut stored = trials::read(&mut transaction, id, number, &study.ledger.record.definition).await?;
        let was_retried = was_handed_out_again(&mut transaction, id, &stored.trial).await?;
        if study.ledger.measure(&mut stored, measure, was_retried)? {
            let said = json!({ "step": measure.measurement.step });
            let change = Change::of_trial("measure", &study, number, said);
            self.note(&mut transaction, study.ledger.now, change).await?;
        }
        study.save(&mut transaction, &[], std::slice::from_ref(&stored)).await?;
        let measured = Measured { trial: stored.trial, state: study.ledger.record.state };
        keys::keep(&mut transaction, keyed, &measured, study.ledger.now).await?;
        transaction.commit().await?;
        Ok(measured)
    }
}
