//! What keeps a database in order over its years: pruning, newer releases, several servers.

use std::sync::Arc;

use serde_json::json;
use tellus::store::StoreError;

use crate::given::{self, Database};

pub(crate) async fn old_events_answers_and_fits_are_pruned(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    given::hand_out(store, study, (0..5).map(given::proposal).collect()).await;
    for name in ["young", "old"] {
        store.keep_answer(&given::key(name), &given::answer(name)).await.unwrap();
        store.keep_fit(&[7; 32], name, "{}").await.unwrap();
    }
    store.prune().await.unwrap();
    let page = store.events(study, 0, 10).await.unwrap();
    assert_eq!((page.events.len(), page.reset), (6, false));

    database.execute("UPDATE events SET at = '2020-01-01T00:00:00+00:00' WHERE revision <= 2").await;
    database
        .execute("UPDATE idempotency_keys SET created_at = '2020-01-01T00:00:00+00:00' WHERE key = 'old'")
        .await;
    database.execute("UPDATE fits SET created_at = '2020-01-01T00:00:00+00:00' WHERE made_by = 'old'").await;
    store.prune().await.unwrap();
    let page = store.events(study, 0, 10).await.unwrap();
    assert_eq!((page.events[0].revision, page.events.len(), page.reset), (3, 4, true));
    assert!(store.events(study, 1, 10).await.unwrap().reset);
    assert!(!store.events(study, 2, 10).await.unwrap().reset);
    assert!(store.kept_answer(&given::key("old")).await.unwrap().is_none());
    assert!(store.kept_answer(&given::key("young")).await.unwrap().is_some());
    assert!(store.kept_fit(&[7; 32], "old").await.unwrap().is_none());
    assert!(store.kept_fit(&[7; 32], "young").await.unwrap().is_some());

    // As if the study had lived through 100,003 changes: all but the last three events are too many.
    database.execute("UPDATE studies SET revision = 100003").await;
    store.prune().await.unwrap();
    let page = store.events(study, 2, 10).await.unwrap();
    assert_eq!((page.events[0].revision, page.events.len(), page.reset), (4, 3, true));

    database.execute("DELETE FROM events").await;
    assert!(store.events(study, 2, 10).await.unwrap().reset);
    assert!(!store.events(study, 100_003, 10).await.unwrap().reset);
}

pub(crate) async fn a_fit_is_kept_for_numerics_like_those_that_made_it(database: &Database) {
    let (store, second) = (&database.store, database.second_store().await);
    assert_eq!(store.kept_fit(&[1; 32], "here").await.unwrap(), None);
    store.keep_fit(&[1; 32], "here", "first").await.unwrap();
    store.keep_fit(&[1; 32], "there", "other").await.unwrap();
    // Two servers made the same: one of them stays.
    second.keep_fit(&[1; 32], "here", "second").await.unwrap();
    assert_eq!(second.kept_fit(&[1; 32], "here").await.unwrap().as_deref(), Some("first"));
    assert_eq!(second.kept_fit(&[1; 32], "there").await.unwrap().as_deref(), Some("other"));
    assert_eq!(second.kept_fit(&[2; 32], "here").await.unwrap(), None);
}

pub(crate) async fn a_newer_schema_is_left_alone(database: &Database) {
    database
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'of a later release', TRUE, '', 0)",
        )
        .await;
    let refused = database.second_store().await.migrate().await.unwrap_err();
    assert!(matches!(refused, StoreError::NewerSchema { found: 9999, known: 5 }), "{refused}");
    let schema = database.second_store().await.schema().await.unwrap();
    assert_eq!((schema.found, schema.known), (9999, 5));
    database.execute("DELETE FROM _sqlx_migrations WHERE version > 2").await;
    assert_eq!(database.store.schema().await.unwrap().found, 2);
    database.execute("DROP TABLE _sqlx_migrations").await;
    assert_eq!(database.store.schema().await.unwrap().found, 0);
}

pub(crate) async fn two_servers_work_on_one_database(database: &Database) {
    let study = given::study(&database.store).await;
    let second = database.second_store().await;
    second.ready().await.unwrap();
    let tellers = [&database.store, &second].map(|store| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for number in 0..40 {
                let trials = vec![given::attached(number, Some(given::completed(1.0)))];
                store.attach(study, trials, None).await.unwrap();
            }
        })
    });
    for teller in tellers {
        teller.await.unwrap();
    }
    let (record, trials) = given::changes_since(&second, study, 0).await.unwrap();
    assert_eq!((record.next_number, record.revision, trials.len()), (80, 81, 80));
    assert_eq!(trials.iter().filter(|trial| trial.replicate == 1).count(), 40);
    second.delete_study(study).await.unwrap();
    assert!(matches!(database.store.trial(study, 0).await, Err(StoreError::NoStudy(_))));
}

pub(crate) async fn what_cannot_be_read_is_said(database: &Database) {
    let study = given::study_with(&database.store, json!({})).await.id;
    given::hand_out(&database.store, study, vec![given::proposal(0)]).await;
    database.execute("UPDATE trials SET state = 'dreaming'").await;
    let unreadable = database.store.trial(study, 0).await.unwrap_err();
    assert!(matches!(unreadable, StoreError::Unreadable { what: "state", .. }), "{unreadable}");
    // Another server has no definition in memory.
    database.execute("UPDATE studies SET definition = '{}'").await;
    let unreadable = database.second_store().await.study(study).await.unwrap_err();
    assert!(matches!(unreadable, StoreError::Unreadable { .. }), "{unreadable}");
}

pub(crate) async fn servers_tell_each_other_of_changes(database: &Database) {
    let (sender, mut heard) = tokio::sync::mpsc::channel(4);
    let listener = database.second_store().await;
    let listening = tokio::spawn(async move { listener.listen(sender).await });
    let studies = [(); 3].map(|()| tellus::study::StudyId(uuid::Uuid::now_v7()));
    // Until the other one listens, nobody hears; with SQLite nobody ever does.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        database.store.announce(&studies).await.unwrap();
        match tokio::time::timeout(std::time::Duration::from_millis(200), heard.recv()).await {
            Ok(Some(first)) => {
                assert!(studies.contains(&first));
                break;
            }
            Ok(None) => {
                listening.await.unwrap().unwrap();
                return;
            }
            Err(_) => assert!(std::time::Instant::now() < deadline, "nothing is heard"),
        }
    }
    assert_eq!((heard.recv().await, heard.recv().await), (Some(studies[1]), Some(studies[2])));
    drop(heard);
    database.store.announce(&studies).await.unwrap();
    listening.await.unwrap().unwrap();
}
