//! Leases: they end by the database's clock, heartbeats extend them, and an ended one frees the point.

use std::time::Duration;

use serde_json::json;
use tellus::store::{Assignment, HandOut, StoreError, StudyChange};
use tellus::study::{Refusal, StudyState, TrialState};

use crate::given::{self, Database};

pub(crate) async fn a_lease_that_ended_expires_its_trial(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    given::hand_out(store, study, vec![given::proposal(9)]).await;
    let asked = given::ask("ada", Some(1), vec![Assignment::New(given::proposal(0))]);
    given::hand_out_ask(store, study, asked).await;
    let has_due_leases = async || store.changes_since(study, 0, &mut |_, _| ()).await.unwrap().has_due_leases;
    assert!(store.expire_leases(None).await.unwrap().is_empty() && !has_due_leases().await);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(has_due_leases().await);
    assert_eq!(store.expire_leases(None).await.unwrap(), [study]);
    assert!(store.expire_leases(None).await.unwrap().is_empty() && !has_due_leases().await);
    // The other one has no end.
    let states: Vec<_> = store.trials(study, None, &given::first(9)).await.unwrap();
    assert_eq!(
        states.iter().map(|trial| trial.state).collect::<Vec<_>>(),
        [TrialState::Running, TrialState::Expired]
    );
    let record = store.study(study).await.unwrap();
    assert_eq!((record.spent_trials, record.counts.of(TrialState::Expired)), (1, 1));
    assert_eq!(states[1].revision, record.revision);
}

pub(crate) async fn many_leases_end_at_once(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    let new = (0..150).map(|number| Assignment::New(given::proposal(number))).collect();
    given::hand_out_ask(store, study, given::ask("ada", Some(1), new)).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(store.expire_leases(None).await.unwrap(), [study]);
    let record = store.study(study).await.unwrap();
    assert_eq!((record.counts.of(TrialState::Expired), record.revision), (150, 301));
    let trials = store.trials(study, Some(TrialState::Expired), &given::first(200)).await.unwrap();
    assert_eq!(trials.len(), 150);
    assert_eq!(store.events(study, 151, 1000).await.unwrap().events.len(), 150);
}

pub(crate) async fn a_heartbeat_extends_a_lease(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    let asked = given::ask("ada", Some(2), vec![Assignment::New(given::proposal(0))]);
    let trial = given::hand_out_ask(store, study, asked).await.remove(0);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(store.heartbeat(study, 0, trial.lease_token).await.unwrap(), StudyState::Active);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(store.expire_leases(Some(study)).await.unwrap().is_empty());
    let now = store.trial(study, 0).await.unwrap();
    assert!(now.lease_expires_at > trial.lease_expires_at);
    assert_eq!(now.revision, trial.revision);
    let paused = StudyChange { state: Some(StudyState::Paused), ..StudyChange::default() };
    store.change_study(study, paused).await.unwrap();
    assert_eq!(store.heartbeat(study, 0, None).await.unwrap(), StudyState::Paused);
    store.tell(study, 0, given::tell(given::completed(0.1)), None).await.unwrap();
    let refused = store.heartbeat(study, 0, trial.lease_token).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(Refusal::NotRunning)));
}

pub(crate) async fn a_heartbeat_revives_an_expired_trial(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    let expired = given::expired(store, study, 0).await;
    assert_eq!(expired.state, TrialState::Expired);
    store.heartbeat(study, 0, expired.lease_token).await.unwrap();
    let revived = store.trial(study, 0).await.unwrap();
    assert_eq!((revived.state, revived.revision), (TrialState::Running, expired.revision + 1));
    assert!(revived.lease_expires_at > expired.lease_expires_at);
    let record = store.study(study).await.unwrap();
    assert_eq!((record.spent_trials, record.counts.of(TrialState::Running)), (1, 1));
}

pub(crate) async fn a_point_that_was_handed_out_again_stays_with_its_new_holder(database: &Database) {
    let store = &database.store;
    let study = given::study_with(store, json!({"retry_expired": true})).await.id;
    let expired = given::expired(store, study, 0).await;
    let retried = given::hand_out(store, study, vec![given::retry(&expired)]).await.remove(0);
    assert_eq!((retried.number, retried.retry_of, retried.key), (1, Some(0), expired.key));
    assert_eq!(store.trial(study, 1).await.unwrap(), retried);
    let refused = store.heartbeat(study, 0, expired.lease_token).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(Refusal::HandedOutAgain)));
    // Neither the retried trial nor a running one can be retried.
    for original in [&expired, &retried] {
        let asks = vec![given::ask("eve", None, vec![Assignment::New(given::retry(original))])];
        let refused = store.hand_out(study, HandOut { expected_next_number: 2, asks }).await;
        assert!(matches!(refused, Err(StoreError::Outdated)));
    }
}

pub(crate) async fn a_late_tell_counts_unless_the_retry_was_told_first(database: &Database) {
    let store = &database.store;
    let study = given::study_with(store, json!({"retry_expired": true})).await.id;
    let told = || given::tell(given::completed(0.1));
    let early = given::expired(store, study, 0).await;
    let late = given::expired(store, study, 1).await;
    let retries = vec![given::retry(&early), given::retry(&late)];
    let retries = given::hand_out(store, study, retries).await;

    let first = store.tell(study, early.number, told(), None).await.unwrap();
    assert!(!first.superseded && first.counts());
    assert!(!store.tell(study, retries[0].number, told(), None).await.unwrap().superseded);

    store.tell(study, retries[1].number, told(), None).await.unwrap();
    assert_eq!(store.trial(study, late.number).await.unwrap().state, TrialState::Expired);
    let second = store.tell(study, late.number, told(), None).await.unwrap();
    assert!(second.superseded && !second.counts());
    assert_eq!(store.trial(study, late.number).await.unwrap(), second);
    assert_eq!(store.study(study).await.unwrap().spent_trials, 4);
}

pub(crate) async fn an_abandoned_point_is_retried_once(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    given::hand_out(store, study, vec![given::proposal(0)]).await;
    let original = store.tell(study, 0, given::tell(given::abandoned("spot")), None).await.unwrap();
    let retried = given::hand_out(store, study, vec![given::retry(&original)]).await.remove(0);
    let refused = store
        .hand_out(
            study,
            HandOut {
                expected_next_number: 2,
                asks: vec![given::ask("eve", None, vec![Assignment::New(given::retry(&original))])],
            },
        )
        .await;
    assert!(matches!(refused, Err(StoreError::Outdated)));
    // A chain of retries: the point again, of the retry.
    let abandoned = store.tell(study, 1, given::tell(given::abandoned("spot")), None).await.unwrap();
    assert_eq!(abandoned.key, retried.key);
    given::hand_out(store, study, vec![given::retry(&abandoned)]).await;
    store.tell(study, 2, given::tell(given::completed(0.1)), None).await.unwrap();
    // What was abandoned and is amended now comes after the retry of its retry.
    let amended = tellus::store::Tell { amend: true, ..given::tell(given::completed(0.2)) };
    assert!(store.tell(study, 0, amended, None).await.unwrap().superseded);
}
