//! Whole studies on their way out of a store and into another: streamed in pieces, from one snapshot, into one
//! transaction.

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{NetworkRecord, Result};
use crate::study::{Event, StudyId, StudyRecord, Trial};

/// A trial with what the store alone knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptTrial {
    /// The trial.
    pub trial: Trial,
    /// The value of the study's cost metric in its outcome.
    pub cost: f64,
}

/// A part of a study.
#[derive(Clone, Debug)]
pub enum Piece {
    /// A trial; they come by number.
    Trial(Box<KeptTrial>),
    /// An event; they come by revision, behind the trials.
    Event(Box<Event>),
    /// Nothing is missing.
    Complete,
}

/// How whole studies leave a store and come into one.
#[async_trait]
pub trait Archive: Send + Sync {
    /// Sends a study with all its trials and the events that are kept, as one consistent snapshot: first the study, by
    /// `study`, then its pieces. Ends early where nobody takes a piece for long.
    async fn dump(
        &self,
        id: StudyId,
        study: tokio::sync::oneshot::Sender<StudyRecord>,
        pieces: mpsc::Sender<Piece>,
    ) -> Result<()>;

    /// Takes a study in with its id, trials and events, all or nothing. What its counts and what it spent are is
    /// counted anew.
    ///
    /// # Errors
    /// [`StoreError::StudyThere`](super::StoreError::StudyThere) and
    /// [`StoreError::NameTaken`](super::StoreError::NameTaken) where its place is taken,
    /// [`StoreError::Incomplete`](super::StoreError::Incomplete) where the pieces end before [`Piece::Complete`].
    async fn restore(&self, study: StudyRecord, pieces: mpsc::Receiver<Piece>) -> Result<()>;

    /// Takes a network in with its id. Returns whether it is new; one that is there stays.
    async fn restore_network(&self, network: &NetworkRecord, onnx: &[u8]) -> Result<bool>;
}
