//! The search for an acquisition's maximum over a search space.
//!
//! Raw points, half spread over the whole space and half around the best trials, are rated; the best are improved by
//! turns of a quasi-Newton ascent in the continuous parameters and exchanges of the others' values; the best point
//! that is not taken is returned. Linear constraints hold throughout: raw points are feasible, the ascent is projected
//! onto them. Cost: some hundreds of values and some tens of gradients of the acquisition.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Acquisition;
use crate::quasi_newton::{Bounds, minimize};
use crate::space::{Coordinate, Design, Point, PointKey, Space};

/// Where to search.
pub struct Search<'a> {
    /// The space.
    pub space: &'a Space,
    /// Coordinates of the best trials, best first: half of the raw points lie around them.
    pub around: &'a [Vec<f64>],
    /// Whether a point may not be proposed.
    pub taken: &'a dyn Fn(&PointKey) -> bool,
    /// Seed of the raw points.
    pub seed: u64,
}

/// Raw points: so many, and so many more for each parameter, up to a limit.
const RAW: usize = 192;
const RAW_PER_PARAMETER: usize = 32;
const MOST_RAW: usize = 640;
/// How many raw points are improved.
const STARTS: usize = 5;
/// Turns of ascent and exchange.
const TURNS: usize = 3;
/// Iterations of one ascent.
const ASCENT_ITERATIONS: u64 = 40;
/// Most labels of a categorical parameter that one exchange tries.
const MOST_LABELS: usize = 16;
/// Standard deviations of the steps around the best trials.
const STEP_SIZES: [f64; 4] = [0.1, 0.02, 0.004, 0.0008];

/// A point with its coordinates and its value.
#[derive(Clone)]
struct Candidate {
    coordinates: Vec<f64>,
    value: f64,
}

/// The best point found that is not taken; `None` only where every point that the search saw is.
pub fn maximize(search: &Search<'_>, acquisition: &dyn Acquisition) -> Option<Point> {
    let mut candidates: Vec<Candidate> = raw_points(search)
        .into_iter()
        .map(|coordinates| Candidate { value: acquisition.value(&coordinates), coordinates })
        .collect();
    candidates.retain(|candidate| !candidate.value.is_nan());
    candidates.sort_by(|a, b| b.value.total_cmp(&a.value));
    let starts = spread(&candidates);
    for start in starts {
        candidates.push(improve(search, acquisition, start));
    }
    candidates.sort_by(|a, b| b.value.total_cmp(&a.value));
    candidates
        .into_iter()
        .map(|candidate| search.space.decode(&candidate.coordinates))
        .find(|point| search.space.satisfies(point) && !(search.taken)(&search.space.canonical(point)))
}

/// The best candidates that are not all the same place.
fn spread(candidates: &[Candidate]) -> Vec<Candidate> {
    let mut starts: Vec<Candidate> = Vec::with_capacity(STARTS);
    for candidate in candidates {
        let near = |start: &Candidate| {
            start
                .coordinates
                .iter()
                .zip(&candidate.coordinates)
                .all(|(a, b)| (a - b).abs() < 0.01 || (a.is_nan() && b.is_nan()))
        };
        // The very best may be crowded; two starts from one place would end in one place.
        if !starts.iter().any(near) {
            starts.push(candidate.clone());
            if starts.len() == STARTS {
                break;
            }
        }
    }
    starts
}

fn raw_points(search: &Search<'_>) -> Vec<Vec<f64>> {
    let space = search.space;
    let count = (RAW + RAW_PER_PARAMETER * space.dimension()).min(MOST_RAW);
    let design = Design::new(space, search.seed);
    let mut raw: Vec<Vec<f64>> =
        design.points(0, count / 2, &|_| false).iter().map(|point| space.encode(point)).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(search.seed);
    for best in search.around.iter().cycle().take(if search.around.is_empty() { 0 } else { count / 2 }) {
        let nearby = step_from(space, best, &mut rng);
        let point = if space.has_constraints() { space.repair(&nearby) } else { space.decode(&nearby) };
        raw.push(space.encode(&point));
    }
    raw.extend(search.around.iter().map(|best| space.encode(&space.repair(best))));
    raw
}

/// A random step from `from`: each coordinate moves with a probability that leaves a few to move in high dimension.
#[allow(clippy::cast_precision_loss)]
fn step_from(space: &Space, from: &[f64], rng: &mut ChaCha8Rng) -> Vec<f64> {
    let d = from.len();
    let moving = (5.0 / d as f64).clamp(0.05, 1.0);
    let size = STEP_SIZES[rng.random_range(0..STEP_SIZES.len())];
    let chosen = rng.random_range(0..d);
    let mut to = from.to_vec();
    for (i, coordinate) in space.coordinates().iter().enumerate() {
        if i != chosen && rng.random::<f64>() > moving {
            continue;
        }
        if to[i].is_nan() {
            to[i] = rng.random();
        }
        to[i] = match *coordinate {
            Coordinate::Continuous => (to[i] + size * normal(rng)).clamp(0.0, 1.0),
            Coordinate::Ordered { levels } => {
                let step = (size * normal(rng)).abs().max(1.0 / (levels - 1) as f64);
                let step = if rng.random::<bool>() { step } else { -step };
                (to[i] + step).clamp(0.0, 1.0)
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
    to
}

/// A standard normal number (Box & Muller 1958).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// Turns of ascent and exchange from `start`, until neither improves.
fn improve(search: &Search<'_>, acquisition: &dyn Acquisition, start: Candidate) -> Candidate {
    let mut best = start;
    for _ in 0..TURNS {
        let before = best.value;
        best = ascend(search, acquisition, best);
        let exchanged = exchange(search, acquisition, best.clone());
        let stays = exchanged.value <= best.value;
        if !stays {
            best = exchanged;
        }
        if stays || best.value <= before {
            break;
        }
    }
    best
}

/// The continuous parameters that are switched on.
fn free(space: &Space, coordinates: &[f64]) -> Vec<bool> {
    space
        .coordinates()
        .iter()
        .zip(coordinates)
        .map(|(coordinate, u)| matches!(coordinate, Coordinate::Continuous) && !u.is_nan())
        .collect()
}

fn ascend(search: &Search<'_>, acquisition: &dyn Acquisition, from: Candidate) -> Candidate {
    let free = free(search.space, &from.coordinates);
    let indices: Vec<usize> = (0..free.len()).filter(|&i| free[i]).collect();
    if indices.is_empty() {
        return from;
    }
    if search.space.has_constraints() {
        return projected_ascent(search.space, acquisition, from, &free);
    }
    let whole = |part: &[f64]| {
        let mut x = from.coordinates.clone();
        indices.iter().zip(part).for_each(|(&i, &u)| x[i] = u);
        x
    };
    let objective = |part: &[f64], gradient: &mut [f64]| {
        let mut of_all = vec![0.0; from.coordinates.len()];
        let value = acquisition.value_with_gradient(&whole(part), &mut of_all);
        indices.iter().zip(gradient).for_each(|(&i, g)| *g = -of_all[i]);
        -value
    };
    let start: Vec<f64> = indices.iter().map(|&i| from.coordinates[i]).collect();
    let (lower, upper) = (vec![0.0; start.len()], vec![1.0; start.len()]);
    let bounds = Bounds { lower: &lower, upper: &upper, iterations: ASCENT_ITERATIONS, tolerance: 1e-9 };
    let end = minimize(&objective, &start, &bounds);
    if -end.value > from.value { Candidate { coordinates: whole(&end.x), value: -end.value } } else { from }
}

/// Gradient ascent, each step projected onto the linear constraints.
fn projected_ascent(
    space: &Space,
    acquisition: &dyn Acquisition,
    from: Candidate,
    free: &[bool],
) -> Candidate {
    let mut best = from;
    let mut step = 0.1;
    for _ in 0..ASCENT_ITERATIONS {
        let mut gradient = vec![0.0; best.coordinates.len()];
        acquisition.value_with_gradient(&best.coordinates, &mut gradient);
        let steepest =
            (0..free.len()).filter(|&i| free[i]).map(|i| gradient[i].abs()).fold(0.0_f64, f64::max);
        if !(steepest > 0.0 && steepest.is_finite()) {
            break;
        }
        let mut improved = false;
        while step > 1e-9 {
            let mut x = best.coordinates.clone();
            for i in (0..free.len()).filter(|&i| free[i]) {
                x[i] = (x[i] + step * gradient[i] / steepest).clamp(0.0, 1.0);
            }
            if space.project(&mut x, free) && space.satisfies(&space.decode(&x)) {
                let value = acquisition.value(&x);
                if value > best.value {
                    best = Candidate { coordinates: x, value };
                    improved = true;
                    step *= 1.5;
                    break;
                }
            }
            step *= 0.5;
        }
        if !improved {
            break;
        }
    }
    best
}

/// Tries other values of each ordered and categorical parameter, one at a time, and keeps each that improves.
#[allow(clippy::cast_precision_loss)]
fn exchange(search: &Search<'_>, acquisition: &dyn Acquisition, from: Candidate) -> Candidate {
    let space = search.space;
    let mut best = from;
    for (i, coordinate) in space.coordinates().iter().enumerate() {
        if best.coordinates[i].is_nan() {
            continue;
        }
        let at = best.coordinates[i];
        let others: Vec<f64> = match *coordinate {
            Coordinate::Continuous => continue,
            Coordinate::Ordered { levels } => {
                let unit = 1.0 / (levels - 1) as f64;
                [1.0, -1.0, 2.0, -2.0, 5.0, -5.0].iter().map(|steps| at + steps * unit).collect()
            }
            Coordinate::Categorical { choices } => {
                let stride = choices.div_ceil(MOST_LABELS);
                (0..choices).step_by(stride).map(|k| k as f64 / (choices - 1) as f64).collect()
            }
        };
        for other in others {
            if !(0.0..=1.0).contains(&other) {
                continue;
            }
            let mut x = best.coordinates.clone();
            x[i] = other;
            let point = space.decode(&x);
            let point = if space.satisfies(&point) { point } else { space.repair(&x) };
            if (search.taken)(&space.canonical(&point)) {
                continue;
            }
            let coordinates = space.encode(&point);
            let value = acquisition.value(&coordinates);
            if value > best.value {
                best = Candidate { coordinates, value };
            }
        }
    }
    best
}
