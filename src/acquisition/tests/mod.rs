//! Every acquisition against something independent: BoTorch's values and gradients (`tests/fixtures/acquisitions.py`),
//! nested simulation by brute force, finite differences, and inputs that make no sense.

mod botorch;
mod fuzz;
mod gradients;
mod information;
mod proposals;
mod simulation;

use std::borrow::Cow;

use serde_json::Value as Json;

use super::*;
use crate::space::{DomainDraft, ParameterDraft, Scale, Space, SpaceDraft};
use crate::surrogate::{Distance, Matern52, Noise, Observations};

fn fixture() -> Json {
    serde_json::from_str(include_str!("../../../tests/fixtures/acquisitions.json")).unwrap()
}

fn numbers(json: &Json) -> Vec<f64> {
    match json {
        Json::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// A process with learned noise.
fn process(
    distances: &[Distance],
    lengthscales: &[f64],
    (variance, mean, noise): (f64, f64, f64),
    inputs: &[f64],
    outputs: &[f64],
) -> GaussianProcess {
    let kernel = Matern52::new(distances, lengthscales, variance);
    let observations = Observations::new(distances, inputs, outputs, &vec![0.0; outputs.len()]);
    let learned = Noise { value: noise, ..Noise::default() };
    GaussianProcess::condition(std::sync::Arc::new(kernel), mean, learned, observations).unwrap()
}

/// The fixture's objective number `k`.
fn recorded(fixture: &Json, k: usize) -> GaussianProcess {
    let given = &fixture["processes"][k];
    let number = |name: &str| given[name].as_f64().unwrap();
    process(
        &[Distance::Numeric; 2],
        &numbers(&given["lengthscales"]),
        (number("variance"), number("mean"), number("noise")),
        &numbers(&fixture["inputs"]),
        &numbers(&fixture["outputs"][k]),
    )
}

fn beliefs(objectives: Vec<GaussianProcess>, feasible: Vec<f64>) -> Beliefs<'static> {
    let outcomes: Vec<Vec<f64>> = feasible
        .chunks_exact(objectives[0].dimension())
        .map(|x| objectives.iter().map(|process| process.mean(x)).collect())
        .collect();
    Beliefs {
        reference: inferred_reference(&outcomes),
        objectives: objectives.into_iter().map(Cow::Owned).collect(),
        constraints: Vec::new(),
        success: None,
        cost: None,
        trials: outcomes.len(),
        feasible,
        pending: Vec::new(),
    }
}

fn cube(d: usize) -> Space {
    let parameter = |i: usize| ParameterDraft {
        name: format!("x{i}"),
        domain: DomainDraft::Float { low: 0.0, high: 1.0, scale: Scale::Linear, step: None },
        when: Default::default(),
    };
    let draft = SpaceDraft { parameters: (0..d).map(parameter).collect(), parameter_constraints: Vec::new() };
    Space::check(draft).unwrap()
}

/// A space of one or two coordinates with a process on a few noisy observations in it.
fn small(d: usize) -> (Space, GaussianProcess) {
    let inputs: &[f64] =
        if d == 1 { &[0.05, 0.35, 0.6, 0.9] } else { &[0.1, 0.2, 0.8, 0.3, 0.5, 0.9, 0.3, 0.6] };
    let outputs = [0.2, 0.9, 0.1, -0.8];
    (cube(d), process(&vec![Distance::Numeric; d], &vec![0.3; d], (1.0, 0.0, 0.02), inputs, &outputs))
}

fn grid(d: usize, steps: u32) -> Vec<f64> {
    let unit = |k: u32| f64::from(k) / f64::from(steps - 1);
    match d {
        1 => (0..steps).map(unit).collect(),
        _ => (0..steps).flat_map(|i| (0..steps).flat_map(move |j| [unit(i), unit(j)])).collect(),
    }
}
