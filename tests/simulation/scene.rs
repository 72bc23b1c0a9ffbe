//! Who acts in the simulation: workers, the servers and the network between them, an operator. A seeded die decides what
//! happens next.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use chrono::TimeDelta;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Map;
use tellus::study::{
    AskRequest, AttachedTrial, Measure, Measurement, Observation, Outcome, StudyState, Tell, TrialState,
    plan_ask,
};
use uuid::Uuid;

use super::contract::Contract;
use super::world::{Answer, Fault, Snapshot, World, point};

/// Actors.
const WORKERS: usize = 6;
/// Requests that may be on their way at once.
const MOST_UNDERWAY: usize = 24;
/// What is told of the course when something breaks.
const TOLD: usize = 25;

/// A request, as it travels. The same one may arrive several times.
#[derive(Clone, Debug)]
struct Request {
    worker: usize,
    /// The worker's life that sent it: one that died does not hear the answer.
    life: u64,
    /// Its idempotency key.
    key: u64,
    what: What,
    /// What the server that answers it read of the study, once it did.
    read: Option<Box<Snapshot>>,
}

#[derive(Clone, Debug)]
enum What {
    Ask { count: usize, sticky: bool, seconds: Option<u64> },
    Tell { number: u64, tell: Tell },
    Heartbeat { number: u64, token: Option<Uuid> },
    Measure { number: u64, measure: Measure },
    Attach(AttachedTrial),
}

#[derive(Default)]
struct Worker {
    life: u64,
    /// Trials that it evaluates, by number, with the token of each.
    holds: BTreeMap<u64, Uuid>,
    /// The request that it waits for, to be sent again.
    waits: Option<Request>,
}

pub(crate) struct Scene {
    world: World,
    contract: Contract,
    workers: Vec<Worker>,
    underway: Vec<Request>,
    die: ChaCha8Rng,
    keys: u64,
    told: VecDeque<String>,
    digest: u64,
}

impl Scene {
    pub(crate) fn new(seed: u64, fault: Option<Fault>) -> Self {
        let mut die = ChaCha8Rng::seed_from_u64(seed);
        let budget = die.random_bool(0.7).then(|| die.random_range(5..200));
        let world = World::new(seed, budget, die.random_bool(0.7), fault);
        let workers = (0..WORKERS).map(|_| Worker::default()).collect();
        let (contract, told) = (Contract::default(), VecDeque::with_capacity(TOLD));
        Self { world, contract, workers, underway: Vec::new(), die, keys: 0, told, digest: 0 }
    }

    /// The last steps, oldest first.
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.iter().cloned().collect()
    }

    /// What tells one course from another.
    pub(crate) fn digest(&self) -> (u64, u64, usize) {
        (self.digest, self.world.record.revision, self.world.entries.len())
    }

    /// One thing happens, and the contract holds.
    pub(crate) fn step(&mut self) -> Result<(), String> {
        match self.die.random_range(0..100) {
            0..30 => self.act(),
            30..85 => self.deliver()?,
            85..90 => self.die_or_give_up(),
            90..94 => self.pass_time(),
            94..98 => {
                self.say(|| "leases are looked at".to_owned());
                self.world.expire();
            }
            _ => self.operate(),
        }
        self.digest = self.digest.wrapping_mul(31).wrapping_add(self.world.record.revision);
        self.contract.check(&mut self.world)
    }

    fn say(&mut self, what: impl FnOnce() -> String) {
        if self.told.len() == TOLD {
            self.told.pop_front();
        }
        let mut line = what();
        let _ = write!(line, "  (revision {})", self.world.record.revision);
        self.told.push_back(line);
    }

    /// A worker sends something, new or once more.
    fn act(&mut self) {
        if self.underway.len() >= MOST_UNDERWAY {
            return;
        }
        let who = self.die.random_range(0..WORKERS);
        if let Some(waits) = self.workers[who].waits.clone() {
            // No answer came: the same again, to whichever server.
            if self.die.random_bool(0.5) {
                self.underway.push(Request { read: None, ..waits });
            }
            return;
        }
        let held: Vec<(u64, Uuid)> =
            self.workers[who].holds.iter().map(|(&number, &token)| (number, token)).collect();
        let trial = (!held.is_empty()).then(|| held[self.die.random_range(0..held.len())]);
        let what = match (trial, self.die.random_range(0..10)) {
            (Some((number, token)), 0..5) => What::Tell { number, tell: self.outcome(Some(token)) },
            (Some((number, token)), 5..7) => What::Heartbeat { number, token: Some(token) },
            (Some((number, token)), 7) => What::Measure { number, measure: self.measurement(token) },
            (Some((_, token)), 8) => {
                // A mistake: another trial with the lease of this one.
                let number = self.die.random_range(0..self.world.entries.len()) as u64;
                What::Tell { number, tell: self.outcome(Some(token)) }
            }
            (None, 9) if !self.world.entries.is_empty() => {
                // Somebody without a lease, at a bench, tells or amends what they like.
                let number = self.die.random_range(0..self.world.entries.len()) as u64;
                What::Tell { number, tell: self.outcome(None) }
            }
            (None, 8) => What::Attach(self.elsewhere()),
            _ => What::Ask {
                count: self.die.random_range(1..4),
                sticky: self.die.random_bool(0.3),
                seconds: self.die.random_bool(0.8).then(|| self.die.random_range(1..120)),
            },
        };
        self.keys += 1;
        let request = Request { worker: who, life: self.workers[who].life, key: self.keys, what, read: None };
        self.workers[who].waits = Some(request.clone());
        self.underway.push(request);
    }

    fn outcome(&mut self, lease_token: Option<Uuid>) -> Tell {
        let outcome = match self.die.random_range(0..10) {
            0 => Outcome::Failed { reason: "it broke".to_owned() },
            1 => Outcome::Stopped,
            2 => Outcome::Abandoned { reason: "preempted".to_owned() },
            _ => Outcome::Completed { metrics: self.metrics() },
        };
        let amend = lease_token.is_none() && self.die.random_bool(0.5);
        Tell { outcome, cost: 0.0, amend, lease_token }
    }

    fn metrics(&mut self) -> BTreeMap<String, Observation> {
        let value = f64::from(self.die.random_range(0..1000));
        [("loss".to_owned(), Observation { value, sem: None, gradient: None })].into()
    }

    fn measurement(&mut self, token: Uuid) -> Measure {
        let step = self.die.random_range(0..5);
        Measure { measurement: Measurement { step, metrics: self.metrics() }, lease_token: Some(token) }
    }

    /// A trial that was evaluated elsewhere, or is to be queued; at a point of its own, or one that is there.
    fn elsewhere(&mut self) -> AttachedTrial {
        let number = self.die.random_range(0..400);
        let outcome = self.die.random_bool(0.5).then(|| Outcome::Completed { metrics: self.metrics() });
        AttachedTrial {
            parameters: Map::new(),
            key: point(number),
            outside: false,
            outcome,
            measurements: Vec::new(),
            ended_at: None,
        }
    }

    /// Something that is on its way goes on: to a server that reads the study, or to the database that answers.
    fn deliver(&mut self) -> Result<(), String> {
        if self.underway.is_empty() {
            return Ok(());
        }
        // Any of them: what was sent first may come last.
        let at = self.die.random_range(0..self.underway.len());
        let mut request = self.underway.swap_remove(at);
        if self.die.random_bool(0.05) {
            self.say(|| format!("request {} of worker {} is lost", request.key, request.worker));
            return Ok(());
        }
        if self.die.random_bool(0.05) {
            // It is sent once more on the way.
            self.underway.push(Request { read: None, ..request.clone() });
        }
        if matches!(request.what, What::Ask { .. }) && request.read.is_none() {
            let snapshot = self.world.snapshot(&name(request.worker));
            request.read = Some(Box::new(snapshot));
            self.underway.push(request);
            return Ok(());
        }
        let answer = self.answer(&request)?;
        self.say(|| format!("{} of worker {}: {answer:?}", shown(&request), request.worker));
        // A heartbeat has no key: it says what is so now.
        if !matches!(request.what, What::Heartbeat { .. }) {
            self.contract.answered(request.key, &answer)?;
        }
        if answer == Answer::Outdated {
            // The server computes again.
            self.underway.push(Request { read: None, ..request });
        } else if self.die.random_bool(0.9) {
            self.hear(&request, &answer);
        }
        Ok(())
    }

    fn answer(&mut self, request: &Request) -> Result<Answer, String> {
        let world = &mut self.world;
        let key = request.key;
        Ok(match &request.what {
            What::Ask { count, sticky, seconds } => {
                let Some(read) = &request.read else { return Ok(Answer::Outdated) };
                if world.answers.contains_key(&key) {
                    return Ok(world.answers[&key].clone());
                }
                if read.record.state != StudyState::Active {
                    return Ok(Answer::NotActive);
                }
                let worker = name(request.worker);
                let asked = AskRequest {
                    count: *count,
                    worker: Some(worker.clone()),
                    lease_seconds: Some(*seconds),
                    sticky: *sticky,
                };
                let plan = plan_ask(&asked, &read.waiting, read.record.budget_left());
                let more = plan.queued.len() + plan.retried.len() + plan.fresh;
                if more + plan.again.len() == 0 {
                    return Ok(Answer::NotActive);
                }
                let answer = world.keyed(key, |world| world.hand_out(read, &plan, &worker, *seconds));
                if matches!(answer, Answer::Trials(_)) {
                    Contract::handed_out(world, more)?;
                }
                answer
            }
            What::Tell { number, tell } => {
                let current = world.entry(*number).trial.lease_token;
                let is_new = !world.answers.contains_key(&key);
                let answer = world.keyed(key, |world| world.tell(*number, tell));
                if is_new && matches!(answer, Answer::Told(_)) {
                    Contract::taken(*number, tell.lease_token, current)?;
                }
                answer
            }
            What::Heartbeat { number, token } => world.heartbeat(*number, *token),
            What::Measure { number, measure } => world.keyed(key, |world| world.measure(*number, measure)),
            What::Attach(attached) => world.keyed(key, |world| world.attach(attached)),
        })
    }

    /// A worker hears an answer, if it is the one that asked and still waits.
    fn hear(&mut self, request: &Request, answer: &Answer) {
        let worker = &mut self.workers[request.worker];
        let is_awaited = worker.waits.as_ref().is_some_and(|waits| waits.key == request.key);
        if worker.life != request.life || !is_awaited {
            return;
        }
        worker.waits = None;
        match (&request.what, answer) {
            (_, Answer::Trials(given)) => worker.holds.extend(given.iter().copied()),
            (What::Tell { number, tell }, Answer::Told(_)) => {
                worker.holds.remove(number);
                self.contract.acknowledged(*number, &tell.outcome);
            }
            (
                What::Tell { number, .. } | What::Heartbeat { number, .. } | What::Measure { number, .. },
                Answer::Refused(_),
            ) => drop(worker.holds.remove(number)),
            _ => {}
        }
    }

    /// A worker dies and starts again, knowing nothing; or it gives up waiting.
    fn die_or_give_up(&mut self) {
        let who = self.die.random_range(0..WORKERS);
        let worker = &mut self.workers[who];
        worker.waits = None;
        if self.die.random_bool(0.5) {
            worker.life += 1;
            worker.holds.clear();
            self.say(|| format!("worker {who} dies"));
        }
    }

    /// Time goes by, and sometimes the clock is set.
    fn pass_time(&mut self) {
        let seconds = if self.die.random_bool(0.1) {
            self.die.random_range(-3600..3600)
        } else {
            self.die.random_range(0..60)
        };
        self.world.clock += TimeDelta::seconds(seconds);
        self.say(|| format!("{seconds} s go by"));
    }

    /// Somebody pauses the study, goes on with it, or changes its budget.
    fn operate(&mut self) {
        let state = match self.die.random_range(0..6) {
            0 => StudyState::Paused,
            _ => StudyState::Active,
        };
        let mut budget = self.world.record.settings.budget.trials;
        if self.die.random_bool(0.3) {
            budget = self
                .die
                .random_bool(0.8)
                .then(|| self.world.record.spent_trials + self.die.random_range(0..30));
        }
        self.world.set(state, budget);
        self.say(|| format!("{state:?}, with a budget of {budget:?}"));
    }
}

fn name(worker: usize) -> String {
    format!("worker {worker}")
}

fn shown(request: &Request) -> String {
    match &request.what {
        What::Ask { count, sticky, .. } => format!("ask {} for {count}, sticky: {sticky}", request.key),
        What::Tell { number, tell } => {
            let state: TrialState = tell.outcome.state();
            format!("tell {} of trial {number}: {state:?}, amend: {}", request.key, tell.amend)
        }
        What::Heartbeat { number, .. } => format!("heartbeat {} of trial {number}", request.key),
        What::Measure { number, .. } => format!("measurement {} of trial {number}", request.key),
        What::Attach(_) => format!("attachment {}", request.key),
    }
}
