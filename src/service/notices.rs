//! What this server tells others of changed studies, and hears of them: so that who listens through another server is
//! woken at once. Who hears nothing looks once a second.
//!
//! It is told in batches, after the changes: `NOTIFY` within a transaction makes all that carry one wait for each other
//! when they commit.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::{Service, lock};
use crate::study::StudyId;

/// How long changes are gathered before they are told.
const GATHERED: Duration = Duration::from_millis(20);
/// How long it takes until it is listened again after the connection was lost.
const AGAIN: Duration = Duration::from_secs(2);
/// How many studies that were heard of wait.
const HEARD: usize = 1024;

/// Studies that changed and are yet to be told of.
#[derive(Default)]
pub(super) struct Notices {
    changed: Mutex<HashSet<StudyId>>,
    some: Notify,
}

impl Notices {
    pub(super) fn put(&self, study: StudyId) {
        lock(&self.changed).insert(study);
        self.some.notify_one();
    }
}

impl Service {
    /// Tells other servers of changes until told to stop.
    pub(super) async fn tell_others(self, stop: CancellationToken) {
        let notices = &self.inner.notices;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = notices.some.notified() => {}
            }
            tokio::time::sleep(GATHERED).await;
            let changed: Vec<StudyId> = lock(&notices.changed).drain().collect();
            if let Err(error) = self.inner.store.announce(&changed).await {
                // Whoever listens elsewhere finds out by looking.
                tracing::debug!(%error, "other servers could not be told of changes");
            }
        }
    }

    /// Wakes who listens here to what changed through other servers, until told to stop.
    pub(super) async fn hear_others(self, stop: CancellationToken) {
        loop {
            let (sender, mut heard) = mpsc::channel(HEARD);
            let listening = self.inner.store.listen(sender);
            let wake = async {
                while let Some(study) = heard.recv().await {
                    self.inner.listeners.changed(study);
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                (ended, ()) = async { tokio::join!(listening, wake) } => match ended {
                    // There is nobody to hear.
                    Ok(()) => return,
                    Err(error) => tracing::debug!(%error, "other servers are not heard"),
                },
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }
}
