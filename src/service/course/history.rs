//! How the results of a study went: the best so far, the front and its hypervolume, and enough of the points to see
//! their spread.

use super::{is_result, objectives, thin};
use crate::store::Glance;
use crate::study::{Definition, Goal, TrialState};

/// How the results of a study went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Each improvement of the best feasible value; empty with several objectives.
    pub best: Steps,
    /// The Pareto front, by number; the best trial with one objective.
    pub front: Vec<u64>,
    /// The hypervolume that the front dominates, at each change of it; two objectives alone.
    pub hypervolume: Steps,
    /// From where the hypervolume is measured: the reference of each objective, or its worst feasible result.
    pub reference: Option<[f64; 2]>,
    /// Results, by number: all of them, or of each stretch of them the least and the greatest by the first objective.
    pub points: Vec<Glance>,
    /// Numbers of failed trials, thinned out evenly.
    pub failed: Vec<u64>,
}

/// Values that hold from a trial's number on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Steps {
    /// The numbers, ascending.
    pub numbers: Vec<u64>,
    /// The values.
    pub values: Vec<f64>,
}

impl Steps {
    fn of(steps: &[(u64, f64)], limit: usize) -> Self {
        let (numbers, values) = thin(steps, limit).into_iter().unzip();
        Self { numbers, values }
    }
}

/// The history of `glances`, with at most about `limit` points of each kind. O(n), and O(n·f) with several objectives
/// and a front of f trials.
pub(super) fn of(definition: &Definition, glances: &[Glance], limit: usize) -> History {
    let objectives = objectives(definition);
    let failed: Vec<u64> = glances
        .iter()
        .filter(|glance| glance.state == TrialState::Failed)
        .map(|glance| glance.number)
        .collect();
    let results: Vec<&Glance> = glances.iter().filter(|glance| is_result(glance)).collect();
    let mut history = History { failed: thin(&failed, limit), ..History::default() };
    let feasible = results.iter().filter(|glance| definition.is_feasible(&glance.values));
    if let &[(metric, sign)] = objectives.as_slice() {
        let mut best: Vec<(u64, f64)> = Vec::new();
        for glance in feasible {
            let Some(value) = glance.values[metric] else { continue };
            if best.last().is_none_or(|&(_, so_far)| sign * value > sign * so_far) {
                best.push((glance.number, value));
            }
        }
        history.front = best.last().map(|&(number, _)| number).into_iter().collect();
        history.best = Steps::of(&best, limit);
    } else {
        let feasible: Vec<&Glance> = feasible.copied().collect();
        let reference = reference(definition, &objectives, &feasible);
        let mut volumes = Vec::new();
        let mut front: Vec<(u64, Vec<f64>)> = Vec::new();
        for glance in feasible {
            let values: Vec<f64> =
                objectives.iter().filter_map(|&(metric, sign)| Some(sign * glance.values[metric]?)).collect();
            if front.iter().any(|(_, other)| covers(other, &values)) {
                continue;
            }
            front.retain(|(_, other)| !covers(&values, other));
            front.push((glance.number, values));
            if let Some(reference) = reference {
                volumes.push((glance.number, area(&front, reference)));
            }
        }
        history.front = front.into_iter().map(|(number, _)| number).collect();
        history.hypervolume = Steps::of(&volumes, limit);
        history.reference =
            reference.map(|[first, second]| [first * objectives[0].1, second * objectives[1].1]);
    }
    let by = objectives.first().map_or(0, |&(metric, _)| metric);
    history.points = envelope(&results, by, limit).into_iter().cloned().collect();
    history
}

/// Whether `a` is nowhere worse than `b`; both are to be maximized.
fn covers(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| a >= b)
}

/// The reference point of two objectives, to be maximized.
fn reference(definition: &Definition, objectives: &[(usize, f64)], feasible: &[&Glance]) -> Option<[f64; 2]> {
    let &[first, second] = objectives else { return None };
    let of = |(metric, sign): (usize, f64)| match definition.metrics()[metric].goal {
        Goal::Optimize { reference: Some(reference), .. } => Some(sign * reference),
        _ => feasible.iter().filter_map(|glance| Some(sign * glance.values[metric]?)).reduce(f64::min),
    };
    Some([of(first)?, of(second)?])
}

/// The area between a front of two objectives and a reference point, all to be maximized.
fn area(front: &[(u64, Vec<f64>)], reference: [f64; 2]) -> f64 {
    let mut points: Vec<[f64; 2]> = front
        .iter()
        .filter_map(|(_, values)| Some([*values.first()?, *values.get(1)?]))
        .filter(|point| point[0] > reference[0] && point[1] > reference[1])
        .collect();
    // From the best of the first objective on, each point adds the strip above those before.
    points.sort_by(|a, b| b[0].total_cmp(&a[0]));
    let mut height = reference[1];
    let mut area = 0.0;
    for [x, y] in points {
        if y > height {
            area += (x - reference[0]) * (y - height);
            height = y;
        }
    }
    area
}

/// All of `results`, or the least and the greatest by metric `by` of each of `limit / 2` stretches, by number.
fn envelope<'a>(results: &[&'a Glance], by: usize, limit: usize) -> Vec<&'a Glance> {
    if results.len() <= limit {
        return results.to_vec();
    }
    let length = results.len().div_ceil((limit / 2).max(1));
    let value = |glance: &&&Glance| glance.values.get(by).copied().flatten().unwrap_or(f64::NAN);
    let mut points = Vec::with_capacity(limit + 2);
    for stretch in results.chunks(length) {
        let least = stretch.iter().min_by(|a, b| value(a).total_cmp(&value(b)));
        let greatest = stretch.iter().max_by(|a, b| value(a).total_cmp(&value(b)));
        let mut ends: Vec<&Glance> = least.into_iter().chain(greatest).copied().collect();
        ends.sort_by_key(|glance| glance.number);
        ends.dedup_by_key(|glance| glance.number);
        points.extend(ends);
    }
    points
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::tests::{completed, definition};
    use super::*;

    #[test]
    fn the_best_improves_in_the_direction_of_the_goal_and_skips_the_infeasible() {
        let metrics = json!([
            {"name": "y", "goal": "maximize"}, {"name": "c", "goal": "constrain", "upper": 1.0}
        ]);
        let glances = completed(&[[1.0, 0.0], [5.0, 2.0], [3.0, 1.0], [2.0, 0.0], [4.0, 0.5]]);
        let history = of(&definition(metrics), &glances, 100);
        assert_eq!(history.best, Steps { numbers: vec![0, 2, 4], values: vec![1.0, 3.0, 4.0] });
        assert_eq!((history.front, history.points.len()), (vec![4], 5));
    }

    #[test]
    fn what_does_not_count_is_left_out() {
        let mut glances = completed(&[[3.0], [1.0], [2.0], [0.0]]);
        glances[1].superseded = true;
        glances[3].state = TrialState::Failed;
        let history = of(&definition(json!([{"name": "y", "goal": "minimize"}])), &glances, 100);
        assert_eq!(history.best, Steps { numbers: vec![0, 2], values: vec![3.0, 2.0] });
        assert_eq!(history.failed, [3]);
    }

    fn two() -> Definition {
        definition(
            json!([{"name": "f", "goal": "minimize", "reference": 1.0}, {"name": "g", "goal": "maximize"}]),
        )
    }

    #[test]
    fn the_area_of_two_steps() {
        // From (1, 0): the strips 0.5 x 1 and 0.8 x 1 of which the first half is shared.
        let glances = completed(&[[0.9, 0.0], [0.5, 2.0], [0.2, 1.0], [0.6, 1.5]]);
        let history = of(&two(), &glances, 100);
        assert_eq!(history.reference, Some([1.0, 0.0]));
        let volume = *history.hypervolume.values.last().unwrap();
        assert!((volume - (0.5 * 2.0 + 0.3 * 1.0)).abs() < 1e-12, "{volume}");
        assert_eq!(history.front, [1, 2]);
    }

    proptest! {
        #[test]
        fn the_hypervolume_is_what_counting_cells_gives(
            grid in prop::collection::vec((0u8..8, 0u8..8), 1..30)
        ) {
            let points: Vec<[f64; 2]> =
                grid.iter().map(|&(f, g)| [1.0 - f64::from(f) / 8.0, f64::from(g)]).collect();
            let history = of(&two(), &completed(&points), 1000);
            let worst = grid.iter().map(|&(_, g)| g).min().unwrap();
            let cells = (0..8)
                .flat_map(|f| (worst..8).map(move |g| (f, g)))
                .filter(|&(f, g)| grid.iter().any(|&(a, b)| a > f && b > g))
                .count();
            let volume = history.hypervolume.values.last().copied().unwrap_or(0.0);
            prop_assert!((volume - cells as f64 / 8.0).abs() < 1e-9, "{} {}", volume, cells);
            prop_assert!(history.hypervolume.values.is_sorted());
        }

        #[test]
        fn many_points_are_few_and_keep_the_extremes(
            values in prop::collection::vec(-1e3..1e3f64, 1..3000), limit in 10usize..200
        ) {
            let values: Vec<[f64; 1]> = values.into_iter().map(|value| [value]).collect();
            let definition = definition(json!([{"name": "y", "goal": "minimize"}]));
            let history = of(&definition, &completed(&values), limit);
            prop_assert!(history.points.len() <= limit + 2 && history.best.numbers.len() <= limit);
            let shown = |pick: fn(f64, f64) -> f64| {
                history.points.iter().filter_map(|point| point.values[0]).reduce(pick)
            };
            prop_assert_eq!(shown(f64::min), values.iter().map(|value| value[0]).reduce(f64::min));
            prop_assert_eq!(shown(f64::max), values.iter().map(|value| value[0]).reduce(f64::max));
            prop_assert_eq!(history.best.values.last().copied(), shown(f64::min));
        }
    }
}
