//! The posterior and the likelihood against GPyTorch's, at equal hyperparameters and without jitter.
//!
//! `tests/fixtures/gaussian_process.py` made the numbers.

use std::sync::Arc;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Fixture {
    values: Vec<OfValues>,
    composed: Vec<OfComposed>,
    derivatives: Vec<OfDerivatives>,
}

#[derive(Deserialize)]
struct OfValues {
    kernel: String,
    labels: bool,
    inputs: Vec<f64>,
    outputs: Vec<f64>,
    known_noise: Vec<f64>,
    lengthscales: Vec<f64>,
    signal: f64,
    noise: f64,
    mean: f64,
    #[serde(flatten)]
    recorded: Recorded,
}

/// What is recorded of a kernel on some values: the likelihood, its gradient, the posterior.
#[derive(Deserialize)]
struct Recorded {
    log_marginal_likelihood: f64,
    gradient: Vec<f64>,
    points: Vec<f64>,
    posterior_mean: Vec<f64>,
    posterior_covariance: Vec<f64>,
}

/// Kernels that are not stationary, and sums of kernels.
#[derive(Deserialize)]
struct OfComposed {
    kernel: String,
    labels: bool,
    inputs: Vec<f64>,
    outputs: Vec<f64>,
    noise: f64,
    mean: f64,
    #[serde(flatten)]
    recorded: Recorded,
}

#[derive(Deserialize)]
struct OfDerivatives {
    kernel: String,
    inputs: Vec<f64>,
    /// The value and both partial derivatives, point after point.
    observed: Vec<f64>,
    lengthscales: Vec<f64>,
    signal: f64,
    noise: f64,
    derivative_noise: f64,
    mean: f64,
    log_marginal_likelihood: f64,
    points: Vec<f64>,
    posterior_mean: Vec<f64>,
    posterior_covariance: Vec<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../tests/fixtures/gaussian_process.json")).unwrap()
}

fn kernel(name: &str, distances: &[Distance], lengthscales: &[f64], signal: f64) -> Arc<dyn Kernel> {
    match name {
        "matern_5_2" => Arc::new(Matern52::new(distances, lengthscales, signal)),
        "matern_3_2" => Arc::new(Matern32::new(distances, lengthscales, signal)),
        "squared_exponential" => Arc::new(SquaredExponential::new(distances, lengthscales, signal)),
        other => panic!("no such kernel: {other}"),
    }
}

/// The kernel of that name, at the hyperparameters that the script has.
fn composed(name: &str, distances: &[Distance]) -> Arc<dyn Kernel> {
    let shared = || Matern52::new(distances, &[0.4, 0.9, 0.7], 1.3);
    let effects = || MainEffects::new(distances, &[0.5, 0.8, 1.1], 0.9);
    let trend = || Quadratic::new(distances, 0.6);
    match name {
        "quadratic" => Arc::new(Sum::of(vec![Box::new(trend()), Box::new(shared())])),
        "main_effects" => Arc::new(effects()),
        "sum" => Arc::new(Sum::of(vec![Box::new(shared()), Box::new(effects()), Box::new(trend())])),
        "warped" => {
            let mut warped = Warped::new(Box::new(shared()));
            let mut at = warped.hyperparameters();
            let shapes = at.len() - 6;
            at[shapes..].copy_from_slice(&[0.6, 1.3, 1.5, 0.7, 1.1, 2.0]);
            warped.set_hyperparameters(&at);
            Arc::new(warped)
        }
        other => panic!("no such kernel: {other}"),
    }
}

/// Relative to the prior variance.
const TOLERANCE: f64 = 1e-8;

fn assert_posterior(process: &GaussianProcess, points: &[f64], mean: &[f64], covariance: &[f64]) {
    let joint = process.joint(points);
    let prior = process.kernel().variance(&points[..process.dimension()]);
    for (p, expected) in mean.iter().enumerate() {
        assert!((joint.mean()[p] - expected).abs() < TOLERANCE * prior.sqrt(), "{p}");
        for q in 0..mean.len() {
            let expected = covariance[p * mean.len() + q];
            assert!((joint.covariance()[(p, q)] - expected).abs() < TOLERANCE * prior, "{p} {q}");
        }
    }
}

/// Numbers, the last of which is a label in some cases.
fn distances(has_labels: bool) -> [Distance; 3] {
    [Distance::Numeric, Distance::Numeric, if has_labels { Distance::Overlap } else { Distance::Numeric }]
}

fn assert_recorded(
    name: &str,
    kernel: Arc<dyn Kernel>,
    (noise, mean): (f64, f64),
    seen: Observations,
    recorded: &Recorded,
) {
    let noise = Noise { value: noise, derivative: 0.0 };
    let at = Hyperparameters { kernel: kernel.hyperparameters(), noise, mean };
    assert_eq!(at.kernel.len() + 2, recorded.gradient.len(), "{name}");
    let mut gradient = vec![0.0; recorded.gradient.len()];
    let value = log_marginal_likelihood(&at, kernel.as_ref(), &seen, &mut gradient).unwrap();
    assert!((value - recorded.log_marginal_likelihood).abs() < TOLERANCE, "{name} {value}");
    for (ours, theirs) in gradient.iter().zip(&recorded.gradient) {
        let far = (ours - theirs).abs() / (1.0 + theirs.abs());
        assert!(far < TOLERANCE, "{name} {gradient:?} {:?}", recorded.gradient);
    }
    let process = GaussianProcess::condition(kernel, mean, noise, seen).unwrap();
    assert_eq!(process.jitter(), 0.0, "{name}");
    let Recorded { points, posterior_mean, posterior_covariance, .. } = recorded;
    assert_posterior(&process, points, posterior_mean, posterior_covariance);
}

#[test]
fn values_are_as_gpytorch_has_them() {
    let fixture = fixture();
    assert_eq!(fixture.values.len(), 12);
    for case in fixture.values {
        let distances = distances(case.labels);
        let kernel = kernel(&case.kernel, &distances, &case.lengthscales, case.signal);
        let seen = Observations::new(&distances, &case.inputs, &case.outputs, &case.known_noise);
        assert_recorded(&case.kernel, kernel, (case.noise, case.mean), seen, &case.recorded);
    }
}

#[test]
fn trends_effects_sums_and_warps_are_as_gpytorch_has_them() {
    let fixture = fixture();
    assert_eq!(fixture.composed.len(), 7);
    for case in fixture.composed {
        let distances = distances(case.labels);
        let kernel = composed(&case.kernel, &distances);
        let known = vec![0.0; case.outputs.len()];
        let seen = Observations::new(&distances, &case.inputs, &case.outputs, &known);
        assert_recorded(&case.kernel, kernel, (case.noise, case.mean), seen, &case.recorded);
    }
}

#[test]
fn derivatives_are_as_gpytorch_has_them() {
    let fixture = fixture();
    assert_eq!(fixture.derivatives.len(), 2);
    for case in fixture.derivatives {
        let distances = [Distance::Numeric; 2];
        let kernel = kernel(&case.kernel, &distances, &case.lengthscales, case.signal);
        let noise = Noise { value: case.noise, derivative: case.derivative_noise };
        let outputs: Vec<f64> = case.observed.chunks(3).map(|at| at[0]).collect();
        let mut seen = Observations::new(&distances, &case.inputs, &outputs, &vec![0.0; outputs.len()]);
        for (point, at) in case.observed.chunks(3).enumerate() {
            seen.push_derivative(point, 0, at[1], 0.0);
            seen.push_derivative(point, 1, at[2], 0.0);
        }
        let process = GaussianProcess::condition(kernel, case.mean, noise, seen).unwrap();
        assert!((process.log_marginal_likelihood() - case.log_marginal_likelihood).abs() < TOLERANCE);
        assert_posterior(&process, &case.points, &case.posterior_mean, &case.posterior_covariance);
    }
}
