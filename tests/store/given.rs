//! What the tests start from: a fresh database, a small study, and short ways to ask and to tell.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sqlx::{Connection, PgConnection, SqliteConnection};
use tellus::space::PointKey;
use tellus::store::{
    self, Answer, AskPlan, Assignment, AttachedTrial, Created, HandOut, IdempotencyKey, NewStudy, NewTrial,
    Page, Store, StoreError, Tell,
};
use tellus::study::{Definition, Observation, Outcome, StudyId, StudyRecord, Trial};
use tempfile::TempDir;

use crate::postgres;

/// A fresh database; it is gone when this is dropped.
pub(crate) struct Database {
    pub(crate) store: Arc<dyn Store>,
    place: Place,
}

enum Place {
    Sqlite(TempDir),
    Postgres(postgres::Schema),
}

pub(crate) async fn sqlite() -> Database {
    let directory = tempfile::tempdir().unwrap();
    let store = store::connect(&sqlite_url(&directory)).await.unwrap();
    store.migrate().await.unwrap();
    Database { store, place: Place::Sqlite(directory) }
}

pub(crate) async fn postgres() -> Database {
    let schema = postgres::schema().await;
    let store = store::connect(&schema.url).await.unwrap();
    store.migrate().await.unwrap();
    Database { store, place: Place::Postgres(schema) }
}

/// A file in a directory that is not there yet.
fn sqlite_url(directory: &TempDir) -> String {
    format!("sqlite://{}", directory.path().join("data/tellus.sqlite").display())
}

impl Database {
    /// Another store on the same database, as a second server has it.
    pub(crate) async fn second_store(&self) -> Arc<dyn Store> {
        let url = match &self.place {
            Place::Sqlite(directory) => sqlite_url(directory),
            Place::Postgres(schema) => schema.url.clone(),
        };
        store::connect(&url).await.unwrap()
    }

    /// Changes rows behind the store's back.
    pub(crate) async fn execute(&self, sql: &'static str) {
        match &self.place {
            Place::Sqlite(directory) => {
                let mut connection = SqliteConnection::connect(&sqlite_url(directory)).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
            Place::Postgres(schema) => {
                let mut connection = PgConnection::connect(&schema.url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
        }
    }
}

/// The definition of a small study, with `changes` in place of what it says otherwise.
pub(crate) fn definition(name: &str, changes: Value) -> Definition {
    let mut draft = json!({
        "name": name,
        "parameters": [
            {"name": "width", "type": "float", "low": 1e-3, "high": 0.1},
            {"name": "b", "type": "int", "low": 1, "high": 9},
        ],
        "metrics": [{"name": "loss", "goal": "minimize"}, {"name": "seconds", "goal": "record"}],
        "cost_metric": "seconds",
    });
    for (field, value) in changes.as_object().unwrap() {
        draft[field] = value.clone();
    }
    Definition::check(serde_json::from_value(draft).unwrap(), 42).unwrap()
}

pub(crate) fn new_study(name: &str, changes: Value) -> NewStudy {
    NewStudy { definition: definition(name, changes), metadata: object(json!({"owner": "ada"})) }
}

pub(crate) async fn study_with(store: &Arc<dyn Store>, changes: Value) -> StudyRecord {
    let Created { study, is_new } = store.create_study(new_study("study", changes), None).await.unwrap();
    assert!(is_new);
    study
}

pub(crate) async fn study(store: &Arc<dyn Store>) -> StudyId {
    study_with(store, json!({})).await.id
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A key for each number.
pub(crate) fn point(number: u64) -> PointKey {
    let mut key = [7; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    PointKey(key)
}

pub(crate) fn parameters(number: u64) -> Map<String, Value> {
    object(json!({"width": 0.1 / (number + 3) as f64, "b": number % 9 + 1}))
}

/// A proposal of the point `number`.
pub(crate) fn proposal(number: u64) -> NewTrial {
    NewTrial {
        parameters: parameters(number),
        key: point(number),
        replicate: 0,
        retry_of: None,
        origin: "initial_design".into(),
        history_revision: 1,
    }
}

pub(crate) fn retry(original: &Trial) -> NewTrial {
    NewTrial {
        parameters: original.parameters.clone(),
        key: original.key,
        replicate: original.replicate,
        retry_of: Some(original.number),
        origin: original.origin.clone(),
        history_revision: 1,
    }
}

pub(crate) fn ask(
    worker: &str,
    lease_seconds: Option<u64>,
    assignments: Vec<Assignment>,
) -> AskPlan<'static> {
    AskPlan { assignments, worker: Some(worker.into()), lease_seconds, keyed: None, by: None }
}

/// Hands out proposals to one worker for ever.
pub(crate) async fn hand_out(store: &Arc<dyn Store>, study: StudyId, proposals: Vec<NewTrial>) -> Vec<Trial> {
    let assignments = proposals.into_iter().map(Assignment::New).collect();
    hand_out_ask(store, study, ask("ada", None, assignments)).await
}

/// Hands out what an ask is given.
pub(crate) async fn hand_out_ask(store: &Arc<dyn Store>, study: StudyId, ask: AskPlan<'_>) -> Vec<Trial> {
    let expected_next_number = store.study(study).await.unwrap().next_number;
    let plan = HandOut { expected_next_number, asks: vec![ask] };
    store.hand_out(study, plan).await.unwrap().remove(0)
}

/// Hands out the point `number` for a second that is over when this returns, and expires it.
pub(crate) async fn expired(store: &Arc<dyn Store>, study: StudyId, number: u64) -> Trial {
    let asked = ask("ada", Some(1), vec![Assignment::New(proposal(number))]);
    let trial = hand_out_ask(store, study, asked).await.remove(0);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(store.expire_leases(Some(study)).await.unwrap(), [study]);
    store.trial(study, trial.number).await.unwrap()
}

pub(crate) fn completed(loss: f64) -> Outcome {
    let observation = Observation { value: loss, sem: None, gradient: None };
    Outcome::Completed { metrics: BTreeMap::from([("loss".into(), observation)]) }
}

pub(crate) fn failed(reason: &str) -> Outcome {
    Outcome::Failed { reason: reason.into() }
}

pub(crate) fn abandoned(reason: &str) -> Outcome {
    Outcome::Abandoned { reason: reason.into() }
}

pub(crate) fn tell(outcome: Outcome) -> Tell {
    Tell { outcome, cost: 0.0, amend: false, lease_token: None }
}

pub(crate) fn attached(number: u64, outcome: Option<Outcome>) -> AttachedTrial {
    AttachedTrial {
        parameters: parameters(number),
        key: point(number),
        outside: false,
        outcome,
        measurements: Vec::new(),
        ended_at: None,
    }
}

/// A study and its trials that changed after a revision.
pub(crate) async fn changes_since(
    store: &Arc<dyn Store>,
    study: StudyId,
    revision: u64,
) -> Result<(StudyRecord, Vec<Trial>), StoreError> {
    let mut trials = Vec::new();
    let present = store.changes_since(study, revision, &mut |_, trial| trials.push(trial)).await?;
    Ok((present.study, trials))
}

pub(crate) fn first(limit: u32) -> Page {
    Page { after: None, limit, descending: false }
}

pub(crate) fn key(name: &str) -> IdempotencyKey {
    IdempotencyKey {
        project: "default".into(),
        method: "POST".into(),
        path: "/v1/studies".into(),
        key: name.into(),
        body: [3; 32],
    }
}

pub(crate) fn answer(body: &str) -> Answer {
    Answer {
        status: 201,
        content_type: "application/json".into(),
        location: Some("/v1/studies/1".into()),
        body: body.as_bytes().to_vec(),
    }
}
