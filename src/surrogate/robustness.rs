//! What data may do to a model: nothing worse than an error that names the cause.

use super::*;

fn kernel(d: usize) -> Matern52 {
    Matern52::new(&vec![Distance::Numeric; d], &vec![1.0; d], 1.0)
}

/// Fits a model to values of any size and looks at it at some places: everything is finite in the metric's units.
fn assert_sound(d: usize, inputs: &[f64], values: &[f64]) -> (Fitted, GaussianProcess) {
    let errors = vec![0.0; values.len()];
    let seen = Seen {
        inputs: inputs.to_vec(),
        values: values.to_vec(),
        errors,
        shaping: Shaping::Transformed,
        ..Seen::default()
    };
    let fitted = seen.fit(&kernel(d), -1.0, 1).unwrap();
    let process = fitted.process(&kernel(d), &seen).unwrap();
    for place in [vec![0.5; d], inputs[..d].to_vec(), vec![1.0; d]] {
        let (mut of_mean, mut of_sd) = (vec![0.0; d], vec![0.0; d]);
        let at = process.predict_with_gradient(&place, &mut of_mean, &mut of_sd);
        assert!(at.mean.is_finite() && at.sd.is_finite() && at.sd > 0.0, "{at:?}");
        assert!(of_mean.iter().chain(&of_sd).all(|slope| slope.is_finite()), "{of_mean:?} {of_sd:?}");
        assert!(fitted.output.undo(at.mean).is_finite(), "{fitted:?} {at:?}");
    }
    (fitted, process)
}

#[test]
fn one_point() {
    assert_sound(3, &[0.1, 0.2, 0.3], &[7.0]);
}

#[test]
fn the_same_point_again_and_again() {
    let inputs = [0.3, 0.6].repeat(12);
    assert_sound(2, &inputs, &[1.0; 12]);
    let differing: Vec<f64> = (0..12).map(|i| f64::from(i % 3)).collect();
    let (_, process) = assert_sound(2, &inputs, &differing);
    assert!((process.predict(&[0.3, 0.6]).mean).abs() < 0.2);
}

#[test]
fn outputs_that_never_change() {
    let inputs: Vec<f64> = (0..30).map(|i| f64::from(i * 7 % 30) / 30.0).collect();
    for value in [0.0, 5.0, -1e300, 1e-300] {
        let (fitted, process) = assert_sound(2, &inputs, &[value; 15]);
        let mean = fitted.output.undo(process.predict(&[0.4, 0.9]).mean);
        assert!((mean - value).abs() <= 1e-6 * value.abs(), "{mean} {value}");
    }
}

#[test]
fn a_column_that_never_changes() {
    let inputs: Vec<f64> = (0..15).flat_map(|i| [f64::from(i) / 15.0, 0.25]).collect();
    let values: Vec<f64> = (0..15).map(|i| (f64::from(i) / 3.0).sin()).collect();
    assert_sound(2, &inputs, &values);
}

#[test]
fn outputs_of_extreme_sizes() {
    let inputs: Vec<f64> = (0..40).map(|i| f64::from(i * 7 % 40) / 40.0).collect();
    for size in [1e300, 1e-300] {
        let values: Vec<f64> = (0..20).map(|i| size * (f64::from(i) / 3.0).sin()).collect();
        assert_sound(2, &inputs, &values);
    }
    let mut mixed: Vec<f64> = (0..20).map(|i| (f64::from(i) / 3.0).sin()).collect();
    mixed[4] = 1e300;
    mixed[11] = -1e300;
    assert_sound(2, &inputs, &mixed);
}

#[test]
fn a_thousand_dimensions_and_five_points() {
    let inputs: Vec<f64> =
        (0..5000_u32).map(|i| f64::from(i.wrapping_mul(2_654_435_761) >> 8) / 16_777_216.0).collect();
    assert_sound(1000, &inputs, &[1.0, -2.0, 0.5, 3.0, 0.0]);
}

#[test]
fn what_is_no_number_is_named() {
    let seen = Observations::new(&[Distance::Numeric], &[0.1, 0.2], &[1.0, f64::NAN], &[0.0; 2]);
    assert_eq!(fit(&kernel(1), &seen, 0), Err(SurrogateError::NotFinite { row: 1 }));
    let seen = Observations::new(&[Distance::Numeric], &[f64::INFINITY, 0.2], &[1.0, 0.0], &[0.0; 2]);
    assert_eq!(fit(&kernel(1), &seen, 0), Err(SurrogateError::NotFinite { row: 0 }));
    let seen = Observations::new(&[Distance::Numeric], &[], &[], &[]);
    assert_eq!(fit(&kernel(1), &seen, 0), Err(SurrogateError::Empty));
}
