//! Curvature from the steps taken: the two-loop recursion of L-BFGS for a function to be maximized over the unit cube.
//!
//! Source: Nocedal & Wright, *Numerical Optimization*, 2006, algorithm 7.4. What the published hybrid lacks: along a
//! curved ridge the gradient alone zigzags. Cost: O(m·n) for a memory of m pairs.

use std::collections::VecDeque;

/// How many pairs are kept.
const MEMORY: usize = 20;

/// Pairs of steps and of how the gradient fell along them.
#[derive(Clone, Debug, Default)]
pub struct Curvature {
    pairs: VecDeque<(Vec<f64>, Vec<f64>)>,
}

impl Curvature {
    /// Takes in a step and the gradients before and after it. A step along which the slope did not fall says nothing of
    /// a maximum, and is left out.
    pub fn learn(&mut self, step: &[f64], before: &[f64], after: &[f64]) {
        let fall: Vec<f64> = before.iter().zip(after).map(|(b, a)| b - a).collect();
        let curvature = dot(step, &fall);
        if curvature > 1e-10 * (dot(step, step) * dot(&fall, &fall)).sqrt() && curvature.is_finite() {
            if self.pairs.len() == MEMORY {
                self.pairs.pop_front();
            }
            self.pairs.push_back((step.to_vec(), fall));
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.pairs.clear();
    }

    /// The quasi-Newton direction of ascent at `gradient` in the `free` variables; `None` without a memory, or where it
    /// does not ascend.
    pub fn direction(&self, gradient: &[f64], free: &[bool]) -> Option<Vec<f64>> {
        let masked = |v: &[f64]| -> Vec<f64> {
            v.iter().zip(free).map(|(&v, &free)| if free { v } else { 0.0 }).collect()
        };
        let gradient = masked(gradient);
        let pairs: Vec<(Vec<f64>, Vec<f64>, f64)> = self
            .pairs
            .iter()
            .map(|(step, fall)| (masked(step), masked(fall)))
            .map(|(step, fall)| (dot(&step, &fall), step, fall))
            .filter(|(curvature, _, _)| *curvature > 0.0)
            .map(|(curvature, step, fall)| (step, fall, curvature))
            .collect();
        let (_, newest_fall, newest) = pairs.last()?;
        let scale = newest / dot(newest_fall, newest_fall);
        let mut direction = gradient.clone();
        let mut weights = Vec::with_capacity(pairs.len());
        for (step, fall, curvature) in pairs.iter().rev() {
            let alpha = dot(step, &direction) / curvature;
            direction.iter_mut().zip(fall).for_each(|(d, y)| *d -= alpha * y);
            weights.push(alpha);
        }
        direction.iter_mut().for_each(|d| *d *= scale);
        for ((step, fall, curvature), alpha) in pairs.iter().zip(weights.into_iter().rev()) {
            let beta = dot(fall, &direction) / curvature;
            direction.iter_mut().zip(step).for_each(|(d, s)| *d += (alpha - beta) * s);
        }
        (dot(&direction, &gradient) > 0.0 && direction.iter().all(|d| d.is_finite())).then_some(direction)
    }
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a concave quadratic with exact steps the recursion reaches the maximum: Newton's step after n of them.
    #[test]
    fn a_quadratic_is_learned() {
        let curvatures = [1.0, 10.0, 100.0];
        let gradient = |x: &[f64]| -> Vec<f64> { x.iter().zip(curvatures).map(|(x, c)| -c * x).collect() };
        let (mut x, mut memory) = (vec![1.0, -0.7, 0.4], Curvature::default());
        for _ in 0..12 {
            let g = gradient(&x);
            let d = memory.direction(&g, &[true; 3]).unwrap_or_else(|| g.clone());
            let t = dot(&g, &d) / d.iter().zip(curvatures).map(|(d, c)| c * d * d).sum::<f64>().max(1e-300);
            let step: Vec<f64> = d.iter().map(|d| t * d).collect();
            let next: Vec<f64> = x.iter().zip(&step).map(|(x, s)| x + s).collect();
            memory.learn(&step, &g, &gradient(&next));
            x = next;
        }
        assert!(x.iter().all(|x| x.abs() < 1e-10), "{x:?}");
        // A variable that is held does not move.
        let d = memory.direction(&[1.0, 1.0, 1.0], &[true, false, true]).unwrap_or_default();
        assert!(d[1].abs() < f64::MIN_POSITIVE && d[0] > 0.0);
    }
}
