//! Raw points: where the search starts.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Search;
use crate::space::sobol::Sobol;
use crate::space::{Coordinate, Space};

/// So many, and so many more for each parameter, up to a limit.
const RAW: usize = 192;
const RAW_PER_PARAMETER: usize = 32;
const MOST_RAW: usize = 640;
/// A finite space of so many points is listed instead.
const MOST_LISTED: u64 = 1024;
/// Standard deviations of the steps around the best trials, in widths of the region.
const STEP_SIZES: [f64; 4] = [0.1, 0.02, 0.004, 0.0008];

/// The coordinates of the raw points, row after row; all feasible. Half are scrambled Sobol points of the region, half
/// lie around the best trials, which are among them.
pub(super) fn points(search: &Search<'_>) -> Vec<f64> {
    let space = search.space;
    let d = space.dimension();
    if let Some(all) = listed(search) {
        return all;
    }
    let count = (RAW + RAW_PER_PARAMETER * d).min(MOST_RAW);
    let mut raw = Vec::with_capacity((count + search.around.len()) * d);
    let sobol = Sobol::new(d, search.seed);
    let mut rng = ChaCha8Rng::seed_from_u64(search.seed);
    let simple = is_simple(space);
    let (spread, nearby) = if search.around.is_empty() { (count, 0) } else { (count / 2, count / 2) };
    for index in 0..spread {
        raw.extend(feasible_at(search, &sobol.point(index as u64)));
    }
    for best in search.around.iter().cycle().take(nearby) {
        let place = step_from(search, best, &mut rng);
        if simple {
            raw.extend(place);
        } else {
            raw.extend(space.encode(&space.repair(&place)));
        }
    }
    for best in search.around {
        let inside = (0..d).all(|i| {
            let (lower, upper) = search.bounds(i);
            best[i].is_nan() || (lower..=upper).contains(&best[i])
        });
        if inside {
            raw.extend(space.encode(&space.repair(best)));
        }
    }
    raw
}

/// The coordinates of a feasible point of the region for uniform numbers.
pub(super) fn feasible_at(search: &Search<'_>, uniform: &[f64]) -> Vec<f64> {
    let space = search.space;
    let place = scattered(search, uniform);
    if is_simple(space) {
        place
    } else if space.has_constraints() {
        // A number of its own, as far as that matters.
        let share = uniform.iter().fold(0.0, |sum, u| (sum + 7.0 * u) % 1.0);
        drawn_in(search, &place, share)
    } else {
        space.encode(&space.decode(&place))
    }
}

/// Whether coordinates are points as they are: nothing to be rounded, switched off or constrained.
fn is_simple(space: &Space) -> bool {
    !space.has_constraints()
        && !space.is_conditional()
        && space.coordinates().iter().all(|coordinate| *coordinate == Coordinate::Continuous)
}

/// All points of a small finite space.
fn listed(search: &Search<'_>) -> Option<Vec<f64>> {
    let levels = |coordinate: &Coordinate| match *coordinate {
        Coordinate::Continuous => None,
        Coordinate::Ordered { levels } => Some(levels),
        Coordinate::Categorical { choices } => Some(choices as u64),
    };
    let space = search.space;
    space.coordinates().iter().try_fold(1_u64, |product, coordinate| {
        product.checked_mul(levels(coordinate)?).filter(|product| *product <= MOST_LISTED)
    })?;
    let all = space.enumerate(usize::try_from(MOST_LISTED).unwrap_or(usize::MAX))?;
    Some(all.iter().flat_map(|point| space.encode(point)).collect())
}

/// The place in the region that uniform numbers stand for. Labels without an order are drawn evenly.
#[allow(clippy::cast_precision_loss)]
fn scattered(search: &Search<'_>, uniform: &[f64]) -> Vec<f64> {
    let coordinates = search.space.coordinates();
    (0..uniform.len())
        .map(|i| {
            let (lower, upper) = search.bounds(i);
            match coordinates[i] {
                Coordinate::Continuous => lower + uniform[i] * (upper - lower),
                // Stretched by half a level on each side, so that the ends are drawn as often as the others.
                Coordinate::Ordered { levels } => {
                    let half = 0.5 / (levels - 1) as f64;
                    (lower - half + uniform[i] * (upper - lower + 2.0 * half)).clamp(lower, upper)
                }
                Coordinate::Categorical { choices } => {
                    (uniform[i] * choices as f64).floor() / (choices - 1) as f64
                }
            }
        })
        .collect()
}

/// A feasible place for one that may not be: on the way from a place inside to the nearest feasible one, so that not
/// all of them lie on the boundary.
#[allow(clippy::cast_precision_loss)]
fn drawn_in(search: &Search<'_>, place: &[f64], share: f64) -> Vec<f64> {
    let space = search.space;
    let point = space.decode(place);
    if space.satisfies(&point) {
        return space.encode(&point);
    }
    let boundary = space.encode(&space.repair(place));
    let inside = match search.around.first() {
        Some(best) => best.clone(),
        None => space.encode(&space.centre()),
    };
    let share = share.powf(1.0 / space.dimension() as f64);
    let mixed: Vec<f64> = boundary
        .iter()
        .zip(&inside)
        .zip(space.coordinates())
        .map(|((&b, &m), coordinate)| match coordinate {
            Coordinate::Categorical { .. } => b,
            _ if b.is_nan() || m.is_nan() => b,
            _ => m + share * (b - m),
        })
        .collect();
    space.encode(&space.repair(&mixed))
}

/// A random step from `from`: each coordinate moves with a probability that leaves a few to move in high dimension.
#[allow(clippy::cast_precision_loss)]
fn step_from(search: &Search<'_>, from: &[f64], rng: &mut ChaCha8Rng) -> Vec<f64> {
    let d = from.len();
    let moving = (5.0 / d as f64).clamp(0.05, 1.0);
    let size = STEP_SIZES[rng.random_range(0..STEP_SIZES.len())];
    let chosen = rng.random_range(0..d);
    let mut to = from.to_vec();
    for (i, coordinate) in search.space.coordinates().iter().enumerate() {
        let (lower, upper) = search.bounds(i);
        if i != chosen && rng.random::<f64>() > moving {
            continue;
        }
        if to[i].is_nan() {
            to[i] = rng.random();
        }
        to[i] = match *coordinate {
            Coordinate::Continuous => (to[i] + size * (upper - lower) * normal(rng)).clamp(lower, upper),
            Coordinate::Ordered { levels } => {
                let step = (size * (upper - lower) * normal(rng)).abs().max(1.0 / (levels - 1) as f64);
                let step = if rng.random::<bool>() { step } else { -step };
                (to[i] + step).clamp(lower, upper)
            }
            Coordinate::Categorical { choices } => {
                // Seldom, for a label is a jump.
                if rng.random::<f64>() < 0.3 {
                    rng.random_range(0..choices) as f64 / (choices - 1) as f64
                } else {
                    to[i]
                }
            }
        };
    }
    for i in 0..d {
        if !matches!(search.space.coordinates()[i], Coordinate::Categorical { .. }) && !to[i].is_nan() {
            let (lower, upper) = search.bounds(i);
            to[i] = to[i].clamp(lower, upper);
        }
    }
    to
}

/// A standard normal number (Box & Muller 1958).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}
