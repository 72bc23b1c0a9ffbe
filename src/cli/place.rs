//! Where a command finds its service: at a URL, or started within the command itself on a data directory.

use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tellus::http::{App, router};
use tellus::service::{Options, Service};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::client::Client;
use super::serve::Database;

/// Which service to use.
#[derive(Args, Clone)]
pub(crate) struct Place {
    /// The service's URL; without it, one is started for as long as the command lasts.
    #[arg(long, env = "TELLUS_URL")]
    url: Option<String>,
    /// A token of the service at the URL.
    #[arg(long, env = "TELLUS_TOKEN", hide_env_values = true, requires = "url")]
    token: Option<String>,
    #[command(flatten)]
    database: Database,
}

/// A service that can be called until this is dropped.
pub(crate) struct Opened {
    /// Calls it.
    pub(crate) client: Client,
    stop: CancellationToken,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Place {
    /// Reaches the service, or starts one.
    ///
    /// # Errors
    /// When the database cannot be used, or loopback cannot be served at.
    pub(crate) async fn open(&self) -> Result<Opened, Failure> {
        let stop = CancellationToken::new();
        if let Some(url) = &self.url {
            return Ok(Opened { client: Client::new(url, self.token.clone()), stop });
        }
        let store = self.database.connect().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Failure::Serve)?;
        let address = listener.local_addr().map_err(Failure::Serve)?;
        let service = Service::new(store, Options::default());
        let app = App::new(service.clone(), Vec::new(), stop.clone());
        let stopped = stop.clone();
        tokio::spawn(async move { service.maintain(stopped).await });
        let stopped = stop.clone();
        let server = axum::serve(listener, router(app))
            .with_graceful_shutdown(async move { stopped.cancelled().await });
        tokio::spawn(async move { server.await });
        Ok(Opened { client: Client::new(&format!("http://{address}"), None), stop })
    }
}

/// The study of this name, or this id.
///
/// # Errors
/// When there is none, or the service cannot be reached.
pub(crate) fn find_study(client: &Client, named: &str) -> Result<serde_json::Value, Failure> {
    let query = format!("/v1/studies?name={}", escaped(named));
    if let Some(study) = client.get(&query)?["studies"].get(0) {
        return Ok(study.clone());
    }
    match client.get(&format!("/v1/studies/{}", escaped(named))) {
        Ok(study) => Ok(study),
        Err(refused) if refused.is("not-found") => Err(Failure::NoStudy(named.to_owned())),
        Err(error) => Err(error.into()),
    }
}

/// A text as part of a URL.
fn escaped(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}
