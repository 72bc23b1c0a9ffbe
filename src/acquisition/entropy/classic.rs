//! Entropy search on a discretized domain: the reference that the others approximate.
//!
//! α(x) = H(P(x*)) − E[H(P(x* | y at x))] over finitely many points. S joint samples of the posterior at the points say
//! how often each is the best. For an outcome y at point x every sample moves along
//! f ← f + C(·, x)/(σ²(x) + λ) · (y − f(x) − ε), so that the updated posterior is sampled without refitting, and the best
//! are counted again; outcomes are Gauss–Hermite nodes of the prediction (Hennig & Schuler, arXiv 1112.1217; the
//! counting as in Villemonteix, Vazquez & Walter 2009). Entropies are corrected for the number of samples (Miller &
//! Madow: + (points seen − 1)/2S). O(m³ + m² S) to draw, O(K m S) a point for m points, K nodes.

use crate::acquisition::normal::quasi_normal;
use crate::surrogate::{GaussianProcess, SurrogateError};

/// Nodes and weights for the expectation over a standard normal variable (Abramowitz & Stegun, table 25.10, n = 5,
/// scaled by √2 and 1/√π).
const NODES: [(f64, f64); 5] = [
    (-2.856_970_013_872_805, 0.011_257_411_327_720_7),
    (-1.355_626_179_974_266, 0.222_075_922_005_613),
    (0.0, 0.533_333_333_333_333),
    (1.355_626_179_974_266, 0.222_075_922_005_613),
    (2.856_970_013_872_805, 0.011_257_411_327_720_7),
];

/// Samples of the posterior at finitely many points.
pub struct EntropySearch<'a> {
    objective: &'a GaussianProcess,
    points: &'a [f64],
    /// S rows of m.
    samples: Vec<Vec<f64>>,
    /// S draws of the noise's standard normal numbers.
    noises: Vec<f64>,
    noise: f64,
}

impl<'a> EntropySearch<'a> {
    /// `count` quasi-random samples at `points`, row after row.
    ///
    /// # Errors
    /// Where the covariance at the points cannot be factored.
    pub fn new(
        objective: &'a GaussianProcess,
        points: &'a [f64],
        count: usize,
        seed: u64,
    ) -> Result<Self, SurrogateError> {
        let joint = objective.joint(points);
        let root = joint.root()?;
        let m = joint.len();
        // The last coordinate is the noise's.
        let normals = quasi_normal(count, m + 1, seed);
        let (mut samples, mut noises) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for z in normals.chunks_exact(m + 1) {
            samples.push(joint.sample(&root, &z[..m]));
            noises.push(z[m]);
        }
        Ok(Self { objective, points, samples, noises, noise: objective.noise_ahead() })
    }

    /// H(P(x*)) in nats.
    pub fn entropy(&self) -> f64 {
        let m = self.samples.first().map_or(0, Vec::len);
        let mut counts = vec![0_usize; m];
        for sample in &self.samples {
            counts[greatest(sample.iter().copied())] += 1;
        }
        entropy(&counts)
    }

    /// α at point `i`.
    #[allow(clippy::cast_precision_loss)]
    pub fn gain(&self, i: usize) -> f64 {
        let d = self.objective.dimension();
        let x = &self.points[i * d..(i + 1) * d];
        let at = self.objective.predict(x);
        let spread = at.sd * at.sd + self.noise;
        if spread < 1e-12 {
            return 0.0;
        }
        let covariances = self.objective.covariance(self.points, x);
        let m = covariances.nrows();
        let gains: Vec<f64> = (0..m).map(|p| covariances[(p, 0)] / spread).collect();
        let mut expected = 0.0;
        let mut counts = vec![0_usize; m];
        for (node, weight) in NODES {
            let y = at.mean + spread.sqrt() * node;
            counts.fill(0);
            for (sample, noise) in self.samples.iter().zip(&self.noises) {
                let moved = y - sample[i] - self.noise.sqrt() * noise;
                counts[greatest(sample.iter().zip(&gains).map(|(f, gain)| f + gain * moved))] += 1;
            }
            expected += weight * entropy(&counts);
        }
        self.entropy() - expected
    }
}

/// α at every one of some points.
///
/// # Errors
/// As [`EntropySearch::new`].
pub fn information_gains(
    objective: &GaussianProcess,
    points: &[f64],
    samples: usize,
    seed: u64,
) -> Result<Vec<f64>, SurrogateError> {
    let search = EntropySearch::new(objective, points, samples, seed)?;
    let m = points.len() / objective.dimension().max(1);
    Ok((0..m).map(|i| search.gain(i)).collect())
}

fn greatest(values: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (i, value) in values.enumerate() {
        if value > best.1 {
            best = (i, value);
        }
    }
    best.0
}

#[allow(clippy::cast_precision_loss)]
fn entropy(counts: &[usize]) -> f64 {
    let total = counts.iter().sum::<usize>().max(1) as f64;
    let seen: Vec<f64> =
        counts.iter().filter(|count| **count > 0).map(|count| *count as f64 / total).collect();
    let plain: f64 = -seen.iter().map(|share| share * share.ln()).sum::<f64>();
    plain + (seen.len().saturating_sub(1)) as f64 / (2.0 * total)
}
