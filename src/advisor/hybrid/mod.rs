//! The hybrid: local runs of attacks and direct search, and the Gaussian process that says where to start them.
//!
//! A [`Hybrid`] is a fold over what was told, in the order of telling; what it proposes next is a function of that and of
//! the points already taken. Nothing depends on when a proposal was made, so that a study continues after a restart where
//! it stopped, and any number of workers gives a deterministic answer to the same history.
//!
//! | what proposes | when |
//! | --- | --- |
//! | attack, evolution strategy, covering, search, poll of the current [`Run`] | while it earns |
//! | a start by the model, or spread evenly | when the run has stalled, and every third time the best run goes on instead |
//! | the model of the gap between network and truth | where the client measures, in turn with the run, by what both earned |

mod global;
mod landscape;
mod run;

pub use landscape::Landscape;
pub use run::{Phase, Radii, Run, Steps};

use crate::attack::barrier::Merit;
use crate::space::PointKey;
use global::{Prior, Seen};

/// What proposed a point, as trials say it.
pub mod origin {
    /// The first point of all.
    pub const START: &str = "start";
    /// An attack along the network's gradient.
    pub const ATTACK: &str = "attack";
    /// An attack along a gradient estimated by simultaneous perturbation.
    pub const ATTACK_ESTIMATED: &str = "attack_by_simultaneous_perturbation";
    /// The covering step.
    pub const COVER: &str = "covering_step";
    /// The search step.
    pub const SEARCH: &str = "search_step";
    /// A generation of the evolution strategy.
    pub const EVOLUTION: &str = "evolution_strategy";
    /// The poll.
    pub const POLL: &str = "poll";
    /// A start of another run.
    pub const RESTART: &str = "restart";
    /// The model of the gap between network and truth.
    pub const GAP: &str = "network_and_gap_improvement";
}

/// How a hybrid goes about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Which local steps it takes.
    pub steps: Steps,
    /// Whether it starts again elsewhere.
    pub is_global: bool,
    /// Whether the client measures the truth, from which the networks may differ.
    pub measures_truth: bool,
    /// The radii of its runs.
    pub radii: Radii,
    /// Seed of everything random.
    pub seed: u64,
}

/// A point to be evaluated, in coordinates.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its coordinates.
    pub z: Vec<f64>,
    /// What proposed it.
    pub origin: &'static str,
}

/// A run must gain something within as many evaluations as this many polls take.
const POLLS: usize = 4;

/// What an arm has gained, and for how many evaluations: older ones count less.
#[derive(Clone, Copy, Debug, Default)]
struct Earned {
    gain: f64,
    evaluations: f64,
}

impl Earned {
    fn add(&mut self, gain: f64) {
        self.gain = 0.9 * self.gain + gain;
        self.evaluations = 0.9 * self.evaluations + 1.0;
    }

    /// The gain an evaluation; what was hardly tried is worth a try.
    fn rate(&self) -> f64 {
        if self.evaluations < 1.0 { f64::INFINITY } else { self.gain / self.evaluations }
    }
}

/// The fold.
pub struct Hybrid {
    landscape: Landscape,
    settings: Settings,
    seen: Vec<Seen>,
    best: Option<usize>,
    runs: Vec<Run>,
    current: usize,
    /// Where the next run starts, while that is awaited.
    start: Option<Vec<f64>>,
    /// A run goes on at least to this many evaluations.
    until: usize,
    restarts: usize,
    local: Earned,
    model: Earned,
}

impl Hybrid {
    /// Nothing told yet.
    pub fn new(landscape: Landscape, settings: Settings) -> Self {
        Self {
            landscape,
            settings,
            seen: Vec::new(),
            best: None,
            runs: Vec::new(),
            current: 0,
            start: None,
            until: 0,
            restarts: 0,
            local: Earned::default(),
            model: Earned::default(),
        }
    }

    /// The best point told, feasible before infeasible.
    pub fn best(&self) -> Option<(&[f64], Merit)> {
        self.best.map(|at| (self.seen[at].0.as_slice(), self.seen[at].1))
    }

    /// The networks, with the passes they took.
    pub fn landscape(&self) -> &Landscape {
        &self.landscape
    }

    /// How many points were told.
    pub fn told(&self) -> usize {
        self.seen.len()
    }

    /// How many runs there are.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Takes in what a point turned out to be.
    pub fn tell(&mut self, z: &[f64], merit: Merit) {
        let before = self.best.map(|at| self.seen[at].1);
        let improves = before.is_none_or(|best| merit.improves_on(&best));
        let gain = match before {
            Some(best) if improves && best.is_feasible() => {
                (merit.value - best.value) / (1e-12 + best.value.abs())
            }
            Some(_) if improves => 1.0,
            _ => 0.0,
        };
        self.seen.push((z.to_vec(), merit));
        if improves {
            self.best = Some(self.seen.len() - 1);
        }
        if self.runs.is_empty() {
            // A failed evaluation is no place to start from.
            if merit.violation.is_finite() {
                self.begin(z, merit);
            }
            self.settle();
            return;
        }
        if self.start.as_deref() == Some(z) {
            self.start = None;
            if merit.violation.is_finite() {
                self.begin(z, merit);
            }
            self.settle();
            return;
        }
        if self.runs[self.current].awaits(z) {
            self.local.add(gain);
        } else {
            self.model.add(gain);
        }
        self.runs[self.current].tell(z, merit, &self.landscape);
        self.settle();
    }

    fn begin(&mut self, z: &[f64], merit: Merit) {
        let seed = self.seed(self.runs.len());
        let run = Run::new(z.to_vec(), merit, self.settings.radii, self.settings.steps, seed);
        self.current = self.runs.len();
        self.until = 0;
        self.runs.push(run);
    }

    fn seed(&self, index: usize) -> u64 {
        (self.settings.seed ^ index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17)
    }

    /// Whether the current run has nothing more to give for now.
    fn is_done(&self) -> bool {
        let run = &self.runs[self.current];
        let stalled = run.evaluations() >= self.until && run.is_stalled(POLLS);
        stalled || run.is_spent()
    }

    /// Fixes what comes next, so that proposing changes nothing.
    fn settle(&mut self) {
        if self.runs.is_empty() || self.start.is_some() {
            return;
        }
        let may_restart = self.settings.is_global && !self.settings.measures_truth;
        if may_restart && self.is_done() {
            self.turn();
        }
        if self.start.is_none() {
            let seen: Vec<&[f64]> = self.seen.iter().map(|(z, _)| z.as_slice()).collect();
            self.runs[self.current].settle(&self.landscape, &seen);
        }
    }

    /// Whether the network says something of the truth that was measured.
    pub fn network_helps(&self) -> bool {
        !self.settings.measures_truth
            || self.seen.is_empty()
            || global::helps(&self.landscape, &self.seen, self.seed(0x2000 + self.seen.len()))
    }

    /// The next points, at most `count`; fewer only where the space has no more. `taken`: whether a point is told or
    /// awaited.
    pub fn propose(&self, count: usize, taken: &dyn Fn(&PointKey) -> bool) -> Vec<Candidate> {
        let mut chosen: Vec<(PointKey, Candidate)> = Vec::new();
        while chosen.len() < count {
            let is_taken = |key: &PointKey| taken(key) || chosen.iter().any(|(other, _)| other == key);
            let Some(next) = self.next(&is_taken, chosen.len()) else { break };
            chosen.push((self.key(&next.z), next));
        }
        chosen.into_iter().map(|(_, candidate)| candidate).collect()
    }

    fn key(&self, z: &[f64]) -> PointKey {
        let space = self.landscape.space();
        space.canonical(&space.decode(z))
    }

    /// One more point that is not taken, `ahead` others of this batch being proposed before it.
    fn next(&self, taken: &dyn Fn(&PointKey) -> bool, ahead: usize) -> Option<Candidate> {
        if self.runs.is_empty() {
            let z = self.landscape.space().encode(&self.landscape.space().centre());
            return if taken(&self.key(&z)) {
                self.start_at(taken, ahead, origin::START)
            } else {
                Some(Candidate { z, origin: origin::START })
            };
        }
        if self.settings.measures_truth && self.model_is_due(ahead) {
            return self.start_at(taken, ahead, origin::GAP);
        }
        match &self.start {
            Some(z) if !taken(&self.key(z)) => {
                return Some(Candidate { z: z.clone(), origin: origin::RESTART });
            }
            Some(_) => {}
            None => {
                let run = &self.runs[self.current];
                if let Some(z) = run.open().find(|z| !taken(&self.key(z))) {
                    return Some(Candidate { z: z.to_vec(), origin: self.origin(run.phase()) });
                }
            }
        }
        // Everything wanted is awaited: other workers look elsewhere.
        let origin = if self.settings.measures_truth { origin::GAP } else { origin::RESTART };
        self.start_at(taken, ahead, origin)
    }

    /// Whether the model has its turn: by what it earned, and at least every fourth time; the run likewise.
    fn model_is_due(&self, ahead: usize) -> bool {
        match (self.seen.len() + ahead) % 4 {
            0 => false,
            1 => true,
            _ => self.model.rate() >= self.local.rate(),
        }
    }

    /// The current run has stalled: every third time the best run goes on, else a new one starts.
    fn turn(&mut self) {
        self.restarts += 1;
        self.runs[self.current].rest();
        let best = (0..self.runs.len()).filter(|&at| !self.runs[at].is_spent()).reduce(|a, b| {
            if self.runs[b].incumbent().1.improves_on(&self.runs[a].incumbent().1) { b } else { a }
        });
        if let (Some(best), true) = (best, self.restarts.is_multiple_of(3)) {
            self.current = best;
            self.until = self.runs[best].evaluations() + POLLS * (self.landscape.free().len() + 1);
        } else {
            let told: Vec<PointKey> = self.seen.iter().map(|(z, _)| self.key(z)).collect();
            let start = self.start_at(&|key| told.contains(key), 0, origin::RESTART);
            self.start = start.map(|candidate| candidate.z);
        }
    }

    fn start_at(
        &self,
        taken: &dyn Fn(&PointKey) -> bool,
        ahead: usize,
        origin: &'static str,
    ) -> Option<Candidate> {
        let prior = if self.settings.measures_truth { Prior::Network(&self.landscape) } else { Prior::Flat };
        let seed = self.seed(0x1000 + self.seen.len() + (ahead << 32));
        let z = global::start(self.landscape.space(), &self.seen, prior, seed, taken)?;
        Some(Candidate { z, origin })
    }

    fn origin(&self, phase: Phase) -> &'static str {
        match phase {
            Phase::Attack if self.landscape.has_gradient() => origin::ATTACK,
            Phase::Attack => origin::ATTACK_ESTIMATED,
            Phase::Cover => origin::COVER,
            Phase::Search => origin::SEARCH,
            Phase::Poll => origin::POLL,
            Phase::Evolution => origin::EVOLUTION,
        }
    }
}
