//! One local run of the hybrid: attack, then covering, search and poll as needed.
//!
//! Source: Bouchet & Vidal, arXiv 2510.01461, the hybrid of attacks and the covering direct search (Audet, Bouchet &
//! Bourdin, arXiv 2401.07097); beyond it the attack's direction with curvature memory, a ladder of radii along one
//! backward pass, linearized constraints instead of penalties, and direct search when it is due as well as when an attack
//! fails.
//!
//! A run is a fold over what is told. At every moment it has a *step*: a phase and its candidates, fixed when the step
//! begins. The result of a candidate moves the step on; any better point, whoever proposed it, becomes the incumbent. So
//! the same results in the same order give the same run, whatever was proposed in between and by how many workers.

use super::landscape::Landscape;
use crate::attack::barrier::Merit;
use crate::attack::cover::{covering_point, positive_basis};
use crate::attack::curvature::{Curvature, dot};
use crate::attack::directed::{Ball, gradient_step, sign_step};
use crate::attack::linearized::{Linear, linearized_step};

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
/// Rungs of the ladder, and how much shorter each is.
const RUNGS: usize = 3;
const RUNG: f64 = 0.25;
/// Direct search is due when attacks took this many times a poll's evaluations since the last one.
const ATTACKS_PER_POLL: usize = 10;
/// Constraints that one attack linearizes at most.
const WORKING: usize = 6;
/// How often one attack is planned anew with constraints that its candidates ran into.
const REPLANS: usize = 4;
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
    replans: usize,
    iteration: u64,
    since_poll: usize,
    /// Attacks that failed in a row.
    attack_failures: usize,
    /// Improvements so far.
    moves: usize,
    last_move: Option<Vec<f64>>,
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
            replans: 0,
            iteration: 0,
            since_poll: 0,
            attack_failures: 0,
            moves: 0,
            last_move: None,
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

    /// Whether its last `window` evaluations gained next to nothing.
    pub fn is_stalled(&self, window: usize) -> bool {
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
        if let Some(rung) = rung {
            self.is_told[rung] = true;
            self.since_poll += 1;
        }
        if merit.improves_on(&self.merit) {
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

    fn succeed(&mut self, z: &[f64], merit: Merit, rung: Option<usize>) {
        let gain = Self::score(merit) - Self::score(self.merit);
        let is_sufficient = gain >= SUFFICIENT * Self::score(self.merit).abs();
        let moved: Vec<f64> = z.iter().zip(&self.x).map(|(z, x)| z - x).collect();
        let length = moved.iter().fold(0.0_f64, |most, d| most.max(d.abs()));
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
                    self.poll_radius = (2.0 * self.poll_radius).min(0.5);
                    self.attack_radius = self.attack_radius.max(length);
                }
                Phase::Cover => {}
            }
        }
        if let Some(gradient) = self.gradient.take() {
            // Changes of the target tell nothing of its curvature.
            let same_target = merit.is_feasible() == self.merit.is_feasible();
            self.before = same_target.then(|| (self.x.clone(), gradient));
        }
        self.x = z.to_vec();
        self.merit = merit;
        self.last_move = Some(moved);
        self.moves += 1;
        let due = self.since_poll > ATTACKS_PER_POLL * (self.x.len() + 1);
        let next = match (self.steps, phase) {
            (Steps::DirectSearch, Phase::Poll | Phase::Search) => Phase::Search,
            (Steps::DirectSearch, _) => Phase::Cover,
            (Steps::Both, Phase::Poll | Phase::Search | Phase::Cover) if !self.attack_is_due() => {
                Phase::Search
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

    fn fail(&mut self) {
        let next = match self.phase {
            Phase::Attack => {
                self.attack_failures += 1;
                self.curvature.forget();
                self.attack_radius = (self.attack_radius * RUNG).max(self.radii.least);
                if self.steps == Steps::Attacks { Phase::Attack } else { Phase::Cover }
            }
            Phase::Cover | Phase::Search => Phase::Poll,
            Phase::Poll => {
                self.poll_radius = (0.5 * self.poll_radius).max(0.5 * self.radii.least);
                self.since_poll = 0;
                let attacks = self.steps == Steps::Both && self.attack_failures < TRUSTED;
                if attacks { Phase::Attack } else { Phase::Cover }
            }
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
        };
        let mut candidates: Vec<Vec<f64>> = Vec::new();
        for z in raw {
            let z = landscape.snapped(&z);
            if z != self.x && !candidates.contains(&z) && !seen.contains(&z.as_slice()) {
                candidates.push(z);
            }
        }
        self.is_told = vec![false; candidates.len()];
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

    fn attack(&mut self, landscape: &Landscape, seed: u64) -> Vec<Vec<f64>> {
        let radius = self.attack_radius;
        let (gradient, is_new) = match self.gradient.take() {
            Some(gradient) => (gradient, false),
            None => (self.target_gradient(landscape, seed), true),
        };
        if is_new && let Some((x, before)) = self.before.take() {
            let step: Vec<f64> = self.x.iter().zip(&x).map(|(a, b)| a - b).collect();
            self.curvature.learn(&step, &before, &gradient);
        }
        let steepest = gradient.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
        self.gradient = Some(gradient.clone());
        if !(steepest.is_finite() && steepest > 0.0) {
            return Vec::new();
        }
        let ladder = (0..RUNGS).scan(radius, |length, _| {
            let rung = *length;
            *length *= RUNG;
            Some(rung)
        });
        if !self.working.is_empty() {
            let linear = self.linearized(landscape);
            return ladder.filter_map(|radius| self.constrained(radius, &gradient, &linear)).collect();
        }
        let free: Vec<bool> = (0..self.x.len())
            .map(|i| {
                landscape.free()[i]
                    && !(self.x[i] <= 0.0 && gradient[i] < 0.0)
                    && !(self.x[i] >= 1.0 && gradient[i] > 0.0)
            })
            .collect();
        if let Some(direction) = self.curvature.direction(&gradient, &free) {
            let length = direction.iter().fold(0.0_f64, |most, d| most.max(d.abs()));
            // The whole quasi-Newton step, as far as the largest radius that steps have earned goes.
            let scale = (8.0 * radius.max(self.radii.start) / length).min(1.0);
            return ladder
                .map(|rung| {
                    let share = scale * rung / radius;
                    self.ball(1.0).moved(&direction.iter().map(|d| d * share).collect::<Vec<f64>>())
                })
                .collect();
        }
        let mut points: Vec<Vec<f64>> =
            ladder.map(|radius| gradient_step(&self.ball(radius), &gradient)).collect();
        if self.attack_failures > 0 {
            points.push(sign_step(&self.ball(radius * RUNG), &gradient));
        }
        points
    }

    /// Of the goal; while nothing is feasible, of the violation's fall.
    fn target_gradient(&self, landscape: &Landscape, seed: u64) -> Vec<f64> {
        if self.merit.is_feasible() {
            return landscape.goal_gradient(&self.x, self.attack_radius.max(1e-4), seed);
        }
        let (_, constraints) = landscape.sight(&self.x);
        let weights: Vec<f64> = constraints.iter().map(|&c| if c > 0.0 { -1.0 } else { 0.0 }).collect();
        landscape.constraint_gradient(&self.x, &weights)
    }

    /// The working constraints at the incumbent, linearized: one pass each.
    fn linearized(&self, landscape: &Landscape) -> Vec<(Linear, f64)> {
        let (_, constraints) = landscape.sight(&self.x);
        let one = |index: usize| {
            let mut weights = vec![0.0; constraints.len()];
            weights[index] = 1.0;
            landscape.constraint_gradient(&self.x, &weights)
        };
        self.working
            .iter()
            .filter(|(index, _)| *index < constraints.len())
            .map(|&(index, bend)| (Linear { value: constraints[index], gradient: one(index) }, bend))
            .collect()
    }

    fn constrained(&self, radius: f64, gradient: &[f64], linear: &[(Linear, f64)]) -> Option<Vec<f64>> {
        let bent: Vec<Linear> = linear
            .iter()
            .map(|(linear, bend)| Linear { value: linear.value + bend * radius * radius, ..linear.clone() })
            .collect();
        linearized_step(&self.ball(radius), gradient, &bent)
    }

    /// Takes in the constraints that an attack ran into; whether the attack is to be planned anew.
    fn learn_constraints(&mut self, z: &[f64], rung: usize, landscape: &Landscape) -> bool {
        if !self.merit.is_feasible() || self.replans >= REPLANS {
            return false;
        }
        let (_, there) = landscape.sight(z);
        let mut violated: Vec<usize> = (0..there.len()).filter(|&i| there[i] > 0.0).collect();
        if violated.is_empty() {
            return false;
        }
        violated.sort_by(|&a, &b| there[b].total_cmp(&there[a]));
        let length = z.iter().zip(&self.x).fold(0.0_f64, |most, (z, x)| most.max((z - x).abs()));
        let mut changed = false;
        for index in violated.into_iter().take(WORKING) {
            let bend = there[index] / (length * length).max(f64::MIN_POSITIVE);
            match self.working.iter_mut().find(|(known, _)| *known == index) {
                // A linearized constraint that is still violated bends; a little more than was seen.
                Some((_, known)) => {
                    *known += 1.1 * bend;
                    changed = true;
                }
                None => {
                    self.working.push((index, 0.0));
                    changed = true;
                }
            }
        }
        if self.working.len() > WORKING {
            let excess = self.working.len() - WORKING;
            self.working.drain(..excess);
        }
        self.replans += 1;
        if rung > 0 {
            self.attack_radius = (self.attack_radius * RUNG).max(self.radii.least);
        }
        self.curvature.forget();
        changed
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
