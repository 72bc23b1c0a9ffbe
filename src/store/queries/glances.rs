//! Trials at a glance: the few columns that charts and rankings of many trials need.

use std::collections::BTreeMap;

use serde::Deserialize;
use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};

use super::super::super::{Glance, Result};
use super::super::{Database, Row};
use super::Backend;
use super::rows::{self, signed};
use crate::study::{Definition, StudyId, StudyRecord, Trial};

/// How many trials one statement names: databases bound the number of values.
const NAMED: usize = 1000;

/// What a glance takes from an outcome.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow, default)]
    metrics: BTreeMap<std::borrow::Cow<'a, str>, Value>,
}

#[derive(Deserialize)]
struct Value {
    value: f64,
}

fn glance(row: &Row, definition: &Definition) -> Result<Glance> {
    let told: Option<Json<Told<'_>>> = row.try_get("outcome")?;
    let value = |name: &str| told.as_ref().and_then(|told| Some(told.metrics.get(name)?.value));
    Ok(Glance {
        number: rows::count(row, "number")?,
        state: rows::trial_state(row)?,
        superseded: row.try_get("superseded")?,
        values: definition.metrics().iter().map(|metric| value(&metric.name)).collect(),
        started_at: row.try_get("started_at")?,
        ended_at: row.try_get("ended_at")?,
    })
}

impl Backend {
    pub(super) async fn glance_over(&self, study: StudyId, after: u64) -> Result<(StudyRecord, Vec<Glance>)> {
        let mut transaction = self.begin_read().await?;
        let record = self.read_study(&mut transaction, study).await?;
        if record.revision <= after {
            return Ok((record, Vec::new()));
        }
        let rows = sqlx::query(
            "SELECT number, state, superseded, outcome, started_at, ended_at FROM trials \
             WHERE study_id = $1 AND revision > $2 ORDER BY number",
        )
        .bind(study.0)
        .bind(signed(after))
        .fetch_all(&mut *transaction)
        .await?;
        let glances = rows.iter().map(|row| glance(row, &record.definition)).collect::<Result<Vec<_>>>()?;
        Ok((record, glances))
    }

    pub(super) async fn pick_trials(&self, study: StudyId, numbers: &[u64]) -> Result<Vec<Trial>> {
        let mut transaction = self.begin_read().await?;
        let definition = self.read_definition(&mut transaction, study).await?;
        let mut trials = Vec::with_capacity(numbers.len());
        for chunk in numbers.chunks(NAMED) {
            let mut query: QueryBuilder<Database> =
                QueryBuilder::new(concat!("SELECT ", trial_columns!(), " FROM trials WHERE study_id = "));
            query.push_bind(study.0).push(" AND number IN (");
            let mut named = query.separated(", ");
            for &number in chunk {
                named.push_bind(signed(number));
            }
            query.push(")");
            // Statements of every length are not worth a place among the prepared ones.
            let rows = query.build().persistent(false).fetch_all(&mut *transaction).await?;
            for row in &rows {
                trials.push(rows::trial(row, &definition)?.trial);
            }
        }
        let mut by_number: BTreeMap<u64, Trial> =
            trials.into_iter().map(|trial| (trial.number, trial)).collect();
        Ok(numbers.iter().filter_map(|number| by_number.remove(number)).collect())
    }
}
