//! A model of one metric in its own units: the shape of its output, and a Gaussian process on it.
//!
//! Transforms of the output are fitted like hyperparameters: those that make the values more normal are tried, and the
//! one whose marginal likelihood, in the units of the untransformed output and with the usual price for each number
//! learned (½ ln n, Schwarz 1978), is the largest is taken. Standard errors and derivatives go through the slope.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::fit::Climb;
use super::gaussian_process::{GaussianProcess, SurrogateError};
use super::kernel::Kernel;
use super::likelihood::Hyperparameters;
use super::observations::Observations;
use super::output::{Output, Transform};
use super::points::Distance;
use super::sampling::{Prior, sample};

/// What was seen of a metric, in its own units.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The places, row after row.
    pub inputs: Vec<f64>,
    /// The values.
    pub values: Vec<f64>,
    /// Their standard errors, 0 where unknown.
    pub errors: Vec<f64>,
    /// Partial derivatives: the row, the coordinate, and dvalue/du in the unit cube.
    pub derivatives: Vec<(usize, usize, f64)>,
    /// What may be done to the values.
    pub shaping: Shaping,
}

/// What may be done to the values before they are modelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shaping {
    /// Nothing: they are labels.
    Nothing,
    /// They are standardized.
    #[default]
    Standardized,
    /// They are standardized, and transformed where the likelihood favours it.
    Transformed,
}

/// What was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// The shape of the output.
    pub output: Output,
    /// The likeliest hyperparameters.
    pub hyperparameters: Hyperparameters,
    /// Samples of the hyperparameters, where they are to be averaged over.
    pub samples: Vec<Hyperparameters>,
    /// Each transform that was tried, with its log posterior in common units after as many iterations as the others'.
    pub tried: Vec<(Cow<'static, str>, f64)>,
}

/// Largest variance that a known error has in the model: what is known no better than this says nothing.
const LARGEST_NOISE: f64 = 1e6;

impl Seen {
    /// The first `rows` of them.
    #[must_use]
    pub fn first(&self, rows: usize, dimension: usize) -> Self {
        self.some(&(0..rows).collect::<Vec<_>>(), dimension)
    }

    /// Some of the rows, which increase.
    #[must_use]
    pub fn some(&self, rows: &[usize], dimension: usize) -> Self {
        let mut some = Self { shaping: self.shaping, ..Self::default() };
        for &row in rows {
            some.inputs.extend_from_slice(&self.inputs[row * dimension..(row + 1) * dimension]);
            some.values.push(self.values[row]);
            some.errors.push(self.errors[row]);
        }
        let kept = |&(row, coordinate, value): &(usize, usize, f64)| {
            rows.binary_search(&row).ok().map(|row| (row, coordinate, value))
        };
        some.derivatives = self.derivatives.iter().filter_map(kept).collect();
        some
    }

    /// At most `most` rows that say the most about where the values turned by `sign` are large: half of them the best,
    /// the others evenly from the rest, in the order in which they came. All where there are no more.
    pub fn telling(&self, most: usize, sign: f64) -> Vec<usize> {
        let n = self.values.len();
        if n <= most {
            return (0..n).collect();
        }
        let mut by_value: Vec<usize> = (0..n).collect();
        by_value
            .sort_by(|&a, &b| (sign * self.values[b]).total_cmp(&(sign * self.values[a])).then(a.cmp(&b)));
        let (best, rest) = by_value.split_at(most / 2);
        let mut rest = rest.to_vec();
        rest.sort_unstable();
        let wanted = most - best.len();
        let evenly = (0..wanted).map(|k| rest[k * rest.len() / wanted]);
        let mut rows: Vec<usize> = best.iter().copied().chain(evenly).collect();
        rows.sort_unstable();
        rows
    }

    /// As a process sees them.
    pub fn observations(&self, distances: &[Distance], output: &Output) -> Observations {
        let outputs: Vec<f64> = self.values.iter().map(|&v| output.apply(v)).collect();
        let noise = |(&v, &error): (&f64, &f64)| {
            if error == 0.0 { 0.0 } else { (output.slope(v) * error).powi(2).min(LARGEST_NOISE) }
        };
        let noise: Vec<f64> = self.values.iter().zip(&self.errors).map(noise).collect();
        let mut observations = Observations::new(distances, &self.inputs, &outputs, &noise);
        for &(row, coordinate, derivative) in &self.derivatives {
            let turned = output.slope(self.values[row]) * derivative;
            if turned.is_finite() {
                observations.push_derivative(row, coordinate, turned, 0.0);
            }
        }
        observations
    }

    /// Fits a model with a kernel of the form of `kernel`, the values turned by `sign`.
    ///
    /// # Errors
    /// As [`fit`](super::fit()).
    pub fn fit(&self, kernel: &dyn Kernel, sign: f64, seed: u64) -> Result<Fitted, SurrogateError> {
        let standard = match self.shaping {
            Shaping::Nothing => Output::signed(sign),
            Shaping::Standardized | Shaping::Transformed => Output::standard(&self.values, sign),
        };
        let observations = self.observations(kernel.distances(), &standard);
        let scouted = Climb::scout(kernel, &observations, seed)?;
        let is_exact = self.derivatives.is_empty() && self.errors.iter().all(|error| *error == 0.0);
        let candidates = match self.shaping {
            Shaping::Transformed => Output::candidates(&self.values, sign, !is_exact),
            Shaping::Nothing | Shaping::Standardized => Vec::new(),
        };
        if candidates.is_empty() {
            let hyperparameters = scouted.finish(&observations).hyperparameters();
            return Ok(Fitted { output: standard, hyperparameters, samples: Vec::new(), tried: Vec::new() });
        }
        // All go equally far from the same place before one of them is finished.
        let mut climbs: Vec<(Output, Observations, Climb)> = Vec::with_capacity(candidates.len() + 1);
        for output in candidates {
            let observations = self.observations(kernel.distances(), &output);
            let climb = match output.transform() {
                Transform::Gap { .. } => scouted.change(&observations),
                _ => scouted.change_scale(&observations),
            };
            climbs.push((output, observations, climb));
        }
        climbs.insert(0, (standard.clone(), observations.clone(), scouted.go_on(&observations)));
        let worth = |(output, _, climb): &(Output, Observations, Climb)| {
            climb.log_density() + output.log_jacobian(&self.values, &standard)
        };
        let tried: Vec<_> =
            climbs.iter().map(|climb| (climb.0.transform().name().into(), worth(climb))).collect();
        let best = climbs.into_iter().reduce(|a, b| if worth(&b) > worth(&a) { b } else { a });
        let Some((output, observations, climb)) = best else { return Err(SurrogateError::Empty) };
        let hyperparameters = climb.finish(&observations).hyperparameters();
        Ok(Fitted { output, hyperparameters, samples: Vec::new(), tried })
    }

    /// Fits a model as [`Self::fit`], and draws samples of its hyperparameters under a prior, the output held.
    ///
    /// # Errors
    /// As [`Self::fit`].
    pub fn sample(
        &self,
        kernel: &dyn Kernel,
        sign: f64,
        prior: Prior,
        seed: u64,
    ) -> Result<Fitted, SurrogateError> {
        let fitted = self.fit(kernel, sign, seed)?;
        let observations = self.observations(kernel.distances(), &fitted.output);
        let samples = sample(kernel, &observations, &fitted.hyperparameters, prior, seed);
        Ok(Fitted { samples, ..fitted })
    }
}

impl Fitted {
    /// Whether it can be of a fit with a kernel of this form: so many hyperparameters, finite ones, in it and in each of
    /// its samples. One that was kept outside of the program may be anything.
    pub fn suits(&self, kernel: &dyn Kernel) -> bool {
        let wanted = kernel.roles().len();
        [&self.hyperparameters].into_iter().chain(&self.samples).all(|values| {
            values.kernel.len() == wanted && values.kernel.iter().all(|value| value.is_finite())
        })
    }

    /// The process on what was seen.
    ///
    /// # Errors
    /// As [`GaussianProcess::condition`].
    pub fn process(&self, kernel: &dyn Kernel, seen: &Seen) -> Result<GaussianProcess, SurrogateError> {
        self.hyperparameters.process(kernel, seen.observations(kernel.distances(), &self.output))
    }

    /// A process with each of the samples on what was seen.
    ///
    /// # Errors
    /// As [`GaussianProcess::condition`].
    pub fn sampled_processes(
        &self,
        kernel: &dyn Kernel,
        seen: &Seen,
    ) -> Result<Vec<GaussianProcess>, SurrogateError> {
        let observations = seen.observations(kernel.distances(), &self.output);
        self.samples.iter().map(|sample| sample.process(kernel, observations.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surrogate::Matern52;

    fn seen(value: impl Fn(f64, f64) -> f64) -> Seen {
        let mut seen = Seen { shaping: Shaping::Transformed, ..Seen::default() };
        for i in 0..40_u32 {
            let (x, y) = (f64::from(i) * 0.618_034 % 1.0, (f64::from(i) + 0.5) / 40.0);
            seen.inputs.extend([x, y]);
            seen.values.push(value(x, y));
            seen.errors.push(0.0);
        }
        seen
    }

    #[test]
    fn a_fit_suits_kernels_of_its_form() {
        let fitted = seen(smooth).fit(&kernel(), 1.0, 1).unwrap();
        assert!(fitted.suits(&kernel()));
        assert!(!fitted.suits(&Matern52::new(&[Distance::Numeric; 3], &[1.0; 3], 1.0)));
        let mut broken = fitted.clone();
        broken.hyperparameters.kernel[0] = f64::NAN;
        assert!(!broken.suits(&kernel()));
        broken.hyperparameters.kernel.pop();
        assert!(!Fitted { samples: vec![broken.hyperparameters], ..fitted }.suits(&kernel()));
    }

    fn kernel() -> Matern52 {
        Matern52::new(&[Distance::Numeric; 2], &[1.0; 2], 1.0)
    }

    fn smooth(x: f64, y: f64) -> f64 {
        (4.0 * x).sin() + y * y
    }

    /// The root mean square error of the posterior medians on a grid, relative to the function's spread.
    fn error(seen: &Seen, of: impl Fn(f64, f64) -> f64) -> f64 {
        let fitted = seen.fit(&kernel(), -1.0, 5).unwrap();
        let process = fitted.process(&kernel(), seen).unwrap();
        let mut squares = 0.0;
        for i in 0..100_u32 {
            let (x, y) = ((f64::from(i % 10) + 0.5) / 10.0, (f64::from(i / 10) + 0.5) / 10.0);
            let at = process.predict(&[x, y]);
            squares += (fitted.output.moments(at.mean, at.sd).quantiles[1] - of(x, y)).powi(2);
        }
        (squares / 100.0).sqrt()
    }

    #[test]
    fn a_smooth_function_is_not_transformed() {
        let fitted = seen(smooth).fit(&kernel(), -1.0, 5).unwrap();
        assert_eq!(*fitted.output.transform(), Transform::None);
    }

    #[test]
    fn an_exponential_is_transformed_and_better_known_for_it() {
        let of = |x, y| (2.5 * smooth(x, y)).exp();
        let free = seen(of);
        let fitted = free.fit(&kernel(), -1.0, 5).unwrap();
        assert_ne!(*fitted.output.transform(), Transform::None, "{fitted:?}");
        let held = Seen { shaping: Shaping::Standardized, ..free.clone() };
        assert!(error(&free, of) < error(&held, of));
    }

    #[test]
    fn an_outlier_does_not_flatten_the_model() {
        let mut broken = seen(smooth);
        broken.values[17] = 1e6;
        assert!(error(&broken, smooth) < 0.35, "{}", error(&broken, smooth));
    }

    #[test]
    fn the_most_telling_rows_hold_the_best_and_reach_everywhere() {
        let seen = seen(smooth);
        assert_eq!(seen.telling(40, 1.0).len(), 40);
        let rows = seen.telling(10, -1.0);
        assert_eq!(rows.len(), 10);
        assert!(rows.windows(2).all(|pair| pair[0] < pair[1]));
        let least = (0..40).min_by(|&a, &b| seen.values[a].total_cmp(&seen.values[b])).unwrap();
        assert!(rows.contains(&least));
        let some = seen.some(&rows, 2);
        assert_eq!((some.inputs.len(), some.values[3]), (20, seen.values[rows[3]]));
    }

    #[test]
    fn derivatives_and_errors_go_through_the_slope() {
        let mut seen = seen(smooth);
        seen.derivatives.push((3, 0, 2.0));
        seen.errors[5] = 0.1;
        let output = Output::standard(&seen.values, -1.0);
        let observations = seen.observations(&[Distance::Numeric; 2], &output);
        let slope = output.slope(0.0);
        assert!((observations.outputs()[40] - 2.0 * slope).abs() < 1e-12);
        assert!((observations.known_noise()[5] - (0.1 * slope).powi(2)).abs() < 1e-15);
        assert!(seen.fit(&kernel(), -1.0, 5).is_ok());
    }
}
