//! Whether linear constraints leave any point: a feasible anchor, or the proof that there is none.
//!
//! First some low-discrepancy points are projected. Where none lands, a mixed-integer program is solved for each
//! pattern of values of the parameters that switch constrained ones on and off.

use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOutcome};

use super::sobol::Sobol;
use super::{Domain, Point, Space, Value};

/// Points that are tried before programs are solved.
const TRIED: u64 = 64;
/// Most patterns of switching values that are examined.
const MOST_PATTERNS: usize = 4096;

/// What constrains the switching parameters in one pattern.
type Pattern = Vec<(usize, Value)>;

impl Space {
    /// A point that satisfies all constraints, as far as one is found. `space.anchor` is not read but as a fallback.
    pub(super) fn find_feasible(&self) -> Option<Point> {
        let sobol = Sobol::new(self.dimension(), 0);
        let middle = vec![0.5; self.dimension()];
        std::iter::once(self.decode(&middle))
            .chain((0..TRIED).map(|index| self.at_uniform(&sobol.point(index))))
            .map(|point| self.repair(&self.encode(&point)))
            .find(|point| self.satisfies(point))
            .or_else(|| self.patterns().iter().find_map(|pattern| self.solve(pattern)))
    }

    /// Every combination of values of the parameters that decide over constrained ones, up to a limit.
    fn patterns(&self) -> Vec<Pattern> {
        let mut deciding = std::collections::BTreeSet::new();
        let mut open: Vec<usize> =
            self.constraints.iter().flat_map(|c| c.terms.iter().map(|(i, _)| *i)).collect();
        while let Some(i) = open.pop() {
            for condition in &self.parameters[i].conditions {
                if deciding.insert(condition.parent) {
                    open.push(condition.parent);
                }
            }
        }
        let mut patterns: Vec<Pattern> = vec![Vec::new()];
        for parent in deciding {
            // One value for each set of children that it switches on is enough, unless it is constrained itself.
            let values = self.values_of(parent);
            let mut next = Vec::new();
            for pattern in &patterns {
                for value in &values {
                    if next.len() >= MOST_PATTERNS {
                        return next;
                    }
                    let mut longer = pattern.clone();
                    longer.push((parent, *value));
                    next.push(longer);
                }
            }
            patterns = next;
        }
        patterns
    }

    /// The values of a parameter that decides, at most 1,000 of an int's.
    #[allow(clippy::cast_possible_wrap)]
    fn values_of(&self, i: usize) -> Vec<Value> {
        match &self.parameters[i].domain {
            Domain::Categorical(labels) | Domain::Ordinal(labels) => {
                (0..labels.len()).map(Value::Choice).collect()
            }
            Domain::Int(range) => (0..range.levels().min(1000))
                .map(|k| Value::Int(range.low() + k as i64 * range.step()))
                .collect(),
            Domain::Float(_) => Vec::new(),
        }
    }

    /// A feasible point with the values of `pattern`, by a mixed-integer linear program.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    fn solve(&self, pattern: &Pattern) -> Option<Point> {
        let fixed = |i: usize| pattern.iter().find(|(parent, _)| *parent == i).map(|(_, value)| *value);
        let mut point = self.resolve(|i, parameter| fixed(i).unwrap_or_else(|| parameter.decode(0.5)));
        let mut program = Problem::new(OptimizationDirection::Minimize);
        let mut variables = vec![None; self.dimension()];
        for (i, variable) in variables.iter_mut().enumerate() {
            let constrained = self.constraints.iter().any(|c| c.terms.iter().any(|(j, _)| *j == i));
            if point.values[i].is_none() || !constrained {
                continue;
            }
            // (variable, unit, offset): value = offset + unit · variable.
            *variable = match (&self.parameters[i].domain, fixed(i)) {
                (Domain::Int(range), Some(Value::Int(x))) => {
                    let _ = range;
                    Some((program.add_var(0.0, (0.0, 0.0)), 0.0, x as f64))
                }
                (Domain::Int(range), _) => {
                    let levels = i32::try_from(range.levels() - 1).unwrap_or(i32::MAX);
                    let variable = program.add_integer_var(0.0, (0, levels));
                    Some((variable, range.step() as f64, range.low() as f64))
                }
                (Domain::Float(range), _) => match (range.step(), range.levels()) {
                    (Some(step), Some(levels)) => {
                        let levels = i32::try_from(levels - 1).unwrap_or(i32::MAX);
                        Some((program.add_integer_var(0.0, (0, levels)), step, range.low()))
                    }
                    _ => Some((program.add_var(0.0, (range.low(), range.high())), 1.0, 0.0)),
                },
                (_, Some(Value::Choice(k))) => {
                    Some((program.add_var(0.0, (0.0, 0.0)), 0.0, self.label_number(i, k)))
                }
                (Domain::Ordinal(labels) | Domain::Categorical(labels), _) => {
                    // One binary variable a label, of which exactly one is 1; the value is their weighted sum.
                    let numbers: Vec<f64> = (0..labels.len()).map(|k| self.label_number(i, k)).collect();
                    let chosen: Vec<_> =
                        numbers.iter().map(|_| program.add_integer_var(0.0, (0, 1))).collect();
                    let ones: Vec<_> = chosen.iter().map(|&v| (v, 1.0)).collect();
                    program.add_constraint(&ones[..], ComparisonOp::Eq, 1.0);
                    let value = program.add_var(0.0, (f64::NEG_INFINITY, f64::INFINITY));
                    let mut sum: Vec<_> = chosen.iter().copied().zip(numbers).collect();
                    sum.push((value, -1.0));
                    program.add_constraint(&sum[..], ComparisonOp::Eq, 0.0);
                    Some((value, 1.0, 0.0))
                }
            };
        }
        for constraint in &self.constraints {
            let mut offset = 0.0;
            let mut terms = Vec::new();
            for &(i, weight) in &constraint.terms {
                if let Some((variable, unit, from)) = variables[i] {
                    offset += weight * from;
                    terms.push((variable, weight * unit));
                }
            }
            if constraint.lower.is_finite() {
                program.add_constraint(&terms[..], ComparisonOp::Ge, constraint.lower - offset);
            }
            if constraint.upper.is_finite() {
                program.add_constraint(&terms[..], ComparisonOp::Le, constraint.upper - offset);
            }
        }
        let Ok(SolveOutcome::Solution(solution)) = program.solve() else { return None };
        for (i, variable) in variables.iter().enumerate() {
            let Some((variable, unit, from)) = *variable else { continue };
            let x = from + unit * solution.var_value(variable);
            point.values[i] = Some(match &self.parameters[i].domain {
                Domain::Float(range) => Value::Float(range.nearest(x)),
                Domain::Int(range) => Value::Int(range.nearest(x)),
                Domain::Ordinal(labels) | Domain::Categorical(labels) => Value::Choice(
                    (0..labels.len())
                        .min_by(|&a, &b| {
                            let distance = |k| (self.label_number(i, k) - x).abs();
                            distance(a).total_cmp(&distance(b))
                        })
                        .unwrap_or(0),
                ),
            });
        }
        // The program is solved to a tolerance; the projection makes it exact.
        if self.satisfies(&point) {
            return Some(point);
        }
        let repaired = self.repair(&self.encode(&point));
        self.satisfies(&repaired).then_some(repaired)
    }
}
