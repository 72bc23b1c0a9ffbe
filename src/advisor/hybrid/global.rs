//! Where to start and restart, and what the networks get wrong: the Gaussian process beside the attacks.
//!
//! Attacks and polls are local. A process over the values seen so far proposes starts by expected improvement, weighted
//! by the probability of being feasible. Where the client measures the truth, the process models the gap between truth and
//! network instead, so that what the network knows is kept and what it gets wrong is learned.

use crate::acquisition::{Acquisition, Search, Success, Sum, log_improvement, maximize};
use crate::attack::barrier::Merit;
use crate::space::{Design, PointKey, Space};
use crate::surrogate::{Distance, GaussianProcess, Matern52, Observations, SurrogateError, fit};

use super::landscape::Landscape;

/// Points that the process takes in at most: the best, and those farthest from them.
const MOST_POINTS: usize = 120;
/// Points nearer than this to a better one, in the maximum norm, say nothing of where else to start.
const APART: f64 = 0.02;
/// From this dimension on the process knows too little of the space, and starts are spread evenly.
const MOST_DIMENSIONS: usize = 20;

/// An evaluated point.
pub(super) type Seen = (Vec<f64>, Merit);

/// What the mean of the process is added to.
#[derive(Clone, Copy)]
pub(super) enum Prior<'a> {
    /// Nothing.
    Flat,
    /// The network's goal.
    Network(&'a Landscape),
}

impl Prior<'_> {
    fn at(&self, z: &[f64]) -> f64 {
        match self {
            Self::Flat => 0.0,
            Self::Network(landscape) => landscape.sight(z).0,
        }
    }
}

/// The next start: by the model, or spread evenly where it has nothing to say.
pub(super) fn start(
    space: &Space,
    seen: &[Seen],
    prior: Prior<'_>,
    seed: u64,
    taken: &dyn Fn(&PointKey) -> bool,
) -> Option<Vec<f64>> {
    let by_model = if space.dimension() <= MOST_DIMENSIONS || matches!(prior, Prior::Network(_)) {
        Model::learn(space, seen, prior, matches!(prior, Prior::Flat), seed).ok().and_then(|model| {
            let around: Vec<Vec<f64>> = match prior {
                // Starts are to lie elsewhere; with the truth at stake the best points are worth refining.
                Prior::Flat => Vec::new(),
                Prior::Network(_) => model.around.clone(),
            };
            let search = Search { space, around: &around, taken, region: None, seed };
            let acquisition = model.acquisition();
            maximize(&search, &acquisition)
        })
    } else {
        None
    };
    let point = by_model.or_else(|| {
        let design = Design::new(space, seed);
        design.points(seen.len() as u64 + 1, 1, taken).into_iter().next()
    });
    point.map(|point| space.encode(&point))
}

/// Whether the truth less what the network says is at least as likely, as a process, as the truth itself; so it is where
/// neither can be told, as at the first point.
pub(super) fn helps(landscape: &Landscape, seen: &[Seen], seed: u64) -> bool {
    let space = landscape.space();
    let likelihood =
        |prior: Prior<'_>| Model::learn(space, seen, prior, false, seed).map(|model| model.log_likelihood());
    match (likelihood(Prior::Network(landscape)), likelihood(Prior::Flat)) {
        (Ok(gap), Ok(flat)) => gap >= flat,
        _ => true,
    }
}

/// Processes over the gap and over what is feasible.
struct Model<'a> {
    process: GaussianProcess,
    prior: Prior<'a>,
    centre: f64,
    spread: f64,
    /// Whether the values differ by more than rounding.
    varies: bool,
    /// The best mean at a feasible point, standardized.
    incumbent: f64,
    feasible: Option<GaussianProcess>,
    around: Vec<Vec<f64>>,
}

impl<'a> Model<'a> {
    #[allow(clippy::cast_precision_loss)]
    fn learn(
        space: &Space,
        seen: &[Seen],
        prior: Prior<'a>,
        apart: bool,
        seed: u64,
    ) -> Result<Self, SurrogateError> {
        let kept = thinned(seen, apart);
        let known: Vec<&Seen> = kept.iter().copied().filter(|(_, merit)| merit.value.is_finite()).collect();
        if known.is_empty() {
            return Err(SurrogateError::Empty);
        }
        let gaps: Vec<f64> = known.iter().map(|(z, merit)| merit.value - prior.at(z)).collect();
        let n = gaps.len() as f64;
        let centre = gaps.iter().sum::<f64>() / n;
        let spread = (gaps.iter().map(|g| (g - centre).powi(2)).sum::<f64>() / n).sqrt();
        let varies = spread > 1e-12 * (1.0 + centre.abs());
        let spread = if varies { spread } else { 1.0 };
        let outputs: Vec<f64> = gaps.iter().map(|g| (g - centre) / spread).collect();
        let inputs: Vec<f64> = known.iter().flat_map(|(z, _)| z.iter().copied()).collect();
        let distances: Vec<Distance> = space.coordinates().iter().map(|&c| Distance::of(c)).collect();
        let process = regression(&distances, &inputs, &outputs, seed)?;
        let labels: Vec<f64> = kept.iter().map(|(_, m)| if m.is_feasible() { 1.0 } else { -1.0 }).collect();
        let feasible = if labels.iter().all(|&label| label > 0.0) {
            None
        } else {
            let inputs: Vec<f64> = kept.iter().flat_map(|(z, _)| z.iter().copied()).collect();
            Some(regression(&distances, &inputs, &labels, seed)?)
        };
        let mut best: Vec<(f64, &Seen)> = known
            .iter()
            .filter(|(_, merit)| merit.is_feasible())
            .map(|seen| ((prior.at(&seen.0) + centre) / spread + process.mean(&seen.0), *seen))
            .collect();
        best.sort_by(|a, b| b.0.total_cmp(&a.0));
        let around = best.iter().take(4).map(|(_, seen)| seen.0.clone()).collect();
        let incumbent = best.first().map_or(f64::NEG_INFINITY, |(mean, _)| *mean);
        Ok(Self { process, prior, centre, spread, varies, incumbent, feasible, around })
    }

    /// ln p of the values in their own units; of what never changes, nothing is likelier.
    #[allow(clippy::cast_precision_loss)]
    fn log_likelihood(&self) -> f64 {
        if !self.varies {
            return f64::INFINITY;
        }
        self.process.log_marginal_likelihood()
            - self.process.evidence().outputs().len() as f64 * libm::log(self.spread)
    }

    fn acquisition(&self) -> Sum<'_> {
        let mut terms: Vec<Box<dyn Acquisition + '_>> = Vec::new();
        if self.incumbent.is_finite() {
            terms.push(Box::new(Improvement(self)));
        }
        if let Some(labels) = &self.feasible {
            terms.push(Box::new(Success { labels }));
        }
        if let Prior::Network(landscape) = self.prior {
            terms.push(Box::new(Kept(landscape)));
        }
        Sum(terms)
    }
}

fn regression(
    distances: &[Distance],
    inputs: &[f64],
    outputs: &[f64],
    seed: u64,
) -> Result<GaussianProcess, SurrogateError> {
    let known = vec![0.0; outputs.len()];
    let kernel = Matern52::new(distances, &vec![1.0; distances.len()], 1.0);
    let observations = Observations::new(distances, inputs, outputs, &known);
    fit(&kernel, &observations, seed)?.process(&kernel, observations)
}

/// The best points first; where `apart`, without those that lie near a better one.
fn thinned(seen: &[Seen], apart: bool) -> Vec<&Seen> {
    let mut sorted: Vec<&Seen> = seen.iter().collect();
    sorted.sort_by(|a, b| {
        (b.1.is_feasible(), b.1.value)
            .partial_cmp(&(a.1.is_feasible(), a.1.value))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut kept: Vec<&Seen> = Vec::new();
    for point in sorted {
        let near = |other: &&Seen| point.0.iter().zip(&other.0).all(|(a, b)| (a - b).abs() < APART);
        if kept.len() < MOST_POINTS && !(apart && kept.iter().any(near)) {
            kept.push(point);
        }
    }
    kept
}

/// ln EI of network plus gap.
struct Improvement<'a>(&'a Model<'a>);

impl Acquisition for Improvement<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        let model = self.0;
        let seen = model.process.predict(x);
        let sd = seen.sd.max(1e-9);
        let mean = seen.mean + (model.prior.at(x) + model.centre) / model.spread;
        libm::log(sd) + log_improvement((mean - model.incumbent) / sd)
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let model = self.0;
        let n = x.len();
        let (mut of_mean, mut of_sd) = (vec![0.0; n], vec![0.0; n]);
        let seen = model.process.predict_with_gradient(x, &mut of_mean, &mut of_sd);
        if let Prior::Network(landscape) = model.prior {
            let of_network = landscape.goal_gradient(x, 1e-3, 1);
            of_mean.iter_mut().zip(of_network).for_each(|(m, g)| *m += g / model.spread);
        }
        let sd = seen.sd.max(1e-9);
        let mean = seen.mean + (model.prior.at(x) + model.centre) / model.spread;
        let z = (mean - model.incumbent) / sd;
        let value = log_improvement(z);
        let step = 1e-5 * (1.0 + z.abs());
        let slope = (log_improvement(z + step) - log_improvement(z - step)) / (2.0 * step);
        for i in 0..n {
            gradient[i] += of_sd[i] / sd + slope * (of_mean[i] - z * of_sd[i]) / sd;
        }
        libm::log(sd) + value
    }
}

/// Keeps the search away from where the networks' constraints do not hold.
struct Kept<'a>(&'a Landscape);

impl Acquisition for Kept<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        let (_, constraints) = self.0.sight(x);
        let most = constraints.iter().copied().fold(0.0_f64, f64::max);
        if most > 0.0 { -10.0 - libm::log1p(most) } else { 0.0 }
    }

    fn value_with_gradient(&self, x: &[f64], _: &mut [f64]) -> f64 {
        self.value(x)
    }
}
