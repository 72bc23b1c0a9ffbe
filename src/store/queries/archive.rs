//! Whole studies, read from one snapshot and written in one transaction.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use serde_json::json;
use sqlx::types::Json;
use tokio::sync::{mpsc, oneshot};

use super::super::super::archive::{Archive, KeptTrial, Piece};
use super::super::super::{NetworkRecord, Result, StoreError};
use super::super::Connection;
use super::audit::Change;
use super::locked::{LockedStudy, clock};
use super::projects::{Growth, admit, admit_trials};
use super::rows::{self, signed};
use super::together::Together;
use super::{Backend, events, networks, studies, trials};
use crate::study::{Entry, Event, Ledger, StudyId, StudyRecord, TrialCounts, rounded};

/// How long a piece may wait to be taken, while the snapshot is held.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many trials or events are inserted at once.
const BATCH: usize = 500;

#[async_trait]
impl Archive for Backend {
    async fn dump(
        &self,
        id: StudyId,
        study: oneshot::Sender<StudyRecord>,
        pieces: mpsc::Sender<Piece>,
    ) -> Result<()> {
        let mut transaction = self.begin_read().await?;
        let record = self.read_study(&mut transaction, id).await?;
        let definition = std::sync::Arc::clone(&record.definition);
        if study.send(record).is_err() {
            return Ok(());
        }
        {
            let mut rows = sqlx::query(concat!(
                "SELECT ",
                trial_columns!(),
                " FROM trials WHERE study_id = $1 ORDER BY number"
            ))
            .bind(id.0)
            .fetch(&mut *transaction);
            while let Some(row) = rows.try_next().await? {
                let Entry { trial, cost } = rows::trial(&row, &definition)?;
                let piece = Piece::Trial(Box::new(KeptTrial { trial, cost }));
                if pieces.send_timeout(piece, PATIENCE).await.is_err() {
                    return Ok(());
                }
            }
        }
        let mut rows = sqlx::query(
            "SELECT revision, kind, number, at, data FROM events WHERE study_id = $1 ORDER BY revision",
        )
        .bind(id.0)
        .fetch(&mut *transaction);
        while let Some(row) = rows.try_next().await? {
            if pieces.send_timeout(Piece::Event(Box::new(rows::event(&row)?)), PATIENCE).await.is_err() {
                return Ok(());
            }
        }
        // Nobody waits for this one where nobody took the others.
        drop(pieces.send_timeout(Piece::Complete, PATIENCE).await);
        Ok(())
    }

    async fn restore(&self, study: StudyRecord, mut pieces: mpsc::Receiver<Piece>) -> Result<()> {
        let mut transaction = self.begin().await?;
        let now = clock(&mut transaction).await?;
        let mut locked =
            LockedStudy { ledger: Ledger { record: study, now, events: Vec::new() }, trials_quota: None };
        let project = locked.ledger.record.definition.draft().project.clone();
        studies::insert_or_say(&mut transaction, &locked.ledger.record).await?;
        let quotas = admit(&mut transaction, &project, Growth::Study).await?;
        locked.trials_quota = quotas.trials;
        networks::use_networks(&mut transaction, locked.ledger.record.id, &locked.ledger.record.definition)
            .await?;
        locked.ledger.record.counts = TrialCounts::default();
        locked.ledger.record.spent_trials = 0;
        locked.ledger.record.spent_cost = 0.0;
        let mut batch = Batch::default();
        loop {
            match pieces.recv().await {
                None => return Err(StoreError::Incomplete(locked.ledger.record.id)),
                Some(Piece::Complete) => break,
                Some(Piece::Trial(kept)) => {
                    let stored = Entry { trial: in_store(kept.trial), cost: kept.cost };
                    locked.ledger.count(&stored);
                    batch.trials.push(stored);
                }
                Some(Piece::Event(event)) => {
                    batch.events.push(Event { at: rounded(event.at), ..*event });
                }
            }
            if batch.trials.len() + batch.events.len() >= BATCH {
                batch.write(&mut transaction, locked.ledger.record.id).await?;
            }
        }
        batch.write(&mut transaction, locked.ledger.record.id).await?;
        let mut writes = Together::new();
        locked.write(&mut transaction, &mut writes).await?;
        writes.execute(&mut transaction).await?;
        admit_trials(&mut transaction, &locked, 0).await?;
        let said = json!({
            "name": locked.ledger.record.definition.draft().name, "trials": locked.ledger.record.next_number,
            "revision": locked.ledger.record.revision,
        });
        self.note(&mut transaction, now, Change::of_study("import_studies", &locked, said)).await?;
        Ok(transaction.commit().await?)
    }

    async fn restore_network(&self, network: &NetworkRecord, onnx: &[u8]) -> Result<bool> {
        let mut transaction = self.begin().await?;
        let now = clock(&mut transaction).await?;
        let done = sqlx::query(
            "INSERT INTO networks (id, project, name, onnx, bytes, description, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
        )
        .bind(network.id.0)
        .bind(&network.project)
        .bind(&network.name)
        .bind(onnx)
        .bind(signed(onnx.len() as u64))
        .bind(Json(&network.description))
        .bind(rounded(network.created_at))
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        admit(&mut transaction, &network.project, Growth::Network).await?;
        let said = json!({ "network": network.id.0, "name": network.name });
        self.note(&mut transaction, now, Change::of_project("import_studies", &network.project, said))
            .await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// A trial as every database keeps it.
fn in_store(mut trial: crate::study::Trial) -> crate::study::Trial {
    trial.created_at = rounded(trial.created_at);
    for time in [&mut trial.lease_expires_at, &mut trial.started_at, &mut trial.ended_at] {
        *time = time.map(rounded);
    }
    trial
}

/// What is inserted at once.
#[derive(Default)]
struct Batch {
    trials: Vec<Entry>,
    events: Vec<Event>,
}

impl Batch {
    async fn write(&mut self, connection: &mut Connection, study: StudyId) -> Result<()> {
        let mut writes = Together::new();
        trials::insert(connection, &mut writes, study, &self.trials).await?;
        events::insert(connection, &mut writes, study, &self.events).await?;
        writes.execute(connection).await?;
        self.trials.clear();
        self.events.clear();
        Ok(())
    }
}
