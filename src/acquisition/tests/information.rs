//! Entropy searches against information that is counted in tables of joint draws, and entropies that are integrated.

use super::*;
use crate::acquisition::normal::{cdf, log_density, quasi_normal};
use crate::surrogate::Prediction;

/// What an observation may say something about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum About {
    Place,
    Value,
    Both,
}

/// Joint draws at some points: their values, and the place and value of each draw's maximum.
struct Draws {
    mean: Vec<f64>,
    variances: Vec<f64>,
    noise: f64,
    /// Each with the noise's standard normal number.
    samples: Vec<(Vec<f64>, f64)>,
    places: Vec<usize>,
    /// In eighths of the drawn maxima.
    values: Vec<usize>,
}

const EIGHTHS: usize = 8;

impl Draws {
    fn new(process: &GaussianProcess, points: &[f64], count: usize, noise: f64) -> Self {
        let joint = process.joint(points);
        let root = joint.root().unwrap();
        let m = joint.len();
        let samples: Vec<(Vec<f64>, f64)> = quasi_normal(count, m + 1, 5)
            .chunks_exact(m + 1)
            .map(|z| (joint.sample(&root, &z[..m]), z[m]))
            .collect();
        let best = |sample: &[f64]| (0..m).max_by(|&a, &b| sample[a].total_cmp(&sample[b])).unwrap();
        let places: Vec<usize> = samples.iter().map(|(sample, _)| best(sample)).collect();
        let maxima: Vec<f64> = samples.iter().zip(&places).map(|((sample, _), &k)| sample[k]).collect();
        let mut sorted = maxima.clone();
        sorted.sort_by(f64::total_cmp);
        let edges: Vec<f64> = (1..EIGHTHS).map(|k| sorted[k * count / EIGHTHS]).collect();
        let values = maxima.iter().map(|v| edges.partition_point(|edge| edge < v)).collect();
        let variances = (0..m).map(|p| joint.covariance()[(p, p)]).collect();
        Self { mean: joint.mean().to_vec(), variances, noise, samples, places, values }
    }

    /// Mutual information between an observation at point `i` and the maximum, by counting: the observation in bins,
    /// places by point, values in eighths. Bins lose little, chance adds half a cell's worth for each draw.
    fn information(&self, i: usize, about: About) -> f64 {
        let bins = 24;
        let m = self.mean.len();
        let count = self.samples.len() as f64;
        let columns = if about == About::Both { m * EIGHTHS } else { m.max(EIGHTHS) };
        let mut table = vec![vec![0.0_f64; columns]; bins];
        let spread = (self.variances[i] + self.noise).sqrt();
        for (k, (sample, noise)) in self.samples.iter().enumerate() {
            let outcome = (sample[i] + self.noise.sqrt() * noise - self.mean[i]) / spread;
            let bin = ((cdf(outcome) * bins as f64) as usize).min(bins - 1);
            let column = match about {
                About::Place => self.places[k],
                About::Value => self.values[k],
                About::Both => self.places[k] * EIGHTHS + self.values[k],
            };
            table[bin][column] += 1.0 / count;
        }
        let of_rows: Vec<f64> = table.iter().map(|row| row.iter().sum()).collect();
        let of_columns: Vec<f64> = (0..columns).map(|k| table.iter().map(|row| row[k]).sum()).collect();
        let mut information = 0.0;
        for (row, of_row) in table.iter().zip(&of_rows) {
            for (p, of_column) in row.iter().zip(&of_columns) {
                if *p > 0.0 {
                    information += p * (p / (of_row * of_column)).ln();
                }
            }
        }
        information
    }
}

#[test]
fn entropy_search_equals_counted_information() {
    for d in [1, 2] {
        let (_, process) = small(d);
        let points = grid(d, if d == 1 { 15 } else { 4 });
        let gains = information_gains(&process, &points, 4096, 1).unwrap();
        let draws = Draws::new(&process, &points, 1 << 14, process.noise().value);
        for (i, gain) in gains.iter().enumerate() {
            let counted = draws.information(i, About::Place);
            assert!((gain - counted).abs() < 0.05 + 0.1 * counted, "{d} {i}: {gain} {counted}");
        }
    }
}

/// Maxima that belong to joint draws at some points, and the places where they are.
fn drawn_maxima(process: &GaussianProcess, points: &[f64], count: usize) -> Maxima {
    let d = process.dimension();
    let joint = process.joint(points);
    let root = joint.root().unwrap();
    let mut maxima = Maxima::default();
    for z in quasi_normal(count, joint.len(), 9).chunks_exact(joint.len()) {
        let sample = joint.sample(&root, z);
        let best = (0..joint.len()).max_by(|&a, &b| sample[a].total_cmp(&sample[b])).unwrap();
        maxima.places.push(points[best * d..(best + 1) * d].to_vec());
        maxima.values.push(sample[best]);
    }
    maxima
}

#[test]
fn approximations_come_near_counted_information() {
    for d in [1, 2] {
        let (space, process) = small(d);
        let points = grid(d, if d == 1 { 15 } else { 4 });
        let search = Search { space: &space, around: &[], taken: &|_| false, region: None, seed: 4 };
        let draws = Draws::new(&process, &points, 1 << 16, process.noise().value);
        let exact = Draws::new(&process, &points, 1 << 16, 0.0);
        let maxima = drawn_maxima(&process, &points, 64);
        let predictive = PredictiveEntropySearch::new(&process, &maxima, &search).unwrap();
        let joint = JointEntropySearch::new(&process, &maxima).unwrap();
        let value = MaxValueEntropySearch { objective: &process, maxima: maxima.values.clone() };
        // Max-value entropy search asks what the function says, the others what an observation does. Normal
        // distributions cut off at the maximum overstate what its value says; for joint entropy search, whose posterior
        // has taken the maximum in, they are taken as normal, which understates.
        let all: [(&dyn Acquisition, &Draws, About, f64, f64); 3] = [
            (&value, &exact, About::Value, 0.7, 2.0),
            (&predictive, &draws, About::Place, 0.8, 1.6),
            (&joint, &draws, About::Both, 0.6, 1.15),
        ];
        for (acquisition, draws, about, least, most) in all {
            let counted: Vec<f64> = (0..points.len() / d).map(|i| draws.information(i, about)).collect();
            let found: Vec<f64> = points.chunks_exact(d).map(|x| acquisition.value(x).exp()).collect();
            let top = counted.iter().fold(0.0_f64, |top, v| top.max(*v));
            for (counted, found) in counted.iter().zip(&found).filter(|(counted, _)| **counted > 0.5 * top) {
                let ratio = found / counted;
                assert!(least < ratio && ratio < most, "{d} {about:?}: {found} of {counted}");
            }
        }
    }
}

#[test]
fn max_value_entropy_search_is_a_difference_of_integrated_entropies() {
    /// The entropy of a normal variable below a bound, by the trapezoidal rule over its density.
    fn entropy_below(at: &Prediction, bound: f64) -> f64 {
        let (low, steps) = (at.mean - 12.0 * at.sd, 40_000);
        let step = (bound - low) / f64::from(steps);
        let inside = cdf((bound - at.mean) / at.sd);
        (0..=steps)
            .map(|k| {
                let z = (low + step * f64::from(k) - at.mean) / at.sd;
                let density = log_density(z).exp() / (at.sd * inside);
                let weight = if k == 0 || k == steps { 0.5 } else { 1.0 };
                -weight * step * density * density.max(f64::MIN_POSITIVE).ln()
            })
            .sum()
    }
    for d in [1, 2] {
        let (_, process) = small(d);
        let maxima = vec![0.95, 1.1, 1.6, 2.5];
        let search = MaxValueEntropySearch { objective: &process, maxima: maxima.clone() };
        for x in grid(d, 5).chunks_exact(d) {
            let at = process.predict(x);
            let free = 0.5 * (std::f64::consts::TAU * std::f64::consts::E).ln() + at.sd.ln();
            let cut: f64 = maxima.iter().map(|bound| entropy_below(&at, *bound)).sum();
            let expected = free - cut / maxima.len() as f64;
            let value = search.value(x).exp();
            assert!((value - expected).abs() < 1e-6 * (1.0 + expected), "{x:?}: {value} {expected}");
        }
    }
}

#[test]
fn approximations_rank_places_like_entropy_search() {
    for d in [1, 2] {
        let (space, process) = small(d);
        let fine = grid(d, if d == 1 { 41 } else { 9 });
        let reference = information_gains(&process, &fine, 2048, 3).unwrap();
        let most = reference.iter().fold(0.0_f64, |m, v| m.max(*v));
        let search = Search { space: &space, around: &[], taken: &|_| false, region: None, seed: 4 };
        let maxima = sample_maxima(&process, &search, 64, 7);
        let predictive = PredictiveEntropySearch::new(&process, &maxima, &search).unwrap();
        let joint = JointEntropySearch::new(&process, &maxima).unwrap();
        let all: [(&str, &dyn Acquisition, f64); 2] =
            [("predictive", &predictive, 0.7), ("joint", &joint, 0.6)];
        for (name, acquisition, share) in all {
            let best = (0..fine.len() / d)
                .max_by(|&a, &b| {
                    let at = |i: usize| acquisition.value(&fine[i * d..(i + 1) * d]);
                    at(a).total_cmp(&at(b))
                })
                .unwrap();
            assert!(reference[best] > share * most, "{d} {name}: {} of {most}", reference[best]);
        }
    }
}
