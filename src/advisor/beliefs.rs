//! From a history to models: one Gaussian process a metric that matters, and one for whether evaluations succeed.
//!
//! Units and signs are put on and taken off here: objectives are turned so that larger is better, and every output is
//! standardized. Hyperparameters are refitted at points of the history that its length alone determines; between them
//! the model takes the new trials in with the hyperparameters it has. Points whose results are awaited enter with their
//! posterior mean, which leaves the mean as it is and takes away the uncertainty around them.

use super::Advisor;
use super::history::{History, Seen, Standing};
use super::memo::{self, Effort, FitMemo};
use super::policy::{form, is_noisy};
use super::recommend::Predicted;
use super::suggest::{Weighting, seed};
use crate::acquisition::{
    Acquisition, Bounded, LogExpectedImprovement, LogMean, Mean, PerCost, PosteriorMean, noisy_improvement,
};
use crate::space::Space;
use crate::study::{Definition, Goal, Observation};
use crate::surrogate::{
    self, Distance, Fitted, GaussianProcess, Kernel, MainEffects, Matern52, Output, Prior, Quadratic,
    Shaping, Sum, SurrogateError, Warped,
};

/// A process over one metric with what turns its output back into the metric's units.
pub(super) struct Belief {
    /// With the likeliest hyperparameters.
    pub(super) process: GaussianProcess,
    /// With each of some samples of the hyperparameters; empty where the likeliest are trusted.
    sampled: Vec<GaussianProcess>,
    pub(super) scale: Output,
    /// What was fitted, and to how many of the rows.
    pub(super) fitted: Fitted,
    pub(super) fitted_to: usize,
    /// The rows that the process is conditioned on.
    pub(super) rows: Vec<usize>,
}

/// What was reached so far: an improvement is one on this.
pub(super) struct Reached {
    /// f* of each of the belief's processes, the best posterior mean at a feasible place.
    pub(super) incumbents: Vec<f64>,
    /// The feasible places, row after row.
    places: Vec<f64>,
}

impl Reached {
    /// Counts a place whose result is awaited with what is expected of it.
    pub(super) fn expect(&mut self, belief: &Belief, place: &[f64]) {
        for (incumbent, process) in self.incumbents.iter_mut().zip(belief.processes()) {
            *incumbent = incumbent.max(process.mean(place));
        }
        self.places.extend_from_slice(place);
    }
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
const MOST_FITTED: usize = 250;
const MOST_MODELLED: usize = 1000;
/// The same where hyperparameters are sampled: some thousand times n³, and sixteen processes.
const MOST_SAMPLED: usize = 200;
const MOST_AVERAGED: usize = 500;
/// Costs are learned from so many on.
const LEAST_COSTS: usize = 3;
/// A fit to so many observations takes longer than to read one that was kept.
const DEAR: usize = 100;
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

    /// What was observed of the objective, or of a weighting of several, larger is better; failed trials with a poor value.
    pub(super) fn of_objective(told: &[(usize, &Seen)], history: &History, weighting: &Weighting) -> Self {
        let mut rows = Self::default();
        for (_, seen) in told {
            if let (Standing::Completed(metrics), Some(coordinates)) = (&seen.standing, &seen.coordinates)
                && let Some((value, sem)) = weighting.value(metrics)
            {
                rows.push(coordinates, value, sem);
                if let [(index, sign, ..)] = weighting.objectives[..]
                    && let Some(observation) = &metrics[index]
                {
                    rows.push_gradient(observation, sign);
                }
            }
            // What was ended early counts with what its curve promises, as sure as the forecast is.
            if let (Standing::Stopped, Some(coordinates)) = (&seen.standing, &seen.coordinates)
                && let Some(forecast) = history.forecast(&seen.curve)
            {
                rows.push(coordinates, forecast.mean, Some(forecast.sd));
            }
        }
        rows.push_failures(told, 1.0);
        if !weighting.is_scalarized() {
            rows.shape_freely();
        }
        rows
    }

    /// The logarithms of the costs, where the study names a cost and enough are known.
    pub(super) fn of_costs(definition: &Definition, told: &[(usize, &Seen)]) -> Option<Self> {
        let name = definition.draft().cost_metric.as_ref()?;
        let index = definition.metrics().iter().position(|metric| metric.name == *name)?;
        let mut rows = Self::default();
        for (_, seen) in told {
            if let (Standing::Completed(metrics), Some(coordinates)) = (&seen.standing, &seen.coordinates)
                && let Some(observation) = &metrics[index]
                && observation.value > 0.0
            {
                rows.push(coordinates, observation.value.ln(), None);
            }
        }
        (rows.seen.values.len() >= LEAST_COSTS).then_some(rows)
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
/// they do together (`docs/decisions/kernel.md` has the measurements); labels are modelled with the last one alone, and so
/// is what few parameters matter to, for that is the model of the sparse prior's paper.
fn kernel(distances: &[Distance], shaping: Shaping, form: Form) -> Box<dyn Kernel> {
    let ones = vec![1.0; distances.len()];
    let together = Box::new(Matern52::new(distances, &ones, 1.0));
    let kernel: Box<dyn Kernel> = if shaping == Shaping::Nothing || form.averaging == Some(Prior::Sparse) {
        together
    } else {
        let effects = Box::new(MainEffects::new(distances, &ones, 1.0));
        Box::new(Sum::of(vec![together, Box::new(Quadratic::new(distances, 1.0)), effects]))
    };
    if form.is_warped { Box::new(Warped::new(kernel)) } else { kernel }
}

/// What a study chooses of its models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Over which posterior hyperparameters are averaged; the likeliest are trusted where there is none.
    pub(super) averaging: Option<Prior>,
    /// Whether inputs are warped.
    pub(super) is_warped: bool,
}

/// What turns rows into beliefs.
pub(super) struct Learner<'a> {
    space: &'a Space,
    memo: &'a FitMemo,
    seed: u64,
    form: Form,
}

impl<'a> Learner<'a> {
    /// For a study with so many told trials.
    pub(super) fn new(advisor: &'a Advisor, definition: &'a Definition, trials: usize) -> Self {
        let (seed, form) = (seed(definition, "fit", 0), form(definition, trials));
        Self { space: definition.space(), memo: &advisor.memo, seed, form }
    }

    /// What `rows` say of a metric turned by `sign`.
    pub(super) fn learn(&self, rows: &Rows, sign: f64) -> Result<Belief, SurrogateError> {
        let distances: Vec<Distance> = self.space.coordinates().iter().map(|&c| Distance::of(c)).collect();
        let d = distances.len();
        let seen = rows.seen(self.space);
        // Labels are modelled plainly, and derivatives as they are.
        let is_label = seen.shaping == Shaping::Nothing;
        let form = Form {
            averaging: self.form.averaging.filter(|_| !is_label),
            is_warped: self.form.is_warped && !is_label && seen.derivatives.is_empty(),
        };
        let (most_fitted, most_modelled) = match form.averaging {
            Some(_) => (MOST_SAMPLED, MOST_AVERAGED),
            None => (MOST_FITTED, MOST_MODELLED),
        };
        let first = seen.first(fitted_length(seen.values.len()), d);
        let telling = first.telling(most_fitted, sign);
        let first = first.some(&telling, d);
        let kernel = kernel(&distances, seen.shaping, form);
        let kernel = kernel.as_ref();
        let is_dear = form.averaging.is_some() || telling.len() >= DEAR;
        let effort = if is_dear { Effort::Much } else { Effort::Little };
        let key = self.key(&first, sign, form);
        let suits = |kept: &surrogate::Fitted| kept.suits(kernel);
        let fitted = self.memo.get_or(key, effort, suits, || match form.averaging {
            Some(prior) => first.sample(kernel, sign, prior, self.seed),
            None => first.fit(kernel, sign, self.seed),
        })?;
        let rows = seen.telling(most_modelled, sign);
        let modelled = seen.some(&rows, d);
        let process = fitted.process(kernel, &modelled)?;
        self.memo.saw_jitter(process.jitter());
        let sampled = fitted.sampled_processes(kernel, &modelled)?;
        let scale = fitted.output.clone();
        Ok(Belief { process, sampled, scale, fitted, fitted_to: telling.len(), rows })
    }

    /// What a fit depends on.
    fn key(&self, rows: &surrogate::Seen, sign: f64, form: Form) -> memo::FitKey {
        let shaping = if rows.shaping == Shaping::Transformed { 1.0 } else { 0.0 };
        let warping = if form.is_warped { 1.0 } else { 0.0 };
        let averaging = match form.averaging {
            None => 0.0,
            Some(Prior::Fit) => 1.0,
            Some(Prior::Sparse) => 2.0,
        };
        #[allow(clippy::cast_precision_loss)]
        let derivatives: Vec<f64> =
            rows.derivatives.iter().flat_map(|&(row, a, value)| [row as f64, a as f64, value]).collect();
        let form = vec![sign, shaping, averaging, warping];
        let parts = [&rows.inputs, &rows.values, &rows.errors, &derivatives, &form];
        memo::key(self.seed, &parts.map(Vec::as_slice))
    }
}

impl Belief {
    /// The processes that are averaged over, at least one.
    pub(super) fn processes(&self) -> &[GaussianProcess] {
        if self.sampled.is_empty() { std::slice::from_ref(&self.process) } else { &self.sampled }
    }

    /// The kernel's hyperparameters, their geometric means where they were sampled.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn typical_hyperparameters(&self) -> Vec<f64> {
        let [first, others @ ..] = self.processes() else { return Vec::new() };
        let mut typical = first.kernel().hyperparameters();
        if others.is_empty() {
            return typical;
        }
        typical.iter_mut().for_each(|value| *value = value.ln());
        for other in others {
            let values = other.kernel().hyperparameters();
            typical.iter_mut().zip(values).for_each(|(sum, value)| *sum += value.ln());
        }
        typical.iter().map(|sum| (sum / (others.len() + 1) as f64).exp()).collect()
    }

    /// The posterior mean at some coordinates.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn mean(&self, x: &[f64]) -> f64 {
        let processes = self.processes();
        processes.iter().map(|process| process.mean(x)).sum::<f64>() / processes.len() as f64
    }

    /// What was reached at some places; `None` where there is none.
    pub(super) fn reached<'p>(&self, places: impl Iterator<Item = &'p [f64]> + Clone) -> Option<Reached> {
        let incumbents = self.incumbents(places.clone())?;
        Some(Reached { incumbents, places: places.flatten().copied().collect() })
    }

    /// The best posterior mean of each process at some places; `None` where there is no place.
    pub(super) fn incumbents<'p>(&self, places: impl Iterator<Item = &'p [f64]> + Clone) -> Option<Vec<f64>> {
        let best = |process: &GaussianProcess| places.clone().map(|x| process.mean(x)).reduce(f64::max);
        self.processes().iter().map(best).collect()
    }

    /// ln EI over the incumbent of each process.
    pub(super) fn improvement<'a>(&'a self, incumbents: &[f64]) -> Box<dyn Acquisition + 'a> {
        let of = |(objective, &incumbent)| LogExpectedImprovement { objective, incumbent };
        averaged(self.processes().iter().zip(incumbents).map(of))
    }

    /// ln of what a trial is expected to gain: EI over the incumbent, and of a noisy metric Frazier's form of it, which knows
    /// that one more result beside the incumbent tells little.
    pub(super) fn gain<'a>(&'a self, reached: &Reached) -> Box<dyn Acquisition + 'a> {
        if self.is_noisy() {
            let of = |objective| noisy_improvement(objective, &reached.places);
            if let Ok(terms) = self.processes().iter().map(of).collect::<Result<Vec<_>, _>>() {
                return averaged(terms.into_iter());
            }
        }
        self.improvement(&reached.incumbents)
    }

    /// Whether results are noisy, as far as the policy cares.
    pub(super) fn is_noisy(&self) -> bool {
        is_noisy(self.process.noise_ahead())
    }

    /// ln of the probability that the metric lies within bounds, which are in its own units.
    pub(super) fn feasibility<'a>(&'a self, lower: f64, upper: f64) -> Box<dyn Acquisition + 'a> {
        let (lower, upper) = (self.scale.apply(lower), self.scale.apply(upper));
        averaged(self.processes().iter().map(|metric| Bounded { metric, lower, upper }))
    }

    /// ln of one over the cost, where the logarithm of the cost is what is believed in.
    pub(super) fn per_cost(&self) -> PerCost<'_> {
        PerCost { process: &self.process, spread: self.scale.spread() }
    }

    /// The posterior mean.
    pub(super) fn worth<'a>(&'a self) -> Box<dyn Acquisition + 'a> {
        Box::new(Mean(self.processes().iter().map(PosteriorMean).collect()))
    }

    /// The metric at some coordinates in its own units, without noise; `None` where that is not finite.
    pub(super) fn predicted(&self, coordinates: &[f64]) -> Option<Predicted> {
        // A mixture of normal beliefs, as a normal one with its mean and variance.
        let at: Vec<_> = self.processes().iter().map(|process| process.predict(coordinates)).collect();
        #[allow(clippy::cast_precision_loss)]
        let count = at.len() as f64;
        let mean = at.iter().map(|at| at.mean).sum::<f64>() / count;
        let variance = at.iter().map(|at| at.sd * at.sd + (at.mean - mean).powi(2)).sum::<f64>() / count;
        self.in_units(mean, variance.sqrt())
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
        for process in self.sampled.iter_mut().chain([&mut self.process]) {
            let mean = process.mean(place);
            process.push(place, mean, process.noise_ahead());
        }
    }
}

/// The logarithm of the mean of what some acquisitions, at least one, are the logarithms of.
fn averaged<'a, A: Acquisition + 'a>(terms: impl ExactSizeIterator<Item = A>) -> Box<dyn Acquisition + 'a> {
    let mut terms: Vec<A> = terms.collect();
    match terms.pop() {
        Some(only) if terms.is_empty() => Box::new(only),
        last => {
            terms.extend(last);
            Box::new(LogMean(terms))
        }
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
