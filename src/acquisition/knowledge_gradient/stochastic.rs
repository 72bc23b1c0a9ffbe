//! Multi-start stochastic gradient ascent of the knowledge gradient (Frazier, arXiv 1807.02811, algorithms 3 and 4).
//!
//! From each start, steps along unbiased gradients from fresh draws of the outcome, of length decreasing as a/(a + t);
//! the ends are valued by simulation (algorithm 2), and the best is returned. Gradients are taken in units of the first
//! one's length, which a step of a tenth of the region is to have: Robbins & Monro's conditions hold for any scale.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::SimulatedKnowledgeGradient;
use crate::acquisition::Acquisition;
use crate::acquisition::normal::quantile;
use crate::acquisition::search::Candidate;
use crate::space::Coordinate;

/// How long to ascend.
#[derive(Clone, Copy, Debug)]
pub struct Ascent {
    /// R, starts.
    pub starts: usize,
    /// T, steps from each.
    pub steps: usize,
    /// J, draws a gradient.
    pub draws: usize,
    /// a of the steps' lengths.
    pub decay: f64,
}

/// Draws that value an end.
const VALUING: usize = 32;
/// Length of the first step, in widths of the region.
const FIRST_STEP: f64 = 0.1;

/// The best end with ln KG there, weighted: the logarithms of KG and of `weights` are added.
#[allow(clippy::cast_precision_loss)]
pub fn stochastic_ascent(
    gradient_of: &SimulatedKnowledgeGradient<'_>,
    weights: &dyn Acquisition,
    ascent: Ascent,
) -> Option<Candidate> {
    let search = gradient_of.search;
    let d = search.space.dimension();
    let mut rng = ChaCha8Rng::seed_from_u64(search.seed ^ 0x5347_4144);
    // Starts: the candidates that the closed form would rate first are not known here; spread ones and good ones are.
    let rows: Vec<&[f64]> = gradient_of.rows.chunks_exact(d.max(1)).collect();
    let mut best: Option<Candidate> = None;
    let valued: Vec<f64> = (0..VALUING).map(|j| quantile((j as f64 + 0.5) / VALUING as f64)).collect();
    for r in 0..ascent.starts {
        let mut x = if r == 0 && !search.around.is_empty() {
            search.around[0].clone()
        } else {
            rows[rng.random_range(0..rows.len())].to_vec()
        };
        let mut scale = None;
        for t in 0..ascent.steps {
            let draws: Vec<f64> = (0..ascent.draws).map(|_| quantile(rng.random_range(1e-12..1.0))).collect();
            let (mut of_gain, mut of_weights) = (vec![0.0; d], vec![0.0; d]);
            let Ok(gain) = gradient_of.expected_gain(&x, &draws, &mut of_gain) else { break };
            weights.value_with_gradient(&x, &mut of_weights);
            let mut step: Vec<f64> =
                of_gain.iter().zip(&of_weights).map(|(g, w)| g + gain.max(0.0) * w).collect();
            for i in 0..d {
                if search.space.coordinates()[i] != Coordinate::Continuous
                    || x[i].is_nan()
                    || !step[i].is_finite()
                {
                    step[i] = 0.0;
                }
            }
            let length = step.iter().fold(0.0_f64, |most, s| most.max(s.abs()));
            if length > 0.0 {
                let scale = *scale.get_or_insert(FIRST_STEP / length);
                let alpha = ascent.decay / (ascent.decay + t as f64);
                for i in 0..d {
                    let (lower, upper) = search.bounds(i);
                    // No step is longer than the first: an early gradient near 0 would make all others huge.
                    let size = (alpha * scale * step[i]).clamp(-FIRST_STEP, FIRST_STEP);
                    if step[i] != 0.0 {
                        x[i] = (x[i] + size * (upper - lower)).clamp(lower, upper);
                    }
                }
                if search.space.has_constraints() {
                    x = search.space.encode(&search.space.repair(&x));
                }
            }
        }
        let Ok(gain) = gradient_of.expected_gain(&x, &valued, &mut vec![0.0; d]) else { continue };
        let value = gain.max(f64::MIN_POSITIVE).ln() + weights.value(&x);
        if best.as_ref().is_none_or(|best| value > best.value) {
            best = Some(Candidate { coordinates: x, value });
        }
    }
    best
}
