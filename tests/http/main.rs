//! The real program over HTTP: the contract, and what a kill leaves behind. Everything on SQLite and on Postgres.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::zombie_processes, reason = "the private Postgres ends with the process that started it")]

/// Runs each test on both stores.
macro_rules! on_both_stores {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let directory = tempfile::tempdir().unwrap();
                let url = format!("sqlite:{}", directory.path().join("t.sqlite").display());
                super::$test(crate::server::Server::start(&url).await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let schema = crate::postgres::schema().await;
                super::$test(crate::server::Server::start(&schema.url).await).await;
            })*
        }
    };
}

/// Runs each test on a database of both kinds, with one of the other kind beside it. The databases are gone at the end.
macro_rules! on_both_databases {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let directory = tempfile::tempdir().unwrap();
                let url = format!("sqlite:{}", directory.path().join("t.sqlite").display());
                let schema = crate::postgres::private_schema().await;
                super::$test(url, schema.url.clone()).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let directory = tempfile::tempdir().unwrap();
                let url = format!("sqlite:{}", directory.path().join("t.sqlite").display());
                let schema = crate::postgres::private_schema().await;
                super::$test(schema.url.clone(), url).await;
            })*
        }
    };
}

mod access;
mod archive;
mod audit;
mod contract;
mod crash;
mod dashboard;
mod examples;
mod failover;
mod fits;
mod mcp;
mod metrics;
mod networks;
mod pooler;
#[path = "../postgres/mod.rs"]
mod postgres;
mod process;
mod quotas;
mod refusals;
mod run;
mod server;
mod sign_in;
mod traces;
mod two_servers;
mod user;
