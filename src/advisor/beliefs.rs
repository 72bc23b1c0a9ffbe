//! From a history to models: one Gaussian process a metric that matters, and one for whether evaluations succeed.
//!
//! Units and signs are put on and taken off here: objectives are turned so that larger is better, and every output is
//! standardized. Hyperparameters are refitted at points of the history that its length alone determines; between them
//! the model takes the new trials in with the hyperparameters it has. Points whose results are awaited enter with their
//! posterior mean, which leaves the mean as it is and takes away the uncertainty around them.

use super::history::{Seen, Standing};
use super::memo::{self, FitMemo};
use crate::space::Space;
use crate::study::{Definition, Goal};
use crate::surrogate::{Distance, GaussianProcess, Matern52, Observations, SurrogateError, fit};

/// A process over one metric with what turns its output back into the metric's units.
pub(super) struct Belief {
    pub(super) process: GaussianProcess,
    pub(super) scale: Standard,
}

/// y = (sign · value − centre) / spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standard {
    sign: f64,
    centre: f64,
    spread: f64,
}

impl Standard {
    /// Of values that are turned by `sign`. Values of any finite size: they are scaled before they are squared.
    #[allow(clippy::cast_precision_loss)]
    fn of(values: &[f64], sign: f64) -> Self {
        let size = values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        if size == 0.0 {
            return Self { sign, centre: 0.0, spread: 1.0 };
        }
        let n = values.len() as f64;
        let centre = values.iter().map(|v| v / size).sum::<f64>() / n;
        let variance = values.iter().map(|v| (v / size - centre).powi(2)).sum::<f64>() / n;
        let spread = variance.sqrt() * size;
        // Values that are equal up to rounding have no spread of their own.
        let spread = if spread > 1e-14 * size { spread } else { size };
        Self { sign, centre: sign * centre * size, spread }
    }

    pub(super) fn apply(&self, value: f64) -> f64 {
        // Divided first: the difference of two huge values may overflow.
        self.sign * value / self.spread - self.centre / self.spread
    }

    pub(super) fn undo(&self, standardized: f64) -> f64 {
        self.sign * (standardized * self.spread + self.centre)
    }

    pub(super) fn spread(&self) -> f64 {
        self.spread
    }
}

/// Rows of coordinates with a value and a standard error each.
#[derive(Default)]
pub(super) struct Rows {
    inputs: Vec<f64>,
    values: Vec<f64>,
    errors: Vec<f64>,
    /// The values are labels of ±1, not to be standardized.
    are_labels: bool,
}

impl Rows {
    pub(super) fn push(&mut self, coordinates: &[f64], value: f64, sem: Option<f64>) {
        self.inputs.extend_from_slice(coordinates);
        self.values.push(value);
        self.errors.push(sem.unwrap_or(0.0));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// What was observed of metric `index`, in the order of `told`.
    pub(super) fn of_metric(told: &[(usize, &Seen)], index: usize) -> Self {
        let mut rows = Self::default();
        for (_, seen) in told {
            if let (Standing::Completed(metrics), Some(coordinates)) = (&seen.standing, &seen.coordinates)
                && let Some(observation) = &metrics[index]
            {
                rows.push(coordinates, observation.value, observation.sem);
            }
        }
        rows
    }

    /// Adds the failed trials with the median of the values: an objective extrapolated beyond the edge of what can be
    /// evaluated would promise an improvement there for ever. (OSS Vizier and HEBO impute failures likewise.)
    pub(super) fn push_failures(&mut self, told: &[(usize, &Seen)]) {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let Some(&median) = sorted.get(sorted.len() / 2) else { return };
        for (_, seen) in told {
            if let (Standing::Failed, Some(coordinates)) = (&seen.standing, &seen.coordinates) {
                self.push(coordinates, median, None);
            }
        }
    }

    /// +1 for each completed trial, −1 for each failed one; 0, the boundary, stays where it is.
    pub(super) fn of_success(told: &[(usize, &Seen)]) -> Self {
        let mut rows = Self { are_labels: true, ..Self::default() };
        for (_, seen) in told {
            if let Some(coordinates) = &seen.coordinates {
                let label = if seen.standing == Standing::Failed { -1.0 } else { 1.0 };
                rows.push(coordinates, label, None);
            }
        }
        rows
    }
}

/// How many of `told` observations the hyperparameters are fitted to: every one at first, then at each twentieth more.
pub(super) fn fitted_length(told: usize) -> usize {
    let mut length = 1;
    while length < told {
        let next = length + (length / 20).max(1);
        if next > told {
            break;
        }
        length = next;
    }
    length
}

impl Belief {
    /// What `rows` say of a metric turned by `sign`, with the points in `pending` taken in at their posterior mean.
    pub(super) fn learn(
        space: &Space,
        rows: &Rows,
        sign: f64,
        pending: &[&[f64]],
        seed: u64,
        memo: &FitMemo,
    ) -> Result<Self, SurrogateError> {
        let distances: Vec<Distance> = space.coordinates().iter().map(|&c| Distance::of(c)).collect();
        let d = distances.len();
        let fitted = fitted_length(rows.values.len());
        let scale = if rows.are_labels {
            Standard { sign, centre: 0.0, spread: 1.0 }
        } else {
            Standard::of(&rows.values[..fitted], sign)
        };
        let outputs: Vec<f64> = rows.values.iter().map(|&v| scale.apply(v)).collect();
        let known: Vec<f64> =
            rows.errors.iter().map(|&sem| (sem / scale.spread()).powi(2).min(1e6)).collect();
        let key = memo::key(seed, &[&rows.inputs[..fitted * d], &outputs[..fitted], &known[..fitted]]);
        let kernel = Matern52::new(&distances, &vec![1.0; d], 1.0);
        let hyperparameters = memo.get_or(key, || {
            let (inputs, outputs) = (&rows.inputs[..fitted * d], &outputs[..fitted]);
            fit(&kernel, &Observations::new(&distances, inputs, outputs, &known[..fitted]), seed)
        })?;
        let observations = Observations::new(&distances, &rows.inputs, &outputs, &known);
        let process = hyperparameters.process(&kernel, observations)?;
        let mut belief = Self { process, scale };
        for place in pending {
            belief.await_at(place);
        }
        Ok(belief)
    }

    /// Takes in one more awaited point.
    pub(super) fn await_at(&mut self, place: &[f64]) {
        let mean = self.process.mean(place);
        self.process.push(place, mean, self.process.noise().value);
    }
}

/// Whether the metrics of a completed trial keep every bound; a missing value does not.
pub(super) fn is_feasible(definition: &Definition, metrics: &[Option<crate::study::Observation>]) -> bool {
    definition.metrics().iter().zip(metrics).all(|(metric, observation)| match metric.goal {
        Goal::Constrain { lower, upper } => {
            observation.as_ref().is_some_and(|seen| (lower..=upper).contains(&seen.value))
        }
        Goal::Optimize { .. } => observation.is_some(),
        Goal::Record => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standardization_survives_any_finite_values() {
        for values in [[1e300, -1e300, 3e299], [1e-300, 2e-300, 3e-300], [5.0, 5.0, 5.0], [0.0, 0.0, 0.0]] {
            for sign in [1.0, -1.0] {
                let standard = Standard::of(&values, sign);
                for value in values {
                    let y = standard.apply(value);
                    assert!(y.is_finite() && y.abs() < 3.0, "{values:?} {standard:?} {y}");
                    assert!((standard.undo(y) - value).abs() <= 1e-9 * value.abs());
                }
            }
        }
    }

    #[test]
    fn refits_come_with_every_trial_and_then_more_seldom() {
        assert_eq!((1..=40).map(fitted_length).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
        let lengths: Vec<usize> = (1..=1000).map(fitted_length).collect();
        assert!(lengths.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(lengths.iter().enumerate().all(|(i, &l)| l <= i + 1 && (l + 1) * 21 >= (i + 1) * 20));
    }
}
