//! Postgres: for several servers on one database. Transactions lock the row of the study that they change.

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::Result;

pub(crate) type Database = sqlx::Postgres;
pub(crate) type Connection = sqlx::PgConnection;
pub(crate) type Row = sqlx::postgres::PgRow;

/// How a transaction begins that writes.
pub(crate) const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// How a transaction begins that reads several times from one snapshot.
pub(crate) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a request waits for a connection.
const CONNECTION_WAIT: Duration = Duration::from_secs(10);
/// How many connections one server keeps.
const CONNECTIONS: u32 = 16;

/// The present time. Not `now()`, the time at which the transaction began: it may have waited for its lock.
macro_rules! clock {
    () => {
        "clock_timestamp()"
    };
}

/// What locks the rows of a query until the transaction ends.
macro_rules! for_update {
    () => {
        " FOR UPDATE"
    };
}

// The queries are the same text for every database, compiled once for each: their types and dialects differ.
#[allow(clippy::duplicate_mod)]
#[path = "queries/mod.rs"]
mod queries;

pub(super) use queries::Backend;

/// Connects to a server.
pub(super) async fn connect(url: &str) -> Result<Backend> {
    let options = PgConnectOptions::from_str(url)?.application_name("tellus");
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECTION_WAIT)
        .connect_with(options)
        .await?;
    Ok(Backend::new(pool.clone(), pool))
}

/// Whether another transaction was in the way (serialization failure, deadlock), so that the same may succeed when
/// it is tried again.
pub(crate) fn is_conflict(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code == "40001" || code == "40P01")
}
