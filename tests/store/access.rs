//! Projects and their quotas, tokens, and the log of changes.

use std::sync::Arc;

use serde_json::json;
use tellus::store::access::{
    Actor, AuditFilter, EVERY_PROJECT, NewToken, Person, Quotas, Role, Roles, Usage,
};
use tellus::store::{
    Assignment, HandOut, NetworkDescription, NewNetwork, StoreError, StudyChange, StudyFilter, TrialChange,
};
use tellus::study::StudyState;

use crate::given::{self, Database};

fn token(name: &str, hash: u8, roles: &[(&str, Role)]) -> NewToken {
    let roles = roles.iter().map(|(project, role)| ((*project).to_owned(), *role)).collect();
    NewToken {
        name: name.into(),
        prefix: format!("tellus_{name}"),
        hash: [hash; 32],
        roles: Roles(roles),
        expires_at: None,
        parent: None,
    }
}

fn network(project: &str, bytes: usize) -> NewNetwork {
    let description = NetworkDescription {
        inputs: Vec::new(),
        outputs: Vec::new(),
        gradient: true,
        flat_operators: Vec::new(),
        weights: 0,
        work: 0,
    };
    NewNetwork { project: project.into(), name: "n".into(), onnx: vec![7; bytes], description }
}

pub(crate) async fn projects_are_made_changed_and_deleted(database: &Database) {
    let store = &database.store;
    assert_eq!(store.project("default").await.unwrap().quotas, Quotas::default());
    let quotas = Quotas { studies: Some(3), bytes: Some(1 << 40), ..Quotas::default() };
    let made = store.create_project("b", quotas).await.unwrap();
    assert_eq!(store.project("b").await.unwrap(), made);
    assert!(matches!(store.create_project("b", quotas).await, Err(StoreError::ProjectTaken(_))));
    store.create_project("a", Quotas::default()).await.unwrap();
    let names = async |among: Option<&[String]>| -> Vec<String> {
        let projects = store.projects(among, &given::first(9)).await.unwrap();
        projects.into_iter().map(|project| project.name).collect()
    };
    assert_eq!(names(None).await, ["a", "b", "default"]);
    assert_eq!(names(Some(&["b".into(), "z".into(), "\0".into()])).await, ["b"]);
    assert_eq!(names(Some(&[])).await, [""; 0]);
    let changed = store.change_project("b", Quotas { trials: Some(9), ..Quotas::default() }).await.unwrap();
    assert_eq!((changed.quotas.studies, changed.quotas.trials), (None, Some(9)));

    let new = given::new_study("s", json!({"project": "b"}));
    let study = store.create_study(new.clone(), None).await.unwrap().study.id;
    assert!(matches!(store.delete_project("b").await, Err(StoreError::ProjectInUse(_))));
    store.delete_study(study).await.unwrap();
    let token = store.create_token(token("t", 1, &[("a", Role::Viewer), ("b", Role::Owner)])).await.unwrap();
    store.delete_project("b").await.unwrap();
    let left = store.token(token.id).await.unwrap().roles;
    assert_eq!((left.of("a"), left.of("b")), (Some(Role::Viewer), None));
    for missing in ["b", "\0"] {
        assert!(matches!(store.project(missing).await, Err(StoreError::NoProject(_))));
    }
    assert!(matches!(store.change_project("b", quotas).await, Err(StoreError::NoProject(_))));
    assert!(matches!(store.delete_project("b").await, Err(StoreError::NoProject(_))));
    assert!(matches!(store.create_study(new, None).await, Err(StoreError::NoProject(_))));
    assert!(store.studies(&StudyFilter::default(), &given::first(9)).await.unwrap().is_empty());
    assert!(matches!(store.create_network(network("b", 1)).await, Err(StoreError::NoProject(_))));
    assert!(matches!(store.delete_project("default").await, Err(StoreError::ProjectInUse(_))));
}

pub(crate) async fn quotas_are_kept_by_creators_at_the_same_time(database: &Database) {
    let quotas = Quotas { studies: Some(5), networks: Some(4), bytes: Some(250), ..Quotas::default() };
    database.store.change_project("default", quotas).await.unwrap();
    let creators = (0..12).map(|number| {
        let store = Arc::clone(&database.store);
        tokio::spawn(async move {
            let study = given::new_study(&format!("s{number}"), json!({}));
            let study = store.create_study(study, None).await.is_ok();
            (study, store.create_network(network("default", 100)).await.is_ok())
        })
    });
    let mut made = (0, 0);
    for creator in creators.collect::<Vec<_>>() {
        let (study, network) = creator.await.unwrap();
        made = (made.0 + u32::from(study), made.1 + u32::from(network));
    }
    assert_eq!(made, (5, 2));
    let used = database.store.usage("default").await.unwrap();
    assert_eq!(used, Usage { studies: 5, trials: 0, networks: 2, bytes: 200 });
}

pub(crate) async fn quotas_of_trials_and_networks_are_kept(database: &Database) {
    let store = &database.store;
    let study = given::study(store).await;
    store.change_project("default", Quotas { trials: Some(3), ..Quotas::default() }).await.unwrap();
    given::hand_out(store, study, vec![given::proposal(0), given::proposal(1)]).await;
    let spent = |error| matches!(error, StoreError::QuotaSpent { what: "trials", limit: 3, .. });
    let assignments = vec![Assignment::New(given::proposal(2)), Assignment::New(given::proposal(3))];
    let plan = HandOut { expected_next_number: 2, asks: vec![given::ask("ada", None, assignments)] };
    assert!(spent(store.hand_out(study, plan).await.unwrap_err()));
    let many = vec![given::attached(4, None), given::attached(5, None)];
    assert!(spent(store.attach(study, many, None).await.unwrap_err()));
    store.attach(study, vec![given::attached(4, None)], None).await.unwrap();
    // What is there already is handed out, also when the quota was lowered since.
    store.change_project("default", Quotas { trials: Some(1), ..Quotas::default() }).await.unwrap();
    let asked = given::ask("ada", None, vec![Assignment::Queued(2), Assignment::Again(0)]);
    assert_eq!(given::hand_out_ask(store, study, asked).await.len(), 2);
    store.tell(study, 0, given::tell(given::completed(1.0)), None).await.unwrap();
    let other = given::new_study("other", json!({}));
    let other = store.create_study(other, None).await.unwrap().study.id;
    let one = vec![given::attached(0, None)];
    assert!(matches!(store.attach(other, one, None).await, Err(StoreError::QuotaSpent { .. })));
}

pub(crate) async fn tokens_are_found_by_their_hash_until_they_end(database: &Database) {
    let store = &database.store;
    let made = store.create_token(token("t", 1, &[(EVERY_PROJECT, Role::Admin)])).await.unwrap();
    assert!(made.last_used_at.is_none() && made.created_by.is_none());
    let used = store.use_token(&[1; 32]).await.unwrap().unwrap();
    assert_eq!((used.id, &used.roles), (made.id, &made.roles));
    let noted = store.token(made.id).await.unwrap().last_used_at;
    assert!(noted.is_some() && noted == used.last_used_at);
    // A use in the same minute is not worth a write.
    store.use_token(&[1; 32]).await.unwrap().unwrap();
    assert_eq!(store.token(made.id).await.unwrap().last_used_at, noted);
    assert!(store.use_token(&[2; 32]).await.unwrap().is_none());
    database.execute("UPDATE tokens SET expires_at = '2020-01-01T00:00:00+00:00'").await;
    assert!(store.use_token(&[1; 32]).await.unwrap().is_none());
    database.execute("UPDATE tokens SET expires_at = '2220-01-01T00:00:00+00:00'").await;
    assert!(store.use_token(&[1; 32]).await.unwrap().is_some());
    let revoked = store.revoke_token(made.id).await.unwrap();
    assert!(store.use_token(&[1; 32]).await.unwrap().is_none());
    assert_eq!(store.revoke_token(made.id).await.unwrap().revoked_at, revoked.revoked_at);
    let nobody = uuid::Uuid::now_v7();
    assert!(matches!(store.token(nobody).await, Err(StoreError::NoToken(_))));
    assert!(matches!(store.revoke_token(nobody).await, Err(StoreError::NoToken(_))));
}

pub(crate) async fn tokens_are_listed_by_project(database: &Database) {
    let store = &database.store;
    for (hash, (name, roles)) in (1..).zip([
        ("a", vec![("a", Role::Owner)]),
        ("b", vec![("b", Role::Viewer)]),
        ("both", vec![("a", Role::Viewer), ("b", Role::Owner)]),
        ("all", vec![(EVERY_PROJECT, Role::Admin)]),
    ]) {
        store.create_token(token(name, hash, &roles)).await.unwrap();
    }
    let names = async |among: Option<&[String]>| -> Vec<String> {
        let tokens = store.tokens(among, &given::first(9)).await.unwrap();
        tokens.into_iter().map(|token| token.name).collect()
    };
    assert_eq!(names(None).await, ["a", "b", "both", "all"]);
    assert_eq!(names(Some(&["a".into()])).await, ["a", "both"]);
    assert_eq!(names(Some(&["a".into(), "b".into()])).await, ["a", "b", "both"]);
    assert_eq!(names(Some(&[])).await, [""; 0]);
    let page = store.tokens(None, &given::first(2)).await.unwrap();
    let after = Some(tellus::store::Cursor::Id(page[1].id));
    let rest = tellus::store::Page { after, limit: 9, descending: false };
    assert_eq!(store.tokens(None, &rest).await.unwrap()[0].roles.of("b"), Some(Role::Owner));
}

pub(crate) async fn changes_are_noted_in_the_name_of_who_makes_them(database: &Database) {
    let nobody = &database.store;
    let study = given::study(nobody).await;
    let actor = Actor {
        token: Some(uuid::Uuid::now_v7()),
        who: "ada".into(),
        address: Some("::1".into()),
        request_id: Some("r".into()),
    };
    let ada = nobody.by(Arc::new(actor.clone()));
    nobody.attach(study, vec![given::attached(0, None)], None).await.unwrap();
    let mut asked = given::ask("w", None, vec![Assignment::Queued(0)]);
    asked.by = Some(Arc::new(actor.clone()));
    given::hand_out_ask(nobody, study, asked).await;
    ada.tell(study, 0, given::tell(given::completed(1.0)), None).await.unwrap();
    ada.tell(study, 0, given::tell(given::completed(1.0)), None).await.unwrap();
    ada.tell(study, 0, given::tell(given::failed("no")), None).await.unwrap_err();
    let note = TrialChange { note: Some(Some("odd".into())), ..TrialChange::default() };
    ada.change_trial(study, 0, note.clone()).await.unwrap();
    ada.change_trial(study, 0, note).await.unwrap();
    let paused = StudyChange { state: Some(StudyState::Paused), ..StudyChange::default() };
    ada.change_study(study, paused).await.unwrap();
    ada.delete_study(study).await.unwrap();
    let log = nobody.audit(&AuditFilter::default(), &given::first(99)).await.unwrap();
    let actions: Vec<&str> = log.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["ask", "tell", "change_trial", "change_study", "delete_study"]);
    assert!(log.iter().all(|entry| entry.actor == actor && entry.study == Some(study)));
    assert!(log.iter().all(|entry| entry.project.as_deref() == Some("default")));
    assert_eq!((log[1].number, &log[1].data["amend"]), (Some(0), &json!(false)));
    let filtered = async |filter: AuditFilter| nobody.audit(&filter, &given::first(99)).await.unwrap().len();
    assert_eq!(filtered(AuditFilter { action: Some("tell".into()), ..AuditFilter::default() }).await, 1);
    assert_eq!(filtered(AuditFilter { projects: Some(vec!["b".into()]), ..AuditFilter::default() }).await, 0);
    assert_eq!(filtered(AuditFilter { action: Some("\0".into()), ..AuditFilter::default() }).await, 0);
    assert_eq!(filtered(AuditFilter { token: actor.token, ..AuditFilter::default() }).await, 5);
}

pub(crate) async fn a_person_is_one_however_often_they_sign_in(database: &Database) {
    let person = |subject: &str| Person { issuer: "https://issuer.lab".into(), subject: subject.into() };
    let viewer = [("default", Role::Viewer)];
    // Many browsers of one person at once.
    let both = [database.store.clone(), database.second_store().await];
    let begun = (0..12_u8).map(|i| both[usize::from(i % 2)].sign_in(person("ada"), token("ada", i, &viewer)));
    let sessions = futures_util::future::try_join_all(begun).await.unwrap();
    let parent = sessions[0].parent.unwrap();
    assert!(sessions.iter().all(|session| session.parent == Some(parent) && session.person.is_none()));
    let store = &database.store;
    let made = store.token(parent).await.unwrap();
    assert_eq!((made.person, made.prefix.as_str(), made.expires_at), (Some(person("ada")), "", None));

    // Another name and other roles, for all of their sessions; another person is another.
    let renamed =
        store.sign_in(person("ada"), token("Ada King", 20, &[("default", Role::Owner)])).await.unwrap();
    assert_eq!(renamed.parent, Some(parent));
    let old = store.use_token(&[3; 32]).await.unwrap().unwrap();
    assert_eq!((old.name.as_str(), old.roles.of("default")), ("Ada King", Some(Role::Owner)));
    let bob = store.sign_in(person("bob"), token("bob", 21, &viewer)).await.unwrap();
    assert_ne!(bob.parent, Some(parent));
    let listed = store.tokens(None, &given::first(9)).await.unwrap();
    assert_eq!(listed.iter().map(|token| token.name.as_str()).collect::<Vec<_>>(), ["Ada King", "bob"]);

    // Revoked, nothing of them is left; who signs in again is another.
    store.revoke_token(parent).await.unwrap();
    for hash in [3, 20] {
        assert!(store.use_token(&[hash; 32]).await.unwrap().is_none());
    }
    let again = store.sign_in(person("ada"), token("ada", 22, &viewer)).await.unwrap();
    assert_ne!(again.parent, Some(parent));
    assert!(store.use_token(&[22; 32]).await.unwrap().is_some());
    let log = store.audit(&AuditFilter::default(), &given::first(50)).await.unwrap();
    assert!(log.is_empty(), "nobody acts, nothing is noted");
}
