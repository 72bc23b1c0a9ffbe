//! Through PgBouncer in transaction mode, with fewer connections than there are requests, so that each transaction gets
//! another one.

use std::collections::HashSet;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::postgres;
use crate::server::{Server, plane};
use crate::user::tellus;

struct Pooler {
    process: Child,
    _directory: tempfile::TempDir,
    url: String,
}

impl Pooler {
    /// A pooler of a schema: two connections for everybody.
    async fn start(schema: &postgres::Schema) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = schema.url.split("host=").nth(1).unwrap().split('&').next().unwrap();
        let name = schema.url.rsplit("search_path]=").next().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let configuration = format!(
            "[databases]\npooled = host={host} dbname=postgres user=postgres \
             connect_query='SET search_path TO {name}'\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 200\n\
             ignore_startup_parameters = extra_float_digits\nlogfile = {0}/log\n",
            directory.path().display()
        );
        let file = directory.path().join("pgbouncer.ini");
        std::fs::write(&file, configuration).unwrap();
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
        let program = program.into_iter().find(|path| std::path::Path::new(path).is_file());
        let program = program.expect("this test needs PgBouncer: install the Debian package `pgbouncer`");
        let mut command = Command::new(program);
        command.arg("--quiet").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        if postgres::is_root() {
            // It does not run as root.
            let own = Command::new("chown").args(["-R", "nobody"]).arg(directory.path()).status().unwrap();
            assert!(own.success());
            command.uid(65534).gid(65534);
        }
        let process = command.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(Instant::now() < deadline, "PgBouncer does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let url = format!("postgres://postgres@127.0.0.1:{port}/pooled?statement-cache-capacity=0");
        Self { process, _directory: directory, url }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_work_through_a_pooler_in_transaction_mode() {
    let schema = postgres::private_schema().await;
    let pooler = Pooler::start(&schema).await;
    // The schema is not changed through a pooler.
    let mut command = Command::new(env!("CARGO_BIN_EXE_tellus"));
    let refused = command.args(["migrate", "--database", &pooler.url]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("pooler"), "{said}");
    tellus(&schema.url, &["migrate"]);
    let servers = [Server::start(&pooler.url).await, Server::start(&pooler.url).await];
    let studies = [
        servers[0].study(plane("pooled", "auto")).await,
        servers[1].study(plane("another", "space_filling")).await,
    ];
    let worker = |number: usize| {
        let (server, study) = (&servers[number % 2], &studies[number / 2 % 2]);
        async move {
            let mut points = Vec::new();
            for _ in 0..6 {
                let (status, asked) =
                    server.post(&format!("{study}/ask"), json!({"worker": number.to_string()})).await;
                assert_eq!(status, 200, "{asked}");
                let trial = &asked["trials"][0];
                let path = format!("{study}/trials/{}", trial["number"]);
                let measured = json!({"step": 1, "metrics": {"loss": 1.0}});
                let (status, answer) = server.post(&format!("{path}/measurements"), measured).await;
                assert_eq!(status, 200, "{answer}");
                let told = json!({"metrics": {"loss": trial["parameters"]["x"]}});
                let (status, answer) = server.post(&format!("{path}/tell"), told).await;
                assert_eq!(status, 200, "{answer}");
                for read in [study.clone(), path, format!("{study}/trials"), format!("{study}/best")] {
                    assert_eq!(server.get(&read).await.0, 200, "{read}");
                }
                points.push((study.clone(), trial["number"].to_string(), trial["parameters"].to_string()));
            }
            points
        }
    };
    let points = futures_util::future::join_all((0..12).map(worker)).await.concat();
    let distinct: HashSet<(&String, &String)> =
        points.iter().map(|(study, number, _)| (study, number)).collect();
    assert_eq!((points.len(), distinct.len()), (72, 72));
    let distinct: HashSet<(&String, &String)> =
        points.iter().map(|(study, _, point)| (study, point)).collect();
    assert_eq!(distinct.len(), 72);
    for study in &studies {
        assert_eq!(servers[0].get(study).await.1["trial_counts"]["completed"], 36);
    }
    // Nothing is left behind on the connections to the database.
    crate::user::execute(
        &schema.url,
        "DO $$ BEGIN ASSERT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') = 0; END $$",
    )
    .await;
}
