//! What the models say: predictions anywhere, and what an operator wants to know of the models themselves.

use super::Advisor;
use super::beliefs::Belief;
use super::history::{History, Standing};
use super::policy;
use super::recommend::Predicted;
use super::remaining::{Remaining, Worth};
use crate::acquisition::Acquisition;
use crate::space::{Point, Space, sobol::Sobol};
use crate::study::Definition;
use crate::surrogate::{Role, SurrogateError, cross_check};

/// What is expected of a point.
#[derive(Clone, Debug)]
pub struct Expected {
    /// What is predicted of each metric that was observed, by name.
    pub metrics: Vec<(String, Predicted)>,
    /// ln of the expected improvement of the standardized objective on the best posterior mean at a feasible trial,
    /// times the probability that the modelled constraints are kept: what the point is worth as the next trial. `None`
    /// where there are several objectives, or nothing feasible yet.
    pub log_improvement: Option<f64>,
}

/// What was learned of each metric, and what was chosen.
#[derive(Clone, Debug)]
pub struct Insights {
    /// A model for each metric that was observed and has a goal, in the order of the definition.
    pub models: Vec<MetricModel>,
    /// What was chosen for the study, and why.
    pub decisions: Vec<Decision>,
    /// What one more trial is expected to gain; `None` where there are several objectives, nothing feasible yet, or no
    /// point left.
    pub remaining: Option<Remaining>,
}

/// A choice with its reason.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What was to be chosen, such as `output_transform`.
    pub what: String,
    /// The metric it was chosen for.
    pub metric: Option<String>,
    /// What was chosen.
    pub chosen: String,
    /// Why.
    pub because: String,
}

/// The model of one metric.
#[derive(Clone, Debug)]
pub struct MetricModel {
    /// The metric.
    pub metric: String,
    /// How many values were observed; very many are thinned to the most telling ones.
    pub observations: usize,
    /// To how many of them the hyperparameters were fitted.
    pub fitted_to: usize,
    /// The transform of the output.
    pub transform: &'static str,
    /// The lengthscale of each parameter in what the parameters do together (the interaction, not the main effects), in
    /// units of its range (of labels: of one exchange).
    pub lengthscales: Vec<(String, f64)>,
    /// Prior standard deviation of the function, in the metric's units.
    pub signal_sd: f64,
    /// Standard deviation of the learned noise, in the metric's units.
    pub noise_sd: f64,
    /// Prior mean, in the metric's units.
    pub prior_mean: f64,
    /// ln p(y | X) of the standardized output.
    pub log_marginal_likelihood: f64,
    /// The jitter that the factorization needed, relative to the prior variance; normally 0.
    pub jitter: f64,
    /// The share of the predicted variance over the space that involves each parameter (total-effect Sobol index of
    /// the posterior mean; Jansen, *Comput. Phys. Commun.* 117, 1999). Interactions count for each of their parameters,
    /// so that the shares may sum to more than 1.
    pub importances: Vec<(String, f64)>,
    /// What each completed trial would be predicted as from all others.
    pub left_out: Vec<LeftOut>,
    /// How far a second engine disagrees.
    pub cross_check: CrossCheck,
}

/// A trial, and what would be predicted of it without it; without noise.
#[derive(Clone, Copy, Debug)]
pub struct LeftOut {
    /// The trial.
    pub number: usize,
    /// What was observed.
    pub observed: f64,
    /// What is predicted from the others.
    pub predicted: Predicted,
}

/// What the second engine says.
#[derive(Clone, Debug)]
pub enum CrossCheck {
    /// The largest disagreement at the trials, of means in prior standard deviations and of variances in prior ones.
    Largest(f64),
    /// Why it says nothing.
    None(String),
}

/// The least logarithm of an improvement that is told: a certain point has none.
const LEAST: f64 = -1e6;
/// Points at which importances are estimated.
const SAMPLES: usize = 256;

impl Advisor {
    /// What is expected of each point; metrics without observations are left out. A pure function of the definition and
    /// the history.
    ///
    /// # Errors
    /// Where a model cannot be made.
    pub fn predict(
        &self,
        definition: &Definition,
        history: &History,
        points: &[Point],
    ) -> Result<Vec<Expected>, SurrogateError> {
        let told = history.told();
        let beliefs = self.beliefs(definition, &told)?;
        let worth = Worth::of(definition, &told, &beliefs);
        let worth = worth.as_ref().map(Worth::acquisition);
        let at = |point: &Point| {
            let coordinates = definition.space().encode(point);
            let metrics = definition.metrics().iter().zip(&beliefs);
            Expected {
                metrics: metrics
                    .filter_map(|(metric, belief)| {
                        Some((metric.name.clone(), belief.as_ref()?.predicted(&coordinates)?))
                    })
                    .collect(),
                log_improvement: worth.as_ref().map(|worth| worth.value(&coordinates).max(LEAST)),
            }
        };
        Ok(points.iter().map(at).collect())
    }

    /// What the models are made of. A pure function of the definition and the history.
    ///
    /// # Errors
    /// Where a model cannot be made.
    pub fn insights(&self, definition: &Definition, history: &History) -> Result<Insights, SurrogateError> {
        let told = history.told();
        let beliefs = self.beliefs(definition, &told)?;
        let objective = definition.metrics().iter().position(|metric| metric.direction().is_some());
        let objective = objective.and_then(|index| beliefs.get(index)?.as_ref());
        let is_noisy = objective.is_some_and(Belief::is_noisy);
        let mut decisions = policy::decisions(definition, told.len(), is_noisy);
        let mut models = Vec::new();
        for (index, (metric, belief)) in definition.metrics().iter().zip(&beliefs).enumerate() {
            let Some(belief) = belief else { continue };
            let observed = told.iter().filter_map(|(number, seen)| match &seen.standing {
                Standing::Completed(metrics) => Some((*number, metrics[index].as_ref()?.value)),
                _ => None,
            });
            let observed: Vec<(usize, f64)> = observed.collect();
            models.push(model(definition.space(), &metric.name, belief, &observed));
            decisions.push(transform_decision(&metric.name, belief));
        }
        let worth = Worth::of(definition, &told, &beliefs);
        let remaining = worth.and_then(|worth| worth.remaining(definition, history));
        Ok(Insights { models, decisions, remaining })
    }
}

fn model(space: &Space, metric: &str, belief: &Belief, observed: &[(usize, f64)]) -> MetricModel {
    let process = &belief.process;
    let names = |coordinate: usize| space.parameters()[coordinate].name().to_owned();
    let hyperparameters = belief.typical_hyperparameters();
    let roles = process.kernel().roles();
    let lengthscales = roles.iter().zip(&hyperparameters).filter_map(|(role, value)| match role {
        Role::Lengthscale { coordinate } => Some((names(*coordinate), *value)),
        Role::Variance | Role::Trend | Role::MainEffect { .. } | Role::Warping { .. } => None,
    });
    let unit = belief.scale.spread();
    let centre = vec![0.5; space.dimension()];
    let left_out = process.leave_one_out();
    // Values come first in the order in which they were told, derivatives after them.
    let kept = belief.rows.iter().filter_map(|&row| observed.get(row));
    let left_out = kept.zip(&left_out).filter_map(|(&(number, observed), left_out)| {
        let predicted = belief.in_units(left_out.mean, left_out.sd)?;
        Some(LeftOut { number, observed, predicted })
    });
    MetricModel {
        metric: metric.to_owned(),
        observations: observed.len(),
        fitted_to: belief.fitted_to,
        transform: belief.scale.transform().name(),
        lengthscales: lengthscales.collect(),
        signal_sd: process.kernel().variance(&centre).sqrt() * unit,
        noise_sd: process.noise().value.sqrt() * unit,
        prior_mean: belief.scale.undo(process.prior_mean()),
        log_marginal_likelihood: process.log_marginal_likelihood(),
        jitter: process.jitter(),
        importances: importances(space, belief).into_iter().enumerate().map(|(a, s)| (names(a), s)).collect(),
        left_out: left_out.collect(),
        cross_check: match cross_check(process) {
            Ok(largest) => CrossCheck::Largest(largest),
            Err(reason) => CrossCheck::None(reason.to_string()),
        },
    }
}

/// Jansen's estimator: Σ (f(x) − f(x with parameter i drawn anew))² / 2N, over the variance of f.
#[allow(clippy::cast_precision_loss)]
fn importances(space: &Space, belief: &Belief) -> Vec<f64> {
    let d = space.dimension();
    let sobol = Sobol::new(2 * d, 0);
    let mean = |uniform: &[f64]| belief.mean(&space.encode(&space.at_uniform(uniform)));
    let mut values = Vec::with_capacity(SAMPLES);
    let mut squares = vec![0.0; d];
    for index in 0..SAMPLES {
        let uniform = sobol.point(index as u64);
        let (mut base, other) = (uniform[..d].to_vec(), &uniform[d..]);
        let value = mean(&base);
        values.push(value);
        for a in 0..d {
            let kept = std::mem::replace(&mut base[a], other[a]);
            squares[a] += (value - mean(&base)).powi(2);
            base[a] = kept;
        }
    }
    let centre = values.iter().sum::<f64>() / SAMPLES as f64;
    let variance = values.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / SAMPLES as f64;
    let share = |square: f64| {
        if variance > 0.0 { (square / (2.0 * SAMPLES as f64) / variance).min(1.0) } else { 0.0 }
    };
    squares.into_iter().map(share).collect()
}

fn transform_decision(metric: &str, belief: &Belief) -> Decision {
    let tried = &belief.fitted.tried;
    let because = if tried.is_empty() {
        "the values are normal enough, or too few, for a transform to be tried".to_owned()
    } else {
        let scores: Vec<String> = tried.iter().map(|(name, score)| format!("{name}: {score:.2}")).collect();
        format!("it has the largest log posterior of those tried, in common units: {}", scores.join(", "))
    };
    Decision {
        what: "output_transform".to_owned(),
        metric: Some(metric.to_owned()),
        chosen: belief.scale.transform().name().to_owned(),
        because,
    }
}
