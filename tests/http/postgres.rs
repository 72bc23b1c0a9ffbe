//! A real Postgres for the tests: the server that `TEST_DATABASE_URL` names, or a private one that is started once a
//! test process, as an unprivileged user, and ends with it. Each test gets a database of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

struct Server {
    /// Without a database's name.
    url: String,
    /// Its standard input keeps the server alive.
    _keeper: Option<Child>,
    _directory: Option<tempfile::TempDir>,
}

/// The URL of a new, empty database.
pub(crate) async fn new_database() -> String {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER.get_or_init(|| match std::env::var("TEST_DATABASE_URL") {
        Ok(url) => Server { url, _keeper: None, _directory: None },
        Err(_) => start(),
    });
    let name = format!("tellus_{}", uuid::Uuid::new_v4().simple());
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut connection = loop {
        match PgConnection::connect(&server.url).await {
            Ok(connection) => break connection,
            Err(error) if Instant::now() > deadline => panic!("Postgres did not start: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let (base, _) = server.url.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

fn start() -> Server {
    let binaries = binaries();
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let data = directory.path().join("data");
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout.starts_with(b"0\n");
    if is_root {
        run(Command::new("chown").arg("nobody").arg(directory.path()));
    }
    let as_user = |program: &Path| {
        if is_root {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        }
    };
    run(as_user(&binaries.join("initdb"))
        .current_dir(directory.path())
        .args(["--auth=trust", "--username=tellus", "--encoding=UTF8", "--no-sync", "-D"])
        .arg(&data));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // The shell outlives this process by a moment: its standard input ends, and it stops the server.
    let script = "\"$0\" \"$@\" & server=$!; cat >/dev/null; kill -INT $server; wait $server";
    let keeper = as_user(Path::new("/bin/sh"))
        .current_dir(directory.path())
        .args(["-c", script])
        .arg(binaries.join("postgres"))
        .arg("-D")
        .arg(&data)
        .arg("-k")
        .arg(directory.path())
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let url = format!("postgres://tellus@127.0.0.1:{port}/postgres");
    Server { url, _keeper: Some(keeper), _directory: Some(directory) }
}

fn run(command: &mut Command) {
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Where Postgres's programs are.
fn binaries() -> PathBuf {
    let mut places: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    places.sort();
    places.reverse();
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    places
        .into_iter()
        .find(|place| place.join("initdb").exists() && place.join("postgres").exists())
        .expect("Postgres is missing: apt-get install postgresql")
}
