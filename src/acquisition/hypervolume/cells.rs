//! The outcomes that a front does not dominate, as disjoint boxes, and what a normal outcome is expected to gain there.
//!
//! For objectives to be maximized over a reference point, the boxes of the region that no front point dominates are
//! found by slicing along the last objective and recursion on the others. An outcome y gains
//! Σ over boxes of Π min(yₖ, uₖ) − lₖ where positive; for independent normal objectives its expectation is
//! Σ Π σₖ (h(zₗ) − h(zᵤ)), z = (μ − bound)/σ, h(z) = φ(z) + z Φ(z).

use crate::acquisition::feasibility::log_between;
use crate::acquisition::log_improvement;
use crate::acquisition::normal::{cdf, log_density, log_sum};

/// Disjoint boxes between bounds of each objective.
#[derive(Clone, Debug)]
pub struct Cells {
    objectives: usize,
    /// The distinct bounds of each objective, rising; the last is ∞.
    bounds: Vec<Vec<f64>>,
    /// For each box and objective the indices of its lower and upper bound.
    corners: Vec<(u32, u32)>,
}

/// What an outcome is expected to gain.
#[derive(Clone, Debug)]
pub(in crate::acquisition) struct Gain {
    /// Its logarithm.
    pub(in crate::acquisition) log: f64,
    /// The logarithm's derivatives in each objective's mean.
    pub(in crate::acquisition) in_means: Vec<f64>,
    /// And in each standard deviation.
    pub(in crate::acquisition) in_sds: Vec<f64>,
}

/// Largest front that is sliced, by the number of objectives: two, three, four, five, and more.
const MOST_OF_FRONT: [usize; 5] = [128, 40, 14, 9, 6];

impl Cells {
    /// The boxes above `reference` that no point of `front` dominates.
    pub fn new(front: &[Vec<f64>], reference: &[f64]) -> Self {
        let objectives = reference.len();
        let above: Vec<Vec<f64>> =
            front.iter().filter(|y| y.iter().zip(reference).all(|(y, r)| y > r)).cloned().collect();
        let most = MOST_OF_FRONT[objectives.saturating_sub(2).min(MOST_OF_FRONT.len() - 1)];
        let front = thinned(undominated(&above), most);
        let mut boxes = Vec::new();
        slice(&front, reference, &mut Vec::new(), &mut boxes);
        let bounds: Vec<Vec<f64>> = (0..objectives)
            .map(|k| {
                let mut bounds: Vec<f64> = boxes.iter().flat_map(|cell| [cell[k].0, cell[k].1]).collect();
                bounds.push(f64::INFINITY);
                bounds.sort_by(f64::total_cmp);
                bounds.dedup();
                bounds
            })
            .collect();
        #[allow(clippy::cast_possible_truncation)]
        let index = |k: usize, bound: f64| bounds[k].partition_point(|b| *b < bound) as u32;
        let corners = boxes
            .iter()
            .flat_map(|cell| cell.iter().enumerate().map(|(k, (l, u))| (index(k, *l), index(k, *u))))
            .collect();
        Self { objectives, bounds, corners }
    }

    /// How many boxes there are.
    pub fn len(&self) -> usize {
        self.corners.len() / self.objectives.max(1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.corners.is_empty()
    }

    /// What the outcome `y` gains.
    pub fn improvement(&self, y: &[f64]) -> f64 {
        self.corners
            .chunks_exact(self.objectives)
            .map(|cell| {
                let side = |(k, (l, u)): (usize, &(u32, u32))| {
                    (y[k].min(self.bounds[k][*u as usize]) - self.bounds[k][*l as usize]).max(0.0)
                };
                cell.iter().enumerate().map(side).product::<f64>()
            })
            .sum()
    }

    /// ln of what a normal outcome with independent objectives is expected to gain.
    pub(in crate::acquisition) fn expected(&self, means: &[f64], sds: &[f64]) -> Gain {
        let m = self.objectives;
        // At each bound: σ h, Φ and φ.
        let tables: Vec<Vec<(f64, f64, f64)>> = (0..m)
            .map(|k| {
                let at = |bound: &f64| {
                    if bound.is_infinite() {
                        return (0.0, 0.0, 0.0);
                    }
                    let z = (means[k] - bound) / sds[k];
                    (sds[k] * log_improvement(z).exp(), cdf(z), log_density(z).exp())
                };
                self.bounds[k].iter().map(at).collect()
            })
            .collect();
        let (mut total, mut in_means, mut in_sds) = (0.0, vec![0.0; m], vec![0.0; m]);
        let mut sides = vec![0.0; m];
        for cell in self.corners.chunks_exact(m) {
            for k in 0..m {
                let (l, u) = (cell[k].0 as usize, cell[k].1 as usize);
                sides[k] = tables[k][l].0 - tables[k][u].0;
            }
            let product: f64 = sides.iter().product();
            total += product;
            for k in 0..m {
                let (l, u) = (tables[k][cell[k].0 as usize], tables[k][cell[k].1 as usize]);
                let others: f64 = (0..m).filter(|j| *j != k).map(|j| sides[j]).product();
                in_means[k] += others * (l.1 - u.1);
                in_sds[k] += others * (l.2 - u.2);
            }
        }
        if total > 1e-200 {
            in_means.iter_mut().chain(&mut in_sds).for_each(|slope| *slope /= total);
            return Gain { log: total.ln(), in_means, in_sds };
        }
        self.expected_far_below(means, sds)
    }

    /// The same where the numbers themselves underflow.
    fn expected_far_below(&self, means: &[f64], sds: &[f64]) -> Gain {
        let m = self.objectives;
        let bound = |k: usize, index: u32| {
            let bound = self.bounds[k][index as usize];
            if bound.is_infinite() { f64::NEG_INFINITY } else { (means[k] - bound) / sds[k] }
        };
        let log_h = |z: f64| if z.is_infinite() { f64::NEG_INFINITY } else { log_improvement(z) };
        let log_side = |k: usize, corner: (u32, u32)| {
            let (low, high) = (log_h(bound(k, corner.0)), log_h(bound(k, corner.1)));
            sds[k].ln() + low + (-(high - low).exp()).ln_1p()
        };
        let logs: Vec<f64> = self
            .corners
            .chunks_exact(m)
            .map(|cell| cell.iter().enumerate().map(|(k, corner)| log_side(k, *corner)).sum())
            .collect();
        let log = log_sum(&logs);
        let (mut in_means, mut in_sds) = (vec![0.0; m], vec![0.0; m]);
        if log.is_finite() {
            for (cell, of_cell) in self.corners.chunks_exact(m).zip(&logs) {
                let share = (of_cell - log).exp();
                if share.is_nan() || share < 1e-12 {
                    continue;
                }
                for (k, corner) in cell.iter().enumerate() {
                    let (low, high) = (bound(k, corner.0), bound(k, corner.1));
                    let side = log_side(k, *corner);
                    let density = |z: f64| if z.is_infinite() { 0.0 } else { (log_density(z) - side).exp() };
                    in_means[k] += share * (log_between(high, low) - side).exp();
                    in_sds[k] += share * (density(low) - density(high));
                }
            }
        }
        Gain { log, in_means, in_sds }
    }
}

/// A reference point for outcomes to be maximized: a tenth of the front's range below its worst, or of all outcomes'
/// range where the front is a single point (the rule of Ishibuchi et al. 2018 that is customary).
pub fn inferred_reference(outcomes: &[Vec<f64>]) -> Vec<f64> {
    let front = undominated(outcomes);
    let objectives = outcomes.first().map_or(0, Vec::len);
    let range = |rows: &[Vec<f64>], k: usize| {
        rows.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, u), y| (l.min(y[k]), u.max(y[k])))
    };
    (0..objectives)
        .map(|k| {
            let (least, most) = range(&front, k);
            let (all_least, all_most) = range(outcomes, k);
            let width = if most > least { most - least } else { (all_most - all_least).max(1e-3) };
            least - 0.1 * width
        })
        .collect()
}

/// The points that no other dominates; of equal ones the first.
fn undominated(points: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let covers = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| a >= b);
    let mut front: Vec<Vec<f64>> = Vec::new();
    for point in points {
        if !front.iter().any(|other| covers(other, point)) {
            front.retain(|other| !covers(point, other));
            front.push(point.clone());
        }
    }
    front
}

/// At most `most` of the points, each the farthest from those before it, the best of each objective first.
fn thinned(mut front: Vec<Vec<f64>>, most: usize) -> Vec<Vec<f64>> {
    if front.len() <= most {
        return front;
    }
    let distance = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum() };
    let mut kept: Vec<Vec<f64>> = Vec::with_capacity(most);
    for k in 0..front[0].len() {
        if kept.len() < most
            && let Some(best) = (0..front.len()).max_by(|&a, &b| front[a][k].total_cmp(&front[b][k]))
        {
            kept.push(front.swap_remove(best));
        }
    }
    while kept.len() < most {
        let gap = |y: &Vec<f64>| kept.iter().map(|other| distance(y, other)).fold(f64::INFINITY, f64::min);
        let Some(next) = (0..front.len()).max_by(|&a, &b| gap(&front[a]).total_cmp(&gap(&front[b]))) else {
            break;
        };
        kept.push(front.swap_remove(next));
    }
    kept
}

/// Slices the undominated region along the last objective; `sides` are the sides of the objectives after it.
fn slice(
    front: &[Vec<f64>],
    reference: &[f64],
    sides: &mut Vec<(f64, f64)>,
    boxes: &mut Vec<Vec<(f64, f64)>>,
) {
    let Some((&least, others)) = reference.split_last() else { return };
    let last = others.len();
    if last == 0 {
        let lower = front.iter().fold(least, |most, y| most.max(y[0]));
        let mut cell = vec![(lower, f64::INFINITY)];
        cell.extend(sides.iter().rev());
        boxes.push(cell);
        return;
    }
    let mut levels: Vec<f64> = front.iter().map(|y| y[last]).collect();
    levels.push(least);
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    levels.push(f64::INFINITY);
    for pair in levels.windows(2) {
        let reaching: Vec<Vec<f64>> =
            front.iter().filter(|y| y[last] >= pair[1]).map(|y| y[..last].to_vec()).collect();
        sides.push((pair[0], pair[1]));
        slice(&undominated(&reaching), others, sides, boxes);
        sides.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acquisition::normal::quasi_normal;

    #[test]
    fn boxes_are_disjoint_and_gains_are_differences_of_hypervolumes() {
        let front = vec![vec![1.0, 4.0], vec![2.0, 3.0], vec![3.0, 1.0], vec![0.5, 0.5], vec![-1.0, 9.0]];
        let cells = Cells::new(&front, &[0.0, 0.0]);
        assert_eq!(cells.len(), 4);
        // Dominated: 1·4 + 1·3 + 1·1 = 8; with (2.5, 3.5) it is 4 + 1.5·3.5 + 0.5·1 = 9.75.
        assert!((cells.improvement(&[2.5, 3.5]) - 1.75).abs() < 1e-12);
        assert_eq!(cells.improvement(&[0.9, 3.9]), 0.0);
        let front = vec![vec![1.0, 2.0, 3.0], vec![3.0, 1.0, 2.0], vec![2.0, 3.0, 1.0]];
        let cells = Cells::new(&front, &[0.0; 3]);
        // Inclusion and exclusion: a cube of side 4 less three boxes of 6, plus pairs 2 + 2 + 2, less 1.
        assert!((cells.improvement(&[4.0; 3]) - (64.0 - 18.0 + 6.0 - 1.0)).abs() < 1e-12);
    }

    #[test]
    fn the_expectation_equals_monte_carlo_and_its_slopes_finite_differences() {
        for m in [2, 3, 4] {
            let z = quasi_normal(6, m, 5);
            let front: Vec<Vec<f64>> = z.chunks_exact(m).map(<[f64]>::to_vec).collect();
            let cells = Cells::new(&front, &vec![-2.5; m]);
            for (shift, sd) in [(0.3, 0.8), (-1.0, 0.5), (-30.0, 0.7)] {
                let (means, sds) = (vec![shift; m], vec![sd; m]);
                let exact = cells.expected(&means, &sds);
                if shift > -2.0 {
                    let draws = quasi_normal(1 << 16, m, 9);
                    let simulated: f64 = draws
                        .chunks_exact(m)
                        .map(|z| cells.improvement(&z.iter().map(|z| shift + sd * z).collect::<Vec<_>>()))
                        .sum::<f64>()
                        / f64::from(1 << 16);
                    let value = exact.log.exp();
                    assert!(
                        (value - simulated).abs() < 2e-3 * (0.01 + value),
                        "{m} {shift}: {value} {simulated}"
                    );
                }
                for k in 0..m {
                    let at = |in_mean: f64, in_sd: f64| {
                        let (mut means, mut sds) = (means.clone(), sds.clone());
                        means[k] += in_mean;
                        sds[k] += in_sd;
                        cells.expected(&means, &sds).log
                    };
                    let of_mean = (at(1e-6, 0.0) - at(-1e-6, 0.0)) / 2e-6;
                    let of_sd = (at(0.0, 1e-6) - at(0.0, -1e-6)) / 2e-6;
                    assert!(
                        (of_mean - exact.in_means[k]).abs() < 1e-4 * (1.0 + of_mean.abs()),
                        "{m} {shift}"
                    );
                    assert!((of_sd - exact.in_sds[k]).abs() < 1e-4 * (1.0 + of_sd.abs()), "{m} {shift}");
                }
            }
        }
    }
}
