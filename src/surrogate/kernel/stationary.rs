//! Kernels of the scaled distance r² = Σᵢ δᵢ(u, v) / ℓᵢ² (automatic relevance determination): s² k(r²).
//!
//! With the slope −2k′, Δₐ = uₐ − vₐ and wₐ = 1/ℓₐ²:
//! ∂k/∂uₐ = −slope wₐ Δₐ, ∂k/∂ln ℓₐ = slope wₐ δₐ, neither of which has a singularity at r = 0.

use pulp::{Scalar, Simd, WithSimd};

use super::axis::{Axis, Term, squared_distances, terms_of};
use super::shape::{FiveHalves, Gauss, ThreeHalves};
use super::{Jet, Kernel, Record, Role, Shape, Wave};
use crate::surrogate::lanes::{Block, LANES, fused, total};
use crate::surrogate::points::{Distance, Points};
use crate::surrogate::square::Square;

/// Matérn-5/2: what most objectives are modelled with.
pub type Matern52 = Stationary<FiveHalves>;
/// Matérn-3/2: rougher.
pub type Matern32 = Stationary<ThreeHalves>;
/// The squared exponential: very smooth.
pub type SquaredExponential = Stationary<Gauss>;

/// A kernel of the scaled distance, of one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Stationary<K> {
    distances: Vec<Distance>,
    axes: Vec<Axis>,
    /// s².
    variance: f64,
    /// Whether s² is a hyperparameter or held at 1.
    is_scaled: bool,
    shape: std::marker::PhantomData<K>,
}

impl<K: Shape> Stationary<K> {
    /// A kernel on all coordinates with a lengthscale each and the signal variance s², all positive.
    pub fn new(distances: &[Distance], lengthscales: &[f64], variance: f64) -> Self {
        let all: Vec<usize> = (0..distances.len()).collect();
        Self { variance, is_scaled: true, ..Self::correlation(distances, &all, lengthscales) }
    }

    /// A kernel on some of the coordinates whose variance is 1, to be a factor of a product. `distances`: of all
    /// coordinates; `lengthscales`: of the chosen ones.
    pub fn correlation(distances: &[Distance], coordinates: &[usize], lengthscales: &[f64]) -> Self {
        let axes = coordinates.iter().zip(lengthscales);
        let axes = axes.map(|(&coordinate, &length)| Axis::new(coordinate, distances[coordinate], length));
        Self {
            distances: distances.to_vec(),
            axes: axes.collect(),
            variance: 1.0,
            is_scaled: false,
            shape: std::marker::PhantomData,
        }
    }

    /// The same with a variance of its own, to be a term of a sum.
    #[must_use]
    pub fn scaled(self, variance: f64) -> Self {
        Self { variance, is_scaled: true, ..self }
    }

    /// r².
    pub fn squared_distance(&self, u: &[f64], v: &[f64]) -> f64 {
        self.axes.iter().map(|axis| axis.squared(u, v)).sum()
    }

    fn add_log_gradient_of(
        &self,
        points: &Points,
        kept: Option<&[Block]>,
        coefficients: &Square,
        gradient: &mut [f64],
    ) {
        if points.is_empty() {
            return;
        }
        let mut terms = Vec::with_capacity(2 * self.axes.len());
        terms_of(&self.axes, points.row(0), points, &mut terms);
        let of_terms: Vec<usize> = terms.iter().map(|term| term.axis).collect();
        let sums = &mut vec![[0.0; LANES]; terms.len()][..];
        let (terms, shape) = (&mut terms, std::marker::PhantomData::<K>);
        let above = pulp::Arch::new().dispatch(LogGradient { terms, coefficients, sums, kept, shape });
        for (index, sum) in of_terms.into_iter().zip(sums.iter()) {
            gradient[index] += self.variance * self.axes[index].weight * total(sum);
        }
        if self.is_scaled {
            let trace: f64 = (0..points.len()).map(|i| coefficients.at(i, i)).sum();
            gradient[self.axes.len()] += self.variance * (0.5 * trace + above);
        }
    }

    /// What it looks at.
    pub(super) fn axes(&self) -> &[Axis] {
        &self.axes
    }
}

/// Writes s² k, or s² times the slope, to `column`.
struct Column<'a, K> {
    terms: &'a [Term<'a>],
    apart: f64,
    variance: f64,
    column: &'a mut [f64],
    shape: std::marker::PhantomData<K>,
}

impl<K: Shape> WithSimd for Column<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (block, out) in self.column.chunks_mut(LANES).enumerate() {
            let mut values = squared_distances::<S>(self.terms, self.apart, block);
            for value in &mut values {
                *value = self.variance * K::value_and_slope::<S>(*value).0;
            }
            out.copy_from_slice(&values[..out.len()]);
        }
    }
}

/// Writes s² k of all pairs to the lower triangle of `matrix`.
struct Matrix<'a, K> {
    terms: &'a mut [Term<'a>],
    variance: f64,
    matrix: &'a mut Square,
    shape: std::marker::PhantomData<K>,
}

impl<K: Shape> WithSimd for Matrix<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for j in 0..self.matrix.size() {
            let (block, lane) = (j / LANES, j % LANES);
            self.terms.iter_mut().for_each(|term| term.from = term.places[block][lane]);
            let column = &mut self.matrix.padded_column_mut(j)[block * LANES..];
            let (outs, _) = column.as_chunks_mut::<LANES>();
            for (out, at) in outs.iter_mut().zip(block..) {
                let values = squared_distances::<S>(self.terms, 0.0, at);
                for lane in 0..LANES {
                    out[lane] = self.variance * K::value_and_slope::<S>(values[lane]).0;
                }
            }
        }
    }
}

/// Adds Σᵢ cᵢ slopeᵢ Δₐ of each axis, times −s² wₐ, to `gradients`, for several sets of coefficients.
struct Gradients<'a, 'g, K, const SETS: usize> {
    kernel: &'a Stationary<K>,
    x: &'a [f64],
    terms: &'a [Term<'a>],
    apart: f64,
    coefficients: [&'a [f64]; SETS],
    sums: &'a mut [[Block; SETS]],
    gradients: [&'g mut [f64]; SETS],
}

impl<K: Shape, const SETS: usize> WithSimd for Gradients<'_, '_, K, SETS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let mut gradients = self.gradients;
        let n = self.coefficients[0].len();
        for block in 0..n.div_ceil(LANES) {
            let mut slopes = squared_distances::<S>(self.terms, self.apart, block);
            for slope in &mut slopes {
                *slope = K::value_and_slope::<S>(*slope).1;
            }
            let mut scaled = [[0.0; LANES]; SETS];
            for (scaled, coefficients) in scaled.iter_mut().zip(&self.coefficients) {
                let rest = &coefficients[block * LANES..];
                if let Some(weights) = rest.first_chunk::<LANES>() {
                    for lane in 0..LANES {
                        scaled[lane] = weights[lane] * slopes[lane];
                    }
                } else {
                    scaled.iter_mut().zip(rest).zip(&slopes).for_each(|((s, w), slope)| *s = w * slope);
                }
            }
            for (term, sums) in self.terms.iter().zip(self.sums.iter_mut()) {
                let places = &term.places[block];
                for (sum, scaled) in sums.iter_mut().zip(&scaled) {
                    for lane in 0..LANES {
                        sum[lane] = fused::<S>(scaled[lane], term.from - places[lane], sum[lane]);
                    }
                }
            }
        }
        // The first term of an axis is the one along it.
        let mut next = 0;
        for (term, sums) in self.terms.iter().zip(self.sums.iter()) {
            if term.axis < next {
                continue;
            }
            next = term.axis + 1;
            let axis = &self.kernel.axes[term.axis];
            if !term.is_label && !self.x[axis.coordinate].is_nan() {
                for (gradient, sum) in gradients.iter_mut().zip(sums) {
                    gradient[axis.coordinate] -= self.kernel.variance * axis.weight * total(sum);
                }
            }
        }
    }
}

impl<K: Shape> Stationary<K> {
    fn add_gradient_sets<const SETS: usize>(
        &self,
        x: &[f64],
        points: &Points,
        coefficients: [&[f64]; SETS],
        gradients: [&mut [f64]; SETS],
    ) {
        let mut terms = Vec::with_capacity(2 * self.axes.len());
        let apart = terms_of(&self.axes, x, points, &mut terms);
        let sums = &mut vec![[[0.0; LANES]; SETS]; terms.len()];
        let (kernel, terms) = (self, &terms);
        pulp::Arch::new().dispatch(Gradients { kernel, x, terms, apart, coefficients, sums, gradients });
    }
}

/// Adds s² k of all pairs to the upper triangle of `matrix`, and keeps k and the slope.
struct Recording<'a, K> {
    terms: &'a mut [Term<'a>],
    variance: f64,
    matrix: &'a mut Square,
    kept: &'a mut [Block],
    shape: std::marker::PhantomData<K>,
}

impl<K: Shape> WithSimd for Recording<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let mut kept = self.kept.as_chunks_mut::<2>().0.iter_mut();
        for j in 0..self.matrix.size() {
            let (block, lane) = (j / LANES, j % LANES);
            self.terms.iter_mut().for_each(|term| term.from = term.places[block][lane]);
            let column = &mut self.matrix.padded_column_mut(j)[..(block + 1) * LANES];
            let outs = column.as_chunks_mut::<LANES>().0.iter_mut();
            for ((at, out), [values, slopes]) in outs.enumerate().zip(&mut kept) {
                let squared = squared_distances::<S>(self.terms, 0.0, at);
                for lane in 0..LANES {
                    (values[lane], slopes[lane]) = K::value_and_slope::<S>(squared[lane]);
                    out[lane] = fused::<S>(self.variance, values[lane], out[lane]);
                }
            }
        }
    }
}

/// Adds Σᵢ<ⱼ Cᵢⱼ slopeᵢⱼ δₐ of each term to `sums`; returns Σᵢ<ⱼ Cᵢⱼ kᵢⱼ.
struct LogGradient<'a, K> {
    terms: &'a mut [Term<'a>],
    coefficients: &'a Square,
    sums: &'a mut [Block],
    /// k and the slope of each block, where they were kept.
    kept: Option<&'a [Block]>,
    shape: std::marker::PhantomData<K>,
}

impl<K: Shape> LogGradient<'_, K> {
    /// `of_block` gives k and the slope of the next block.
    #[inline(always)]
    fn run<S: Simd>(self, mut of_block: impl FnMut(&[Term<'_>], usize) -> (Block, Block)) -> f64 {
        let mut of_values = [0.0; LANES];
        for j in 0..self.coefficients.size() {
            let (block, lane) = (j / LANES, j % LANES);
            self.terms.iter_mut().for_each(|term| term.from = term.places[block][lane]);
            let column = &self.coefficients.padded_column(j)[..(block + 1) * LANES];
            let (columns, _) = column.as_chunks::<LANES>();
            for (at, coefficients) in columns.iter().enumerate() {
                let (values, mut scaled) = of_block(self.terms, at);
                let mut weights = *coefficients;
                if at == block {
                    weights[lane..].fill(0.0);
                }
                for lane in 0..LANES {
                    of_values[lane] = fused::<S>(weights[lane], values[lane], of_values[lane]);
                    scaled[lane] *= weights[lane];
                }
                for (term, sum) in self.terms.iter().zip(self.sums.iter_mut()) {
                    let squared = term.squared(at);
                    for lane in 0..LANES {
                        sum[lane] = fused::<S>(scaled[lane], squared[lane], sum[lane]);
                    }
                }
            }
        }
        total(&of_values)
    }
}

impl<K: Shape> WithSimd for LogGradient<'_, K> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        if let Some(kept) = self.kept {
            let mut kept = kept.as_chunks::<2>().0.iter();
            return self
                .run::<S>(|_, _| kept.next().map_or(([0.0; LANES], [0.0; LANES]), |&[k, slope]| (k, slope)));
        }
        self.run::<S>(|terms, at| {
            let squared = squared_distances::<S>(terms, 0.0, at);
            let (mut values, mut slopes) = ([0.0; LANES], [0.0; LANES]);
            for lane in 0..LANES {
                (values[lane], slopes[lane]) = K::value_and_slope::<S>(squared[lane]);
            }
            (values, slopes)
        })
    }
}

impl<K: Shape> Kernel for Stationary<K> {
    fn distances(&self) -> &[Distance] {
        &self.distances
    }

    fn roles(&self) -> Vec<Role> {
        let axes = self.axes.iter().map(|axis| Role::Lengthscale { coordinate: axis.coordinate });
        axes.chain(self.is_scaled.then_some(Role::Variance)).collect()
    }

    fn hyperparameters(&self) -> Vec<f64> {
        let axes = self.axes.iter().map(|axis| axis.lengthscale);
        axes.chain(self.is_scaled.then_some(self.variance)).collect()
    }

    fn set_hyperparameters(&mut self, values: &[f64]) {
        for (axis, &lengthscale) in self.axes.iter_mut().zip(values) {
            axis.set_lengthscale(lengthscale);
        }
        if let (true, Some(&variance)) = (self.is_scaled, values.get(self.axes.len())) {
            self.variance = variance;
        }
    }

    fn boxed(&self) -> Box<dyn Kernel> {
        Box::new(self.clone())
    }

    fn variance(&self, _: &[f64]) -> f64 {
        self.variance
    }

    fn value(&self, u: &[f64], v: &[f64]) -> f64 {
        self.variance * K::value_and_slope::<Scalar>(self.squared_distance(u, v)).0
    }

    fn column(&self, x: &[f64], points: &Points, column: &mut [f64]) {
        let mut terms = Vec::with_capacity(2 * self.axes.len());
        let apart = terms_of(&self.axes, x, points, &mut terms);
        let (terms, variance, shape) = (&terms, self.variance, std::marker::PhantomData::<K>);
        pulp::Arch::new().dispatch(Column { terms, apart, variance, column, shape });
    }

    fn add_gradient(&self, x: &[f64], points: &Points, coefficients: &[f64], gradient: &mut [f64]) {
        self.add_gradient_sets(x, points, [coefficients], [gradient]);
    }

    fn add_two_gradients(
        &self,
        x: &[f64],
        points: &Points,
        coefficients: [&[f64]; 2],
        gradients: [&mut [f64]; 2],
    ) {
        self.add_gradient_sets(x, points, coefficients, gradients);
    }

    fn matrix(&self, points: &Points, matrix: &mut Square) {
        if points.is_empty() {
            return;
        }
        let mut terms = Vec::with_capacity(2 * self.axes.len());
        // Among the points themselves nothing lies beside an axis without a term for it.
        terms_of(&self.axes, points.row(0), points, &mut terms);
        let (terms, variance, shape) = (&mut terms, self.variance, std::marker::PhantomData::<K>);
        pulp::Arch::new().dispatch(Matrix { terms, variance, matrix, shape });
    }

    fn add_log_gradient(&self, points: &Points, coefficients: &Square, gradient: &mut [f64]) {
        self.add_log_gradient_of(points, None, coefficients, gradient);
    }

    fn record(&self, points: &Points, matrix: &mut Square, record: &mut Record) {
        if points.is_empty() {
            return;
        }
        let mut terms = Vec::with_capacity(2 * self.axes.len());
        terms_of(&self.axes, points.row(0), points, &mut terms);
        let kept = record.blocks_mut(points.len(), 2);
        let (terms, variance, shape) = (&mut terms, self.variance, std::marker::PhantomData::<K>);
        pulp::Arch::new().dispatch(Recording { terms, variance, matrix, kept, shape });
    }

    fn add_recorded_log_gradient(
        &self,
        points: &Points,
        record: &Record,
        coefficients: &Square,
        gradient: &mut [f64],
    ) {
        self.add_log_gradient_of(points, Some(record.blocks()), coefficients, gradient);
    }

    fn jet(&self, u: &[f64], v: &[f64]) -> Jet {
        let d = self.distances.len();
        let s = self.squared_distance(u, v);
        let (value, slope) = K::value_and_slope::<Scalar>(s);
        let (curvature, _) = K::higher_slopes::<Scalar>(s);
        let mut jet = Jet::zeros(d);
        jet.value = self.variance * value;
        for axis in &self.axes {
            let (a, pull) = (axis.coordinate, axis.pull(u, v));
            jet.in_u[a] = -self.variance * slope * pull * axis.moves(u);
            jet.in_v[a] = self.variance * slope * pull * axis.moves(v);
            for other in &self.axes {
                let same = if a == other.coordinate { axis.weight } else { 0.0 };
                let both = slope * same - curvature * pull * other.pull(u, v);
                jet.in_both[a * d + other.coordinate] = self.variance * both * axis.moves(u) * other.moves(v);
            }
        }
        jet
    }

    fn add_jet_log_gradient(&self, u: &[f64], v: &[f64], coefficients: &Jet, gradient: &mut [f64]) {
        let d = self.distances.len();
        let s = self.squared_distance(u, v);
        let (value, slope) = K::value_and_slope::<Scalar>(s);
        let (curvature, third) = K::higher_slopes::<Scalar>(s);
        // With s² apart, c the coefficients: what multiplies each of k, slope, curvature in ⟨c, jet⟩.
        let (mut on_slope, mut on_curvature) = (0.0, 0.0);
        // The same, of the parts that hold one axis's weight.
        let mut of_axes = vec![(0.0, 0.0); self.axes.len()];
        for (index, axis) in self.axes.iter().enumerate() {
            let (a, pull) = (axis.coordinate, axis.pull(u, v));
            let (in_u, in_v) = (axis.moves(u), axis.moves(v));
            let linear = pull * (coefficients.in_v[a] * in_v - coefficients.in_u[a] * in_u)
                + coefficients.in_both[a * d + a] * axis.weight * in_u * in_v;
            on_slope += linear;
            of_axes[index].0 += linear;
            for (other_index, other) in self.axes.iter().enumerate() {
                let pulls = pull * in_u * other.pull(u, v) * other.moves(v);
                let both = -coefficients.in_both[a * d + other.coordinate] * pulls;
                on_curvature += both;
                of_axes[index].1 += both;
                of_axes[other_index].1 += both;
            }
        }
        for (index, axis) in self.axes.iter().enumerate() {
            let delta = axis.squared(u, v);
            // ds/dln ℓ = −2 w δ moves k, slope and curvature; dw/dln ℓ = −2 w moves the pulls.
            let moved = slope * coefficients.value + curvature * on_slope + third * on_curvature;
            let pulled = slope * of_axes[index].0 + curvature * of_axes[index].1;
            gradient[index] += self.variance * (delta * moved - 2.0 * pulled);
        }
        if self.is_scaled {
            let total = value * coefficients.value + slope * on_slope + curvature * on_curvature;
            gradient[self.axes.len()] += self.variance * total;
        }
    }

    fn waves(&self, count: usize, seed: u64) -> Vec<Wave> {
        let axis = |axis: &Axis| (axis.coordinate, axis.distance, axis.lengthscale);
        let axes: Vec<_> = self.axes.iter().map(axis).collect();
        K::waves(&axes, self.distances.len(), self.variance, count, seed)
    }
}
