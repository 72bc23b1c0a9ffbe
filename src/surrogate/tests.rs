//! The posterior against dense algebra, finite differences and Monte Carlo.

use faer::Mat;

use super::kernel::normal;
use super::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const DISTANCES: [Distance; 2] = [Distance::Numeric; 2];

fn kernel() -> Matern52 {
    Matern52::new(&DISTANCES, &[0.4, 0.7], 1.2)
}

fn observations() -> Observations {
    let inputs = [0.1, 0.2, 0.8, 0.3, 0.5, 0.9, 0.3, 0.6, 0.75, 0.8];
    Observations::new(&DISTANCES, &inputs, &[0.5, -1.0, 0.3, 1.1, -0.2], &[0.0, 0.01, 0.0, 0.02, 0.0])
}

fn noise() -> Noise {
    Noise { value: 1e-3, derivative: 2e-3 }
}

/// Processes on values alone, and on values and derivatives.
fn processes() -> Vec<GaussianProcess> {
    let mut with_derivatives = observations();
    with_derivatives.push_derivative(1, 0, 0.7, 0.01);
    with_derivatives.push_derivative(3, 1, -0.4, 0.0);
    [observations(), with_derivatives]
        .into_iter()
        .map(|seen| GaussianProcess::condition(kernel().into(), 0.1, noise(), seen).unwrap())
        .collect()
}

impl From<Matern52> for std::sync::Arc<dyn Kernel> {
    fn from(kernel: Matern52) -> Self {
        std::sync::Arc::new(kernel)
    }
}

fn moved(x: &[f64], a: usize, by: f64) -> Vec<f64> {
    let mut x = x.to_vec();
    x[a] += by;
    x
}

/// Derivatives of a number in each entry of `x`, by differences.
fn slopes(x: &[f64], value: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let h = 1e-6;
    (0..x.len()).map(|a| (value(&moved(x, a, h)) - value(&moved(x, a, -h))) / (2.0 * h)).collect()
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < tolerance * (1.0 + b.abs()), "{found:?} {expected:?}");
    }
}

/// Mean and covariance at points by plain algebra with the inverse, every covariance from the kernel's jets.
fn dense(process: &GaussianProcess, rows: &[f64]) -> (Vec<f64>, Mat<f64>) {
    let seen = process.evidence();
    let n = seen.len();
    let entry = |jet: kernel::Jet, i: Functional, j: Functional| match (i, j) {
        (Functional::Value, Functional::Value) => jet.value,
        (Functional::Derivative { coordinate }, Functional::Value) => jet.in_u[coordinate],
        (Functional::Value, Functional::Derivative { coordinate }) => jet.in_v[coordinate],
        (Functional::Derivative { coordinate: a }, Functional::Derivative { coordinate: b }) => {
            jet.in_both[a * 2 + b]
        }
    };
    let mut k = Square::zeros(n);
    for i in 0..n {
        for j in 0..n {
            let jet = process.kernel().jet(process.input(i), process.input(j));
            k.set(i, j, entry(jet, seen.functional(i), seen.functional(j)));
        }
        let learned = match seen.functional(i) {
            Functional::Value => process.noise().value,
            Functional::Derivative { .. } => process.noise().derivative,
        };
        k.add_to_diagonal(i, seen.known_noise()[i] + learned);
    }
    let inverse = Factor::of(k).unwrap().inverse().matrix().to_owned();
    let points = Points::new(&DISTANCES, rows);
    let m = points.len();
    let cross = Mat::from_fn(n, m, |i, p| {
        let jet = process.kernel().jet(process.input(i), points.row(p));
        entry(jet, seen.functional(i), Functional::Value)
    });
    let prior = Mat::from_fn(m, m, |p, q| process.kernel().value(points.row(p), points.row(q)));
    let covariance = prior - cross.transpose() * &inverse * &cross;
    let centred = Mat::from_fn(n, 1, |i, _| match seen.functional(i) {
        Functional::Value => seen.outputs()[i] - process.prior_mean(),
        Functional::Derivative { .. } => seen.outputs()[i],
    });
    let mean = cross.transpose() * &inverse * centred;
    ((0..m).map(|p| mean[(p, 0)] + process.prior_mean()).collect(), covariance)
}

const ROWS: [f64; 6] = [0.2, 0.4, 0.6, 0.15, 0.55, 0.85];

#[test]
fn the_posterior_equals_plain_algebra() {
    for process in processes() {
        let (mean, covariance) = dense(&process, &ROWS);
        let joint = process.joint(&ROWS);
        let many = process.predict_many(&ROWS);
        let cross = process.covariance(&ROWS, &ROWS);
        for p in 0..3 {
            let at = process.predict(&ROWS[2 * p..2 * p + 2]);
            assert!((at.mean - mean[p]).abs() < 1e-12 && (joint.mean()[p] - mean[p]).abs() < 1e-12);
            assert!((at.sd * at.sd - covariance[(p, p)]).abs() < 1e-12);
            assert!((many[p].mean - at.mean).abs() < 1e-13 && (many[p].sd - at.sd).abs() < 1e-13);
            for q in 0..3 {
                assert!((joint.covariance()[(p, q)] - covariance[(p, q)]).abs() < 1e-12);
                assert!((cross[(p, q)] - covariance[(p, q)]).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn gradients_of_the_posterior_equal_finite_differences() {
    for process in processes() {
        let (mut of_means, mut of_sds) = (vec![0.0; 6], vec![0.0; 6]);
        process.predict_many_with_gradient(&ROWS, &mut of_means, &mut of_sds);
        for (p, x) in ROWS.chunks(2).enumerate() {
            let (mut of_mean, mut of_sd, mut of_mean_alone) = ([0.0; 2], [0.0; 2], [0.0; 2]);
            process.predict_with_gradient(x, &mut of_mean, &mut of_sd);
            process.mean_with_gradient(x, &mut of_mean_alone);
            assert_close(&of_mean, &slopes(x, |x| process.predict(x).mean), 1e-7);
            assert_close(&of_sd, &slopes(x, |x| process.predict(x).sd), 1e-7);
            assert_close(&of_mean, &of_mean_alone, 1e-13);
            assert_close(&of_mean, &of_means[2 * p..2 * p + 2], 1e-12);
            assert_close(&of_sd, &of_sds[2 * p..2 * p + 2], 1e-12);
            let z = [0.9, 0.1];
            let mut of_covariance = [0.0; 2];
            let covariance = process.covariance_with_gradient(x, &z, &mut of_covariance);
            assert!((covariance - process.covariance(x, &z)[(0, 0)]).abs() < 1e-12);
            assert_close(&of_covariance, &slopes(x, |x| process.covariance(x, &z)[(0, 0)]), 1e-7);
        }
    }
}

#[test]
fn pullbacks_equal_finite_differences() {
    for process in processes() {
        let z = [[0.3, -1.2, 0.8], [1.1, 0.2, -0.5]];
        let weights = [[0.5, -0.3, 1.0], [0.2, 0.7, -0.4]];
        let joint = process.joint(&ROWS);
        let of_covariance = Mat::from_fn(3, 3, |p, q| [0.3, -0.6, 0.8, 0.1, 0.5][(p * 3 + q) % 5]);
        let number = |rows: &[f64]| -> f64 {
            let joint = process.joint(rows);
            let both = (0..9).map(|k| of_covariance[(k / 3, k % 3)] * joint.covariance()[(k / 3, k % 3)]);
            both.sum::<f64>() + joint.mean().iter().zip(weights[0]).map(|(m, w)| m * w).sum::<f64>()
        };
        assert_close(&joint.pull_back(&weights[0], of_covariance.as_ref()), &slopes(&ROWS, number), 1e-7);

        let root = joint.root().unwrap();
        let samples = z.iter().zip(&weights).map(|(z, w)| (z.as_slice(), w.as_slice()));
        let squares = |rows: &[f64]| -> f64 {
            let joint = process.joint(rows);
            let root = joint.root().unwrap();
            let of = |(z, w): (&[f64; 3], &[f64; 3])| -> f64 {
                joint.sample(&root, z).iter().zip(w).map(|(y, w)| y * w).sum()
            };
            z.iter().zip(&weights).map(of).sum()
        };
        assert_close(&joint.pull_back_samples(&root, samples), &slopes(&ROWS, squares), 1e-5);

        for (p, q) in [(0, 1), (2, 0), (1, 1)] {
            let x = &ROWS[2 * p..2 * p + 2];
            let entry = |x: &[f64]| {
                let mut rows = ROWS;
                rows[2 * p..2 * p + 2].copy_from_slice(x);
                process.joint(&rows).covariance()[(p, q)]
            };
            assert_close(&joint.covariance_gradient(p, q), &slopes(x, entry), 1e-7);
        }
    }
}

#[test]
fn a_further_observation_is_a_new_process() {
    let process = &processes()[0];
    let mut seen = observations();
    seen.push(&[0.6, 0.15], 0.4, 0.05);
    let whole = GaussianProcess::condition(kernel().into(), 0.1, noise(), seen).unwrap();
    let extended = process.with_observation(&[0.6, 0.15], 0.4, 0.05 + noise().value);
    for x in ROWS.chunks(2) {
        let (a, b) = (extended.predict(x), whole.predict(x));
        assert!((a.mean - b.mean).abs() < 1e-12 && (a.sd - b.sd).abs() < 1e-12);
    }
}

#[test]
fn imagined_outcomes_are_further_observations() {
    for process in processes() {
        let (places, noise) = ([0.6, 0.15, 0.25, 0.9], 0.02);
        let imagined = process.imagine(&places, noise).unwrap();
        let outcomes = [[0.4, -0.9], [1.5, 0.2]];
        let learned: Vec<Vec<f64>> = outcomes.iter().map(|outcome| imagined.learn(outcome)).collect();
        for (j, outcome) in outcomes.iter().enumerate() {
            let whole = imagined.process(outcome);
            for x in ROWS.chunks(2) {
                let (means, sd) = imagined.predict(x, &learned);
                let expected = whole.predict(x);
                assert!((means[j] - expected.mean).abs() < 1e-9 && (sd - expected.sd).abs() < 1e-9);
                assert!((imagined.means(x, &learned)[j] - expected.mean).abs() < 1e-9);
                let (mut gradient, mut of_whole) = ([0.0; 2], [0.0; 2]);
                let mean = imagined.mean_with_gradient(x, &learned[j], &mut gradient);
                whole.mean_with_gradient(x, &mut of_whole);
                assert!((mean - expected.mean).abs() < 1e-9);
                assert_close(&gradient, &of_whole, 1e-8);
            }
        }
        let z = [0.7, -0.3];
        let drawn: Vec<f64> = (0..2)
            .map(|p| imagined.mean()[p] + (0..=p).map(|q| imagined.root()[(p, q)] * z[q]).sum::<f64>())
            .collect();
        assert_close(&imagined.learn(&drawn), &imagined.learn_standard(&z), 1e-10);
    }
}

#[test]
fn leaving_one_out_equals_conditioning_on_the_others() {
    let process = &processes()[0];
    let seen = process.evidence();
    for (left_out, predicted) in process.leave_one_out().into_iter().enumerate() {
        let others: Vec<usize> = (0..seen.len()).filter(|i| *i != left_out).collect();
        let inputs: Vec<f64> = others.iter().flat_map(|&i| process.input(i).to_vec()).collect();
        let pick = |values: &[f64]| -> Vec<f64> { others.iter().map(|&i| values[i]).collect() };
        let rest = Observations::new(&DISTANCES, &inputs, &pick(seen.outputs()), &pick(seen.known_noise()));
        let rest = GaussianProcess::condition(kernel().into(), 0.1, noise(), rest).unwrap();
        let expected = rest.predict(process.input(left_out));
        assert!((predicted.mean - expected.mean).abs() < 1e-11, "{predicted:?} {expected:?}");
        assert!((predicted.sd - expected.sd).abs() < 1e-11, "{predicted:?} {expected:?}");
    }
}

#[test]
fn the_mean_at_an_observation_is_the_posterior_mean_there() {
    let process = &processes()[0];
    for i in 0..process.observations() {
        assert!((process.mean_at_observation(i) - process.mean(process.input(i))).abs() < 1e-12);
    }
}

#[test]
fn drawn_functions_have_the_posterior() {
    for process in processes() {
        let joint = process.joint(&ROWS);
        let count = 600_u32;
        let drawn: Vec<Vec<f64>> = (0..count)
            .map(|seed| {
                let path = process.path(u64::from(seed));
                ROWS.chunks(2).map(|x| path.value(x)).collect()
            })
            .collect();
        for p in 0..3 {
            let mean = drawn.iter().map(|f| f[p]).sum::<f64>() / f64::from(count);
            let sd = joint.covariance()[(p, p)].sqrt();
            assert!((mean - joint.mean()[p]).abs() < 4.0 * sd / f64::from(count).sqrt() + 0.01, "{mean}");
            for q in 0..3 {
                let products = drawn.iter().map(|f| (f[p] - joint.mean()[p]) * (f[q] - joint.mean()[q]));
                let covariance = products.sum::<f64>() / f64::from(count);
                let scale = (joint.covariance()[(p, p)] * joint.covariance()[(q, q)]).sqrt();
                assert!((covariance - joint.covariance()[(p, q)]).abs() < 0.25 * scale, "{covariance}");
            }
        }
        let path = process.path(5);
        for x in ROWS.chunks(2) {
            let mut gradient = [0.0; 2];
            let value = path.value_with_gradient(x, &mut gradient);
            assert!((value - path.value(x)).abs() < 1e-11);
            assert_close(&gradient, &slopes(x, |x| path.value(x)), 1e-6);
        }
    }
}

#[test]
fn samples_have_the_posterior() {
    let process = &processes()[1];
    let joint = process.joint(&ROWS);
    let root = joint.root().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut sum = 0.0;
    for _ in 0..4000 {
        let z: Vec<f64> = (0..3).map(|_| normal(&mut rng)).collect();
        let y = joint.sample(&root, &z);
        sum += (y[0] - joint.mean()[0]) * (y[1] - joint.mean()[1]) / 4000.0;
    }
    let scale = (joint.covariance()[(0, 0)] * joint.covariance()[(1, 1)]).sqrt();
    assert!((sum - joint.covariance()[(0, 1)]).abs() < 0.08 * scale);
}
