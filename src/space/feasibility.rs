//! Whether linear constraints leave any point: a feasible anchor, or the proof that there is none.
//!
//! First a few low-discrepancy points are projected. Where none lands, a mixed-integer program is solved for each
//! pattern of values of the parameters that switch constrained ones on and off. Integer feasibility is NP-hard: the
//! work is bounded by counted operations, and a space whose points are too hard to find is refused as well.

use microlp::{ComparisonOp, Error, OptimizationDirection, Problem, SolveOptions, SolveOutcome};

use super::sobol::Sobol;
use super::{Domain, Point, Space, Value};

/// How many points are tried before programs are solved, and how many in all where these decide nothing.
const TRIED_FIRST: usize = 4;
const TRIED: usize = 64;
/// Most patterns of switching values that are examined.
const MOST_PATTERNS: usize = 4096;
/// Most terms of constraints that are looked at in all of the trying, and as many again in all of the programs.
const MOST_TERMS: usize = 20_000_000;
/// Most nodes of the search trees of all programs.
const MOST_NODES: usize = 10_000;
/// Terms that solving one program looks at, for each term it has: a rough measure of its cost.
const TERMS_A_PROGRAM: usize = 1000;
/// Most terms and labels of a program whose ordered parameters are whole numbers. In larger ones they are taken as
/// continuous, then rounded and repaired.
const MOST_WHOLE: usize = 1000;

/// What constrains the switching parameters in one pattern.
type Pattern = Vec<(usize, Value)>;

/// Why there is no feasible point to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPoint {
    /// There is none.
    Impossible,
    /// None was found within the bounds of the search.
    NotFound,
}

impl Space {
    /// A point that satisfies all constraints. `space.anchor` is not read but as a fallback.
    pub(super) fn find_feasible(&self) -> Result<Point, NoPoint> {
        let most = (MOST_TERMS / self.repair_terms()).clamp(1, TRIED);
        let first = most.min(TRIED_FIRST);
        if let Some(point) = self.try_points(0..first) {
            return Ok(point);
        }
        // Mostly there is none, and a program proves it sooner than many more points would suggest it.
        match self.solve_patterns() {
            Err(NoPoint::NotFound) => self.try_points(first..most).ok_or(NoPoint::NotFound),
            decided => decided,
        }
    }

    /// A feasible point, if one of some points can be repaired to be one.
    fn try_points(&self, indices: std::ops::Range<usize>) -> Option<Point> {
        let sobol = Sobol::new(self.dimension(), 0);
        indices
            .map(|index| match index {
                0 => self.decode(&vec![0.5; self.dimension()]),
                _ => self.at_uniform(&sobol.point(index as u64)),
            })
            .map(|point| self.repair(&self.encode(&point)))
            .find(|point| self.satisfies(point))
    }

    /// A feasible point of any pattern.
    fn solve_patterns(&self) -> Result<Point, NoPoint> {
        let terms = self.terms() + self.constraints.len() + self.constrained_labels();
        let most = (MOST_TERMS / (TERMS_A_PROGRAM * terms)).clamp(1, MOST_PATTERNS);
        let (patterns, are_all) = self.patterns(most);
        let nodes = (terms <= MOST_WHOLE).then(|| (MOST_NODES / patterns.len().max(1)).max(1) as u64);
        let mut why = if are_all { NoPoint::Impossible } else { NoPoint::NotFound };
        for pattern in &patterns {
            match self.solve(pattern, nodes) {
                Ok(point) => return Ok(point),
                Err(NoPoint::Impossible) => {}
                Err(NoPoint::NotFound) => why = NoPoint::NotFound,
            }
        }
        Err(why)
    }

    /// Every combination of values of the parameters that decide over constrained ones, and whether these are all: there
    /// are at most `most`.
    fn patterns(&self, most: usize) -> (Vec<Pattern>, bool) {
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
        let mut are_all = true;
        for parent in deciding {
            let (values, are_all_values) = self.values_of(parent);
            are_all &= are_all_values && patterns.len() * values.len() <= most;
            let mut next = Vec::new();
            for pattern in &patterns {
                for value in values.iter().take(most - next.len()) {
                    let mut longer = pattern.clone();
                    longer.push((parent, *value));
                    next.push(longer);
                }
            }
            patterns = next;
        }
        (patterns, are_all)
    }

    /// The values of a parameter that decides, at most 1,000 of an int's, and whether these are all.
    #[allow(clippy::cast_possible_wrap)]
    fn values_of(&self, i: usize) -> (Vec<Value>, bool) {
        const MOST: u64 = 1000;
        let values = match &self.parameters[i].domain {
            Domain::Categorical(labels) | Domain::Ordinal(labels) => {
                (0..labels.len()).map(Value::Choice).collect()
            }
            Domain::Int(range) => (0..range.levels().min(MOST))
                .map(|k| Value::Int(range.low() + k as i64 * range.step()))
                .collect(),
            Domain::Float(_) => Vec::new(),
        };
        let are_all = !matches!(&self.parameters[i].domain, Domain::Int(range) if range.levels() > MOST);
        (values, are_all)
    }

    /// How many labels the ordinals have that constraints name.
    fn constrained_labels(&self) -> usize {
        let terms = self.constraints.iter().flat_map(|constraint| &constraint.terms);
        let named: std::collections::BTreeSet<usize> = terms.map(|(i, _)| *i).collect();
        let labels = named.into_iter().map(|i| match &self.parameters[i].domain {
            Domain::Ordinal(labels) | Domain::Categorical(labels) => labels.len(),
            Domain::Float(_) | Domain::Int(_) => 0,
        });
        labels.sum()
    }

    /// A feasible point with the values of `pattern`, by a mixed-integer linear program with so many nodes at most;
    /// by a linear one where that is `None`.
    #[allow(clippy::cast_precision_loss)]
    fn solve(&self, pattern: &Pattern, nodes: Option<u64>) -> Result<Point, NoPoint> {
        let fixed = |i: usize| pattern.iter().find(|(parent, _)| *parent == i).map(|(_, value)| *value);
        let mut point = self.resolve(|i, parameter| fixed(i).unwrap_or_else(|| parameter.decode(0.5)));
        let mut program = Problem::new(OptimizationDirection::Minimize);
        let mut variables = vec![None; self.dimension()];
        for (i, variable) in variables.iter_mut().enumerate() {
            let constrained = self.constraints.iter().any(|c| c.terms.iter().any(|(j, _)| *j == i));
            if point.values[i].is_none() || !constrained {
                continue;
            }
            // A position that is a whole number; one with too many of them is taken as continuous.
            let mut place = |levels: u64| match i32::try_from(levels - 1) {
                Ok(last) if nodes.is_some() => program.add_integer_var(0.0, (0, last)),
                _ => program.add_var(0.0, (0.0, (levels - 1) as f64)),
            };
            // (variable, unit, offset): value = offset + unit · variable.
            *variable = match (&self.parameters[i].domain, fixed(i)) {
                (Domain::Int(_), Some(Value::Int(x))) => {
                    Some((program.add_var(0.0, (0.0, 0.0)), 0.0, x as f64))
                }
                (Domain::Int(range), _) => {
                    Some((place(range.levels()), range.step() as f64, range.low() as f64))
                }
                (Domain::Float(range), _) => match (range.step(), range.levels()) {
                    (Some(step), Some(levels)) => Some((place(levels), step, range.low())),
                    _ => Some((program.add_var(0.0, (0.0, 1.0)), range.high() - range.low(), range.low())),
                },
                (_, Some(Value::Choice(k))) => {
                    Some((program.add_var(0.0, (0.0, 0.0)), 0.0, self.label_number(i, k)))
                }
                (Domain::Ordinal(labels) | Domain::Categorical(labels), _) if nodes.is_none() => {
                    let numbers = (0..labels.len()).map(|k| self.label_number(i, k));
                    let (low, high) =
                        numbers.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
                    Some((program.add_var(0.0, (0.0, 1.0)), high - low, low))
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
            if constraint.lower == constraint.upper {
                program.add_constraint(&terms[..], ComparisonOp::Eq, constraint.lower - offset);
                continue;
            }
            if constraint.lower.is_finite() {
                program.add_constraint(&terms[..], ComparisonOp::Ge, constraint.lower - offset);
            }
            if constraint.upper.is_finite() {
                program.add_constraint(&terms[..], ComparisonOp::Le, constraint.upper - offset);
            }
        }
        let mut options = SolveOptions::default();
        options.node_limit = nodes;
        let solution = match program.solve_with(options) {
            Ok(SolveOutcome::Solution(solution)) => solution,
            Err(Error::Infeasible) => return Err(NoPoint::Impossible),
            Ok(SolveOutcome::Interrupted(_)) | Err(_) => return Err(NoPoint::NotFound),
        };
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
            return Ok(point);
        }
        let repaired = self.repair(&self.encode(&point));
        if self.satisfies(&repaired) { Ok(repaired) } else { Err(NoPoint::NotFound) }
    }
}
