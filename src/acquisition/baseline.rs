//! The posterior on what the best evaluated points are really worth: joint samples of the noise-free values at them,
//! and the posterior that each sample leaves.
//!
//! Given exact values at the baseline, what is left of the posterior at a point is normal, with a mean of each sample's
//! own and a standard deviation that all share; so an expectation over the incumbents *and* the point is an average of
//! closed forms (Letham, Karrer, Ottoni & Bakshy, *Constrained Bayesian Optimization with Noisy Experiments*, 2019,
//! §3.2; the caching of Daulton, Balandat & Bakshy, arXiv 2105.08195). Costs for m baseline points and S samples:
//! n² m + m³ to make, n² + n m + S m a point.

use crate::surrogate::{GaussianProcess, Imagined, SurrogateError};

/// Joint samples at the baseline of one process.
pub(super) struct Baseline<'a> {
    process: &'a GaussianProcess,
    imagined: Imagined<'a>,
    /// β of each sample.
    learned: Vec<Vec<f64>>,
    /// The samples' values at the baseline points.
    pub(super) values: Vec<Vec<f64>>,
}

/// The posteriors at one point that the samples leave, and what their gradients need.
pub(super) struct Conditional {
    /// μₛ(x).
    pub(super) means: Vec<f64>,
    /// σ′(x).
    pub(super) sd: f64,
}

impl<'a> Baseline<'a> {
    /// A joint sample at `places`, row after row, for each of some vectors of as many standard normal numbers.
    ///
    /// # Errors
    /// Where the covariance at the places cannot be factored.
    pub(super) fn new<'z>(
        process: &'a GaussianProcess,
        places: &[f64],
        normals: impl Iterator<Item = &'z [f64]>,
    ) -> Result<Self, SurrogateError> {
        let imagined = process.imagine(places, 0.0)?;
        let m = imagined.len();
        let root = imagined.root();
        let (mut learned, mut values) = (Vec::new(), Vec::new());
        for z in normals {
            let value = |p: usize| imagined.mean()[p] + (0..=p).map(|q| root[(p, q)] * z[q]).sum::<f64>();
            values.push((0..m).map(value).collect());
            learned.push(imagined.learn_standard(z));
        }
        Ok(Self { process, imagined, learned, values })
    }

    pub(super) fn at(&self, x: &[f64]) -> Conditional {
        let (means, sd) = self.imagined.predict(x, &self.learned);
        Conditional { means, sd }
    }

    /// Adds the gradient in `x` of a number whose derivatives in the samples' means and in σ′ are given.
    pub(super) fn pull_back(
        &self,
        x: &[f64],
        at: &Conditional,
        in_means: &[f64],
        in_sd: f64,
        gradient: &mut [f64],
    ) {
        let d = x.len();
        let m = self.imagined.len();
        // Σₛ wₛ ∇μₛ = W ∇μ + ∇C Σₛ wₛ βₛ, and σ′ ∇σ′ = σ ∇σ − ∇C A⁻¹ C.
        let total: f64 = in_means.iter().sum();
        let mut weights = vec![0.0; m];
        for (weight, beta) in in_means.iter().zip(&self.learned) {
            weights.iter_mut().zip(beta).for_each(|(sum, beta)| *sum += weight * beta);
        }
        let covariances = self.imagined.covariances(x);
        let outcomes: Vec<f64> =
            covariances.iter().zip(self.imagined.mean()).map(|(c, mean)| c + mean).collect();
        let solved = self.imagined.learn(&outcomes);
        weights.iter_mut().zip(&solved).for_each(|(weight, solved)| *weight -= in_sd / at.sd * solved);
        let mut gradients = vec![0.0; 3 * d];
        let (of_mean, rest) = gradients.split_at_mut(d);
        let (of_sd, of_weighted) = rest.split_at_mut(d);
        let before = self.process.predict_with_gradient(x, of_mean, of_sd);
        self.imagined.mean_with_gradient(x, &weights, of_weighted);
        for i in 0..d {
            gradient[i] += of_weighted[i] + (total - 1.0) * of_mean[i] + in_sd * before.sd / at.sd * of_sd[i];
        }
    }
}
