//! The advisor in one process, without HTTP and without a store: how good its points are, and what one costs.
//!
//! `regret [--functions a,b] [--seeds 11] [--trials 50] [--workers 1] [--errors known] [--acquisition auto] [--hyperparameters auto] [--input-warping auto]`: the
//! median, mean, upper quartile, least and greatest log₁₀ of the simple regret (the value of the best trial less the minimum;
//! with noise, the value without it at what is recommended in the end), minimizers moved by the seed. Each
//! of several workers asks as soon as it has told; all take equally long.
//!
//! `cold [--sizes 10,50,100] [--repeats 15] [--function hartmann6] [--hyperparameters auto]`: milliseconds of one suggestion by an advisor that
//! remembers nothing, at random points.
//!
//! `samples DIRECTORY [SEEDS]`, `truth DIRECTORY [SEEDS]`: beside a trained network; the head of `truth.rs` tells.
//!
//! `model FILE`: the surrogate alone; the head of `model.rs` tells of the file.

mod functions;
mod model;
mod truth;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use advisor_bench::advisor::{Advisor, History, Seen, Standing};
use advisor_bench::study::{Definition, Observation};
use functions::{Function, functions};

/// From so many coordinates on a function is run only where it is named.
const MANY: usize = 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str, otherwise: &str| -> String {
        let at = arguments.iter().position(|argument| argument == &format!("--{name}"));
        at.and_then(|at| arguments.get(at + 1)).cloned().unwrap_or_else(|| otherwise.to_owned())
    };
    let count =
        |name: &str, otherwise: &str| option(name, otherwise).parse::<usize>().expect("a whole number");
    let algorithm = || Algorithm {
        acquisition: option("acquisition", "auto"),
        hyperparameters: option("hyperparameters", "auto"),
        input_warping: option("input-warping", "auto"),
    };
    let number = |at: usize, default| arguments.get(at).map_or(default, |n| n.parse().expect("a whole number"));
    match arguments.first().map(String::as_str) {
        Some("regret") => {
            let small = functions().into_iter().filter(|function| function.dimension < MANY);
            let all = small.map(|function| function.name).collect::<Vec<_>>().join(",");
            let names = option("functions", &all);
            let course = Course {
                algorithm: algorithm(),
                trials: count("trials", "50"),
                workers: count("workers", "1"),
                are_errors_known: option("errors", "unknown") == "known",
            };
            regret(&names, count("seeds", "11"), &course, count("threads", "2"));
        }
        Some("cold") => {
            let function = named(&option("function", "hartmann6"));
            cold(&option("sizes", "10,50,100"), count("repeats", "15"), &function, &algorithm());
        }
        Some("samples") => truth::samples(Path::new(arguments.get(1).expect("a directory")), number(2, 10)),
        Some("truth") => truth::compare(Path::new(arguments.get(1).expect("a directory")), number(2, 10)),
        Some("model") => model::answer(arguments.get(1).expect("a file")),
        _ => eprintln!("advisor-bench regret|cold|samples|truth|model [options]; the head of src/main.rs tells them"),
    }
}

fn named(name: &str) -> Function {
    functions().into_iter().find(|function| function.name == name).expect("a function of functions.rs")
}

fn define(function: &Function, seed: usize, algorithm: &Algorithm) -> Definition {
    let parameter = |a| json!({"name": format!("x{a}"), "type": "float", "low": 0, "high": 1});
    let parameters: Vec<_> = (0..function.dimension).map(parameter).collect();
    let draft = json!({
        "name": function.name, "seed": seed, "parameters": parameters,
        "metrics": [{"name": "value", "goal": "minimize"}],
        "algorithm": {"acquisition": algorithm.acquisition, "hyperparameters": algorithm.hyperparameters,
            "input_warping": algorithm.input_warping},
    });
    Definition::check(serde_json::from_value(draft).expect("a study"), 0).expect("a valid study")
}

/// A trial that was told a value, or is awaited.
fn seen(
    definition: &Definition,
    coordinates: Vec<f64>,
    told: Option<(f64, Option<f64>)>,
    number: usize,
) -> Seen {
    let point = definition.space().decode(&coordinates);
    let observed = |(value, sem)| Standing::Completed(vec![Some(Observation { value, sem, gradient: None })]);
    Seen {
        key: definition.space().canonical(&point),
        coordinates: Some(definition.space().encode(&point)),
        standing: told.map_or(Standing::Pending, observed),
        told_revision: if told.is_some() { number as u64 + 1 } else { 0 },
        curve: Vec::new(),
        gain: None,
    }
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// What a study says of its algorithm.
struct Algorithm {
    acquisition: String,
    hyperparameters: String,
    input_warping: String,
}

/// How a study is run.
struct Course {
    algorithm: Algorithm,
    trials: usize,
    workers: usize,
    /// Whether the noise's standard deviation is told with each value.
    are_errors_known: bool,
}

/// One study: log₁₀ of the regret at its end, and seconds a suggestion.
fn run(function: &Function, seed: usize, course: &Course) -> (f64, f64) {
    let function = function.moved(seed as u64);
    let definition = define(&function, seed, &course.algorithm);
    let advisor = Advisor::default();
    let mut history = History::default();
    let mut rng = ChaCha8Rng::seed_from_u64(seed as u64);
    let (mut best, mut regret) = (f64::INFINITY, f64::INFINITY);
    let mut running = VecDeque::new();
    let started = Instant::now();
    for number in 0..course.trials {
        let proposals = advisor.suggest(&definition, &history, 1);
        let coordinates = definition.space().encode(&proposals[0].point);
        history.put(number, seen(&definition, coordinates.clone(), None, number));
        running.push_back((number, coordinates));
        let is_last = number + 1 == course.trials;
        while running.len() >= course.workers || is_last {
            let Some((told, coordinates)) = running.pop_front() else { break };
            let exact = function.regret(&coordinates);
            let value = exact + function.noise * normal(&mut rng);
            if value < best {
                (best, regret) = (value, exact);
            }
            let sem = course.are_errors_known.then_some(function.noise);
            history.put(told, seen(&definition, coordinates, Some((value, sem)), told));
        }
    }
    if function.noise > 0.0
        && let Some(recommended) = advisor.recommend(&definition, &history).first()
    {
        regret = function.regret(&definition.space().encode(&recommended.point));
    }
    (regret.max(1e-12).log10(), started.elapsed().as_secs_f64() / course.trials as f64)
}

fn regret(names: &str, seeds: usize, course: &Course, threads: usize) {
    println!(
        "| function | median | mean | upper quartile | least | greatest | ms a suggestion |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    for name in names.split(',') {
        let function = named(name);
        let next = AtomicUsize::new(0);
        let ends = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= seeds {
                            break;
                        }
                        let end = run(&function, seed, course);
                        ends.lock().expect("no thread panics").push(end);
                    }
                });
            }
        });
        let ends = ends.into_inner().expect("no thread panics");
        let mut regrets: Vec<f64> = ends.iter().map(|end| end.0).collect();
        regrets.sort_by(f64::total_cmp);
        let ms = 1e3 * ends.iter().map(|end| end.1).sum::<f64>() / seeds as f64;
        let (median, least, most) = (regrets[seeds / 2], regrets[0], regrets[seeds - 1]);
        let mean = regrets.iter().sum::<f64>() / seeds as f64;
        let upper = regrets[3 * seeds / 4];
        println!("| {name} | {median:.2} | {mean:.2} | {upper:.2} | {least:.2} | {most:.2} | {ms:.1} |");
    }
}

fn cold(sizes: &str, repeats: usize, function: &Function, algorithm: &Algorithm) {
    println!("| trials | median, ms | least | greatest |\n| ---: | ---: | ---: | ---: |");
    for size in sizes.split(',').map(|size| size.parse::<usize>().expect("a whole number")) {
        let mut times = Vec::new();
        for repeat in 0..=repeats {
            let definition = define(function, repeat, algorithm);
            let mut rng = ChaCha8Rng::seed_from_u64(repeat as u64);
            let mut history = History::default();
            for number in 0..size {
                let coordinates: Vec<f64> = (0..function.dimension).map(|_| rng.random()).collect();
                let value = function.regret(&coordinates) + function.noise * normal(&mut rng);
                history.put(number, seen(&definition, coordinates, Some((value, None)), number));
            }
            let started = Instant::now();
            let proposals = Advisor::default().suggest(&definition, &history, 1);
            assert_eq!(proposals.len(), 1);
            // The first one warms up.
            if repeat > 0 {
                times.push(1e3 * started.elapsed().as_secs_f64());
            }
        }
        times.sort_by(f64::total_cmp);
        println!("| {size} | {:.2} | {:.2} | {:.2} |", times[repeats / 2], times[0], times[repeats - 1]);
    }
}
