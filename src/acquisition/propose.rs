//! From beliefs to points: the chosen acquisition, weighted by feasibility and cost, and its maximum.

use std::cell::RefCell;

use super::batch;
use super::registry::{Chosen, Context, Maker, Together};
use super::search::{Search, best_of};
use super::{Acquisition, Beliefs, Sum};
use crate::space::sobol::mix;
use crate::space::{Point, PointKey};
use crate::surrogate::{GaussianProcess, SurrogateError};

/// The point that a chosen algorithm wants next: `None` where every point it saw is taken.
///
/// While no trial is feasible (there is no objective) it is the point most likely to be feasible (Gardner et al. 2014,
/// §3.2). Otherwise the acquisition is weighted: ln α(x) + ln P(x feasible) − ln cost(x).
///
/// # Errors
/// Where a posterior that the algorithm needs cannot be made.
pub(super) fn propose(
    chosen: &Chosen,
    beliefs: &Beliefs<'_>,
    search: &Search<'_>,
) -> Result<Option<Point>, SurrogateError> {
    let believing = beliefs.believing_pending();
    let weights = weights(&believing);
    let point = |found: Option<(Point, super::Candidate)>| found.map(|(point, _)| point);
    if beliefs.objectives.is_empty() {
        return Ok(point(best_of(search, &weights)));
    }
    let context = |beliefs| Context { beliefs, search, settings: &chosen.settings };
    match chosen.algorithm.maker {
        Maker::Policy => Ok(point(best_of(search, &weights))),
        Maker::Believing(make) => {
            let acquisition = make(&context(&believing))?;
            Ok(point(best_of(search, &Weighted(acquisition.as_ref(), &weights))))
        }
        Maker::Sampling(make) => {
            let acquisition = make(&context(beliefs))?;
            Ok(point(best_of(search, &Weighted(acquisition.as_ref(), &weights))))
        }
        Maker::Direct { direct, otherwise } => {
            if let Some(candidate) = direct(&context(&believing), &weights)?
                && let Some(point) = search.open(&candidate.coordinates)
            {
                return Ok(Some(point));
            }
            let acquisition = otherwise(&context(&believing))?;
            Ok(point(best_of(search, &Weighted(acquisition.as_ref(), &weights))))
        }
    }
}

/// The q points that a chosen algorithm wants next; fewer where every point it saw is taken. They are chosen one by one,
/// each with those before it awaited, and where the algorithm says what a batch is worth as a whole and that is cheap,
/// all of them are then moved together. The first one alone is that of [`propose`] up to that move.
///
/// # Errors
/// As [`propose`].
pub fn propose_batch(
    chosen: &Chosen,
    beliefs: &Beliefs<'_>,
    search: &Search<'_>,
    q: usize,
) -> Result<Vec<Point>, SurrogateError> {
    let space = search.space;
    let keys: RefCell<Vec<PointKey>> = RefCell::new(Vec::with_capacity(q));
    let taken = |key: &PointKey| (search.taken)(key) || keys.borrow().contains(key);
    let mut awaiting = beliefs.clone();
    let mut points = Vec::with_capacity(q);
    for k in 0..q as u64 {
        let seed = if k == 0 { search.seed } else { mix(search.seed ^ mix(k)) };
        let one = Search { taken: &taken, seed, ..*search };
        let Some(point) = propose(chosen, &awaiting, &one)? else { break };
        keys.borrow_mut().push(space.canonical(&point));
        awaiting.pending.extend(space.encode(&point));
        points.push(point);
    }
    let observations = beliefs.objectives.first().map_or(0, |process| process.observations());
    let Some(jointly) = chosen.algorithm.jointly else { return Ok(points) };
    if !batch::is_cheap(search, points.len(), observations) || beliefs.objectives.is_empty() {
        return Ok(points);
    }
    let believing = beliefs.believing_pending();
    let weights = weights(&believing);
    let (q, settings) = (points.len(), &chosen.settings);
    let together = Together { beliefs, believing: &believing, search, settings, weights: &weights, q };
    let Some(worth) = jointly(&together)? else { return Ok(points) };
    let places: Vec<f64> = points.iter().flat_map(|point| space.encode(point)).collect();
    let moved = batch::climb(search, worth.as_ref(), &places);
    let open: Vec<Point> =
        moved.chunks_exact(space.dimension().max(1)).filter_map(|x| search.open(x)).collect();
    let apart = |(i, point): (usize, &Point)| {
        open[..i].iter().all(|other| space.canonical(other) != space.canonical(point))
    };
    if open.len() == q && open.iter().enumerate().all(apart) { Ok(open) } else { Ok(points) }
}

/// The logarithms of the probability of feasibility, and of one over the cost.
fn weights<'a>(beliefs: &'a Beliefs<'_>) -> Sum<'a> {
    let mut weights = beliefs.feasibility();
    if let Some((process, spread)) = &beliefs.cost {
        weights.0.push(Box::new(PerCost { process, spread: *spread }));
    }
    weights
}

/// An acquisition and its weights.
struct Weighted<'a>(&'a dyn Acquisition, &'a Sum<'a>);

impl Acquisition for Weighted<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        self.0.value(x) + self.1.value(x)
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        self.0.value_with_gradient(x, gradient) + self.1.value_with_gradient(x, gradient)
    }

    fn rate(&self, points: &[f64], values: &mut [f64]) {
        self.0.rate(points, values);
        let mut of_weights = vec![0.0; values.len()];
        self.1.rate(points, &mut of_weights);
        values.iter_mut().zip(&of_weights).for_each(|(value, weight)| *value += weight);
    }
}

/// −E[ln cost], up to a constant: what is maximized is the gain per unit of cost (Snoek, Larochelle & Adams, arXiv
/// 1206.2944, §3.2).
pub struct PerCost<'a> {
    /// The process over the standardized logarithm of a trial's cost.
    pub process: &'a GaussianProcess,
    /// What one unit of the standardized logarithm is worth.
    pub spread: f64,
}

impl Acquisition for PerCost<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        -self.spread * self.process.mean(x)
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let mut of_mean = vec![0.0; x.len()];
        let mean = self.process.mean_with_gradient(x, &mut of_mean);
        gradient.iter_mut().zip(&of_mean).for_each(|(g, of_mean)| *g -= self.spread * of_mean);
        -self.spread * mean
    }
}
