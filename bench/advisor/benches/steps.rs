//! What each step of the surrogate costs in the number of trials n and of parameters d: `cargo bench --bench steps`, then
//! `python3 ../steps.py` for the table and the exponents.
//!
//! The kernel is the service's, a sum of three (`docs/decisions/kernel.md`).

use std::hint::black_box;

use advisor_bench::surrogate::{
    Distance, Factor, GaussianProcess, Hyperparameters, Kernel, MainEffects, Matern52, Noise, Observations,
    Points, Quadratic, Square, Sum, log_marginal_likelihood,
};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// (n, d): n doubles at d = 6, then d doubles at n = 200.
const SIZES: [(usize, usize); 10] =
    [(50, 6), (100, 6), (200, 6), (400, 6), (800, 6), (1600, 6), (200, 2), (200, 12), (200, 24), (200, 48)];

struct Case {
    kernel: Sum,
    noise: Noise,
    rows: Vec<f64>,
    seen: Observations,
    process: GaussianProcess,
    queries: Vec<f64>,
}

fn case(n: usize, d: usize) -> Case {
    let mut rng = ChaCha8Rng::seed_from_u64((n * 1000 + d) as u64);
    let distances = vec![Distance::Numeric; d];
    let rows: Vec<f64> = (0..n * d).map(|_| rng.random()).collect();
    let outputs: Vec<f64> = rows.chunks(d).map(|x| (5.0 * x[0]).sin() + x[d - 1] * x[d - 1]).collect();
    let lengthscales = vec![0.5 * (d as f64).sqrt(); d];
    let kernel = Sum::of(vec![
        Box::new(Matern52::new(&distances, &lengthscales, 1.0)),
        Box::new(Quadratic::new(&distances, 0.5)),
        Box::new(MainEffects::new(&distances, &lengthscales, 0.5)),
    ]);
    let seen = Observations::new(&distances, &rows, &outputs, &vec![0.0; n]);
    let noise = Noise { value: 1e-3, derivative: 0.0 };
    let process =
        GaussianProcess::condition(kernel.boxed().into(), 0.0, noise, seen.clone()).expect("a process");
    let queries = (0..1000 * d).map(|_| rng.random()).collect();
    Case { kernel, noise, rows, seen, process, queries }
}

fn steps(criterion: &mut Criterion) {
    for (n, d) in SIZES {
        let case = case(n, d);
        let distances = vec![Distance::Numeric; d];
        let points = Points::new(&distances, &case.rows);
        let mut step = |name: &str, work: &mut dyn FnMut()| {
            let mut group = criterion.benchmark_group(name);
            group.sample_size(10).warm_up_time(std::time::Duration::from_millis(300));
            group.measurement_time(std::time::Duration::from_secs(1));
            group.bench_function(BenchmarkId::from_parameter(format!("{n}x{d}")), |bencher| {
                bencher.iter(&mut *work)
            });
            group.finish();
        };
        step("kernel_matrix", &mut || {
            let mut matrix = Square::zeros(n);
            case.kernel.matrix(&points, &mut matrix);
            black_box(&matrix);
        });
        let mut matrix = Square::zeros(n);
        case.kernel.matrix(&points, &mut matrix);
        (0..n).for_each(|i| matrix.add_to_diagonal(i, 1e-3));
        step("cholesky", &mut || {
            black_box(Factor::of(matrix.clone()).expect("positive definite"));
        });
        let at = Hyperparameters { kernel: case.kernel.hyperparameters(), noise: case.noise, mean: 0.0 };
        let mut gradient = vec![0.0; at.kernel.len() + 2];
        step("likelihood_with_gradient", &mut || {
            black_box(
                log_marginal_likelihood(&at, &case.kernel, &case.seen, &mut gradient).expect("a likelihood"),
            );
        });
        step("update", &mut || {
            black_box(case.process.with_observation(&case.queries[..d], 0.3, 1e-3));
        });
        step("posterior", &mut || {
            black_box(case.process.predict(&case.queries[..d]));
        });
        let (mut of_means, mut of_sds) = (vec![0.0; 1000 * d], vec![0.0; 1000 * d]);
        step("posterior_of_1000_with_gradients", &mut || {
            black_box(case.process.predict_many_with_gradient(&case.queries, &mut of_means, &mut of_sds));
        });
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
