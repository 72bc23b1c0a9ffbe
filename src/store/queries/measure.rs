//! Measuring: an intermediate value of a running trial, which is a heartbeat too.

use serde_json::json;

use super::super::super::{Keyed, Measure, Measured, Result};
use super::audit::Change;
use super::leases::{Holder, extend};
use super::{Backend, keys, trials};
use crate::study::{EventKind, StudyId};

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
        let id = study.record.id;
        let mut stored = trials::read(&mut transaction, id, number, &study.record.definition).await?;
        let holder = Holder { number, lease_token: measure.lease_token };
        extend(&mut transaction, &mut study, &mut stored, holder).await?;
        let measurement = &measure.measurement;
        let measurements = &mut stored.trial.measurements;
        // By step; a step that is measured again is replaced, and the same again changes nothing.
        let is_new = match measurements.binary_search_by_key(&measurement.step, |known| known.step) {
            Ok(at) if measurements[at] == *measurement => false,
            Ok(at) => {
                measurements[at] = measurement.clone();
                true
            }
            Err(at) => {
                measurements.insert(at, measurement.clone());
                true
            }
        };
        if is_new {
            let data = json!({ "step": measurement.step, "metrics": measurement.metrics });
            stored.trial.revision = study.append(EventKind::TrialMeasured, Some(number), data);
            let said = json!({ "step": measurement.step });
            self.note(&mut transaction, study.now, Change::of_trial("measure", &study, number, said)).await?;
        }
        trials::update(&mut transaction, id, &stored).await?;
        study.save(&mut transaction).await?;
        let measured = Measured { trial: stored.trial, state: study.record.state };
        keys::keep(&mut transaction, keyed, &measured, study.now).await?;
        transaction.commit().await?;
        Ok(measured)
    }
}
