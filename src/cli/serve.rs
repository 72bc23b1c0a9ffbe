//! `tellus serve`: the service at an address, until a signal ends it.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tellus::http::{Admission, App, Authentication, Origin, router};
use tellus::service::{Options, Service};
use tellus::store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::Failure;
use super::sign_in::OpenId;
use super::traces::Traces;

/// How long a stop waits for what was accepted.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Where studies are kept.
#[derive(Args, Clone)]
pub(crate) struct Database {
    /// The database: `sqlite:<file>` or `postgres://…`. A SQLite file in the data directory where absent.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database: Option<String>,
    /// Where the SQLite file is kept.
    #[arg(long, env = "TELLUS_DATA_DIR", default_value = "tellus-data")]
    data_dir: PathBuf,
}

/// Bring the schema up to date.
#[derive(Args)]
pub(crate) struct Migrate {
    /// Change nothing: say whether the schema is up to date, and fail where it is not.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    database: Database,
}

/// Brings a database's schema up to date, or says whether it is.
///
/// # Errors
/// When the database cannot be used, or is to be checked and is not up to date.
pub(crate) async fn migrate(arguments: Migrate) -> Result<(), Failure> {
    let database = arguments.database;
    if !arguments.check {
        return database.connect().await.map(drop);
    }
    let store::Schema { found, known } =
        database.open().await?.schema().await.map_err(|source| database.failed(source))?;
    match found.cmp(&known) {
        std::cmp::Ordering::Less => Err(Failure::OldSchema { found, known }),
        std::cmp::Ordering::Equal => {
            eprintln!("the schema is up to date: version {known}");
            Ok(())
        }
        std::cmp::Ordering::Greater => Err(database.failed(store::StoreError::NewerSchema { found, known })),
    }
}

/// How the service is to be served.
#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    database: Database,
    /// The address to serve at.
    #[arg(long, env = "TELLUS_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Also serve requests that name this host; loopback is always served.
    #[arg(long = "allow-host", env = "TELLUS_ALLOW_HOSTS", value_delimiter = ',')]
    allow_hosts: Vec<String>,
    /// Answer only who sends a token; `tellus token create` makes the first one.
    #[arg(long, env = "TELLUS_AUTH")]
    auth: bool,
    /// Serve at an address that others can reach, without authentication.
    #[arg(long, env = "TELLUS_INSECURE")]
    insecure: bool,
    /// A proxy is in front: where a request comes from is the last address of its `X-Forwarded-For`.
    #[arg(long, env = "TELLUS_BEHIND_PROXY")]
    behind_proxy: bool,
    #[command(flatten)]
    open_id: OpenId,
    /// Send traces to an OpenTelemetry collector at this address, such as http://127.0.0.1:4318, as OTLP over HTTP.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp_endpoint: Option<String>,
    /// How the log is written, to standard error.
    #[arg(long, env = "TELLUS_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl Database {
    fn url(&self) -> String {
        self.database
            .clone()
            .unwrap_or_else(|| format!("sqlite:{}", self.data_dir.join("tellus.sqlite").display()))
    }

    fn failed(&self, source: store::StoreError) -> Failure {
        Failure::Database { url: shown(&self.url()), source }
    }

    /// Opens it as it is.
    async fn open(&self) -> Result<Arc<dyn store::Store>, Failure> {
        store::connect(&self.url()).await.map_err(|source| self.failed(source))
    }

    /// Opens it, with its schema up to date.
    ///
    /// # Errors
    /// When it cannot be used.
    pub(crate) async fn connect(&self) -> Result<Arc<dyn store::Store>, Failure> {
        let store = self.open().await?;
        store.migrate().await.map_err(|source| self.failed(source))?;
        Ok(store)
    }
}

/// A URL without its password.
fn shown(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            let user = url[scheme + 3..at].split(':').next().unwrap_or_default();
            format!("{}{user}{}", &url[..scheme + 3], &url[at..])
        }
        _ => url.to_owned(),
    }
}

/// Serves until a signal comes, then finishes what was accepted.
///
/// # Errors
/// When the database or the address cannot be used.
pub(crate) async fn serve(arguments: Serve) -> Result<(), Failure> {
    let traces = arguments.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty());
    let traces = traces.map(Traces::to).transpose()?;
    observe(arguments.log_format, traces.as_ref());
    let address = arguments.listen;
    if !address.ip().is_loopback() && !arguments.insecure && !arguments.auth {
        return Err(Failure::Exposed(address));
    }
    let mut allow_hosts = arguments.allow_hosts;
    allow_hosts.extend(arguments.open_id.host());
    let sign_in = arguments.open_id.sign_in()?;
    let store = arguments.database.connect().await?;
    let listener = TcpListener::bind(address).await.map_err(|source| Failure::Listen { address, source })?;
    let address = listener.local_addr().map_err(Failure::Serve)?;
    let service = Service::new(store, Options::default());
    let stop = CancellationToken::new();
    let admission = Admission {
        authentication: if arguments.auth { Authentication::Tokens } else { Authentication::None },
        origin: if arguments.behind_proxy { Origin::Proxy } else { Origin::Connection },
    };
    let mut app = App::new(service.clone(), allow_hosts, stop.clone()).admitting(admission);
    if let Some(sign_in) = sign_in {
        app = app.signing_in(sign_in);
    }
    let maintenance = tokio::spawn({
        let stop = stop.clone();
        async move { service.maintain(stop).await }
    });
    greet(address, &shown(&arguments.database.url()));
    let stopped = stop.clone();
    let routes = router(app).into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, routes).with_graceful_shutdown(async move {
        wait_for_signal().await;
        tracing::info!("stopping: what was accepted is finished");
        stopped.cancel();
    });
    tokio::select! {
        served = async { server.await } => served.map_err(Failure::Serve)?,
        () = async { stop.cancelled().await; tokio::time::sleep(STOP_TIMEOUT).await } => {
            tracing::warn!("some requests were not finished in time");
        }
    }
    // Its loop has seen the stop; whatever it does is a transaction.
    drop(maintenance.await);
    if let Some(traces) = traces {
        traces.finish().await;
    }
    Ok(())
}

/// Begins the log, which takes events, and traces, which take the spans of this program.
fn observe(format: LogFormat, traces: Option<&Traces>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let events = filter.and(filter_fn(|metadata| metadata.is_event()));
    let log = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let log = match format {
        LogFormat::Text => log.with_filter(events).boxed(),
        LogFormat::Json => log.json().with_filter(events).boxed(),
    };
    let spans = traces.map(|traces| {
        let own = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("tellus"));
        tracing_opentelemetry::layer()
            .with_tracer(traces.tracer())
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_filter(own)
    });
    tracing_subscriber::registry().with(log).with(spans).init();
}

/// Where everything is, and how to begin: lines to type as they stand. Nobody may be reading: that is no reason to stop.
fn greet(address: SocketAddr, database: &str) {
    let greeting = format!(
        r#"Tellus is serving.

  dashboard http://{address}/
  API       http://{address}/v1
  docs      http://{address}/docs
  database  {database}

A first study, its first trial, and what was learned:

  api=http://{address}/v1/studies json='Content-Type: application/json'
  study=$api/$(curl -s $api -H "$json" -d '{{
    "name": "first",
    "parameters": [{{"name": "x", "type": "float", "low": -5, "high": 10}}],
    "metrics": [{{"name": "loss", "goal": "minimize"}}]}}' | grep -o '[0-9a-f-]\{{36\}}' | head -1)
  curl -s -X POST $study/ask
  curl -s $study/trials/0/tell -H "$json" -d '{{"metrics": {{"loss": 0.3}}}}'
  curl -s $study/best

Stop it with Ctrl-C: what was accepted is finished.

"#
    );
    let mut output = std::io::stdout();
    drop(output.write_all(greeting.as_bytes()).and_then(|()| output.flush()));
}

/// Returns at SIGTERM or SIGINT.
pub(crate) async fn wait_for_signal() {
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => {
                tokio::select! {
                    () = interrupted => {}
                    _ = terminated.recv() => {}
                }
            }
            Err(_) => interrupted.await,
        }
    }
    #[cfg(not(unix))]
    interrupted.await;
}
