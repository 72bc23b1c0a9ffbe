//! Exchanges: other values of the parameters that have no gradient, one at a time.

use super::{Candidate, Search};
use crate::acquisition::Acquisition;
use crate::space::Coordinate;

/// Most labels of a categorical parameter that one exchange tries.
const MOST_LABELS: usize = 16;
/// Steps along an ordered parameter, in levels; beside them some shares of its range.
const LEVEL_STEPS: [f64; 4] = [1.0, 2.0, 4.0, 8.0];
const RANGE_STEPS: [f64; 3] = [0.05, 0.15, 0.4];

/// Tries other values of each ordered and categorical parameter, and keeps each that improves; `None` where none does.
/// A place whose point is taken is not moved to.
pub(super) fn exchange(
    search: &Search<'_>,
    acquisition: &dyn Acquisition,
    from: &Candidate,
) -> Option<Candidate> {
    let space = search.space;
    let d = space.dimension();
    let mut best: Option<Candidate> = None;
    let (mut rows, mut values) = (Vec::new(), Vec::new());
    for i in 0..d {
        let at = best.as_ref().unwrap_or(from);
        rows.clear();
        for other in others(search, i, at.coordinates[i]) {
            let mut x = at.coordinates.clone();
            x[i] = other;
            let point = space.decode(&x);
            let point = if space.satisfies(&point) { point } else { space.repair(&x) };
            if !(search.taken)(&space.canonical(&point)) {
                rows.extend(space.encode(&point));
            }
        }
        values.clear();
        values.resize(rows.len() / d, 0.0);
        acquisition.rate(&rows, &mut values);
        let better = (0..values.len())
            .filter(|&k| values[k] > at.value)
            .max_by(|&a, &b| values[a].total_cmp(&values[b]));
        if let Some(k) = better {
            best = Some(Candidate { coordinates: rows[k * d..(k + 1) * d].to_vec(), value: values[k] });
        }
    }
    best
}

/// Other values of coordinate `i` than `at`.
#[allow(clippy::cast_precision_loss)]
fn others(search: &Search<'_>, i: usize, at: f64) -> Vec<f64> {
    if at.is_nan() {
        return Vec::new();
    }
    match search.space.coordinates()[i] {
        Coordinate::Continuous => Vec::new(),
        Coordinate::Ordered { levels } => {
            let (lower, upper) = search.bounds(i);
            let unit = 1.0 / (levels - 1) as f64;
            let in_range =
                RANGE_STEPS.iter().map(|share| share * (upper - lower)).filter(|s| *s > 8.0 * unit);
            let steps = LEVEL_STEPS.iter().map(|steps| steps * unit).chain(in_range);
            steps
                .flat_map(|step| [at + step, at - step])
                .filter(|u| (lower - 1e-12..=upper + 1e-12).contains(u) && (0.0..=1.0).contains(u))
                .collect()
        }
        Coordinate::Categorical { choices } => {
            let stride = choices.div_ceil(MOST_LABELS);
            (0..choices)
                .step_by(stride)
                .map(|k| k as f64 / (choices - 1) as f64)
                .filter(|u| *u != at)
                .collect()
        }
    }
}
