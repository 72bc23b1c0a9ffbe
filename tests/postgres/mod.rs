//! A real Postgres for tests: the server that `TEST_DATABASE_URL` names, or one of their own, started once in each
//! test program from the binaries on this machine. Every test gets a schema of its own.
//!
//! The private server lives in a temporary directory, is reached through a Unix socket in it, and runs as an
//! unprivileged user where the tests run as root. It is the child of a shell that waits for the end of its standard
//! input, which comes when the test program ends, however it ends; the shell then stops the server and removes the
//! directory.

// What a test cannot do without may fail it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

/// A schema of its own.
pub(crate) struct Schema {
    /// Connects to the server, into the schema.
    pub(crate) url: String,
    server: &'static Server,
    name: String,
}

/// Makes an empty schema.
pub(crate) async fn schema() -> Schema {
    schema_on(SERVER.get_or_init(Server::find_or_start)).await
}

/// Makes an empty schema on a private server, for tests that use more of it than its address.
#[allow(dead_code, reason = "not every test program does")]
pub(crate) async fn private_schema() -> Schema {
    let server = SERVER.get_or_init(Server::find_or_start);
    schema_on(if server.keeper.is_some() { server } else { PRIVATE.get_or_init(Server::start) }).await
}

async fn schema_on(server: &'static Server) -> Schema {
    let name = format!("tellus_test_{}", Uuid::new_v4().simple());
    server.execute(format!("CREATE SCHEMA {name}")).await;
    let separator = if server.url.contains('?') { '&' } else { '?' };
    Schema { url: format!("{}{separator}options[search_path]={name}", server.url), server, name }
}

impl Drop for Schema {
    fn drop(&mut self) {
        if self.server.keeper.is_some() {
            // It goes with its server.
            return;
        }
        let statement = format!("DROP SCHEMA {} CASCADE", self.name);
        let server = self.server;
        // A runtime cannot start in the thread of another one.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(server.execute(statement));
        });
        dropped.join().ok();
    }
}

static SERVER: OnceLock<Server> = OnceLock::new();
static PRIVATE: OnceLock<Server> = OnceLock::new();

struct Server {
    url: String,
    /// The shell that keeps the private server; its standard input closes when this program ends.
    keeper: Option<Child>,
}

/// Makes a cluster in the directory $2 with the binaries in $1, starts it, says so, and waits for the end of its
/// input. $3: the user to run as, or nothing.
const KEEPER: &str = r#"
binaries=$1 directory=$2 user=$3
as_user() {
    if [ -n "$user" ]; then
        setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"
    else
        "$@"
    fi
}
stop() {
    as_user "$binaries/pg_ctl" -D "$directory/data" -m immediate stop >/dev/null 2>&1
    rm -rf "$directory"
}
cd "$directory" || exit 1
{
    if [ -n "$user" ]; then chown "$user" "$directory"; fi &&
    as_user "$binaries/initdb" -D "$directory/data" -U postgres -A trust -E UTF8 --locale=C --no-sync &&
    as_user "$binaries/pg_ctl" -D "$directory/data" -l "$directory/log" -w -t 120 \
        -o "-c listen_addresses='' -c unix_socket_directories='$directory' -c fsync=off -c max_connections=300" start
} </dev/null >"$directory/start" 2>&1 || { cat "$directory/start" "$directory/log" >&2; stop; exit 1; }
echo ready
read -r _
stop
"#;

impl Server {
    fn find_or_start() -> Self {
        match env::var("TEST_DATABASE_URL") {
            Ok(url) if !url.is_empty() => Self { url, keeper: None },
            _ => Self::start(),
        }
    }

    fn start() -> Self {
        let binaries = binaries().expect(
            "these tests need Postgres: install the Debian package `postgresql`, or set TEST_DATABASE_URL \
             to a server where schemas may be created",
        );
        // Removed by the shell, which outlives this program.
        let directory = tempfile::Builder::new().prefix("tellus-postgres-").tempdir().unwrap().keep();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .args([&binaries, &directory])
            .arg(if is_root() { "nobody" } else { "" })
            // An interrupt of the terminal is for the tests alone: the shell has to clean up after them.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.trim() != "ready" {
            let mut log = String::new();
            keeper.stderr.take().unwrap().read_to_string(&mut log).ok();
            panic!("Postgres did not start: {log}");
        }
        let url = format!("postgres://postgres@localhost/postgres?host={}", directory.display());
        Self { url, keeper: Some(keeper) }
    }

    async fn execute(&self, statement: String) {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        connection.close().await.ok();
    }
}

/// The directory of the newest server's binaries: Debian keeps them out of the search path.
fn binaries() -> Option<PathBuf> {
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .collect();
    let version = |path: &PathBuf| -> Option<u32> { path.parent()?.file_name()?.to_str()?.parse().ok() };
    debian.sort_by_key(|path| std::cmp::Reverse(version(path)));
    let path = env::var_os("PATH").unwrap_or_default();
    let has_all = |directory: &Path| {
        ["initdb", "pg_ctl", "postgres"].iter().all(|program| directory.join(program).is_file())
    };
    debian.into_iter().chain(env::split_paths(&path)).find(|directory| has_all(directory))
}

/// Whether the tests run as root, as which Postgres does not.
pub(crate) fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}

/// A program of the newest Postgres on this machine.
#[allow(dead_code, reason = "not every test program dumps and restores")]
pub(crate) fn program(name: &str) -> Command {
    Command::new(binaries().expect("Postgres is there").join(name))
}
