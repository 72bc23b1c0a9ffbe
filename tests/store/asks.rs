//! Handing out: plans that fit are done whole, others not at all.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;
use tellus::store::{Assignment, HandOut, Store, StoreError, StudyChange, Tell};
use tellus::study::{StudyId, StudyState, Trial, TrialState};

use crate::given::{self, Database};

/// A plan of one ask, made when `next_number` was next.
fn plan(next_number: u64, assignments: Vec<Assignment>) -> HandOut<'static> {
    HandOut { expected_next_number: next_number, asks: vec![given::ask("ada", None, assignments)] }
}

fn new(number: u64) -> Assignment {
    Assignment::New(given::proposal(number))
}

async fn assert_outdated(store: &Arc<dyn Store>, study: StudyId, plan: HandOut<'_>) {
    let before = store.study(study).await.unwrap();
    assert!(matches!(store.hand_out(study, plan).await, Err(StoreError::Outdated)));
    let after = store.study(study).await.unwrap();
    assert_eq!((before.revision, before.counts), (after.revision, after.counts));
}

pub(crate) async fn new_trials_are_stored_as_they_are_returned(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    let asked = given::ask("ada", Some(60), vec![new(0), new(1)]);
    let trials = given::hand_out_ask(store, study, asked).await;
    assert_eq!(store.trials(study, None, &given::first(10)).await.unwrap(), trials);
    let first = &trials[0];
    assert_eq!((first.number, first.state), (0, TrialState::Running));
    assert_eq!(first.worker.as_deref(), Some("ada"));
    assert_eq!(first.lease_expires_at.unwrap() - first.created_at, chrono::TimeDelta::seconds(60));
    assert_eq!(first.started_at, Some(first.created_at));
    assert_ne!(first.lease_token, trials[1].lease_token);
    let names: Vec<_> = store.trial(study, 0).await.unwrap().parameters.keys().cloned().collect();
    assert_eq!(names, ["width", "b"]);
    let record = store.study(study).await.unwrap();
    assert_eq!((record.next_number, record.revision, record.spent_trials), (2, 3, 2));
    assert_eq!(record.counts.of(TrialState::Running), 2);
}

pub(crate) async fn an_outdated_plan_changes_nothing(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    store.hand_out(study, plan(0, vec![new(0)])).await.unwrap();
    assert_outdated(store, study, plan(0, vec![new(1)])).await;
    // A tell since does not matter.
    store.tell(study, 0, given::tell(given::completed(1.0)), None).await.unwrap();
    store.hand_out(study, plan(1, vec![new(1)])).await.unwrap();
    let paused = StudyChange { state: Some(StudyState::Paused), ..StudyChange::default() };
    store.change_study(study, paused).await.unwrap();
    assert_outdated(store, study, plan(2, vec![new(2)])).await;
}

pub(crate) async fn a_point_is_handed_out_once(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    store.hand_out(study, plan(0, vec![new(0)])).await.unwrap();
    assert_outdated(store, study, plan(1, vec![new(1), new(0)])).await;
    assert_outdated(store, study, plan(1, vec![new(1), new(1)])).await;
    let mut replicate = given::proposal(0);
    replicate.replicate = 1;
    store.hand_out(study, plan(1, vec![Assignment::New(replicate)])).await.unwrap();
}

pub(crate) async fn budgets_of_trials_and_cost_are_kept(database: &Database) {
    let store = &database.store;
    let study = given::study_with(store, json!({"budget": {"trials": 3, "cost": 2.5}})).await.id;
    assert_outdated(store, study, plan(0, vec![new(0), new(1), new(2), new(3)])).await;
    store.hand_out(study, plan(0, vec![new(0), new(1), new(2)])).await.unwrap();
    assert_outdated(store, study, plan(3, vec![new(3)])).await;
    // An abandoned trial gives its share back.
    let given_up = Tell { cost: 9.0, ..given::tell(given::abandoned("pre-empted")) };
    store.tell(study, 0, given_up, None).await.unwrap();
    assert_eq!(store.study(study).await.unwrap().spent_cost, 0.0);
    let costly = Tell { cost: 2.0, ..given::tell(given::completed(1.0)) };
    store.tell(study, 1, costly.clone(), None).await.unwrap();
    store.hand_out(study, plan(3, vec![new(3)])).await.unwrap();
    let more = StudyChange {
        budget: Some(serde_json::from_value(json!({"trials": 9, "cost": 2.5})).unwrap()),
        ..StudyChange::default()
    };
    store.change_study(study, more).await.unwrap();
    store.tell(study, 2, costly, None).await.unwrap();
    let record = store.study(study).await.unwrap();
    assert_eq!((record.spent_trials, record.spent_cost, record.budget_left()), (3, 4.0, 0));
    assert_outdated(store, study, plan(4, vec![new(4)])).await;
    // What runs already may still be given again.
    let again = store.hand_out(study, plan(4, vec![Assignment::Again(3)])).await.unwrap();
    assert_eq!(again[0][0].number, 3);
}

pub(crate) async fn queued_trials_are_handed_out(database: &Database) {
    let store = &database.store;
    let study = given::study_with(store, json!({"budget": {"trials": 1}})).await.id;
    store.attach(study, vec![given::attached(0, None), given::attached(1, None)], None).await.unwrap();
    assert_outdated(store, study, plan(2, vec![Assignment::Queued(0), Assignment::Queued(0)])).await;
    assert_outdated(store, study, plan(2, vec![Assignment::Queued(0), Assignment::Queued(1)])).await;
    let asked = given::ask("bob", Some(60), vec![Assignment::Queued(0)]);
    let started = given::hand_out_ask(store, study, asked).await.remove(0);
    assert_eq!(store.trial(study, 0).await.unwrap(), started);
    assert_eq!((started.state, started.worker.as_deref()), (TrialState::Running, Some("bob")));
    assert!(started.lease_token.is_some() && started.lease_expires_at.is_some() && !started.attached);
    let record = store.study(study).await.unwrap();
    assert_eq!((record.spent_trials, record.counts.of(TrialState::Queued)), (1, 1));
    assert_outdated(store, study, plan(2, vec![Assignment::Queued(0)])).await;
}

pub(crate) async fn open_trials_are_given_again_to_their_worker(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    let first = given::hand_out(store, study, vec![given::proposal(0)]).await;
    let revision = store.study(study).await.unwrap().revision;
    let again = store.hand_out(study, plan(1, vec![Assignment::Again(0)])).await.unwrap();
    assert_eq!(again, [first]);
    assert_eq!(store.study(study).await.unwrap().revision, revision);
    let of_another =
        HandOut { expected_next_number: 1, asks: vec![given::ask("bob", None, vec![Assignment::Again(0)])] };
    assert_outdated(store, study, of_another).await;
    store.tell(study, 0, given::tell(given::completed(1.0)), None).await.unwrap();
    assert_outdated(store, study, plan(1, vec![Assignment::Again(0)])).await;
}

pub(crate) async fn asks_of_one_plan_are_answered_in_their_order(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    let asks = vec![
        given::ask("ada", None, vec![new(5), new(6)]),
        given::ask("bob", Some(9), vec![]),
        given::ask("eve", Some(9), vec![new(7)]),
    ];
    let answers = store.hand_out(study, HandOut { expected_next_number: 0, asks }).await.unwrap();
    let numbers: Vec<Vec<u64>> =
        answers.iter().map(|trials| trials.iter().map(|trial| trial.number).collect()).collect();
    assert_eq!(numbers, [vec![0, 1], vec![], vec![2]]);
    assert_eq!(answers[2][0].worker.as_deref(), Some("eve"));
    assert_eq!(answers[2][0].key, given::point(7));
}

pub(crate) async fn askers_at_the_same_time_share_no_number_and_no_point(database: &Database) {
    let store = &database.store;
    const ASKERS: u64 = 8;
    const ASKS: usize = 12;
    let study = given::study(store).await;
    let askers = (0..ASKERS).map(|asker| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let mut trials: Vec<Trial> = Vec::new();
            while trials.len() < ASKS {
                let next = store.study(study).await.unwrap().next_number;
                // Every asker proposes the same next point.
                let asks = vec![given::ask(&asker.to_string(), None, vec![new(next)])];
                match store.hand_out(study, HandOut { expected_next_number: next, asks }).await {
                    Ok(answers) => trials.extend(answers.into_iter().flatten()),
                    Err(StoreError::Outdated) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            trials
        })
    });
    let answered = futures_util::future::join_all(askers).await;
    let trials: Vec<Trial> = answered.into_iter().flat_map(Result::unwrap).collect();
    let numbers: HashSet<u64> = trials.iter().map(|trial| trial.number).collect();
    let points: HashSet<_> = trials.iter().map(|trial| trial.key).collect();
    let revisions: HashSet<u64> = trials.iter().map(|trial| trial.revision).collect();
    let expected = ASKERS as usize * ASKS;
    assert_eq!(
        (trials.len(), numbers.len(), points.len(), revisions.len()),
        (expected, expected, expected, expected)
    );
    let record = store.study(study).await.unwrap();
    assert_eq!((record.next_number, record.spent_trials), (expected as u64, expected as u64));
}
