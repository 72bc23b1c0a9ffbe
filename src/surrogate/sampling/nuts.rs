//! The No-U-Turn sampler: Hamiltonian trajectories that end where they would turn back.
//!
//! Algorithm: Hoffman & Gelman, *The No-U-Turn Sampler*, JMLR 15, 2014 (step size by dual averaging, algorithm 5), with
//! states drawn from a trajectory by their weights and the turn told by the sum of momenta (Betancourt, *A Conceptual
//! Introduction to Hamiltonian Monte Carlo*, arXiv 1701.02434, appendix A). The metric is diagonal, and learned while
//! warming up.
//!
//! Needs the log density and its gradient, finite around the start; where they are not finite, a trajectory ends.
//! Every evaluation is counted, and sampling ends when they are used up. Fails slowly, not wrongly, where scales differ
//! by place (funnels): state such densities in other variables.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::quasi_newton::Differentiable;
use crate::surrogate::kernel::normal;

/// How long to sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Draws while the step size and the metric are learned; none of them is kept.
    pub(super) warm_up: usize,
    /// Draws that are kept.
    pub(super) draws: usize,
    /// A trajectory has at most 2 to the power of this steps.
    pub(super) depth: u32,
    /// Most evaluations of the density.
    pub(super) evaluations: usize,
}

/// Acceptance that the step size is adapted to.
const TARGET: f64 = 0.8;
/// Dual averaging: γ, t₀, κ (Hoffman & Gelman, §3.2).
const SHRINKAGE: f64 = 0.05;
const DELAY: f64 = 10.0;
const DECAY: f64 = 0.75;
/// An energy that grew by more has diverged.
const DIVERGED: f64 = 1000.0;
/// Draws that the metric's variances are drawn towards 1 by.
const PRIOR_DRAWS: f64 = 5.0;

/// A place with its log density, and a momentum.
#[derive(Clone)]
struct State {
    x: Vec<f64>,
    momentum: Vec<f64>,
    gradient: Vec<f64>,
    log_density: f64,
}

/// A part of a trajectory.
struct Tree {
    /// Its ends, backward and forward in time.
    ends: [State; 2],
    /// The state that was drawn from it.
    drawn: State,
    /// ln of the sum of its states' weights.
    log_weight: f64,
    /// The sum of its momenta.
    total: Vec<f64>,
    /// Whether it turned back, diverged or was cut short: nothing is drawn from beyond.
    is_over: bool,
    /// The acceptance probabilities of its states, summed, and how many there are.
    acceptance: f64,
    count: f64,
}

struct Sampler<'a> {
    density: &'a dyn Differentiable,
    /// Diagonal of the metric's inverse: the variances.
    variances: Vec<f64>,
    step: f64,
    left: usize,
    rng: ChaCha8Rng,
}

/// Draws from a density whose logarithm, up to a constant, is `density`, in their order. Fewer than planned where the
/// evaluations are used up, none where the density is not finite at `start`.
pub(super) fn sample(density: &dyn Differentiable, start: &[f64], plan: &Plan, seed: u64) -> Vec<Vec<f64>> {
    let d = start.len();
    let mut sampler = Sampler {
        density,
        variances: vec![1.0; d],
        step: 0.1,
        left: plan.evaluations,
        rng: ChaCha8Rng::seed_from_u64(seed),
    };
    let mut gradient = vec![0.0; d];
    let log_density = sampler.evaluate(start, &mut gradient);
    let mut state = State { x: start.to_vec(), momentum: vec![0.0; d], gradient, log_density };
    if !log_density.is_finite() {
        return Vec::new();
    }
    sampler.guess_step(&state);
    let mut averaging = DualAveraging::new(sampler.step);
    // The metric is of the draws in the middle of the warm-up: after the way in, and with time to suit the step to it.
    let (first, last) = (plan.warm_up / 4, plan.warm_up * 3 / 4);
    let mut spread = Spread::new(d);
    for index in 0..plan.warm_up {
        let Some(acceptance) = sampler.advance(&mut state, plan.depth) else { return Vec::new() };
        sampler.step = averaging.update(acceptance);
        if (first..last).contains(&index) {
            spread.add(&state.x);
        }
        if index + 1 == last {
            sampler.variances = spread.variances();
            sampler.guess_step(&state);
            averaging = DualAveraging::new(sampler.step);
        }
    }
    sampler.step = averaging.end();
    let mut draws = Vec::with_capacity(plan.draws);
    while draws.len() < plan.draws && sampler.advance(&mut state, plan.depth).is_some() {
        draws.push(state.x.clone());
    }
    draws
}

impl Sampler<'_> {
    /// The log density, −∞ where it or its gradient is not finite.
    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> f64 {
        self.left = self.left.saturating_sub(1);
        let value = self.density.evaluate(x, gradient);
        let is_finite = value.is_finite() && gradient.iter().all(|g| g.is_finite());
        if is_finite { value } else { f64::NEG_INFINITY }
    }

    /// The negative energy: the log density less ½ pᵀM⁻¹p.
    fn joint(&self, state: &State) -> f64 {
        let kinetic: f64 = state.momentum.iter().zip(&self.variances).map(|(p, v)| p * p * v).sum();
        state.log_density - 0.5 * kinetic
    }

    fn draw_momentum(&mut self, state: &mut State) {
        for (p, variance) in state.momentum.iter_mut().zip(&self.variances) {
            *p = normal(&mut self.rng) / variance.sqrt();
        }
    }

    /// One leapfrog step.
    fn leap(&mut self, from: &State, direction: f64) -> State {
        let step = direction * self.step;
        let mut to = from.clone();
        for i in 0..to.x.len() {
            to.momentum[i] += 0.5 * step * to.gradient[i];
            to.x[i] += step * self.variances[i] * to.momentum[i];
        }
        to.log_density = self.evaluate(&to.x, &mut to.gradient);
        if to.log_density.is_finite() {
            to.momentum.iter_mut().zip(&to.gradient).for_each(|(p, g)| *p += 0.5 * step * g);
        }
        to
    }

    /// Doubles or halves the step until one's acceptance crosses the target (Hoffman & Gelman, algorithm 4).
    fn guess_step(&mut self, state: &State) {
        let mut from = state.clone();
        self.draw_momentum(&mut from);
        let before = self.joint(&from);
        let mut rises = None;
        for _ in 0..20 {
            if self.left == 0 {
                break;
            }
            let to = self.leap(&from, 1.0);
            let is_good = self.joint(&to) - before > TARGET.ln();
            if rises.is_some_and(|rises| rises != is_good) {
                break;
            }
            rises = Some(is_good);
            self.step *= if is_good { 2.0 } else { 0.5 };
        }
    }

    /// The next state; returns the mean acceptance of the trajectory, `None` where the evaluations are used up.
    fn advance(&mut self, state: &mut State, depth: u32) -> Option<f64> {
        self.draw_momentum(state);
        let energy = self.joint(state);
        let mut tree = Tree {
            ends: [state.clone(), state.clone()],
            drawn: state.clone(),
            log_weight: 0.0,
            total: state.momentum.clone(),
            is_over: false,
            acceptance: 0.0,
            count: 0.0,
        };
        for level in 0..depth {
            if self.left == 0 {
                return None;
            }
            let forward = self.rng.random::<bool>();
            let other = self.grow(&tree.ends[usize::from(forward)], forward, level, energy);
            let is_open = !other.is_over;
            // A later part is preferred, which moves further.
            let preference = (other.log_weight - tree.log_weight).exp();
            let is_drawn = is_open && self.rng.random::<f64>() < preference;
            tree = self.join(tree, other, forward, is_drawn);
            if !is_open || tree.is_over {
                break;
            }
        }
        *state = tree.drawn;
        Some(tree.acceptance / tree.count.max(1.0))
    }

    /// 2 to the power of `level` steps on from `from`.
    fn grow(&mut self, from: &State, forward: bool, level: u32, energy: f64) -> Tree {
        if level == 0 {
            let state = self.leap(from, if forward { 1.0 } else { -1.0 });
            let log_weight = self.joint(&state) - energy;
            let log_weight = if log_weight.is_nan() { f64::NEG_INFINITY } else { log_weight };
            return Tree {
                total: state.momentum.clone(),
                ends: [state.clone(), state.clone()],
                drawn: state,
                log_weight,
                is_over: log_weight < -DIVERGED || self.left == 0,
                acceptance: log_weight.min(0.0).exp(),
                count: 1.0,
            };
        }
        let near = self.grow(from, forward, level - 1, energy);
        if near.is_over {
            return near;
        }
        let far = self.grow(&near.ends[usize::from(forward)], forward, level - 1, energy);
        let share = (far.log_weight - log_add(near.log_weight, far.log_weight)).exp();
        let is_drawn = !far.is_over && self.rng.random::<f64>() < share;
        let is_over = far.is_over;
        let mut tree = self.join(near, far, forward, is_drawn);
        tree.is_over |= is_over;
        tree
    }

    /// Two parts of a trajectory as one; the second goes on from the first, and its draw is taken where `is_drawn`.
    fn join(&self, first: Tree, second: Tree, forward: bool, is_drawn: bool) -> Tree {
        let total: Vec<f64> = first.total.iter().zip(&second.total).map(|(a, b)| a + b).collect();
        let [backward_end, forward_end] = first.ends;
        let [other_backward, other_forward] = second.ends;
        let ends = if forward { [backward_end, other_forward] } else { [other_backward, forward_end] };
        let along = |end: &State| -> f64 {
            end.momentum.iter().zip(&total).zip(&self.variances).map(|((p, t), v)| p * t * v).sum()
        };
        let is_over = ends.iter().any(|end| along(end) <= 0.0);
        Tree {
            ends,
            drawn: if is_drawn { second.drawn } else { first.drawn },
            log_weight: log_add(first.log_weight, second.log_weight),
            total,
            is_over,
            acceptance: first.acceptance + second.acceptance,
            count: first.count + second.count,
        }
    }
}

/// ln(eᵃ + eᵇ).
fn log_add(a: f64, b: f64) -> f64 {
    let most = a.max(b);
    if most == f64::NEG_INFINITY { most } else { most + (-(a - b).abs()).exp().ln_1p() }
}

/// The step size by dual averaging.
struct DualAveraging {
    centre: f64,
    error: f64,
    log_average: f64,
    count: f64,
}

impl DualAveraging {
    fn new(step: f64) -> Self {
        Self { centre: (10.0 * step).ln(), error: 0.0, log_average: step.ln(), count: 0.0 }
    }

    fn update(&mut self, acceptance: f64) -> f64 {
        self.count += 1.0;
        let share = 1.0 / (self.count + DELAY);
        self.error += share * (TARGET - acceptance - self.error);
        let log_step = self.centre - self.count.sqrt() / SHRINKAGE * self.error;
        self.log_average += self.count.powf(-DECAY) * (log_step - self.log_average);
        log_step.exp()
    }

    fn end(&self) -> f64 {
        self.log_average.exp()
    }
}

/// Running variances (Welford 1962).
struct Spread {
    count: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Spread {
    fn new(d: usize) -> Self {
        Self { count: 0.0, mean: vec![0.0; d], squares: vec![0.0; d] }
    }

    fn add(&mut self, x: &[f64]) {
        self.count += 1.0;
        for (i, x) in x.iter().enumerate() {
            let off = x - self.mean[i];
            self.mean[i] += off / self.count;
            self.squares[i] += off * (x - self.mean[i]);
        }
    }

    fn variances(&self) -> Vec<f64> {
        self.squares.iter().map(|square| (square + PRIOR_DRAWS) / (self.count + PRIOR_DRAWS)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { warm_up: 300, draws: 8000, depth: 8, evaluations: 1_000_000 };

    fn mean(draws: &[Vec<f64>], of: impl Fn(&[f64]) -> f64) -> f64 {
        draws.iter().map(|x| of(x)).sum::<f64>() / draws.len() as f64
    }

    #[test]
    fn a_correlated_normal_density_has_its_moments() {
        // Standard deviations 2 and 0.1 with correlation 0.8 around (1, −2).
        let (s, t, r) = (2.0, 0.1, 0.8);
        let density = |x: &[f64], gradient: &mut [f64]| {
            let (a, b) = ((x[0] - 1.0) / s, (x[1] + 2.0) / t);
            let scale = 1.0 / (1.0 - r * r);
            gradient[0] = -scale * (a - r * b) / s;
            gradient[1] = -scale * (b - r * a) / t;
            -0.5 * scale * (a * a - 2.0 * r * a * b + b * b)
        };
        let draws = sample(&density, &[0.0, 0.0], &PLAN, 7);
        assert_eq!(draws.len(), PLAN.draws);
        assert!((mean(&draws, |x| x[0]) - 1.0).abs() < 0.15);
        assert!((mean(&draws, |x| x[1]) + 2.0).abs() < 0.01);
        assert!((mean(&draws, |x| (x[0] - 1.0).powi(2)) / 4.0 - 1.0).abs() < 0.1);
        assert!((mean(&draws, |x| (x[1] + 2.0).powi(2)) / 0.01 - 1.0).abs() < 0.1);
        assert!((mean(&draws, |x| (x[0] - 1.0) * (x[1] + 2.0)) / (r * s * t) - 1.0).abs() < 0.1);
    }

    #[test]
    fn exponential_tails_have_their_quantiles() {
        // The hyperbolic secant: the logarithm of a half-Cauchy variable. P(x < ln tan(πq/2)) = q.
        let density = |x: &[f64], gradient: &mut [f64]| {
            gradient[0] = -x[0].tanh();
            -x[0].cosh().ln()
        };
        let draws = sample(&density, &[3.0], &PLAN, 1);
        for q in [0.05, 0.25, 0.5, 0.75, 0.95] {
            let quantile = (std::f64::consts::FRAC_PI_2 * q).tan().ln();
            let below = mean(&draws, |x| f64::from(u8::from(x[0] < quantile)));
            assert!((below - q).abs() < 0.02, "{below} below the quantile {q}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_draws_and_no_more_evaluations_than_allowed() {
        let count = std::cell::Cell::new(0);
        let density = |x: &[f64], gradient: &mut [f64]| {
            count.set(count.get() + 1);
            gradient[0] = -x[0];
            -0.5 * x[0] * x[0]
        };
        let plan = Plan { warm_up: 20, evaluations: 500, ..PLAN };
        let draws = sample(&density, &[0.3], &plan, 3);
        assert!(count.get() <= 500 && !draws.is_empty() && draws.len() < plan.draws);
        assert_eq!(draws, sample(&density, &[0.3], &plan, 3));
        assert!(sample(&|_: &[f64], _: &mut [f64]| f64::NAN, &[0.3], &PLAN, 3).is_empty());
    }
}
