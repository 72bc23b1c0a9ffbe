//! Telling: once, again, amended, and many at once.

use std::sync::Arc;

use tellus::store::{StoreError, Tell};
use tellus::study::{Outcome, Refusal, TrialState};
use uuid::Uuid;

use crate::given::{self, Database};

pub(crate) async fn a_tell_ends_a_trial(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    given::hand_out(store, study, (0..4).map(given::proposal).collect()).await;
    let outcomes = [
        given::completed(-1.234_567_890_123_456_7e-17),
        given::failed("out of \"memory\""),
        Outcome::Stopped,
        given::abandoned(""),
    ];
    for (number, outcome) in (0..).zip(&outcomes) {
        let told = store.tell(study, number, given::tell(outcome.clone()), None).await.unwrap();
        assert_eq!(store.trial(study, number).await.unwrap(), told);
        assert_eq!((told.state, told.outcome.as_ref()), (outcome.state(), Some(outcome)));
        assert_eq!(told.told_revision, Some(told.revision));
        assert!(told.ended_at.is_some() && told.lease_expires_at.is_none() && !told.superseded);
    }
    let record = store.study(study).await.unwrap();
    assert_eq!(record.counts.of(TrialState::Running), 0);
    assert_eq!(record.counts.of(TrialState::Completed), 1);
    assert_eq!((record.spent_trials, record.counts.total()), (3, 4));
}

pub(crate) async fn telling_the_same_again_changes_nothing(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    let trial = given::hand_out(store, study, vec![given::proposal(0)]).await.remove(0);
    let tell = Tell { lease_token: trial.lease_token, ..given::tell(given::completed(0.5)) };
    let told = store.tell(study, 0, tell.clone(), None).await.unwrap();
    let before = store.study(study).await.unwrap();
    assert_eq!(store.tell(study, 0, tell.clone(), None).await.unwrap(), told);
    assert_eq!(store.tell(study, 0, Tell { amend: true, ..tell }, None).await.unwrap(), told);
    let after = store.study(study).await.unwrap();
    assert_eq!((before.revision, before.updated_at), (after.revision, after.updated_at));
}

pub(crate) async fn something_else_is_refused_and_an_amendment_replaces(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    given::hand_out(store, study, vec![given::proposal(0)]).await;
    let first = store.tell(study, 0, given::tell(given::completed(0.5)), None).await.unwrap();
    let refused = store.tell(study, 0, given::tell(given::completed(0.6)), None).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(Refusal::AlreadyTold)));
    assert_eq!(store.trial(study, 0).await.unwrap(), first);
    let amend = |outcome| Tell { amend: true, ..given::tell(outcome) };
    store.tell(study, 0, amend(given::completed(0.6)), None).await.unwrap();
    let amended = store.tell(study, 0, amend(given::abandoned("wrong data")), None).await.unwrap();
    assert_eq!(store.trial(study, 0).await.unwrap(), amended);
    assert_eq!(amended.state, TrialState::Abandoned);
    assert_eq!((amended.told_revision, amended.ended_at), (first.told_revision, first.ended_at));
    let past: Vec<_> = amended.revisions.iter().map(|past| past.outcome.clone()).collect();
    assert_eq!(past, [given::completed(0.5), given::completed(0.6)]);
    let record = store.study(study).await.unwrap();
    assert_eq!((record.spent_trials, record.counts.of(TrialState::Abandoned)), (0, 1));
}

pub(crate) async fn an_amendment_replaces_the_cost(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    given::hand_out(store, study, vec![given::proposal(0), given::proposal(1)]).await;
    for (number, cost, amend, spent) in [(0, 1.5, false, 1.5), (1, 2.0, false, 3.5), (0, 0.25, true, 2.25)] {
        let tell = Tell { cost, amend, ..given::tell(given::completed(cost)) };
        store.tell(study, number, tell, None).await.unwrap();
        assert_eq!(store.study(study).await.unwrap().spent_cost, spent);
    }
}

pub(crate) async fn only_the_current_lease_token_counts(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    let trial = given::hand_out(store, study, vec![given::proposal(0)]).await.remove(0);
    let with = |lease_token| Tell { lease_token, ..given::tell(given::completed(0.5)) };
    let refused = store.tell(study, 0, with(Some(Uuid::new_v4())), None).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(Refusal::LeaseLost)));
    let refused = store.heartbeat(study, 0, Some(Uuid::new_v4())).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(Refusal::LeaseLost)));
    assert_eq!(store.trial(study, 0).await.unwrap(), trial);
    store.tell(study, 0, with(trial.lease_token), None).await.unwrap();
}

pub(crate) async fn tellers_at_the_same_time_are_all_heard(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    given::hand_out(store, study, (0..64).map(given::proposal).collect()).await;
    let tellers = (0..8).map(|teller| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for number in (teller * 8)..(teller * 8 + 8) {
                let tell = Tell { cost: 1.0, ..given::tell(given::completed(number as f64)) };
                store.tell(study, number, tell, None).await.unwrap();
            }
        })
    });
    for teller in tellers.collect::<Vec<_>>() {
        teller.await.unwrap();
    }
    let record = store.study(study).await.unwrap();
    assert_eq!((record.counts.of(TrialState::Completed), record.spent_cost), (64, 64.0));
    assert_eq!(record.revision, 1 + 64 + 64);
}
