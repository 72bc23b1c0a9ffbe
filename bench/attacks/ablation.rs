//! Runs the hybrid and its parts on the problems that `problems.py` made; one line of JSON a run.
//!
//! `attack-ablation DIRECTORY METHODS PASSES [PREFIX]`, with METHODS a comma-separated list of attacks, direct_search, local
//! (without restarts) and ours. Each run is the best feasible value after so many passes, forward or backward evaluations
//! of the network. Lines that a file `results.jsonl` in the directory has already are not computed again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use advisor_bench::advisor::hybrid::{Hybrid, Landscape, Radii, Settings, Steps};
use advisor_bench::attack::barrier::Merit;
use advisor_bench::attack::composite::{Composite, Form};
use advisor_bench::attack::onnx::{Network, Quota};
use advisor_bench::space::{Space, SpaceDraft};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Problem {
    name: String,
    phi: String,
    goal: String,
    constraints: Option<String>,
    low: f64,
    high: f64,
    start: Vec<f64>,
}

const CHECKPOINTS: [u64; 5] = [50, 100, 300, 1000, 3000];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let directory = PathBuf::from(&arguments[1]);
    let passes: u64 = arguments[3].parse().unwrap();
    let prefix = arguments.get(4).cloned().unwrap_or_default();
    let problems: Vec<Problem> =
        serde_json::from_slice(&std::fs::read(directory.join("problems.json")).unwrap()).unwrap();
    let results = directory.join("results.jsonl");
    let done: HashSet<String> = std::fs::read_to_string(&results)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .map(|line| format!("{}/{}/{}", line["problem"], line["method"], line["passes"]))
        .collect();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&results).unwrap();
    for method in arguments[2].split(',') {
        for problem in problems.iter().filter(|problem| problem.name.starts_with(&prefix)) {
            if done.contains(&format!("\"{}\"/\"{method}\"/{passes}", problem.name)) {
                continue;
            }
            let line = run(&directory, problem, method, passes);
            println!("{line}");
            writeln!(file, "{line}").unwrap();
        }
    }
}

fn load(path: &Path) -> Network {
    Network::load(&std::fs::read(path).unwrap(), &Quota::default())
        .unwrap_or_else(|f| panic!("{path:?}: {f}"))
}

fn run(directory: &Path, problem: &Problem, method: &str, passes: u64) -> serde_json::Value {
    let n = problem.start.len();
    let composite = Composite::new(
        load(&directory.join(&problem.phi)),
        Form::Network(load(&directory.join(&problem.goal))),
        problem.constraints.as_ref().map(|name| load(&directory.join(name))),
        n,
    )
    .unwrap();
    let parameters: Vec<serde_json::Value> = (0..n)
        .map(|i| json!({"name": format!("x{i}"), "type": "float", "low": problem.low, "high": problem.high}))
        .collect();
    let draft: SpaceDraft =
        serde_json::from_value(json!({"parameters": parameters, "parameter_constraints": []})).unwrap();
    let space = Space::check(draft).unwrap();
    let (steps, is_global) = match method {
        "attacks" => (Steps::Attacks, false),
        "direct_search" => (Steps::DirectSearch, false),
        "local" => (Steps::Both, false),
        _ => (Steps::Both, true),
    };
    let seed = problem.name.bytes().map(u64::from).sum();
    let settings = Settings { steps, is_global, measures_truth: false, radii: Radii::default(), seed };
    let start: Vec<f64> =
        problem.start.iter().map(|x| (x - problem.low) / (problem.high - problem.low)).collect();
    let mut hybrid = Hybrid::new(Landscape::new(space.clone(), Arc::new(composite), 1.0), settings);
    let began = Instant::now();
    let mut taken = HashSet::new();
    let mut next = start;
    let mut at: Vec<f64> = Vec::new();
    let mut best = f64::NEG_INFINITY;
    let mut steps: std::collections::BTreeMap<&str, (u64, u64)> = std::collections::BTreeMap::new();
    let mut origin = "start";
    let mut at_150_trials = None;
    while hybrid.landscape().passes() < passes {
        let (value, constraints) = hybrid.landscape().sight(&next);
        let merit = Merit::of(value, &constraints);
        hybrid.tell(&next, merit);
        let entry = steps.entry(origin).or_default();
        entry.0 += 1;
        let now = hybrid.best().map(|(_, merit)| merit).filter(Merit::is_feasible);
        let now = now.map_or(f64::NEG_INFINITY, |merit| merit.value);
        entry.1 += u64::from(now > best);
        while at.len() < CHECKPOINTS.len() && hybrid.landscape().passes() > CHECKPOINTS[at.len()] {
            at.push(best);
        }
        best = now;
        if hybrid.told() == 150 {
            at_150_trials = Some(best);
        }
        taken.insert(space.canonical(&space.decode(&next)));
        let proposed = hybrid.propose(1, &|key| taken.contains(key));
        let Some(candidate) = proposed.into_iter().next() else { break };
        (next, origin) = (candidate.z, candidate.origin);
    }
    at.push(best);
    json!({
        "problem": problem.name, "method": method, "passes": passes, "at": CHECKPOINTS[..at.len().min(5)],
        "values": &at[..at.len().min(5)], "evaluations": hybrid.told(), "at_150_trials": at_150_trials, "runs": hybrid.runs(),
        "steps": steps, "seconds": began.elapsed().as_secs_f64(),
    })
}
