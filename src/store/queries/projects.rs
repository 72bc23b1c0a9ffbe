//! Projects: created, listed, changed, deleted; and whether their quotas leave room.

use serde_json::json;
use sqlx::QueryBuilder;
use sqlx::Row as _;

use super::super::super::access::{DEFAULT_PROJECT, ProjectRecord, Quotas, Usage};
use super::super::super::{Cursor, Page, Result, StoreError};
use super::super::{Connection, Database, Row};
use super::Backend;
use super::audit::Change;
use super::locked::{LockedStudy, clock};
use super::rows::{optional_count, signed};

/// The columns that make a [`ProjectRecord`].
macro_rules! project_columns {
    () => {
        "name, max_studies, max_trials, max_networks, max_bytes, max_asks_a_minute, max_requests_a_minute, created_at"
    };
}

fn record(row: &Row) -> Result<ProjectRecord> {
    Ok(ProjectRecord {
        name: row.try_get("name")?,
        quotas: Quotas {
            studies: optional_count(row, "max_studies")?,
            trials: optional_count(row, "max_trials")?,
            networks: optional_count(row, "max_networks")?,
            bytes: optional_count(row, "max_bytes")?,
            asks_a_minute: optional_count(row, "max_asks_a_minute")?,
            requests_a_minute: optional_count(row, "max_requests_a_minute")?,
        },
        created_at: row.try_get("created_at")?,
    })
}

/// What the log says of quotas.
fn said(quotas: &Quotas) -> serde_json::Value {
    json!({ "quotas": {
        "studies": quotas.studies, "trials": quotas.trials, "networks": quotas.networks, "bytes": quotas.bytes,
        "asks_a_minute": quotas.asks_a_minute, "requests_a_minute": quotas.requests_a_minute,
    }})
}

/// Restricts a query to the rows whose `column` is one of `among`, where that is given.
pub(super) fn restrict(query: &mut QueryBuilder<Database>, column: &'static str, among: Option<&[String]>) {
    let Some(among) = among else { return };
    // Postgres takes no text with a NUL in it, and no name has one.
    let among: Vec<&String> = among.iter().filter(|name| !name.contains('\0')).collect();
    if among.is_empty() {
        query.push(" AND 1 = 0");
        return;
    }
    query.push(" AND ").push(column).push(" IN (");
    let mut names = query.separated(", ");
    for name in among {
        names.push_bind(name.clone());
    }
    query.push(")");
}

/// What grew in a project.
pub(super) enum Growth {
    /// A study is new.
    Study,
    /// A network is new.
    Network,
}

/// Locks a project's row until the transaction ends, and checks that what was inserted keeps its quotas.
pub(super) async fn admit(connection: &mut Connection, project: &str, growth: Growth) -> Result<Quotas> {
    let missing = || StoreError::NoProject(project.to_owned());
    if project.contains('\0') {
        return Err(missing());
    }
    let row =
        sqlx::query(concat!("SELECT ", project_columns!(), " FROM projects WHERE name = $1", for_update!()))
            .bind(project)
            .fetch_optional(&mut *connection)
            .await?
            .ok_or_else(missing)?;
    let quotas = record(&row)?.quotas;
    let limits = [quotas.studies, quotas.networks, quotas.bytes];
    if limits.iter().all(Option::is_none) {
        return Ok(quotas);
    }
    let used = usage(connection, project).await?;
    let checks = match growth {
        Growth::Study => vec![("studies", quotas.studies, used.studies)],
        Growth::Network => vec![
            ("networks", quotas.networks, used.networks),
            ("bytes of networks", quotas.bytes, used.bytes),
        ],
    };
    checks.into_iter().try_for_each(|(what, limit, wanted)| within(project, what, limit, wanted))?;
    Ok(quotas)
}

/// Checks that the study's project has room for so many more trials. Trials that other studies of the project get in
/// the same moment are not seen: locking the project would make all its studies wait for each other.
pub(super) async fn admit_trials(
    connection: &mut Connection,
    study: &LockedStudy,
    more: usize,
) -> Result<()> {
    let Some(limit) = study.trials_quota else { return Ok(()) };
    let project = &study.ledger.record.definition.draft().project;
    let used = usage(connection, project).await?.trials;
    within(project, "trials", Some(limit), used.saturating_add(more as u64))
}

fn within(project: &str, what: &'static str, limit: Option<u64>, wanted: u64) -> Result<()> {
    match limit {
        Some(limit) if wanted > limit => {
            Err(StoreError::QuotaSpent { project: project.to_owned(), what, limit })
        }
        _ => Ok(()),
    }
}

async fn usage(connection: &mut Connection, project: &str) -> Result<Usage> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM studies WHERE project = $1) AS studies, \
         (SELECT CAST(coalesce(sum(next_number), 0) AS bigint) FROM studies WHERE project = $1) AS trials, \
         (SELECT count(*) FROM networks WHERE project = $1) AS networks, \
         (SELECT CAST(coalesce(sum(bytes), 0) AS bigint) FROM networks WHERE project = $1) AS bytes",
    )
    .bind(project)
    .fetch_one(connection)
    .await?;
    let count = |column| optional_count(&row, column).map(Option::unwrap_or_default);
    Ok(Usage {
        studies: count("studies")?,
        trials: count("trials")?,
        networks: count("networks")?,
        bytes: count("bytes")?,
    })
}

impl Backend {
    pub(super) async fn insert_project(&self, name: &str, quotas: &Quotas) -> Result<ProjectRecord> {
        let mut transaction = self.begin().await?;
        let now = clock(&mut transaction).await?;
        let done = sqlx::query(concat!(
            "INSERT INTO projects (",
            project_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING"
        ))
        .bind(name)
        .bind(quotas.studies.map(signed))
        .bind(quotas.trials.map(signed))
        .bind(quotas.networks.map(signed))
        .bind(quotas.bytes.map(signed))
        .bind(quotas.asks_a_minute.map(signed))
        .bind(quotas.requests_a_minute.map(signed))
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::ProjectTaken(name.to_owned()));
        }
        self.note(&mut transaction, now, Change::of_project("create_project", name, said(quotas))).await?;
        transaction.commit().await?;
        Ok(ProjectRecord { name: name.to_owned(), quotas: *quotas, created_at: now })
    }

    pub(super) async fn find_project(&self, name: &str) -> Result<ProjectRecord> {
        let missing = || StoreError::NoProject(name.to_owned());
        if name.contains('\0') {
            return Err(missing());
        }
        let row = sqlx::query(concat!("SELECT ", project_columns!(), " FROM projects WHERE name = $1"))
            .bind(name)
            .fetch_optional(&mut *self.reading().await?)
            .await?
            .ok_or_else(missing)?;
        record(&row)
    }

    pub(super) async fn list_projects(
        &self,
        among: Option<&[String]>,
        page: &Page,
    ) -> Result<Vec<ProjectRecord>> {
        let mut query: QueryBuilder<Database> =
            QueryBuilder::new(concat!("SELECT ", project_columns!(), " FROM projects WHERE 1 = 1"));
        restrict(&mut query, "name", among);
        if let Some(Cursor::Project(after)) = &page.after {
            if after.contains('\0') {
                return Ok(Vec::new());
            }
            query
                .push(if page.descending { " AND name < " } else { " AND name > " })
                .push_bind(after.clone());
        }
        query.push(if page.descending { " ORDER BY name DESC LIMIT " } else { " ORDER BY name LIMIT " });
        query.push_bind(i64::from(page.limit));
        query
            .build()
            .persistent(false)
            .fetch_all(&mut *self.reading().await?)
            .await?
            .iter()
            .map(record)
            .collect()
    }

    pub(super) async fn update_project(&self, name: &str, quotas: &Quotas) -> Result<ProjectRecord> {
        let mut transaction = self.begin().await?;
        let now = clock(&mut transaction).await?;
        let row = sqlx::query(concat!(
            "UPDATE projects SET max_studies = $2, max_trials = $3, max_networks = $4, max_bytes = $5, \
             max_asks_a_minute = $6, max_requests_a_minute = $7 WHERE name = $1 RETURNING ",
            project_columns!()
        ))
        .bind(name)
        .bind(quotas.studies.map(signed))
        .bind(quotas.trials.map(signed))
        .bind(quotas.networks.map(signed))
        .bind(quotas.bytes.map(signed))
        .bind(quotas.asks_a_minute.map(signed))
        .bind(quotas.requests_a_minute.map(signed))
        .fetch_optional(&mut *transaction)
        .await?
        .ok_or_else(|| StoreError::NoProject(name.to_owned()))?;
        let record = record(&row)?;
        self.note(&mut transaction, now, Change::of_project("change_project", name, said(quotas))).await?;
        transaction.commit().await?;
        Ok(record)
    }

    pub(super) async fn remove_project(&self, name: &str) -> Result<()> {
        let mut transaction = self.begin().await?;
        let now = clock(&mut transaction).await?;
        // Who creates a study or a network locks this row too.
        sqlx::query(concat!("SELECT name FROM projects WHERE name = $1", for_update!()))
            .bind(name)
            .fetch_optional(&mut *transaction)
            .await?
            .ok_or_else(|| StoreError::NoProject(name.to_owned()))?;
        let used = usage(&mut transaction, name).await?;
        if name == DEFAULT_PROJECT || used.studies + used.networks > 0 {
            return Err(StoreError::ProjectInUse(name.to_owned()));
        }
        sqlx::query("DELETE FROM token_roles WHERE project = $1")
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM projects WHERE name = $1").bind(name).execute(&mut *transaction).await?;
        self.note(&mut transaction, now, Change::of_project("delete_project", name, json!({}))).await?;
        Ok(transaction.commit().await?)
    }

    pub(super) async fn count_usage(&self, project: &str) -> Result<Usage> {
        let mut connection = self.reading().await?;
        usage(&mut connection, project).await
    }
}
