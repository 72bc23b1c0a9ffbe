//! The course of a study: all its trials at a glance, from which charts are aggregated and rankings made, so that no
//! answer grows with the number of trials.
//!
//! The glances are a memo: read once, and after that only what changed. What is computed from them is pure, in
//! [`history`] (the best so far), [`sample`] (which trials to show of many) and [`ranking`] (which trials come where in
//! an ordered list).

mod history;
mod ranking;
mod sample;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::{Service, ServiceError, lock, numerics};
use crate::store::{Glance, Result as StoreResult, Store};
use crate::study::{Definition, StudyId, StudyRecord, Trial, TrialState};

pub use history::{History, Steps};
pub use ranking::{Order, Ranking, SortBy};
pub use sample::Sample;

/// How many studies' glances are kept; those used longest ago go first.
const CAPACITY: usize = 64;

/// The glances of the studies that somebody looks at.
#[derive(Default)]
pub(super) struct Courses {
    studies: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_study: HashMap<StudyId, (u64, Arc<tokio::sync::Mutex<Progress>>)>,
    uses: u64,
}

#[derive(Default)]
struct Progress {
    revision: u64,
    glances: Arc<Vec<Glance>>,
}

/// A study and its trials, by number, at one revision.
pub(super) struct Course {
    pub(super) record: StudyRecord,
    pub(super) glances: Arc<Vec<Glance>>,
}

impl Courses {
    async fn read(&self, store: &dyn Store, study: StudyId) -> StoreResult<Course> {
        let progress = self.progress(study);
        let mut progress = progress.lock().await;
        let (record, changed) = store.glances(study, progress.revision).await?;
        if !changed.is_empty() {
            let glances = Arc::make_mut(&mut progress.glances);
            for glance in changed {
                // Numbers have no gaps, and a change list holds every number that is new, in order.
                match usize::try_from(glance.number).ok().and_then(|number| glances.get_mut(number)) {
                    Some(before) => *before = glance,
                    None => glances.push(glance),
                }
            }
        }
        progress.revision = record.revision;
        Ok(Course { record, glances: Arc::clone(&progress.glances) })
    }

    fn progress(&self, study: StudyId) -> Arc<tokio::sync::Mutex<Progress>> {
        let mut kept = lock(&self.studies);
        kept.uses += 1;
        let uses = kept.uses;
        if !kept.by_study.contains_key(&study) && kept.by_study.len() >= CAPACITY {
            let oldest = kept.by_study.iter().min_by_key(|(_, (used, _))| *used).map(|(id, _)| *id);
            oldest.map(|id| kept.by_study.remove(&id));
        }
        let entry = kept.by_study.entry(study).or_default();
        entry.0 = uses;
        Arc::clone(&entry.1)
    }
}

/// Whether a trial has a result that counts.
fn is_result(glance: &Glance) -> bool {
    glance.state == TrialState::Completed && !glance.superseded
}

/// The objectives: their places among the metrics, and +1 for maximize, −1 for minimize.
fn objectives(definition: &Definition) -> Vec<(usize, f64)> {
    let metrics = definition.metrics().iter().enumerate();
    metrics.filter_map(|(index, metric)| Some((index, metric.direction()?.sign()))).collect()
}

/// At most `limit` (at least two) of `items`, evenly over them, with the first and the last.
pub fn thin<T: Clone>(items: &[T], limit: usize) -> Vec<T> {
    let limit = limit.max(2);
    if items.len() <= limit {
        return items.to_vec();
    }
    let last = items.len() - 1;
    (0..limit).map(|i| items[i * last / (limit - 1)].clone()).collect()
}

impl Service {
    async fn course<T: Send + 'static>(
        &self,
        study: StudyId,
        compute: impl FnOnce(&Definition, &[Glance]) -> T + Send + 'static,
    ) -> Result<(StudyRecord, T), ServiceError> {
        let course = self.inner.courses.read(self.inner.store.as_ref(), study).await?;
        let definition = Arc::clone(&course.record.definition);
        let done = self.inner.numerics.run(move || compute(&definition, &course.glances)).await;
        let done = done
            .map_err(|_| ServiceError::Overloaded { retry_after_seconds: numerics::RETRY_AFTER_SECONDS })?;
        Ok((course.record, done))
    }

    /// How the results of a study went, with at most `limit` points of each kind.
    ///
    /// # Errors
    /// When there is no such study, or the database does not answer.
    pub async fn history(
        &self,
        study: StudyId,
        limit: usize,
    ) -> Result<(StudyRecord, History), ServiceError> {
        self.course(study, move |definition, glances| history::of(definition, glances, limit)).await
    }

    /// At most `limit` trials that show what a study's many trials are like, by number.
    ///
    /// # Errors
    /// When there is no such study, or the database does not answer.
    pub async fn sample(&self, study: StudyId, limit: usize) -> Result<(StudyRecord, Sample), ServiceError> {
        let (record, numbers) = self
            .course(study, move |definition, glances| sample::numbers(definition, glances, limit))
            .await?;
        let trials = self.inner.store.pick(study, &numbers).await?;
        Ok((record, Sample { trials }))
    }

    /// A part of the trials of a study, ranked: how many there are in all, and those from `offset` on.
    ///
    /// # Errors
    /// When there is no such study, or the database does not answer.
    pub async fn ranked(
        &self,
        study: StudyId,
        ranking: Ranking,
        offset: usize,
        limit: usize,
    ) -> Result<(StudyRecord, usize, Vec<Trial>), ServiceError> {
        let (record, (total, numbers)) = self
            .course(study, move |definition, glances| {
                let ranked = ranking.numbers(definition, glances);
                let part = ranked.iter().skip(offset).take(limit).copied().collect::<Vec<u64>>();
                (ranked.len(), part)
            })
            .await?;
        let trials = self.inner.store.pick(study, &numbers).await?;
        Ok((record, total, trials))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A definition with these metrics.
    pub(super) fn definition(metrics: serde_json::Value) -> Definition {
        let draft = serde_json::json!({
            "name": "s", "parameters": [{"name": "x", "type": "float", "low": 0.0, "high": 1.0}],
            "metrics": metrics,
        });
        Definition::check(serde_json::from_value(draft).unwrap(), 1).unwrap()
    }

    /// Completed trials with these values.
    pub(super) fn completed<const M: usize>(values: &[[f64; M]]) -> Vec<Glance> {
        let glance = |(number, values): (usize, &[f64; M])| Glance {
            number: number as u64,
            state: TrialState::Completed,
            superseded: false,
            values: values.iter().map(|value| Some(*value)).collect(),
            started_at: None,
            ended_at: None,
        };
        values.iter().enumerate().map(glance).collect()
    }

    #[test]
    fn thinning_keeps_the_ends_and_the_order() {
        let items: Vec<usize> = (0..1000).collect();
        let thinned = thin(&items, 10);
        assert_eq!((thinned.len(), thinned[0], thinned[9]), (10, 0, 999));
        assert!(thinned.is_sorted());
        assert_eq!(thin(&items[..7], 10), items[..7]);
    }
}
