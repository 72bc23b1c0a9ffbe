//! Evolution and direct search in turns, where attacks fail: by what each lately earned, and each at least now and then.

use super::{ATTACKS_PER_POLL, Phase, Run, Steps};
use crate::attack::barrier::Merit;
use crate::attack::evolution::Evolution;

/// Evolution is due when direct search took this many times a poll's evaluations since its last generation.
const POLLS_PER_EVOLUTION: usize = 4;

impl Run {
    /// The next generation.
    pub(super) fn generation(&mut self, seed: u64) -> Vec<Vec<f64>> {
        let (x, radius) = (&self.x, self.radii.start);
        self.evolution.get_or_insert_with(|| Evolution::new(x.clone(), radius)).draw(seed)
    }

    /// Forgets the strategy, whose memory is quadratic in n, of a run that is left; if it goes on, it begins anew.
    pub fn rest(&mut self) {
        self.evolution = None;
    }

    /// Whose evaluation the last one was, and what it gained; no more than the incumbent's own value, so that a gain from
    /// next to nothing does not count for ever.
    pub(super) fn count(&mut self, gain: f64) {
        let gain = gain.min(1.0);
        self.since_poll += 1;
        match self.phase {
            Phase::Attack => {}
            Phase::Evolution => {
                self.since_evolution = 0;
                self.by_evolution.add(gain);
            }
            Phase::Cover | Phase::Search | Phase::Poll => {
                self.since_evolution += 1;
                self.by_poll.add(gain);
            }
        }
    }

    /// A generation is told to its end, whatever it finds on the way.
    pub(super) fn tell_evolution(&mut self, z: &[f64], merit: Merit, rung: Option<usize>) {
        if let (Some(rung), Some(evolution)) = (rung, &mut self.evolution) {
            evolution.tell(self.drawn[rung], merit);
        }
        if merit.improves_on(&self.merit) {
            self.move_to(z, merit);
        }
        if rung.is_some() && self.is_told.iter().all(|&told| told) {
            if let Some(evolution) = &mut self.evolution {
                evolution.adapt();
            }
            self.fail();
        }
    }

    /// Where attacks fail, evolution takes turns with direct search, by what both earned; each at least now and then.
    pub(super) fn without_attack(&self, direct: Phase) -> Phase {
        let n = self.x.len();
        let is_spent = self.evolution.as_ref().is_some_and(|e| e.sigma() <= self.radii.least);
        let due = self.since_poll > ATTACKS_PER_POLL * (n + 1);
        if self.steps != Steps::Both || self.attack_failures == 0 || is_spent || due {
            return direct;
        }
        let earns = self.by_evolution.rate() >= self.by_poll.rate();
        if earns || self.since_evolution > POLLS_PER_EVOLUTION * (n + 1) { Phase::Evolution } else { direct }
    }
}
