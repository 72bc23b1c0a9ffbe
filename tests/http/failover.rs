//! Two real clusters, one a synchronous replica of the other: the primary is stopped at once and the replica promoted,
//! under load. What was acknowledged is there, and the servers find the other address by themselves.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::postgres;
use crate::server::{Server, plane};

const WORKERS: usize = 6;
/// How many trials are told before the primary is stopped, and in the end.
const BEFORE: usize = 40;
const TRIALS: usize = 120;

/// Makes a primary and a replica of it in the directory $2 with the binaries in $1, as the user $3 where there is one. A
/// line on its input stops the one and promotes the other; the end of its input ends everything.
const KEEPER: &str = r#"
binaries=$1 directory=$2 user=$3
as_user() {
    if [ -n "$user" ]; then
        setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"
    else
        "$@"
    fi
}
control() { as_user "$binaries/pg_ctl" -w -t 60 "$@" </dev/null >>"$directory/control" 2>&1; }
stop() {
    control -D "$directory/one/data" -m immediate stop
    control -D "$directory/two/data" -m immediate stop
    rm -rf "$directory"
}
options="-c listen_addresses='' -c fsync=off -c max_connections=100"
cd "$directory" || exit 1
{
    mkdir one two &&
    if [ -n "$user" ]; then chown "$user" . one two; fi &&
    as_user "$binaries/initdb" -D one/data -U postgres -A trust -E UTF8 --locale=C --no-sync &&
    control -D "$directory/one/data" -l "$directory/one/log" -o "$options -k '$directory/one'" start &&
    as_user "$binaries/pg_basebackup" -h "$directory/one" -U postgres -D two/data -R -X stream -c fast &&
    control -D "$directory/two/data" -l "$directory/two/log" -o "$options -k '$directory/two'" start &&
    echo "synchronous_standby_names = '*'" >>one/data/postgresql.conf &&
    control -D "$directory/one/data" reload
} </dev/null >"$directory/start" 2>&1 || { cat start control one/log two/log >&2; stop; exit 1; }
echo ready
while read -r _; do
    control -D "$directory/one/data" -m immediate stop
    control -D "$directory/two/data" promote
    echo promoted
done
stop
"#;

struct Pair {
    keeper: Child,
    says: BufReader<ChildStdout>,
    url: String,
    primary: String,
}

impl Pair {
    fn start() -> Self {
        // Removed by the shell, which outlives this program.
        let directory = tempfile::Builder::new().prefix("tellus-pair-").tempdir().unwrap().keep();
        let binaries = postgres::program("postgres").get_program().to_owned();
        let binaries = std::path::Path::new(&binaries).parent().unwrap().to_owned();
        let user = if postgres::is_root() { "nobody" } else { "" };
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .args([&binaries, &directory])
            .arg(user)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(keeper.stdout.take().unwrap());
        let place = directory.display();
        let url = |hosts: String| format!("postgres://postgres@localhost/postgres?host={hosts}");
        let mut pair = Self {
            keeper,
            says,
            url: url(format!("{place}/one,{place}/two")),
            primary: url(format!("{place}/one")),
        };
        assert_eq!(pair.line(), "ready");
        pair
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Waits until the primary acknowledges nothing that the replica does not have.
    async fn is_synchronous(&self) {
        use sqlx::{Connection, PgConnection};
        let mut connection = PgConnection::connect(&self.primary).await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let count = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        while sqlx::query_scalar::<_, i64>(count).fetch_one(&mut connection).await.unwrap() != 1 {
            assert!(Instant::now() < deadline, "the replica does not follow");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn fail_over(&mut self) {
        self.keeper.stdin.as_mut().unwrap().write_all(b"now\n").unwrap();
        assert_eq!(self.line(), "promoted");
    }
}

/// Posts until there is an answer that is none of a passing trouble, as clients do: with one key.
async fn insist(servers: &[Server], at: usize, path: &str, body: &Json) -> (u16, Json) {
    let key = uuid::Uuid::new_v4().to_string();
    let deadline = Instant::now() + Duration::from_secs(90);
    for attempt in 0.. {
        let server = &servers[(at + attempt) % servers.len()];
        let request = server.client.post(format!("{}{path}", server.url)).header("idempotency-key", &key);
        if let Ok(response) = request.json(body).timeout(Duration::from_secs(20)).send().await {
            let status = response.status().as_u16();
            let body: Json = response.json().await.unwrap_or_default();
            assert_ne!(status, 500, "{body}");
            let in_progress = body["type"] == "urn:tellus:problem:request-in-progress";
            if !matches!(status, 408 | 429 | 503) && !in_progress {
                return (status, body);
            }
        }
        assert!(Instant::now() < deadline, "{path} is not answered");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    unreachable!()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_failover() {
    let mut pair = Pair::start();
    let servers = [Server::start(&pair.url).await, Server::start(&pair.url).await];
    pair.is_synchronous().await;
    let study = servers[0].study(plane("failover", "space_filling")).await;
    let told: Mutex<BTreeMap<u64, f64>> = Mutex::default();
    let points: Mutex<Vec<String>> = Mutex::default();
    let count = || told.lock().unwrap().len();
    let worker = |number: usize| {
        let (servers, study, told, points) = (&servers, &study, &told, &points);
        async move {
            while told.lock().unwrap().len() < TRIALS {
                let (status, asked) = insist(servers, number, &format!("{study}/ask"), &json!({})).await;
                assert_eq!(status, 200, "{asked}");
                let trial = &asked["trials"][0];
                points.lock().unwrap().push(trial["parameters"].to_string());
                let loss = trial["parameters"]["x"].as_f64().unwrap();
                let path = format!("{study}/trials/{}/tell", trial["number"]);
                let (status, answer) =
                    insist(servers, number, &path, &json!({"metrics": {"loss": loss}})).await;
                assert_eq!(status, 200, "{answer}");
                let before = told.lock().unwrap().insert(trial["number"].as_u64().unwrap(), loss);
                assert_eq!(before, None, "a number was handed out twice");
            }
        }
    };
    let work = futures_util::future::join_all((0..WORKERS).map(worker));
    let fail = async {
        while count() < BEFORE {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::task::block_in_place(|| pair.fail_over());
    };
    tokio::join!(work, fail);
    let told = told.into_inner().unwrap();
    for (number, loss) in &told {
        let (status, trial) = servers[1].get(&format!("{study}/trials/{number}")).await;
        assert_eq!((status, trial["metrics"]["loss"]["value"].as_f64()), (200, Some(*loss)), "{trial}");
    }
    let points = points.into_inner().unwrap();
    assert_eq!(points.iter().collect::<HashSet<_>>().len(), points.len(), "a point was handed out twice");
    let (_, record) = servers[0].get(&study).await;
    assert_eq!(record["trial_counts"]["completed"], json!(told.len()));
}
