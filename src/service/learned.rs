//! What a study has learned so far: its best trials, and what to take home.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::{Service, ServiceError, numerics};
use crate::advisor::{Advisor, Expected, History, Insights, Predicted, pareto_front};
use crate::space::Point;
use crate::study::{Definition, StudyId, Trial};
use crate::surrogate::SurrogateError;

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

/// Predictions at some points.
#[derive(Clone, Debug)]
pub struct Predictions {
    /// The study's revision that they rest on.
    pub revision: u64,
    /// What is expected of each point.
    pub points: Vec<Expected>,
    /// Why nothing is predicted.
    pub reason: Option<String>,
}

/// What the models are made of.
#[derive(Clone, Debug)]
pub struct Learned {
    /// The study's revision that they rest on.
    pub revision: u64,
    /// The models.
    pub insights: Insights,
    /// Why there is no model.
    pub reason: Option<String>,
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
            .run_for(study, move || {
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

    /// What is expected of some points.
    ///
    /// # Errors
    /// As [`Self::best`].
    pub async fn predict(&self, study: StudyId, points: Vec<Point>) -> Result<Predictions, ServiceError> {
        let count = points.len();
        let (revision, learned) = self
            .learn(study, move |advisor, definition, history| advisor.predict(definition, history, &points))
            .await?;
        Ok(match learned {
            Ok(predicted) => Predictions { revision, points: predicted, reason: None },
            Err(error) => Predictions {
                revision,
                points: vec![Expected { metrics: Vec::new(), log_improvement: None }; count],
                reason: Some(format!("there is no model: {error}")),
            },
        })
    }

    /// What the study's models are made of.
    ///
    /// # Errors
    /// As [`Self::best`].
    pub async fn insights(&self, study: StudyId) -> Result<Learned, ServiceError> {
        let (revision, learned) = self.learn(study, Advisor::insights).await?;
        Ok(match learned {
            Ok(insights) => Learned { revision, insights, reason: None },
            Err(error) => Learned {
                revision,
                insights: Insights { models: Vec::new(), decisions: Vec::new(), remaining: None },
                reason: Some(format!("there is no model: {error}")),
            },
        })
    }

    /// Computes something from a study as it is now.
    async fn learn<T: Send + 'static>(
        &self,
        study: StudyId,
        compute: impl FnOnce(&Advisor, &Definition, &History) -> Result<T, SurrogateError> + Send + 'static,
    ) -> Result<(u64, Result<T, SurrogateError>), ServiceError> {
        let snapshot = self.inner.snapshots.read(self.inner.store.as_ref(), study).await?;
        let definition = Arc::clone(&snapshot.record.definition);
        let history = Arc::clone(&snapshot.history);
        let advisor = Arc::clone(&self.inner.advisor);
        let learned = self
            .inner
            .numerics
            .run_for(study, move || compute(&advisor, &definition, &history))
            .await
            .map_err(|_| ServiceError::Overloaded { retry_after_seconds: numerics::RETRY_AFTER_SECONDS })?;
        Ok((snapshot.record.revision, learned))
    }
}
