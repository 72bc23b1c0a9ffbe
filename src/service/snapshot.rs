//! Histories as far as they were read: a study's trials are read once, and after that only what changed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use super::lock;
use crate::advisor::{History, Seen};
use crate::store::{Present, Result, Store};
use crate::study::{StudyId, StudyRecord, Trial, TrialState, Waiting};

/// How many studies' histories are kept, and how many trials of all of them, about 400 bytes each; those used longest ago
/// go first.
const MOST_STUDIES: usize = 256;
const MOST_TRIALS: usize = 2_000_000;

/// The histories.
#[derive(Default)]
pub(super) struct Snapshots {
    studies: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_study: HashMap<StudyId, Entry>,
    uses: u64,
}

#[derive(Default)]
struct Entry {
    used: u64,
    trials: usize,
    progress: Arc<tokio::sync::Mutex<Progress>>,
}

/// A study at one revision.
pub(super) struct Snapshot {
    pub(super) record: StudyRecord,
    /// Running trials are to be expired.
    pub(super) has_due_leases: bool,
    pub(super) history: Arc<History>,
    pub(super) waiting: Waits,
}

/// The trials that an ask may be given.
#[derive(Clone, Default)]
pub(super) struct Waits {
    queued: BTreeSet<u64>,
    expired: BTreeSet<u64>,
    by_worker: HashMap<String, BTreeSet<u64>>,
}

#[derive(Default)]
struct Progress {
    revision: u64,
    history: Arc<History>,
    waits: Waits,
    holders: HashMap<u64, String>,
    retried: BTreeSet<u64>,
}

impl Snapshots {
    /// The study as it is now.
    pub(super) async fn read(&self, store: &dyn Store, study: StudyId) -> Result<Snapshot> {
        let progress = self.progress(study);
        let mut progress = progress.lock().await;
        let revision = progress.revision;
        // What was taken in before a failure is taken in again: the revision stays.
        let present = store
            .changes_since(study, revision, &mut |record, trial| progress.take_in(record, &trial))
            .await?;
        progress.revision = present.study.revision;
        lock(&self.studies).note(study, progress.history.len());
        let Present { study: record, has_due_leases } = present;
        Ok(Snapshot {
            record,
            has_due_leases,
            history: Arc::clone(&progress.history),
            waiting: progress.waits.clone(),
        })
    }

    fn progress(&self, study: StudyId) -> Arc<tokio::sync::Mutex<Progress>> {
        let mut kept = lock(&self.studies);
        kept.uses += 1;
        let uses = kept.uses;
        if !kept.by_study.contains_key(&study) && kept.by_study.len() >= MOST_STUDIES {
            kept.forget_one(study);
        }
        let entry = kept.by_study.entry(study).or_default();
        entry.used = uses;
        Arc::clone(&entry.progress)
    }
}

impl Kept {
    /// A study's history has so many trials; others are forgotten where all have too many.
    fn note(&mut self, study: StudyId, trials: usize) {
        if let Some(entry) = self.by_study.get_mut(&study) {
            entry.trials = trials;
        }
        while self.by_study.values().map(|entry| entry.trials).sum::<usize>() > MOST_TRIALS
            && self.forget_one(study)
        {}
    }

    /// Forgets the history that was used longest ago, but not this study's. Returns whether there was another.
    fn forget_one(&mut self, but: StudyId) -> bool {
        let others = self.by_study.iter().filter(|(id, _)| **id != but);
        let oldest = others.min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id);
        oldest.is_some_and(|id| self.by_study.remove(&id).is_some())
    }
}

impl Progress {
    fn take_in(&mut self, record: &StudyRecord, trial: &Trial) {
        let number = trial.number;
        let seen = Seen::of(&record.definition, trial);
        // Numbers have no gaps, and a change list holds every number that is new, in order.
        if let Ok(index) = usize::try_from(number) {
            Arc::make_mut(&mut self.history).put(index, seen);
        }
        self.waits.queued.remove(&number);
        self.waits.expired.remove(&number);
        if let Some(worker) = self.holders.remove(&number)
            && let Some(open) = self.waits.by_worker.get_mut(&worker)
        {
            open.remove(&number);
            if open.is_empty() {
                self.waits.by_worker.remove(&worker);
            }
        }
        if let Some(of) = trial.retry_of {
            self.retried.insert(of);
            self.waits.expired.remove(&of);
        }
        match trial.state {
            TrialState::Queued => {
                self.waits.queued.insert(number);
            }
            TrialState::Expired if !self.retried.contains(&number) => {
                self.waits.expired.insert(number);
            }
            TrialState::Running => {
                if let Some(worker) = &trial.worker {
                    self.waits.by_worker.entry(worker.clone()).or_default().insert(number);
                    self.holders.insert(number, worker.clone());
                }
            }
            _ => {}
        }
    }
}

impl Waits {
    /// What waits for `worker`, lowest numbers first, and at most `count` of each kind.
    pub(super) fn for_worker(&self, worker: Option<&str>, retry_expired: bool, count: usize) -> Waiting {
        let open = worker.and_then(|worker| self.by_worker.get(worker));
        let expired = if retry_expired { Some(&self.expired) } else { None };
        let first = |set: Option<&BTreeSet<u64>>| set.into_iter().flatten().take(count).copied().collect();
        Waiting { open: first(open), queued: first(Some(&self.queued)), expired: first(expired) }
    }

    /// These were handed out.
    pub(super) fn remove(&mut self, queued: &[u64], expired: &[u64]) {
        self.queued.retain(|number| !queued.contains(number));
        self.expired.retain(|number| !expired.contains(number));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_histories_used_longest_ago_are_forgotten() {
        let snapshots = Snapshots::default();
        let studies: Vec<StudyId> =
            (0..MOST_STUDIES as u128 + 1).map(|i| StudyId(Uuid::from_u128(i))).collect();
        let kept = |index: usize| lock(&snapshots.studies).by_study.contains_key(&studies[index]);
        for study in &studies {
            snapshots.progress(*study);
            lock(&snapshots.studies).note(*study, MOST_TRIALS / MOST_STUDIES);
        }
        assert!(!kept(0) && kept(1) && kept(MOST_STUDIES));
        // One that grows takes the place of others, and stays when it is too large by itself.
        snapshots.progress(studies[1]);
        lock(&snapshots.studies).note(studies[1], MOST_TRIALS / 2);
        assert!(kept(1) && !kept(2) && !kept(MOST_STUDIES / 2) && kept(MOST_STUDIES));
        lock(&snapshots.studies).note(studies[1], 2 * MOST_TRIALS);
        assert!(kept(1) && !kept(MOST_STUDIES));
        assert_eq!(lock(&snapshots.studies).by_study.len(), 1);
    }
}
