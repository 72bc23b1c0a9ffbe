//! Whole studies out of a store and into one.

use tellus::store::archive::Piece;
use tellus::store::{Assignment, StoreError};
use tellus::study::{StudyId, StudyRecord};
use tokio::sync::{mpsc, oneshot};

use crate::given::{self, Database};

/// A study and all its pieces.
async fn dumped(database: &Database, id: StudyId) -> (StudyRecord, Vec<Piece>) {
    let (study, record) = oneshot::channel();
    let (sender, mut receiver) = mpsc::channel(1);
    let pieces = async {
        let mut pieces = Vec::new();
        while let Some(piece) = receiver.recv().await {
            pieces.push(piece);
        }
        pieces
    };
    let (done, pieces) = tokio::join!(database.store.dump(id, study, sender), pieces);
    done.unwrap();
    (record.await.unwrap(), pieces)
}

async fn restored(database: &Database, record: &StudyRecord, pieces: &[Piece]) -> Result<(), StoreError> {
    let (sender, receiver) = mpsc::channel(4);
    let send = async move {
        for piece in pieces {
            if sender.send(piece.clone()).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(database.store.restore(record.clone(), receiver), send).0
}

/// A study whose trials stand in every state.
async fn lived(database: &Database) -> StudyId {
    let store = &database.store;
    let study = given::study(store).await;
    given::hand_out(store, study, (0..4).map(given::proposal).collect()).await;
    for (number, outcome) in
        [(0, given::completed(0.5)), (1, given::failed("oom")), (2, given::abandoned("pre-empted"))]
    {
        let tell = tellus::store::Tell { cost: 2.5, ..given::tell(outcome) };
        store.tell(study, number, tell, None).await.unwrap();
    }
    let amended = tellus::store::Tell { amend: true, ..given::tell(given::completed(0.7)) };
    store.tell(study, 0, amended, None).await.unwrap();
    let many =
        (10..700).map(|number| given::attached(number, (number % 2 == 0).then(|| given::completed(1.0))));
    store.attach(study, many.collect(), None).await.unwrap();
    let abandoned = store.trial(study, 2).await.unwrap();
    let retry = given::ask("bob", Some(60), vec![Assignment::New(given::retry(&abandoned))]);
    given::hand_out_ask(store, study, retry).await;
    given::expired(store, study, 5000).await;
    study
}

pub(crate) async fn a_study_comes_back_as_it_was(database: &Database) {
    let store = &database.store;
    let study = lived(database).await;
    let (record, pieces) = dumped(database, study).await;
    assert!(matches!(pieces.last(), Some(Piece::Complete)));
    let before =
        (given::changes_since(store, study, 0).await.unwrap(), store.events(study, 0, 1000).await.unwrap());
    store.delete_study(study).await.unwrap();
    let mut uncounted = record.clone();
    uncounted.counts = tellus::study::TrialCounts::default();
    uncounted.spent_trials = 0;
    uncounted.spent_cost = 0.0;
    restored(database, &uncounted, &pieces).await.unwrap();
    let after =
        (given::changes_since(store, study, 0).await.unwrap(), store.events(study, 0, 1000).await.unwrap());
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    assert_eq!(after.0.1.len(), 696);
    // The rules of the database hold for what came, too.
    let again = store.attach(study, vec![given::attached(10, None)], None).await.unwrap();
    assert_eq!((again[0].number, again[0].replicate), (696, 1));
}

pub(crate) async fn what_is_cut_or_there_already_changes_nothing(database: &Database) {
    let store = &database.store;
    let study = lived(database).await;
    let (record, pieces) = dumped(database, study).await;
    let there = restored(database, &record, &pieces).await;
    assert!(matches!(there, Err(StoreError::StudyThere(id)) if id == study));
    let mut renumbered = record.clone();
    renumbered.id = StudyId(uuid::Uuid::now_v7());
    let taken = restored(database, &renumbered, &pieces).await;
    assert!(matches!(taken, Err(StoreError::NameTaken { existing }) if existing == study));
    store.delete_study(study).await.unwrap();
    let cut = restored(database, &record, &pieces[..pieces.len() - 1]).await;
    assert!(matches!(cut, Err(StoreError::Incomplete(id)) if id == study), "{cut:?}");
    assert!(matches!(store.study(study).await, Err(StoreError::NoStudy(_))));
    // A point that is there twice as the same replicate is against the database's rule.
    let mut doubled = pieces.clone();
    if let (Piece::Trial(first), Piece::Trial(second)) = (pieces[0].clone(), &mut doubled[1]) {
        second.trial.key = first.trial.key;
    }
    assert!(restored(database, &record, &doubled).await.is_err());
    assert!(matches!(store.study(study).await, Err(StoreError::NoStudy(_))));
    let quotas = tellus::store::access::Quotas { trials: Some(600), ..Default::default() };
    store.change_project("default", quotas).await.unwrap();
    let spent = restored(database, &record, &pieces).await;
    assert!(matches!(spent, Err(StoreError::QuotaSpent { what: "trials", .. })), "{spent:?}");
    store.change_project("default", Default::default()).await.unwrap();
    restored(database, &record, &pieces).await.unwrap();
}
