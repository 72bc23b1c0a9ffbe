//! One local run of the hybrid: attack, then covering, search and poll as needed.
//!
//! Source: Bouchet & Vidal, arXiv 2510.01461, the hybrid of attacks and the covering direct search (Audet, Bouchet &
//! Bourdin, arXiv 2401.07097); beyond it the attack's direction with curvature memory, a ladder of radii along one
//! backward pass, linearized constraints instead of penalties, direct search when it is due as well as when an attack
//! fails, and an evolution strategy beside it while attacks fail.
//!
//! A run is a fold over what is told. At every moment it has a *step*: a phase and its candidates, fixed when the step
//! begins. The result of a candidate moves the step on; any better point, whoever proposed it, becomes the incumbent. So
//! the same results in the same order give the same run, whatever was proposed in between and by how many workers.

mod attack;
mod turns;

use super::Earned;
use super::landscape::Landscape;
use crate::attack::barrier::Merit;
use crate::attack::cover::{covering_point, positive_basis};
use crate::attack::curvature::{Curvature, dot};
use crate::attack::directed::Ball;
use crate::attack::evolution::Evolution;

/// Which steps a run takes: all of them, or some for comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    /// Attacks and direct search.
    Both,
    /// Attacks alone.
    Attacks,
    /// Direct search alone.
    DirectSearch,
}

/// What a step tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A ladder of radii along the attack's direction.
    Attack,
    /// A point far from all evaluated ones, within a fixed radius.
    Cover,
    /// The last move once more.
    Search,
    /// A positive spanning set.
    Poll,
    /// A generation of the evolution strategy.
    Evolution,
}

/// Radii in the unit cube.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Radii {
    /// Where both radii start.
    pub start: f64,
    /// The covering radius, which never changes.
    pub cover: f64,
    /// The poll ends below this.
    pub least: f64,
}

impl Default for Radii {
    fn default() -> Self {
        Self { start: 0.05, cover: 0.1, least: 1e-9 }
    }
}

/// Relative increase that lets an attack skip the direct search.
const SUFFICIENT: f64 = 1e-3;
/// How much shorter each rung of the ladder is.
const RUNG: f64 = 0.25;
/// Direct search is due when attacks took this many times a poll's evaluations since the last one.
const ATTACKS_PER_POLL: usize = 10;
/// How much longer a run with evolution may gain nothing.
const PATIENCE: usize = 5;
/// How much smaller a poll's radius is after one that failed.
const SHRINK: f64 = 0.7;
/// Attacks that may fail in a row before they are held back.
const TRUSTED: usize = 3;

/// A run.
#[derive(Clone, Debug)]
pub struct Run {
    steps: Steps,
    radii: Radii,
    attack_radius: f64,
    poll_radius: f64,
    /// The incumbent.
    x: Vec<f64>,
    merit: Merit,
    gradient: Option<Vec<f64>>,
    /// The incumbent before, with its gradient.
    before: Option<(Vec<f64>, Vec<f64>)>,
    curvature: Curvature,
    /// The constraints that attacks ran into, with how much more than linearly each rose.
    working: Vec<(usize, f64)>,
    phase: Phase,
    candidates: Vec<Vec<f64>>,
    is_told: Vec<bool>,
    /// Whether all of the step's candidates so far are exactly as good as the incumbent.
    is_flat: bool,
    /// Which of the step's points each candidate was, before those that are known were left out.
    drawn: Vec<usize>,
    replans: usize,
    iteration: u64,
    since_poll: usize,
    /// Attacks that failed in a row.
    attack_failures: usize,
    /// Improvements so far.
    moves: usize,
    last_move: Option<Vec<f64>>,
    evolution: Option<Evolution>,
    /// What its candidates earned.
    by_evolution: Earned,
    /// What covering, search and poll earned.
    by_poll: Earned,
    /// Evaluations of direct search since the last generation.
    since_evolution: usize,
    /// Evaluations, and the incumbent's value after each.
    progress: Vec<f64>,
    seed: u64,
}

impl Run {
    /// A run from a point that was evaluated.
    pub fn new(x: Vec<f64>, merit: Merit, radii: Radii, steps: Steps, seed: u64) -> Self {
        Self {
            steps,
            radii,
            attack_radius: radii.start,
            poll_radius: radii.start,
            x,
            merit,
            gradient: None,
            before: None,
            curvature: Curvature::default(),
            working: Vec::new(),
            phase: if steps == Steps::DirectSearch { Phase::Cover } else { Phase::Attack },
            candidates: Vec::new(),
            is_told: Vec::new(),
            is_flat: false,
            drawn: Vec::new(),
            replans: 0,
            iteration: 0,
            since_poll: 0,
            attack_failures: 0,
            moves: 0,
            last_move: None,
            evolution: None,
            by_evolution: Earned::default(),
            by_poll: Earned::default(),
            since_evolution: 0,
            progress: vec![Self::score(merit)],
            seed,
        }
    }

    /// The incumbent.
    pub fn incumbent(&self) -> (&[f64], Merit) {
        (&self.x, self.merit)
    }

    /// The phase of the present step.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Evaluations of its candidates.
    pub fn evaluations(&self) -> usize {
        self.progress.len() - 1
    }

    /// Whether its radii are spent: nothing better is near, as far as it can tell.
    pub fn is_spent(&self) -> bool {
        match self.steps {
            Steps::Attacks => self.attack_radius <= self.radii.least,
            _ => self.poll_radius <= self.radii.least,
        }
    }

    /// Whether its last evaluations gained next to nothing: as many as some polls take, and more where evolution, which
    /// is slow to adapt, is at work.
    pub fn is_stalled(&self, polls: usize) -> bool {
        let polls = if self.evolution.is_some() { PATIENCE * polls } else { polls };
        let window = polls * (self.x.len() + 1);
        let Some(&earlier) = self.progress.len().checked_sub(window + 1).and_then(|at| self.progress.get(at))
        else {
            return false;
        };
        let now = Self::score(self.merit);
        now - earlier <= 1e-3 * now.abs()
    }

    /// Values of feasible points, and violations below all of them.
    fn score(merit: Merit) -> f64 {
        if merit.is_feasible() { merit.value } else { -1e12 * (1.0 + merit.violation.min(1e100)) }
    }

    /// Begins the step that is due, so that what is proposed next is settled.
    pub fn settle(&mut self, landscape: &Landscape, seen: &[&[f64]]) {
        // A phase that finds no candidate fails at once; after some rounds everything near is known.
        for _ in 0..12 {
            if !self.candidates.is_empty() {
                return;
            }
            self.begin(landscape, seen);
            if self.candidates.is_empty() {
                self.fail();
            }
        }
    }

    /// The candidates of the present step that are not told yet.
    pub fn open(&self) -> impl Iterator<Item = &[f64]> {
        self.candidates.iter().zip(&self.is_told).filter(|(_, told)| !**told).map(|(z, _)| z.as_slice())
    }

    /// Whether `z` is one of the present step's candidates.
    pub fn awaits(&self, z: &[f64]) -> bool {
        self.candidates.iter().any(|candidate| candidate == z)
    }

    /// Takes in what a point turned out to be.
    pub fn tell(&mut self, z: &[f64], merit: Merit, landscape: &Landscape) {
        let rung = self.candidates.iter().position(|candidate| candidate == z);
        let improves = merit.improves_on(&self.merit);
        if let Some(rung) = rung {
            self.is_told[rung] = true;
            self.is_flat &= merit == self.merit;
            self.count(if improves { self.gain(merit) } else { 0.0 });
        }
        if self.phase == Phase::Evolution {
            self.tell_evolution(z, merit, rung);
        } else if improves {
            self.succeed(z, merit, rung);
        } else if let Some(rung) = rung {
            if self.phase == Phase::Attack && self.learn_constraints(z, rung, landscape) {
                self.candidates.clear();
            } else if self.is_told.iter().all(|&told| told) {
                self.fail();
            }
        }
        if rung.is_some() {
            self.progress.push(Self::score(self.merit));
        }
    }

    /// What a better point gains, as a share of the incumbent's value.
    fn gain(&self, merit: Merit) -> f64 {
        let now = Self::score(self.merit);
        (Self::score(merit) - now) / now.abs().max(f64::MIN_POSITIVE)
    }

    fn succeed(&mut self, z: &[f64], merit: Merit, rung: Option<usize>) {
        let is_sufficient = self.gain(merit) >= SUFFICIENT;
        let length = z.iter().zip(&self.x).fold(0.0_f64, |most, (z, x)| most.max((z - x).abs()));
        let phase = self.phase;
        if rung.is_some() {
            match phase {
                Phase::Attack => {
                    self.attack_failures = 0;
                    self.attack_radius = match rung {
                        Some(0) => self.attack_radius.max(length).max(2.0 * length),
                        _ => 1.3 * length,
                    }
                    .clamp(self.radii.least, 1.0);
                }
                Phase::Search | Phase::Poll => {
                    // A direction that rises twice has earned longer steps; polls that rise again and again at the
                    // same length have not.
                    let factor = if phase == Phase::Search { 2.0 } else { 1.0 };
                    self.poll_radius = (factor * self.poll_radius).min(0.5);
                    self.attack_radius = self.attack_radius.max(length);
                }
                Phase::Cover | Phase::Evolution => {}
            }
        }
        self.move_to(z, merit);
        let due = self.since_poll > ATTACKS_PER_POLL * (self.x.len() + 1);
        let next = match (self.steps, phase) {
            (Steps::DirectSearch, Phase::Poll | Phase::Search) => Phase::Search,
            (Steps::DirectSearch, _) => Phase::Cover,
            (Steps::Both, Phase::Poll | Phase::Search | Phase::Cover) if !self.attack_is_due() => {
                self.without_attack(Phase::Search)
            }
            (Steps::Both, Phase::Attack)
                if due || !is_sufficient && self.since_poll > 2 * self.x.len() + 10 =>
            {
                Phase::Cover
            }
            _ => Phase::Attack,
        };
        self.enter(next);
    }

    /// Makes a better point the incumbent.
    fn move_to(&mut self, z: &[f64], merit: Merit) {
        if let Some(gradient) = self.gradient.take() {
            // Changes of the target tell nothing of its curvature.
            let same_target = merit.is_feasible() == self.merit.is_feasible();
            self.before = same_target.then(|| (self.x.clone(), gradient));
        }
        self.last_move = Some(z.iter().zip(&self.x).map(|(z, x)| z - x).collect());
        self.x = z.to_vec();
        self.merit = merit;
        self.moves += 1;
    }

    fn fail(&mut self) {
        let next = match self.phase {
            Phase::Attack => {
                self.attack_failures += 1;
                self.curvature.forget();
                self.attack_radius = (self.attack_radius * RUNG).max(self.radii.least);
                if self.steps == Steps::Attacks { Phase::Attack } else { self.without_attack(Phase::Cover) }
            }
            Phase::Cover | Phase::Search => Phase::Poll,
            Phase::Poll => {
                self.poll_radius = if self.is_flat {
                    self.radii.start
                } else {
                    (SHRINK * self.poll_radius).max(0.5 * self.radii.least)
                };
                self.since_poll = 0;
                let attacks = self.steps == Steps::Both && self.attack_failures < TRUSTED;
                if attacks { Phase::Attack } else { self.without_attack(Phase::Cover) }
            }
            Phase::Evolution => self.without_attack(Phase::Cover),
        };
        self.enter(next);
    }

    /// Attacks that failed in a row are tried the more seldom, as the place changes, the more there were.
    fn attack_is_due(&self) -> bool {
        let spare = self.attack_failures.saturating_sub(TRUSTED - 1).min(5);
        self.moves.is_multiple_of(1 << spare)
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.iteration += 1;
        self.replans = 0;
        self.candidates.clear();
        self.is_told.clear();
    }

    fn begin(&mut self, landscape: &Landscape, seen: &[&[f64]]) {
        let seed = self.seed ^ self.iteration.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let raw = match self.phase {
            Phase::Attack => self.attack(landscape, seed),
            Phase::Cover => {
                let all = vec![true; self.x.len()];
                vec![covering_point(&self.x, self.radii.cover, &all, seen, seed)]
            }
            Phase::Search => self.last_move.as_ref().map_or_else(Vec::new, |d| vec![self.ball(1.0).moved(d)]),
            Phase::Poll => self.poll(landscape, seed),
            Phase::Evolution => self.generation(seed),
        };
        let mut candidates: Vec<Vec<f64>> = Vec::new();
        self.drawn.clear();
        for (index, z) in raw.into_iter().enumerate() {
            let z = landscape.snapped(&z);
            if z != self.x && !candidates.contains(&z) && !seen.contains(&z.as_slice()) {
                candidates.push(z);
                self.drawn.push(index);
            }
        }
        self.is_told = vec![false; candidates.len()];
        self.is_flat = !candidates.is_empty();
        self.candidates = candidates;
    }

    fn ball(&self, radius: f64) -> Ball<'_> {
        Ball { x: &self.x, radius }
    }

    /// Directions that rise by the gradient, where it is known, come first. Coordinates that are not free move by a step
    /// of their own, at least to their neighbours.
    fn poll(&self, landscape: &Landscape, seed: u64) -> Vec<Vec<f64>> {
        let mut directions = positive_basis(self.x.len(), seed);
        // A gradient whose attacks fail says nothing of where to look first; the last move may.
        let ahead =
            if self.attack_failures < TRUSTED { self.gradient.as_ref() } else { self.last_move.as_ref() };
        if let Some(ahead) = ahead {
            directions.sort_by(|a, b| dot(b, ahead).total_cmp(&dot(a, ahead)));
        }
        let mut points: Vec<Vec<f64>> = directions
            .iter()
            .map(|d| self.ball(1.0).moved(&d.iter().map(|d| d * self.poll_radius).collect::<Vec<f64>>()))
            .collect();
        for (i, _) in landscape.free().iter().enumerate().filter(|(_, free)| !**free) {
            points.extend(neighbours(landscape, &self.x, i));
        }
        points
    }
}

/// The nearest other points along a coordinate that is not free.
fn neighbours(landscape: &Landscape, x: &[f64], i: usize) -> Vec<Vec<f64>> {
    let mut found = Vec::new();
    for direction in [-1.0, 1.0] {
        let mut step = 1.0 / 1024.0;
        while step <= 1.0 {
            let mut z = x.to_vec();
            z[i] = (z[i] + direction * step).clamp(0.0, 1.0);
            let z = landscape.snapped(&z);
            if z[i].total_cmp(&x[i]).is_ne() {
                found.push(z);
                break;
            }
            step *= 2.0;
        }
    }
    found
}
