//! Answers kept for idempotency keys.

use chrono::{DateTime, Utc};
use sqlx::Row as _;

use super::super::super::{Answer, IdempotencyKey, KeptAnswer, Keyed, Result, StoreError};
use super::super::Connection;
use super::Backend;
use super::locked::clock;

/// Keeps the answer that the request's key makes of what was done; does nothing without a key.
///
/// # Errors
/// [`StoreError::KeyUsed`] where the key has an answer already: the transaction is to be given up.
pub(super) async fn keep<T>(
    connection: &mut Connection,
    keyed: Option<&Keyed<'_, T>>,
    done: &T,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(keyed) = keyed else { return Ok(()) };
    let answer = (keyed.answer)(done);
    if insert(connection, keyed.key, &answer, now).await? { Ok(()) } else { Err(StoreError::KeyUsed) }
}

/// Whether the key was free.
async fn insert(
    connection: &mut Connection,
    key: &IdempotencyKey,
    answer: &Answer,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO idempotency_keys \
         (project, method, path, key, body, status, content_type, location, answer, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (project, method, path, key) DO NOTHING",
    )
    .bind(&key.project)
    .bind(&key.method)
    .bind(&key.path)
    .bind(&key.key)
    .bind(&key.body[..])
    .bind(i64::from(answer.status))
    .bind(&answer.content_type)
    .bind(&answer.location)
    .bind(&answer.body)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

impl Backend {
    pub(super) async fn find_answer(&self, key: &IdempotencyKey) -> Result<Option<KeptAnswer>> {
        let row = sqlx::query(
            "SELECT body, status, content_type, location, answer FROM idempotency_keys \
             WHERE project = $1 AND method = $2 AND path = $3 AND key = $4",
        )
        .bind(&key.project)
        .bind(&key.method)
        .bind(&key.path)
        .bind(&key.key)
        .fetch_optional(&mut *self.reading().await?)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let unreadable = |reason: String| StoreError::Unreadable {
            what: "the answer kept for an idempotency key",
            reason,
        };
        let body: Vec<u8> = row.try_get("body")?;
        let status: i64 = row.try_get("status")?;
        Ok(Some(KeptAnswer {
            body: body.try_into().map_err(|body: Vec<u8>| unreadable(format!("{} bytes", body.len())))?,
            answer: Answer {
                status: u16::try_from(status).map_err(|error| unreadable(error.to_string()))?,
                content_type: row.try_get("content_type")?,
                location: row.try_get("location")?,
                body: row.try_get("answer")?,
            },
        }))
    }

    pub(super) async fn keep_refusal(&self, key: &IdempotencyKey, answer: &Answer) -> Result<()> {
        let mut transaction = self.begin().await?;
        let now = clock(&mut transaction).await?;
        insert(&mut transaction, key, answer, now).await?;
        Ok(transaction.commit().await?)
    }
}
