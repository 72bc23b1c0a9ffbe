//! Postgres: for several servers on one database. Transactions lock the row of the study that they change.
//!
//! A URL may name several addresses of one database, of which one may be written to: where that is no longer so, another
//! one is looked for. It may lead through a pooler in transaction mode, which it says by `statement-cache-capacity=0`.

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Pool, QueryBuilder};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{Pooling, Result};
use crate::study::StudyId;

pub(crate) type Database = sqlx::Postgres;
pub(crate) type Connection = sqlx::PgConnection;
pub(crate) type Row = sqlx::postgres::PgRow;

/// What the database is called in traces.
pub(crate) const SYSTEM: &str = "postgresql";
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

/// Begins the next of several statements that are one message: each is a part of one that does nothing else.
pub(crate) fn begin_part(query: &mut QueryBuilder<Database>, before: usize) {
    query.push(if before == 0 { "WITH part" } else { "), part" }).push(before).push(" AS (");
}

/// Ends the last of them.
pub(crate) fn end_parts(query: &mut QueryBuilder<Database>) {
    query.push(") SELECT");
}

// The queries are the same text for every database, compiled once for each: their types and dialects differ.
#[allow(clippy::duplicate_mod)]
#[path = "queries/mod.rs"]
mod queries;

pub(super) use queries::Backend;

/// How long an address may take to say whether it can be written to.
const PROBE_WAIT: Duration = Duration::from_secs(2);
/// How often the address in use is looked at, where there are several.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);
/// What servers tell each other changes on.
const CHANNEL: &str = "tellus_changes";
/// How many studies one notice names: Postgres takes 8000 bytes.
const NAMED: usize = 200;

/// Connects to a server, or to that of several which can be written to.
pub(super) async fn connect(url: &str) -> Result<Backend> {
    let addresses = addresses(url)
        .iter()
        .map(|url| Ok(PgConnectOptions::from_str(url)?.application_name("tellus")))
        .collect::<std::result::Result<Vec<_>, sqlx::Error>>()?;
    let options = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(CONNECTION_WAIT);
    let pool = match addresses.as_slice() {
        [one] => options.connect_with(one.clone()).await?,
        several => {
            let at = writable(several).await.ok_or_else(|| {
                let reason = format!("none of {} addresses can be written to", several.len());
                sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::ConnectionRefused, reason))
            })?;
            let pool = options
                .test_before_acquire(false)
                // Instead, and as quick: a connection to what has become a standby is given up.
                .before_acquire(|connection, _| Box::pin(async move { Ok(!is_standby(connection).await?) }))
                .connect_with(several[at].clone())
                .await?;
            tokio::spawn(follow(pool.clone(), addresses, at));
            pool
        }
    };
    let pooling =
        if url.contains("statement-cache-capacity=0") { Pooling::ByTransaction } else { Pooling::None };
    Ok(Backend::new(pool.clone(), pool, pooling))
}

/// A URL for each of the hosts that a URL names, in its authority or its parameter `host`, with commas between.
fn addresses(url: &str) -> Vec<String> {
    let Some((scheme, rest)) = url.split_once("://") else { return vec![url.to_owned()] };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    if hosts.contains(',') {
        return hosts.split(',').map(|host| format!("{scheme}://{user}{host}{tail}")).collect();
    }
    let Some(begin) = ["?host=", "&host="].iter().find_map(|name| Some(tail.find(name)? + name.len())) else {
        return vec![url.to_owned()];
    };
    let length = tail[begin..].find('&').unwrap_or(tail.len() - begin);
    let (before, after) = (&tail[..begin], &tail[begin + length..]);
    let hosts = tail[begin..begin + length].split(',');
    hosts.map(|host| format!("{scheme}://{authority}{before}{host}{after}")).collect()
}

async fn is_standby(connection: &mut Connection) -> std::result::Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'")
        .fetch_one(connection)
        .await
}

/// The first address that answers and can be written to.
async fn writable(addresses: &[PgConnectOptions]) -> Option<usize> {
    for (at, address) in addresses.iter().enumerate() {
        let probe = async { is_standby(&mut address.connect().await?).await };
        if matches!(tokio::time::timeout(PROBE_WAIT, probe).await, Ok(Ok(false))) {
            return Some(at);
        }
    }
    None
}

/// Has new connections go to the address that can be written to, whichever that is now.
async fn follow(pool: PgPool, addresses: Vec<PgConnectOptions>, mut at: usize) {
    let mut probe: Option<Connection> = None;
    while !pool.is_closed() {
        tokio::time::sleep(PROBE_INTERVAL).await;
        let Some(address) = addresses.get(at) else { return };
        let look = async {
            let connection = match &mut probe {
                Some(connection) => connection,
                None => probe.insert(address.connect().await?),
            };
            is_standby(connection).await
        };
        if matches!(tokio::time::timeout(PROBE_WAIT, look).await, Ok(Ok(false))) {
            continue;
        }
        probe = None;
        if let Some(found) = writable(&addresses).await
            && found != at
            && let Some(address) = addresses.get(found)
        {
            pool.set_connect_options(address.clone());
            at = found;
            tracing::warn!(address = found, "another address of the database can be written to now");
        }
    }
}

/// Tells every server that listens that these studies changed.
pub(crate) async fn announce(connection: &mut Connection, studies: &[StudyId]) -> Result<()> {
    for studies in studies.chunks(NAMED) {
        let named: Vec<String> = studies.iter().map(ToString::to_string).collect();
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(named.join(","))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Passes on what servers tell, this one among them. Ends where the connection is lost.
pub(crate) async fn listen(pool: &Pool<Database>, to: mpsc::Sender<StudyId>) -> Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        let notice = listener.recv().await?;
        for id in notice.payload().split(',').filter_map(|id| Uuid::try_parse(id).ok()) {
            if to.send(StudyId(id)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Whether another transaction was in the way (serialization failure, deadlock), so that the same may succeed when
/// it is tried again.
pub(crate) fn is_conflict(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code == "40001" || code == "40P01")
}

/// Whether a query named a table that is not there.
pub(crate) fn is_missing_table(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code == "42P01")
}

#[cfg(test)]
mod tests {
    use super::addresses;

    #[test]
    fn each_host_is_an_address() {
        assert_eq!(addresses("postgres://a:b@c/d"), ["postgres://a:b@c/d"]);
        let several = addresses("postgres://a:b@c:1,d:2,e/f?sslmode=require");
        let tail = "/f?sslmode=require";
        assert_eq!(several, ["c:1", "d:2", "e"].map(|host| format!("postgres://a:b@{host}{tail}")));
        let sockets = addresses("postgres://a@localhost/b?host=/x,/y&sslmode=disable");
        assert_eq!(
            sockets,
            ["/x", "/y"].map(|host| format!("postgres://a@localhost/b?host={host}&sslmode=disable"))
        );
        assert_eq!(addresses("postgres://a@localhost/b?host=/x"), ["postgres://a@localhost/b?host=/x"]);
    }
}
