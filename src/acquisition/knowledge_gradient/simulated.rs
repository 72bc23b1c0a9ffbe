//! The knowledge gradient by simulation: for quantiles of the outcome at x, the maximum of the updated posterior mean.
//!
//! Value (Frazier, algorithm 2): with s = √(σ²(x) + noise), the mean over Z of max over x′ of μ(x′) + C(x′, x) Z/s, less
//! the best mean now; Z are quantiles at the middles of equal shares, the same for every x, so that it is smooth.
//! Gradient (ibid., algorithm 4): the maximizers x̂ are held still (envelope theorem),
//! Z (∇ₓC(x̂, x)/s − C(x̂, x) ∇s/s²). Costs J searches for a maximum of a mean a point.

use crate::acquisition::entropy::log_positive;
use crate::acquisition::normal::quantile;
use crate::acquisition::search::{Search, climb_from};
use crate::acquisition::{Acquisition, PosteriorMean, representers};
use crate::surrogate::{GaussianProcess, Imagined, SurrogateError};

/// ln KG by simulation.
pub struct SimulatedKnowledgeGradient<'a> {
    pub(super) process: &'a GaussianProcess,
    pub(super) search: &'a Search<'a>,
    /// Where the maxima of updated means are looked for first.
    pub(super) rows: Vec<f64>,
    outcomes: Vec<f64>,
    /// max μ.
    pub(super) best: f64,
}

/// The posterior mean after an outcome.
struct Updated<'a> {
    imagined: &'a Imagined<'a>,
    learned: &'a [f64],
}

impl Acquisition for Updated<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        self.imagined.means(x, std::slice::from_ref(&self.learned.to_vec()))[0]
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        self.imagined.mean_with_gradient(x, self.learned, gradient)
    }
}

impl<'a> SimulatedKnowledgeGradient<'a> {
    /// With `outcomes` quantiles of Z. The search says over which domain the best mean is sought.
    #[allow(clippy::cast_precision_loss)]
    pub fn new(process: &'a GaussianProcess, search: &'a Search<'a>, outcomes: usize) -> Self {
        let rows = representers(process, search);
        let best = climb_from(search, &PosteriorMean(process), &rows, 2)
            .map_or(f64::NEG_INFINITY, |best| best.value);
        let outcomes = (0..outcomes).map(|j| quantile((j as f64 + 0.5) / outcomes as f64)).collect();
        Self { process, search, rows, outcomes, best }
    }

    /// The mean of max μ′ − max μ over outcomes at x, and its gradient, added.
    ///
    /// # Errors
    /// Where the variance at x is not positive.
    #[allow(clippy::cast_precision_loss)]
    pub fn expected_gain(
        &self,
        x: &[f64],
        outcomes: &[f64],
        gradient: &mut [f64],
    ) -> Result<f64, SurrogateError> {
        let d = x.len();
        let noise = self.process.noise_ahead();
        let imagined = self.process.imagine(x, noise)?;
        let mut gradients = vec![0.0; 3 * d];
        let (of_mean, rest) = gradients.split_at_mut(d);
        let (of_sd, of_covariance) = rest.split_at_mut(d);
        let at = self.process.predict_with_gradient(x, of_mean, of_sd);
        let s = (at.sd * at.sd + noise).sqrt();
        let mut rows = self.rows.clone();
        rows.extend_from_slice(x);
        let mut sum = 0.0;
        for &z in outcomes {
            let learned = imagined.learn_standard(&[z]);
            let updated = Updated { imagined: &imagined, learned: &learned };
            let Some(top) = climb_from(self.search, &updated, &rows, 1) else { continue };
            sum += top.value - self.best;
            of_covariance.fill(0.0);
            let covariance = self.process.covariance_with_gradient(x, &top.coordinates, of_covariance);
            for i in 0..d {
                let of_s = at.sd * of_sd[i] / s;
                gradient[i] +=
                    z * (of_covariance[i] / s - covariance * of_s / (s * s)) / outcomes.len() as f64;
            }
        }
        Ok(sum / outcomes.len() as f64)
    }
}

impl Acquisition for SimulatedKnowledgeGradient<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        let gain = self.expected_gain(x, &self.outcomes, &mut vec![0.0; x.len()]);
        gain.map_or(f64::NEG_INFINITY, |gain| log_positive(gain).0)
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let mut of_gain = vec![0.0; x.len()];
        let Ok(gain) = self.expected_gain(x, &self.outcomes, &mut of_gain) else { return f64::NEG_INFINITY };
        let (value, slope) = log_positive(gain);
        gradient.iter_mut().zip(&of_gain).for_each(|(g, of_gain)| *g += slope * of_gain);
        value
    }
}
