//! A study's books: what each change does to a trial, to the study's counts, revision and budget, and to its events. Every
//! store applies it inside the transaction that makes the change; nothing here reads a clock or draws a number.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::{
    AttachedTrial, Event, EventKind, Leap, Measure, NewTrial, Outcome, PastOutcome, Refusal, StudyRecord,
    StudyState, Tell, Trial, TrialState, heartbeat, tell,
};

/// What the origin of an attached trial says.
const ATTACHED: &str = "attached";

/// A trial, and what it costs its study.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The trial.
    pub trial: Trial,
    /// The value of the study's cost metric in its outcome.
    pub cost: f64,
}

/// For whom a trial is handed out, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Lease<'a> {
    /// Who evaluates it.
    pub worker: Option<&'a str>,
    /// Its length; `None` means for ever.
    pub seconds: Option<u64>,
    /// Proves later who holds it.
    pub token: Uuid,
}

/// A study in the middle of being changed, and the changes made of it so far.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// The study.
    pub record: StudyRecord,
    /// The time of all these changes; never before the study's last change.
    pub now: DateTime<Utc>,
    /// What happened, oldest first.
    pub events: Vec<Event>,
}

impl Ledger {
    /// The books of a study at a time by the database's clock, which may have gone back since the last change.
    pub fn open(record: StudyRecord, clock: DateTime<Utc>) -> Self {
        let now = clock.max(record.updated_at);
        Self { record, now, events: Vec::new() }
    }

    /// Raises the revision by an event, and returns it.
    pub fn append(&mut self, kind: EventKind, number: Option<u64>, data: Json) -> u64 {
        self.record.revision += 1;
        self.record.updated_at = self.now;
        let revision = self.record.revision;
        self.events.push(Event { revision, kind, number, at: self.now, data });
        revision
    }

    /// Whether what was planned from a snapshot still fits: nothing was created since, and the budget suffices for `more`.
    pub fn admits(&self, expected_next_number: u64, more: usize) -> bool {
        self.record.state == StudyState::Active
            && self.record.next_number == expected_next_number
            && self.record.budget_left() >= u64::try_from(more).unwrap_or(u64::MAX)
    }

    /// Creates a trial that is handed out.
    pub fn create(&mut self, new: &NewTrial, lease: Lease<'_>) -> Entry {
        let mut trial = Trial {
            parameters: new.parameters.clone(),
            key: new.key,
            replicate: new.replicate,
            retry_of: new.retry_of,
            origin: new.origin.clone(),
            history_revision: new.history_revision,
            ..self.blank(TrialState::Running)
        };
        self.hold(&mut trial, lease);
        trial.revision = self.append(EventKind::TrialCreated, Some(trial.number), of_start(&trial));
        self.entered(Entry { trial, cost: 0.0 })
    }

    /// Creates a trial that was evaluated elsewhere, or that is to be handed out.
    pub fn attach(&mut self, attached: &AttachedTrial, replicate: u32, history_revision: u64) -> Entry {
        let outcome = &attached.outcome;
        let mut trial = Trial {
            parameters: attached.parameters.clone(),
            key: attached.key,
            replicate,
            outside: attached.outside,
            attached: outcome.is_some(),
            origin: ATTACHED.into(),
            history_revision,
            outcome: outcome.clone(),
            measurements: attached.measurements.clone(),
            ended_at: outcome.as_ref().map(|_| attached.ended_at.map_or(self.now, rounded)),
            ..self.blank(outcome.as_ref().map_or(TrialState::Queued, Outcome::state))
        };
        trial.revision = self.append(EventKind::TrialCreated, Some(trial.number), of_start(&trial));
        trial.told_revision = trial.outcome.as_ref().map(|_| trial.revision);
        // What was spent elsewhere is not spent here.
        self.entered(Entry { trial, cost: 0.0 })
    }

    /// Hands out a queued trial.
    pub fn start(&mut self, entry: &mut Entry, lease: Lease<'_>) {
        self.discount(entry);
        let trial = &mut entry.trial;
        trial.state = TrialState::Running;
        trial.started_at = Some(self.now);
        self.hold(trial, lease);
        trial.revision = self.append(EventKind::TrialStarted, Some(trial.number), of_start(trial));
        self.count(entry);
    }

    /// Records an outcome. `was_retried`: its point was handed out again, and that trial was told first.
    ///
    /// # Errors
    /// By the rules of [`tell`]; where the token is not the current one.
    pub fn tell(&mut self, entry: &mut Entry, told: &Tell, was_retried: bool) -> Result<Leap, Refusal> {
        let trial = &entry.trial;
        if told.lease_token.is_some() && told.lease_token != trial.lease_token {
            return Err(Refusal::LeaseLost);
        }
        let leap = tell(trial.state, trial.outcome.as_ref(), &told.outcome, told.amend)?;
        let (Leap::Ended(state) | Leap::Amended(state)) = leap else { return Ok(leap) };
        let superseded = trial.superseded || (may_be_late(trial.state) && was_retried);
        self.discount(entry);
        let trial = &mut entry.trial;
        let kind = match trial.outcome.replace(told.outcome.clone()) {
            Some(outcome) => {
                trial.revisions.push(PastOutcome { outcome, replaced_at: self.now });
                EventKind::TrialAmended
            }
            None => {
                trial.ended_at = Some(self.now);
                trial.lease_expires_at = None;
                EventKind::TrialTold
            }
        };
        trial.state = state;
        trial.superseded = superseded;
        trial.revision = self.append(kind, Some(trial.number), of_outcome(&told.outcome, superseded));
        trial.told_revision = trial.told_revision.or(Some(trial.revision));
        entry.cost = told.cost;
        self.count(entry);
        Ok(leap)
    }

    /// Extends a lease by its length from now. `was_retried`: the trial's point was handed out again.
    ///
    /// # Errors
    /// By the rules of [`heartbeat`]; where the token is not the current one.
    pub fn extend(
        &mut self,
        entry: &mut Entry,
        token: Option<Uuid>,
        was_retried: bool,
    ) -> Result<(), Refusal> {
        if token.is_some() && token != entry.trial.lease_token {
            return Err(Refusal::LeaseLost);
        }
        let before = entry.trial.state;
        let after = heartbeat(before, was_retried)?;
        self.discount(entry);
        entry.trial.state = after;
        entry.trial.lease_expires_at = lease_end(self.now, entry.trial.lease_seconds);
        self.count(entry);
        if before != after {
            let data = of_start(&entry.trial);
            entry.trial.revision = self.append(EventKind::TrialRevived, Some(entry.trial.number), data);
        }
        Ok(())
    }

    /// Takes in an intermediate value, which is a heartbeat too. Returns whether it is news: a step that is measured again is
    /// replaced, and the same again changes nothing.
    ///
    /// # Errors
    /// As [`Self::extend`].
    pub fn measure(
        &mut self,
        entry: &mut Entry,
        measure: &Measure,
        was_retried: bool,
    ) -> Result<bool, Refusal> {
        self.extend(entry, measure.lease_token, was_retried)?;
        let measurement = &measure.measurement;
        let measurements = &mut entry.trial.measurements;
        match measurements.binary_search_by_key(&measurement.step, |known| known.step) {
            Ok(at) if measurements[at] == *measurement => return Ok(false),
            Ok(at) => measurements[at] = measurement.clone(),
            Err(at) => measurements.insert(at, measurement.clone()),
        }
        let data = json!({ "step": measurement.step, "metrics": measurement.metrics });
        entry.trial.revision = self.append(EventKind::TrialMeasured, Some(entry.trial.number), data);
        Ok(true)
    }

    /// Whether a trial's lease has ended.
    pub fn is_due(&self, trial: &Trial) -> bool {
        trial.state == TrialState::Running && trial.lease_expires_at.is_some_and(|end| end <= self.now)
    }

    /// Ends the lease of a running trial.
    pub fn expire(&mut self, entry: &mut Entry) {
        self.discount(entry);
        entry.trial.state = TrialState::Expired;
        self.count(entry);
        let data = json!({ "state": entry.trial.state.name(), "worker": entry.trial.worker });
        entry.trial.revision = self.append(EventKind::TrialExpired, Some(entry.trial.number), data);
    }

    /// Counts a trial as it is now.
    pub fn count(&mut self, entry: &Entry) {
        self.record.counts.0[entry.trial.state as usize] += 1;
        if spends(&entry.trial) {
            self.record.spent_trials += 1;
            self.record.spent_cost += entry.cost;
        }
    }

    /// Takes a trial out of the counts, before it changes.
    pub fn discount(&mut self, entry: &Entry) {
        let of_state = &mut self.record.counts.0[entry.trial.state as usize];
        *of_state = of_state.saturating_sub(1);
        if spends(&entry.trial) {
            self.record.spent_trials = self.record.spent_trials.saturating_sub(1);
            self.record.spent_cost = (self.record.spent_cost - entry.cost).max(0.0);
        }
    }

    fn hold(&self, trial: &mut Trial, lease: Lease<'_>) {
        trial.worker = lease.worker.map(ToOwned::to_owned);
        trial.lease_token = Some(lease.token);
        trial.lease_seconds = lease.seconds;
        trial.lease_expires_at = lease_end(self.now, lease.seconds);
    }

    fn entered(&mut self, entry: Entry) -> Entry {
        self.count(&entry);
        entry
    }

    /// A trial of the next number that says nothing yet.
    fn blank(&mut self, state: TrialState) -> Trial {
        let number = self.record.next_number;
        self.record.next_number += 1;
        Trial {
            number,
            state,
            parameters: Map::new(),
            key: crate::space::PointKey([0; 32]),
            replicate: 0,
            outside: false,
            attached: false,
            retry_of: None,
            superseded: false,
            origin: String::new(),
            history_revision: 0,
            worker: None,
            lease_token: None,
            lease_seconds: None,
            lease_expires_at: None,
            outcome: None,
            revisions: Vec::new(),
            measurements: Vec::new(),
            note: None,
            tags: Vec::new(),
            metadata: Map::new(),
            created_at: self.now,
            started_at: (state == TrialState::Running).then_some(self.now),
            ended_at: None,
            told_revision: None,
            revision: 0,
        }
    }
}

/// Whether an outcome of a trial in this state, which says something of the point now and did not before, may come after that
/// of a retry.
pub fn may_be_late(state: TrialState) -> bool {
    matches!(state, TrialState::Expired | TrialState::Abandoned)
}

/// Whether the point of a trial in this state may be handed out again. That it was not yet is to be seen elsewhere.
pub fn may_be_retried(state: TrialState) -> bool {
    may_be_late(state)
}

/// Whether a trial counts against the budget.
fn spends(trial: &Trial) -> bool {
    !trial.attached && trial.state.spends_budget()
}

/// When a lease ends that begins now; one beyond the calendar never does.
fn lease_end(now: DateTime<Utc>, seconds: Option<u64>) -> Option<DateTime<Utc>> {
    let length = TimeDelta::try_seconds(i64::try_from(seconds?).ok()?)?;
    now.checked_add_signed(length)
}

/// A time as precisely as every database keeps it.
pub fn rounded(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

/// What the event of a created or started trial carries.
fn of_start(trial: &Trial) -> Json {
    json!({ "state": trial.state.name(), "origin": trial.origin, "worker": trial.worker })
}

/// What the event of an outcome carries.
fn of_outcome(outcome: &Outcome, superseded: bool) -> Json {
    let state = outcome.state().name();
    let mut data = match outcome {
        Outcome::Completed { metrics } => json!({ "state": state, "metrics": metrics }),
        Outcome::Failed { reason } | Outcome::Abandoned { reason } => {
            json!({ "state": state, "reason": reason })
        }
        Outcome::Stopped => json!({ "state": state }),
    };
    if superseded {
        data["superseded"] = Json::Bool(true);
    }
    data
}
