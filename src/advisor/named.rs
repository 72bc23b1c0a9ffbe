//! The points of a study that names its acquisition: what is believed is gathered here and handed to the registry.

use std::borrow::Cow;

use super::Advisor;
use super::beliefs::{Belief, Learner, Rows, is_feasible};
use super::history::{History, Seen, Standing};
use super::suggest::Weighting;
use crate::acquisition::{Beliefs, Chosen, Constraint, inferred_reference};
use crate::study::{Definition, Direction, Goal};
use crate::surrogate::SurrogateError;

/// How many of the best trials the search starts around.
const AROUND: usize = 4;

/// The models that a named acquisition may look at; they know nothing of awaited points.
pub(super) struct Gathered {
    /// Empty while no trial is feasible.
    objectives: Vec<Belief>,
    reference: Vec<f64>,
    constraints: Vec<(Belief, f64, f64)>,
    success: Option<Belief>,
    cost: Option<Belief>,
    /// The feasible trials' coordinates, row after row.
    feasible: Vec<f64>,
    trials: usize,
    /// The best trials' coordinates, best first.
    pub(super) around: Vec<Vec<f64>>,
    /// Whether several objectives were weighted into one, for this trial alone.
    pub(super) is_scalarized: bool,
}

impl Gathered {
    /// What a history says, for the trial of that number.
    pub(super) fn learn(
        advisor: &Advisor,
        definition: &Definition,
        chosen: &Chosen,
        history: &History,
        number: usize,
    ) -> Result<Self, SurrogateError> {
        let told = &history.told();
        let learner = Learner::new(advisor, definition, told.len());
        let learn = |rows: &Rows, sign: f64| learner.learn(rows, sign);
        let mut constraints = Vec::new();
        for (index, metric) in definition.metrics().iter().enumerate() {
            let rows = Rows::of_metric(told, index);
            if let Goal::Constrain { lower, upper } = metric.goal
                && !rows.is_empty()
            {
                let belief = learn(&rows, 1.0)?;
                let (lower, upper) = (belief.scale.apply(lower), belief.scale.apply(upper));
                constraints.push((belief, lower, upper));
            }
        }
        let any_failed = told.iter().any(|(_, seen)| seen.standing == Standing::Failed);
        let success = if any_failed { Some(learn(&Rows::of_success(told), 1.0)?) } else { None };
        let cost = match Rows::of_costs(definition, told) {
            Some(rows) => Some(learn(&rows, 1.0)?),
            None => None,
        };
        let feasible: Vec<&Seen> = told
            .iter()
            .map(|(_, seen)| *seen)
            .filter(|seen| match &seen.standing {
                Standing::Completed(metrics) => {
                    seen.coordinates.is_some() && is_feasible(definition, metrics)
                }
                _ => false,
            })
            .collect();
        let weighting = Weighting::draw(definition, &feasible, number);
        let is_scalarized = weighting.is_scalarized() && !chosen.algorithm.is_multi_objective;
        let mut gathered = Self {
            objectives: Vec::new(),
            reference: Vec::new(),
            constraints,
            success,
            cost,
            feasible: feasible
                .iter()
                .filter_map(|seen| seen.coordinates.as_deref())
                .flatten()
                .copied()
                .collect(),
            trials: told.len(),
            around: Vec::new(),
            is_scalarized,
        };
        if feasible.is_empty() {
            return if gathered.constraints.is_empty() && gathered.success.is_none() {
                Err(SurrogateError::Empty)
            } else {
                Ok(gathered)
            };
        }
        if chosen.algorithm.is_multi_objective {
            for (index, metric) in definition.metrics().iter().enumerate() {
                if let Some(direction) = metric.direction() {
                    let mut rows = Rows::of_metric(told, index);
                    let sign = Direction::sign(direction);
                    rows.push_failures(told, sign);
                    gathered.objectives.push(learn(&rows, sign)?);
                }
            }
        } else {
            let rows = Rows::of_objective(told, history, &weighting);
            gathered.objectives.push(learn(&rows, 1.0)?);
        }
        gathered.refer(definition, &feasible);
        Ok(gathered)
    }

    /// Sets the reference point, and what the search starts around: the best of each objective by posterior mean.
    fn refer(&mut self, definition: &Definition, feasible: &[&Seen]) {
        let outcomes: Vec<Vec<f64>> = feasible
            .iter()
            .filter_map(|seen| seen.coordinates.as_ref())
            .map(|x| self.objectives.iter().map(|belief| belief.process.mean(x)).collect())
            .collect();
        self.reference = inferred_reference(&outcomes);
        if !self.is_scalarized {
            let given = definition.metrics().iter().filter_map(|metric| match metric.goal {
                Goal::Optimize { reference, .. } => Some(reference),
                _ => None,
            });
            for ((place, belief), given) in self.reference.iter_mut().zip(&self.objectives).zip(given) {
                if let Some(given) = given {
                    *place = belief.scale.apply(given);
                }
            }
        }
        let share = AROUND.div_ceil(self.objectives.len().max(1));
        for k in 0..self.objectives.len() {
            let mut order: Vec<usize> = (0..outcomes.len()).collect();
            order.sort_by(|&a, &b| outcomes[b][k].total_cmp(&outcomes[a][k]));
            let best = order.into_iter().take(share).filter_map(|i| feasible[i].coordinates.clone());
            self.around.extend(best);
        }
    }

    /// Whether there is anything to improve on.
    pub(super) fn is_feasible(&self) -> bool {
        !self.objectives.is_empty()
    }

    /// The beliefs, with what is awaited.
    pub(super) fn beliefs(&self, pending: &[Vec<f64>]) -> Beliefs<'_> {
        Beliefs {
            objectives: self.objectives.iter().map(|belief| Cow::Borrowed(&belief.process)).collect(),
            reference: self.reference.clone(),
            constraints: self
                .constraints
                .iter()
                .map(|(belief, lower, upper)| Constraint {
                    metric: Cow::Borrowed(&belief.process),
                    lower: *lower,
                    upper: *upper,
                })
                .collect(),
            success: self.success.as_ref().map(|belief| Cow::Borrowed(&belief.process)),
            cost: self.cost.as_ref().map(|belief| (Cow::Borrowed(&belief.process), belief.scale.spread())),
            feasible: self.feasible.clone(),
            pending: pending.iter().flatten().copied().collect(),
            trials: self.trials,
        }
    }
}
