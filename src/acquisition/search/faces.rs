//! Ascent under linear constraints: a quasi-Newton method in the null space of the active ones.
//!
//! At each place the constraints that hold with equality and would be violated by following the gradient span a face;
//! the two-loop direction of L-BFGS (Nocedal & Wright, *Numerical Optimization*, 2006, algorithm 7.4) is taken within
//! it, and the step ends where another constraint begins to bind. At the maximum of a face, a constraint whose
//! multiplier says that leaving it would improve is let go (ibid., §16.5). Equalities are never let go, so every place
//! stays in their affine subspace. Constraints that are not linear in the coordinates, those of parameters on a
//! logarithmic scale, are linearized at each place and returned to after each step.

use super::ascent::{ITERATIONS, TOLERANCE};
use super::{Candidate, Search};
use crate::acquisition::Acquisition;
use crate::space::{HalfSpace, Space};

/// A constraint within this of its bound counts as active.
const ACTIVE: f64 = 1e-9;
/// A direction that keeps less than this of a normal's length depends on the ones before it.
const DEPENDENT: f64 = 1e-9;
/// Pairs of the curvature memory.
const MEMORY: usize = 8;
const SUFFICIENT_INCREASE: f64 = 1e-4;
const MOST_HALVINGS: usize = 20;

/// Climbs from a feasible place in the `free` coordinates; never ends lower, nor outside.
pub(super) fn climb(
    search: &Search<'_>,
    acquisition: &dyn Acquisition,
    from: Candidate,
    free: &[usize],
) -> Candidate {
    let space = search.space;
    let d = from.coordinates.len();
    let movable: Vec<bool> = (0..d).map(|i| free.contains(&i)).collect();
    let mut best = from;
    let mut gradient = vec![0.0; d];
    best.value = acquisition.value_with_gradient(&best.coordinates, &mut gradient);
    let mut memory: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    let mut width = 0;
    for _ in 0..ITERATIONS {
        if !(best.value.is_finite() && gradient.iter().all(|g| g.is_finite())) {
            break;
        }
        (0..d).filter(|&i| !movable[i]).for_each(|i| gradient[i] = 0.0);
        let half_spaces = sides(search, &best.coordinates, free);
        let face = Face::of(&half_spaces, &gradient);
        if face.basis.len() != width {
            memory.clear();
            width = face.basis.len();
        }
        let steepest = face.within(&gradient);
        if norm(&steepest) <= 1e-12 * (1.0 + norm(&gradient)) {
            break;
        }
        let mut direction = two_loop(&steepest, &memory, &face);
        if dot(&direction, &steepest) <= 0.0 {
            memory.clear();
            direction = two_loop(&steepest, &memory, &face);
        }
        let most = longest(&half_spaces, &face, &direction);
        let Some((x, value)) =
            line(space, acquisition, &best, &direction, most, &movable, dot(&direction, &steepest))
        else {
            if memory.is_empty() {
                break;
            }
            memory.clear();
            continue;
        };
        let gain = value - best.value;
        let mut next = vec![0.0; d];
        acquisition.value_with_gradient(&x, &mut next);
        let step: Vec<f64> =
            x.iter().zip(&best.coordinates).map(|(a, b)| if a.is_nan() { 0.0 } else { a - b }).collect();
        let change = face.within(&gradient.iter().zip(&next).map(|(a, b)| a - b).collect::<Vec<_>>());
        if dot(&step, &change) > f64::EPSILON * dot(&change, &change) {
            if memory.len() == MEMORY {
                memory.remove(0);
            }
            memory.push((step, change));
        }
        best = Candidate { coordinates: x, value };
        gradient = next;
        if gain <= TOLERANCE * 1e-2 {
            break;
        }
    }
    best
}

/// The constraints and the bounds as half spaces, those that hold equality first.
fn sides(search: &Search<'_>, x: &[f64], free: &[usize]) -> Vec<HalfSpace> {
    let mut sides = search.space.half_spaces(x, free);
    for &i in free {
        let (lower, upper) = search.bounds(i);
        for (sign, room) in [(1.0, upper - x[i]), (-1.0, x[i] - lower)] {
            let mut normal = vec![0.0; x.len()];
            normal[i] = sign;
            sides.push(HalfSpace { normal, room, is_equality: false });
        }
    }
    sides
}

/// The normals of the constraints that bind, as an orthonormal basis.
struct Face {
    basis: Vec<Vec<f64>>,
    /// Whether a half space is part of it.
    holds: Vec<bool>,
}

impl Face {
    /// The face that following `gradient` keeps to.
    fn of(sides: &[HalfSpace], gradient: &[f64]) -> Self {
        let mut face = Self { basis: Vec::new(), holds: vec![false; sides.len()] };
        for (k, side) in sides.iter().enumerate() {
            if side.is_equality {
                face.add(sides, k);
            }
        }
        // Constraint by constraint, the one that the direction runs into the most: what ends up in the face has been
        // pushed against, and what the direction leaves is not in it.
        for _ in 0..gradient.len() {
            let direction = face.within(gradient);
            let size = norm(&direction);
            let worst = sides
                .iter()
                .enumerate()
                .filter(|(k, side)| !side.is_equality && !face.holds[*k] && side.room <= ACTIVE)
                .map(|(k, side)| {
                    (k, dot(&side.normal, &direction) / norm(&side.normal).max(f64::MIN_POSITIVE))
                })
                .filter(|(_, push)| *push > 1e-12 * size)
                .max_by(|a, b| a.1.total_cmp(&b.1));
            let Some((k, _)) = worst else { break };
            face.add(sides, k);
        }
        face
    }

    fn add(&mut self, sides: &[HalfSpace], k: usize) {
        self.holds[k] = true;
        let mut normal = sides[k].normal.clone();
        let before = norm(&normal);
        for _ in 0..2 {
            for b in &self.basis {
                let share = dot(b, &normal);
                normal.iter_mut().zip(b).for_each(|(n, b)| *n -= share * b);
            }
        }
        let left = norm(&normal);
        if left > DEPENDENT * before && left > 0.0 {
            normal.iter_mut().for_each(|n| *n /= left);
            self.basis.push(normal);
        }
    }

    /// The part of a vector that lies within the face.
    fn within(&self, vector: &[f64]) -> Vec<f64> {
        let mut part = vector.to_vec();
        for _ in 0..2 {
            for b in &self.basis {
                let share = dot(b, &part);
                part.iter_mut().zip(b).for_each(|(p, b)| *p -= share * b);
            }
        }
        part
    }
}

/// The quasi-Newton direction of ascent within a face; a tenth of the cube along the steepest where nothing is known.
fn two_loop(steepest: &[f64], memory: &[(Vec<f64>, Vec<f64>)], face: &Face) -> Vec<f64> {
    let mut direction = steepest.to_vec();
    let mut alphas = Vec::with_capacity(memory.len());
    for (step, change) in memory.iter().rev() {
        let alpha = dot(step, &direction) / dot(step, change);
        direction.iter_mut().zip(change).for_each(|(d, y)| *d -= alpha * y);
        alphas.push(alpha);
    }
    let scale = match memory.last() {
        Some((step, change)) => dot(step, change) / dot(change, change),
        None => 0.1 / steepest.iter().fold(f64::MIN_POSITIVE, |most, g| most.max(g.abs())),
    };
    direction.iter_mut().for_each(|d| *d *= scale);
    for ((step, change), alpha) in memory.iter().zip(alphas.into_iter().rev()) {
        let beta = dot(change, &direction) / dot(step, change);
        direction.iter_mut().zip(step).for_each(|(d, s)| *d += (alpha - beta) * s);
    }
    face.within(&direction)
}

/// How far a direction can be followed until a constraint outside the face binds.
fn longest(sides: &[HalfSpace], face: &Face, direction: &[f64]) -> f64 {
    sides
        .iter()
        .zip(&face.holds)
        .filter(|(_, holds)| !**holds)
        .map(|(side, _)| (side.room.max(0.0), dot(&side.normal, direction)))
        .filter(|(_, speed)| *speed > 1e-14)
        .map(|(room, speed)| room / speed)
        .fold(f64::INFINITY, f64::min)
}

/// A feasible place along a direction that is sufficiently higher, with its value.
fn line(
    space: &Space,
    acquisition: &dyn Acquisition,
    from: &Candidate,
    direction: &[f64],
    most: f64,
    movable: &[bool],
    slope: f64,
) -> Option<(Vec<f64>, f64)> {
    let mut length = most.min(1.0);
    for _ in 0..MOST_HALVINGS {
        let mut x: Vec<f64> = from
            .coordinates
            .iter()
            .zip(direction)
            .map(|(u, v)| if *v == 0.0 { *u } else { (u + length * v).clamp(0.0, 1.0) })
            .collect();
        if space.project(&mut x, movable) && space.satisfies(&space.decode(&x)) {
            let value = acquisition.value(&x);
            if value > from.value && value >= from.value + SUFFICIENT_INCREASE * length * slope {
                return Some((x, value));
            }
        }
        length *= 0.4;
    }
    None
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}
