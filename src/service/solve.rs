//! Solves in the background: the service asks itself, evaluates by the networks, and tells itself, until the evaluations
//! or the study's budget are spent.
//!
//! A solve belongs to one server at a time, which shows signs of life with every step. Where a server dies, another, or
//! the same after its restart, takes the solve up: an open trial is evaluated again, and the rest follows from the history.

use std::sync::Arc;

use uuid::Uuid;

use super::{CompositeError, Service};
use crate::advisor::evaluate_through;
use crate::attack::composite::Composite;
use crate::store::{
    AskPlan, Assignment, HandOut, NewTrial, Result as StoreResult, Solve, SolveState, SolveStep, StoreError,
    Tell,
};
use crate::study::{Outcome, StudyId, StudyState, Trial};

/// The worker's name on trials that the service evaluates.
const WORKER: &str = "tellus:solve";
/// How many solves one server computes at once.
const MOST_SOLVES: usize = 4;

/// What a step of a solve came to.
enum Turn {
    Evaluated {
        passes: u64,
    },
    Over(Option<String>),
    /// Another trial came in between.
    Again,
}

impl Service {
    /// Takes up solves that no living server computes. Called at intervals, and after one was asked for.
    pub async fn take_up_solves(&self) {
        loop {
            let Ok(place) = Arc::clone(&self.inner.solving).try_acquire_owned() else { return };
            // A name for each time a solve is taken up: whoever was too slow and lost it is refused.
            let owner = Uuid::new_v4();
            match self.inner.store.claim_solve(owner).await {
                Ok(Some((study, solve))) => {
                    let service = self.clone();
                    tokio::spawn(async move {
                        service.solve(study, solve, owner).await;
                        drop(place);
                    });
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "solves could not be looked for");
                    return;
                }
            }
        }
    }

    async fn solve(&self, study: StudyId, mut solve: Solve, owner: Uuid) {
        let mut composite = None;
        while solve.state == SolveState::Running {
            let turn = if solve.done >= solve.evaluations {
                Ok(Turn::Over(None))
            } else {
                self.turn(study, &mut composite).await
            };
            let step = |done: u64, passes: u64, state: SolveState, reason: Option<String>| SolveStep {
                owner,
                done,
                passes,
                state,
                reason,
            };
            let step = match turn {
                Ok(Turn::Again) => continue,
                Ok(Turn::Evaluated { passes }) => {
                    // Those of the search, and one for each outcome.
                    let passes = solve.passes.max(passes + solve.done + 1);
                    step(solve.done + 1, passes, SolveState::Running, None)
                }
                Ok(Turn::Over(reason)) => step(solve.done, solve.passes, SolveState::Completed, reason),
                Err(StoreError::Unavailable(error)) => {
                    // Its time runs out, and it is taken up again once the database is back.
                    tracing::warn!(%error, "a solve waits for the database");
                    return;
                }
                Err(StoreError::NoStudy(_)) => return,
                Err(error) => step(solve.done, solve.passes, SolveState::Failed, Some(error.to_string())),
            };
            match self.inner.store.step_solve(study, step).await {
                Ok(next) => solve = next,
                Err(error) => {
                    tracing::warn!(%error, "a solve could not be moved on");
                    return;
                }
            }
            self.changed(study);
        }
    }

    async fn turn(&self, study: StudyId, kept: &mut Option<Arc<Composite>>) -> StoreResult<Turn> {
        let store = &self.inner.store;
        let snapshot = self.inner.snapshots.read(store.as_ref(), study).await?;
        let record = &snapshot.record;
        if record.state != StudyState::Active {
            return Ok(Turn::Over(Some(format!("the study is {}", record.state.name()))));
        }
        let composite = match kept {
            Some(composite) => Arc::clone(composite),
            None => match self.composite(&record.definition).await {
                Ok(Some(composite)) => Arc::clone(kept.insert(composite)),
                Ok(None) | Err(CompositeError::Faults(_)) => {
                    return Ok(Turn::Over(Some("the study's networks cannot be used".to_owned())));
                }
                Err(CompositeError::Service(super::ServiceError::Store(error))) => return Err(error),
                Err(CompositeError::Service(_)) => return Ok(Turn::Again),
            },
        };
        let waiting = snapshot.waiting.for_worker(Some(WORKER), false, 1);
        let open = waiting.open.first().copied();
        let queued = waiting.queued.first().copied();
        let left = record.budget_left();
        let mut passes = 0;
        let trial: Trial = if let Some(number) = open {
            store.trial(study, number).await?
        } else {
            if left == 0 {
                return Ok(Turn::Over(None));
            }
            let assignment = if let Some(number) = queued {
                Assignment::Queued(number)
            } else {
                let advisor = Arc::clone(&self.inner.advisor);
                let definition = Arc::clone(&record.definition);
                let history = Arc::clone(&snapshot.history);
                let networks = Arc::clone(&composite);
                let suggested = self
                    .inner
                    .numerics
                    .run_for(study, move || advisor.suggest_through(&networks, &definition, &history, 1))
                    .await;
                let Ok((proposals, taken)) = suggested else {
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                    return Ok(Turn::Again);
                };
                passes = taken;
                let Some(proposal) = proposals.into_iter().next() else {
                    return Ok(Turn::Over(Some("every point of the space was tried".to_owned())));
                };
                let retry_of = snapshot.history.at(&proposal.key).last().map(|&number| number as u64);
                Assignment::New(NewTrial {
                    parameters: record.definition.space().write(&proposal.point),
                    key: proposal.key,
                    replicate: 0,
                    retry_of,
                    origin: proposal.origin.to_owned(),
                    history_revision: record.revision,
                })
            };
            let ask = AskPlan {
                assignments: vec![assignment],
                worker: Some(WORKER.to_owned()),
                lease_seconds: None,
                keyed: None,
                by: None,
            };
            let plan = HandOut { expected_next_number: record.next_number, asks: vec![ask] };
            match store.hand_out(study, plan).await {
                Ok(trials) => match trials.into_iter().flatten().next() {
                    Some(trial) => trial,
                    None => return Ok(Turn::Again),
                },
                Err(StoreError::Outdated) => return Ok(Turn::Again),
                Err(error) => return Err(error),
            }
        };
        let outcome = match trial.point(&record.definition) {
            None => Outcome::Failed { reason: "the point lies outside the space".to_owned() },
            Some(point) => {
                let definition = Arc::clone(&record.definition);
                let evaluated = self
                    .inner
                    .numerics
                    .run_for(study, move || evaluate_through(&composite, &definition, &point))
                    .await;
                let Ok(outcome) = evaluated else { return Ok(Turn::Again) };
                outcome
            }
        };
        let tell = Tell { outcome, cost: 0.0, amend: false, lease_token: None };
        match store.tell(study, trial.number, tell, None).await {
            Ok(_) => Ok(Turn::Evaluated { passes }),
            // A client told it first.
            Err(StoreError::Refused(_)) => Ok(Turn::Again),
            Err(error) => Err(error),
        }
    }

    /// How many solves it may compute at once.
    pub(super) fn solving_places() -> Arc<tokio::sync::Semaphore> {
        Arc::new(tokio::sync::Semaphore::new(MOST_SOLVES))
    }
}
