//! The program is killed (`kill -9`) in the middle of concurrent asks and tells: no acknowledged tell is lost, and no
//! number is handed out twice, on either store.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::server::{Server, plane};
use serde_json::{Value as Json, json};

const WORKERS: usize = 16;
const TRIALS: usize = 1000;

#[derive(Default)]
struct Acknowledged {
    numbers: Vec<u64>,
    tells: BTreeMap<u64, f64>,
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    survive_kills(&format!("sqlite:{}", directory.path().join("t.sqlite").display())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_loses_nothing() {
    survive_kills(&crate::postgres::new_database().await).await;
}

async fn survive_kills(database: &str) {
    let seen = Arc::new(Mutex::new(Acknowledged::default()));
    let mut kills = 0;
    while seen.lock().unwrap().tells.len() < TRIALS {
        let server = Server::start(database).await;
        let (status, study) = server.post("/v1/studies", plane("a", "space_filling")).await;
        assert!(matches!(status, 200 | 201), "{study}");
        let path = format!("{}/v1/studies/{}", server.url, study["id"].as_str().unwrap());
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| tokio::spawn(work(server.client.clone(), path.clone(), Arc::clone(&seen))))
            .collect();
        // Another moment each time.
        tokio::time::sleep(Duration::from_millis(400 + 137 * kills)).await;
        server.kill();
        kills += 1;
        for worker in workers {
            worker.await.unwrap();
        }
        assert!(kills < 60, "too slow: {} tells", seen.lock().unwrap().tells.len());
    }
    let server = Server::start(database).await;
    let (_, study) = server.post("/v1/studies", plane("a", "space_filling")).await;
    let seen = seen.lock().unwrap();
    let distinct: HashSet<u64> = seen.numbers.iter().copied().collect();
    assert_eq!(distinct.len(), seen.numbers.len(), "a number was handed out twice");
    let path = format!("/v1/studies/{}", study["id"].as_str().unwrap());
    let mut stored: BTreeMap<u64, f64> = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let (_, page) = server.get(&format!("{path}/trials?limit=1000{cursor}")).await;
        for trial in page["trials"].as_array().unwrap() {
            if let Some(loss) = trial["metrics"]["loss"]["value"].as_f64() {
                stored.insert(trial["number"].as_u64().unwrap(), loss);
            }
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    for (number, loss) in &seen.tells {
        assert_eq!(stored.get(number), Some(loss), "tell {number} was acknowledged after {kills} kills");
    }
}

/// Asks and tells until the server is gone; remembers what was acknowledged.
async fn work(client: reqwest::Client, path: String, seen: Arc<Mutex<Acknowledged>>) {
    let post = async |url: String, body: Json| -> Option<Json> {
        let response = client.post(url).json(&body).send().await.ok()?;
        let status = response.status().as_u16();
        let body: Json = response.json().await.ok()?;
        assert_eq!(status, 200, "{body}");
        Some(body)
    };
    while let Some(asked) = post(format!("{path}/ask"), json!({})).await {
        let number = asked["trials"][0]["number"].as_u64().unwrap();
        seen.lock().unwrap().numbers.push(number);
        let loss = number as f64 + 0.5;
        let tell = post(format!("{path}/trials/{number}/tell"), json!({"metrics": {"loss": loss}})).await;
        if tell.is_none() {
            return;
        }
        seen.lock().unwrap().tells.insert(number, loss);
    }
}
