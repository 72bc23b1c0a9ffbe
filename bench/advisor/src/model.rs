//! `model FILE`: the surrogate alone, on cases that `bench/surrogate.py` writes, one JSON object a line.
//!
//! A case has `dimension`, `inputs` and `values` to learn from, `points` and `truths` to be judged by, `repeats`, and `form`:
//! `matern` (Matérn-5/2, standardized, so that it is the model of the peers) or `service` (the kernel and the transforms that
//! studies get). The answer, a line a case: `fit_ms` and `predict_ms` (the posterior at all points with its gradients), least of
//! the repeats, and for each point the log density of its truth in the values' own units and the truth's place in the
//! predictive distribution, from 0 to 1.

use std::hint::black_box;
use std::time::Instant;

use advisor_bench::acquisition::log_cdf;
use advisor_bench::surrogate::{Distance, Kernel, MainEffects, Matern52, Quadratic, Seen, Shaping, Sum};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Case {
    dimension: usize,
    inputs: Vec<f64>,
    values: Vec<f64>,
    points: Vec<f64>,
    truths: Vec<f64>,
    form: String,
    repeats: usize,
}

#[derive(Serialize)]
struct Answer {
    fit_ms: f64,
    predict_ms: f64,
    transform: &'static str,
    log_densities: Vec<f64>,
    places: Vec<f64>,
}

/// Answers every line of the file.
pub fn answer(file: &str) {
    for line in std::fs::read_to_string(file).expect("a file of cases").lines() {
        let case: Case = serde_json::from_str(line).expect("a case");
        println!("{}", serde_json::to_string(&run(&case)).expect("numbers"));
    }
}

fn run(case: &Case) -> Answer {
    let distances = vec![Distance::Numeric; case.dimension];
    let ones = vec![1.0; case.dimension];
    let together = Matern52::new(&distances, &ones, 1.0);
    let (kernel, shaping): (Box<dyn Kernel>, Shaping) = match case.form.as_str() {
        "matern" => (Box::new(together), Shaping::Standardized),
        _ => {
            let effects = Box::new(MainEffects::new(&distances, &ones, 1.0));
            let sum = vec![
                Box::new(together) as Box<dyn Kernel>,
                Box::new(Quadratic::new(&distances, 1.0)),
                effects,
            ];
            (Box::new(Sum::of(sum)), Shaping::Transformed)
        }
    };
    let errors = vec![0.0; case.values.len()];
    let (inputs, values) = (case.inputs.clone(), case.values.clone());
    let seen = Seen { inputs, values, errors, derivatives: Vec::new(), shaping };
    let (mut fit_ms, mut predict_ms) = (f64::INFINITY, f64::INFINITY);
    let mut answer = None;
    for _ in 0..case.repeats.max(1) {
        let started = Instant::now();
        let fitted = seen.fit(kernel.as_ref(), 1.0, 7).expect("a fit");
        let process = fitted.process(kernel.as_ref(), &seen).expect("a process");
        fit_ms = fit_ms.min(1e3 * started.elapsed().as_secs_f64());
        let (mut of_means, mut of_sds) = (vec![0.0; case.points.len()], vec![0.0; case.points.len()]);
        let started = Instant::now();
        let predicted = process.predict_many_with_gradient(&case.points, &mut of_means, &mut of_sds);
        predict_ms = predict_ms.min(1e3 * started.elapsed().as_secs_f64());
        black_box((&of_means, &of_sds));
        answer = Some((fitted, process, predicted));
    }
    let (fitted, process, predicted) = answer.expect("a repeat");
    let noise = process.noise().value;
    let (mut log_densities, mut places) = (Vec::new(), Vec::new());
    for (at, &truth) in predicted.iter().zip(&case.truths) {
        let sd = (at.sd * at.sd + noise).sqrt();
        let z = (fitted.output.apply(truth) - at.mean) / sd;
        let slope = fitted.output.slope(truth).abs();
        log_densities.push(-0.5 * (z * z + std::f64::consts::TAU.ln()) - sd.ln() + slope.ln());
        places.push(log_cdf(z).exp());
    }
    Answer { fit_ms, predict_ms, transform: fitted.output.transform().name(), log_densities, places }
}
