//! The log of changes: written by the transactions that make them, read by those who may.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use uuid::Uuid;

use super::super::super::access::{Actor, AuditEntry, AuditFilter};
use super::super::super::{Cursor, Page, Result};
use super::super::{Connection, Database, Row};
use super::Backend;
use super::locked::LockedStudy;
use super::projects::restrict;
use super::rows::{optional_count, signed};
use crate::study::StudyId;

/// What was changed.
pub(super) struct Change {
    pub(super) action: &'static str,
    pub(super) project: Option<String>,
    pub(super) study: Option<StudyId>,
    pub(super) number: Option<u64>,
    pub(super) data: Value,
}

impl Change {
    /// A change of a project, or of something in it that has no study.
    pub(super) fn of_project(action: &'static str, project: &str, data: Value) -> Self {
        Self { action, project: Some(project.to_owned()), study: None, number: None, data }
    }

    /// A change of a study.
    pub(super) fn of_study(action: &'static str, study: &LockedStudy, data: Value) -> Self {
        let project = study.ledger.record.definition.draft().project.clone();
        Self { action, project: Some(project), study: Some(study.ledger.record.id), number: None, data }
    }

    /// A change of a trial.
    pub(super) fn of_trial(action: &'static str, study: &LockedStudy, number: u64, data: Value) -> Self {
        Self { number: Some(number), ..Self::of_study(action, study, data) }
    }
}

/// Writes an entry; does nothing where nobody is named.
pub(super) async fn note_by(
    connection: &mut Connection,
    actor: Option<&Arc<Actor>>,
    now: DateTime<Utc>,
    change: Change,
) -> Result<()> {
    let Some(actor) = actor else { return Ok(()) };
    sqlx::query(
        "INSERT INTO audit (id, at, project, token_id, who, address, request_id, action, study_id, number, data) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(Uuid::now_v7())
    .bind(now)
    .bind(change.project)
    .bind(actor.token)
    .bind(&actor.who)
    .bind(&actor.address)
    .bind(&actor.request_id)
    .bind(change.action)
    .bind(change.study.map(|study| study.0))
    .bind(change.number.map(signed))
    .bind(Json(change.data))
    .execute(connection)
    .await?;
    Ok(())
}

impl Backend {
    /// Writes an entry in the name of whom this store acts for; does nothing where that is nobody.
    pub(super) async fn note(
        &self,
        connection: &mut Connection,
        now: DateTime<Utc>,
        change: Change,
    ) -> Result<()> {
        note_by(connection, self.actor.as_ref(), now, change).await
    }

    pub(super) async fn list_audit(&self, filter: &AuditFilter, page: &Page) -> Result<Vec<AuditEntry>> {
        let mut query: QueryBuilder<Database> = QueryBuilder::new(
            "SELECT id, at, project, token_id, who, address, request_id, action, study_id, number, data \
             FROM audit WHERE 1 = 1",
        );
        restrict(&mut query, "project", filter.projects.as_deref());
        if let Some(study) = filter.study {
            query.push(" AND study_id = ").push_bind(study.0);
        }
        if let Some(token) = filter.token {
            query.push(" AND token_id = ").push_bind(token);
        }
        if let Some(action) = &filter.action {
            if action.contains('\0') {
                return Ok(Vec::new());
            }
            query.push(" AND action = ").push_bind(action.clone());
        }
        if let Some(Cursor::Id(after)) = page.after {
            query.push(if page.descending { " AND id < " } else { " AND id > " }).push_bind(after);
        }
        query.push(if page.descending { " ORDER BY id DESC LIMIT " } else { " ORDER BY id LIMIT " });
        query.push_bind(i64::from(page.limit));
        query
            .build()
            .persistent(false)
            .fetch_all(&mut *self.reading().await?)
            .await?
            .iter()
            .map(entry)
            .collect()
    }
}

fn entry(row: &Row) -> Result<AuditEntry> {
    let data: Json<Value> = row.try_get("data")?;
    let study: Option<Uuid> = row.try_get("study_id")?;
    Ok(AuditEntry {
        id: row.try_get("id")?,
        at: row.try_get("at")?,
        project: row.try_get("project")?,
        actor: Actor {
            token: row.try_get("token_id")?,
            who: row.try_get("who")?,
            address: row.try_get("address")?,
            request_id: row.try_get("request_id")?,
        },
        action: row.try_get("action")?,
        study: study.map(StudyId),
        number: optional_count(row, "number")?,
        data: data.0,
    })
}
