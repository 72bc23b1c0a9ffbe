//! Posteriors that make no sense, and huge batches: every value is a number, and so is every slope.
//!
//! `TELLUS_FUZZ` says how many evaluations; by default as many as a test has time for.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::acquisition::envelope::expected_maximum;
use crate::surrogate::Prediction;

/// Evaluations by default.
const EVALUATIONS: usize = 24_000;

fn evaluations() -> usize {
    std::env::var("TELLUS_FUZZ").ok().and_then(|count| count.parse().ok()).unwrap_or(EVALUATIONS)
}

/// A value may be −∞, where nothing is to be gained; it is never another number that is none, and its slopes are finite.
fn assert_sound(name: &str, value: f64, slopes: &[f64], at: &dyn std::fmt::Debug) {
    assert!(!value.is_nan() && value < f64::INFINITY, "{name} {at:?}: {value}");
    assert!(slopes.iter().all(|slope| slope.is_finite()), "{name} {at:?}: {value} {slopes:?}");
}

/// A number over many orders of magnitude, of either sign.
fn wild(rng: &mut ChaCha8Rng, orders: f64) -> f64 {
    let sign = if rng.random::<bool>() { 1.0 } else { -1.0 };
    sign * 10.0_f64.powf(orders * (2.0 * rng.random::<f64>() - 1.0))
}

#[test]
fn functions_of_a_normal_outcome_are_sound_at_any_mean_and_spread() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let cells = Cells::new(&[vec![1.0, 0.0], vec![0.5, 0.7], vec![0.5, 0.7]], &[-1.0, f64::MIN_POSITIVE]);
    let process = process(&[Distance::Numeric], &[0.3], (1.0, 0.0, 0.0), &[0.5, 0.5, 0.2], &[1.0, -1.0, 0.0]);
    let maxima = vec![1.0, 1.0 + 1e-15, 50.0];
    let functions: Vec<(&str, Box<dyn Marginal + '_>)> = vec![
        ("ei", Box::new(LogExpectedImprovement { objective: &process, incumbent: 0.5 })),
        ("pi", Box::new(LogProbabilityOfImprovement { objective: &process, target: 0.5 })),
        ("ucb", Box::new(UpperConfidenceBound { objective: &process, incumbent: 0.5, beta: 4.0 })),
        ("mes", Box::new(MaxValueEntropySearch { objective: &process, maxima })),
        ("between", Box::new(Bounded { metric: &process, lower: -0.1, upper: 0.1 })),
        ("above", Box::new(Bounded { metric: &process, lower: 0.0, upper: f64::INFINITY })),
        ("success", Box::new(Success { labels: &process })),
    ];
    for _ in 0..evaluations() / 9 {
        // Standardized outputs, and standard deviations from certainty to ignorance.
        let (mean, sd) = (wild(&mut rng, 8.0), wild(&mut rng, 8.0).abs().max(1e-8));
        for (name, function) in &functions {
            let slopes = function.of(&Prediction { mean, sd });
            assert_sound(name, slopes.value, &[slopes.in_mean, slopes.in_sd], &(mean, sd));
        }
        let (other, spread) = (wild(&mut rng, 3.0), wild(&mut rng, 6.0).abs());
        let gain = cells.expected(&[mean, other], &[sd, spread]);
        let slopes: Vec<f64> = gain.in_means.iter().chain(&gain.in_sds).copied().collect();
        assert_sound("hypervolume", gain.log, &slopes, &(mean, sd, other, spread));
        let (a, b) = ([mean, other, 0.0], [sd, wild(&mut rng, 6.0), wild(&mut rng, 6.0)]);
        let worth = expected_maximum(&a, &b);
        let slopes: Vec<f64> = worth.slopes.iter().flat_map(|&(_, a, b)| [a, b]).collect();
        assert_sound("envelope", worth.log, &slopes, &(a, b));
    }
}

/// A process that something is wrong with: points that coincide, no noise or nothing but noise, outputs that are all the
/// same or far out, lengthscales that are tiny or endless.
fn broken(rng: &mut ChaCha8Rng, d: usize, n: usize, inputs: &[f64]) -> GaussianProcess {
    let outputs: Vec<f64> = match rng.random_range(0..4) {
        0 => vec![0.0; n],
        1 => (0..n).map(|_| wild(rng, 6.0)).collect(),
        _ => (0..n).map(|_| 2.0 * rng.random::<f64>() - 1.0).collect(),
    };
    let lengthscales: Vec<f64> = (0..d).map(|_| 10.0_f64.powf(5.0 * rng.random::<f64>() - 3.0)).collect();
    let variance = 10.0_f64.powf(8.0 * rng.random::<f64>() - 6.0);
    let noise = [0.0, 1e-12, 1e-4, 10.0][rng.random_range(0..4)];
    process(&vec![Distance::Numeric; d], &lengthscales, (variance, 0.0, noise), inputs, &outputs)
}

#[test]
fn every_acquisition_is_sound_on_broken_posteriors_and_huge_batches() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut left = evaluations() / 12;
    while left > 0 {
        let d = rng.random_range(1..4);
        let n = rng.random_range(2..12);
        let inputs: Vec<f64> = match rng.random_range(0..3) {
            // The same place again and again, a line, anywhere.
            0 => vec![0.5; n * d],
            1 => (0..n * d).map(|i| (i / d) as f64 / n as f64).collect(),
            _ => (0..n * d).map(|_| rng.random::<f64>()).collect(),
        };
        let objectives: Vec<GaussianProcess> =
            (0..rng.random_range(1..4)).map(|_| broken(&mut rng, d, n, &inputs)).collect();
        let mut beliefs = beliefs(objectives, inputs.clone());
        let awaited = if rng.random_range(0..8) == 0 { 256 } else { rng.random_range(0..4) };
        beliefs.pending = (0..awaited * d).map(|i| (i % 16) as f64 / 16.0).collect();
        let believing = beliefs.believing_pending();
        let space = cube(d);
        let around = vec![inputs[..d].to_vec()];
        let seed: u64 = rng.random();
        let search = Search { space: &space, around: &around, taken: &|_| false, region: None, seed };
        let none = Sum(Vec::new());
        let mut asked = 0;
        let mut places = |rng: &mut ChaCha8Rng, q: usize| -> Vec<f64> {
            asked += q;
            match rng.random_range(0..4) {
                0 => inputs[..d].repeat(q),
                1 => (0..q * d).map(|_| f64::from(u8::from(rng.random::<bool>()))).collect(),
                _ => (0..q * d).map(|_| rng.random::<f64>()).collect(),
            }
        };
        for algorithm in ALGORITHMS.iter().filter(|a| a.is_multi_objective == (beliefs.objectives.len() > 1))
        {
            let chosen = choose(algorithm.name, &serde_json::Map::new()).unwrap();
            let context =
                registry::Context { beliefs: &beliefs, search: &search, settings: &chosen.settings };
            let taken_in = registry::Context { beliefs: &believing, ..context };
            // What cannot be made says so; the advisor has an answer for that.
            let made = match algorithm.maker {
                registry::Maker::Believing(make) => make(&taken_in),
                registry::Maker::Sampling(make) => make(&context),
                registry::Maker::Direct { direct, otherwise } => {
                    let direct = direct(&taken_in, &none);
                    let value = direct.ok().flatten().map_or(0.0, |candidate| candidate.value);
                    assert_sound(algorithm.name, value, &[], &seed);
                    otherwise(&taken_in)
                }
                registry::Maker::Policy => continue,
            };
            let Ok(acquisition) = made else { continue };
            for _ in 0..8 {
                let x = places(&mut rng, 1);
                let mut gradient = vec![0.0; d];
                let value = acquisition.value_with_gradient(&x, &mut gradient);
                assert_sound(algorithm.name, value, &gradient, &(&x, seed));
            }
            let Some(jointly) = algorithm.jointly else { continue };
            let (beliefs, believing, settings) = (&beliefs, &believing, &chosen.settings);
            let q = rng.random_range(1..5);
            let together =
                registry::Together { beliefs, believing, search: &search, settings, weights: &none, q };
            let Ok(Some(batch)) = jointly(&together) else { continue };
            for _ in 0..2 {
                let x = places(&mut rng, q);
                let mut gradient = vec![0.0; q * d];
                let value = batch.value_with_gradient(&x, &mut gradient);
                assert_sound(algorithm.name, value, &gradient, &(&x, seed));
            }
        }
        left = left.saturating_sub(asked.max(1));
    }
}
