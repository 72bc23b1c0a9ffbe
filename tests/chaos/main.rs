//! Three servers on one Postgres, many workers, and faults: servers are killed, paused and started again, and Postgres is
//! restarted, while every request and its answer is written down. Afterwards the history is checked: nothing that was
//! acknowledged is lost, and nothing was given to two.
//!
//! `SOAK_SECONDS`, `SOAK_SEED` and `SOAK_WORKERS` make it longer than `./test` does; see `./soak`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::zombie_processes, reason = "the private Postgres ends with the process that started it")]

mod cluster;
mod history;
#[path = "../postgres/mod.rs"]
#[allow(dead_code, reason = "its programs are used, not its server")]
mod postgres;
mod servers;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use cluster::Cluster;
use history::History;
use servers::Servers;

/// How long faults come, where `SOAK_SECONDS` does not say.
const SECONDS: u64 = 45;
/// How many workers there are, where `SOAK_WORKERS` does not say.
const WORKERS: u64 = 16;
const SERVERS: usize = 3;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

/// One fault, and what undoes it.
async fn fault(random: &mut ChaCha8Rng, servers: &Servers, cluster: &mut Cluster) {
    let at = random.random_range(0..SERVERS);
    let pause = Duration::from_millis(random.random_range(200..3000));
    match random.random_range(0..10_u32) {
        0..=3 => {
            servers.kill(at);
            tokio::time::sleep(pause / 2).await;
            servers.restart(at).await;
        }
        4..=7 => {
            servers.signal(at, "STOP");
            tokio::time::sleep(pause).await;
            servers.signal(at, "CONT");
        }
        8 => {
            servers.terminate(at).await;
            servers.restart(at).await;
        }
        _ => tokio::task::block_in_place(|| cluster.restart()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_and_nothing_is_given_to_two() {
    let (seconds, seed) = (setting("SOAK_SECONDS", SECONDS), setting("SOAK_SEED", 1));
    let mut cluster = Cluster::start();
    let servers = Arc::new(Servers::start(cluster.url(), SERVERS).await);
    let history = Arc::new(History::default());
    let studies = worker::make_studies(&servers, seed).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..setting("SOAK_WORKERS", WORKERS))
        .map(|number| {
            let worker = worker::Worker::new(number, seed, &servers, &history, &studies);
            let is_over = Arc::clone(&is_over);
            tokio::spawn(async move { worker.work(&is_over).await })
        })
        .collect();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut faults = 0;
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(random.random_range(300..2500))).await;
        fault(&mut random, &servers, &mut cluster).await;
        faults += 1;
    }
    is_over.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.expect("a worker found something wrong");
    }
    let mut found = Vec::new();
    for study in &studies {
        found.push(servers.everything(study).await);
    }
    let counted = history.check(&found);
    eprintln!("{} under {faults} faults, seed {seed}", json!(counted));
    assert!(counted.tells > 50 && faults > 5, "too little happened: {counted:?}, {faults} faults");
}
