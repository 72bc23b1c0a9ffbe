//! Idempotency keys: answers are kept with what was done, or nothing is done.

use serde_json::json;
use tellus::store::{AskPlan, Assignment, HandOut, Keyed, StoreError};
use tellus::study::Trial;

use crate::given::{self, Database};

pub(crate) async fn the_answer_is_kept_with_what_was_done(database: &Database) {
    let store = &database.store;
    let key = given::key("create");
    assert!(store.kept_answer(&key).await.unwrap().is_none());
    let made = |created: &tellus::store::Created| given::answer(&created.study.id.to_string());
    let keyed = Keyed { key: &key, answer: &made };
    let created = store.create_study(given::new_study("a", json!({})), Some(keyed)).await.unwrap();
    let kept = store.kept_answer(&key).await.unwrap().unwrap();
    assert_eq!((kept.body, kept.answer), (key.body, given::answer(&created.study.id.to_string())));

    let key = given::key("ask");
    let numbers = |trials: &Vec<Trial>| given::answer(&format!("{} trials", trials.len()));
    let assignments = vec![Assignment::New(given::proposal(0)), Assignment::New(given::proposal(1))];
    let keyed = Some(Keyed { key: &key, answer: &numbers });
    let asked = AskPlan { assignments, worker: None, lease_seconds: None, keyed, by: None };
    given::hand_out_ask(store, created.study.id, asked).await;
    assert_eq!(store.kept_answer(&key).await.unwrap().unwrap().answer, given::answer("2 trials"));

    // A tell that changes nothing is answered too.
    let told = given::tell(given::completed(0.1));
    store.tell(created.study.id, 0, told.clone(), None).await.unwrap();
    let key = given::key("tell");
    let state = |trial: &Trial| given::answer(trial.state.name());
    store.tell(created.study.id, 0, told, Some(Keyed { key: &key, answer: &state })).await.unwrap();
    assert_eq!(store.kept_answer(&key).await.unwrap().unwrap().answer, given::answer("completed"));
}

pub(crate) async fn a_key_that_was_used_undoes_the_rest(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    let key = given::key("used");
    store.keep_answer(&key, &given::answer("first")).await.unwrap();
    let before = store.study(study).await.unwrap();
    let second = |_: &Vec<Trial>| given::answer("second");
    let keyed = || Some(Keyed { key: &key, answer: &second });

    let refused = store.attach(study, vec![given::attached(0, None)], keyed()).await;
    assert!(matches!(refused, Err(StoreError::KeyUsed)));
    let assignments = vec![Assignment::New(given::proposal(0))];
    let asks = vec![AskPlan { assignments, worker: None, lease_seconds: None, keyed: keyed(), by: None }];
    let refused = store.hand_out(study, HandOut { expected_next_number: 0, asks }).await;
    assert!(matches!(refused, Err(StoreError::KeyUsed)));

    let after = store.study(study).await.unwrap();
    assert_eq!((before.revision, before.next_number), (after.revision, after.next_number));
    assert!(store.trials(study, None, &given::first(9)).await.unwrap().is_empty());
    assert_eq!(store.kept_answer(&key).await.unwrap().unwrap().answer, given::answer("first"));
}

pub(crate) async fn refusals_are_kept_and_the_first_answer_stays(database: &Database) {
    let store = &database.store;
    let key = given::key("refused");
    store.keep_answer(&key, &given::answer("first")).await.unwrap();
    store.keep_answer(&key, &given::answer("second")).await.unwrap();
    assert_eq!(store.kept_answer(&key).await.unwrap().unwrap().answer, given::answer("first"));
    let elsewhere = tellus::store::IdempotencyKey { path: "/v1/other".into(), ..key.clone() };
    assert!(store.kept_answer(&elsewhere).await.unwrap().is_none());
    store.prune().await.unwrap();
    assert!(store.kept_answer(&key).await.unwrap().is_some());
}
