//! Trials: attached, listed, and changed by notes.

use chrono::{TimeDelta, Utc};
use serde_json::json;
use tellus::store::{AttachedTrial, Cursor, Page, StoreError, TrialChange};
use tellus::study::{Measurement, StudyId, TrialState};
use uuid::Uuid;

use crate::given::{self, Database};

pub(crate) async fn attached_trials_are_stored_with_their_outcome(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    let ended_at = Utc::now() - TimeDelta::days(1) + TimeDelta::nanoseconds(123);
    let measurements = vec![Measurement { step: 3, metrics: Default::default() }];
    let elsewhere = AttachedTrial {
        outside: true,
        ended_at: Some(ended_at),
        measurements,
        ..given::attached(0, Some(given::completed(0.1)))
    };
    let trials = vec![elsewhere, given::attached(1, Some(given::failed("nan"))), given::attached(2, None)];
    let attached = store.attach(study, trials, None).await.unwrap();
    assert_eq!(store.trials(study, None, &given::first(10)).await.unwrap(), attached);
    let states: Vec<_> = attached.iter().map(|trial| (trial.number, trial.state, trial.attached)).collect();
    assert_eq!(
        states,
        [(0, TrialState::Completed, true), (1, TrialState::Failed, true), (2, TrialState::Queued, false)]
    );
    assert!(attached[0].outside && attached[0].worker.is_none());
    assert_eq!(attached[0].ended_at.unwrap().timestamp_micros(), ended_at.timestamp_micros());
    assert_eq!((attached[0].told_revision, attached[2].told_revision), (Some(attached[0].revision), None));
    assert_eq!((attached[1].ended_at, attached[2].ended_at), (Some(attached[1].created_at), None));
    let record = store.study(study).await.unwrap();
    assert_eq!((record.spent_trials, record.next_number, record.counts.total()), (0, 3, 3));
    // A queued trial may be told without having been handed out; it then spends the budget.
    store.tell(study, 2, given::tell(given::completed(0.2)), None).await.unwrap();
    assert_eq!(store.study(study).await.unwrap().spent_trials, 1);
}

pub(crate) async fn attached_points_become_replicates(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    given::hand_out(store, study, vec![given::proposal(0)]).await;
    let told = || Some(given::completed(0.1));
    let points = [0, 1, 0, 1].map(|number| given::attached(number, told()));
    let attached = store.attach(study, points.to_vec(), None).await.unwrap();
    let replicates: Vec<u32> = attached.iter().map(|trial| trial.replicate).collect();
    assert_eq!(replicates, [1, 0, 2, 1]);
}

pub(crate) async fn many_are_attached_at_once(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    let trials =
        (0..2_500).map(|number| given::attached(number, Some(given::completed(number as f64)))).collect();
    let attached = store.attach(study, trials, None).await.unwrap();
    let (record, changed) = given::changes_since(store, study, 0).await.unwrap();
    assert_eq!(changed, attached);
    assert_eq!((record.next_number, record.revision), (2_500, 2_501));
    assert_eq!(store.events(study, 1, 10_000).await.unwrap().events.len(), 2_500);
}

pub(crate) async fn lists_are_paged_by_number_and_state(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    given::hand_out(store, study, (0..7).map(given::proposal).collect()).await;
    for number in [1, 3, 5] {
        store.tell(study, number, given::tell(given::completed(0.1)), None).await.unwrap();
    }
    let numbers = async |state, after: Option<u64>, descending| -> Vec<u64> {
        let page = Page { after: after.map(Cursor::Trial), limit: 2, descending };
        let trials = store.trials(study, state, &page).await.unwrap();
        trials.iter().map(|trial| trial.number).collect()
    };
    assert_eq!(numbers(None, None, false).await, [0, 1]);
    assert_eq!(numbers(None, Some(1), false).await, [2, 3]);
    assert_eq!(numbers(None, Some(6), false).await, [0; 0]);
    assert_eq!(numbers(None, None, true).await, [6, 5]);
    assert_eq!(numbers(None, Some(1), true).await, [0]);
    let told = Some(TrialState::Completed);
    assert_eq!(numbers(told, None, false).await, [1, 3]);
    assert_eq!(numbers(told, Some(3), false).await, [5]);
    assert_eq!(numbers(told, Some(5), true).await, [3, 1]);
}

pub(crate) async fn changes_are_those_after_a_revision(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    given::hand_out(store, study, (0..3).map(given::proposal).collect()).await;
    let (record, all) = given::changes_since(store, study, 0).await.unwrap();
    assert_eq!((record.revision, all.len()), (4, 3));
    let told = store.tell(study, 1, given::tell(given::completed(0.1)), None).await.unwrap();
    let (now, changed) = given::changes_since(store, study, record.revision).await.unwrap();
    assert_eq!((now.revision, changed), (5, vec![told]));
    assert!(given::changes_since(store, study, now.revision).await.unwrap().1.is_empty());
}

pub(crate) async fn notes_tags_and_metadata_change(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    given::hand_out(store, study, vec![given::proposal(0)]).await;
    let change = TrialChange {
        note: Some(Some("odd curve".into())),
        tags: Some(vec!["look".into(), "ünïcode".into()]),
        metadata: Some(given::object(json!({"commit": "abc", "depth": {"n": [1, 2.5, null]}}))),
    };
    let changed = store.change_trial(study, 0, change.clone()).await.unwrap();
    assert_eq!(store.trial(study, 0).await.unwrap(), changed);
    assert_eq!((changed.note.as_deref(), changed.tags.len()), (Some("odd curve"), 2));
    assert_eq!(store.change_trial(study, 0, change).await.unwrap().revision, changed.revision);
    let removal = TrialChange { note: Some(None), ..TrialChange::default() };
    let changed = store.change_trial(study, 0, removal).await.unwrap();
    assert_eq!((changed.note, changed.tags.len()), (None, 2));
    assert_eq!(changed.state, TrialState::Running);
}

pub(crate) async fn unknown_studies_and_trials_are_named(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    let none = StudyId(Uuid::now_v7());
    let told = given::tell(given::completed(0.1));
    assert!(matches!(store.tell(none, 0, told.clone(), None).await, Err(StoreError::NoStudy(_))));
    assert!(matches!(store.tell(study, 3, told, None).await, Err(StoreError::NoTrial(3))));
    assert!(matches!(store.heartbeat(study, 3, None).await, Err(StoreError::NoTrial(3))));
    assert!(matches!(store.trials(none, None, &given::first(1)).await, Err(StoreError::NoStudy(_))));
    assert!(matches!(given::changes_since(store, none, 0).await, Err(StoreError::NoStudy(_))));
    assert!(matches!(store.attach(none, vec![], None).await, Err(StoreError::NoStudy(_))));
    assert!(store.expire_leases(Some(none)).await.unwrap().is_empty());
}

pub(crate) async fn glances_hold_what_charts_need(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    let told = [Some(given::completed(0.5)), Some(given::failed("nan")), None];
    let trials = (0..).zip(told).map(|(number, outcome)| given::attached(number, outcome)).collect();
    let attached = store.attach(study, trials, None).await.unwrap();
    let (record, glances) = store.glances(study, 0).await.unwrap();
    let seen: Vec<_> =
        glances.iter().map(|glance| (glance.number, glance.state, glance.values.clone())).collect();
    let expected = [
        (0, TrialState::Completed, vec![Some(0.5), None]),
        (1, TrialState::Failed, vec![None, None]),
        (2, TrialState::Queued, vec![None, None]),
    ];
    assert_eq!(seen, expected);
    assert_eq!((glances[0].ended_at, glances[0].started_at), (attached[0].ended_at, attached[0].started_at));
    // After a revision, those alone that changed since.
    store.tell(study, 2, given::tell(given::completed(0.25)), None).await.unwrap();
    let (later, changed) = store.glances(study, record.revision).await.unwrap();
    assert_eq!(later.revision, record.revision + 1);
    assert_eq!((changed.len(), changed[0].number, changed[0].values[0]), (1, 2, Some(0.25)));
    assert!(store.glances(study, later.revision).await.unwrap().1.is_empty());
}

pub(crate) async fn trials_are_picked_in_the_order_asked_for(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    let trials = (0..1_200).map(|number| given::attached(number, Some(given::completed(0.0)))).collect();
    let attached = store.attach(study, trials, None).await.unwrap();
    let numbers: Vec<u64> = (0..1_200).rev().chain([5, 4_000]).collect();
    let picked = store.pick(study, &numbers).await.unwrap();
    let expected: Vec<_> = attached.into_iter().rev().collect();
    assert_eq!(picked, expected);
    assert!(store.pick(study, &[]).await.unwrap().is_empty());
}
