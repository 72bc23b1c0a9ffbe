//! Fits of the surrogate, kept for servers that did not make them.

use super::super::super::Result;
use super::Backend;
use super::locked::clock;

impl Backend {
    pub(super) async fn find_fit(&self, digest: &[u8; 32], made_by: &str) -> Result<Option<String>> {
        let query = sqlx::query_scalar("SELECT fitted FROM fits WHERE digest = $1 AND made_by = $2")
            .bind(&digest[..])
            .bind(made_by);
        Ok(query.fetch_optional(&mut *self.reading().await?).await?)
    }

    pub(super) async fn insert_fit(&self, digest: &[u8; 32], made_by: &str, fitted: &str) -> Result<()> {
        let mut transaction = self.begin().await?;
        let now = clock(&mut transaction).await?;
        sqlx::query(
            "INSERT INTO fits (digest, made_by, fitted, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(&digest[..])
        .bind(made_by)
        .bind(fitted)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }
}
