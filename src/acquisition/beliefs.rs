//! What an acquisition may look at: the posteriors, what was evaluated, what is awaited.

use std::borrow::Cow;

use super::marginal::Marginal;
use super::{Acquisition, Bounded, Success, Sum};
use crate::surrogate::GaussianProcess;

/// Everything that is believed of a study when a point is chosen. Outputs are standardized and to be maximized.
#[derive(Clone)]
pub struct Beliefs<'a> {
    /// A process for each objective; none while no trial is feasible.
    pub objectives: Vec<Cow<'a, GaussianProcess>>,
    /// The hypervolume's reference value of each objective; used where there are several.
    pub reference: Vec<f64>,
    /// The constraints.
    pub constraints: Vec<Constraint<'a>>,
    /// The process over the labels of evaluations that succeeded (+1) and failed (−1), where some failed.
    pub success: Option<Cow<'a, GaussianProcess>>,
    /// The process over the logarithm of a trial's cost, where acquisitions are to be taken per unit of cost, and the
    /// standardized logarithm's spread.
    pub cost: Option<(Cow<'a, GaussianProcess>, f64)>,
    /// The places of the feasible trials, row after row.
    pub feasible: Vec<f64>,
    /// The places whose results are awaited, row after row.
    pub pending: Vec<f64>,
    /// How many trials were told.
    pub trials: usize,
}

/// A metric that is to stay within bounds.
#[derive(Clone)]
pub struct Constraint<'a> {
    /// The metric.
    pub metric: Cow<'a, GaussianProcess>,
    /// Least feasible value in the model's units; −∞ where open.
    pub lower: f64,
    /// Greatest feasible value; +∞ where open.
    pub upper: f64,
}

impl Beliefs<'_> {
    /// How many coordinates a place has.
    pub fn dimension(&self) -> usize {
        let any = self
            .objectives
            .first()
            .or(self.success.as_ref())
            .or(self.constraints.first().map(|constraint| &constraint.metric));
        any.map_or(0, |process| process.dimension())
    }

    /// The same beliefs with the awaited results taken in at their posterior means: means stay as they are, what is
    /// uncertain around the awaited points does not. The outcomes are as noisy as the process says (Desautels, Krause
    /// & Burdick, *JMLR* 15, 2014, call it hallucination). O(n²) a point and a copy of the factors.
    #[must_use]
    pub fn believing_pending(&self) -> Self {
        let mut believing = self.clone();
        for place in self.pending.chunks_exact(self.dimension().max(1)) {
            believing.believe(place);
        }
        believing
    }

    fn believe(&mut self, place: &[f64]) {
        let take_in = |process: &mut Cow<'_, GaussianProcess>| {
            let (mean, noise) = (process.mean(place), process.noise_ahead());
            process.to_mut().push(place, mean, noise);
        };
        self.objectives.iter_mut().for_each(take_in);
        self.constraints.iter_mut().for_each(|constraint| take_in(&mut constraint.metric));
        self.success.iter_mut().for_each(take_in);
        self.cost.iter_mut().for_each(|(process, _)| take_in(process));
    }

    /// f*: the best posterior mean of the first objective at a feasible trial, or at an awaited one that is more likely
    /// feasible than not. `None` where there is none.
    pub fn incumbent(&self) -> Option<f64> {
        let objective = self.objectives.first()?;
        let d = self.dimension().max(1);
        let awaited =
            self.pending.chunks_exact(d).filter(|x| self.log_feasibility(x) > -std::f64::consts::LN_2);
        self.feasible.chunks_exact(d).chain(awaited).map(|x| objective.mean(x)).reduce(f64::max)
    }

    /// ln P(a trial at `x` succeeds and keeps every constraint), the metrics taken as independent.
    pub fn log_feasibility(&self, x: &[f64]) -> f64 {
        let constraints: f64 = self.bounded().map(|term| term.of(&term.metric.predict(x)).value).sum();
        constraints + self.success_term().map_or(0.0, |term| term.of(&term.labels.predict(x)).value)
    }

    /// ln of the probability that a trial succeeds and keeps every constraint, as an acquisition.
    pub(super) fn feasibility(&self) -> Sum<'_> {
        let mut terms: Vec<Box<dyn Acquisition + '_>> = Vec::new();
        terms.extend(self.bounded().map(|term| Box::new(term) as Box<dyn Acquisition>));
        terms.extend(self.success_term().map(|term| Box::new(term) as Box<dyn Acquisition>));
        Sum(terms)
    }

    /// The constraints as acquisitions.
    pub fn bounded(&self) -> impl Iterator<Item = Bounded<'_>> {
        self.constraints.iter().map(|constraint| Bounded {
            metric: &constraint.metric,
            lower: constraint.lower,
            upper: constraint.upper,
        })
    }

    /// The probability of success as an acquisition.
    pub fn success_term(&self) -> Option<Success<'_>> {
        self.success.as_ref().map(|labels| Success { labels })
    }

    /// The feasible and the awaited places that matter to a baseline, the awaited ones last: at most `most` of the
    /// feasible ones, those with the best posterior means of any objective.
    pub(super) fn baseline_places(&self, most: usize) -> Vec<f64> {
        let d = self.dimension().max(1);
        let rows: Vec<&[f64]> = self.feasible.chunks_exact(d).collect();
        let mut chosen: Vec<usize> = (0..rows.len()).collect();
        if rows.len() > most {
            let ranked: Vec<Vec<usize>> = self
                .objectives
                .iter()
                .map(|objective| {
                    let means: Vec<f64> = rows.iter().map(|x| objective.mean(x)).collect();
                    let mut order: Vec<usize> = (0..rows.len()).collect();
                    order.sort_by(|&a, &b| means[b].total_cmp(&means[a]));
                    order
                })
                .collect();
            chosen.clear();
            for rank in 0..rows.len() {
                for order in &ranked {
                    if chosen.len() < most && !chosen.contains(&order[rank]) {
                        chosen.push(order[rank]);
                    }
                }
            }
            chosen.sort_unstable();
        }
        let mut places: Vec<f64> = Vec::with_capacity(chosen.len() * d + self.pending.len());
        chosen.into_iter().for_each(|i| places.extend_from_slice(rows[i]));
        places.extend_from_slice(&self.pending);
        places
    }
}
