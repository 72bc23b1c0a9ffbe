//! A connection to read by.

use std::ops::{Deref, DerefMut};

use sqlx::Transaction;
use sqlx::pool::PoolConnection;

use super::super::super::{Pooling, Result};
use super::super::{Connection, Database};
use super::Backend;

/// A connection, in a transaction where a pooler in front of the database would else give each message of a statement to
/// another connection.
pub(super) enum Reading {
    Plain(PoolConnection<Database>),
    Pooled(Transaction<'static, Database>),
}

impl Deref for Reading {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Plain(connection) => connection,
            Self::Pooled(transaction) => transaction,
        }
    }
}

impl DerefMut for Reading {
    fn deref_mut(&mut self) -> &mut Connection {
        match self {
            Self::Plain(connection) => connection,
            Self::Pooled(transaction) => transaction,
        }
    }
}

impl Backend {
    /// A connection for one statement, or for several that need not see the same moment.
    pub(super) async fn reading(&self) -> Result<Reading> {
        Ok(match self.pooling {
            Pooling::None => Reading::Plain(self.reads.acquire().await?),
            Pooling::ByTransaction => Reading::Pooled(self.begin_read().await?),
        })
    }
}
