//! Servers that are killed, paused and started again, each time at another address.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

/// Servers on one database.
pub(crate) struct Servers {
    database: String,
    running: Mutex<Vec<Running>>,
    pub(crate) client: reqwest::Client,
}

struct Running {
    process: Child,
    url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A study with all there is to know of it.
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) study: Json,
    pub(crate) trials: Vec<Json>,
    pub(crate) events: Vec<Json>,
}

fn launch(database: &str) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tellus"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--database", database]).env("RUST_LOG", "off");
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let url = lines
        .filter_map(|line| Some(line.trim().strip_prefix("API")?.trim().trim_end_matches("/v1").to_owned()))
        .next()
        .expect("the server says where it is");
    Running { process, url }
}

impl Servers {
    pub(crate) async fn start(database: &str, count: usize) -> Self {
        let running = (0..count).map(|_| launch(database)).collect();
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        Self { database: database.to_owned(), running: Mutex::new(running), client }
    }

    /// Where a server is now.
    pub(crate) fn url(&self, at: usize) -> String {
        let running = self.running.lock().unwrap();
        running[at % running.len()].url.clone()
    }

    pub(crate) fn kill(&self, at: usize) {
        let process = &mut self.running.lock().unwrap()[at].process;
        process.kill().unwrap();
        process.wait().unwrap();
    }

    pub(crate) fn signal(&self, at: usize, signal: &str) {
        let process = self.running.lock().unwrap()[at].process.id();
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {process}")]).status().unwrap();
        assert!(sent.success());
    }

    /// Asks a server to stop, and waits until it has.
    pub(crate) async fn terminate(&self, at: usize) {
        self.signal(at, "TERM");
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.running.lock().unwrap()[at].process.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the server does not stop");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts a server in place of one that is gone.
    pub(crate) async fn restart(&self, at: usize) {
        let database = self.database.clone();
        let started = tokio::task::spawn_blocking(move || launch(&database)).await.unwrap();
        self.running.lock().unwrap()[at] = started;
    }

    /// Reads until there is an answer.
    pub(crate) async fn read(&self, path: &str) -> Json {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let request = self.client.get(format!("{}{path}", self.url(0)));
            let answered = request.header("accept", "application/json").send().await;
            if let Ok(response) = answered
                && response.status() == 200
                && let Ok(body) = response.json().await
            {
                return body;
            }
            assert!(Instant::now() < deadline, "{path} is not answered");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// All that is stored of a study, once nothing moves any more.
    pub(crate) async fn everything(&self, path: &str) -> Found {
        let mut trials = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.read(&format!("{path}/trials?limit=1000{cursor}")).await;
            trials.extend(page["trials"].as_array().unwrap().clone());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let mut events = Vec::new();
        let mut after = 0;
        loop {
            let page = self.read(&format!("{path}/events?limit=1000&after={after}")).await;
            let found = page["events"].as_array().unwrap().clone();
            if found.is_empty() {
                break;
            }
            after = page["next_after"].as_u64().unwrap();
            events.extend(found);
        }
        Found { path: path.to_owned(), study: self.read(path).await, trials, events }
    }
}
