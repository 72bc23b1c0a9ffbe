//! Studies: created once, listed, changed, deleted.

use std::sync::Arc;

use serde_json::json;
use tellus::store::access::Quotas;
use tellus::store::{Cursor, Page, StoreError, StudyChange, StudyFilter};
use tellus::study::{BudgetDraft, StudyId, StudyState};
use uuid::Uuid;

use crate::given::{self, Database};

pub(crate) async fn creating_the_same_again_returns_the_same(database: &Database) {
    let store = &database.store;
    let first = store.create_study(given::new_study("a", json!({})), None).await.unwrap();
    let again = store.create_study(given::new_study("a", json!({})), None).await.unwrap();
    assert!(first.is_new && !again.is_new);
    assert_eq!(first.study.id, again.study.id);
    assert_eq!(again.study.revision, 1);
    store.create_project("other", Quotas::default()).await.unwrap();
    let elsewhere =
        store.create_study(given::new_study("a", json!({"project": "other"})), None).await.unwrap();
    assert!(elsewhere.is_new);
}

pub(crate) async fn another_definition_of_a_name_is_refused(database: &Database) {
    let store = &database.store;
    let first = store.create_study(given::new_study("a", json!({})), None).await.unwrap();
    for change in [json!({"seed": 42}), json!({"budget": {"trials": 3}}), json!({"retry_expired": true})] {
        let refused = store.create_study(given::new_study("a", change), None).await.unwrap_err();
        assert!(matches!(refused, StoreError::NameTaken { existing } if existing == first.study.id));
    }
}

pub(crate) async fn creators_at_the_same_time_make_one_study(database: &Database) {
    let store = &database.store;
    let creators = (0..8).map(|_| {
        let store = Arc::clone(store);
        tokio::spawn(async move { store.create_study(given::new_study("a", json!({})), None).await.unwrap() })
    });
    let created = futures_util::future::join_all(creators).await;
    let created: Vec<_> = created.into_iter().map(Result::unwrap).collect();
    assert_eq!(created.iter().filter(|created| created.is_new).count(), 1);
    assert!(created.iter().all(|one| one.study.id == created[0].study.id));
}

pub(crate) async fn a_study_is_read_as_it_was_created(database: &Database) {
    let store = &database.store;
    let changes = json!({
        "parameters": [
            {"name": "zeta", "type": "float", "low": 1.1e-7, "high": 12345.678901234567, "scale": "log"},
            {"name": "kernel", "type": "categorical", "choices": ["rbf", "poly"]},
            {"name": "degree", "type": "int", "low": 2, "high": 5, "when": {"kernel": ["poly"]}},
        ],
        "budget": {"trials": 20, "cost": 0.1},
        "default_lease_seconds": null,
        "seed": 9_007_199_254_740_991_u64,
    });
    let created = given::study_with(store, changes).await;
    let read = store.study(created.id).await.unwrap();
    let page = store.studies(&StudyFilter::default(), &given::first(10)).await.unwrap();
    for study in [read, page[0].clone()] {
        assert_eq!(study.id, created.id);
        assert_eq!(study.definition, created.definition);
        assert_eq!(study.settings, created.settings);
        assert_eq!(study.metadata, created.metadata);
        assert_eq!((study.state, study.revision, study.next_number), (StudyState::Active, 1, 0));
        assert_eq!((study.created_at, study.updated_at), (created.created_at, created.updated_at));
        assert_eq!(study.counts.total(), 0);
    }
}

pub(crate) async fn lists_are_paged_in_the_order_of_creation(database: &Database) {
    let store = &database.store;
    let mut ids: Vec<StudyId> = Vec::new();
    for name in ["e", "a", "d", "c", "b"] {
        ids.push(store.create_study(given::new_study(name, json!({})), None).await.unwrap().study.id);
    }
    for descending in [false, true] {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = Page { after, limit: 2, descending };
            let studies = store.studies(&StudyFilter::default(), &page).await.unwrap();
            let Some(last) = studies.last() else { break };
            after = Some(Cursor::Study(last.id));
            seen.extend(studies.iter().map(|study| study.id));
        }
        if descending {
            seen.reverse();
        }
        assert_eq!(seen, ids);
    }
}

pub(crate) async fn lists_are_filtered(database: &Database) {
    let store = &database.store;
    for project in ["x", "y"] {
        store.create_project(project, Quotas::default()).await.unwrap();
    }
    for (name, project) in [("Ärger 100%", "x"), ("ärger_2", "x"), ("Other", "y")] {
        store.create_study(given::new_study(name, json!({"project": project})), None).await.unwrap();
    }
    let names = async |filter: StudyFilter| -> Vec<String> {
        let studies = store.studies(&filter, &given::first(10)).await.unwrap();
        studies.iter().map(|study| study.definition.draft().name.clone()).collect()
    };
    let searching = |search: &str| StudyFilter { search: Some(search.into()), ..StudyFilter::default() };
    assert_eq!(names(searching("ÄRGER")).await, ["Ärger 100%", "ärger_2"]);
    assert_eq!(names(searching("0%")).await, ["Ärger 100%"]);
    assert_eq!(names(searching("_")).await, ["ärger_2"]);
    assert_eq!(names(searching("!")).await, [""; 0]);
    assert_eq!(names(searching("\0")).await, [""; 0]);
    let project = StudyFilter { project: Some("y".into()), ..StudyFilter::default() };
    assert_eq!(names(project).await, ["Other"]);
    let name = StudyFilter { name: Some("Other".into()), ..StudyFilter::default() };
    assert_eq!(names(name).await, ["Other"]);
    let state = StudyFilter { state: Some(StudyState::Paused), ..StudyFilter::default() };
    assert_eq!(names(state).await, [""; 0]);
}

pub(crate) async fn settings_change_and_the_definition_stays(database: &Database) {
    let store = &database.store;
    let created = given::study_with(store, json!({})).await;
    let change = StudyChange {
        state: Some(StudyState::Paused),
        metadata: Some(given::object(json!({"note": "naïve \"quotes\""}))),
        budget: Some(BudgetDraft { trials: Some(7), cost: Some(1.5) }),
        default_lease_seconds: Some(None),
        retry_expired: Some(true),
    };
    let changed = store.change_study(created.id, change.clone()).await.unwrap();
    assert_eq!((changed.state, changed.revision), (StudyState::Paused, 2));
    let read = store.study(created.id).await.unwrap();
    assert_eq!((&read.settings, &read.metadata), (&changed.settings, &changed.metadata));
    assert_eq!(read.settings.budget, BudgetDraft { trials: Some(7), cost: Some(1.5) });
    assert_eq!(read.settings.default_lease_seconds, None);
    assert!(read.settings.retry_expired);
    assert_eq!(read.definition, created.definition);
    // The same change again is none, and the study is still the one of its definition.
    assert_eq!(store.change_study(created.id, change).await.unwrap().revision, 2);
    assert!(!store.create_study(given::new_study("study", json!({})), None).await.unwrap().is_new);
}

pub(crate) async fn deleting_removes_all_that_belongs_to_it(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    given::hand_out(store, study, vec![given::proposal(0)]).await;
    store.delete_study(study).await.unwrap();
    assert!(matches!(store.delete_study(study).await, Err(StoreError::NoStudy(_))));
    assert!(matches!(store.study(study).await, Err(StoreError::NoStudy(_))));
    assert!(matches!(store.trial(study, 0).await, Err(StoreError::NoStudy(_))));
    assert!(matches!(store.events(study, 0, 10).await, Err(StoreError::NoStudy(_))));
    let again = given::study(store).await;
    assert!(matches!(store.trial(again, 0).await, Err(StoreError::NoTrial(0))));
    assert_eq!(store.events(again, 0, 10).await.unwrap().events.len(), 1);
}

pub(crate) async fn migrating_again_changes_nothing(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    store.migrate().await.unwrap();
    store.ready().await.unwrap();
    assert_eq!(store.study(study).await.unwrap().revision, 1);
    let unknown = StudyId(Uuid::now_v7());
    assert!(matches!(store.study(unknown).await, Err(StoreError::NoStudy(id)) if id == unknown));
}
