//! Tokens: kept as hashes, found by them, listed and revoked.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::{QueryBuilder, Row as _};
use uuid::Uuid;

use super::super::super::access::{NewToken, Person, Role, Roles, TokenRecord};
use super::super::super::{Cursor, Page, Result, StoreError};
use super::super::{Connection, Database, Row};
use super::Backend;
use super::audit::Change;
use super::locked::clock;
use super::projects::restrict;
use super::rows::named;
use crate::study::rounded;

/// The columns that make a [`TokenRecord`], without its roles.
macro_rules! token_columns {
    () => {
        "id, name, prefix, parent, created_by, created_at, expires_at, revoked_at, last_used_at, issuer, subject"
    };
}

/// How far the time of the last use may lag behind: each use of a token is not worth a write.
const USE_INTERVAL: TimeDelta = TimeDelta::minutes(1);

fn record(row: &Row, roles: Roles) -> Result<TokenRecord> {
    let (issuer, subject): (Option<String>, Option<String>) =
        (row.try_get("issuer")?, row.try_get("subject")?);
    Ok(TokenRecord {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        prefix: row.try_get("prefix")?,
        roles,
        parent: row.try_get("parent")?,
        created_by: row.try_get("created_by")?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        revoked_at: row.try_get("revoked_at")?,
        last_used_at: row.try_get("last_used_at")?,
        person: issuer.zip(subject).map(|(issuer, subject)| Person { issuer, subject }),
    })
}

/// The roles of some tokens.
async fn roles(connection: &mut Connection, tokens: &[Row]) -> Result<BTreeMap<Uuid, Roles>> {
    let mut of_tokens: BTreeMap<Uuid, Roles> = BTreeMap::new();
    if tokens.is_empty() {
        return Ok(of_tokens);
    }
    let mut query: QueryBuilder<Database> =
        QueryBuilder::new("SELECT token_id, project, role FROM token_roles WHERE token_id IN (");
    let mut ids = query.separated(", ");
    for token in tokens {
        ids.push_bind(token.try_get::<Uuid, _>("id")?);
    }
    query.push(")");
    for row in query.build().persistent(tokens.len() == 1).fetch_all(connection).await? {
        let of_token = of_tokens.entry(row.try_get("token_id")?).or_default();
        of_token.0.insert(row.try_get("project")?, named(&row, "role", Role::from_name)?);
    }
    Ok(of_tokens)
}

/// Rows of `token_columns!` with their roles.
async fn records(connection: &mut Connection, rows: &[Row]) -> Result<Vec<TokenRecord>> {
    let mut roles = roles(connection, rows).await?;
    rows.iter()
        .map(|row| record(row, roles.remove(&row.try_get::<Uuid, _>("id")?).unwrap_or_default()))
        .collect()
}

impl Backend {
    pub(super) async fn insert_token(&self, token: &NewToken) -> Result<TokenRecord> {
        let mut transaction = self.begin().await?;
        let now = clock(&mut transaction).await?;
        let record = self.insert(&mut transaction, token, None, now).await?;
        let action = if record.parent.is_some() { "create_session" } else { "create_token" };
        self.note(&mut transaction, now, of_token(action, &record)).await?;
        transaction.commit().await?;
        Ok(record)
    }

    pub(super) async fn begin_session(&self, person: &Person, session: &NewToken) -> Result<TokenRecord> {
        let mut transaction = self.begin().await?;
        let now = clock(&mut transaction).await?;
        let known: Option<Uuid> = sqlx::query_scalar(
            "SELECT id FROM tokens WHERE issuer = $1 AND subject = $2 AND revoked_at IS NULL",
        )
        .bind(&person.issuer)
        .bind(&person.subject)
        .fetch_optional(&mut *transaction)
        .await?;
        let parent = match known {
            Some(id) => {
                self.rename(&mut transaction, id, session).await?;
                id
            }
            None => {
                // A hash of what nobody knows: it is used through its sessions alone.
                let hash = Sha256::digest(Uuid::new_v4().as_bytes()).into();
                let hidden = NewToken { hash, prefix: String::new(), expires_at: None, ..session.clone() };
                let made = self.insert(&mut transaction, &hidden, Some(person), now).await;
                made.map_err(|error| if is_taken(&error) { again() } else { error })?.id
            }
        };
        let session = NewToken { parent: Some(parent), ..session.clone() };
        let record = self.insert(&mut transaction, &session, None, now).await?;
        self.note(&mut transaction, now, of_token("sign_in", &record)).await?;
        transaction.commit().await?;
        Ok(record)
    }

    /// Gives a person and their sessions the name and the roles of a new one.
    async fn rename(&self, transaction: &mut Connection, person: Uuid, session: &NewToken) -> Result<()> {
        let ids: Vec<Uuid> =
            sqlx::query_scalar("SELECT id FROM tokens WHERE id = $1 OR (parent = $1 AND revoked_at IS NULL)")
                .bind(person)
                .fetch_all(&mut *transaction)
                .await?;
        for id in ids {
            sqlx::query("UPDATE tokens SET name = $2 WHERE id = $1")
                .bind(id)
                .bind(&session.name)
                .execute(&mut *transaction)
                .await?;
            sqlx::query("DELETE FROM token_roles WHERE token_id = $1")
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            insert_roles(transaction, id, &session.roles).await?;
        }
        Ok(())
    }

    async fn insert(
        &self,
        transaction: &mut Connection,
        token: &NewToken,
        person: Option<&Person>,
        now: DateTime<Utc>,
    ) -> Result<TokenRecord> {
        let record = TokenRecord {
            id: Uuid::now_v7(),
            name: token.name.clone(),
            prefix: token.prefix.clone(),
            roles: token.roles.clone(),
            parent: token.parent,
            created_by: self.actor.as_ref().map(|actor| actor.who.clone()),
            created_at: now,
            expires_at: token.expires_at.map(rounded),
            revoked_at: None,
            last_used_at: None,
            person: person.cloned(),
        };
        sqlx::query(
            "INSERT INTO tokens (id, name, prefix, hash, parent, created_by, created_at, expires_at, issuer, subject) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(record.id)
        .bind(&record.name)
        .bind(&record.prefix)
        .bind(&token.hash[..])
        .bind(token.parent)
        .bind(&record.created_by)
        .bind(now)
        .bind(record.expires_at)
        .bind(person.map(|person| &person.issuer))
        .bind(person.map(|person| &person.subject))
        .execute(&mut *transaction)
        .await?;
        insert_roles(transaction, record.id, &record.roles).await?;
        Ok(record)
    }

    pub(super) async fn find_usable_token(&self, hash: &[u8; 32]) -> Result<Option<TokenRecord>> {
        let mut connection = self.reading().await?;
        let row = sqlx::query(concat!(
            "SELECT ",
            token_columns!(),
            ", ",
            clock!(),
            " AS clock, (SELECT parents.expires_at FROM tokens AS parents WHERE parents.id = tokens.parent) \
             AS parent_expires_at FROM tokens WHERE hash = $1 AND revoked_at IS NULL AND NOT EXISTS \
             (SELECT 1 FROM tokens AS parents WHERE parents.id = tokens.parent AND parents.revoked_at IS NOT NULL)"
        ))
        .bind(&hash[..])
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let now: DateTime<Utc> = row.try_get("clock")?;
        let parent_ends: Option<DateTime<Utc>> = row.try_get("parent_expires_at")?;
        let Some(mut record) = records(&mut connection, &[row]).await?.pop() else { return Ok(None) };
        drop(connection);
        if [record.expires_at, parent_ends].into_iter().flatten().any(|end| end <= now) {
            return Ok(None);
        }
        if record.last_used_at.is_none_or(|last| last < now - USE_INTERVAL) {
            record.last_used_at = Some(now);
            if let Err(error) = self.note_use(record.id, now).await {
                // Who only wants to read may do so where nothing can be written.
                tracing::warn!(%error, "the use of a token could not be noted");
            }
        }
        Ok(Some(record))
    }

    async fn note_use(&self, id: Uuid, now: DateTime<Utc>) -> Result<()> {
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE tokens SET last_used_at = $2 WHERE id = $1")
            .bind(id)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    pub(super) async fn find_token(&self, id: Uuid) -> Result<TokenRecord> {
        let mut connection = self.reading().await?;
        read(&mut connection, id).await
    }

    pub(super) async fn list_tokens(
        &self,
        among: Option<&[String]>,
        page: &Page,
    ) -> Result<Vec<TokenRecord>> {
        let mut transaction = self.begin_read().await?;
        let mut query: QueryBuilder<Database> =
            QueryBuilder::new(concat!("SELECT ", token_columns!(), " FROM tokens WHERE parent IS NULL"));
        if among.is_some() {
            query.push(" AND id IN (SELECT token_id FROM token_roles WHERE 1 = 1");
            restrict(&mut query, "project", among);
            query.push(")");
        }
        if let Some(Cursor::Id(after)) = page.after {
            query.push(if page.descending { " AND id < " } else { " AND id > " }).push_bind(after);
        }
        query.push(if page.descending { " ORDER BY id DESC LIMIT " } else { " ORDER BY id LIMIT " });
        query.push_bind(i64::from(page.limit));
        let rows = query.build().persistent(false).fetch_all(&mut *transaction).await?;
        records(&mut transaction, &rows).await
    }

    pub(super) async fn end_token(&self, id: Uuid) -> Result<TokenRecord> {
        let mut transaction = self.begin().await?;
        let now = clock(&mut transaction).await?;
        let done = sqlx::query("UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(id)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        let record = read(&mut transaction, id).await?;
        if done.rows_affected() == 1 {
            let action = if record.parent.is_some() { "end_session" } else { "revoke_token" };
            self.note(&mut transaction, now, of_token(action, &record)).await?;
        }
        transaction.commit().await?;
        Ok(record)
    }
}

/// Whether a rule of uniqueness is in the way.
fn is_taken(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(sqlx::Error::Database(error)) if error.is_unique_violation())
}

/// Another sign-in of the same person was first: the same transaction finds them.
fn again() -> StoreError {
    StoreError::Unavailable(sqlx::Error::RowNotFound)
}

async fn insert_roles(connection: &mut Connection, token: Uuid, roles: &Roles) -> Result<()> {
    for (project, role) in &roles.0 {
        sqlx::query("INSERT INTO token_roles (token_id, project, role) VALUES ($1, $2, $3)")
            .bind(token)
            .bind(project)
            .bind(role.name())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn read(connection: &mut Connection, id: Uuid) -> Result<TokenRecord> {
    let row = sqlx::query(concat!("SELECT ", token_columns!(), " FROM tokens WHERE id = $1"))
        .bind(id)
        .fetch_optional(&mut *connection)
        .await?
        .ok_or(StoreError::NoToken(id))?;
    records(connection, &[row]).await?.pop().ok_or(StoreError::NoToken(id))
}

/// What the log says of a token: of the project where it has its one role, else of the server.
fn of_token(action: &'static str, token: &TokenRecord) -> Change {
    let roles: BTreeMap<&String, &str> =
        token.roles.0.iter().map(|(project, role)| (project, role.name())).collect();
    let mut projects = token.roles.0.keys();
    let project = match (projects.next(), projects.next()) {
        (Some(one), None) if one != super::super::super::access::EVERY_PROJECT => Some(one.clone()),
        _ => None,
    };
    let data = json!({
        "token": token.id, "name": token.name, "prefix": token.prefix, "roles": roles, "expires_at": token.expires_at,
    });
    Change { action, project, study: None, number: None, data }
}
