//! What a study has learned so far: its best trials, and what to take home.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::{Service, ServiceError, numerics};
use crate::advisor::{Predicted, pareto_front};
use crate::study::{StudyId, Trial};

/// The best of a study.
#[derive(Clone, Debug)]
pub struct Best {
    /// The best feasible trial, or the Pareto front of a multi-objective study; by number.
    pub trials: Vec<Trial>,
    /// The point with the best posterior mean, or the front of posterior means.
    pub recommended: Vec<Recommended>,
    /// Why there is no trial.
    pub reason: Option<String>,
    /// The study has two or more objectives.
    pub is_multi_objective: bool,
}

/// A point worth taking home.
#[derive(Clone, Debug)]
pub struct Recommended {
    /// Its parameters as clients see them.
    pub parameters: Map<String, Json>,
    /// What is predicted of each metric, by name.
    pub predicted: Vec<(String, Predicted)>,
}

impl Service {
    /// The best feasible trials, and what the model recommends.
    ///
    /// # Errors
    /// When there is no such study, or the database does not answer.
    pub async fn best(&self, study: StudyId) -> Result<Best, ServiceError> {
        let store = &self.inner.store;
        let snapshot = self.inner.snapshots.read(store.as_ref(), study).await?;
        let definition = Arc::clone(&snapshot.record.definition);
        let history = Arc::clone(&snapshot.history);
        let advisor = Arc::clone(&self.inner.advisor);
        let (front, recommended) = self
            .inner
            .numerics
            .run(move || {
                let front = pareto_front(&definition, &history);
                (front, advisor.recommend(&definition, &history))
            })
            .await
            .map_err(|_| ServiceError::Overloaded { retry_after_seconds: numerics::RETRY_AFTER_SECONDS })?;
        let mut trials = Vec::with_capacity(front.len());
        for number in front {
            trials.push(store.trial(study, number as u64).await?);
        }
        let definition = &snapshot.record.definition;
        let reason = trials.is_empty().then(|| {
            let completed = snapshot.record.counts.of(crate::study::TrialState::Completed);
            match completed {
                0 => "no trial is completed yet".to_owned(),
                _ => format!("none of the {completed} completed trials keeps every constraint"),
            }
        });
        let recommended = recommended
            .into_iter()
            .map(|recommendation| Recommended {
                parameters: definition.space().write(&recommendation.point),
                predicted: recommendation.predicted,
            })
            .collect();
        let is_multi_objective = definition.objectives().count() > 1;
        Ok(Best { trials, recommended, reason, is_multi_objective })
    }
}
