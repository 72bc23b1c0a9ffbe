//! The command line of Tellus: `serve`, `migrate`, `openapi`, `healthcheck`.

use std::io::{IsTerminal, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tellus::http::{App, document_json, router};
use tellus::service::{Options, Service};
use tellus::store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// How long a stop waits for what was accepted.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// A Bayesian black-box optimization service.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the service.
    Serve(Serve),
    /// Bring the database's schema up to date, and do nothing else.
    Migrate(Database),
    /// Print the OpenAPI document.
    Openapi,
    /// Ask a running service whether it can work; for containers.
    Healthcheck {
        /// Where it is.
        #[arg(long, default_value = "http://127.0.0.1:8080")]
        url: String,
    },
}

#[derive(Args)]
struct Database {
    /// The database: `sqlite:<file>` or `postgres://…`. A SQLite file in the data directory where absent.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database: Option<String>,
    /// Where the SQLite file is kept.
    #[arg(long, env = "TELLUS_DATA_DIR", default_value = "tellus-data")]
    data_dir: PathBuf,
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    database: Database,
    /// The address to serve at.
    #[arg(long, env = "TELLUS_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Also serve requests that name this host; loopback is always served.
    #[arg(long = "allow-host", env = "TELLUS_ALLOW_HOSTS", value_delimiter = ',')]
    allow_hosts: Vec<String>,
    /// Serve at an address that others can reach, without authentication.
    #[arg(long, env = "TELLUS_INSECURE")]
    insecure: bool,
    /// How the log is written, to standard error.
    #[arg(long, env = "TELLUS_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// What went wrong, and what to do.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the database {url} cannot be used: {source}")]
    Database { url: String, source: store::StoreError },
    #[error("{address} cannot be served at: {source}; choose another address with --listen")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(
        "{0} can be reached by others, and there is no authentication; serve at a loopback address, or say --insecure"
    )]
    Exposed(SocketAddr),
    #[error("the server failed: {0}")]
    Serve(std::io::Error),
    #[error("the document cannot be written: {0}")]
    Document(#[from] serde_json::Error),
    #[error("the service at {url} is not ready: {reason}")]
    NotReady { url: String, reason: String },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tellus: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(arguments) => serve(arguments).await,
        Command::Migrate(database) => connect(&database).await.map(drop),
        Command::Openapi => {
            print!("{}", document_json()?);
            Ok(())
        }
        Command::Healthcheck { url } => healthcheck(&url),
    }
}

impl Database {
    fn url(&self) -> String {
        self.database
            .clone()
            .unwrap_or_else(|| format!("sqlite:{}", self.data_dir.join("tellus.sqlite").display()))
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

async fn connect(database: &Database) -> Result<std::sync::Arc<dyn store::Store>, Failure> {
    let url = database.url();
    let failed = |source| Failure::Database { url: shown(&url), source };
    let store = store::connect(&url).await.map_err(failed)?;
    store.migrate().await.map_err(failed)?;
    Ok(store)
}

async fn serve(arguments: Serve) -> Result<(), Failure> {
    log(arguments.log_format);
    let address = arguments.listen;
    if !address.ip().is_loopback() && !arguments.insecure {
        return Err(Failure::Exposed(address));
    }
    let store = connect(&arguments.database).await?;
    let listener = TcpListener::bind(address).await.map_err(|source| Failure::Listen { address, source })?;
    let address = listener.local_addr().map_err(Failure::Serve)?;
    let service = Service::new(store, Options::default());
    let stop = CancellationToken::new();
    let app = App::new(service.clone(), arguments.allow_hosts, stop.clone());
    let maintenance = tokio::spawn({
        let stop = stop.clone();
        async move { service.maintain(stop).await }
    });
    greet(address, &shown(&arguments.database.url()));
    let stopped = stop.clone();
    let server = axum::serve(listener, router(app)).with_graceful_shutdown(async move {
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
    Ok(())
}

fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

/// Where everything is, and how to begin. Nobody may be reading: that is no reason to stop.
fn greet(address: SocketAddr, database: &str) {
    let mut output = std::io::stdout();
    drop(writeln!(
        output,
        "Tellus is serving.\n\n  \
           API       http://{address}/v1\n  \
           docs      http://{address}/docs\n  \
           database  {database}\n\n\
         A first study, and its first trial:\n\n  \
           curl -s http://{address}/v1/studies -H 'Content-Type: application/json' -d '{{\n    \
             \"name\": \"first\",\n    \
             \"parameters\": [{{\"name\": \"x\", \"type\": \"float\", \"low\": -5, \"high\": 10}}],\n    \
             \"metrics\": [{{\"name\": \"loss\", \"goal\": \"minimize\"}}]}}'\n  \
           curl -s -X POST http://{address}/v1/studies/<id of the answer>/ask\n"
    ));
    drop(output.flush());
}

/// Returns at SIGTERM or SIGINT.
async fn wait_for_signal() {
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

/// One plain request, so that a container needs no other program.
fn healthcheck(url: &str) -> Result<(), Failure> {
    let failed = |reason: String| Failure::NotReady { url: url.to_owned(), reason };
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let address = host
        .to_socket_addrs()
        .map_err(|error| failed(error.to_string()))?
        .next()
        .ok_or_else(|| failed("the address leads nowhere".into()))?;
    let timeout = Duration::from_secs(5);
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(|error| failed(error.to_string()))?;
    let first = answer.lines().next().unwrap_or_default();
    if first.contains(" 200 ") { Ok(()) } else { Err(failed(first.to_owned())) }
}
