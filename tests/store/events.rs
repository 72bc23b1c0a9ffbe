//! Events: one for each change, in order, and a sign where some are gone.

use tellus::store::{Assignment, StudyChange, Tell, TrialChange};
use tellus::study::{EventKind, StudyState};

use crate::given::{self, Database};

pub(crate) async fn every_change_is_an_event_in_order(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    store.attach(study, vec![given::attached(7, None)], None).await.unwrap();
    given::hand_out_ask(store, study, given::ask("ada", None, vec![Assignment::Queued(0)])).await;
    let expired = given::expired(store, study, 1).await;
    store.heartbeat(study, expired.number, None).await.unwrap();
    store.tell(study, 1, given::tell(given::completed(0.5)), None).await.unwrap();
    let amended = Tell { amend: true, ..given::tell(given::failed("diverged")) };
    store.tell(study, 1, amended, None).await.unwrap();
    let note = TrialChange { note: Some(Some("n".into())), ..TrialChange::default() };
    store.change_trial(study, 1, note).await.unwrap();
    let done = StudyChange { state: Some(StudyState::Completed), ..StudyChange::default() };
    store.change_study(study, done).await.unwrap();

    let page = store.events(study, 0, 100).await.unwrap();
    let kinds: Vec<_> = page.events.iter().map(|event| (event.kind, event.number)).collect();
    let expected = [
        (EventKind::StudyCreated, None),
        (EventKind::TrialCreated, Some(0)),
        (EventKind::TrialStarted, Some(0)),
        (EventKind::TrialCreated, Some(1)),
        (EventKind::TrialExpired, Some(1)),
        (EventKind::TrialRevived, Some(1)),
        (EventKind::TrialTold, Some(1)),
        (EventKind::TrialAmended, Some(1)),
        (EventKind::TrialChanged, Some(1)),
        (EventKind::StudyChanged, None),
    ];
    assert_eq!(kinds, expected);
    let revisions: Vec<u64> = page.events.iter().map(|event| event.revision).collect();
    assert_eq!(revisions, (1..=10).collect::<Vec<_>>());
    assert!(page.events.is_sorted_by_key(|event| event.at));
    assert_eq!((page.revision, page.reset), (10, false));
    assert_eq!(page.events[6].data["metrics"]["loss"]["value"], 0.5);
    assert_eq!(page.events[7].data["reason"], "diverged");
    assert_eq!(page.events[9].data["state"], "completed");
}

pub(crate) async fn a_page_starts_after_the_place_asked_for(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    given::hand_out(store, study, (0..5).map(given::proposal).collect()).await;
    let page = store.events(study, 2, 3).await.unwrap();
    let revisions: Vec<u64> = page.events.iter().map(|event| event.revision).collect();
    assert_eq!((revisions, page.revision, page.reset), (vec![3, 4, 5], 6, false));
    let page = store.events(study, 6, 3).await.unwrap();
    assert!(page.events.is_empty() && !page.reset);
}
