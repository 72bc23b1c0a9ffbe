//! Acquisitions that look at nothing but the posterior of one process at one point: functions of μ and σ.

use super::Acquisition;
use crate::surrogate::{GaussianProcess, Prediction};

/// A function of μ and σ, with its derivatives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slopes {
    /// The value.
    pub value: f64,
    /// Its derivative in μ.
    pub in_mean: f64,
    /// Its derivative in σ.
    pub in_sd: f64,
}

/// An acquisition that is a function of the posterior at one point.
pub trait Marginal {
    /// The process.
    fn process(&self) -> &GaussianProcess;

    /// The function.
    fn of(&self, prediction: &Prediction) -> Slopes;
}

impl<M: Marginal> Acquisition for M {
    fn value(&self, x: &[f64]) -> f64 {
        self.of(&self.process().predict(x)).value
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let d = x.len();
        let mut gradients = vec![0.0; 2 * d];
        let (of_mean, of_sd) = gradients.split_at_mut(d);
        let slopes = self.of(&self.process().predict_with_gradient(x, of_mean, of_sd));
        for i in 0..d {
            gradient[i] += slopes.in_mean * of_mean[i] + slopes.in_sd * of_sd[i];
        }
        slopes.value
    }

    fn rate(&self, points: &[f64], values: &mut [f64]) {
        let predictions = self.process().predict_many(points);
        values.iter_mut().zip(&predictions).for_each(|(value, at)| *value = self.of(at).value);
    }
}
