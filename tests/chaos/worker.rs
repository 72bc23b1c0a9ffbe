//! A worker as careless as workers are: it retries under one key until it has an answer, tells late, twice, or never, and
//! writes everything down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::history::{Answer, History};
use crate::servers::Servers;

/// Studies of both kinds: one whose expired points are handed out again, one whose are not.
pub(crate) async fn make_studies(servers: &Servers, seed: u64) -> Vec<String> {
    let mut studies = Vec::new();
    for retry_expired in [true, false] {
        let study = json!({
            "name": format!("chaos-{retry_expired}"), "seed": seed, "retry_expired": retry_expired,
            "default_lease_seconds": 2, "algorithm": {"acquisition": "space_filling"},
            "parameters": [
                {"name": "x", "type": "float", "low": 0, "high": 1},
                {"name": "k", "type": "int", "low": 1, "high": 9},
            ],
            "metrics": [{"name": "loss", "goal": "minimize"}],
        });
        let request = servers.client.post(format!("{}/v1/studies", servers.url(0))).json(&study);
        let made: Json = request.send().await.unwrap().json().await.unwrap();
        studies.push(format!("/v1/studies/{}", made["id"].as_str().unwrap()));
    }
    studies
}

pub(crate) struct Worker {
    name: String,
    random: ChaCha8Rng,
    servers: Arc<Servers>,
    history: Arc<History>,
    studies: Vec<String>,
}

impl Worker {
    pub(crate) fn new(
        number: u64,
        seed: u64,
        servers: &Arc<Servers>,
        history: &Arc<History>,
        studies: &[String],
    ) -> Self {
        Self {
            name: format!("w{number}"),
            random: ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number)),
            servers: Arc::clone(servers),
            history: Arc::clone(history),
            studies: studies.to_vec(),
        }
    }

    /// Works until it is over; what it began then, it finishes.
    pub(crate) async fn work(mut self, is_over: &AtomicBool) {
        while !is_over.load(Ordering::SeqCst) {
            let study = self.studies[self.random.random_range(0..self.studies.len())].clone();
            let body = json!({
                "count": self.random.random_range(1..=3), "worker": self.name,
                "sticky": self.random.random_bool(0.1),
            });
            let path = format!("{study}/ask");
            let Some(asked) = self.insist(&path, &body).await else { continue };
            assert_eq!(asked.status, 200, "{}", asked.body);
            let trials = asked.body["trials"].as_array().unwrap().clone();
            self.history.asked(&study, &self.name, &trials, body["sticky"] == true);
            for trial in &trials {
                self.evaluate(&study, trial).await;
            }
        }
    }

    async fn evaluate(&mut self, study: &str, trial: &Json) {
        let path = format!("{study}/trials/{}", trial["number"]);
        let token = &trial["lease_token"];
        let chance: f64 = self.random.random();
        if chance < 0.1 {
            // Lost with its worker.
            return;
        }
        if chance < 0.3 {
            let beat = self.insist(&format!("{path}/heartbeat"), &json!({"lease_token": token})).await;
            assert!(beat.is_none_or(|beat| matches!(beat.status, 200 | 409)));
        }
        if chance > 0.85 {
            // Beyond the lease.
            tokio::time::sleep(Duration::from_millis(self.random.random_range(1500..3500))).await;
        }
        let number = trial["number"].as_u64().unwrap();
        let value = f64::from(self.random.random::<u32>());
        let mut body = match self.random.random_range(0..10_u32) {
            0 => json!({"failed": format!("{value}")}),
            1 => json!({"abandoned": format!("{value}")}),
            _ => json!({"metrics": {"loss": value}}),
        };
        if self.random.random_bool(0.7) {
            body["lease_token"] = token.clone();
        }
        let told = self.insist(&format!("{path}/tell"), &body).await;
        self.history.told(study, number, &self.name, &body, told.as_ref());
    }

    /// Sends a request under one key, to one server after another, until there is an answer; then perhaps once more, to
    /// compare. `None` where there was none in a long time: it may have been done or not.
    async fn insist(&mut self, path: &str, body: &Json) -> Option<Answer> {
        let key = Uuid::new_v4().to_string();
        let deadline = Instant::now() + Duration::from_secs(40);
        while Instant::now() < deadline {
            if let Some(answer) = self.send(path, body, &key).await {
                if path.ends_with("/heartbeat") || !self.random.random_bool(0.1) {
                    return Some(answer);
                }
                if let Some(again) = self.send(path, body, &key).await {
                    assert!(again.replayed, "{path}: a key was answered twice, and not as a replay");
                    assert_eq!((again.status, &again.body), (answer.status, &answer.body), "{path}");
                }
                return Some(answer);
            }
            tokio::time::sleep(Duration::from_millis(self.random.random_range(20..200))).await;
        }
        None
    }

    /// One attempt; `None` where the answer is not the last word.
    async fn send(&mut self, path: &str, body: &Json, key: &str) -> Option<Answer> {
        let url = self.servers.url(self.random.random_range(0..1000));
        let request =
            self.servers.client.post(format!("{url}{path}")).header("idempotency-key", key).json(body);
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let replayed = response.headers().contains_key("idempotency-replayed");
        let can_wait = response.headers().contains_key("retry-after");
        let body: Json = response.json().await.ok()?;
        match status {
            200 => {}
            409 if body["type"] == "urn:tellus:problem:request-in-progress" => {
                assert!(can_wait, "{path}: {body}");
                return None;
            }
            409 => {}
            408 | 503 => {
                assert!(status == 408 || can_wait, "{path}: {body}");
                return None;
            }
            _ => panic!("{path}: {status} {body}"),
        }
        Some(Answer { status, replayed, body })
    }
}
