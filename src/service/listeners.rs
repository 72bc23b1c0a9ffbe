//! Who waits for changes of which study in this process.

use std::collections::HashMap;
use std::sync::Mutex;

use tokio::sync::watch;

use super::lock;
use crate::study::StudyId;

/// A tick for each study that somebody listens to.
#[derive(Default)]
pub(super) struct Listeners {
    studies: Mutex<HashMap<StudyId, watch::Sender<u64>>>,
}

impl Listeners {
    pub(super) fn changed(&self, study: StudyId) {
        let mut studies = lock(&self.studies);
        if let Some(sender) = studies.get(&study) {
            if sender.receiver_count() == 0 {
                studies.remove(&study);
            } else {
                sender.send_modify(|tick| *tick += 1);
            }
        }
    }

    pub(super) fn listen(&self, study: StudyId) -> watch::Receiver<u64> {
        let mut studies = lock(&self.studies);
        studies.retain(|id, sender| *id == study || sender.receiver_count() > 0);
        studies.entry(study).or_insert_with(|| watch::channel(0).0).subscribe()
    }
}
