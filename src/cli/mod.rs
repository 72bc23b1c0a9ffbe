//! What the program does besides being a library: the service's life, and its use from a shell. Every command that uses a
//! service does so over HTTP, be it a remote one or one that the command starts within itself.

pub(crate) mod archive;
pub(crate) mod client;
pub(crate) mod healthcheck;
pub(crate) mod look;
pub(crate) mod mcp;
pub(crate) mod place;
pub(crate) mod plot;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod sign_in;
pub(crate) mod token;
pub(crate) mod traces;

use std::net::SocketAddr;
use std::path::PathBuf;

use tellus::store;

/// What went wrong, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the database {url} cannot be used: {source}")]
    Database { url: String, source: store::StoreError },
    #[error("{address} cannot be served at: {source}; choose another address with --listen")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(
        "{0} can be reached by others, and there is no authentication; serve at a loopback address, or say --auth, or --insecure"
    )]
    Exposed(SocketAddr),
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error("{0}")]
    Argument(String),
    #[error("the schema has version {found}, and this release version {known}: run tellus migrate")]
    OldSchema { found: i64, known: i64 },
    #[error("the server failed: {0}")]
    Serve(std::io::Error),
    #[error("the document cannot be written: {0}")]
    Document(#[from] serde_json::Error),
    #[error("the service at {url} is not ready: {reason}")]
    NotReady { url: String, reason: String },
    #[error(transparent)]
    Call(#[from] client::CallError),
    #[error("there is no study {0:?} there; `GET /v1/studies` lists those that are")]
    NoStudy(String),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{}: {reason}", path.display())]
    Plan { path: PathBuf, reason: String },
    #[error("the command {0}")]
    Template(#[from] run::template::TemplateError),
    #[error("a thread of this program ended early")]
    Thread(#[from] tokio::task::JoinError),
    #[error("interrupted; the same command goes on from here")]
    Interrupted,
    #[error("the assistant cannot be served: {0}")]
    Assistant(String),
    #[error("nothing can be drawn: {0}")]
    Plot(String),
}
