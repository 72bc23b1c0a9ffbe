//! Bounded quasi-Newton minimization: a projected L-BFGS as an argmin [`Solver`].
//!
//! Needs the value and the gradient of a function, and a box. argmin has no gradient method with bounds; measured
//! against its unbounded L-BFGS on a transformed box and against a port of L-BFGS-B, this one takes about as few
//! evaluations as the best of them (`docs/decisions/optimizers.md`).
//!
//! Each iteration holds the variables that sit at a bound and would be pushed through it, takes the two-loop direction
//! of L-BFGS (Nocedal & Wright, *Numerical Optimization*, 2006, algorithm 7.4) in the others, and searches along the
//! projected path with Armijo's rule (Bertsekas, *SIAM J. Control Optim.* 20, 1982). Cost an iteration: one to some
//! evaluations, and O(m·d) for a memory of m pairs.

use std::cell::RefCell;
use std::collections::VecDeque;

use argmin::core::{
    CostFunction, Error, Executor, Gradient, IterState, KV, Problem, Solver, TerminationReason,
    TerminationStatus,
};

/// A function to be minimized: returns its value at `x` and writes its gradient there.
pub trait Differentiable {
    /// The value at `x`; `gradient` has the same length. A value that is not finite counts as infinitely bad.
    fn evaluate(&self, x: &[f64], gradient: &mut [f64]) -> f64;
}

impl<F: Fn(&[f64], &mut [f64]) -> f64> Differentiable for F {
    fn evaluate(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        self(x, gradient)
    }
}

/// A box, and when to stop inside it.
#[derive(Clone, Debug)]
pub struct Bounds<'a> {
    /// Least values.
    pub lower: &'a [f64],
    /// Greatest values; not below `lower`. Equal ones hold a variable.
    pub upper: &'a [f64],
    /// Most iterations.
    pub iterations: u64,
    /// Stop when two iterations in a row improve by less than this, relative to the value's size.
    pub tolerance: f64,
}

/// Where a minimization stands, with what it has learned of the function's curvature.
#[derive(Clone, Debug)]
pub struct Minimum {
    /// The place.
    pub x: Vec<f64>,
    /// The value there.
    pub value: f64,
    gradient: Vec<f64>,
    progress: Progress,
}

/// Minimizes `function` in a box from `start` (moved into the box). Never worse than the start.
pub fn minimize(function: &dyn Differentiable, start: &[f64], bounds: &Bounds<'_>) -> Minimum {
    let start: Vec<f64> =
        start.iter().enumerate().map(|(i, &x)| x.clamp(bounds.lower[i], bounds.upper[i])).collect();
    Minimum::at(function, start).go_on(function, bounds)
}

impl Minimum {
    /// Goes on where a minimization of the same function ended.
    #[must_use]
    pub fn go_on(self, function: &dyn Differentiable, bounds: &Bounds<'_>) -> Self {
        if self.progress.converged || !self.value.is_finite() {
            return self;
        }
        let known = (self.x.clone(), self.value, self.gradient.clone());
        let problem = Cached { function, last: RefCell::new(Some(known)) };
        let solver = ProjectedLbfgs { bounds, progress: self.progress };
        let run = Executor::new(problem, solver)
            .timer(false)
            .configure(|state| state.param(self.x.clone()).max_iters(bounds.iterations))
            .run();
        // Neither the function nor the solver returns an error; should argmin, the start is what is left.
        match run {
            Ok(mut result) => Self {
                value: result.state.best_cost,
                gradient: result.state.take_gradient().unwrap_or(self.gradient),
                x: result.state.best_param.unwrap_or(self.x),
                progress: result.solver.progress,
            },
            Err(_) => Self { progress: Progress::default(), ..self },
        }
    }

    /// Minimizes another function of about the same curvature from here, or from one of some other starts where that is
    /// better.
    #[must_use]
    pub fn change(&self, function: &dyn Differentiable, starts: &[Vec<f64>], bounds: &Bounds<'_>) -> Self {
        let here = Self::at(function, self.x.clone());
        let others = starts.iter().map(|start| Self::at(function, start.clone()));
        if let Some(there) = others.min_by(|a, b| a.value.total_cmp(&b.value))
            && there.value < here.value
        {
            return there.go_on(function, bounds);
        }
        let progress = Progress { pairs: self.progress.pairs.clone(), ..Progress::default() };
        Self { progress, ..here }.go_on(function, bounds)
    }

    fn at(function: &dyn Differentiable, x: Vec<f64>) -> Self {
        let mut gradient = vec![0.0; x.len()];
        let value = evaluate(function, &x, &mut gradient);
        Self { x, value, gradient, progress: Progress::default() }
    }
}

/// The value, and the gradient written; infinite with a gradient of 0 where one of them is not finite.
fn evaluate(function: &dyn Differentiable, x: &[f64], gradient: &mut [f64]) -> f64 {
    let value = function.evaluate(x, gradient);
    if value.is_finite() && gradient.iter().all(|g| g.is_finite()) {
        return value;
    }
    gradient.fill(0.0);
    f64::INFINITY
}

/// A place, the value there, and the gradient.
type Evaluation = (Vec<f64>, f64, Vec<f64>);

/// argmin asks for value and gradient separately; both come from one evaluation.
struct Cached<'a> {
    function: &'a dyn Differentiable,
    last: RefCell<Option<Evaluation>>,
}

impl Cached<'_> {
    fn at(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let mut last = self.last.borrow_mut();
        if let Some((at, value, gradient)) = last.as_ref()
            && at == x
        {
            return (*value, gradient.clone());
        }
        let mut gradient = vec![0.0; x.len()];
        let value = evaluate(self.function, x, &mut gradient);
        *last = Some((x.to_vec(), value, gradient.clone()));
        (value, gradient)
    }
}

impl CostFunction for Cached<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, x: &Vec<f64>) -> Result<f64, Error> {
        Ok(self.at(x).0)
    }
}

impl Gradient for Cached<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.at(x).1)
    }
}

/// How many pairs of steps and gradient changes the curvature memory holds.
const MEMORY: usize = 10;
/// Share of the linear prediction that a step must gain (Armijo).
const SUFFICIENT_DECREASE: f64 = 1e-4;
/// Most halvings of a step.
const MOST_HALVINGS: usize = 25;

/// What a solver keeps between iterations.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// The curvature memory: steps, and how the gradient changed along them.
    pairs: VecDeque<(Vec<f64>, Vec<f64>)>,
    /// The last iteration improved by less than the tolerance: one alone may be a bad step.
    stalled: bool,
    converged: bool,
}

/// The solver.
struct ProjectedLbfgs<'a> {
    bounds: &'a Bounds<'a>,
    progress: Progress,
}

type Iteration = IterState<Vec<f64>, Vec<f64>, (), (), (), f64>;

impl ProjectedLbfgs<'_> {
    /// Whether variable `i` may move against its gradient.
    fn is_free(&self, i: usize, x: f64, gradient: f64) -> bool {
        let at_lower = x <= self.bounds.lower[i] && gradient > 0.0;
        let at_upper = x >= self.bounds.upper[i] && gradient < 0.0;
        !(at_lower || at_upper) && self.bounds.lower[i] < self.bounds.upper[i]
    }

    /// The two-loop recursion in the free variables; steepest descent where that does not descend.
    fn direction(&mut self, gradient: &[f64], free: &[bool]) -> Vec<f64> {
        let masked: Vec<f64> = gradient.iter().zip(free).map(|(&g, &f)| if f { g } else { 0.0 }).collect();
        let dot = |a: &[f64], b: &[f64]| -> f64 {
            a.iter().zip(b).zip(free).filter(|(_, f)| **f).map(|((x, y), _)| x * y).sum()
        };
        let mut direction = masked.clone();
        let mut weights = Vec::with_capacity(self.progress.pairs.len());
        let mut scale = None;
        for (step, change) in self.progress.pairs.iter().rev() {
            let curvature = dot(step, change);
            if curvature <= 0.0 {
                weights.push(None);
                continue;
            }
            scale.get_or_insert(curvature / dot(change, change));
            let alpha = dot(step, &direction) / curvature;
            direction.iter_mut().zip(change).for_each(|(d, y)| *d -= alpha * y);
            weights.push(Some((alpha, curvature)));
        }
        let scale = scale.unwrap_or_else(|| {
            // Without curvature the first step goes a tenth of the box along the steepest variable.
            let steepest = masked.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
            let width = (0..free.len())
                .filter(|&i| free[i])
                .map(|i| self.bounds.upper[i] - self.bounds.lower[i])
                .fold(0.0_f64, f64::max);
            if steepest > 0.0 { (0.1 * width / steepest).min(1.0) } else { 1.0 }
        });
        direction.iter_mut().for_each(|d| *d *= scale);
        for ((step, change), weight) in self.progress.pairs.iter().zip(weights.into_iter().rev()) {
            if let Some((alpha, curvature)) = weight {
                let beta = dot(change, &direction) / curvature;
                direction.iter_mut().zip(step).for_each(|(d, s)| *d += (alpha - beta) * s);
            }
        }
        direction.iter_mut().zip(free).for_each(|(d, &f)| *d = if f { -*d } else { 0.0 });
        if dot(&direction, &masked) >= 0.0 {
            self.progress.pairs.clear();
            direction = masked.iter().map(|g| -g).collect();
        }
        direction
    }

    fn project(&self, x: &[f64], step: f64, direction: &[f64]) -> Vec<f64> {
        (0..x.len())
            .map(|i| (x[i] + step * direction[i]).clamp(self.bounds.lower[i], self.bounds.upper[i]))
            .collect()
    }
}

impl<O> Solver<O, Iteration> for ProjectedLbfgs<'_>
where
    O: CostFunction<Param = Vec<f64>, Output = f64> + Gradient<Param = Vec<f64>, Gradient = Vec<f64>>,
{
    fn name(&self) -> &'static str {
        "projected L-BFGS"
    }

    fn init(
        &mut self,
        problem: &mut Problem<O>,
        mut state: Iteration,
    ) -> Result<(Iteration, Option<KV>), Error> {
        let x = state.take_param().unwrap_or_default();
        let value = problem.cost(&x)?;
        let gradient = problem.gradient(&x)?;
        self.progress.converged = !value.is_finite();
        Ok((state.param(x).cost(value).gradient(gradient), None))
    }

    fn next_iter(
        &mut self,
        problem: &mut Problem<O>,
        mut state: Iteration,
    ) -> Result<(Iteration, Option<KV>), Error> {
        let x = state.take_param().unwrap_or_default();
        let gradient = state.take_gradient().unwrap_or_default();
        let value = state.get_cost();
        let free: Vec<bool> = (0..x.len()).map(|i| self.is_free(i, x[i], gradient[i])).collect();
        let direction = self.direction(&gradient, &free);
        let mut step = 1.0;
        for _ in 0..MOST_HALVINGS {
            let next = self.project(&x, step, &direction);
            let slope: f64 = (0..x.len()).map(|i| gradient[i] * (next[i] - x[i])).sum();
            if slope >= 0.0 {
                break;
            }
            let next_value = problem.cost(&next)?;
            if next_value <= value + SUFFICIENT_DECREASE * slope {
                let next_gradient = problem.gradient(&next)?;
                let moved: Vec<f64> = next.iter().zip(&x).map(|(a, b)| a - b).collect();
                let change: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
                let curvature: f64 = moved.iter().zip(&change).map(|(s, y)| s * y).sum();
                let size: f64 = change.iter().map(|y| y * y).sum();
                if curvature > f64::EPSILON * size {
                    if self.progress.pairs.len() == MEMORY {
                        self.progress.pairs.pop_front();
                    }
                    self.progress.pairs.push_back((moved, change));
                }
                let stalls = value - next_value <= self.bounds.tolerance * (1.0 + value.abs());
                self.progress.converged = stalls && self.progress.stalled;
                self.progress.stalled = stalls;
                return Ok((state.param(next).cost(next_value).gradient(next_gradient), None));
            }
            // The minimum of the parabola through the two values and the slope, kept within a tenth and a half.
            let parabola = -0.5 * slope / (next_value - value - slope);
            step *= if parabola.is_finite() { parabola.clamp(0.1, 0.5) } else { 0.1 };
        }
        // No step along a fresh steepest descent improves: this is a minimum as far as can be computed.
        self.progress.converged = self.progress.pairs.is_empty();
        self.progress.pairs.clear();
        Ok((state.param(x).cost(value).gradient(gradient), None))
    }

    fn terminate(&mut self, _: &Iteration) -> TerminationStatus {
        if self.progress.converged {
            TerminationStatus::Terminated(TerminationReason::SolverConverged)
        } else {
            TerminationStatus::NotTerminated
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rosenbrock's valley in d dimensions; minimum 0 at (1, …, 1).
    fn rosenbrock(x: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let mut value = 0.0;
        for i in 0..x.len() - 1 {
            let (a, b) = (x[i + 1] - x[i] * x[i], 1.0 - x[i]);
            value += 100.0 * a * a + b * b;
            gradient[i] += -400.0 * a * x[i] - 2.0 * b;
            gradient[i + 1] += 200.0 * a;
        }
        value
    }

    #[test]
    fn follows_a_valley_to_its_end() {
        let bounds = Bounds { lower: &[-5.0; 5], upper: &[10.0; 5], iterations: 500, tolerance: 1e-15 };
        let minimum = minimize(&rosenbrock, &[2.0, 3.0, 0.5, 3.0, 4.0], &bounds);
        assert!(minimum.value < 1e-10, "{minimum:?}");
    }

    #[test]
    fn stops_at_an_active_bound() {
        // Within x ≤ 0.5 the best of Rosenbrock's valley in two dimensions is at (0.5, 0.25).
        let bounds = Bounds { lower: &[-2.0; 2], upper: &[0.5, 2.0], iterations: 500, tolerance: 1e-15 };
        let minimum = minimize(&rosenbrock, &[-1.0, 1.5], &bounds);
        assert!((minimum.x[0] - 0.5).abs() < 1e-12 && (minimum.x[1] - 0.25).abs() < 1e-6, "{minimum:?}");
    }

    #[test]
    fn survives_functions_that_are_nowhere_finite() {
        let bounds = Bounds { lower: &[0.0], upper: &[1.0], iterations: 10, tolerance: 1e-9 };
        let minimum = minimize(&|_: &[f64], _: &mut [f64]| f64::NAN, &[0.3], &bounds);
        assert_eq!(minimum.x, [0.3]);
    }
}
