//! Thompson sampling: a point is tried as likely as it is the best (Thompson 1933; Frazier, arXiv 1807.02811, §4 of
//! its extensions; Kandasamy et al. 2018 for parallel and asynchronous trials, which need nothing but seeds of their own).
//!
//! A function is drawn from the posterior and its maximum is the point. On a finite set the draw is exact; on the
//! continuum it is a path, whose maximum is searched for like that of any other function.

use super::Acquisition;
use super::normal::quasi_normal;
use super::upper_confidence_bound::log_softplus;
use crate::surrogate::{GaussianProcess, Path, SurrogateError};

/// ln softplus(f(x) − f*) for a function f drawn from the posterior. O((n + w) d) for w waves.
pub struct ThompsonPath<'a> {
    path: Path<'a>,
    incumbent: f64,
}

impl<'a> ThompsonPath<'a> {
    /// The function of that seed. `incumbent` shifts the scale, which matters to weights only.
    pub fn new(objective: &'a GaussianProcess, incumbent: f64, seed: u64) -> Self {
        Self { path: objective.path(seed), incumbent }
    }
}

impl Acquisition for ThompsonPath<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        log_softplus(self.path.value(x) - self.incumbent).0
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let mut of_path = vec![0.0; x.len()];
        let (value, slope) = log_softplus(self.path.value_with_gradient(x, &mut of_path) - self.incumbent);
        gradient.iter_mut().zip(&of_path).for_each(|(g, of_path)| *g += slope * of_path);
        value
    }
}

/// One exact joint draw from the posterior at m points, row after row. O(n² m + n m² + m³).
///
/// # Errors
/// Where the covariance at the points cannot be factored.
pub fn draw_at(objective: &GaussianProcess, points: &[f64], seed: u64) -> Result<Vec<f64>, SurrogateError> {
    let joint = objective.joint(points);
    let root = joint.root()?;
    Ok(joint.sample(&root, &quasi_normal(1, joint.len(), seed)))
}
