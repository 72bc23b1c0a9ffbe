//! What to take home: the feasible trials that were best, and the points with the best posterior mean.

use super::Advisor;
use super::beliefs::{Belief, Learner, Rows, is_feasible};
use super::history::{History, Seen, Standing};
use super::suggest::seed;
use crate::acquisition::{Acquisition, Search, Sum, maximize};
use crate::space::Point;
use crate::study::{Definition, Direction, Goal};
use crate::surrogate::SurrogateError;

/// A point worth taking home.
#[derive(Clone, Debug)]
pub struct Recommendation {
    /// The point.
    pub point: Point,
    /// What is predicted of each metric that was observed, by name, in its own units.
    pub predicted: Vec<(String, Predicted)>,
}

/// A prediction in a metric's own units, without the noise of an observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predicted {
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

/// The numbers of the best feasible trials: one where there is one objective (ties: the lowest number), the Pareto
/// front where there are several. Ordered by number.
pub fn pareto_front(definition: &Definition, history: &History) -> Vec<usize> {
    let objectives: Vec<(usize, f64)> = definition
        .metrics()
        .iter()
        .enumerate()
        .filter_map(|(index, metric)| metric.direction().map(|direction| (index, direction.sign())))
        .collect();
    let mut front: Vec<(usize, Vec<f64>)> = Vec::new();
    for (number, seen) in history.trials().iter().enumerate() {
        let Standing::Completed(metrics) = &seen.standing else { continue };
        if !is_feasible(definition, metrics) {
            continue;
        }
        let values: Vec<f64> = objectives
            .iter()
            .filter_map(|&(index, sign)| metrics[index].as_ref().map(|seen| sign * seen.value))
            .collect();
        if values.len() < objectives.len() || front.iter().any(|(_, other)| covers(other, &values)) {
            continue;
        }
        front.retain(|(_, other)| !covers(&values, other));
        front.push((number, values));
    }
    front.into_iter().map(|(number, _)| number).collect()
}

/// Whether `a` is nowhere worse than `b`.
fn covers(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| a >= b)
}

impl Advisor {
    /// The point with the best posterior mean; for several objectives the trials on the front of posterior means.
    /// Empty where nothing feasible is known. A pure function of the definition and the history.
    pub fn recommend(&self, definition: &Definition, history: &History) -> Vec<Recommendation> {
        self.try_recommend(definition, history).unwrap_or_default()
    }

    fn try_recommend(
        &self,
        definition: &Definition,
        history: &History,
    ) -> Result<Vec<Recommendation>, SurrogateError> {
        let told = history.told();
        let front = pareto_front(definition, history);
        let beliefs = self.beliefs(definition, &told)?;
        let space = definition.space();
        let points: Vec<Point> = if definition.objectives().count() == 1 {
            let Some(&best) = front.first() else { return Ok(Vec::new()) };
            let Some(start) = history.trials()[best].coordinates.clone() else { return Ok(Vec::new()) };
            let mut terms: Vec<Box<dyn Acquisition + '_>> = Vec::new();
            for (metric, belief) in definition.metrics().iter().zip(&beliefs) {
                match (metric.goal, belief) {
                    (Goal::Optimize { .. }, Some(belief)) => terms.push(belief.worth()),
                    (Goal::Constrain { lower, upper }, Some(belief)) => {
                        terms.push(belief.feasibility(lower, upper));
                    }
                    _ => {}
                }
            }
            let search = Search {
                space,
                around: &[start],
                taken: &|_| false,
                region: None,
                seed: seed(definition, "recommend", history.len()),
            };
            maximize(&search, &Sum(terms)).into_iter().collect()
        } else {
            front
                .iter()
                .filter_map(|&number| history.trials()[number].coordinates.as_deref())
                .map(|coordinates| space.decode(coordinates))
                .collect()
        };
        Ok(points.into_iter().map(|point| predict(definition, &beliefs, point)).collect())
    }

    /// A belief for each metric that was observed, in the order of the definition.
    pub(super) fn beliefs(
        &self,
        definition: &Definition,
        told: &[(usize, &Seen)],
    ) -> Result<Vec<Option<Belief>>, SurrogateError> {
        let learner = Learner::new(self, definition, told.len());
        definition
            .metrics()
            .iter()
            .enumerate()
            .map(|(index, metric)| {
                let mut rows = Rows::of_metric(told, index);
                if metric.direction().is_some() && definition.objectives().count() == 1 {
                    rows.shape_freely();
                }
                if rows.is_empty() || metric.goal == Goal::Record {
                    return Ok(None);
                }
                let sign = metric.direction().map_or(1.0, Direction::sign);
                learner.learn(&rows, sign).map(Some)
            })
            .collect()
    }
}

fn predict(definition: &Definition, beliefs: &[Option<Belief>], point: Point) -> Recommendation {
    let coordinates = definition.space().encode(&point);
    let predicted = definition
        .metrics()
        .iter()
        .zip(beliefs)
        .filter_map(|(metric, belief)| {
            let belief = belief.as_ref()?;
            Some((metric.name.clone(), belief.predicted(&coordinates)?))
        })
        .collect();
    Recommendation { point, predicted }
}
