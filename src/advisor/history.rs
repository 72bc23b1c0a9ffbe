//! What a study has seen, as the advisor reads it: its trials by number, each with where it stands and when it was
//! told.

use std::collections::HashMap;

use super::stopping::Curve;
use crate::space::PointKey;
use crate::study::{Definition, Direction, Measurement, Observation, Outcome, Trial, TrialState};

/// The trials of a study by number.
#[derive(Clone, Debug, Default)]
pub struct History {
    trials: Vec<Seen>,
    /// The trials at each point, by number.
    places: HashMap<PointKey, Vec<usize>>,
}

/// One trial.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What identifies its point.
    pub key: PointKey,
    /// Its coordinates, where the space can express the point.
    pub coordinates: Option<Vec<f64>>,
    /// Where it stands.
    pub standing: Standing,
    /// The study's revision when it was told: orders what was learned.
    pub told_revision: u64,
    /// Its measurements of the one objective by step, larger being better; empty where there are several objectives.
    pub curve: Curve,
    /// The value of the one objective, larger being better, once it is completed.
    pub gain: Option<f64>,
}

/// What a trial says to the models.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Its metrics, in the order of the definition; a missing one was not told.
    Completed(Vec<Option<Observation>>),
    /// The point cannot be evaluated.
    Failed,
    /// Its result is awaited: queued or running.
    Pending,
    /// Ended early: its point is not proposed again, and what its curve promises is learned.
    Stopped,
    /// It says nothing: abandoned or expired. The point may be proposed again.
    Void,
    /// Measured, and overtaken by its retry.
    Superseded,
}

impl Seen {
    /// What a stored trial says.
    pub fn of(definition: &Definition, trial: &Trial) -> Self {
        let coordinates = trial.point(definition).map(|point| definition.space().encode(&point));
        let standing = match (&trial.outcome, trial.state) {
            (Some(_), _) if trial.superseded => Standing::Superseded,
            (Some(Outcome::Completed { metrics }), _) => Standing::Completed(
                definition.metrics().iter().map(|metric| metrics.get(&metric.name).cloned()).collect(),
            ),
            (Some(Outcome::Failed { .. }), _) => Standing::Failed,
            (Some(Outcome::Stopped), _) => Standing::Stopped,
            (Some(Outcome::Abandoned { .. }), _) | (None, TrialState::Expired) => Standing::Void,
            (None, _) => Standing::Pending,
        };
        let told_revision = trial.told_revision.unwrap_or(0);
        let (curve, gain) = (curve(definition, &trial.measurements), gain(definition, trial));
        Self { key: trial.key, coordinates, standing, told_revision, curve, gain }
    }
}

/// The one objective of a study with the sign that turns it so that larger is better.
fn objective(definition: &Definition) -> Option<(&str, f64)> {
    let mut objectives = definition.objectives();
    let objective = objectives.next()?;
    let sign = objective.direction().map(Direction::sign)?;
    objectives.next().is_none().then_some((objective.name.as_str(), sign))
}

/// What measurements say of the one objective by step.
pub fn curve(definition: &Definition, measurements: &[Measurement]) -> Curve {
    let Some((name, sign)) = objective(definition) else { return Curve::new() };
    let measured = measurements.iter();
    measured.filter_map(|at| at.metrics.get(name).map(|seen| (at.step, sign * seen.value))).collect()
}

fn gain(definition: &Definition, trial: &Trial) -> Option<f64> {
    let (name, sign) = objective(definition)?;
    trial.outcome.as_ref()?.value(name).map(|value| sign * value)
}

impl History {
    /// How many trials there are: the number of the next one.
    pub fn len(&self) -> usize {
        self.trials.len()
    }

    /// Whether there is no trial yet.
    pub fn is_empty(&self) -> bool {
        self.trials.is_empty()
    }

    /// Adds the next trial, or replaces one. Numbers have no gaps: `number` is at most [`Self::len`].
    pub fn put(&mut self, number: usize, seen: Seen) {
        if number < self.trials.len() {
            self.trials[number] = seen;
        } else {
            self.places.entry(seen.key).or_default().push(number);
            self.trials.push(seen);
        }
    }

    /// The trials by number.
    pub fn trials(&self) -> &[Seen] {
        &self.trials
    }

    /// Whether a point may not be proposed: some trial at it says something, or will.
    pub fn is_taken(&self, key: &PointKey) -> bool {
        self.at(key).iter().any(|&number| self.trials[number].standing != Standing::Void)
    }

    /// The numbers of the trials at a point.
    pub fn at(&self, key: &PointKey) -> &[usize] {
        self.places.get(key).map_or(&[], Vec::as_slice)
    }

    /// The trials that say something, in the order in which they were told.
    pub fn told(&self) -> Vec<(usize, &Seen)> {
        let mut told: Vec<(usize, &Seen)> = self
            .trials
            .iter()
            .enumerate()
            .filter(|(_, seen)| {
                seen.coordinates.is_some()
                    && (matches!(seen.standing, Standing::Completed(_) | Standing::Failed)
                        || (seen.standing == Standing::Stopped && !seen.curve.is_empty()))
            })
            .collect();
        told.sort_by_key(|(number, seen)| (seen.told_revision, *number));
        told
    }

    /// The coordinates of the trials whose results are awaited.
    pub fn pending(&self) -> impl Iterator<Item = &[f64]> {
        self.trials
            .iter()
            .filter(|seen| seen.standing == Standing::Pending)
            .filter_map(|seen| seen.coordinates.as_deref())
    }
}
