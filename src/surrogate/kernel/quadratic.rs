//! The quadratic trend: s² (1 + z·z′)² / (1 + m), z the m numbers turned to [−1, 1], 0 where one is switched off.
//!
//! Functions drawn from it are the quadratic functions of the numbers, all monomials with independent normal
//! coefficients (Rasmussen & Williams, §4.2.2, the inhomogeneous polynomial kernel of degree 2). Beside a stationary
//! kernel it says what a smooth function does over the whole box and near its optimum, and so carries over distances at
//! which the stationary kernel has forgotten. Labels do not take part.

use pulp::{Simd, WithSimd};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::waves::{Wave, normal};
use super::{Jet, Kernel, Record, Role};
use crate::surrogate::lanes::{Block, LANES, fused, total};
use crate::surrogate::points::{Distance, Points};
use crate::surrogate::square::Square;

/// dz/du.
const STRETCH: f64 = 2.0;

/// The quadratic trend of all numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Quadratic {
    distances: Vec<Distance>,
    /// The coordinates that are numbers.
    numbers: Vec<usize>,
    /// s².
    variance: f64,
}

impl Quadratic {
    /// Of all numbers among some coordinates, with the variance s².
    pub fn new(distances: &[Distance], variance: f64) -> Self {
        let numbers = (0..distances.len()).filter(|&a| distances[a] == Distance::Numeric).collect();
        Self { distances: distances.to_vec(), numbers, variance }
    }

    /// s² / (1 + m).
    #[allow(clippy::cast_precision_loss)]
    fn scale(&self) -> f64 {
        self.variance / (1.0 + self.numbers.len() as f64)
    }

    /// 1 + z·z′.
    fn product(&self, u: &[f64], v: &[f64]) -> f64 {
        1.0 + self.numbers.iter().map(|&a| turned(u[a]) * turned(v[a])).sum::<f64>()
    }

    /// What the loops need to go from `x` to all points.
    fn terms<'a>(&self, x: &[f64], points: &'a Points, terms: &mut Vec<(&'a [Block], f64)>) {
        terms.clear();
        terms.extend(self.numbers.iter().map(|&a| (points.places(a).0, turned(x[a]))));
    }
}

/// z of a number. One that is switched off lies half way along its axis, which is 0.
fn turned(u: f64) -> f64 {
    if u.is_nan() { 0.0 } else { STRETCH * u - 1.0 }
}

/// 1 + z·z′ to the points of a block.
#[inline(always)]
fn products(terms: &[(&[Block], f64)], block: usize) -> Block {
    let mut sum = [1.0; LANES];
    for (places, from) in terms {
        for lane in 0..LANES {
            sum[lane] += from * (STRETCH * places[block][lane] - 1.0);
        }
    }
    sum
}

/// Writes the values of all pairs to the lower triangle of `matrix`.
struct Matrix<'a> {
    kernel: &'a Quadratic,
    points: &'a Points,
    scale: f64,
    matrix: &'a mut Square,
}

impl WithSimd for Matrix<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let mut terms = Vec::with_capacity(self.kernel.numbers.len());
        for j in 0..self.points.len() {
            self.kernel.terms(self.points.row(j), self.points, &mut terms);
            let first = j / LANES;
            let column = &mut self.matrix.padded_column_mut(j)[first * LANES..];
            for (block, values) in column.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                let products = products(&terms, first + block);
                for lane in 0..LANES {
                    values[lane] = self.scale * products[lane] * products[lane];
                }
            }
        }
    }
}

/// Adds the values of all pairs to the upper triangle of `matrix`, and keeps t².
struct Recording<'a> {
    kernel: &'a Quadratic,
    points: &'a Points,
    scale: f64,
    matrix: &'a mut Square,
    kept: &'a mut [Block],
}

impl WithSimd for Recording<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let mut terms = Vec::with_capacity(self.kernel.numbers.len());
        let mut kept = self.kept.iter_mut();
        for j in 0..self.points.len() {
            self.kernel.terms(self.points.row(j), self.points, &mut terms);
            let column = &mut self.matrix.padded_column_mut(j)[..(j / LANES + 1) * LANES];
            let outs = column.as_chunks_mut::<LANES>().0.iter_mut();
            for ((block, out), kept) in outs.enumerate().zip(&mut kept) {
                let products = products(&terms, block);
                for lane in 0..LANES {
                    kept[lane] = products[lane] * products[lane];
                    out[lane] = fused::<S>(self.scale, kept[lane], out[lane]);
                }
            }
        }
    }
}

/// ½ Σᵢⱼ Cᵢⱼ tᵢⱼ² of the t² that were kept.
struct KeptLogGradient<'a> {
    kept: &'a [Block],
    coefficients: &'a Square,
}

impl WithSimd for KeptLogGradient<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let mut sum = [0.0; LANES];
        let mut kept = self.kept.iter();
        for j in 0..self.coefficients.size() {
            let (last, lane) = (j / LANES, j % LANES);
            let column = &self.coefficients.padded_column(j)[..(last + 1) * LANES];
            let columns = column.as_chunks::<LANES>().0.iter().enumerate();
            for ((block, coefficients), squares) in columns.zip(&mut kept) {
                let mut weights = *coefficients;
                if block == last {
                    // The diagonal counts half.
                    weights[lane] *= 0.5;
                    weights[lane + 1..].fill(0.0);
                }
                for lane in 0..LANES {
                    sum[lane] = fused::<S>(weights[lane], squares[lane], sum[lane]);
                }
            }
        }
        total(&sum)
    }
}

/// Σᵢ<ⱼ Cᵢⱼ tᵢⱼ².
struct LogGradient<'a> {
    kernel: &'a Quadratic,
    points: &'a Points,
    coefficients: &'a Square,
}

impl WithSimd for LogGradient<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let mut sum = [0.0; LANES];
        let mut terms = Vec::with_capacity(self.kernel.numbers.len());
        for j in 1..self.points.len() {
            let (last, lane) = (j / LANES, j % LANES);
            self.kernel.terms(self.points.row(j), self.points, &mut terms);
            let column = &self.coefficients.padded_column(j)[..(last + 1) * LANES];
            for (block, coefficients) in column.as_chunks::<LANES>().0.iter().enumerate() {
                let mut weights = *coefficients;
                if block == last {
                    weights[lane..].fill(0.0);
                }
                let products = products(&terms, block);
                for lane in 0..LANES {
                    sum[lane] = fused::<S>(weights[lane] * products[lane], products[lane], sum[lane]);
                }
            }
        }
        total(&sum)
    }
}

/// 1 where a derivative along a coordinate exists, else 0.
fn moves(u: f64) -> f64 {
    f64::from(u8::from(!u.is_nan()))
}

impl Kernel for Quadratic {
    fn distances(&self) -> &[Distance] {
        &self.distances
    }

    fn roles(&self) -> Vec<Role> {
        vec![Role::Trend]
    }

    fn hyperparameters(&self) -> Vec<f64> {
        vec![self.variance]
    }

    fn set_hyperparameters(&mut self, values: &[f64]) {
        if let Some(&variance) = values.first() {
            self.variance = variance;
        }
    }

    fn boxed(&self) -> Box<dyn Kernel> {
        Box::new(self.clone())
    }

    fn variance(&self, x: &[f64]) -> f64 {
        self.value(x, x)
    }

    fn value(&self, u: &[f64], v: &[f64]) -> f64 {
        self.scale() * self.product(u, v).powi(2)
    }

    fn column(&self, x: &[f64], points: &Points, column: &mut [f64]) {
        let mut terms = Vec::with_capacity(self.numbers.len());
        self.terms(x, points, &mut terms);
        let scale = self.scale();
        for (block, values) in column.chunks_mut(LANES).enumerate() {
            let products = products(&terms, block);
            values.iter_mut().zip(products).for_each(|(value, t)| *value = scale * t * t);
        }
    }

    fn matrix(&self, points: &Points, matrix: &mut Square) {
        let scale = self.scale();
        pulp::Arch::new().dispatch(Matrix { kernel: self, points, scale, matrix });
    }

    fn add_gradient(&self, x: &[f64], points: &Points, coefficients: &[f64], gradient: &mut [f64]) {
        let mut terms = Vec::with_capacity(self.numbers.len());
        self.terms(x, points, &mut terms);
        // ∂k/∂uₐ = 2 s t · 2 z′ₐ.
        let factor = 2.0 * STRETCH * self.scale();
        let mut sums = vec![[0.0; LANES]; terms.len()];
        for (block, coefficients) in coefficients.chunks(LANES).enumerate() {
            let mut weights = products(&terms, block);
            for lane in 0..LANES {
                weights[lane] *= coefficients.get(lane).copied().unwrap_or(0.0);
            }
            for (sum, (places, _)) in sums.iter_mut().zip(&terms) {
                for lane in 0..LANES {
                    sum[lane] += weights[lane] * (STRETCH * places[block][lane] - 1.0);
                }
            }
        }
        for (&a, sum) in self.numbers.iter().zip(&sums) {
            gradient[a] += factor * moves(x[a]) * total(sum);
        }
    }

    fn add_variance_gradient(&self, x: &[f64], factor: f64, gradient: &mut [f64]) {
        // ∂(1 + z·z)²/∂uₐ = 2 t · 2 zₐ · 2.
        let slope = 4.0 * STRETCH * factor * self.scale() * self.product(x, x);
        for &a in &self.numbers {
            gradient[a] += slope * moves(x[a]) * turned(x[a]);
        }
    }

    fn add_log_gradient(&self, points: &Points, coefficients: &Square, gradient: &mut [f64]) {
        let above = pulp::Arch::new().dispatch(LogGradient { kernel: self, points, coefficients });
        let diagonal = |j: usize| coefficients.at(j, j) * self.product(points.row(j), points.row(j)).powi(2);
        // The diagonal once, what is beside it twice, half of all.
        gradient[0] += self.scale() * (above + 0.5 * (0..points.len()).map(diagonal).sum::<f64>());
    }

    fn record(&self, points: &Points, matrix: &mut Square, record: &mut Record) {
        let (scale, kept) = (self.scale(), record.blocks_mut(points.len(), 1));
        pulp::Arch::new().dispatch(Recording { kernel: self, points, scale, matrix, kept });
    }

    fn add_recorded_log_gradient(
        &self,
        _: &Points,
        record: &Record,
        coefficients: &Square,
        gradient: &mut [f64],
    ) {
        let kept = record.blocks();
        gradient[0] += self.scale() * pulp::Arch::new().dispatch(KeptLogGradient { kept, coefficients });
    }

    fn jet(&self, u: &[f64], v: &[f64]) -> Jet {
        let d = self.distances.len();
        let (scale, t) = (self.scale(), self.product(u, v));
        let mut jet = Jet::zeros(d);
        jet.value = scale * t * t;
        for &a in &self.numbers {
            jet.in_u[a] = 2.0 * STRETCH * scale * t * turned(v[a]) * moves(u[a]);
            jet.in_v[a] = 2.0 * STRETCH * scale * t * turned(u[a]) * moves(v[a]);
            for &b in &self.numbers {
                let same = if a == b { t } else { 0.0 };
                let both = 2.0 * STRETCH * STRETCH * scale * (turned(u[b]) * turned(v[a]) + same);
                jet.in_both[a * d + b] = both * moves(u[a]) * moves(v[b]);
            }
        }
        jet
    }

    fn add_jet_log_gradient(&self, u: &[f64], v: &[f64], coefficients: &Jet, gradient: &mut [f64]) {
        let jet = self.jet(u, v);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        gradient[0] += coefficients.value * jet.value
            + dot(&coefficients.in_u, &jet.in_u)
            + dot(&coefficients.in_v, &jet.in_v)
            + dot(&coefficients.in_both, &jet.in_both);
    }

    /// One wave a pair of coordinates (the constant among them), which together have the kernel exactly, where these
    /// are no more than `count`; else `count` products of two random linear functions.
    fn waves(&self, count: usize, seed: u64) -> Vec<Wave> {
        let d = self.distances.len();
        let slots: Vec<usize> = self.numbers.iter().copied().chain([d]).collect();
        if slots.len() * slots.len() <= count {
            let unit = |slot: usize| {
                let mut form = vec![0.0; d + 1];
                form[slot] = 1.0;
                form
            };
            let pairs = slots.iter().flat_map(|&a| slots.iter().map(move |&b| (a, b)));
            return pairs.map(|(a, b)| Wave::of_forms(d, self.scale().sqrt(), [unit(a), unit(b)])).collect();
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        #[allow(clippy::cast_precision_loss)]
        let amplitude = (self.scale() / count as f64).sqrt();
        let mut form = || {
            let mut form = vec![0.0; d + 1];
            slots.iter().for_each(|&slot| form[slot] = normal(&mut rng));
            form
        };
        (0..count).map(|_| Wave::of_forms(d, amplitude, [form(), form()])).collect()
    }
}
