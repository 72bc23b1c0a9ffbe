//! A Postgres that may be restarted under load.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::postgres;

/// A cluster in the directory $2 with the binaries in $1, as the user $3 where there is one. A line on its input stops it at
/// once and starts it again; the end of its input ends it.
const KEEPER: &str = r#"
binaries=$1 directory=$2 user=$3
as_user() {
    if [ -n "$user" ]; then
        setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"
    else
        "$@"
    fi
}
control() { as_user "$binaries/pg_ctl" -D "$directory/data" -w -t 120 "$@" </dev/null >>"$directory/control" 2>&1; }
start() { control -l "$directory/log" -o "-c listen_addresses='' -k '$directory' -c fsync=off -c max_connections=200" start; }
stop() { control -m immediate stop; rm -rf "$directory"; }
cd "$directory" || exit 1
{
    if [ -n "$user" ]; then chown "$user" .; fi &&
    as_user "$binaries/initdb" -D data -U postgres -A trust -E UTF8 --locale=C --no-sync && start
} </dev/null >"$directory/start" 2>&1 || { cat start control log >&2; stop; exit 1; }
echo ready
while read -r _; do
    control -m immediate stop
    start || cat control log >&2
    echo restarted
done
stop
"#;

pub(crate) struct Cluster {
    keeper: Child,
    says: BufReader<ChildStdout>,
    url: String,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        // Removed by the shell, which outlives this program.
        let directory = tempfile::Builder::new().prefix("tellus-chaos-").tempdir().unwrap().keep();
        let postgres = postgres::program("postgres").get_program().to_owned();
        let binaries = std::path::Path::new(&postgres).parent().unwrap();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .args([binaries, &directory])
            .arg(if postgres::is_root() { "nobody" } else { "" })
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(keeper.stdout.take().unwrap());
        let url = format!("postgres://postgres@localhost/postgres?host={}", directory.display());
        let mut cluster = Self { keeper, says, url };
        assert_eq!(cluster.line(), "ready");
        cluster
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// As a crash: at once, and back after its recovery.
    pub(crate) fn restart(&mut self) {
        self.keeper.stdin.as_mut().unwrap().write_all(b"now\n").unwrap();
        assert_eq!(self.line(), "restarted");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}
