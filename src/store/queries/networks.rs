//! Networks: kept, listed, found and deleted.

use serde_json::json;
use sqlx::QueryBuilder;
use sqlx::Row as _;
use sqlx::types::Json;
use uuid::Uuid;

use super::super::super::{Cursor, NetworkRecord, NewNetwork, Page, Result, StoreError};
use super::super::{Connection, Database, Row};
use super::Backend;
use super::audit::Change;
use super::locked::clock;
use super::projects::{Growth, admit, restrict};
use super::rows::{count, signed};
use crate::study::{Definition, NetworkId, StudyId};

impl Backend {
    pub(super) async fn keep_network(&self, network: &NewNetwork) -> Result<NetworkRecord> {
        let mut transaction = self.begin().await?;
        let created_at = clock(&mut transaction).await?;
        let record = NetworkRecord {
            id: NetworkId(Uuid::now_v7()),
            project: network.project.clone(),
            name: network.name.clone(),
            bytes: network.onnx.len() as u64,
            description: network.description.clone(),
            created_at,
        };
        sqlx::query(
            "INSERT INTO networks (id, project, name, onnx, bytes, description, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(record.id.0)
        .bind(&record.project)
        .bind(&record.name)
        .bind(&network.onnx)
        .bind(signed(record.bytes))
        .bind(Json(&record.description))
        .bind(created_at)
        .execute(&mut *transaction)
        .await?;
        admit(&mut transaction, &record.project, Growth::Network).await?;
        let said = json!({ "network": record.id.0, "name": record.name, "bytes": record.bytes });
        self.note(&mut transaction, created_at, Change::of_project("create_network", &record.project, said))
            .await?;
        transaction.commit().await?;
        Ok(record)
    }

    pub(super) async fn find_network(&self, id: NetworkId) -> Result<NetworkRecord> {
        let row = sqlx::query(
            "SELECT id, project, name, bytes, description, created_at FROM networks WHERE id = $1",
        )
        .bind(id.0)
        .fetch_optional(&mut *self.reading().await?)
        .await?
        .ok_or(StoreError::NoNetwork(id))?;
        record(&row)
    }

    pub(super) async fn network_file(&self, id: NetworkId) -> Result<Vec<u8>> {
        let file: Option<Vec<u8>> = sqlx::query_scalar("SELECT onnx FROM networks WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&mut *self.reading().await?)
            .await?;
        file.ok_or(StoreError::NoNetwork(id))
    }

    pub(super) async fn list_networks(
        &self,
        among: Option<&[String]>,
        page: &Page,
    ) -> Result<Vec<NetworkRecord>> {
        let mut query: QueryBuilder<Database> = QueryBuilder::new(
            "SELECT id, project, name, bytes, description, created_at FROM networks WHERE 1 = 1",
        );
        restrict(&mut query, "project", among);
        if let Some(Cursor::Network(after)) = &page.after {
            query.push(if page.descending { " AND id < " } else { " AND id > " }).push_bind(after.0);
        }
        query.push(if page.descending { " ORDER BY id DESC LIMIT " } else { " ORDER BY id LIMIT " });
        query.push_bind(i64::from(page.limit));
        query.build().fetch_all(&mut *self.reading().await?).await?.iter().map(record).collect()
    }

    pub(super) async fn remove_network(&self, id: NetworkId) -> Result<()> {
        let mut transaction = self.begin().await?;
        let now = clock(&mut transaction).await?;
        let deleted = sqlx::query("DELETE FROM networks WHERE id = $1 RETURNING project, name")
            .bind(id.0)
            .fetch_optional(&mut *transaction)
            .await;
        let deleted = match deleted {
            Ok(deleted) => deleted.ok_or(StoreError::NoNetwork(id))?,
            Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => {
                return Err(StoreError::NetworkInUse(id));
            }
            Err(error) => return Err(error.into()),
        };
        let (project, name): (String, String) = (deleted.try_get("project")?, deleted.try_get("name")?);
        let said = json!({ "network": id.0, "name": name });
        self.note(&mut transaction, now, Change::of_project("delete_network", &project, said)).await?;
        match transaction.commit().await {
            Ok(()) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => {
                Err(StoreError::NetworkInUse(id))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Notes which networks a new study uses, so that they stay.
pub(super) async fn use_networks(
    connection: &mut Connection,
    study: StudyId,
    definition: &Definition,
) -> Result<()> {
    let Some(network) = &definition.draft().network else { return Ok(()) };
    for id in network.networks() {
        let done = sqlx::query("INSERT INTO study_networks (study_id, network_id) VALUES ($1, $2)")
            .bind(study.0)
            .bind(id.0)
            .execute(&mut *connection)
            .await;
        match done {
            Ok(_) => {}
            // It was deleted a moment ago.
            Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => {
                return Err(StoreError::NoNetwork(id));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn record(row: &Row) -> Result<NetworkRecord> {
    let description: Json<_> = row.try_get("description")?;
    Ok(NetworkRecord {
        id: NetworkId(row.try_get("id")?),
        project: row.try_get("project")?,
        name: row.try_get("name")?,
        bytes: count(row, "bytes")?,
        description: description.0,
        created_at: row.try_get("created_at")?,
    })
}
