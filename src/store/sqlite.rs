//! SQLite: one file, for a single server. Write-ahead log with full synchronization, so that what was acknowledged
//! survives a power cut; every writing transaction takes the write lock when it begins, on the one connection that
//! writes, and readers have connections of their own.

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Pool, QueryBuilder};
use tokio::sync::mpsc;

use super::{Pooling, Result};
use crate::study::StudyId;

pub(crate) type Database = sqlx::Sqlite;
pub(crate) type Connection = sqlx::SqliteConnection;
pub(crate) type Row = sqlx::sqlite::SqliteRow;

/// What the database is called in traces.
pub(crate) const SYSTEM: &str = "sqlite";
/// How a transaction begins that writes: with the lock, since a reader cannot always become a writer.
pub(crate) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
/// How a transaction begins that reads several times from one snapshot.
pub(crate) const BEGIN_READ: &str = "BEGIN";

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long to wait for the write lock of another process.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How many snapshots may be read at once.
const READERS: u32 = 4;

/// The present time, in the form in which times are stored.
macro_rules! clock {
    () => {
        "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')"
    };
}

/// What locks the rows of a query until the transaction ends: here the transaction did already.
macro_rules! for_update {
    () => {
        ""
    };
}

/// Begins the next of several statements that are one message: they stand one after the other.
pub(crate) fn begin_part(query: &mut QueryBuilder<Database>, before: usize) {
    if before > 0 {
        query.push("; ");
    }
}

/// Ends the last of them.
pub(crate) fn end_parts(_: &mut QueryBuilder<Database>) {}

#[path = "queries/mod.rs"]
mod queries;

pub(super) use queries::Backend;

/// Opens the database file, creating it and its directory where they are missing.
pub(super) async fn connect(url: &str) -> Result<Backend> {
    let options = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(LOCK_WAIT);
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(sqlx::Error::Configuration(
            "a database in memory is lost at the end: name a file".into(),
        )
        .into());
    }
    if let Some(directory) = options.get_filename().parent() {
        tokio::fs::create_dir_all(directory).await.map_err(sqlx::Error::Io)?;
    }
    // A file does not hang up: connections are not tried before each use.
    let pool = || SqlitePoolOptions::new().test_before_acquire(false);
    let writes = pool().max_connections(1).connect_with(options.clone()).await?;
    let reads = pool().max_connections(READERS).connect_with(options.pragma("query_only", "ON")).await?;
    Ok(Backend::new(reads, writes, Pooling::None))
}

/// Whether another transaction was in the way, so that the same may succeed when it is tried again.
pub(crate) fn is_conflict(_: &dyn sqlx::error::DatabaseError) -> bool {
    // One transaction writes at a time.
    false
}

/// Whether a query named a table that is not there.
pub(crate) fn is_missing_table(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.message().starts_with("no such table")
}

/// One server has the file: there is nobody to tell.
pub(crate) async fn announce(_: &mut Connection, _: &[StudyId]) -> Result<()> {
    Ok(())
}

/// Likewise, nobody to listen to.
pub(crate) async fn listen(_: &Pool<Database>, _: mpsc::Sender<StudyId>) -> Result<()> {
    Ok(())
}
