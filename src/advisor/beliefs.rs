//! From a history to models: one Gaussian process a metric that matters, and one for whether evaluations succeed.
//!
//! Units and signs are put on and taken off here: objectives are turned so that larger is better, and every output is
//! standardized. Hyperparameters are refitted at points of the history that its length alone determines; between them
//! the model takes the new trials in with the hyperparameters it has. Points whose results are awaited enter with their
//! posterior mean, which leaves the mean as it is and takes away the uncertainty around them.

use super::history::{Seen, Standing};
use super::memo::{self, FitMemo};
use super::recommend::Predicted;
use crate::space::Space;
use crate::study::{Definition, Goal, Observation};
use crate::surrogate::{
    self, Distance, Fitted, GaussianProcess, Kernel, MainEffects, Matern52, Output, Quadratic, Shaping, Sum,
    SurrogateError,
};

/// A process over one metric with what turns its output back into the metric's units.
pub(super) struct Belief {
    pub(super) process: GaussianProcess,
    pub(super) scale: Output,
    /// What was fitted, and to how many of the rows.
    pub(super) fitted: Fitted,
    pub(super) fitted_to: usize,
    /// The rows that the process is conditioned on.
    pub(super) rows: Vec<usize>,
}

/// Rows of coordinates with what was observed at each.
#[derive(Default)]
pub(super) struct Rows {
    seen: surrogate::Seen,
    /// Partial derivatives in the parameters' own units: the row, the parameter, the value.
    gradients: Vec<(usize, String, f64)>,
}

/// Most observations that hyperparameters are fitted to, and that a process is conditioned on: the most telling ones.
/// A fit costs some hundred times n³, a process n³/3 and each prediction n² (`docs/decisions/scale.md`).
const MOST_FITTED: usize = 500;
const MOST_MODELLED: usize = 1500;
/// Observations beyond which derivatives are left out: each costs as much as a value.
const MOST_WITH_DERIVATIVES: usize = 1500;

impl Rows {
    pub(super) fn push(&mut self, coordinates: &[f64], value: f64, sem: Option<f64>) {
        self.seen.inputs.extend_from_slice(coordinates);
        self.seen.values.push(value);
        self.seen.errors.push(sem.unwrap_or(0.0));
    }

    /// The values may be transformed, not only standardized: for an objective that is looked at alone.
    pub(super) fn shape_freely(&mut self) {
        self.seen.shaping = Shaping::Transformed;
    }

    /// Adds the partial derivatives that were told with the last value, each times `factor`.
    pub(super) fn push_gradient(&mut self, observation: &Observation, factor: f64) {
        let row = self.seen.values.len() - 1;
        for (name, derivative) in observation.gradient.iter().flatten() {
            self.gradients.push((row, name.clone(), factor * derivative));
        }
    }

    /// As a model sees them, derivatives in the unit cube.
    fn seen(&self, space: &Space) -> surrogate::Seen {
        let mut seen = self.seen.clone();
        for (row, name, derivative) in &self.gradients {
            let Some(coordinate) = space.index_of(name) else { continue };
            let u = seen.inputs[row * space.dimension() + coordinate];
            if let Some(stretch) = space.stretch(coordinate, u) {
                seen.derivatives.push((*row, coordinate, derivative * stretch));
            }
        }
        if seen.values.len() + seen.derivatives.len() > MOST_WITH_DERIVATIVES {
            seen.derivatives.clear();
        }
        seen
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seen.values.is_empty()
    }

    /// What was observed of metric `index`, in the order of `told`.
    pub(super) fn of_metric(told: &[(usize, &Seen)], index: usize) -> Self {
        let mut rows = Self::default();
        for (_, seen) in told {
            if let (Standing::Completed(metrics), Some(coordinates)) = (&seen.standing, &seen.coordinates)
                && let Some(observation) = &metrics[index]
            {
                rows.push(coordinates, observation.value, observation.sem);
                rows.push_gradient(observation, 1.0);
            }
        }
        rows
    }

    /// Adds the failed trials with a poor value, the quartile of those that are turned by `sign` to be larger where
    /// better: an objective extrapolated beyond the edge of what can be evaluated would promise an improvement there
    /// for ever. (OSS Vizier and HEBO impute failures likewise. With the median, every other trial at a linear
    /// objective's edge failed; with the worst value, the edge was hardly approached.)
    pub(super) fn push_failures(&mut self, told: &[(usize, &Seen)], sign: f64) {
        let mut sorted = self.seen.values.clone();
        sorted.sort_by(|a, b| (sign * a).total_cmp(&(sign * b)));
        let Some(&poor) = sorted.get(sorted.len() / 4) else { return };
        for (_, seen) in told {
            if let (Standing::Failed, Some(coordinates)) = (&seen.standing, &seen.coordinates) {
                self.push(coordinates, poor, None);
            }
        }
    }

    /// +1 for each completed trial, −1 for each failed one; 0, the boundary, stays where it is.
    pub(super) fn of_success(told: &[(usize, &Seen)]) -> Self {
        let mut rows = Self::default();
        rows.seen.shaping = Shaping::Nothing;
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

/// The form of the kernel. A metric is a sum of what its parameters do by themselves, of a quadratic trend, and of what
/// they do together (`docs/decisions/kernel.md` has the measurements); labels are modelled with the last one alone.
fn kernel(distances: &[Distance], shaping: Shaping) -> Box<dyn Kernel> {
    let ones = vec![1.0; distances.len()];
    let together = Box::new(Matern52::new(distances, &ones, 1.0));
    if shaping == Shaping::Nothing {
        return together;
    }
    let effects = Box::new(MainEffects::new(distances, &ones, 1.0));
    Box::new(Sum::of(vec![together, Box::new(Quadratic::new(distances, 1.0)), effects]))
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
        let seen = rows.seen(space);
        let fitted_to = fitted_length(seen.values.len());
        let first = seen.first(fitted_to, d);
        let telling = first.telling(MOST_FITTED, sign);
        let first = first.some(&telling, d);
        let fitted_to = telling.len();
        let kernel = kernel(&distances, seen.shaping);
        let kernel = kernel.as_ref();
        let shaping = if first.shaping == Shaping::Transformed { 1.0 } else { 0.0 };
        #[allow(clippy::cast_precision_loss)]
        let derivatives: Vec<f64> =
            first.derivatives.iter().flat_map(|&(row, a, value)| [row as f64, a as f64, value]).collect();
        let parts = [&first.inputs, &first.values, &first.errors, &derivatives, &vec![sign, shaping]];
        let key = memo::key(seed, &parts.map(Vec::as_slice));
        let fitted = memo.get_or(key, || first.fit(kernel, sign, seed))?;
        let rows = seen.telling(MOST_MODELLED, sign);
        let process = fitted.process(kernel, &seen.some(&rows, d))?;
        memo.saw_jitter(process.jitter());
        let mut belief = Self { process, scale: fitted.output.clone(), fitted, fitted_to, rows };
        for place in pending {
            belief.await_at(place);
        }
        Ok(belief)
    }

    /// The metric at some coordinates in its own units, without noise; `None` where that is not finite.
    pub(super) fn predicted(&self, coordinates: &[f64]) -> Option<Predicted> {
        let at = self.process.predict(coordinates);
        self.in_units(at.mean, at.sd)
    }

    /// A belief about the output in the metric's own units.
    pub(super) fn in_units(&self, mean: f64, sd: f64) -> Option<Predicted> {
        let moments = self.scale.moments(mean, sd);
        let [q05, q50, q95] = moments.quantiles;
        let numbers = [moments.mean, moments.sd, q05, q50, q95];
        numbers.iter().all(|number| number.is_finite()).then_some(Predicted {
            mean: moments.mean,
            sd: moments.sd,
            q05,
            q50,
            q95,
        })
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
    fn refits_come_with_every_trial_and_then_more_seldom() {
        assert_eq!((1..=40).map(fitted_length).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
        let lengths: Vec<usize> = (1..=1000).map(fitted_length).collect();
        assert!(lengths.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(lengths.iter().enumerate().all(|(i, &l)| l <= i + 1 && (l + 1) * 21 >= (i + 1) * 20));
    }
}
