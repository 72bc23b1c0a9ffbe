//! A network that learned a function from few samples, and the function itself: what the hybrid makes of both.
//!
//! `samples DIRECTORY [SEEDS]` writes what networks are to be trained on, `bench/attacks/trained.py DIRECTORY` trains them,
//! `truth DIRECTORY [SEEDS]` prints, a function and a seed, the median log₁₀ regret after 60 trials that measure the function: of the
//! hybrid with the network, of attacks on the network alone whose points are then measured, and of `auto` without the network.

use std::path::Path;
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use advisor_bench::advisor::hybrid::{Hybrid, Landscape, Radii, Settings, Steps};
use advisor_bench::advisor::{Advisor, History};
use advisor_bench::attack::barrier::Merit;
use advisor_bench::attack::composite::{Composite, Form};
use advisor_bench::attack::onnx::{Network, Quota};
use advisor_bench::study::Definition;

use crate::functions::Function;
use crate::{Algorithm, Course, define, named, run, seen};

const FUNCTIONS: [&str; 3] = ["hartmann6", "rosenbrock10", "lotka_volterra4"];
const SAMPLES: usize = 200;
const TRIALS: usize = 60;

fn file(name: &str, seed: usize, end: &str) -> String {
    format!("{name}_{seed}.{end}")
}

/// Random points and their values.
pub fn samples(directory: &Path, seeds: usize) {
    std::fs::create_dir_all(directory).expect("a directory");
    for name in FUNCTIONS {
        for seed in 0..seeds {
            let function = named(name).moved(seed as u64);
            let mut rng = ChaCha8Rng::seed_from_u64(seed as u64 ^ 0x5a5a);
            let points: Vec<Vec<f64>> =
                (0..SAMPLES).map(|_| (0..function.dimension).map(|_| rng.random()).collect()).collect();
            let values: Vec<f64> = points.iter().map(|z| function.regret(z)).collect();
            let text = json!({"points": points, "values": values}).to_string();
            std::fs::write(directory.join(file(name, seed, "json")), text).expect("a file");
        }
    }
}

/// Runs all three ways and prints their medians.
pub fn compare(directory: &Path, seeds: usize) {
    println!(
        "| function | network and truth | attacks on the network alone | `auto` without it |\n| --- | ---: | ---: | ---: |"
    );
    for name in FUNCTIONS {
        let mut ends = [Vec::new(), Vec::new(), Vec::new()];
        for seed in 0..seeds {
            let function = named(name).moved(seed as u64);
            let bytes = std::fs::read(directory.join(file(name, seed, "onnx"))).expect("a trained network");
            let network = Network::load(&bytes, &Quota::default()).expect("a network that is read");
            let composite = Composite::new(network, Form::Linear(vec![1.0]), None, function.dimension);
            let composite = Arc::new(composite.expect("a network of the function's dimension"));
            ends[0].push(through(&function, seed, &composite));
            ends[1].push(attacked(&function, seed, &composite));
            ends[2].push(run(&named(name), seed, &course()).0);
        }
        let medians = ends.each_mut().map(|ends| {
            ends.sort_by(f64::total_cmp);
            ends[ends.len() / 2]
        });
        println!("| {name} | {:.2} | {:.2} | {:.2} |", medians[0], medians[1], medians[2]);
    }
}

fn algorithm() -> Algorithm {
    let auto = || "auto".to_owned();
    Algorithm { acquisition: auto(), hyperparameters: auto(), input_warping: auto() }
}

fn course() -> Course {
    Course { algorithm: algorithm(), trials: TRIALS, workers: 1, are_errors_known: false }
}

/// log₁₀ of the least regret of what a study through the network proposed, told the truth.
fn through(function: &Function, seed: usize, composite: &Arc<Composite>) -> f64 {
    let mut draft = define(function, seed, &algorithm()).draft().clone();
    let network = json!({"phi": uuid::Uuid::nil(), "goal": {"linear": [1.0]}, "evaluate": "client"});
    draft.network = Some(serde_json::from_value(network).expect("a network"));
    let definition = Definition::check(draft, 0).expect("a valid study");
    let (advisor, mut history) = (Advisor::default(), History::default());
    let mut best = f64::INFINITY;
    for number in 0..TRIALS {
        let (proposals, _) = advisor.suggest_through(composite, &definition, &history, 1);
        let coordinates = definition.space().encode(&proposals[0].point);
        let value = function.regret(&coordinates);
        best = best.min(value);
        history.put(number, seen(&definition, coordinates, Some((value, None)), number));
    }
    best.max(1e-12).log10()
}

/// log₁₀ of the least regret of what attacks on the network alone, started again where they end, proposed.
fn attacked(function: &Function, seed: usize, composite: &Arc<Composite>) -> f64 {
    let space = define(function, seed, &algorithm()).space().clone();
    let landscape = Landscape::new(space.clone(), Arc::clone(composite), -1.0);
    let settings = Settings {
        steps: Steps::Attacks,
        is_global: true,
        measures_truth: false,
        radii: Radii::default(),
        seed: seed as u64,
    };
    let mut hybrid = Hybrid::new(landscape, settings);
    let mut taken = std::collections::HashSet::new();
    let mut best = f64::INFINITY;
    for _ in 0..TRIALS {
        let Some(candidate) = hybrid.propose(1, &|key| taken.contains(key)).into_iter().next() else { break };
        taken.insert(space.canonical(&space.decode(&candidate.z)));
        best = best.min(function.regret(&candidate.z));
        let value = hybrid.landscape().sight(&candidate.z).0;
        hybrid.tell(&candidate.z, Merit::of(value, &[]));
    }
    best.max(1e-12).log10()
}
