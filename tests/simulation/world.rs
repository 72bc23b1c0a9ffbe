//! The database of the simulation: one study with its trials, the answers that were kept, and the rules of uniqueness. Each
//! method is one transaction of a store: it opens the study's books at the clock's time, and writes all or nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, json};
use tellus::space::PointKey;
use tellus::study::{
    AttachedTrial, BudgetDraft, Definition, Entry, Event, EventKind, Leap, Lease, Ledger, Measure, NewTrial,
    Plan, Refusal, Settings, StudyId, StudyRecord, StudyState, Tell, TrialCounts, TrialState, Waiting,
    may_be_late, may_be_retried,
};
use uuid::Uuid;

/// A defect that is put in, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Whoever tells is believed to hold the lease.
    AnyToken,
    /// The answer of a request is not kept.
    ForgottenAnswer,
    /// The database's clock is believed when it went back.
    ClockGoesBack,
    /// An outcome is acknowledged and not written.
    LostTell,
    /// What others created meanwhile is not looked at, nor whether a point is taken.
    StalePlan,
    /// A late heartbeat revives a trial whose point another has got.
    RevivedTwice,
    /// The end of a lease raises no revision.
    SilentExpiry,
    /// A trial that is told is counted twice.
    CountedTwice,
    /// The budget is not looked at.
    Overspent,
    /// An outcome that comes after that of its retry counts.
    LateCounts,
}

impl Fault {
    pub(crate) const ALL: [Self; 10] = [
        Self::AnyToken,
        Self::ForgottenAnswer,
        Self::ClockGoesBack,
        Self::LostTell,
        Self::StalePlan,
        Self::RevivedTwice,
        Self::SilentExpiry,
        Self::CountedTwice,
        Self::Overspent,
        Self::LateCounts,
    ];

    /// What it breaks, in the words of [`contract`](super::contract).
    pub(crate) fn breaks(self) -> &'static str {
        match self {
            Self::AnyToken => "without its lease",
            Self::ForgottenAnswer => "done twice",
            Self::ClockGoesBack => "time went back",
            Self::LostTell => "is lost",
            Self::StalePlan => "is there twice",
            Self::RevivedTwice => "both run",
            Self::SilentExpiry => "without an event",
            Self::CountedTwice => "counts",
            Self::Overspent => "budget",
            Self::LateCounts => "superseded",
        }
    }
}

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// The trials that an ask was given: number, lease token.
    Trials(Vec<(u64, Uuid)>),
    /// The state of the trial that was told.
    Told(TrialState),
    /// Done.
    Done,
    /// Refused for good.
    Refused(Refusal),
    /// The study hands out nothing now.
    NotActive,
    /// The plan no longer fits: another attempt is to be made.
    Outdated,
}

/// What a server read of the study.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) record: StudyRecord,
    pub(crate) waiting: Waiting,
}

pub(crate) struct World {
    pub(crate) record: StudyRecord,
    pub(crate) entries: Vec<Entry>,
    /// The trial that handed out the point of another one again.
    pub(crate) retries: BTreeMap<u64, u64>,
    points: HashSet<(PointKey, u32)>,
    pub(crate) answers: HashMap<u64, Answer>,
    /// Events since the last look.
    pub(crate) news: Vec<Event>,
    /// The database's clock, which an operator may set.
    pub(crate) clock: DateTime<Utc>,
    pub(crate) fault: Option<Fault>,
    tokens: u128,
}

impl World {
    pub(crate) fn new(seed: u64, budget: Option<u64>, retry_expired: bool, fault: Option<Fault>) -> Self {
        let draft = json!({
            "name": "simulated", "seed": seed,
            "parameters": [{"name": "x", "type": "float", "low": 0, "high": 1}],
            "metrics": [{"name": "loss", "goal": "minimize"}],
        });
        let clock = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let record = StudyRecord {
            id: StudyId(Uuid::from_u128(1)),
            definition: Arc::new(Definition::check(serde_json::from_value(draft).unwrap(), seed).unwrap()),
            settings: Settings {
                budget: BudgetDraft { trials: budget, cost: None },
                default_lease_seconds: Some(60),
                retry_expired,
            },
            state: StudyState::Active,
            metadata: Map::new(),
            revision: 0,
            next_number: 0,
            counts: TrialCounts::default(),
            spent_trials: 0,
            spent_cost: 0.0,
            created_at: clock,
            updated_at: clock,
        };
        Self {
            record,
            entries: Vec::new(),
            retries: BTreeMap::new(),
            points: HashSet::new(),
            answers: HashMap::new(),
            news: Vec::new(),
            clock,
            fault,
            tokens: 0,
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn open(&self) -> Ledger {
        let mut ledger = Ledger::open(self.record.clone(), self.clock);
        if self.has(Fault::ClockGoesBack) {
            ledger.now = self.clock;
        }
        ledger
    }

    /// Ends a transaction.
    fn commit(&mut self, ledger: Ledger, changed: impl IntoIterator<Item = Entry>) {
        self.record = ledger.record;
        self.news.extend(ledger.events);
        for entry in changed {
            let at = usize::try_from(entry.trial.number).unwrap();
            if at < self.entries.len() {
                self.entries[at] = entry;
                continue;
            }
            match entry.trial.retry_of {
                Some(original) => drop(self.retries.insert(original, entry.trial.number)),
                None => drop(self.points.insert((entry.trial.key, entry.trial.replicate))),
            }
            self.entries.push(entry);
        }
    }

    /// The answer to a request that was answered before; else what `transaction` answers, kept with what it did.
    pub(crate) fn keyed(&mut self, key: u64, transaction: impl FnOnce(&mut Self) -> Answer) -> Answer {
        if let Some(kept) = self.answers.get(&key) {
            return kept.clone();
        }
        let answer = transaction(self);
        // What may come out otherwise a moment later is not kept.
        if !matches!(answer, Answer::Outdated | Answer::NotActive) && !self.has(Fault::ForgottenAnswer) {
            self.answers.insert(key, answer.clone());
        }
        answer
    }

    pub(crate) fn snapshot(&self, worker: &str) -> Snapshot {
        let numbers = |of: &dyn Fn(&Entry) -> bool| -> Vec<u64> {
            self.entries.iter().filter(|entry| of(entry)).map(|entry| entry.trial.number).collect()
        };
        let is_open = |entry: &Entry| {
            entry.trial.state == TrialState::Running && entry.trial.worker.as_deref() == Some(worker)
        };
        let may_come_again = |entry: &Entry| {
            self.record.settings.retry_expired
                && entry.trial.state == TrialState::Expired
                && !self.retries.contains_key(&entry.trial.number)
        };
        let waiting = Waiting {
            open: numbers(&is_open),
            queued: numbers(&|entry| entry.trial.state == TrialState::Queued),
            expired: numbers(&may_come_again),
        };
        Snapshot { record: self.record.clone(), waiting }
    }

    /// Does what a server planned from a snapshot, if it still fits.
    pub(crate) fn hand_out(
        &mut self,
        from: &Snapshot,
        plan: &Plan,
        worker: &str,
        seconds: Option<u64>,
    ) -> Answer {
        let mut ledger = self.open();
        let more = plan.queued.len() + plan.retried.len() + plan.fresh;
        let is_stale = self.has(Fault::StalePlan);
        let expected = if is_stale { self.record.next_number } else { from.record.next_number };
        if self.has(Fault::Overspent) {
            ledger.record.settings.budget.trials = None;
        }
        if !ledger.admits(expected, more) {
            return Answer::Outdated;
        }
        ledger.record.settings = self.record.settings.clone();
        let mut changed: Vec<Entry> = Vec::new();
        let mut given = Vec::new();
        for &number in &plan.again {
            let entry = self.entry(number);
            if entry.trial.state != TrialState::Running || entry.trial.worker.as_deref() != Some(worker) {
                return Answer::Outdated;
            }
            given.push((number, entry.trial.lease_token.unwrap()));
        }
        for &number in &plan.queued {
            let mut entry = self.entry(number).clone();
            if entry.trial.state != TrialState::Queued {
                return Answer::Outdated;
            }
            ledger.start(&mut entry, Lease { worker: Some(worker), seconds, token: self.token() });
            given.push((number, entry.trial.lease_token.unwrap()));
            changed.push(entry);
        }
        for &number in &plan.retried {
            let original = self.entry(number).trial.clone();
            if !may_be_retried(original.state) || self.retries.contains_key(&number) {
                return Answer::Outdated;
            }
            let new =
                NewTrial { retry_of: Some(number), ..new_trial(original.key, original.replicate, from) };
            let lease = Lease { worker: Some(worker), seconds, token: self.token() };
            changed.push(ledger.create(&new, lease));
        }
        for nth in 0..plan.fresh {
            let key = point(from.record.next_number + nth as u64);
            if self.points.contains(&(key, 0)) && !is_stale {
                return Answer::Outdated;
            }
            let lease = Lease { worker: Some(worker), seconds, token: self.token() };
            changed.push(ledger.create(&new_trial(key, 0, from), lease));
        }
        let made = changed.iter().skip(plan.queued.len());
        given.extend(made.map(|entry| (entry.trial.number, entry.trial.lease_token.unwrap())));
        self.commit(ledger, changed);
        Answer::Trials(given)
    }

    pub(crate) fn tell(&mut self, number: u64, tell: &Tell) -> Answer {
        let mut ledger = self.open();
        let mut entry = self.entry(number).clone();
        let was_retried =
            may_be_late(entry.trial.state) && self.was_told_again(number) && !self.has(Fault::LateCounts);
        let mut tell = tell.clone();
        if self.has(Fault::AnyToken) {
            tell.lease_token = None;
        }
        match ledger.tell(&mut entry, &tell, was_retried) {
            Err(refusal) => Answer::Refused(refusal),
            Ok(leap) => {
                let state = entry.trial.state;
                if leap != Leap::Unchanged && !self.has(Fault::LostTell) {
                    if self.has(Fault::CountedTwice) {
                        ledger.count(&entry);
                    }
                    self.commit(ledger, [entry]);
                }
                Answer::Told(state)
            }
        }
    }

    /// Whether a trial that handed out the point of `number` again was told what became of it.
    pub(crate) fn was_told_again(&self, number: u64) -> bool {
        let mut original = number;
        while let Some(&retry) = self.retries.get(&original) {
            let state = self.entry(retry).trial.state;
            if state.is_told() && state != TrialState::Abandoned {
                return true;
            }
            original = retry;
        }
        false
    }

    pub(crate) fn heartbeat(&mut self, number: u64, token: Option<Uuid>) -> Answer {
        self.held(number, |ledger, entry, was_retried| ledger.extend(entry, token, was_retried))
    }

    pub(crate) fn measure(&mut self, number: u64, measure: &Measure) -> Answer {
        self.held(number, |ledger, entry, was_retried| ledger.measure(entry, measure, was_retried).map(drop))
    }

    fn held(
        &mut self,
        number: u64,
        change: impl FnOnce(&mut Ledger, &mut Entry, bool) -> Result<(), Refusal>,
    ) -> Answer {
        let mut ledger = self.open();
        let mut entry = self.entry(number).clone();
        let was_retried = entry.trial.state == TrialState::Expired
            && self.retries.contains_key(&number)
            && !self.has(Fault::RevivedTwice);
        match change(&mut ledger, &mut entry, was_retried) {
            Err(refusal) => Answer::Refused(refusal),
            Ok(()) => {
                self.commit(ledger, [entry]);
                Answer::Done
            }
        }
    }

    pub(crate) fn attach(&mut self, attached: &AttachedTrial) -> Answer {
        let mut ledger = self.open();
        let replicate = (0..).find(|&next| !self.points.contains(&(attached.key, next))).unwrap();
        let revision = self.record.revision;
        let entry = ledger.attach(attached, replicate, revision);
        self.commit(ledger, [entry]);
        Answer::Done
    }

    /// Ends the leases that are due.
    pub(crate) fn expire(&mut self) {
        let mut ledger = self.open();
        let mut changed: Vec<Entry> =
            self.entries.iter().filter(|entry| ledger.is_due(&entry.trial)).cloned().collect();
        changed.iter_mut().for_each(|entry| ledger.expire(entry));
        if self.has(Fault::SilentExpiry) && ledger.events.pop().is_some() {
            ledger.record.revision -= 1;
        }
        self.commit(ledger, changed);
    }

    pub(crate) fn set(&mut self, state: StudyState, budget: Option<u64>) {
        let mut ledger = self.open();
        ledger.record.state = state;
        ledger.record.settings.budget.trials = budget;
        ledger.append(EventKind::StudyChanged, None, json!({}));
        self.commit(ledger, []);
    }

    pub(crate) fn entry(&self, number: u64) -> &Entry {
        &self.entries[usize::try_from(number).unwrap()]
    }

    fn token(&mut self) -> Uuid {
        self.tokens += 1;
        Uuid::from_u128(self.tokens)
    }
}

fn new_trial(key: PointKey, replicate: u32, from: &Snapshot) -> NewTrial {
    NewTrial {
        parameters: Map::new(),
        key,
        replicate,
        retry_of: None,
        origin: "simulated".to_owned(),
        history_revision: from.record.revision,
    }
}

/// What the advisor proposes at a history of so many trials: the same, whichever server asks.
pub(crate) fn point(number: u64) -> PointKey {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&number.to_le_bytes());
    PointKey(key)
}
