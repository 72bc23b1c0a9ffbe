//! Ahead of the ask: the next points of studies that are being asked, computed while a thread has nothing else to do,
//! so that the usual ask is a look-up.
//!
//! It is a memo. What is kept is a study's proposals at one revision, and they are a pure function of the study at
//! that revision and of how many each ask wants: losing or disabling it costs time and never changes an answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tracing::{Instrument, Span, info_span};

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
    /// How many new points each of the last asks at once wanted.
    wanted: Vec<usize>,
    /// The proposals for asks of so many points each, at a revision.
    known: Option<(u64, Vec<usize>, Arc<Vec<Proposal>>)>,
    /// The revision and the asks that are being computed for; the channel closes when it is done.
    running: Option<(u64, Vec<usize>, watch::Receiver<()>)>,
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
    /// Asks of so many new points each: from now on the study is looked ahead for.
    pub(super) fn asked(&self, study: StudyId, counts: &[usize]) {
        let mut kept = lock(&self.studies);
        kept.uses += 1;
        let uses = kept.uses;
        if !kept.by_study.contains_key(&study) && kept.by_study.len() >= CAPACITY {
            let oldest = kept.by_study.iter().min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id);
            oldest.map(|id| kept.by_study.remove(&id));
        }
        let entry = kept.by_study.entry(study).or_default();
        entry.used = uses;
        let mut left = MOST_POINTS;
        entry.wanted = counts
            .iter()
            .copied()
            .take_while(|&count| {
                let fits = count <= left;
                left = left.saturating_sub(count);
                fits
            })
            .collect();
    }

    fn look_up(&self, study: StudyId, revision: u64, counts: &[usize]) -> Known {
        let kept = lock(&self.studies);
        let Some(entry) = kept.by_study.get(&study) else { return Known::Nothing };
        // The first asks are answered as if the others did not come. A batch is chosen together: its beginning is not the
        // smaller batch.
        if let Some((at, of, proposals)) = &entry.known
            && *at == revision
            && of.starts_with(counts)
        {
            return Known::Proposals(proposals.iter().take(counts.iter().sum()).cloned().collect());
        }
        match &entry.running {
            Some((at, of, done)) if *at == revision && of.starts_with(counts) => Known::Soon(done.clone()),
            _ => Known::Nothing,
        }
    }

    fn keep(&self, study: StudyId, revision: u64, counts: Vec<usize>, proposals: Vec<Proposal>) {
        if let Some(entry) = lock(&self.studies).by_study.get_mut(&study)
            && entry.known.as_ref().is_none_or(|(at, ..)| *at <= revision)
        {
            entry.known = Some((revision, counts, Arc::new(proposals)));
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
        entry.running = Some((0, Vec::new(), done));
        true
    }

    /// Says which revision is being computed. `None`: nothing is to be computed, for it is known.
    fn computing(&self, study: StudyId, revision: u64) -> Option<(Vec<usize>, watch::Sender<()>)> {
        let mut kept = lock(&self.studies);
        let entry = kept.by_study.get_mut(&study)?;
        entry.is_outdated = false;
        let wanted = entry.wanted.clone();
        let is_known =
            entry.known.as_ref().is_some_and(|(at, of, _)| *at == revision && of.starts_with(&wanted));
        if is_known || wanted.is_empty() {
            return None;
        }
        let (sender, done) = watch::channel(());
        entry.running = Some((revision, wanted.clone(), done));
        Some((wanted, sender))
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
    /// New points for asks of so many each, of a study as it is in `snapshot`, where they are known or about to be.
    pub(super) async fn known_ahead(&self, snapshot: &Snapshot, counts: &[usize]) -> Option<Vec<Proposal>> {
        let (study, revision) = (snapshot.record.id, snapshot.record.revision);
        let ahead = &self.inner.ahead;
        ahead.asked(study, counts);
        match ahead.look_up(study, revision, counts) {
            Known::Proposals(proposals) => Some(proposals),
            Known::Nothing => None,
            Known::Soon(mut done) => {
                // An error says that the sender is gone: it is done.
                while done.changed().await.is_ok() {}
                match ahead.look_up(study, revision, counts) {
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
            // A trace of its own, which whoever changed the study does not wait for.
            let span = info_span!(parent: None, "look ahead", tellus.study = %study);
            span.follows_from(Span::current());
            let looking = async move {
                while service.compute_ahead(study).await.is_some() && service.inner.ahead.end(study) {}
                service.inner.ahead.stop(study);
            };
            tokio::spawn(looking.instrument(span));
        }
    }

    /// `None` where there is nothing to do, or no thread to do it.
    async fn compute_ahead(&self, study: StudyId) -> Option<()> {
        let snapshot = self.inner.snapshots.read(self.inner.store.as_ref(), study).await.ok()?;
        let record = &snapshot.record;
        if record.state != StudyState::Active || record.budget_left() == 0 {
            return None;
        }
        let (counts, done) = self.inner.ahead.computing(study, record.revision)?;
        let composite = self.composite(&record.definition).await.ok()?;
        let compute = self.suggesting(&snapshot, composite, counts.clone());
        let proposals = self.inner.numerics.run_if_idle(compute).await?;
        self.inner.ahead.keep(study, record.revision, counts, proposals);
        drop(done);
        Some(())
    }
}
