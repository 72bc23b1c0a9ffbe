//! The ask desk between the advisor and the store: reads a snapshot, has the advisor compute, and commits, again where
//! the study moved on meanwhile. Whatever drives the service, HTTP or another door, goes through here.
//!
//! What a [`Service`] keeps is a memo (histories as far as they were read, fits, listeners); any number of services may
//! share one database. Rules that several servers must agree on are the store's.

mod ahead;
mod course;
mod desk;
mod error;
mod fits;
mod learned;
mod listeners;
mod meters;
mod networks;
mod notices;
mod numerics;
mod snapshot;
mod solve;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::advisor::{Advisor, curve};
use crate::space::Fault;
use crate::store::access::Actor;
use crate::store::{Answer, IdempotencyKey, Keyed, Result as StoreResult, Store};
use crate::study::{AskRequest, Definition, Measurement, StudyDraft, StudyId, Trial};

pub use course::{History, Order, Ranking, Sample, SortBy, Steps, thin};
pub use error::{AskError, ServiceError};
pub use learned::{Best, Learned, Predictions, Recommended};
pub use meters::Meters;
pub use networks::{CompositeError, NetworkError};

use ahead::Ahead;
use course::Courses;
use desk::{Desk, WaitingAsk};
use fits::StoredFits;
use listeners::Listeners;
use networks::Networks;
use notices::Notices;
use numerics::Numerics;
use snapshot::Snapshots;

/// How often leases are looked at.
const LEASE_INTERVAL: Duration = Duration::from_secs(1);
/// How often old answers and events are removed.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3600);

/// What may be set of a service.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many threads compute suggestions.
    pub threads: usize,
    /// How many computations may wait for them before the service says that it is overloaded.
    pub waiting: usize,
    /// Whether the next points are computed before they are asked for, while a thread is idle.
    pub ahead: LookAhead,
}

/// Whether the next points are computed before they are asked for. It changes no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookAhead {
    /// While a thread is idle.
    WhenIdle,
    /// Never.
    Never,
}

impl Default for Options {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads, waiting: 1024, ahead: LookAhead::WhenIdle }
    }
}

/// An idempotency key that outlives the request's task, with the means to make the answer.
pub struct OwnedKeyed<T> {
    /// The key.
    pub key: IdempotencyKey,
    /// Makes the answer that is kept.
    pub answer: Arc<dyn Fn(&T) -> Answer + Send + Sync>,
}

impl<T> OwnedKeyed<T> {
    /// As the store takes it.
    pub fn borrow(&self) -> Keyed<'_, T> {
        Keyed { key: &self.key, answer: &*self.answer }
    }
}

/// The service. Clones share everything.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
    /// The store, in the name of whom this service acts for.
    store: Arc<dyn Store>,
    actor: Option<Arc<Actor>>,
}

struct Inner {
    store: Arc<dyn Store>,
    advisor: Arc<Advisor>,
    numerics: Numerics,
    snapshots: Snapshots,
    courses: Courses,
    desks: Mutex<HashMap<StudyId, Desk>>,
    listeners: Listeners,
    ahead: Ahead,
    looks_ahead: bool,
    networks: Networks,
    notices: Notices,
    meters: Meters,
    /// Places for solves.
    solving: Arc<tokio::sync::Semaphore>,
}

impl Service {
    /// A service on a store, within a runtime.
    pub fn new(store: Arc<dyn Store>, options: Options) -> Self {
        let advisor = Arc::new(Advisor::beside(Box::new(StoredFits::new(Arc::clone(&store)))));
        let meters = Meters::new(Arc::clone(&advisor));
        let inner = Inner {
            store: Arc::clone(&store),
            advisor,
            numerics: Numerics::new(options.threads, options.waiting, meters.numerics.clone()),
            snapshots: Snapshots::default(),
            courses: Courses::default(),
            desks: Mutex::default(),
            listeners: Listeners::default(),
            ahead: Ahead::default(),
            looks_ahead: options.ahead == LookAhead::WhenIdle,
            networks: Networks::default(),
            notices: Notices::default(),
            meters,
            solving: Self::solving_places(),
        };
        Self { inner: Arc::new(inner), store, actor: None }
    }

    /// The same service, which notes each change in the log as made by `actor`.
    #[must_use]
    pub fn by(&self, actor: Actor) -> Self {
        let actor = Arc::new(actor);
        let store = self.inner.store.by(Arc::clone(&actor));
        Self { inner: Arc::clone(&self.inner), store, actor: Some(actor) }
    }

    /// Where studies are kept.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What is counted and timed.
    pub fn meters(&self) -> &Meters {
        &self.inner.meters
    }

    /// Why computations would be refused now, where they would.
    pub fn overload(&self) -> Option<String> {
        self.inner.numerics.overload()
    }

    /// Checks a study, and that the advisor can optimize it. Draws its seed where it names none. Whether constraints
    /// leave a point takes a while to find out, so that this is computed where suggestions are.
    ///
    /// # Errors
    /// When too much is computed already; inside, every fault.
    pub async fn check(&self, draft: StudyDraft) -> Result<Result<Definition, Vec<Fault>>, ServiceError> {
        let (drawn, _) = Uuid::new_v4().as_u64_pair();
        let check = move || {
            let definition = Definition::check(draft, drawn)?;
            Advisor::admit(&definition)?;
            Ok(definition)
        };
        let overloaded = |_| ServiceError::Overloaded { retry_after_seconds: numerics::RETRY_AFTER_SECONDS };
        self.inner.numerics.run(check).await.map_err(overloaded)
    }

    /// Hands out trials. Asks that wait on one study are answered together. Dropping the future cancels an ask that
    /// is not being answered yet.
    ///
    /// # Errors
    /// When the study hands out none, or the database does not answer.
    pub async fn ask(
        &self,
        study: StudyId,
        request: AskRequest,
        keyed: Option<OwnedKeyed<Vec<Trial>>>,
    ) -> Result<Vec<Trial>, AskError> {
        let (sender, receiver) = oneshot::channel();
        let is_first = {
            let mut desks = lock(&self.inner.desks);
            let desk = desks.entry(study).or_default();
            let span = tracing::Span::current();
            desk.waiting.push_back(WaitingAsk { request, keyed, by: self.actor.clone(), span, sender });
            !std::mem::replace(&mut desk.is_served, true)
        };
        if is_first {
            let service = self.clone();
            tokio::spawn(async move { service.serve_desk(study).await });
        }
        receiver.await.unwrap_or(Err(AskError::Cancelled))
    }

    /// Says that a study changed: wakes those who listen to it, and computes its next points while there is time.
    pub fn changed(&self, study: StudyId) {
        self.inner.listeners.changed(study);
        self.inner.notices.put(study);
        self.look_ahead(study);
    }

    /// Whether a running trial is not worth going on with, by the study's rule, once it is measured like this.
    ///
    /// # Errors
    /// When there is no such study, or the database does not answer.
    pub async fn is_hopeless(
        &self,
        study: StudyId,
        number: u64,
        measurement: &Measurement,
    ) -> StoreResult<bool> {
        let snapshot = self.inner.snapshots.read(self.inner.store.as_ref(), study).await?;
        let definition = &snapshot.record.definition;
        let Ok(number) = usize::try_from(number) else { return Ok(false) };
        let Some(seen) = snapshot.history.trials().get(number) else { return Ok(false) };
        let mut known = seen.curve.clone();
        for (step, value) in curve(definition, std::slice::from_ref(measurement)) {
            known.retain(|(at, _)| *at != step);
            known.push((step, value));
        }
        known.sort_by_key(|(step, _)| *step);
        Ok(snapshot.history.should_stop(definition.draft().algorithm.early_stopping, number, &known))
    }

    /// Ticks whenever a study changes through this service.
    pub fn changes(&self, study: StudyId) -> watch::Receiver<u64> {
        self.inner.listeners.listen(study)
    }

    /// Ends leases and removes what is kept for a time only, until told to stop.
    pub async fn maintain(&self, stop: CancellationToken) {
        let told = tokio::spawn(self.clone().tell_others(stop.clone()));
        let heard = tokio::spawn(self.clone().hear_others(stop.clone()));
        self.keep_in_order(stop).await;
        drop(tokio::join!(told, heard));
    }

    async fn keep_in_order(&self, stop: CancellationToken) {
        let mut leases = tokio::time::interval(LEASE_INTERVAL);
        leases.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut prune = tokio::time::interval(PRUNE_INTERVAL);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = leases.tick() => {
                    match self.inner.store.expire_leases(None).await {
                        Ok(studies) => studies.into_iter().for_each(|study| self.changed(study)),
                        Err(error) => tracing::warn!(%error, "leases could not be looked at"),
                    }
                    self.take_up_solves().await;
                },
                _ = prune.tick() => if let Err(error) = self.inner.store.prune().await {
                    tracing::warn!(%error, "old answers and events could not be removed");
                },
            }
        }
    }
}

/// Locks a mutex whose contents are whole at every moment, so that a panic elsewhere did not harm them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
