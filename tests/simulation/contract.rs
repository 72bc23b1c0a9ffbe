//! What must hold after each step, in words of the contract and without the code that decides: the states and the changes
//! between them are listed here once more.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use tellus::space::PointKey;
use tellus::study::{Outcome, TrialState};
use uuid::Uuid;

use super::world::{Answer, World};

/// How often what takes long is checked.
const FULL: u64 = 64;

/// What was seen so far.
#[derive(Default)]
pub(crate) struct Contract {
    revision: u64,
    at: DateTime<Utc>,
    states: Vec<(TrialState, u64)>,
    points: HashMap<(PointKey, u32), u64>,
    tokens: HashSet<Uuid>,
    /// What a worker was told is recorded.
    acknowledged: BTreeMap<u64, Outcome>,
    answers: HashMap<u64, Answer>,
    checks: u64,
}

/// What the contract allows to become of a trial, beside staying what it is.
fn may_become(before: TrialState, after: TrialState) -> bool {
    use TrialState::{Abandoned, Completed, Expired, Failed, Queued, Running, Stopped};
    let is_told = matches!(after, Completed | Failed | Stopped | Abandoned);
    match before {
        Queued => after == Running || is_told,
        Running => after == Expired || is_told,
        Expired => after == Running || is_told,
        // By an amendment.
        Completed | Failed | Stopped | Abandoned => is_told,
    }
}

impl Contract {
    /// A request was answered, perhaps again.
    pub(crate) fn answered(&mut self, key: u64, answer: &Answer) -> Result<(), String> {
        if matches!(answer, Answer::Outdated | Answer::NotActive) {
            return Ok(());
        }
        match self.answers.insert(key, answer.clone()) {
            Some(before) if before != *answer => {
                Err(format!("request {key} is done twice: first {before:?}, then {answer:?}"))
            }
            _ => Ok(()),
        }
    }

    /// A worker heard that its outcome is recorded. It held the trial by `token`.
    pub(crate) fn acknowledged(&mut self, number: u64, outcome: &Outcome) {
        self.acknowledged.insert(number, outcome.clone());
    }

    /// A tell was taken: by whom it says it is.
    pub(crate) fn taken(number: u64, claimed: Option<Uuid>, current: Option<Uuid>) -> Result<(), String> {
        match claimed {
            Some(claimed) if Some(claimed) != current => {
                Err(format!("trial {number} is told without its lease"))
            }
            _ => Ok(()),
        }
    }

    /// Trials were handed out, `more` of them new to the budget.
    pub(crate) fn handed_out(world: &World, more: usize) -> Result<(), String> {
        let Some(budget) = world.record.settings.budget.trials else { return Ok(()) };
        if more > 0 && world.record.spent_trials > budget {
            return Err(format!("{} trials are out of a budget of {budget}", world.record.spent_trials));
        }
        Ok(())
    }

    pub(crate) fn check(&mut self, world: &mut World) -> Result<(), String> {
        let mut touched = Vec::new();
        for event in std::mem::take(&mut world.news) {
            if event.revision != self.revision + 1 {
                return Err(format!("revision {} follows {}", event.revision, self.revision));
            }
            if event.at < self.at {
                return Err(format!("time went back from {} to {}", self.at, event.at));
            }
            (self.revision, self.at) = (event.revision, event.at);
            touched.extend(event.number);
        }
        if world.record.revision != self.revision {
            return Err(format!("revision {} came without an event", world.record.revision));
        }
        if world.record.next_number != world.entries.len() as u64 {
            return Err(format!(
                "{} trials, and the next is {}",
                world.entries.len(),
                world.record.next_number
            ));
        }
        for number in touched {
            self.look_at(world, number)?;
        }
        self.checks += 1;
        if self.checks.is_multiple_of(FULL) { self.check_all(world) } else { Ok(()) }
    }

    /// A trial that something happened to.
    fn look_at(&mut self, world: &World, number: u64) -> Result<(), String> {
        let trial = &world.entry(number).trial;
        if trial.number != number {
            return Err(format!("trial {number} calls itself {}", trial.number));
        }
        let at = usize::try_from(number).unwrap();
        match self.states.get(at) {
            Some(&(before, _)) if before != trial.state && !may_become(before, trial.state) => {
                return Err(format!("trial {number} went from {before:?} to {:?}", trial.state));
            }
            Some(_) => self.states[at] = (trial.state, trial.revision),
            None => {
                self.states.push((trial.state, trial.revision));
                let place = (trial.key, trial.replicate);
                if trial.retry_of.is_none()
                    && let Some(other) = self.points.insert(place, number)
                {
                    return Err(format!("the point of trial {other} is there twice, in {number}"));
                }
                if let Some(token) = trial.lease_token
                    && !self.tokens.insert(token)
                {
                    return Err(format!("two trials have the lease {token}"));
                }
            }
        }
        if let Some(original) = trial.retry_of {
            self.retried(world, original, number)?;
        }
        if let Some(&retry) = world.retries.get(&number) {
            self.retried(world, number, retry)?;
        }
        Ok(())
    }

    /// A trial and the one that handed out its point again.
    fn retried(&self, world: &World, original: u64, retry: u64) -> Result<(), String> {
        let [first, second] = [original, retry].map(|number| &world.entry(number).trial);
        if first.state == TrialState::Running && second.state == TrialState::Running {
            return Err(format!("trials {original} and {retry} have one point and both run"));
        }
        // Who was told first counts; seldom changed outcomes aside.
        let says =
            |trial: &tellus::study::Trial| trial.state.is_told() && trial.state != TrialState::Abandoned;
        if says(first)
            && says(second)
            && first.revisions.is_empty()
            && second.revisions.is_empty()
            && second.told_revision < first.told_revision
            && !first.superseded
        {
            return Err(format!("trial {original} was told after {retry} and is not superseded"));
        }
        Ok(())
    }

    fn check_all(&self, world: &World) -> Result<(), String> {
        let mut counts = [0_u64; 7];
        let mut spent = 0;
        for (entry, &(state, revision)) in world.entries.iter().zip(&self.states) {
            let trial = &entry.trial;
            counts[TrialState::ALL.iter().position(|state| *state == trial.state).unwrap()] += 1;
            let spends = matches!(
                trial.state,
                TrialState::Running | TrialState::Completed | TrialState::Failed | TrialState::Stopped
            );
            spent += u64::from(spends && !trial.attached);
            if trial.state != state || trial.revision != revision {
                return Err(format!(
                    "trial {} changed from {state:?} to {:?} without an event",
                    trial.number, trial.state
                ));
            }
            let is_held = trial.lease_token.is_some() && trial.worker.is_some();
            if trial.state == TrialState::Running && !is_held {
                return Err(format!("trial {} runs and nobody holds it", trial.number));
            }
        }
        if world.record.counts.0 != counts || world.record.spent_trials != spent {
            return Err(format!("the counts are {:?} and not {counts:?}", world.record.counts));
        }
        for (&number, outcome) in &self.acknowledged {
            let trial = &world.entry(number).trial;
            let is_there = trial.outcome.as_ref() == Some(outcome)
                || trial.revisions.iter().any(|past| past.outcome == *outcome);
            if !is_there {
                return Err(format!("what was told of trial {number} is lost: {outcome:?}"));
            }
        }
        Ok(())
    }
}
