//! Taking in: a file that was verified, study by study.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::reader::{ArchiveFault, Item, Reader};
use crate::store::archive::Piece;
use crate::store::{Store, StoreError};

/// How many things wait to be taken in.
const ITEMS: usize = 256;

/// What happens with studies that are there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// The import ends.
    #[default]
    Refuse,
    /// They stay as they are.
    Skip,
}

/// What was taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Projects that are new.
    pub projects: u64,
    /// Networks that are new.
    pub networks: u64,
    /// Studies.
    pub studies: u64,
    /// Trials of those.
    pub trials: u64,
    /// Studies that were there already.
    pub skipped: u64,
}

/// Why an import ended early. What was taken in before stays: each study is whole.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file.
    #[error(transparent)]
    Fault(#[from] ArchiveFault),
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    File(#[from] std::io::Error),
    /// The database, or what is there already.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread of this program ended early.
    #[error("a thread of this program ended early")]
    Thread,
}

/// A study that is being taken in.
struct Open {
    pieces: mpsc::Sender<Piece>,
    done: JoinHandle<Result<(), StoreError>>,
    trials: u64,
}

/// Takes in what is in a file.
///
/// # Errors
/// When the file is not as it was verified, or the database does not take something in.
pub async fn load(store: Arc<dyn Store>, path: &Path, existing: Existing) -> Result<Imported, ImportError> {
    let file = File::open(path)?;
    let (sender, mut items) = mpsc::channel(ITEMS);
    let reading = tokio::task::spawn_blocking(move || {
        let mut reader = Reader::new(BufReader::new(file));
        while let Some(item) = reader.next()? {
            if sender.blocking_send(item).is_err() {
                break;
            }
        }
        Ok::<_, ArchiveFault>(())
    });
    let mut imported = Imported::default();
    let mut open: Option<Open> = None;
    while let Some(item) = items.recv().await {
        match item {
            Item::Project(name, quotas) => match store.create_project(&name, quotas).await {
                Ok(_) => imported.projects += 1,
                Err(StoreError::ProjectTaken(_)) => {}
                Err(error) => return Err(error.into()),
            },
            Item::Network(record, onnx) => {
                imported.networks += u64::from(store.restore_network(&record, &onnx).await?);
            }
            Item::Study(record) => {
                let (pieces, received) = mpsc::channel(ITEMS);
                let store = Arc::clone(&store);
                let done = tokio::spawn(async move { store.restore(*record, received).await });
                open = Some(Open { pieces, done, trials: 0 });
            }
            Item::Trial(kept) => {
                if let Some(open) = &mut open {
                    open.trials += 1;
                    // Where nobody takes it, the study's end says why.
                    drop(open.pieces.send(Piece::Trial(kept)).await);
                }
            }
            Item::Event(event) => {
                if let Some(open) = &open {
                    drop(open.pieces.send(Piece::Event(event)).await);
                }
            }
            Item::StudyEnd => {
                let Some(Open { pieces, done, trials }) = open.take() else { continue };
                drop(pieces.send(Piece::Complete).await);
                match done.await.map_err(|_| ImportError::Thread)? {
                    Ok(()) => {
                        imported.studies += 1;
                        imported.trials += trials;
                    }
                    Err(StoreError::StudyThere(_)) if existing == Existing::Skip => imported.skipped += 1,
                    Err(error) => return Err(error.into()),
                }
            }
            Item::End => {}
        }
    }
    reading.await.map_err(|_| ImportError::Thread)??;
    Ok(imported)
}
