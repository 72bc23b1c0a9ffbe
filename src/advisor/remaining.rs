//! What is left to gain: what the next trial is expected to bring, in the metric's own units. Where that is less than a
//! trial costs, it is time to stop (the expected improvement as a stopping rule: Nguyen et al., *Regret for Expected
//! Improvement over the Best-Observed Value and Stopping Condition*, ACML 2017).

use super::beliefs::{Belief, is_feasible};
use super::history::{History, Seen, Standing};
use super::suggest::{AROUND, seed};
use crate::acquisition::{Acquisition, Search, Sum, maximize};
use crate::space::Point;
use crate::study::{Definition, Direction, Goal};
use crate::surrogate::GaussianProcess;

/// What one more trial is expected to gain.
#[derive(Clone, Debug)]
pub struct Remaining {
    /// The objective.
    pub metric: String,
    /// E[max(0, f(x) − f*)] P(feasible) in the objective's own units, not negative: x is where the improvement promises
    /// most, f* the best posterior median at a feasible trial.
    pub improvement: f64,
    /// The probability that f(x) is better than f*, and feasible.
    pub probability: f64,
    /// x.
    pub point: Point,
}

/// How a point is judged as the next trial, where there is one objective and something feasible.
pub(super) struct Worth<'a> {
    metric: &'a str,
    sign: f64,
    belief: &'a Belief,
    /// Of each of its processes.
    incumbents: Vec<f64>,
    /// With their bounds.
    constraints: Vec<(&'a Belief, f64, f64)>,
    /// The best feasible trials, best first.
    around: Vec<Vec<f64>>,
}

impl<'a> Worth<'a> {
    /// Of beliefs about the metrics, in the order of the definition.
    pub(super) fn of(
        definition: &'a Definition,
        told: &[(usize, &Seen)],
        beliefs: &'a [Option<Belief>],
    ) -> Option<Self> {
        let mut objectives = definition.objectives();
        let objective = objectives.next()?;
        if objectives.next().is_some() {
            return None;
        }
        let sign = objective.direction().map(Direction::sign)?;
        let at = definition.metrics().iter().position(|metric| metric.name == objective.name)?;
        let belief = beliefs.get(at)?.as_ref()?;
        let places = told.iter().filter_map(|(_, seen)| match &seen.standing {
            Standing::Completed(metrics) if is_feasible(definition, metrics) => seen.coordinates.as_deref(),
            _ => None,
        });
        let incumbents = belief.incumbents(places.clone())?;
        let mut feasible: Vec<(f64, &[f64])> = places.map(|x| (belief.mean(x), x)).collect();
        feasible.sort_by(|a, b| b.0.total_cmp(&a.0));
        let around = feasible.iter().take(AROUND).map(|(_, x)| x.to_vec()).collect();
        let bounded = definition.metrics().iter().zip(beliefs).filter_map(|(metric, belief)| {
            let (Goal::Constrain { lower, upper }, Some(belief)) = (metric.goal, belief) else { return None };
            Some((belief, lower, upper))
        });
        let constraints = bounded.collect();
        Some(Self { metric: &objective.name, sign, belief, incumbents, constraints, around })
    }

    /// ln EI weighted by feasibility.
    pub(super) fn acquisition(&self) -> Sum<'_> {
        let mut terms = vec![self.belief.improvement(&self.incumbents)];
        terms.extend(self.feasibility());
        Sum(terms)
    }

    /// ln P(feasible), a term a constraint.
    fn feasibility(&self) -> impl Iterator<Item = Box<dyn Acquisition + '_>> {
        self.constraints.iter().map(|(belief, lower, upper)| belief.feasibility(*lower, *upper))
    }

    /// What is left to gain; `None` where every point is taken.
    pub(super) fn remaining(&self, definition: &Definition, history: &History) -> Option<Remaining> {
        let space = definition.space();
        let search = Search {
            space,
            around: &self.around,
            taken: &|key| history.is_taken(key),
            region: None,
            seed: seed(definition, "remaining", history.len()),
        };
        let point = maximize(&search, &self.acquisition())?;
        let x = space.encode(&point);
        let scale = &self.belief.scale;
        let of_process = |(process, incumbent): (&GaussianProcess, &f64)| {
            let (at, best) = (process.predict(&x), scale.undo(*incumbent));
            gain(at.mean, at.sd, |y| self.sign * (scale.undo(y) - best))
        };
        let processes = self.belief.processes();
        let gains: Vec<(f64, f64)> = processes.iter().zip(&self.incumbents).map(of_process).collect();
        let feasible: f64 = self.feasibility().map(|bound| bound.value(&x).exp()).product();
        #[allow(clippy::cast_precision_loss)]
        let share = feasible / gains.len() as f64;
        let improvement = share * gains.iter().map(|(improvement, _)| improvement).sum::<f64>();
        let probability = share * gains.iter().map(|(_, probability)| probability).sum::<f64>();
        let metric = self.metric.to_owned();
        improvement.is_finite().then_some(Remaining { metric, improvement, probability, point })
    }
}

/// E[max(0, g(y))] and P(g(y) > 0) of a normal y: by the midpoint rule out to 8 standard deviations.
fn gain(mean: f64, sd: f64, gained: impl Fn(f64) -> f64) -> (f64, f64) {
    const STEP: f64 = 0.05;
    let (mut sum, mut expected, mut better) = (0.0, 0.0, 0.0);
    for k in -160..160_i32 {
        let z = (f64::from(k) + 0.5) * STEP;
        let weight = (-0.5 * z * z).exp();
        let by = gained(mean + z * sd);
        sum += weight;
        if by > 0.0 {
            expected += weight * by;
            better += weight;
        }
    }
    (expected / sum, better / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gain_is_the_expected_improvement() {
        for (mean, sd) in [(0.3_f64, 0.5_f64), (-1.0, 0.4), (2.0, 1e-9), (-0.2, 2.0)] {
            let z = mean / sd;
            let cumulative = 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
            let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let (improvement, probability) = gain(mean, sd, |y| y);
            assert!((improvement - (mean * cumulative + sd * density)).abs() < 1e-3 * sd, "{mean} {sd}");
            assert!((probability - cumulative).abs() < 0.01, "{mean} {sd}");
        }
    }
}
