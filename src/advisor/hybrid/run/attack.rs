//! The attack of a run: its direction by the gradient and the memory of curvature, its ladder of radii, and the
//! constraints that it ran into, linearized.

use super::super::landscape::Landscape;
use super::{RUNG, Run};
use crate::attack::directed::{gradient_step, sign_step};
use crate::attack::linearized::{Linear, linearized_step};

/// Rungs of the ladder.
const RUNGS: usize = 3;
/// Constraints that one attack linearizes at most.
const WORKING: usize = 6;
/// How often one attack is planned anew with constraints that its candidates ran into.
const REPLANS: usize = 4;

impl Run {
    /// A ladder of radii along the attack's direction.
    pub(super) fn attack(&mut self, landscape: &Landscape, seed: u64) -> Vec<Vec<f64>> {
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
    pub(super) fn learn_constraints(&mut self, z: &[f64], rung: usize, landscape: &Landscape) -> bool {
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
