//! The next points of a study, by its [policy](super::policy): the initial design, then the models; scrambled Sobol points
//! again where numerics fail or every point that the models want is taken, and `origin` says so.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::Advisor;
use super::beliefs::{Belief, Learner, Reached, Rows, is_feasible};
use super::history::{History, Seen, Standing};
use super::named::Gathered;
use super::policy::{Policy, immediate, initial_trials, policy};
use crate::acquisition::{Acquisition, Chosen, Search, Success, Sum, maximize, propose_batch};
use crate::space::{Design, Point, PointKey};
use crate::study::{Definition, Direction, Goal};
use crate::surrogate::SurrogateError;

/// What proposed a point, as trials say it.
pub mod origin {
    /// The initial design.
    pub const INITIAL_DESIGN: &str = "initial_design";
    /// The study asked for a space-filling design.
    pub const SPACE_FILLING: &str = "space_filling";
    /// The study asked for random points.
    pub const RANDOM: &str = "random";
    /// ln EI.
    pub const LOG_EXPECTED_IMPROVEMENT: &str = "log_expected_improvement";
    /// ln of Frazier's noisy EI.
    pub const EXACT_NOISY_EXPECTED_IMPROVEMENT: &str = "exact_noisy_expected_improvement";
    /// ln EI on a weighting of several objectives.
    pub const SCALARIZED: &str = "scalarized_log_expected_improvement";
    /// The probability of feasibility.
    pub const FEASIBILITY: &str = "probability_of_feasibility";
    /// The model could not be made, or every point it wanted is taken: the space-filling design instead.
    pub const FALLBACK: &str = "fallback_space_filling";
    /// A client queued it.
    pub const QUEUED: &str = "queued";
    /// A client attached it with its outcome.
    pub const ATTACHED: &str = "attached";
}

/// A point to be tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The point.
    pub point: Point,
    /// What identifies it.
    pub key: PointKey,
    /// What proposed it.
    pub origin: &'static str,
}

impl Advisor {
    /// The next `count` points of a study, fewer only where the space has no more new points. A pure function of the
    /// definition (with its seed), the history and the count: a batch that is chosen together need not begin with the
    /// point that would be chosen alone.
    pub fn suggest(&self, definition: &Definition, history: &History, count: usize) -> Vec<Proposal> {
        self.suggest_each(definition, history, &[count])
    }

    /// How many of the next points cost microseconds, for they come straight from a sequence.
    pub fn immediate(&self, definition: &Definition, history: &History) -> usize {
        immediate(definition, history.len())
    }

    /// The next points of a study for several asks of so many each: what each would get if it came when those before it
    /// had been answered.
    pub fn suggest_each(
        &self,
        definition: &Definition,
        history: &History,
        counts: &[usize],
    ) -> Vec<Proposal> {
        let all = counts.iter().sum();
        let mut state = Suggesting { definition, history, proposed: Vec::with_capacity(all) };
        match policy(definition) {
            Policy::Fill => state.fill(all, origin::SPACE_FILLING),
            Policy::Draw => state.draw(all),
            Policy::Named(chosen) => {
                for count in counts {
                    let upto = state.proposed.len() + count;
                    state.after_design(upto, |state, left| state.named(self, &chosen, left));
                }
            }
            // Chosen one by one in any case.
            Policy::Improve => state.after_design(all, |state, left| state.model(self, left)),
        }
        state.proposed
    }
}

/// A seed of its own for each purpose and trial.
pub(super) fn seed(definition: &Definition, purpose: &str, number: usize) -> u64 {
    let mut digest = Sha256::new();
    digest.update(definition.seed().to_le_bytes());
    digest.update(purpose.as_bytes());
    digest.update((number as u64).to_le_bytes());
    let digest: [u8; 32] = digest.finalize().into();
    u64::from_le_bytes([
        digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7],
    ])
}

/// The suggestions made so far in one call.
struct Suggesting<'a> {
    definition: &'a Definition,
    history: &'a History,
    proposed: Vec<Proposal>,
}

impl Suggesting<'_> {
    /// The number that the next trial will have.
    fn number(&self) -> usize {
        self.history.len() + self.proposed.len()
    }

    fn is_taken(&self, key: &PointKey) -> bool {
        self.history.is_taken(key) || self.proposed.iter().any(|proposal| proposal.key == *key)
    }

    fn propose(&mut self, point: Point, origin: &'static str) {
        let key = self.definition.space().canonical(&point);
        self.proposed.push(Proposal { point, key, origin });
    }

    /// Fills up to `count` proposals from the scrambled Sobol design.
    fn fill(&mut self, count: usize, origin: &'static str) {
        let space = self.definition.space();
        if self.number() == 0 && count > self.proposed.len() {
            self.propose(space.centre(), origin);
        }
        let design = Design::new(space, seed(self.definition, "design", 0));
        let wanted = count.saturating_sub(self.proposed.len());
        let points = design.points(self.number() as u64, wanted, &|key| self.is_taken(key));
        for point in points {
            self.propose(point, origin);
        }
    }

    /// Fills up to `count` proposals: what is left of the initial design, then by `models`, and from the design again
    /// where these fail.
    fn after_design(
        &mut self,
        count: usize,
        models: impl FnOnce(&mut Self, usize) -> Result<(), SurrogateError>,
    ) {
        let initial = initial_trials(self.definition).saturating_sub(self.history.len());
        self.fill(count.min(initial), origin::INITIAL_DESIGN);
        let left = count.saturating_sub(self.proposed.len());
        if left > 0 && models(self, left).is_err() {
            self.fill(count, origin::FALLBACK);
        }
    }

    /// Fills up to `count` proposals with independent uniform points.
    fn draw(&mut self, count: usize) {
        let space = self.definition.space();
        while self.proposed.len() < count {
            // A design under a seed of the trial's own is a uniform point: its scrambling is random.
            let design = Design::new(space, seed(self.definition, "random", self.number()));
            let Some(point) = design.points(0, 1, &|key| self.is_taken(key)).into_iter().next() else {
                return;
            };
            self.propose(point, origin::RANDOM);
        }
    }

    /// Adds `count` proposals by the models.
    fn model(&mut self, advisor: &Advisor, count: usize) -> Result<(), SurrogateError> {
        let mut models =
            Models::learn(self.definition, advisor, self.history, &self.awaited(), self.number())?;
        for _ in 0..count {
            let number = self.number();
            if models.is_scalarized && number != models.number {
                models = Models::learn(self.definition, advisor, self.history, &self.awaited(), number)?;
            }
            let search = Search {
                space: self.definition.space(),
                around: &models.around,
                taken: &|key| self.is_taken(key),
                region: None,
                seed: seed(self.definition, "search", number),
            };
            let best = maximize(&search, &models.acquisition());
            match best {
                Some(point) => {
                    models.await_at(&self.definition.space().encode(&point));
                    let origin = models.origin();
                    self.propose(point, origin);
                }
                None => {
                    let before = self.proposed.len();
                    self.fill(before + 1, origin::FALLBACK);
                    let Some(filled) = self.proposed.get(before) else { break };
                    models.await_at(&self.definition.space().encode(&filled.point));
                }
            }
        }
        Ok(())
    }

    /// Adds `count` proposals by the acquisition that the study names, chosen together.
    fn named(&mut self, advisor: &Advisor, chosen: &Chosen, count: usize) -> Result<(), SurrogateError> {
        let all = self.proposed.len() + count;
        while self.proposed.len() < all {
            let number = self.number();
            let gathered = Gathered::learn(advisor, self.definition, chosen, self.history, number)?;
            let search = Search {
                space: self.definition.space(),
                around: &gathered.around,
                taken: &|key| self.is_taken(key),
                region: None,
                seed: seed(self.definition, "search", number),
            };
            // Where several objectives are weighted into one, each trial has weights of its own.
            let q = if gathered.is_scalarized { 1 } else { all - self.proposed.len() };
            let points = propose_batch(chosen, &gathered.beliefs(&self.awaited()), &search, q)?;
            let by = if gathered.is_feasible() { chosen.algorithm.name } else { origin::FEASIBILITY };
            let is_whole = points.len() == q;
            points.into_iter().for_each(|point| self.propose(point, by));
            if !is_whole {
                let before = self.proposed.len();
                self.fill(before + 1, origin::FALLBACK);
                if self.proposed.len() == before {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The coordinates of everything whose result is awaited.
    fn awaited(&self) -> Vec<Vec<f64>> {
        let space = self.definition.space();
        let proposed = self.proposed.iter().map(|proposal| space.encode(&proposal.point));
        self.history.pending().map(<[f64]>::to_vec).chain(proposed).collect()
    }
}

/// The models that one suggestion needs.
struct Models {
    /// With what was reached; `None` while no trial is feasible.
    objective: Option<(Belief, Reached)>,
    constraints: Vec<(Belief, f64, f64)>,
    success: Option<Belief>,
    /// Of the logarithm of a trial's cost, where the study names one.
    cost: Option<Belief>,
    /// The best trials' coordinates, best first.
    around: Vec<Vec<f64>>,
    is_scalarized: bool,
    number: usize,
}

/// How many of the best trials the search starts around.
pub(super) const AROUND: usize = 4;

impl Models {
    fn learn(
        definition: &Definition,
        advisor: &Advisor,
        history: &History,
        pending: &[Vec<f64>],
        number: usize,
    ) -> Result<Self, SurrogateError> {
        let told = &history.told();
        let learner = Learner::new(advisor, definition, told.len());
        let learn = |rows: &Rows, sign: f64| learner.learn(rows, sign);
        let mut constraints = Vec::new();
        for (index, metric) in definition.metrics().iter().enumerate() {
            if let Goal::Constrain { lower, upper } = metric.goal {
                let rows = Rows::of_metric(told, index);
                if !rows.is_empty() {
                    constraints.push((learn(&rows, 1.0)?, lower, upper));
                }
            }
        }
        let any_failed = told.iter().any(|(_, seen)| seen.standing == Standing::Failed);
        let success = if any_failed { Some(learn(&Rows::of_success(told), 1.0)?) } else { None };
        let cost = match Rows::of_costs(definition, told) {
            Some(rows) => Some(learn(&rows, 1.0)?),
            None => None,
        };
        let feasible: Vec<&Seen> = told
            .iter()
            .map(|(_, seen)| *seen)
            .filter(|seen| match &seen.standing {
                Standing::Completed(metrics) => is_feasible(definition, metrics),
                _ => false,
            })
            .collect();
        let weighting = Weighting::draw(definition, &feasible, number);
        let rows = Rows::of_objective(told, history, &weighting);
        let mut models = Self {
            objective: None,
            constraints,
            success,
            cost,
            around: Vec::new(),
            is_scalarized: weighting.is_scalarized(),
            number,
        };
        if !feasible.is_empty() && !rows.is_empty() {
            let belief = learn(&rows, 1.0)?;
            let places = feasible.iter().filter_map(|seen| seen.coordinates.as_deref());
            let mut best: Vec<(f64, &[f64])> = places.clone().map(|x| (belief.mean(x), x)).collect();
            best.sort_by(|a, b| b.0.total_cmp(&a.0));
            if let Some(reached) = belief.reached(places) {
                models.around = best.iter().take(AROUND).map(|(_, x)| x.to_vec()).collect();
                models.objective = Some((belief, reached));
            }
        }
        // One by one as they were handed out, so that points of one ask and of several come out alike to the last bit.
        pending.iter().for_each(|place| models.await_at(place));
        if models.objective.is_none() && models.constraints.is_empty() && models.success.is_none() {
            return Err(SurrogateError::Empty);
        }
        Ok(models)
    }

    fn acquisition(&self) -> impl Acquisition {
        let mut terms: Vec<Box<dyn Acquisition + '_>> = Vec::new();
        if let Some((belief, reached)) = &self.objective {
            terms.push(belief.gain(reached));
        }
        for (belief, lower, upper) in &self.constraints {
            terms.push(belief.feasibility(*lower, *upper));
        }
        if let Some(belief) = &self.success {
            terms.push(Box::new(Success { labels: &belief.process }));
        }
        if let Some(belief) = &self.cost {
            terms.push(Box::new(belief.per_cost()));
        }
        Sum(terms)
    }

    fn origin(&self) -> &'static str {
        match (&self.objective, self.is_scalarized) {
            (None, _) => origin::FEASIBILITY,
            (Some(_), true) => origin::SCALARIZED,
            (Some((belief, _)), false) if belief.is_noisy() => origin::EXACT_NOISY_EXPECTED_IMPROVEMENT,
            (Some(_), false) => origin::LOG_EXPECTED_IMPROVEMENT,
        }
    }

    /// What is awaited counts with what is expected of it, else its neighbours would promise the same once more: all of
    /// five functions came closer with eight workers, Hartmann-6 by 10^0.6 (`bench/advisor`, 80 trials, 20 seeds).
    fn expect_of(&mut self, place: &[f64]) {
        let keeps = |(belief, lower, upper): &(Belief, f64, f64)| {
            (belief.scale.apply(*lower)..=belief.scale.apply(*upper)).contains(&belief.mean(place))
        };
        let is_feasible = self.constraints.iter().all(keeps)
            && self.success.as_ref().is_none_or(|belief| belief.process.mean(place) > 0.0);
        if let Some((belief, reached)) = &mut self.objective
            && is_feasible
        {
            reached.expect(belief, place);
        }
    }

    fn await_at(&mut self, place: &[f64]) {
        self.expect_of(place);
        if let Some((belief, _)) = &mut self.objective {
            belief.await_at(place);
        }
        self.constraints.iter_mut().for_each(|(belief, ..)| belief.await_at(place));
        self.success.iter_mut().chain(&mut self.cost).for_each(|belief| belief.await_at(place));
    }
}

/// One objective as it is, or several as one: an augmented Chebyshev scalarization with random weights, of the
/// objectives scaled to [0, 1] over the feasible trials (Knowles, *ParEGO*, IEEE Trans. Evol. Comput. 10, 2006, eq. 2).
pub(super) struct Weighting {
    /// Index of the metric, its sign, its weight, and its least value and range when turned.
    pub(super) objectives: Vec<(usize, f64, f64, f64, f64)>,
}

/// The weight of the sum beside the worst objective.
const AUGMENTATION: f64 = 0.05;

impl Weighting {
    pub(super) fn draw(definition: &Definition, feasible: &[&Seen], number: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed(definition, "weights", number));
        let mut objectives = Vec::new();
        for (index, metric) in definition.metrics().iter().enumerate() {
            let Some(sign) = metric.direction().map(Direction::sign) else { continue };
            let values = feasible.iter().filter_map(|seen| match &seen.standing {
                Standing::Completed(metrics) => metrics[index].as_ref().map(|seen| sign * seen.value),
                _ => None,
            });
            let (least, most) = values
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), v| (least.min(v), most.max(v)));
            let range = if most / 2.0 - least / 2.0 > 0.0 { most - least } else { 1.0 };
            let (least, range) = if least.is_finite() { (least, range.min(f64::MAX)) } else { (0.0, 1.0) };
            // Exponential weights, normalized, are uniform on the simplex.
            let weight = -(1.0 - rng.random::<f64>()).ln();
            objectives.push((index, sign, weight, least, range));
        }
        let total: f64 = objectives.iter().map(|(_, _, weight, _, _)| weight).sum();
        objectives.iter_mut().for_each(|(_, _, weight, _, _)| *weight /= total.max(f64::MIN_POSITIVE));
        Self { objectives }
    }

    pub(super) fn is_scalarized(&self) -> bool {
        self.objectives.len() > 1
    }

    /// The value to be maximized, with its standard error where known.
    pub(super) fn value(&self, metrics: &[Option<crate::study::Observation>]) -> Option<(f64, Option<f64>)> {
        if let [(index, sign, ..)] = self.objectives[..] {
            return metrics[index].as_ref().map(|seen| (sign * seen.value, seen.sem));
        }
        let mut worst = f64::INFINITY;
        let mut sum = 0.0;
        for &(index, sign, weight, least, range) in &self.objectives {
            let seen = metrics[index].as_ref()?;
            // Distance to the best, from 0 (best) to −1 and below.
            let shortfall = weight * ((sign * seen.value - least) / range - 1.0);
            worst = worst.min(shortfall);
            sum += shortfall;
        }
        let value = worst + AUGMENTATION * sum;
        value.is_finite().then_some((value, None))
    }
}
