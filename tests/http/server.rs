//! The real program, started on a free port, and a client that talks to it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

/// A running `tellus serve`; killed when dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
}

impl Server {
    /// Starts it on a database, and waits until it is ready.
    pub(crate) async fn start(database: &str) -> Self {
        Self::launch(Self::command(database).env("RUST_LOG", "error")).await
    }

    /// What starts it on a free port.
    pub(crate) fn command(database: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tellus"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--database", database]);
        command
    }

    /// Starts it by that command, and waits until it is ready.
    pub(crate) async fn launch(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let url = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(line.trim().strip_prefix("API")?.trim().trim_end_matches("/v1").to_owned()))
            .expect("the server says where it is");
        let server = Self { process, url, client: reqwest::Client::new() };
        let deadline = Instant::now() + Duration::from_secs(20);
        while server.get("/readyz").await.0 != 200 {
            assert!(Instant::now() < deadline, "the server is not ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to stop, as a service manager would.
    pub(crate) fn terminate(&self) {
        let command = format!("kill {}", self.process.id());
        let signalled = Command::new("sh").args(["-c", &command]).status().unwrap();
        assert!(signalled.success());
    }

    /// Waits for its end, which comes soon.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not stop");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Json) {
        let response = self.client.get(format!("{}{path}", self.url)).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or(Json::Null))
    }

    pub(crate) async fn post(&self, path: &str, body: Json) -> (u16, Json) {
        let request = self.client.post(format!("{}{path}", self.url)).json(&body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or(Json::Null))
    }

    pub(crate) async fn patch(&self, path: &str, body: Json) -> (u16, Json) {
        let request = self.client.patch(format!("{}{path}", self.url)).json(&body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or(Json::Null))
    }

    /// Creates a study and returns its path.
    pub(crate) async fn study(&self, definition: Json) -> String {
        let (status, study) = self.post("/v1/studies", definition).await;
        assert_eq!(status, 201, "{study}");
        format!("/v1/studies/{}", study["id"].as_str().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A small study with two floats, under a space-filling design unless `algorithm` says otherwise.
pub(crate) fn plane(name: &str, algorithm: &str) -> Json {
    json!({
        "name": name, "seed": 1, "algorithm": {"acquisition": algorithm},
        "parameters": [
            {"name": "x", "type": "float", "low": 0, "high": 1},
            {"name": "y", "type": "float", "low": 1e-3, "high": 1e3, "scale": "log"},
        ],
        "metrics": [{"name": "loss", "goal": "minimize"}],
    })
}
