//! Ahead of the ask: the next points of studies that are being asked, computed while a thread has nothing else to do,
//! so that the usual ask is a look-up.
//!
//! It is a memo. What is kept is a study's proposals at one revision, and a proposal is a pure function of the study at
//! that revision: losing or disabling it costs time and never changes an answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::snapshot::Snapshot;
use super::{Service, lock};
use crate::advisor::Proposal;
use crate::study::{StudyId, StudyState};

/// How many studies are looked ahead for; those asked longest ago go first.
const CAPACITY: usize = 256;
/// Most points that are computed ahead for one study.
const MOST_POINTS: usize = 16;

/// What is kept, by study.
#[derive(Default)]
pub(super) struct Ahead {
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
    /// How many new points the last ask wanted.
    wanted: usize,
    /// The proposals at a revision.
    known: Option<(u64, Arc<Vec<Proposal>>)>,
    /// The revision that is being computed; the channel closes when it is done.
    running: Option<(u64, watch::Receiver<()>)>,
    /// The study changed while it was computed for.
    is_outdated: bool,
}

/// What is known of a study at a revision.
enum Known {
    Proposals(Vec<Proposal>),
    Soon(watch::Receiver<()>),
    Nothing,
}

impl Ahead {
    /// An ask of `count` new points: from now on the study is looked ahead for.
    fn asked(&self, study: StudyId, count: usize) {
        let mut kept = lock(&self.studies);
        kept.uses += 1;
        let uses = kept.uses;
        if !kept.by_study.contains_key(&study) && kept.by_study.len() >= CAPACITY {
            let oldest = kept.by_study.iter().min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id);
            oldest.map(|id| kept.by_study.remove(&id));
        }
        let entry = kept.by_study.entry(study).or_default();
        entry.used = uses;
        entry.wanted = count.min(MOST_POINTS);
    }

    fn look_up(&self, study: StudyId, revision: u64, count: usize) -> Known {
        let kept = lock(&self.studies);
        let Some(entry) = kept.by_study.get(&study) else { return Known::Nothing };
        if let Some((at, proposals)) = &entry.known
            && *at == revision
            && proposals.len() >= count
        {
            // A batch is the same as that many suggestions in a row, so its beginning is the smaller batch.
            return Known::Proposals(proposals[..count].to_vec());
        }
        match &entry.running {
            Some((at, done)) if *at == revision && entry.wanted >= count => Known::Soon(done.clone()),
            _ => Known::Nothing,
        }
    }

    fn keep(&self, study: StudyId, revision: u64, proposals: Vec<Proposal>) {
        if let Some(entry) = lock(&self.studies).by_study.get_mut(&study)
            && entry.known.as_ref().is_none_or(|(at, _)| *at <= revision)
        {
            entry.known = Some((revision, Arc::new(proposals)));
        }
    }

    /// Whether somebody is to compute for a study that changed; where that is being done, it will be done again.
    fn begin(&self, study: StudyId) -> bool {
        let mut kept = lock(&self.studies);
        let Some(entry) = kept.by_study.get_mut(&study) else { return false };
        if entry.running.is_some() {
            entry.is_outdated = true;
            return false;
        }
        let (_, done) = watch::channel(());
        entry.running = Some((0, done));
        true
    }

    /// Says which revision is being computed. `None`: nothing is to be computed, for it is known.
    fn computing(&self, study: StudyId, revision: u64) -> Option<(usize, watch::Sender<()>)> {
        let mut kept = lock(&self.studies);
        let entry = kept.by_study.get_mut(&study)?;
        entry.is_outdated = false;
        if entry.known.as_ref().is_some_and(|(at, _)| *at == revision) {
            return None;
        }
        let (sender, done) = watch::channel(());
        entry.running = Some((revision, done));
        Some((entry.wanted, sender))
    }

    /// Ends the computing. Returns whether the study changed meanwhile.
    fn end(&self, study: StudyId) -> bool {
        let mut kept = lock(&self.studies);
        let Some(entry) = kept.by_study.get_mut(&study) else { return false };
        if entry.is_outdated {
            return true;
        }
        entry.running = None;
        false
    }

    /// Ends the computing, whatever changed meanwhile.
    fn stop(&self, study: StudyId) {
        if let Some(entry) = lock(&self.studies).by_study.get_mut(&study) {
            entry.running = None;
        }
    }
}

impl Service {
    /// The next `count` points of a study as it is in `snapshot`, where they are known or about to be.
    pub(super) async fn known_ahead(&self, snapshot: &Snapshot, count: usize) -> Option<Vec<Proposal>> {
        let (study, revision) = (snapshot.record.id, snapshot.record.revision);
        let ahead = &self.inner.ahead;
        ahead.asked(study, count);
        match ahead.look_up(study, revision, count) {
            Known::Proposals(proposals) => Some(proposals),
            Known::Nothing => None,
            Known::Soon(mut done) => {
                // An error says that the sender is gone: it is done.
                while done.changed().await.is_ok() {}
                match ahead.look_up(study, revision, count) {
                    Known::Proposals(proposals) => Some(proposals),
                    Known::Soon(_) | Known::Nothing => None,
                }
            }
        }
    }

    /// Computes ahead for a study that changed, if it was asked before and a thread is idle.
    pub(super) fn look_ahead(&self, study: StudyId) {
        if self.inner.looks_ahead && self.inner.ahead.begin(study) {
            let service = self.clone();
            tokio::spawn(async move {
                while service.compute_ahead(study).await.is_some() && service.inner.ahead.end(study) {}
                service.inner.ahead.stop(study);
            });
        }
    }

    /// `None` where there is nothing to do, or no thread to do it.
    async fn compute_ahead(&self, study: StudyId) -> Option<()> {
        let snapshot = self.inner.snapshots.read(self.inner.store.as_ref(), study).await.ok()?;
        let record = &snapshot.record;
        if record.state != StudyState::Active || record.budget_left() == 0 {
            return None;
        }
        let (count, done) = self.inner.ahead.computing(study, record.revision)?;
        let composite = self.composite(&record.definition).await.ok()?;
        let compute = self.suggesting(&snapshot, composite, count);
        let proposals = self.inner.numerics.run_if_idle(compute).await?;
        self.inner.ahead.keep(study, record.revision, proposals);
        drop(done);
        Some(())
    }
}
