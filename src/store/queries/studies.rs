//! Studies: created, read, listed, changed and deleted.

use std::sync::Arc;

use serde_json::json;
use sqlx::QueryBuilder;
use sqlx::types::Json;
use uuid::Uuid;

use super::super::super::{
    Created, Cursor, Keyed, NewStudy, Page, Result, StoreError, StudyChange, StudyFilter,
};
use super::super::{Connection, Database};
use super::audit::Change;
use super::locked::{LockedStudy, clock};
use super::projects::{Growth, admit, restrict};
use super::rows::{self, signed};
use super::{Backend, keys, networks};
use crate::study::{Definition, EventKind, Ledger, StudyId, StudyRecord, StudyState, TrialCounts};

impl Backend {
    pub(super) async fn create(
        &self,
        study: &NewStudy,
        keyed: Option<&Keyed<'_, Created>>,
    ) -> Result<Created> {
        let mut transaction = self.begin().await?;
        let now = clock(&mut transaction).await?;
        let definition = &study.definition;
        let record = StudyRecord {
            id: StudyId(Uuid::now_v7()),
            definition: Arc::new(definition.clone()),
            settings: definition.draft().settings(),
            state: StudyState::Active,
            metadata: study.metadata.clone(),
            revision: 0,
            next_number: 0,
            counts: TrialCounts::default(),
            spent_trials: 0,
            spent_cost: 0.0,
            created_at: now,
            updated_at: now,
        };
        let mut new = LockedStudy { ledger: Ledger::open(record, now), trials_quota: None };
        let data = json!({ "state": new.ledger.record.state.name(), "name": definition.draft().name });
        new.ledger.append(EventKind::StudyCreated, None, data);
        let created = if insert(&mut transaction, &new.ledger.record).await? {
            admit(&mut transaction, &definition.draft().project, Growth::Study).await?;
            networks::use_networks(&mut transaction, new.ledger.record.id, definition).await?;
            new.save(&mut transaction, &[], &[]).await?;
            let said = json!({ "name": definition.draft().name });
            self.note(&mut transaction, now, Change::of_study("create_study", &new, said)).await?;
            Created { study: new.ledger.record, is_new: true }
        } else {
            let existing = self.read_named(&mut transaction, definition).await?;
            if existing.definition.draft() != definition.draft() {
                return Err(StoreError::NameTaken { existing: existing.id });
            }
            Created { study: existing, is_new: false }
        };
        keys::keep(&mut transaction, keyed, &created, now).await?;
        transaction.commit().await?;
        self.definitions.put(created.study.id, Arc::clone(&created.study.definition));
        Ok(created)
    }

    async fn read_named(&self, connection: &mut Connection, definition: &Definition) -> Result<StudyRecord> {
        // Where it was deleted in between there is no row, and the creation is tried again.
        let row = sqlx::query(concat!(
            "SELECT ",
            study_columns!(),
            " FROM studies WHERE project = $1 AND name = $2"
        ))
        .bind(&definition.draft().project)
        .bind(&definition.draft().name)
        .fetch_one(connection)
        .await?;
        rows::study(&row, &self.definitions)
    }

    pub(super) async fn read_study(&self, connection: &mut Connection, id: StudyId) -> Result<StudyRecord> {
        let row = sqlx::query(concat!("SELECT ", study_columns!(), " FROM studies WHERE id = $1"))
            .bind(id.0)
            .fetch_optional(connection)
            .await?
            .ok_or(StoreError::NoStudy(id))?;
        rows::study(&row, &self.definitions)
    }

    /// The definition of a study that exists.
    pub(super) async fn read_definition(
        &self,
        connection: &mut Connection,
        id: StudyId,
    ) -> Result<Arc<Definition>> {
        let Some(definition) = self.definitions.get(id) else {
            return Ok(self.read_study(connection, id).await?.definition);
        };
        // It may have been deleted through another server.
        sqlx::query("SELECT 1 FROM studies WHERE id = $1")
            .bind(id.0)
            .fetch_optional(connection)
            .await?
            .ok_or(StoreError::NoStudy(id))?;
        Ok(definition)
    }

    pub(super) async fn list_studies(&self, filter: &StudyFilter, page: &Page) -> Result<Vec<StudyRecord>> {
        let texts = [&filter.project, &filter.name, &filter.search];
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            // No study has such a text, and Postgres takes none.
            return Ok(Vec::new());
        }
        let mut query: QueryBuilder<Database> =
            QueryBuilder::new(concat!("SELECT ", study_columns!(), " FROM studies WHERE 1 = 1"));
        if let Some(project) = &filter.project {
            query.push(" AND project = ").push_bind(project);
        }
        restrict(&mut query, "project", filter.among.as_deref());
        if let Some(name) = &filter.name {
            query.push(" AND name = ").push_bind(name);
        }
        if let Some(search) = &filter.search {
            query.push(" AND name_folded LIKE ").push_bind(containing(search)).push(" ESCAPE '!'");
        }
        if let Some(state) = filter.state {
            query.push(" AND state = ").push_bind(state.name());
        }
        if let Some(Cursor::Study(after)) = &page.after {
            query.push(if page.descending { " AND id < " } else { " AND id > " }).push_bind(after.0);
        }
        query.push(if page.descending { " ORDER BY id DESC LIMIT " } else { " ORDER BY id LIMIT " });
        query.push_bind(i64::from(page.limit));
        let rows = query.build().fetch_all(&mut *self.reading().await?).await?;
        rows.iter().map(|row| rows::study(row, &self.definitions)).collect()
    }

    pub(super) async fn change(&self, id: StudyId, change: &StudyChange) -> Result<StudyRecord> {
        let mut transaction = self.begin().await?;
        let mut study = self.lock(&mut transaction, id).await?;
        let record = &mut study.ledger.record;
        let before = (record.state, record.metadata.clone(), record.settings.clone());
        if let Some(state) = change.state {
            record.state = state;
        }
        if let Some(metadata) = &change.metadata {
            record.metadata = metadata.clone();
        }
        if let Some(budget) = change.budget {
            record.settings.budget = budget;
        }
        if let Some(seconds) = change.default_lease_seconds {
            record.settings.default_lease_seconds = seconds;
        }
        if let Some(retry_expired) = change.retry_expired {
            record.settings.retry_expired = retry_expired;
        }
        if before != (record.state, record.metadata.clone(), record.settings.clone()) {
            let data = json!({ "state": record.state.name() });
            let said = json!({
                "state": record.state.name(), "metadata": record.metadata,
                "budget": record.settings.budget, "default_lease_seconds": record.settings.default_lease_seconds,
                "retry_expired": record.settings.retry_expired,
            });
            study.ledger.append(EventKind::StudyChanged, None, data);
            let change = Change::of_study("change_study", &study, said);
            self.note(&mut transaction, study.ledger.now, change).await?;
        }
        study.save(&mut transaction, &[], &[]).await?;
        transaction.commit().await?;
        Ok(study.ledger.record)
    }

    pub(super) async fn delete(&self, id: StudyId) -> Result<()> {
        let mut transaction = self.begin().await?;
        let study = self.lock(&mut transaction, id).await;
        self.definitions.remove(id);
        let study = study?;
        sqlx::query("DELETE FROM studies WHERE id = $1").bind(id.0).execute(&mut *transaction).await?;
        let said = json!({ "name": study.ledger.record.definition.draft().name, "trials": study.ledger.record.next_number });
        self.note(&mut transaction, study.ledger.now, Change::of_study("delete_study", &study, said)).await?;
        transaction.commit().await?;
        self.definitions.remove(id);
        Ok(())
    }
}

/// Whether the name was free in its project.
async fn insert(connection: &mut Connection, record: &StudyRecord) -> Result<bool> {
    let draft = record.definition.draft();
    let done = sqlx::query(
        "INSERT INTO studies (id, project, name, name_folded, definition, seed, state, budget_trials, budget_cost, \
         default_lease_seconds, retry_expired, metadata, revision, next_number, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
         ON CONFLICT (project, name) DO NOTHING",
    )
    .bind(record.id.0)
    .bind(&draft.project)
    .bind(&draft.name)
    .bind(draft.name.to_lowercase())
    .bind(Json(draft))
    .bind(signed(record.definition.seed()))
    .bind(record.state.name())
    .bind(record.settings.budget.trials.map(signed))
    .bind(record.settings.budget.cost)
    .bind(record.settings.default_lease_seconds.map(signed))
    .bind(record.settings.retry_expired)
    .bind(Json(&record.metadata))
    .bind(signed(record.revision))
    .bind(signed(record.next_number))
    .bind(record.created_at)
    .bind(record.updated_at)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Inserts a study that comes with its id, or says what takes its place.
pub(super) async fn insert_or_say(connection: &mut Connection, record: &StudyRecord) -> Result<()> {
    let draft = record.definition.draft();
    let taken: Option<Uuid> = sqlx::query_scalar(
        "SELECT id FROM studies WHERE id = $1 OR (project = $2 AND name = $3) ORDER BY id <> $1",
    )
    .bind(record.id.0)
    .bind(&draft.project)
    .bind(&draft.name)
    .fetch_optional(&mut *connection)
    .await?;
    match taken {
        Some(id) if id == record.id.0 => Err(StoreError::StudyThere(record.id)),
        Some(id) => Err(StoreError::NameTaken { existing: StudyId(id) }),
        // Another one comes in this moment.
        None if !insert(connection, record).await? => Err(StoreError::StudyThere(record.id)),
        None => Ok(()),
    }
}

/// The `LIKE` pattern of folded names that contain `search`, with `!` as the escape.
fn containing(search: &str) -> String {
    let folded = search.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{folded}%")
}
