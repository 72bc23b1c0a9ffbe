//! A deterministic simulation of a study: workers that die and come back, servers with old snapshots, requests that come late,
//! twice or out of order, answers that are lost, leases that end, a clock that jumps. What decides is the code of the
//! stores ([`Ledger`](tellus::study::Ledger), [`plan_ask`](tellus::study::plan_ask)); what the database adds, transactions and
//! rules of uniqueness, is a few lines of [`world`]. After each step the world is checked against the contract.
//!
//! ```text
//! SIMULATION_STEPS=50000000 SIMULATION_SEED=7 cargo test --test simulation -- --nocapture
//! ```
//!
//! makes a longer run of it, or another one. What breaks is told with its seed and its last steps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod contract;
mod scene;
mod world;

use std::time::Instant;

use scene::Scene;
use world::Fault;

/// Steps of one study; a new one begins then, with another seed.
const STEPS_A_STUDY: u64 = 2_000;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Runs a study. Returns what broke and the last steps before it, if anything did.
fn run(seed: u64, steps: u64, fault: Option<Fault>) -> Result<(), String> {
    let mut scene = Scene::new(seed, fault);
    for step in 0..steps {
        if let Err(broken) = scene.step() {
            return Err(format!("seed {seed}, step {step}: {broken}\n  {}", scene.told().join("\n  ")));
        }
    }
    Ok(())
}

#[test]
fn the_contract_holds_whatever_is_late_lost_or_sent_twice() {
    let (first, steps) = (setting("SIMULATION_SEED", 1), setting("SIMULATION_STEPS", 1_000_000));
    let begin = Instant::now();
    for study in 0..steps.div_ceil(STEPS_A_STUDY) {
        if let Err(broken) = run(first + study, STEPS_A_STUDY, None) {
            panic!("{broken}");
        }
    }
    let minutes = begin.elapsed().as_secs_f64() / 60.0;
    #[allow(clippy::cast_precision_loss)]
    let speed = steps as f64 / minutes;
    println!("{steps} steps, {speed:.0} a minute");
}

#[test]
fn every_fault_that_is_put_in_is_found() {
    for fault in Fault::ALL {
        let found = (1..=60).find_map(|seed| run(seed, STEPS_A_STUDY, Some(fault)).err());
        let found = found.unwrap_or_else(|| panic!("{fault:?} is not noticed"));
        assert!(found.contains(fault.breaks()), "{fault:?} is noticed as something else: {found}");
    }
}

#[test]
fn the_same_seed_is_the_same_course() {
    let course = |seed| {
        let mut scene = Scene::new(seed, None);
        (0..STEPS_A_STUDY).for_each(|_| scene.step().unwrap());
        scene.digest()
    };
    assert_eq!(course(5), course(5));
    assert_ne!(course(5), course(6));
}
