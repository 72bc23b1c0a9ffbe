//! Every query, written once for all databases and compiled once for each: this folder is a module of `sqlite` and
//! of `postgres`, and takes the database's types and dialect from the module above it.

/// The columns that make a [`StudyRecord`] where its definition is known, which may be large.
macro_rules! defined_study_columns {
    () => {
        "id, seed, state, budget_trials, budget_cost, default_lease_seconds, retry_expired, metadata, \
         revision, next_number, queued_trials, running_trials, completed_trials, failed_trials, stopped_trials, \
         abandoned_trials, expired_trials, spent_trials, spent_cost, created_at, updated_at"
    };
}

/// The columns that make a [`StudyRecord`] by themselves.
macro_rules! study_columns {
    () => {
        concat!("definition, ", defined_study_columns!())
    };
}

/// The columns that make a [`Trial`], and its cost.
macro_rules! trial_columns {
    () => {
        "number, state, parameters, point_key, replicate, outside, attached, retry_of, superseded, origin, \
         history_revision, worker, lease_token, lease_seconds, lease_expires_at, outcome, cost, revisions, \
         measurements, note, tags, metadata, created_at, started_at, ended_at, told_revision, revision"
    };
}

/// Does a transaction, again where another one was in its way.
macro_rules! transact {
    ($transaction:expr) => {{
        let mut attempt = 1;
        loop {
            let span =
                tracing::info_span!("transaction", otel.kind = "client", db.system.name = SYSTEM, attempt);
            match tracing::Instrument::instrument($transaction, span).await {
                Err(error) if attempt < ATTEMPTS && may_succeed(&error) => attempt += 1,
                done => break done,
            }
        }
    }};
}

mod access;
mod archive;
mod attach;
mod audit;
mod events;
mod fits;
mod glances;
mod hand_out;
mod keys;
mod leases;
mod locked;
mod measure;
mod networks;
mod projects;
mod reading;
mod rows;
mod solves;
mod studies;
mod tell;
mod together;
mod tokens;
mod trials;

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::migrate::MigrateError;
use sqlx::{Pool, Transaction};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::super::Pooling;
use super::super::access::Actor;
use super::super::definitions::Definitions;
use super::super::{
    Answer, AttachedTrial, Created, EventPage, Glance, HandOut, IdempotencyKey, KeptAnswer, Keyed, Measure,
    Measured, NetworkRecord, NewNetwork, NewStudy, Notices, Page, Present, Result, Schema, Solve, SolveStep,
    Store, StoreError, StudyChange, StudyFilter, TakeTrial, Tell, TrialChange,
};
use super::{BEGIN_READ, BEGIN_WRITE, Database, MIGRATIONS, SYSTEM, is_conflict, is_missing_table};
use crate::study::{Definition, NetworkId, StudyId, StudyRecord, StudyState, Trial, TrialState};

/// How often a transaction is tried while others are in its way.
const ATTEMPTS: u32 = 5;

/// One database.
#[derive(Clone)]
pub(crate) struct Backend {
    reads: Pool<Database>,
    writes: Pool<Database>,
    definitions: Arc<Definitions>,
    /// In whose name changes are noted.
    actor: Option<Arc<Actor>>,
    pooling: Pooling,
}

impl Backend {
    pub(crate) fn new(reads: Pool<Database>, writes: Pool<Database>, pooling: Pooling) -> Self {
        Self { reads, writes, definitions: Arc::default(), actor: None, pooling }
    }

    /// Begins a transaction that writes.
    async fn begin(&self) -> Result<Transaction<'static, Database>> {
        self.alone(self.writes.begin_with(BEGIN_WRITE).await?).await
    }

    /// Begins a transaction that reads from one snapshot.
    async fn begin_read(&self) -> Result<Transaction<'static, Database>> {
        self.alone(self.reads.begin_with(BEGIN_READ).await?).await
    }

    /// Behind a pooler a connection may hold statements that others prepared under the names that ours get.
    async fn alone(
        &self,
        mut transaction: Transaction<'static, Database>,
    ) -> Result<Transaction<'static, Database>> {
        if self.pooling == Pooling::ByTransaction {
            sqlx::raw_sql("DEALLOCATE ALL").execute(&mut *transaction).await?;
        }
        Ok(transaction)
    }
}

/// Whether the same may succeed when it is tried again.
fn may_succeed(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable(sqlx::Error::Database(error)) => is_conflict(error.as_ref()),
        // What was read a moment ago is gone.
        StoreError::Unavailable(sqlx::Error::RowNotFound) => true,
        _ => false,
    }
}

#[async_trait]
impl Store for Backend {
    async fn migrate(&self) -> Result<()> {
        let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
        if self.pooling == Pooling::ByTransaction {
            // Migrations lock a session, which a pooler takes away in between.
            return match self.schema().await?.found {
                found if found > known => Err(StoreError::NewerSchema { found, known }),
                found if found < known => Err(StoreError::Migration(format!(
                    "it has version {found} rather than {known}, and is not changed through a pooler: run tellus migrate on \
                     the database itself"
                ))),
                _ => Ok(()),
            };
        }
        MIGRATIONS.run(&self.writes).await.map_err(|error| match error {
            MigrateError::VersionMissing(found) if found > known => StoreError::NewerSchema { found, known },
            MigrateError::Execute(error) => StoreError::Unavailable(error),
            other => StoreError::Migration(other.to_string()),
        })
    }

    async fn schema(&self) -> Result<Schema> {
        let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
        let newest = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success");
        let found: std::result::Result<Option<i64>, _> = newest.fetch_one(&mut *self.reading().await?).await;
        match found {
            Ok(found) => Ok(Schema { found: found.unwrap_or(0), known }),
            // There is no such table: nothing was ever migrated.
            Err(sqlx::Error::Database(error)) if is_missing_table(error.as_ref()) => {
                Ok(Schema { found: 0, known })
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn ready(&self) -> Result<()> {
        let mut transaction = self.begin().await?;
        // Changes nothing, and is refused where nothing can be changed.
        sqlx::query("UPDATE studies SET revision = revision WHERE 1 = 0").execute(&mut *transaction).await?;
        Ok(transaction.rollback().await?)
    }

    async fn create_study(&self, study: NewStudy, keyed: Option<Keyed<'_, Created>>) -> Result<Created> {
        transact!(self.create(&study, keyed.as_ref()))
    }

    async fn study(&self, id: StudyId) -> Result<StudyRecord> {
        let mut connection = self.reading().await?;
        self.read_study(&mut connection, id).await
    }

    async fn definition(&self, id: StudyId) -> Result<Arc<Definition>> {
        match self.definitions.get(id) {
            Some(definition) => Ok(definition),
            None => Ok(self.study(id).await?.definition),
        }
    }

    async fn studies(&self, filter: &StudyFilter, page: &Page) -> Result<Vec<StudyRecord>> {
        self.list_studies(filter, page).await
    }

    async fn change_study(&self, id: StudyId, change: StudyChange) -> Result<StudyRecord> {
        transact!(self.change(id, &change))
    }

    async fn delete_study(&self, id: StudyId) -> Result<()> {
        transact!(self.delete(id))
    }

    async fn hand_out(&self, study: StudyId, plan: HandOut<'_>) -> Result<Vec<Vec<Trial>>> {
        transact!(self.hand_out_planned(study, &plan))
    }

    async fn tell(
        &self,
        study: StudyId,
        number: u64,
        tell: Tell,
        keyed: Option<Keyed<'_, Trial>>,
    ) -> Result<Trial> {
        transact!(self.told(study, number, &tell, keyed.as_ref()))
    }

    async fn attach(
        &self,
        study: StudyId,
        trials: Vec<AttachedTrial>,
        keyed: Option<Keyed<'_, Vec<Trial>>>,
    ) -> Result<Vec<Trial>> {
        transact!(self.attach_all(study, &trials, keyed.as_ref()))
    }

    async fn heartbeat(&self, study: StudyId, number: u64, lease_token: Option<Uuid>) -> Result<StudyState> {
        transact!(self.extend_lease(study, number, lease_token))
    }

    async fn measure(
        &self,
        study: StudyId,
        number: u64,
        measure: Measure,
        keyed: Option<Keyed<'_, Measured>>,
    ) -> Result<Measured> {
        transact!(self.measured(study, number, &measure, keyed.as_ref()))
    }

    async fn change_trial(&self, study: StudyId, number: u64, change: TrialChange) -> Result<Trial> {
        transact!(self.annotate(study, number, &change))
    }

    async fn trial(&self, study: StudyId, number: u64) -> Result<Trial> {
        let mut transaction = self.begin_read().await?;
        let definition = self.read_definition(&mut transaction, study).await?;
        Ok(trials::read(&mut transaction, study, number, &definition).await?.trial)
    }

    async fn trials(&self, study: StudyId, state: Option<TrialState>, page: &Page) -> Result<Vec<Trial>> {
        self.list_trials(study, state, page).await
    }

    async fn changes_since(&self, study: StudyId, revision: u64, take: TakeTrial<'_>) -> Result<Present> {
        self.snapshot(study, revision, take).await
    }

    async fn glances(&self, study: StudyId, revision: u64) -> Result<(StudyRecord, Vec<Glance>)> {
        self.glance_over(study, revision).await
    }

    async fn pick(&self, study: StudyId, numbers: &[u64]) -> Result<Vec<Trial>> {
        self.pick_trials(study, numbers).await
    }

    async fn expire_leases(&self, study: Option<StudyId>) -> Result<Vec<StudyId>> {
        let mut changed = Vec::new();
        for study in self.with_due_leases(study).await? {
            if transact!(self.expire(study))? {
                changed.push(study);
            }
        }
        Ok(changed)
    }

    async fn events(&self, study: StudyId, after: u64, limit: u32) -> Result<EventPage> {
        self.list_events(study, after, limit).await
    }

    async fn prune(&self) -> Result<()> {
        transact!(self.prune_old())
    }

    async fn kept_answer(&self, key: &IdempotencyKey) -> Result<Option<KeptAnswer>> {
        self.find_answer(key).await
    }

    async fn keep_answer(&self, key: &IdempotencyKey, answer: &Answer) -> Result<()> {
        transact!(self.keep_refusal(key, answer))
    }

    async fn kept_fit(&self, digest: &[u8; 32], made_by: &str) -> Result<Option<String>> {
        self.find_fit(digest, made_by).await
    }

    async fn keep_fit(&self, digest: &[u8; 32], made_by: &str, fitted: &str) -> Result<()> {
        transact!(self.insert_fit(digest, made_by, fitted))
    }

    async fn create_network(&self, network: NewNetwork) -> Result<NetworkRecord> {
        transact!(self.keep_network(&network))
    }

    async fn network(&self, id: NetworkId) -> Result<NetworkRecord> {
        self.find_network(id).await
    }

    async fn network_onnx(&self, id: NetworkId) -> Result<Vec<u8>> {
        self.network_file(id).await
    }

    async fn networks(&self, among: Option<&[String]>, page: &Page) -> Result<Vec<NetworkRecord>> {
        self.list_networks(among, page).await
    }

    async fn delete_network(&self, id: NetworkId) -> Result<()> {
        transact!(self.remove_network(id))
    }

    async fn start_solve(
        &self,
        study: StudyId,
        evaluations: u64,
        keyed: Option<Keyed<'_, Solve>>,
    ) -> Result<Solve> {
        transact!(self.begin_solve(study, evaluations, keyed.as_ref()))
    }

    async fn solve(&self, study: StudyId) -> Result<Option<Solve>> {
        self.find_solve(study).await
    }

    async fn cancel_solve(&self, study: StudyId) -> Result<Solve> {
        transact!(self.cancel(study))
    }

    async fn claim_solve(&self, owner: Uuid) -> Result<Option<(StudyId, Solve)>> {
        transact!(self.claim(owner))
    }

    async fn step_solve(&self, study: StudyId, step: SolveStep) -> Result<Solve> {
        transact!(self.step(study, &step))
    }
}

#[async_trait]
impl Notices for Backend {
    async fn announce(&self, studies: &[StudyId]) -> Result<()> {
        match self.pooling {
            Pooling::None => {
                let mut connection = self.reads.acquire().await.map_err(StoreError::from)?;
                super::announce(&mut connection, studies).await
            }
            Pooling::ByTransaction => {
                let mut transaction = self.begin().await?;
                super::announce(&mut transaction, studies).await?;
                Ok(transaction.commit().await?)
            }
        }
    }

    async fn listen(&self, to: mpsc::Sender<StudyId>) -> Result<()> {
        match self.pooling {
            Pooling::None => super::listen(&self.reads, to).await,
            Pooling::ByTransaction => Ok(()),
        }
    }
}
