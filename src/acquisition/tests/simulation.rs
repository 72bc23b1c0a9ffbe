//! What an observation is worth, by drawing its outcome and conditioning on it.

use super::*;
use crate::acquisition::normal::{quantile, quasi_normal};

/// KG at x by brute force: drawn outcomes, each with the posterior refitted and its mean maximized over a grid.
fn nested_knowledge_gradient(process: &GaussianProcess, x: &[f64], grid: &[f64], draws: usize) -> f64 {
    let d = x.len();
    let best = |process: &GaussianProcess| {
        grid.chunks_exact(d).map(|z| process.mean(z)).fold(process.mean(x), f64::max)
    };
    let noise = process.noise().value;
    let at = process.predict(x);
    let spread = (at.sd * at.sd + noise).sqrt();
    let before = best(process);
    (0..draws)
        .map(|j| {
            let z = quantile((j as f64 + 0.5) / draws as f64);
            best(&process.with_observation(x, at.mean + spread * z, noise)) - before
        })
        .sum::<f64>()
        / draws as f64
}

#[test]
fn knowledge_gradients_equal_nested_simulation() {
    for (d, places) in [(1, vec![0.2, 0.45, 0.75]), (2, vec![0.3, 0.75, 0.9, 0.9, 0.2, 0.4])] {
        let (space, process) = small(d);
        let around: Vec<Vec<f64>> = vec![process.input(1).to_vec()];
        let search = Search { space: &space, around: &around, taken: &|_| false, region: None, seed: 2 };
        let fine = grid(d, if d == 1 { 201 } else { 31 });
        let simulated = SimulatedKnowledgeGradient::new(&process, &search, 64);
        let on_grid = ValueOfInformation::new(&process, &grid(d, if d == 1 { 101 } else { 16 })).unwrap();
        let believed =
            beliefs(vec![process.clone()], (0..4).flat_map(|i| process.input(i).to_vec()).collect());
        let closed = discrete_knowledge_gradient(&believed, &search).unwrap();
        for x in places.chunks_exact(d) {
            let reference = nested_knowledge_gradient(&process, x, &fine, 128);
            let (by_simulation, by_grid, by_closed) =
                (simulated.value(x).exp(), on_grid.value(x).exp(), closed.value(x).exp());
            let close = |value: f64, share: f64| (value - reference).abs() < share * reference + 0.02 * share;
            assert!(close(by_simulation, 0.05), "{d} {x:?}: {by_simulation} {reference}");
            assert!(close(by_grid, 0.05), "{d} {x:?}: {by_grid} {reference}");
            assert!(close(by_closed, 0.2), "{d} {x:?}: {by_closed} {reference}");
        }
        // The places that the three ways choose are nearly as good as the best of the grid.
        let best = fine
            .chunks_exact(d)
            .step_by(if d == 1 { 5 } else { 7 })
            .map(|x| nested_knowledge_gradient(&process, x, &fine, 16))
            .fold(0.0, f64::max);
        let none = Sum(Vec::new());
        let stochastic =
            stochastic_ascent(&simulated, &none, Ascent { starts: 4, steps: 20, draws: 4, decay: 4.0 });
        let jointly = one_shot(&process, &search, &none, 16).unwrap();
        let (_, closed) = best_of(&search, &closed).unwrap();
        for (name, found) in
            [("stochastic", stochastic.unwrap()), ("one-shot", jointly.unwrap()), ("closed", closed)]
        {
            let worth = nested_knowledge_gradient(&process, &found.coordinates, &fine, 64);
            assert!(worth > 0.9 * best, "{d} {name}: {worth} of {best} at {:?}", found.coordinates);
        }
    }
}

#[test]
fn exact_noisy_improvement_equals_nested_simulation() {
    for (d, places) in [(1, vec![0.2, 0.45, 0.75]), (2, vec![0.3, 0.75, 0.9, 0.9, 0.2, 0.4])] {
        let (_, process) = small(d);
        // Without the best of the observed points, so that a place is expected to be better than what was evaluated.
        let best =
            (0..4).max_by(|&i, &j| process.mean(process.input(i)).total_cmp(&process.mean(process.input(j))));
        let tried: Vec<f64> =
            (0..4).filter(|i| Some(*i) != best).flat_map(|i| process.input(i).to_vec()).collect();
        let incumbent = tried.chunks_exact(d).map(|x| process.mean(x)).fold(f64::NEG_INFINITY, f64::max);
        let believed = beliefs(vec![process.clone()], tried.clone());
        let exact = exact_noisy_expected_improvement(&believed).unwrap();
        let mut better = 0;
        for x in places.chunks_exact(d).chain([process.input(best.unwrap())]) {
            // The brute force knows the choice of x before its outcome, which is worth nothing until x is evaluated.
            let sure = (process.mean(x) - incumbent).max(0.0);
            better += usize::from(sure > 0.0);
            let expected = nested_knowledge_gradient(&process, x, &tried, 4096) + sure;
            let value = exact.value(x).exp();
            assert!((value - expected).abs() < 2e-3 * (0.01 + expected), "{d} {x:?}: {value} {expected}");
        }
        assert!(better > 0);
    }
}

#[test]
fn exact_noisy_improvement_is_expected_improvement_where_there_is_no_noise() {
    let inputs = [0.05, 0.3, 0.55, 0.95];
    let exact_process =
        process(&[Distance::Numeric], &[0.25], (1.0, 0.1, 1e-12), &inputs, &[0.2, 1.1, -0.4, 0.6]);
    let noisy = noisy_improvement(&exact_process, &inputs).unwrap();
    let known = LogExpectedImprovement { objective: &exact_process, incumbent: 1.1 };
    for x in [0.0, 0.11, 0.27, 0.4, 0.7, 0.85, 1.0] {
        let (value, expected) = (noisy.value(&[x]), known.value(&[x]));
        assert!((value - expected).abs() < 1e-4, "{x}: {value} {expected}");
    }
}

#[test]
fn the_value_of_a_batch_equals_nested_simulation() {
    for (d, batches) in [
        (1, vec![vec![0.2, 0.45], vec![0.45, 0.75], vec![0.7, 0.72]]),
        (2, vec![vec![0.3, 0.75, 0.9, 0.9], vec![0.2, 0.4, 0.25, 0.45]]),
    ] {
        let (_, process) = small(d);
        let points = grid(d, if d == 1 { 51 } else { 12 });
        let noise = process.noise().value;
        let best = |process: &GaussianProcess, x: &[f64]| {
            let choices = points.chunks_exact(d).chain(x.chunks_exact(d));
            choices.map(|z| process.mean(z)).fold(f64::NEG_INFINITY, f64::max)
        };
        for x in &batches {
            let before = best(&process, x);
            // One outcome after the other, each drawn from what the one before it leaves.
            let worths: Vec<f64> = quasi_normal(4096, 2, 11)
                .chunks_exact(2)
                .map(|z| {
                    let mut after = process.clone();
                    for (x, z) in x.chunks_exact(d).zip(z) {
                        let at = after.predict(x);
                        let y = at.mean + (at.sd * at.sd + noise).sqrt() * z;
                        after.push(x, y, noise);
                    }
                    best(&after, x) - before
                })
                .collect();
            let expected = worths.iter().sum::<f64>() / 4096.0;
            let variance = worths.iter().map(|worth| (worth - expected).powi(2)).sum::<f64>() / 4096.0;
            let most = 0.01 * expected + 3.0 * (variance / 4096.0).sqrt();
            let batch = BatchValue::new(&process, &points, (2, 256, 3)).unwrap();
            let value = batch.value_with_gradient(x, &mut vec![0.0; 2 * d]).exp();
            assert!((value - expected).abs() < most, "{d} {x:?}: {value} {expected} within {most}");
        }
    }
}

#[test]
fn batches_of_one_are_what_single_points_are() {
    let (space, process) = small(2);
    let tried: Vec<f64> = (0..4).flat_map(|i| process.input(i).to_vec()).collect();
    let believed = beliefs(vec![process.clone()], tried.clone());
    let search = Search { space: &space, around: &[], taken: &|_| false, region: None, seed: 4 };
    let maxima = sample_maxima(&process, &search, 8, 7);
    let none = Sum(Vec::new());
    let joint = || JointEntropySearch::new(&process, &maxima).unwrap();
    let noisy = BatchImprovement::new(&process, tried.clone(), f64::NEG_INFINITY, &none, (1, 64, 3));
    let known = BatchImprovement::new(&process, Vec::new(), 0.8, &none, (1, 64, 3));
    let pairs: Vec<(Box<dyn Batch + '_>, Box<dyn Acquisition + '_>)> = vec![
        (Box::new(noisy), Box::new(LogNoisyExpectedImprovement::new(&believed, 64, 3).unwrap())),
        (Box::new(known), Box::new(LogExpectedImprovement { objective: &process, incumbent: 0.8 })),
        (
            Box::new(BatchValue::new(&process, &tried, (1, 64, 3)).unwrap()),
            Box::new(ValueOfInformation::new(&process, &tried).unwrap()),
        ),
        (Box::new(BatchInformation { process: &process, gain: Box::new(joint()) }), Box::new(joint())),
    ];
    for (k, (batch, single)) in pairs.iter().enumerate() {
        for x in [[0.3, 0.75], [0.9, 0.9], [0.2, 0.4]] {
            let together = batch.value_with_gradient(&x, &mut [0.0; 2]);
            assert!((together - single.value(&x)).abs() < 1e-6, "{k}: {together} {}", single.value(&x));
        }
    }
}

#[test]
fn thompson_sampling_tries_points_as_likely_as_they_are_the_best() {
    const DRAWS: u64 = 600;
    for d in [1, 2] {
        let (_, process) = small(d);
        let points = grid(d, if d == 1 { 33 } else { 9 });
        let count = points.len() / d;
        // Into eight cells: by the first coordinate, and in two dimensions by the half of the second.
        let cell = |i: usize| {
            let x = &points[i * d..(i + 1) * d];
            let along = if d == 1 { 8.0 } else { 4.0 };
            let first = ((x[0] * along) as usize).min(along as usize - 1);
            first + if d == 2 && x[1] > 0.5 { 4 } else { 0 }
        };
        let best_of = |values: &[f64]| (0..count).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap();
        let joint = process.joint(&points);
        let root = joint.root().unwrap();
        let mut shares = [[0.0; 8]; 3];
        for z in quasi_normal(1 << 13, count, 5).chunks_exact(count) {
            shares[0][cell(best_of(&joint.sample(&root, z)))] += 1.0 / f64::from(1 << 13);
        }
        for seed in 0..DRAWS {
            let path = ThompsonPath::new(&process, 0.9, seed);
            let values: Vec<f64> = points.chunks_exact(d).map(|x| path.value(x)).collect();
            shares[1][cell(best_of(&values))] += 1.0 / DRAWS as f64;
            let drawn = draw_at(&process, &points, seed).unwrap();
            shares[2][cell(best_of(&drawn))] += 1.0 / DRAWS as f64;
        }
        for k in 0..8 {
            let expected = shares[0][k];
            let error = (expected * (1.0 - expected) / DRAWS as f64).sqrt();
            for way in [1, 2] {
                let share = shares[way][k];
                assert!((share - expected).abs() < 4.0 * error + 0.005, "{d} {k} {way}: {share} {expected}");
            }
        }
    }
}
