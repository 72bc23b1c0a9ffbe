//! Random waves: a function drawn from a Gaussian process's prior as a sum of cosines.
//!
//! A stationary kernel is the expectation of cos(ω·(u − v)) over its spectral density (Rahimi & Recht, *Random Features
//! for Large-Scale Kernel Machines*, NeurIPS 2007): normal for the squared exponential, Student's t with 2ν degrees of
//! freedom for Matérn-ν. Labels are corners of a simplex, so that each label shifts the phase by a number of its own;
//! these numbers are drawn when they are met, from a seed.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::surrogate::points::Distance;

/// a √2 cos(ω·x + φ), with a weight of variance 1 to come: of many with independent weights the sum has the kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Wave {
    /// a: the squares of all waves' amplitudes sum to the kernel's variance.
    pub amplitude: f64,
    /// ω, one entry a coordinate.
    pub along: Vec<f64>,
    /// The same beside each axis, where numbers lie that are switched off.
    pub beside: Vec<f64>,
    /// φ.
    pub phase: f64,
    labels: Vec<LabelShift>,
    /// Linear functions that the wave is multiplied by: d coefficients of the numbers turned to [−1, 1] (0 where
    /// switched off), and a constant.
    forms: Vec<Vec<f64>>,
}

/// How the label of one coordinate shifts a wave's phase.
#[derive(Clone, Copy, Debug, PartialEq)]
struct LabelShift {
    coordinate: usize,
    scale: f64,
    seed: u64,
}

impl Wave {
    /// ω·x + φ.
    pub fn phase_at(&self, x: &[f64]) -> f64 {
        let mut phase = self.phase;
        for (a, &u) in x.iter().enumerate() {
            if self.along[a] != 0.0 || self.beside[a] != 0.0 {
                let (along, beside) = Distance::Numeric.place(u);
                phase += self.along[a] * along + self.beside[a] * beside;
            }
        }
        for label in &self.labels {
            phase += label.shift(x[label.coordinate]);
        }
        phase
    }

    /// A product of linear functions that does not swing: √2 cos φ is 1.
    pub(super) fn of_forms(dimension: usize, amplitude: f64, forms: [Vec<f64>; 2]) -> Self {
        Self {
            amplitude,
            along: vec![0.0; dimension],
            beside: vec![0.0; dimension],
            phase: std::f64::consts::FRAC_PI_4,
            labels: Vec::new(),
            forms: forms.into(),
        }
    }

    /// From now on each label of a coordinate shifts the phase by a normal number of its own.
    pub(super) fn shift_by_label(&mut self, coordinate: usize, scale: f64, seed: u64) {
        self.labels.push(LabelShift { coordinate, scale, seed });
    }

    /// The product of its linear functions at `x`.
    pub fn product_at(&self, x: &[f64]) -> f64 {
        self.forms.iter().map(|form| linear(form, x)).product()
    }

    /// Adds `factor` times the gradient of [`Self::product_at`] where coordinates are switched on.
    pub fn add_product_gradient(&self, x: &[f64], factor: f64, gradient: &mut [f64]) {
        for (k, form) in self.forms.iter().enumerate() {
            let others = self.forms.iter().enumerate().filter(|(other, _)| *other != k);
            let others: f64 = others.map(|(_, form)| linear(form, x)).product();
            for (a, slope) in gradient.iter_mut().enumerate() {
                if !x[a].is_nan() {
                    *slope += factor * others * 2.0 * form[a];
                }
            }
        }
    }

    /// The waves of a product of two kernels with `first` and `second`, paired; of the shorter list each takes part
    /// several times.
    pub(super) fn products(first: &[Self], second: &[Self]) -> Vec<Self> {
        #[allow(clippy::cast_precision_loss)]
        let most = first.len().max(second.len());
        let count = (first.len() as f64 * second.len() as f64 / most as f64).sqrt();
        let pairs = first.iter().cycle().zip(second.iter().cycle()).take(most);
        pairs.map(|(one, other)| one.times(other, count)).collect()
    }

    fn times(&self, other: &Self, count: f64) -> Self {
        let add = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x + y).collect();
        Self {
            amplitude: self.amplitude * other.amplitude * count,
            along: add(&self.along, &other.along),
            beside: add(&self.beside, &other.beside),
            phase: self.phase + other.phase,
            labels: self.labels.iter().chain(&other.labels).copied().collect(),
            forms: self.forms.iter().chain(&other.forms).cloned().collect(),
        }
    }
}

/// A linear function of the numbers turned to [−1, 1].
fn linear(form: &[f64], x: &[f64]) -> f64 {
    let of_numbers = form.iter().zip(x).filter(|(weight, u)| **weight != 0.0 && !u.is_nan());
    form.last().copied().unwrap_or(0.0) + of_numbers.map(|(weight, u)| weight * (2.0 * u - 1.0)).sum::<f64>()
}

impl LabelShift {
    fn shift(self, label: f64) -> f64 {
        let (label, _) = Distance::Overlap.place(label);
        // Labels are the same where they round to the same millionth.
        #[allow(clippy::cast_possible_truncation)]
        let label = (label * 1e6).round() as i64;
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ label.cast_unsigned().rotate_left(32));
        self.scale * normal(&mut rng)
    }
}

/// A wave that does not swing yet, one of `count`.
#[allow(clippy::cast_precision_loss)]
pub(super) fn still(dimension: usize, variance: f64, count: usize, rng: &mut ChaCha8Rng) -> Wave {
    Wave {
        amplitude: (variance / count as f64).sqrt(),
        along: vec![0.0; dimension],
        beside: vec![0.0; dimension],
        phase: 2.0 * std::f64::consts::PI * rng.random::<f64>(),
        labels: Vec::new(),
        forms: Vec::new(),
    }
}

/// `count` waves of a stationary kernel whose spectral density is Student's t with 2ν degrees of freedom, ν being the
/// smoothness; normal where that is infinite.
pub(super) fn draw(
    axes: &[(usize, Distance, f64)],
    dimension: usize,
    smoothness: f64,
    variance: f64,
    count: usize,
    seed: u64,
) -> Vec<Wave> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let spread = spread(smoothness, &mut rng);
            let mut wave = still(dimension, variance, count, &mut rng);
            for &(coordinate, distance, lengthscale) in axes {
                let scale = spread / lengthscale;
                match distance {
                    Distance::Numeric => {
                        wave.along[coordinate] = scale * normal(&mut rng);
                        wave.beside[coordinate] = scale * normal(&mut rng);
                    }
                    // The corners of a simplex with sides 1 lie at 1/√2 of each axis.
                    Distance::Overlap => {
                        let scale = scale * std::f64::consts::FRAC_1_SQRT_2;
                        wave.shift_by_label(coordinate, scale, rng.random());
                    }
                }
            }
            wave
        })
        .collect()
}

/// √(2ν / χ²) with 2ν degrees of freedom, 1 in the limit.
fn spread(smoothness: f64, rng: &mut ChaCha8Rng) -> f64 {
    if smoothness.is_infinite() {
        return 1.0;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let degrees = (2.0 * smoothness).round() as u32;
    let chi_squared: f64 = (0..degrees).map(|_| normal(rng).powi(2)).sum();
    (f64::from(degrees) / chi_squared).sqrt()
}

/// A standard normal number (Box & Muller 1958).
pub(in crate::surrogate) fn normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * libm::log(1.0 - rng.random::<f64>())).sqrt();
    radius * libm::cos(2.0 * std::f64::consts::PI * rng.random::<f64>())
}
