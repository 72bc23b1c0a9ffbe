//! Events: appended by the transactions that make the changes, read in their order, removed when they are old.

use chrono::TimeDelta;
use sqlx::Row as _;
use sqlx::types::Json;

use super::super::super::{EventPage, Result, StoreError};
use super::super::Connection;
use super::Backend;
use super::locked::clock;
use super::rows::{self, signed};
use super::together::Together;
use crate::study::{Event, StudyId};

/// How long events and answers are kept.
const KEPT: TimeDelta = TimeDelta::days(7);
/// How many events of a study are kept.
const KEPT_EVENTS: i64 = 100_000;
/// How many rows one statement inserts: databases bound the number of its values.
const ROWS: usize = 1000;

/// Appends events.
pub(super) async fn insert(
    connection: &mut Connection,
    writes: &mut Together,
    study: StudyId,
    events: &[Event],
) -> std::result::Result<(), sqlx::Error> {
    for chunk in events.chunks(ROWS) {
        let query = writes.part(connection, chunk.len()).await?;
        query.push("INSERT INTO events (study_id, revision, kind, number, at, data) ");
        query.push_values(chunk, |mut values, event| {
            values
                .push_bind(study.0)
                .push_bind(signed(event.revision))
                .push_bind(event.kind.name())
                .push_bind(event.number.map(signed))
                .push_bind(event.at)
                .push_bind(Json(&event.data));
        });
    }
    Ok(())
}

impl Backend {
    pub(super) async fn list_events(&self, study: StudyId, after: u64, limit: u32) -> Result<EventPage> {
        let mut transaction = self.begin_read().await?;
        let row = sqlx::query(
            "SELECT revision, (SELECT min(events.revision) FROM events WHERE study_id = $1) AS oldest \
             FROM studies WHERE id = $1",
        )
        .bind(study.0)
        .fetch_optional(&mut *transaction)
        .await?
        .ok_or(StoreError::NoStudy(study))?;
        let revision = rows::count(&row, "revision")?;
        let oldest: Option<i64> = row.try_get("oldest")?;
        let events = sqlx::query(
            "SELECT revision, kind, number, at, data FROM events WHERE study_id = $1 AND revision > $2 \
             ORDER BY revision LIMIT $3",
        )
        .bind(study.0)
        .bind(signed(after))
        .bind(i64::from(limit))
        .fetch_all(&mut *transaction)
        .await?
        .iter()
        .map(rows::event)
        .collect::<Result<Vec<_>>>()?;
        let reset = match oldest {
            Some(oldest) => signed(after).saturating_add(1) < oldest,
            None => after < revision,
        };
        Ok(EventPage { events, reset, revision })
    }

    pub(super) async fn prune_old(&self) -> Result<()> {
        let mut transaction = self.begin().await?;
        let before = clock(&mut transaction).await? - KEPT;
        sqlx::query("DELETE FROM idempotency_keys WHERE created_at < $1")
            .bind(before)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM fits WHERE created_at < $1").bind(before).execute(&mut *transaction).await?;
        sqlx::query("DELETE FROM events WHERE at < $1").bind(before).execute(&mut *transaction).await?;
        sqlx::query(
            "DELETE FROM events WHERE study_id IN (SELECT id FROM studies WHERE revision > $1) \
             AND revision <= (SELECT studies.revision FROM studies WHERE id = study_id) - $1",
        )
        .bind(KEPT_EVENTS)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }
}
