//! One desk a study, where its asks wait. Those that came while the last were computed are answered together.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;
use tracing::{Instrument, Span, field, info_span};

use super::meters::Phase;
use super::snapshot::Snapshot;
use super::{AskError, CompositeError, OwnedKeyed, Service, ServiceError, lock, numerics};
use crate::advisor::Proposal;
use crate::attack::composite::Composite;
use crate::store::access::Actor;
use crate::store::{AskPlan, Assignment, HandOut, NewTrial, Result as StoreResult, StoreError};
use crate::study::{AskRequest, Plan, StudyId, StudyState, Trial, plan_ask};

/// The asks of one study.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) waiting: VecDeque<WaitingAsk>,
    pub(super) is_served: bool,
}

/// One ask and who waits for it.
pub(super) struct WaitingAsk {
    pub(super) request: AskRequest,
    pub(super) keyed: Option<OwnedKeyed<Vec<Trial>>>,
    /// Who asks.
    pub(super) by: Option<Arc<Actor>>,
    /// The span of the request.
    pub(super) span: Span,
    pub(super) sender: oneshot::Sender<Result<Vec<Trial>, AskError>>,
}

/// Most asks that are answered together.
const MOST_TOGETHER: usize = 64;
/// Most points that are computed where the ask is answered, each in microseconds.
const MOST_IN_PLACE: usize = 16;
/// How often an ask is computed again because the study moved on, before the client is asked to come back.
const MOST_ATTEMPTS: usize = 50;

impl Service {
    /// Answers the asks of a study until none waits.
    pub(super) async fn serve_desk(&self, study: StudyId) {
        loop {
            let asks: Vec<WaitingAsk> = {
                let mut desks = lock(&self.inner.desks);
                let Some(desk) = desks.get_mut(&study) else { return };
                let count = desk.waiting.len().min(MOST_TOGETHER);
                let asks = desk.waiting.drain(..count).collect();
                if count == 0 {
                    desks.remove(&study);
                    return;
                }
                asks
            };
            // Whose client hung up is not answered.
            let asks: Vec<WaitingAsk> = asks.into_iter().filter(|ask| !ask.sender.is_closed()).collect();
            self.answer(study, asks).await;
            self.changed(study);
        }
    }

    /// Answers some asks together; where that fails, each by itself, so that each gets its own reason.
    async fn answer(&self, study: StudyId, asks: Vec<WaitingAsk>) {
        let together: Vec<&WaitingAsk> = asks.iter().collect();
        match self.try_answer(study, &together).instrument(answering(study, &together)).await {
            Ok(answers) => {
                for (ask, trials) in asks.into_iter().zip(answers) {
                    // A client that hung up meanwhile finds its trials by a sticky ask or when their leases end.
                    drop(ask.sender.send(Ok(trials)));
                }
            }
            Err(error) if asks.len() == 1 => {
                if let Some(ask) = asks.into_iter().next() {
                    drop(ask.sender.send(Err(error)));
                }
            }
            Err(_) => {
                for ask in asks {
                    let answer = self.try_answer(study, &[&ask]).instrument(answering(study, &[&ask])).await;
                    let answer = answer.map(|mut answers| answers.pop().unwrap_or_default());
                    drop(ask.sender.send(answer));
                }
            }
        }
    }

    async fn try_answer(&self, study: StudyId, asks: &[&WaitingAsk]) -> Result<Vec<Vec<Trial>>, AskError> {
        if asks.is_empty() {
            return Ok(Vec::new());
        }
        let store = &self.inner.store;
        for _ in 0..MOST_ATTEMPTS {
            let begin = Instant::now();
            let read = self.inner.snapshots.read(store.as_ref(), study);
            let mut snapshot = read.instrument(info_span!("snapshot")).await?;
            if snapshot.has_due_leases {
                if !store.expire_leases(Some(study)).await?.is_empty() {
                    self.changed(study);
                }
                snapshot = self.inner.snapshots.read(store.as_ref(), study).await?;
            }
            if snapshot.record.state != StudyState::Active {
                return Err(AskError::NotActive(snapshot.record.state));
            }
            self.inner.meters.phase(Phase::Snapshot, begin);
            let begin = Instant::now();
            let plans = plan(&mut snapshot, asks);
            let fresh = plans.iter().map(|plan| plan.fresh).filter(|&fresh| fresh > 0).collect();
            let suggest = info_span!(
                "suggest",
                tellus.trials = snapshot.history.trials().len(),
                tellus.ahead = field::Empty
            );
            let proposals = self.suggest(&snapshot, fresh).instrument(suggest).await?;
            self.inner.meters.phase(Phase::Suggest, begin);
            let asks_planned = self.assign(&snapshot, asks, &plans, proposals).await?;
            if let Some(empty) = asks_planned.iter().position(|ask| ask.assignments.is_empty()) {
                return Err(match plans[empty].fresh {
                    0 => AskError::BudgetSpent,
                    _ => AskError::SpaceExhausted,
                });
            }
            let hand_out = HandOut { expected_next_number: snapshot.record.next_number, asks: asks_planned };
            let begin = Instant::now();
            let handed_out = store.hand_out(study, hand_out).instrument(info_span!("hand out")).await;
            self.inner.meters.phase(Phase::Commit, begin);
            match handed_out {
                Ok(trials) => {
                    trials.iter().for_each(|trials| self.inner.meters.handed_out(trials));
                    return Ok(trials);
                }
                Err(StoreError::Outdated) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(AskError::Overloaded { retry_after_seconds: numerics::RETRY_AFTER_SECONDS })
    }

    /// New points for asks of so many each, in their order.
    async fn suggest(&self, snapshot: &Snapshot, counts: Vec<usize>) -> Result<Vec<Proposal>, AskError> {
        if counts.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: usize = counts.iter().sum();
        let immediate = self.inner.advisor.immediate(&snapshot.record.definition, &snapshot.history);
        if wanted <= immediate.min(MOST_IN_PLACE) {
            // Going to another thread and back would cost more; the models are made ahead of the first ask for them.
            if immediate - wanted < wanted {
                self.inner.ahead.asked(snapshot.record.id, &counts);
            }
            let compute = self.suggesting(snapshot, None, counts);
            let done = info_span!("compute").in_scope(|| self.inner.numerics.in_place(compute));
            return done
                .map_err(|_| AskError::Overloaded { retry_after_seconds: numerics::RETRY_AFTER_SECONDS });
        }
        let known = self.known_ahead(snapshot, &counts).await;
        self.inner.meters.looked_ahead(known.is_some());
        Span::current().record("tellus.ahead", known.is_some());
        if let Some(proposals) = known {
            return Ok(proposals);
        }
        let composite = self.composite(&snapshot.record.definition).await.map_err(|error| match error {
            CompositeError::Service(ServiceError::Store(error)) => AskError::Store(error),
            // They fitted when the study was created, and stay while it is there.
            _ => AskError::Overloaded { retry_after_seconds: numerics::RETRY_AFTER_SECONDS },
        })?;
        self.inner
            .numerics
            .run_for(snapshot.record.id, self.suggesting(snapshot, composite, counts))
            .await
            .map_err(|_| AskError::Overloaded { retry_after_seconds: numerics::RETRY_AFTER_SECONDS })
    }

    /// What computes new points for asks of so many each at a snapshot, whether they were asked for or are computed ahead.
    pub(super) fn suggesting(
        &self,
        snapshot: &Snapshot,
        composite: Option<Arc<Composite>>,
        counts: Vec<usize>,
    ) -> impl FnOnce() -> Vec<Proposal> + Send + 'static {
        let advisor = Arc::clone(&self.inner.advisor);
        let definition = Arc::clone(&snapshot.record.definition);
        let history = Arc::clone(&snapshot.history);
        move || match composite {
            Some(composite) => {
                advisor.suggest_through(&composite, &definition, &history, counts.iter().sum()).0
            }
            None => advisor.suggest_each(&definition, &history, &counts),
        }
    }

    /// Turns plans and proposals into what the store is to do.
    async fn assign<'a>(
        &self,
        snapshot: &Snapshot,
        asks: &[&'a WaitingAsk],
        plans: &[Plan],
        proposals: Vec<Proposal>,
    ) -> StoreResult<Vec<AskPlan<'a>>> {
        let record = &snapshot.record;
        let mut proposals = proposals.into_iter();
        let mut planned = Vec::with_capacity(asks.len());
        for (ask, plan) in asks.iter().zip(plans) {
            let again = plan.again.iter().map(|&number| Assignment::Again(number));
            let queued = plan.queued.iter().map(|&number| Assignment::Queued(number));
            let mut assignments: Vec<Assignment> = again.chain(queued).collect();
            for &number in &plan.retried {
                let trial = self.inner.store.trial(record.id, number).await?;
                assignments.push(Assignment::New(NewTrial {
                    parameters: trial.parameters,
                    key: trial.key,
                    replicate: trial.replicate,
                    retry_of: Some(number),
                    origin: trial.origin,
                    history_revision: record.revision,
                }));
            }
            for proposal in proposals.by_ref().take(plan.fresh) {
                // A point that was given up before is handed out as a retry of its last trial.
                let retry_of = snapshot.history.at(&proposal.key).last().map(|&number| number as u64);
                assignments.push(Assignment::New(NewTrial {
                    parameters: record.definition.space().write(&proposal.point),
                    key: proposal.key,
                    replicate: 0,
                    retry_of,
                    origin: proposal.origin.to_owned(),
                    history_revision: record.revision,
                }));
            }
            let lease_seconds = ask.request.lease_seconds.unwrap_or(record.settings.default_lease_seconds);
            planned.push(AskPlan {
                assignments,
                worker: ask.request.worker.clone(),
                lease_seconds,
                keyed: ask.keyed.as_ref().map(OwnedKeyed::borrow),
                by: ask.by.clone(),
            });
        }
        Ok(planned)
    }
}

/// The span of some asks that are answered together: in the trace of the first, with a link to each of the others.
fn answering(study: StudyId, asks: &[&WaitingAsk]) -> Span {
    let Some((first, others)) = asks.split_first() else { return Span::none() };
    let span = info_span!(parent: &first.span, "answer", tellus.study = %study, tellus.asks = asks.len());
    for other in others {
        span.follows_from(&other.span);
    }
    span
}

/// Plans each ask in turn; what one is given, the next is not.
fn plan(snapshot: &mut Snapshot, asks: &[&WaitingAsk]) -> Vec<Plan> {
    let mut left = snapshot.record.budget_left();
    asks.iter()
        .map(|ask| {
            let request = &ask.request;
            let retry_expired = snapshot.record.settings.retry_expired;
            let waiting =
                snapshot.waiting.for_worker(request.worker.as_deref(), retry_expired, request.count);
            let plan = plan_ask(request, &waiting, left);
            snapshot.waiting.remove(&plan.queued, &plan.retried);
            left = left.saturating_sub((plan.queued.len() + plan.retried.len() + plan.fresh) as u64);
            plan
        })
        .collect()
}
