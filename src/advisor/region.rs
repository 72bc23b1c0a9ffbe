//! The trust region: in many dimensions the next point is looked for near the best one only.
//!
//! A box around the best trial (Eriksson et al., *Scalable Global Optimization via Local Bayesian Optimization*, NeurIPS
//! 2019, §3): its side doubles after some successes in a row and halves after some failures in a row; a side that has
//! become too small ends the region, and the search begins anew elsewhere, with what was learned kept in the model.
//! The region is replayed from the history, so that nothing has to be remembered. O(n).

use crate::acquisition::Region;

/// Side at first, at most, and the least one that is not given up, in units of the box (as the paper).
const FIRST_SIDE: f64 = 0.8;
const GREATEST_SIDE: f64 = 1.6;
const LEAST_SIDE: f64 = 1.0 / 128.0;
/// Successes in a row after which the side doubles.
const SUCCESSES: usize = 3;
/// Least number of failures in a row after which it halves; d where that is more.
const FAILURES: usize = 4;
/// A success improves by at least this share of the best value's size.
const IMPROVEMENT: f64 = 1e-3;
/// The box is this much longer along a coordinate than its side, at most, and likewise shorter.
const MOST_STRETCH: f64 = 8.0;

/// Where the search stands after some trials.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Phase {
    /// A region begins: its space-filling trials are not all told.
    Opening,
    /// Near one trial.
    Near {
        /// Which of the values the best one is.
        best: usize,
        /// The side.
        side: f64,
    },
}

/// Replays the region over values in the order in which they were told, larger being better and `None` for what failed
/// or was not feasible. Each region opens with `opening` trials.
pub(super) fn replay(values: &[Option<f64>], opening: usize, d: usize) -> Phase {
    let mut best: Option<(usize, f64)> = None;
    let (mut opened, mut side) = (0, FIRST_SIDE);
    let (mut successes, mut failures) = (0, 0);
    for (index, value) in values.iter().enumerate() {
        let is_better = match (value, best) {
            (Some(value), Some((_, most))) => *value > most + IMPROVEMENT * most.abs(),
            (Some(_), None) => true,
            (None, _) => false,
        };
        if let Some(value) = *value
            && best.is_none_or(|(_, most)| value > most)
        {
            best = Some((index, value));
        }
        if opened < opening {
            opened += 1;
            continue;
        }
        (successes, failures) = if is_better { (successes + 1, 0) } else { (0, failures + 1) };
        if successes == SUCCESSES {
            side = (2.0 * side).min(GREATEST_SIDE);
            successes = 0;
        } else if failures == FAILURES.max(d) {
            side /= 2.0;
            failures = 0;
        }
        if side < LEAST_SIDE {
            (best, opened, side, successes, failures) = (None, 0, FIRST_SIDE, 0, 0);
        }
    }
    match best {
        Some((best, _)) if opened >= opening => Phase::Near { best, side },
        _ => Phase::Opening,
    }
}

/// The box of some side around a place, longer along coordinates with a longer lengthscale and of equal volume.
/// Coordinates without an order (those that have no lengthscale here) and switched off ones are not bounded.
pub(super) fn around(place: &[f64], side: f64, lengthscales: &[Option<f64>]) -> Region {
    let logs: Vec<f64> = lengthscales.iter().flatten().map(|length| length.ln()).collect();
    #[allow(clippy::cast_precision_loss)]
    let middle = logs.iter().sum::<f64>() / logs.len().max(1) as f64;
    let half = |length: &Option<f64>| match length {
        Some(length) => {
            0.5 * side * (length.ln() - middle).exp().clamp(1.0 / MOST_STRETCH, MOST_STRETCH)
        }
        None => 1.0,
    };
    let sides = place.iter().zip(lengthscales).map(|(&u, length)| {
        if u.is_nan() { (0.0, 1.0) } else { ((u - half(length)).max(0.0), (u + half(length)).min(1.0)) }
    });
    let (lower, upper) = sides.unzip();
    Region { lower, upper }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(phase: &Phase) -> (usize, f64) {
        match phase {
            Phase::Near { best, side } => (*best, *side),
            Phase::Opening => panic!("no region"),
        }
    }

    #[test]
    fn opens_then_grows_with_successes_and_shrinks_with_failures() {
        let mut values = vec![Some(1.0), Some(3.0), None];
        assert_eq!(replay(&values, 4, 2), Phase::Opening);
        values.push(Some(2.0));
        assert_eq!(near(&replay(&values, 4, 2)), (1, 0.8));
        values.extend([Some(4.0), Some(5.0), Some(6.0)]);
        assert_eq!(near(&replay(&values, 4, 2)), (6, 1.6));
        values.extend([Some(0.0), None, Some(6.0), Some(6.0001)]);
        // The last one is better, too little for a success.
        assert_eq!(near(&replay(&values, 4, 2)), (10, 0.8));
        // In more dimensions a region has more patience.
        assert_eq!(near(&replay(&values, 4, 5)), (10, 1.6));
    }

    #[test]
    fn a_region_that_has_become_too_small_is_left() {
        let mut values = vec![Some(1.0), Some(3.0)];
        values.extend(vec![Some(0.0); 28]);
        // Seven halvings of four failures each.
        assert_eq!(replay(&values, 2, 2), Phase::Opening);
        values.extend([Some(-5.0), Some(-6.0)]);
        assert_eq!(near(&replay(&values, 2, 2)), (30, 0.8));
    }

    #[test]
    fn the_box_keeps_its_volume_and_leaves_labels_alone() {
        let region = around(&[0.5, 0.5, 0.0, f64::NAN], 0.2, &[Some(0.5), Some(2.0), None, Some(1.0)]);
        let sides: Vec<f64> = region.upper.iter().zip(&region.lower).map(|(u, l)| u - l).collect();
        assert!((sides[0] - 0.1).abs() < 1e-12 && (sides[1] - 0.4).abs() < 1e-12, "{region:?}");
        assert_eq!((region.lower[2], region.upper[2]), (0.0, 1.0));
        assert_eq!((region.lower[3], region.upper[3]), (0.0, 1.0));
    }
}
