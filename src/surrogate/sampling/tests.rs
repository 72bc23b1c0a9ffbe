//! The sampled posterior against quadrature, and the ranks of what data were drawn with among what is sampled for them.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::surrogate::kernel::normal;
use crate::surrogate::{Distance, Factor, Matern52, Noise, Square};

const LONG: Plan = Plan { warm_up: 300, draws: 6000, depth: 7, evaluations: 1_000_000 };

fn line(outputs: &[f64]) -> Observations {
    let n = outputs.len();
    let inputs: Vec<f64> = (0..n).map(|i| i as f64 / (n - 1) as f64).collect();
    Observations::new(&[Distance::Numeric], &inputs, outputs, &vec![0.0; n])
}

fn fitted() -> Hyperparameters {
    Hyperparameters { kernel: vec![0.5, 1.0], noise: Noise { value: 0.01, derivative: 0.0 }, mean: 0.0 }
}

#[test]
fn the_gradients_are_finite_differences() {
    let distances = [Distance::Numeric; 2];
    let inputs: Vec<f64> = (0..24).map(|i| f64::from(i * 7 % 24) / 23.0).collect();
    let outputs: Vec<f64> = inputs.chunks(2).map(|x| (5.0 * x[0]).sin() + 0.1 * x[1]).collect();
    let observations = Observations::new(&distances, &inputs, &outputs, &[0.0; 12]);
    let kernel = Matern52::new(&distances, &[1.0; 2], 1.0);
    for (prior, at) in [
        (Prior::Fit, vec![-0.3, 0.4, 0.1, -3.0, 0.2]),
        (Prior::Sparse, vec![1.3, -0.4, 0.1, -3.0, 0.2, -1.7]),
    ] {
        let posterior = Posterior::new(&kernel, &observations, prior);
        let mut gradient = vec![0.0; at.len()];
        posterior.evaluate(&at, &mut gradient);
        for i in 0..at.len() {
            let moved = |by: f64| {
                let mut to = at.clone();
                to[i] += by;
                posterior.evaluate(&to, &mut vec![0.0; at.len()])
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((difference - gradient[i]).abs() < 1e-5 * (1.0 + difference.abs()), "{prior:?} {i}");
        }
    }
}

/// ln of the prior density of the free variables, written out independently, in the order ln ℓ, ln s², ln noise, mean.
fn log_prior_of_line(free: &[f64]) -> f64 {
    let z = [
        (free[0] - std::f64::consts::SQRT_2) / 3.0_f64.sqrt(),
        free[1] / 1.5,
        (free[2] + 9.2) / 4.0,
        free[3],
    ];
    -0.5 * z.iter().map(|z| z * z).sum::<f64>()
}

/// ln p(y | free) of a Matérn-5/2 process on a line, by its definition.
fn log_likelihood_of_line(observations: &Observations, free: &[f64]) -> f64 {
    let n = observations.len();
    let mut covariance = Square::zeros(n);
    for j in 0..n {
        for i in j..n {
            let apart = (observations.points().row(i)[0] - observations.points().row(j)[0]).abs();
            let z = 5.0_f64.sqrt() * apart / free[0].exp();
            let noise = if i == j { free[2].exp() } else { 0.0 };
            covariance.set(i, j, free[1].exp() * (1.0 + z + z * z / 3.0) * (-z).exp() + noise);
        }
    }
    let Some(factor) = Factor::of(covariance) else { return f64::NEG_INFINITY };
    let centred: Vec<f64> = observations.outputs().iter().map(|y| y - free[3]).collect();
    let mut solved = centred.clone();
    factor.solve(&mut solved);
    let fit: f64 = centred.iter().zip(&solved).map(|(a, b)| a * b).sum();
    -0.5 * (fit + factor.log_determinant())
}

#[test]
fn the_posterior_of_a_tiny_problem_is_that_of_quadrature() {
    const EACH: usize = 28;
    let observations = line(&[-0.8, 0.3, 1.1, 0.2, -0.9]);
    // A grid over the bulk of the posterior and beyond.
    let axes = [(-2.6, 6.0), (-4.0, 5.5), (-25.0, 2.0), (-3.4, 3.4)];
    let mut sums = [0.0; 9];
    for index in 0..EACH.pow(4) {
        let place = |(a, &(low, high)): (usize, &(f64, f64))| {
            low + (high - low) * ((index / EACH.pow(a as u32) % EACH) as f64 + 0.5) / EACH as f64
        };
        let free: Vec<f64> = axes.iter().enumerate().map(place).collect();
        let weight = (log_prior_of_line(&free) + log_likelihood_of_line(&observations, &free)).exp();
        for a in 0..4 {
            sums[2 * a] += weight * free[a];
            sums[2 * a + 1] += weight * free[a] * free[a];
        }
        sums[8] += weight;
    }
    let kernel = Matern52::new(&[Distance::Numeric], &[1.0], 1.0);
    let posterior = Posterior::new(&kernel, &observations, Prior::Fit);
    let draws = nuts::sample(&posterior, &posterior.start(&fitted()), &LONG, 11);
    assert_eq!(draws.len(), LONG.draws);
    for a in 0..4 {
        let mean = sums[2 * a] / sums[8];
        let sd = (sums[2 * a + 1] / sums[8] - mean * mean).sqrt();
        let sampled = draws.iter().map(|x| x[a]).sum::<f64>() / draws.len() as f64;
        let spread =
            (draws.iter().map(|x| (x[a] - sampled).powi(2)).sum::<f64>() / draws.len() as f64).sqrt();
        assert!((sampled - mean).abs() < 0.1 * sd, "mean of {a}: {sampled}, by quadrature {mean} ± {sd}");
        assert!((spread / sd - 1.0).abs() < 0.1, "spread of {a}: {spread}, by quadrature {sd}");
    }
}

#[test]
fn true_hyperparameters_have_even_ranks_among_samples() {
    // Simulation-based calibration (Talts et al., arXiv 1804.06788): hyperparameters from the prior, data from them.
    const STUDIES: usize = 300;
    let kernel = Matern52::new(&[Distance::Numeric], &[1.0], 1.0);
    let plan = Plan { warm_up: 80, draws: 95, depth: 5, evaluations: 100_000 };
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut counts = [[0.0; 4]; 4];
    for study in 0..STUDIES {
        let truth = [
            std::f64::consts::SQRT_2 + 3.0_f64.sqrt() * normal(&mut rng),
            1.5 * normal(&mut rng),
            -9.2 + 4.0 * normal(&mut rng),
            normal(&mut rng),
        ];
        let at = Hyperparameters::from_free(&truth, false);
        let mut covariance = line(&[0.0; 6]).covariance(at.kernel(&kernel).as_ref());
        (0..6).for_each(|i| covariance.add_to_diagonal(i, at.noise.value + 1e-12 * at.kernel[1]));
        let root = Factor::of(covariance).unwrap();
        let z: Vec<f64> = (0..6).map(|_| normal(&mut rng)).collect();
        let output = |i: usize| at.mean + (0..=i).map(|j| root.lower()[(i, j)] * z[j]).sum::<f64>();
        let observations = line(&(0..6).map(output).collect::<Vec<_>>());
        let posterior = Posterior::new(&kernel, &observations, Prior::Fit);
        let samples = sample_by(&plan, 19, &posterior, &fitted(), study as u64);
        assert_eq!(samples.len(), 19);
        for a in 0..4 {
            let below = samples.iter().filter(|sample| sample.to_free(false)[a] < truth[a]).count();
            counts[a][below / 5] += 1.0;
        }
    }
    let expected = STUDIES as f64 / 4.0;
    for (a, counts) in counts.iter().enumerate() {
        let chi_square: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
        // The 99.9 % quantile for three degrees of freedom.
        assert!(chi_square < 16.3, "ranks of variable {a}: {counts:?}");
    }
}

#[test]
fn the_sparse_prior_finds_the_coordinates_that_matter() {
    let d = 20;
    let distances = vec![Distance::Numeric; d];
    let sobol = crate::space::sobol::Sobol::new(d, 4);
    let inputs: Vec<f64> = (0..40).flat_map(|i| sobol.point(i)).collect();
    let value = |x: &[f64]| 2.0 * (4.0 * x[3]).sin() + 3.0 * (x[11] - 0.4).powi(2) - 1.0;
    let outputs: Vec<f64> = inputs.chunks(d).map(value).collect();
    let observations = Observations::new(&distances, &inputs, &outputs, &[0.0; 40]);
    let kernel = Matern52::new(&distances, &vec![1.0; d], 1.0);
    let start = Hyperparameters { kernel: vec![1.0; d + 1], ..fitted() };
    let samples = sample(&kernel, &observations, &start, Prior::Sparse, 2);
    assert_eq!(samples.len(), SAMPLES);
    let median = |a: usize| {
        let mut lengthscales: Vec<f64> = samples.iter().map(|sample| sample.kernel[a]).collect();
        lengthscales.sort_by(f64::total_cmp);
        lengthscales[samples.len() / 2]
    };
    let least_idle = (0..d).filter(|a| ![3, 11].contains(a)).map(median).fold(f64::INFINITY, f64::min);
    assert!(least_idle > 3.0 * median(3) && least_idle > 2.0 * median(11), "{least_idle}");
}

#[test]
fn the_work_is_bounded_and_some_samples_are_left_of_the_least() {
    for (n, d) in [(1, 1), (100, 30), (200, 100), (200, 1000)] {
        let plan = plan(n, d);
        let in_warm_up = plan.warm_up * ((1 << plan.depth) - 1);
        assert!(in_warm_up < plan.evaluations, "{n} {d}: {plan:?}");
    }
}
