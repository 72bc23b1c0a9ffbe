//! The one-shot knowledge gradient: the point and the maximizers of its imagined outcomes are optimized jointly, so that
//! no maximization is nested in another (Balandat et al., arXiv 1910.06403, §4.2).
//!
//! Maximized over x and x̂₁ … x̂_J is the mean over j of μ(x̂ⱼ) + C(x̂ⱼ, x) Zⱼ/s(x), with Zⱼ quantiles of the standard normal
//! distribution. Only continuous coordinates move from a start; the starts are the places that the closed form rates
//! best, and for each outcome the best of the points that stand for the domain.

use std::cell::RefCell;

use super::representers;
use crate::acquisition::Acquisition;
use crate::acquisition::normal::quantile;
use crate::acquisition::search::{Candidate, Search};
use crate::acquisition::value_of_information::ValueOfInformation;
use crate::quasi_newton::{Bounds, minimize};
use crate::space::Coordinate;
use crate::surrogate::{GaussianProcess, SurrogateError};

/// How many starts are optimized, and most iterations of each.
const STARTS: usize = 2;
const ITERATIONS: u64 = 30;

/// The best point with ln KG there as the joint optimum values it, `weights` added.
///
/// # Errors
/// Where a covariance cannot be factored.
#[allow(clippy::cast_precision_loss)]
pub fn one_shot(
    process: &GaussianProcess,
    search: &Search<'_>,
    weights: &dyn Acquisition,
    outcomes: usize,
) -> Result<Option<Candidate>, SurrogateError> {
    let d = search.space.dimension();
    let rows = representers(process, search);
    let means: Vec<f64> = rows.chunks_exact(d.max(1)).map(|row| process.mean(row)).collect();
    let best = means.iter().fold(f64::NEG_INFINITY, |most, mean| most.max(*mean));
    let closed = ValueOfInformation::new(process, &rows)?;
    let mut ranked: Vec<(f64, &[f64])> =
        rows.chunks_exact(d.max(1)).map(|row| (closed.value(row) + weights.value(row), row)).collect();
    ranked.retain(|(value, _)| !value.is_nan());
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let normals: Vec<f64> = (0..outcomes).map(|j| quantile((j as f64 + 0.5) / outcomes as f64)).collect();
    let problem = Problem { process, weights, normals: &normals, best };
    let mut found: Option<Candidate> = None;
    for (_, start) in ranked.into_iter().take(STARTS) {
        let mut whole = start.to_vec();
        let covariances = process.covariance(&rows, start);
        let s = problem.spread(start);
        for z in &normals {
            let updated = |i: usize| means[i] + covariances[(i, 0)] * z / s;
            let top = (0..means.len()).max_by(|&a, &b| updated(a).total_cmp(&updated(b))).unwrap_or(0);
            whole.extend_from_slice(&rows[top * d..(top + 1) * d]);
        }
        let (whole, value) = problem.optimize(search, &whole);
        let mut x = whole[..d].to_vec();
        if search.space.has_constraints() {
            x = search.space.encode(&search.space.repair(&x));
        }
        if value.is_finite() && found.as_ref().is_none_or(|found| value > found.value) {
            found = Some(Candidate { coordinates: x, value });
        }
    }
    Ok(found)
}

struct Problem<'a> {
    process: &'a GaussianProcess,
    weights: &'a dyn Acquisition,
    normals: &'a [f64],
    best: f64,
}

impl Problem<'_> {
    /// s(x).
    fn spread(&self, x: &[f64]) -> f64 {
        let sd = self.process.predict(x).sd;
        (sd * sd + self.process.noise_ahead()).sqrt()
    }

    /// Optimizes the continuous coordinates of x and all x̂ⱼ, laid end to end.
    fn optimize(&self, search: &Search<'_>, start: &[f64]) -> (Vec<f64>, f64) {
        let d = search.space.dimension();
        let free: Vec<usize> = (0..start.len())
            .filter(|&k| search.space.coordinates()[k % d] == Coordinate::Continuous && !start[k].is_nan())
            .collect();
        // The outcome's maximizer may lie anywhere, the point in the region only.
        let (lower, upper): (Vec<f64>, Vec<f64>) =
            free.iter().map(|&k| if k < d { search.bounds(k) } else { (0.0, 1.0) }).unzip();
        let buffer = RefCell::new(start.to_vec());
        let objective = |part: &[f64], gradient: &mut [f64]| {
            let mut whole = buffer.borrow_mut();
            free.iter().zip(part).for_each(|(&k, &u)| whole[k] = u);
            let mut of_all = vec![0.0; whole.len()];
            let value = self.value(&whole, d, &mut of_all);
            free.iter().zip(gradient).for_each(|(&k, g)| *g = -of_all[k]);
            -value
        };
        let part: Vec<f64> = free.iter().map(|&k| start[k]).collect();
        let bounds = Bounds { lower: &lower, upper: &upper, iterations: ITERATIONS, tolerance: 1e-6 };
        let end = minimize(&objective, &part, &bounds);
        let mut whole = start.to_vec();
        free.iter().zip(&end.x).for_each(|(&k, &u)| whole[k] = u);
        (whole, -end.value)
    }

    /// ln of the mean gain, weighted; adds its gradient.
    #[allow(clippy::cast_precision_loss)]
    fn value(&self, whole: &[f64], d: usize, gradient: &mut [f64]) -> f64 {
        let x = &whole[..d];
        let mut scratch = vec![0.0; 4 * d];
        let (of_mean, rest) = scratch.split_at_mut(d);
        let (of_sd, rest) = rest.split_at_mut(d);
        let (of_x, of_other) = rest.split_at_mut(d);
        let at = self.process.predict_with_gradient(x, of_mean, of_sd);
        let s = (at.sd * at.sd + self.process.noise_ahead()).sqrt();
        let count = self.normals.len() as f64;
        let mut sum = 0.0;
        let mut of_sum = vec![0.0; whole.len()];
        for (j, z) in self.normals.iter().enumerate() {
            let k = d * (j + 1);
            let other = &whole[k..k + d];
            of_x.fill(0.0);
            of_other.fill(0.0);
            let covariance = self.process.covariance_with_gradient(x, other, of_x);
            self.process.covariance_with_gradient(other, x, of_other);
            sum += self.process.mean_with_gradient(other, &mut of_sum[k..k + d]) + covariance * z / s
                - self.best;
            for i in 0..d {
                of_sum[k + i] += of_other[i] * z / s;
                of_sum[i] += z * (of_x[i] / s - covariance * at.sd * of_sd[i] / (s * s * s));
            }
        }
        let (value, slope) = crate::acquisition::entropy::log_positive(sum / count);
        gradient.iter_mut().zip(&of_sum).for_each(|(g, of_sum)| *g += slope * of_sum / count);
        value + self.weights.value_with_gradient(x, &mut gradient[..d])
    }
}
