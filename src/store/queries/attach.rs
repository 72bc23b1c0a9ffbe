//! Attaching: trials evaluated elsewhere, and trials to be queued.

use std::collections::HashMap;

use serde_json::json;
use sqlx::{QueryBuilder, Row as _};

use super::super::super::{AttachedTrial, Keyed, Result, StoreError};
use super::super::{Connection, Database};
use super::audit::Change;
use super::projects::admit_trials;
use super::{Backend, keys};
use crate::space::PointKey;
use crate::study::{StudyId, Trial};

/// How many points one statement looks up.
const POINTS: usize = 1000;

impl Backend {
    pub(super) async fn attach_all(
        &self,
        study: StudyId,
        attached: &[AttachedTrial],
        keyed: Option<&Keyed<'_, Vec<Trial>>>,
    ) -> Result<Vec<Trial>> {
        let mut transaction = self.begin().await?;
        let mut study = self.lock(&mut transaction, study).await?;
        admit_trials(&mut transaction, &study, attached.len()).await?;
        let history_revision = study.ledger.record.revision;
        let mut replicates = next_replicates(&mut transaction, study.ledger.record.id, attached).await?;
        let mut created = Vec::with_capacity(attached.len());
        for attached in attached {
            let next = replicates.entry(attached.key).or_insert(0);
            created.push(study.ledger.attach(attached, *next, history_revision));
            *next += 1;
        }
        let said = json!({ "numbers": created.iter().map(|stored| stored.trial.number).collect::<Vec<_>>() });
        self.note(&mut transaction, study.ledger.now, Change::of_study("attach_trials", &study, said))
            .await?;
        study.save(&mut transaction, &created, &[]).await?;
        let created = created.into_iter().map(|stored| stored.trial).collect();
        keys::keep(&mut transaction, keyed, &created, study.ledger.now).await?;
        transaction.commit().await?;
        Ok(created)
    }
}

/// The first free replicate of each point that is there already.
async fn next_replicates(
    connection: &mut Connection,
    study: StudyId,
    attached: &[AttachedTrial],
) -> Result<HashMap<PointKey, u32>> {
    let mut next = HashMap::new();
    for chunk in attached.chunks(POINTS) {
        let mut query: QueryBuilder<Database> =
            QueryBuilder::new("SELECT point_key, max(replicate) AS last FROM trials WHERE study_id = ");
        query.push_bind(study.0).push(" AND retry_of IS NULL AND point_key IN (");
        let mut keys = query.separated(", ");
        for attached in chunk {
            keys.push_bind(&attached.key.0[..]);
        }
        query.push(") GROUP BY point_key");
        for row in query.build().persistent(false).fetch_all(&mut *connection).await? {
            let key: Vec<u8> = row.try_get("point_key")?;
            let last: i64 = row.try_get("last")?;
            let unreadable =
                || StoreError::Unreadable { what: "a point", reason: format!("replicate {last} of {key:?}") };
            let after = u32::try_from(last + 1).map_err(|_| unreadable())?;
            next.insert(PointKey(key.as_slice().try_into().map_err(|_| unreadable())?), after);
        }
    }
    Ok(next)
}
