//! What is remembered: studies, their trials, the answers kept for idempotency keys, and the events.
//!
//! One trait, [`Store`], with Postgres and SQLite behind it. Each method that changes something is one transaction,
//! which locks the study's row, checks the state it moves from with the rules of [`study`](crate::study), raises the
//! study's revision by one for every event it appends, and, where the request carried an idempotency key, keeps the
//! answer. SQL lives in this room alone; nothing here knows how points are chosen or sent.

pub mod access;
pub mod archive;
mod definitions;
mod error;
mod keyed;
mod networks;
mod notices;
mod postgres;
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

pub use crate::study::{AttachedTrial, Measure, NewTrial, Tell};

use crate::study::{
    BudgetDraft, Definition, Event, NetworkId, StudyId, StudyRecord, StudyState, Trial, TrialState,
};

pub use access::Access;
pub use archive::Archive;
pub use error::StoreError;
pub use keyed::{Answer, IdempotencyKey, KeptAnswer, Keyed};
pub use networks::{
    NetworkDescription, NetworkRecord, NewNetwork, PortDescription, Solve, SolveState, SolveStep,
};
pub use notices::Notices;

/// What became of an operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Opens the database of a URL: `sqlite:` and a path (created where it is missing), or `postgres://`.
///
/// # Errors
/// [`StoreError::Unavailable`] where the URL names no database that can be opened.
pub async fn connect(url: &str) -> Result<Arc<dyn Store>> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => Ok(Arc::new(sqlite::connect(url).await?)),
        Some("postgres" | "postgresql") => Ok(Arc::new(postgres::connect(url).await?)),
        _ => Err(sqlx::Error::Configuration("a database URL begins with sqlite: or postgres:".into()).into()),
    }
}

/// Takes one trial of a study at a time.
pub type TakeTrial<'a> = &'a mut (dyn FnMut(&StudyRecord, Trial) + Send);

/// Where studies and trials are kept.
#[async_trait]
pub trait Store: Access + Archive + Notices {
    /// Brings the schema up to this program's; does nothing where it is. Fails on a newer schema than this program
    /// knows.
    async fn migrate(&self) -> Result<()>;

    /// The version of the database's schema, 0 where it has none, and the one that this program knows.
    async fn schema(&self) -> Result<Schema>;

    /// Whether the database answers and can be written to.
    async fn ready(&self) -> Result<()>;

    /// Creates a study; where its project has one of that name with the same definition, returns that one.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`] where that one's definition differs.
    async fn create_study(&self, study: NewStudy, keyed: Option<Keyed<'_, Created>>) -> Result<Created>;

    /// A study at its present revision.
    async fn study(&self, id: StudyId) -> Result<StudyRecord>;

    /// What a study was created with, which never changes. Costs nothing where it was read before, also of a study
    /// that another server has deleted since: what is done with it says so.
    async fn definition(&self, id: StudyId) -> Result<Arc<Definition>>;

    /// A page of studies, in the order of creation.
    async fn studies(&self, filter: &StudyFilter, page: &Page) -> Result<Vec<StudyRecord>>;

    /// Changes what may change of a study.
    async fn change_study(&self, id: StudyId, change: StudyChange) -> Result<StudyRecord>;

    /// Deletes a study with all that belongs to it.
    async fn delete_study(&self, id: StudyId) -> Result<()>;

    /// Answers one or several asks of one study in one transaction, in their order: hands out queued trials, and
    /// creates new ones. Returns the trials of each ask.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] where the plan no longer fits: a trial was created since (the study's next number is
    /// not the expected one), a planned trial changed its state, a point is taken, the study is not active, or its
    /// budget does not suffice. Nothing is changed then.
    async fn hand_out(&self, study: StudyId, plan: HandOut<'_>) -> Result<Vec<Vec<Trial>>>;

    /// Records the outcome of a trial, by the rules of [`study::tell`](crate::study::tell). Where its point was handed
    /// out again and that retry was told first, the trial becomes superseded.
    async fn tell(
        &self,
        study: StudyId,
        number: u64,
        tell: Tell,
        keyed: Option<Keyed<'_, Trial>>,
    ) -> Result<Trial>;

    /// Adds trials evaluated elsewhere, or queued ones where they have no outcome; all or none. A point that is
    /// there already becomes the next replicate of it. Returns them in order.
    async fn attach(
        &self,
        study: StudyId,
        trials: Vec<AttachedTrial>,
        keyed: Option<Keyed<'_, Vec<Trial>>>,
    ) -> Result<Vec<Trial>>;

    /// Extends the lease of a trial by its length from now, by the rules of
    /// [`study::heartbeat`](crate::study::heartbeat). Returns the study's state. Raises the revision only where the
    /// trial had expired.
    async fn heartbeat(&self, study: StudyId, number: u64, lease_token: Option<Uuid>) -> Result<StudyState>;

    /// Adds an intermediate value to a trial, which is a heartbeat too. A step that was measured before is replaced.
    async fn measure(
        &self,
        study: StudyId,
        number: u64,
        measure: Measure,
        keyed: Option<Keyed<'_, Measured>>,
    ) -> Result<Measured>;

    /// Changes what a client keeps with a trial.
    async fn change_trial(&self, study: StudyId, number: u64, change: TrialChange) -> Result<Trial>;

    /// One trial.
    async fn trial(&self, study: StudyId, number: u64) -> Result<Trial>;

    /// A page of trials, by number.
    async fn trials(&self, study: StudyId, state: Option<TrialState>, page: &Page) -> Result<Vec<Trial>>;

    /// The study, and by number its trials that changed after `revision`, every one where that is 0, as one consistent
    /// snapshot. The trials are handed to `take` one by one, each with the study: a long history fits into no memory
    /// twice. Where this fails, some of them may have been handed over.
    async fn changes_since(&self, study: StudyId, revision: u64, take: TakeTrial<'_>) -> Result<Present>;

    /// Like [`Store::changes_since`], all at once and with no more of each trial than charts and rankings of many need.
    async fn glances(&self, study: StudyId, revision: u64) -> Result<(StudyRecord, Vec<Glance>)>;

    /// The trials of these numbers, in the order of `numbers`; a number that is not there, or came before, is left out.
    async fn pick(&self, study: StudyId, numbers: &[u64]) -> Result<Vec<Trial>>;

    /// Moves running trials whose lease ended by the database's clock to `expired`, of one study or of all. Returns
    /// the studies that changed.
    async fn expire_leases(&self, study: Option<StudyId>) -> Result<Vec<StudyId>>;

    /// Events of a study after `revision`, oldest first, at most `limit`.
    async fn events(&self, study: StudyId, after: u64, limit: u32) -> Result<EventPage>;

    /// Removes answers, events and fits that are older than 7 days, and all but the last 100,000 events of each study.
    async fn prune(&self) -> Result<()>;

    /// The answer kept for a key, if any.
    async fn kept_answer(&self, key: &IdempotencyKey) -> Result<Option<KeptAnswer>>;

    /// Keeps the answer of a request that changed nothing (a refusal). An answer that is there already stays.
    async fn keep_answer(&self, key: &IdempotencyKey, answer: &Answer) -> Result<()>;

    /// A fit of the surrogate as it was kept, by the digest of what it was fitted to and by the numerics that made it.
    async fn kept_fit(&self, digest: &[u8; 32], made_by: &str) -> Result<Option<String>>;

    /// Keeps a fit; one that is there already stays.
    async fn keep_fit(&self, digest: &[u8; 32], made_by: &str, fitted: &str) -> Result<()>;

    /// Keeps a network.
    async fn create_network(&self, network: NewNetwork) -> Result<NetworkRecord>;

    /// A network without its file.
    async fn network(&self, id: NetworkId) -> Result<NetworkRecord>;

    /// A network's file.
    async fn network_onnx(&self, id: NetworkId) -> Result<Vec<u8>>;

    /// A page of networks, in the order of upload; those of these projects alone, where given.
    async fn networks(&self, among: Option<&[String]>, page: &Page) -> Result<Vec<NetworkRecord>>;

    /// Deletes a network.
    ///
    /// # Errors
    /// [`StoreError::NetworkInUse`] while a study refers to it.
    async fn delete_network(&self, id: NetworkId) -> Result<()>;

    /// Begins a solve of a study, in place of its last one.
    ///
    /// # Errors
    /// [`StoreError::AlreadySolving`] while that one runs, [`StoreError::NotActive`] where the study hands out nothing.
    async fn start_solve(
        &self,
        study: StudyId,
        evaluations: u64,
        keyed: Option<Keyed<'_, Solve>>,
    ) -> Result<Solve>;

    /// The study's last solve.
    async fn solve(&self, study: StudyId) -> Result<Option<Solve>>;

    /// Ends a running solve; one that ended stays as it is.
    async fn cancel_solve(&self, study: StudyId) -> Result<Solve>;

    /// Gives `owner` a running solve that no living server computes.
    async fn claim_solve(&self, owner: Uuid) -> Result<Option<(StudyId, Solve)>>;

    /// Moves a solve on and says how it stands: no longer running where a client cancelled it, or another server has
    /// it. A solve that completes with the study's budget completes the study.
    async fn step_solve(&self, study: StudyId, step: SolveStep) -> Result<Solve>;
}

/// Whether something between this program and the database gives each transaction another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// A connection is one to the database itself.
    None,
    /// A pooler in transaction mode.
    ByTransaction,
}

/// Versions of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The database's; 0 where it has none.
    pub found: i64,
    /// The newest that this program knows.
    pub known: i64,
}

/// A study at one moment.
#[derive(Clone, Debug)]
pub struct Present {
    /// The study.
    pub study: StudyRecord,
    /// Whether running trials of it have leases that ended by the database's clock: they are to be expired.
    pub has_due_leases: bool,
}

/// A study to be created.
#[derive(Clone, Debug)]
pub struct NewStudy {
    /// Its definition.
    pub definition: Definition,
    /// Whatever the client keeps with it.
    pub metadata: Map<String, Json>,
}

/// A created study, or the one that was there.
#[derive(Clone, Debug)]
pub struct Created {
    /// The study.
    pub study: StudyRecord,
    /// Whether it is new.
    pub is_new: bool,
}

/// Which studies a list holds.
#[derive(Clone, Debug, Default)]
pub struct StudyFilter {
    /// Of this project alone.
    pub project: Option<String>,
    /// Of these projects alone.
    pub among: Option<Vec<String>>,
    /// Of this name alone.
    pub name: Option<String>,
    /// Whose names contain this, without regard to case.
    pub search: Option<String>,
    /// In this state alone.
    pub state: Option<StudyState>,
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// Start behind this element: a trial's number, or for studies the position in the order of creation, as the
    /// element before named it.
    pub after: Option<Cursor>,
    /// At most so many elements.
    pub limit: u32,
    /// From the last to the first.
    pub descending: bool,
}

/// A place in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// Behind the trial of this number.
    Trial(u64),
    /// Behind the study with this id. Ids are made in the order of creation (UUID version 7).
    Study(StudyId),
    /// Behind the network with this id, likewise.
    Network(NetworkId),
    /// Behind the token or the entry of the log with this id, likewise.
    Id(Uuid),
    /// Behind the project of this name.
    Project(String),
}

/// What changes of a study; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct StudyChange {
    /// Whether it hands out trials.
    pub state: Option<StudyState>,
    /// Replaces all metadata.
    pub metadata: Option<Map<String, Json>>,
    /// Replaces the budget.
    pub budget: Option<BudgetDraft>,
    /// The length of leases to come; `Some(None)` for ever.
    pub default_lease_seconds: Option<Option<u64>>,
    /// Whether the points of expired trials are handed out again.
    pub retry_expired: Option<bool>,
}

/// What changes of a trial; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct TrialChange {
    /// A remark; `Some(None)` removes it.
    pub note: Option<Option<String>>,
    /// Replaces all tags.
    pub tags: Option<Vec<String>>,
    /// Replaces all metadata.
    pub metadata: Option<Map<String, Json>>,
}

/// A trial at a glance.
#[derive(Clone, Debug, PartialEq)]
pub struct Glance {
    /// Its number.
    pub number: u64,
    /// Where it stands.
    pub state: TrialState,
    /// Its retry was told before it.
    pub superseded: bool,
    /// The value told of each metric, in the order of the definition.
    pub values: Vec<Option<f64>>,
    /// When it was handed out.
    pub started_at: Option<DateTime<Utc>>,
    /// When its outcome was told.
    pub ended_at: Option<DateTime<Utc>>,
}

/// The answers to several asks.
pub struct HandOut<'a> {
    /// The study's next number in the snapshot from which this was computed.
    pub expected_next_number: u64,
    /// The asks.
    pub asks: Vec<AskPlan<'a>>,
}

/// The answer to one ask.
pub struct AskPlan<'a> {
    /// What it is given, in this order.
    pub assignments: Vec<Assignment>,
    /// Who evaluates it.
    pub worker: Option<String>,
    /// Length of the lease; `None` means for ever.
    pub lease_seconds: Option<u64>,
    /// Where the request carried an idempotency key.
    pub keyed: Option<Keyed<'a, Vec<Trial>>>,
    /// Who asks, where the log is to say so.
    pub by: Option<Arc<access::Actor>>,
}

/// One trial that an ask is given.
#[derive(Clone, Debug)]
pub enum Assignment {
    /// A running trial of the same worker, as it is.
    Again(u64),
    /// A queued trial.
    Queued(u64),
    /// A new trial.
    New(NewTrial),
}

/// A trial that was measured, in its study.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The trial with its measurements.
    pub trial: Trial,
    /// Whether the study hands out trials.
    pub state: StudyState,
}

/// A page of events.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// Oldest first.
    pub events: Vec<Event>,
    /// Events between the place asked for and the first of these are no longer kept.
    pub reset: bool,
    /// The study's revision when the page was read.
    pub revision: u64,
}
