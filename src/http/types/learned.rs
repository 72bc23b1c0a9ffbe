//! Predictions, and what the models are made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

use crate::advisor::{self, CrossCheck, MetricModel, Predicted};
use crate::service::{Learned, Predictions};
use crate::space::{Fault, Point};
use crate::study::Definition;

/// Most points of one request.
const MOST_POINTS: usize = 10_000;

/// Where to predict.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PredictRequest {
    /// Parameters of each point, as in trials; 1 to 10,000 of them.
    #[schema(value_type = Vec<Object>)]
    pub points: Vec<Map<String, Json>>,
}

impl PredictRequest {
    /// The points in the study's space. Numbers outside their range are read as they are.
    ///
    /// # Errors
    /// Every fault of every point.
    pub fn check(&self, definition: &Definition) -> Result<Vec<Point>, Vec<Fault>> {
        if self.points.is_empty() || self.points.len() > MOST_POINTS {
            return Err(vec![Fault::new("/points", format!("send 1 to {MOST_POINTS} points"))]);
        }
        let (mut points, mut faults) = (Vec::with_capacity(self.points.len()), Vec::new());
        for (index, parameters) in self.points.iter().enumerate() {
            let under = format!("/points/{index}");
            match definition.space().read(parameters) {
                Err(of_point) => faults.extend(of_point.into_iter().map(|fault| fault.under(&under))),
                Ok(reading) => match reading.point {
                    Some(point) => points.push(point),
                    None => faults.extend(reading.outside.into_iter().map(|fault| fault.under(&under))),
                },
            }
        }
        if faults.is_empty() { Ok(points) } else { Err(faults) }
    }
}

/// A prediction in the metric's own units, without the noise of an observation.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Prediction {
    /// Posterior mean.
    pub mean: f64,
    /// Posterior standard deviation.
    pub sd: f64,
    /// The 5 % quantile.
    pub q05: f64,
    /// The median.
    pub q50: f64,
    /// The 95 % quantile.
    pub q95: f64,
}

impl From<Predicted> for Prediction {
    fn from(predicted: Predicted) -> Self {
        let Predicted { mean, sd, q05, q50, q95 } = predicted;
        Self { mean, sd, q05, q50, q95 }
    }
}

/// Predictions in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub struct PredictAnswer {
    /// For each point, what is predicted of each metric that was observed.
    pub predictions: Vec<BTreeMap<String, Prediction>>,
    /// For each point, what it is worth as the next trial: the natural logarithm of the expected improvement of the
    /// standardized objective on the best posterior mean, times the probability that the modelled constraints are kept.
    /// Absent where there are several objectives, or nothing feasible yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_expected_improvement: Option<Vec<f64>>,
    /// The study's revision that they rest on.
    pub history_revision: u64,
    /// Why nothing is predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<Predictions> for PredictAnswer {
    fn from(predictions: Predictions) -> Self {
        let of_point = |metrics: Vec<(String, Predicted)>| {
            metrics.into_iter().map(|(name, predicted)| (name, predicted.into())).collect()
        };
        Self {
            log_expected_improvement: predictions.points.iter().map(|point| point.log_improvement).collect(),
            predictions: predictions.points.into_iter().map(|point| of_point(point.metrics)).collect(),
            history_revision: predictions.revision,
            reason: predictions.reason,
        }
    }
}

/// What was learned, and what was chosen.
#[derive(Debug, Serialize, ToSchema)]
pub struct InsightsAnswer {
    /// A model for each metric that was observed and has a goal.
    pub models: Vec<ModelInsight>,
    /// What was chosen for the study, and why.
    pub decisions: Vec<Decision>,
    /// What one more trial is expected to gain: where that is less than a trial costs, it is time to stop. Null where
    /// there are several objectives, or nothing feasible yet.
    pub remaining: Option<RemainingGain>,
    /// The study's revision that they rest on.
    pub history_revision: u64,
    /// Why there is no model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What one more trial is expected to gain, at the point that promises most.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemainingGain {
    /// The objective.
    pub metric: String,
    /// By how much the trial is expected to be better than the best known point, in the objective's own units; not
    /// negative, and what may be infeasible counts less.
    pub expected_improvement: f64,
    /// The probability that it is better at all.
    pub probability: f64,
}

/// A choice with its reason.
#[derive(Debug, Serialize, ToSchema)]
pub struct Decision {
    /// What was to be chosen, such as `output_transform`.
    pub what: String,
    /// The metric it was chosen for, where it was for one.
    pub metric: Option<String>,
    /// What was chosen.
    pub chosen: String,
    /// Why.
    pub because: String,
}

/// The model of one metric: a Gaussian process, a sum of interactions, a quadratic trend and main effects.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelInsight {
    /// The metric.
    pub metric: String,
    /// How many values it is conditioned on.
    pub observations: usize,
    /// To how many of them its hyperparameters were fitted.
    pub fitted_to: usize,
    /// The transform of its output: `none`, `yeo_johnson`, `gap` or `ranked`.
    pub transform: String,
    /// The lengthscale of each parameter in what the parameters do together, in units of its range: short where that
    /// changes quickly. What a parameter does by itself and the trend have their own; see the importances.
    pub lengthscales: BTreeMap<String, f64>,
    /// Prior standard deviation of the metric, in its own units.
    pub signal_sd: f64,
    /// Standard deviation of the learned noise, in the metric's own units.
    pub noise_sd: f64,
    /// Prior mean, in the metric's own units.
    pub prior_mean: f64,
    /// Log marginal likelihood of the transformed values.
    pub log_marginal_likelihood: f64,
    /// What had to be added to the covariance's diagonal, relative to the prior variance; normally 0.
    pub jitter: f64,
    /// The share of the metric's predicted variance that involves each parameter, from 0 to 1. Interactions count for
    /// each of their parameters.
    pub importances: BTreeMap<String, f64>,
    /// What each completed trial would be predicted as from all others.
    pub leave_one_out: Vec<LeaveOneOut>,
    /// How far a second, independent engine disagrees.
    pub cross_check: CrossCheckInsight,
}

/// A trial, and its prediction from all others.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeaveOneOut {
    /// The trial's number.
    pub number: usize,
    /// What was observed.
    pub observed: f64,
    /// What is predicted without it.
    pub predicted: Prediction,
}

/// The opinion of a second engine (friedrich) on the numerics.
#[derive(Debug, Serialize, ToSchema)]
pub struct CrossCheckInsight {
    /// The largest disagreement at the trials, of means in prior standard deviations and of variances in prior ones;
    /// null where the engine cannot express the model.
    pub largest_disagreement: Option<f64>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<MetricModel> for ModelInsight {
    fn from(model: MetricModel) -> Self {
        let (largest_disagreement, reason) = match model.cross_check {
            CrossCheck::Largest(largest) => (Some(largest), None),
            CrossCheck::None(reason) => (None, Some(reason)),
        };
        let left_out = model.left_out.into_iter().map(|left_out| LeaveOneOut {
            number: left_out.number,
            observed: left_out.observed,
            predicted: left_out.predicted.into(),
        });
        Self {
            metric: model.metric,
            observations: model.observations,
            fitted_to: model.fitted_to,
            transform: model.transform.into(),
            lengthscales: model.lengthscales.into_iter().collect(),
            signal_sd: model.signal_sd,
            noise_sd: model.noise_sd,
            prior_mean: model.prior_mean,
            log_marginal_likelihood: model.log_marginal_likelihood,
            jitter: model.jitter,
            importances: model.importances.into_iter().collect(),
            leave_one_out: left_out.collect(),
            cross_check: CrossCheckInsight { largest_disagreement, reason },
        }
    }
}

impl From<advisor::Decision> for Decision {
    fn from(decision: advisor::Decision) -> Self {
        let advisor::Decision { what, metric, chosen, because } = decision;
        Self { what, metric, chosen, because }
    }
}

impl From<Learned> for InsightsAnswer {
    fn from(learned: Learned) -> Self {
        let remaining = learned.insights.remaining.map(|gain| RemainingGain {
            metric: gain.metric,
            expected_improvement: gain.improvement,
            probability: gain.probability,
        });
        Self {
            remaining,
            models: learned.insights.models.into_iter().map(Into::into).collect(),
            decisions: learned.insights.decisions.into_iter().map(Into::into).collect(),
            history_revision: learned.revision,
            reason: learned.reason,
        }
    }
}
