//! Every kernel against closed forms and finite differences.

use super::*;

const OFF: f64 = f64::NAN;

fn distances() -> [Distance; 4] {
    [Distance::Numeric, Distance::Overlap, Distance::Numeric, Distance::Overlap]
}

fn family() -> Vec<Box<dyn Kernel>> {
    let d = distances();
    let numbers = || Matern52::correlation(&d, &[0, 2], &[0.5, 0.8]);
    let labels = || Matern32::correlation(&d, &[1, 3], &[1.1, 0.7]);
    vec![
        Box::new(Matern52::new(&d, &[0.5, 1.0, 0.8, 0.6], 1.3)),
        Box::new(Matern32::new(&d, &[0.5, 1.0, 0.8, 0.6], 1.3)),
        Box::new(SquaredExponential::new(&d, &[0.5, 1.0, 0.8, 0.6], 1.3)),
        Box::new(Quadratic::new(&d, 0.7)),
        Box::new(MainEffects::new(&d, &[0.5, 1.0, 0.8, 0.6], 1.3)),
        Box::new(Sum::of(vec![
            Box::new(Matern52::new(&d, &[0.5, 1.0, 0.8, 0.6], 1.3)),
            Box::new(Product::of(vec![Box::new(Quadratic::new(&d, 0.4)), Box::new(labels())])),
        ])),
        Box::new(Sum::of(vec![
            Box::new(numbers().scaled(0.8)),
            Box::new(labels().scaled(0.3)),
            Box::new(Product::of(vec![Box::new(numbers().scaled(0.9)), Box::new(labels())])),
        ])),
        Box::new(warped(Matern52::new(&d, &[0.5, 1.0, 0.8, 0.6], 1.3))),
        Box::new(warped(Sum::of(vec![
            Box::new(Quadratic::new(&d, 0.7)),
            Box::new(MainEffects::new(&d, &[0.5, 1.0, 0.8, 0.6], 1.3)),
        ]))),
    ]
}

/// With shapes of either kind.
fn warped(inner: impl Kernel + 'static) -> Warped {
    let mut warped = Warped::new(Box::new(inner));
    let mut values = warped.hyperparameters();
    let count = values.len();
    values[count - 4..].copy_from_slice(&[0.6, 1.7, 2.2, 0.8]);
    warped.set_hyperparameters(&values);
    warped
}

#[test]
fn a_warped_kernel_is_the_kernel_of_warped_points() {
    let d = distances();
    let kernel = Matern52::new(&d, &[0.5, 1.0, 0.8, 0.6], 1.3);
    let warped = warped(kernel.clone());
    // 1 − (1 − xᵃ)ᵇ by hand.
    let by_hand = |x: f64, a: f64, b: f64| 1.0 - (1.0 - x.powf(a)).powf(b);
    let moved = warped.warp(&[0.3, 0.5, 0.7, 1.0]);
    assert!(
        (moved[0] - by_hand(0.3, 0.6, 1.7)).abs() < 1e-5 && (moved[2] - by_hand(0.7, 2.2, 0.8)).abs() < 1e-5
    );
    assert_eq!((moved[1], moved[3]), (0.5, 1.0));
    assert!(warped.warp(&[0.3, 0.5, OFF, 1.0])[2].is_nan());
    let points = Points::new(&d, &rows());
    let places: Vec<f64> = (0..points.len()).flat_map(|i| warped.warp(points.row(i))).collect();
    let places = Points::new(&d, &places);
    let n = points.len();
    let (mut matrix, mut expected) = (Square::zeros(n), Square::zeros(n));
    warped.matrix(&points, &mut matrix);
    kernel.matrix(&places, &mut expected);
    let (mut of_warped, mut of_kernel) = (vec![0.0; n], vec![0.0; n]);
    for j in 0..n {
        assert_eq!(matrix.column(j)[j..], expected.column(j)[j..]);
        warped.column(points.row(j), &points, &mut of_warped);
        kernel.column(places.row(j), &places, &mut of_kernel);
        assert_eq!(of_warped, of_kernel);
        assert_eq!(warped.value(points.row(0), points.row(j)), kernel.value(places.row(0), places.row(j)));
    }
    let mut straight = warped.clone();
    straight.set_hyperparameters(&[0.5, 1.0, 0.8, 0.6, 1.3, 1.0, 1.0, 1.0, 1.0]);
    let (u, v) = (points.row(1), points.row(7));
    assert!((straight.value(u, v) - kernel.value(u, v)).abs() < 1e-5);
}

#[test]
fn a_warped_kernel_has_finite_slopes_at_the_ends() {
    for x in [0.0, 1.0] {
        let mut gradient = [0.0; 4];
        let points = Points::new(&distances(), &rows());
        let kernel = warped(Matern52::new(&distances(), &[0.5, 1.0, 0.8, 0.6], 1.3));
        kernel.add_gradient(&[x, 0.0, x, 0.0], &points, &vec![1.0; points.len()], &mut gradient);
        assert!(gradient.iter().all(|g| g.is_finite()));
    }
}

fn rows() -> Vec<f64> {
    vec![
        0.1, 0.0, 0.3, OFF, 0.7, 1.0, OFF, 0.0, 0.4, 0.5, 0.8, 1.0, 0.95, 0.0, 0.1, 0.5, 0.2, 1.0, OFF, OFF,
        0.1, 0.0, 0.3, OFF, 0.6, 0.5, 0.62, 0.0, 0.33, 1.0, 0.77, 0.5, 0.05, 0.5, 0.9, 1.0,
    ]
}

#[test]
fn shapes_equal_their_closed_forms() {
    let r: f64 = 0.3 / 0.5;
    let d = [Distance::Numeric];
    let (z5, z3) = (5.0_f64.sqrt() * r, 3.0_f64.sqrt() * r);
    let at = |kernel: &dyn Kernel| kernel.value(&[0.1], &[0.4]);
    let five_halves = 2.0 * (1.0 + z5 + z5 * z5 / 3.0) * (-z5).exp();
    assert!((at(&Matern52::new(&d, &[0.5], 2.0)) - five_halves).abs() < 1e-15);
    assert!((at(&Matern32::new(&d, &[0.5], 2.0)) - 2.0 * (1.0 + z3) * (-z3).exp()).abs() < 1e-15);
    assert!((at(&SquaredExponential::new(&d, &[0.5], 2.0)) - 2.0 * (-0.5 * r * r).exp()).abs() < 1e-15);
}

#[test]
fn columns_equal_values() {
    let points = Points::new(&distances(), &rows());
    for kernel in family() {
        for x in [[0.3, 0.0, 0.5, 1.0], [0.3, OFF, OFF, 0.5]] {
            let mut column = vec![0.0; points.len()];
            kernel.column(&x, &points, &mut column);
            for (i, value) in column.iter().enumerate() {
                assert!((value - kernel.value(&x, points.row(i))).abs() < 1e-14, "{kernel:?}");
                assert!((value - kernel.value(points.row(i), &x)).abs() < 1e-14, "{kernel:?}");
            }
            assert!((kernel.variance(&x) - kernel.value(&x, &x)).abs() < 1e-15);
        }
        let mut matrix = Square::zeros(points.len());
        kernel.matrix(&points, &mut matrix);
        for j in 0..points.len() {
            for i in j..points.len() {
                let value = kernel.value(points.row(i), points.row(j));
                assert!((matrix.at(i, j) - value).abs() < 1e-14, "{kernel:?} {i} {j}");
            }
        }
    }
}

#[test]
fn gradients_in_the_inputs_equal_finite_differences() {
    let points = Points::new(&distances(), &rows());
    let coefficients: Vec<f64> = (0..points.len()).map(|i| [0.7, -1.1, 0.4][i % 3]).collect();
    for kernel in family() {
        for x in [[0.3, 0.0, 0.5, 1.0], [0.3, 1.0, OFF, 0.5]] {
            let mut gradient = [0.0; 4];
            kernel.add_gradient(&x, &points, &coefficients, &mut gradient);
            let sum = |x: &[f64]| -> f64 {
                (0..points.len()).map(|i| coefficients[i] * kernel.value(x, points.row(i))).sum()
            };
            for a in [0, 2] {
                let (mut above, mut below) = (x, x);
                above[a] += 1e-6;
                below[a] -= 1e-6;
                let slope = if x[a].is_nan() { 0.0 } else { (sum(&above) - sum(&below)) / 2e-6 };
                assert!((gradient[a] - slope).abs() < 1e-8, "{kernel:?} {x:?} {a}: {gradient:?} {slope}");
            }
            assert_eq!([gradient[1], gradient[3]], [0.0, 0.0]);
        }
    }
}

#[test]
fn gradients_in_the_hyperparameters_equal_finite_differences() {
    let points = Points::new(&distances(), &rows());
    let n = points.len();
    let mut coefficients = Square::zeros(n);
    for j in 0..n {
        for i in 0..n {
            coefficients.set(i, j, [0.7, -1.1, 0.4, 0.2][(i * j + i + j) % 4]);
        }
    }
    for kernel in family() {
        let mut gradient = vec![0.0; kernel.roles().len()];
        kernel.add_log_gradient(&points, &coefficients, &mut gradient);
        let slopes = log_slopes(kernel.as_ref(), |kernel| {
            let mut sum = 0.0;
            for i in 0..n {
                for j in 0..n {
                    sum += 0.5 * coefficients.at(i, j) * kernel.value(points.row(i), points.row(j));
                }
            }
            sum
        });
        assert_close(&gradient, &slopes, &kernel);
    }
}

/// The derivatives in the logarithms of all hyperparameters, by differences.
fn log_slopes(kernel: &dyn Kernel, value: impl Fn(&dyn Kernel) -> f64) -> Vec<f64> {
    let at = kernel.hyperparameters();
    let moved = |index: usize, factor: f64| {
        let mut values = at.clone();
        values[index] *= factor;
        let mut moved = kernel.boxed();
        moved.set_hyperparameters(&values);
        value(moved.as_ref())
    };
    let h: f64 = 1e-5;
    (0..at.len()).map(|i| (moved(i, h.exp()) - moved(i, (-h).exp())) / (2.0 * h)).collect()
}

fn assert_close(found: &[f64], expected: &[f64], what: &dyn Debug) {
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() < 1e-7 * (1.0 + b.abs()), "{what:?} {i}: {found:?} {expected:?}");
    }
}

#[test]
fn jets_equal_finite_differences_of_values() {
    let points = Points::new(&distances(), &rows());
    let h = 1e-4;
    for kernel in family() {
        for (i, j) in [(0, 2), (1, 2), (3, 6), (7, 8), (5, 3)] {
            let (u, v) = (points.row(i), points.row(j));
            let jet = kernel.jet(u, v);
            let shifted = |x: &[f64], a: usize, by: f64| {
                let mut x = x.to_vec();
                x[a] += by;
                x
            };
            assert!((jet.value - kernel.value(u, v)).abs() < 1e-14);
            for a in [0, 2] {
                let up = |by: f64| shifted(u, a, by);
                let slope = (kernel.value(&up(h), v) - kernel.value(&up(-h), v)) / (2.0 * h);
                let slope = if u[a].is_nan() { 0.0 } else { slope };
                assert!((jet.in_u[a] - slope).abs() < 1e-6, "{kernel:?} {a}: {jet:?} {slope}");
                for b in [0, 2] {
                    let at = |x: f64, y: f64| kernel.value(&up(x), &shifted(v, b, y));
                    let slope = (at(h, h) - at(h, -h) - at(-h, h) + at(-h, -h)) / (4.0 * h * h);
                    let slope = if u[a].is_nan() || v[b].is_nan() { 0.0 } else { slope };
                    assert!((jet.in_both[a * 4 + b] - slope).abs() < 1e-5, "{kernel:?}: {jet:?} {slope}");
                }
            }
            let turned = kernel.jet(v, u);
            assert_close(&turned.in_v, &jet.in_u, &kernel);
        }
    }
}

#[test]
fn jets_gradients_in_the_hyperparameters_equal_finite_differences() {
    let points = Points::new(&distances(), &rows());
    for kernel in family() {
        for (i, j) in [(0, 2), (1, 2), (3, 6), (7, 8), (0, 0)] {
            let (u, v) = (points.row(i), points.row(j));
            let mut coefficients = Jet::zeros(4);
            coefficients.value = 0.7;
            coefficients.in_u = vec![0.3, 0.1, -0.5, 0.2];
            coefficients.in_v = vec![-0.6, 0.4, 0.9, -0.3];
            coefficients.in_both = (0..16).map(|k| [0.2, -0.7, 0.5][k % 3]).collect();
            let mut gradient = vec![0.0; kernel.roles().len()];
            kernel.add_jet_log_gradient(u, v, &coefficients, &mut gradient);
            let slopes = log_slopes(kernel.as_ref(), |kernel| {
                let jet = kernel.jet(u, v);
                let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
                coefficients.value * jet.value
                    + dot(&coefficients.in_u, &jet.in_u)
                    + dot(&coefficients.in_v, &jet.in_v)
                    + dot(&coefficients.in_both, &jet.in_both)
            });
            assert_close(&gradient, &slopes, &kernel);
        }
    }
}

#[test]
fn waves_have_the_kernel() {
    let points = Points::new(&distances(), &rows());
    for kernel in family() {
        let waves = kernel.waves(40_000, 7);
        for (i, j) in [(0, 2), (1, 2), (3, 6), (7, 8), (0, 0), (1, 4)] {
            let place = |i: usize| {
                let x = points.row(i);
                kernel.wave_place(x).map_or(x.to_vec(), |(place, _)| place)
            };
            let (u, v) = (&place(i)[..], &place(j)[..]);
            // The expectation over the weights, and over the phase by the mean of a quarter turn.
            let covariance: f64 = waves
                .iter()
                .map(|wave| {
                    let products = wave.product_at(u) * wave.product_at(v);
                    wave.amplitude.powi(2) * products * (wave.phase_at(u) - wave.phase_at(v)).cos()
                })
                .sum();
            assert!(
                (covariance - kernel.value(points.row(i), points.row(j))).abs() < 0.03,
                "{kernel:?} {covariance}"
            );
        }
    }
}
