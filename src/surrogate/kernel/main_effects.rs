//! Main effects: s²/d Σₐ φ(|uₐ − vₐ| / ℓₐ) with [Wendland's function](super::wendland) φ, functions that are sums of
//! functions of one coordinate each (Duvenaud, Nickisch & Rasmussen, *Additive Gaussian Processes*, NeurIPS 2011, the first order). Beside a kernel of
//! all coordinates together it carries what is learned about one coordinate over the whole box: values of the others
//! that were never seen with it change nothing. Much of many objectives is of this kind.

use pulp::{Simd, WithSimd};

use super::axis::{Term, squared_distances, terms_of};
use super::wendland::Wendland;
use super::{Jet, Kernel, Record, Role, Stationary, Wave};
use crate::surrogate::lanes::{Block, LANES, fused, total};
use crate::surrogate::points::{Distance, Points};
use crate::surrogate::square::Square;

/// The sum of functions of one coordinate each.
#[derive(Clone, Debug, PartialEq)]
pub struct MainEffects {
    distances: Vec<Distance>,
    /// One a coordinate, with the variance s²/d.
    effects: Vec<Stationary<Wendland>>,
    /// The effects' lengthscales, then s².
    hyperparameters: Vec<f64>,
}

impl MainEffects {
    /// Over all coordinates, with a lengthscale each and the variance s², all positive.
    pub fn new(distances: &[Distance], lengthscales: &[f64], variance: f64) -> Self {
        let effect = |(a, &length)| Stationary::correlation(distances, &[a], &[length]).scaled(1.0);
        let effects = lengthscales.iter().enumerate().map(effect).collect();
        let mut sum = Self { distances: distances.to_vec(), effects, hyperparameters: Vec::new() };
        let hyperparameters: Vec<f64> = lengthscales.iter().copied().chain([variance]).collect();
        sum.set_hyperparameters(&hyperparameters);
        sum
    }

    /// s²/d.
    #[allow(clippy::cast_precision_loss)]
    fn share(&self) -> f64 {
        self.hyperparameters.last().map_or(0.0, |variance| variance / self.effects.len() as f64)
    }

    /// What the loops need to go from `x` to all points.
    fn groups<'a>(&self, x: &[f64], points: &'a Points) -> Vec<Group<'a>> {
        let group = |effect: &Stationary<Wendland>| {
            let mut terms = Vec::with_capacity(2);
            let apart = terms_of(effect.axes(), x, points, &mut terms);
            let root = effect.axes().first().map_or(0.0, |axis| 1.0 / axis.lengthscale);
            Group { terms, apart, root }
        };
        self.effects.iter().map(group).collect()
    }

    /// Adds ½ Σᵢⱼ Cᵢⱼ ∂k/∂ln θ of the sums above the diagonal.
    #[allow(clippy::cast_precision_loss)]
    fn add_sums(&self, sums: &[Block], of_values: f64, coefficients: &Square, gradient: &mut [f64]) {
        let share = self.share();
        gradient.iter_mut().zip(sums).for_each(|(slope, sum)| *slope += share * total(sum));
        let trace: f64 = (0..coefficients.size()).map(|i| coefficients.at(i, i)).sum();
        let d = self.effects.len();
        gradient[d] += share * (0.5 * trace * d as f64 + of_values);
    }

    /// Adds what `of` says of each effect, its lengthscale's and its variance's, where they belong.
    fn gather(&self, gradient: &mut [f64], of: impl Fn(&Stationary<Wendland>, &mut [f64])) {
        let last = self.effects.len();
        for (a, effect) in self.effects.iter().enumerate() {
            let mut own = [0.0; 2];
            of(effect, &mut own);
            gradient[a] += own[0];
            gradient[last] += own[1];
        }
    }
}

/// The terms of one effect: along its axis, and beside it where some point has the coordinate switched off.
struct Group<'a> {
    terms: Vec<Term<'a>>,
    apart: f64,
    /// 1/ℓ.
    root: f64,
}

impl Group<'_> {
    /// From now on from point `lane` of block `block`.
    #[inline(always)]
    fn start_at(&mut self, block: usize, lane: usize) {
        self.apart = 0.0;
        self.terms.iter_mut().for_each(|term| term.from = term.places[block][lane]);
    }

    /// r to the points of a block.
    #[inline(always)]
    fn distances<S: Simd>(&self, block: usize) -> Block {
        if let [along] = &self.terms[..]
            && !along.is_label
            && self.apart == 0.0
        {
            return along.places[block].map(|place| self.root * (along.from - place).abs());
        }
        squared_distances::<S>(&self.terms, self.apart, block).map(f64::sqrt)
    }
}

/// Σₐ k to the points of a block, times `share`.
#[inline(always)]
fn values<S: Simd>(groups: &[Group<'_>], share: f64, block: usize) -> Block {
    let mut sum = [0.0; LANES];
    for group in groups {
        let distances = group.distances::<S>(block);
        for lane in 0..LANES {
            sum[lane] += Wendland::at_distance(distances[lane]).0;
        }
    }
    sum.map(|value| share * value)
}

/// Writes the values of one column.
struct Column<'a> {
    groups: &'a [Group<'a>],
    share: f64,
    column: &'a mut [f64],
}

impl WithSimd for Column<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (block, out) in self.column.chunks_mut(LANES).enumerate() {
            let values = values::<S>(self.groups, self.share, block);
            out.copy_from_slice(&values[..out.len()]);
        }
    }
}

/// Writes the values of all pairs to the lower triangle of `matrix`.
struct Matrix<'a> {
    groups: &'a mut [Group<'a>],
    share: f64,
    matrix: &'a mut Square,
}

impl WithSimd for Matrix<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for j in 0..self.matrix.size() {
            let (block, lane) = (j / LANES, j % LANES);
            self.groups.iter_mut().for_each(|group| group.start_at(block, lane));
            let column = &mut self.matrix.padded_column_mut(j)[block * LANES..];
            let (outs, _) = column.as_chunks_mut::<LANES>();
            for (out, at) in outs.iter_mut().zip(block..) {
                *out = values::<S>(self.groups, self.share, at);
            }
        }
    }
}

/// Adds Σᵢ cᵢ slopeᵢ Δᵢ along each axis to `sums`, for several sets of coefficients.
struct Gradients<'a, const SETS: usize> {
    groups: &'a [Group<'a>],
    coefficients: [&'a [f64]; SETS],
    sums: &'a mut [[Block; SETS]],
}

impl<const SETS: usize> WithSimd for Gradients<'_, SETS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.coefficients[0].len();
        for block in 0..n.div_ceil(LANES) {
            let mut weights = [[0.0; LANES]; SETS];
            for (weights, coefficients) in weights.iter_mut().zip(&self.coefficients) {
                let rest = &coefficients[block * LANES..];
                weights.iter_mut().zip(rest).for_each(|(weight, c)| *weight = *c);
            }
            for (group, sums) in self.groups.iter().zip(self.sums.iter_mut()) {
                let Some(along) = group.terms.first() else { continue };
                let distances = group.distances::<S>(block);
                let places = &along.places[block];
                for lane in 0..LANES {
                    let slope = Wendland::at_distance(distances[lane]).1 * (along.from - places[lane]);
                    for (sum, weights) in sums.iter_mut().zip(&weights) {
                        sum[lane] = fused::<S>(weights[lane], slope, sum[lane]);
                    }
                }
            }
        }
    }
}

impl MainEffects {
    fn add_gradient_sets<const SETS: usize>(
        &self,
        x: &[f64],
        points: &Points,
        coefficients: [&[f64]; SETS],
        mut gradients: [&mut [f64]; SETS],
    ) {
        let groups = self.groups(x, points);
        let mut sums = vec![[[0.0; LANES]; SETS]; groups.len()];
        pulp::Arch::new().dispatch(Gradients { groups: &groups, coefficients, sums: &mut sums });
        for (a, (group, sums)) in groups.iter().zip(&sums).enumerate() {
            let Some(along) = group.terms.first() else { continue };
            if !along.is_label && !x[a].is_nan() {
                for (gradient, sum) in gradients.iter_mut().zip(sums) {
                    gradient[a] -= self.share() * along.weight * total(sum);
                }
            }
        }
    }
}

/// Adds the values of all pairs to the upper triangle of `matrix`, and keeps Σₐ k and each effect's slope · r².
struct Recording<'a> {
    groups: &'a mut [Group<'a>],
    share: f64,
    matrix: &'a mut Square,
    kept: &'a mut [Block],
}

impl WithSimd for Recording<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let mut kept = self.kept.chunks_exact_mut(self.groups.len() + 1);
        for j in 0..self.matrix.size() {
            let (block, lane) = (j / LANES, j % LANES);
            self.groups.iter_mut().for_each(|group| group.start_at(block, lane));
            let column = &mut self.matrix.padded_column_mut(j)[..(block + 1) * LANES];
            let outs = column.as_chunks_mut::<LANES>().0.iter_mut();
            for ((at, out), kept) in outs.enumerate().zip(&mut kept) {
                let Some((sum, slopes)) = kept.split_first_mut() else { continue };
                *sum = [0.0; LANES];
                for (group, scaled) in self.groups.iter().zip(slopes) {
                    let distances = group.distances::<S>(at);
                    for lane in 0..LANES {
                        let (value, slope) = Wendland::at_distance(distances[lane]);
                        sum[lane] += value;
                        scaled[lane] = slope * distances[lane] * distances[lane];
                    }
                }
                for lane in 0..LANES {
                    out[lane] = fused::<S>(self.share, sum[lane], out[lane]);
                }
            }
        }
    }
}

/// Adds Σᵢ<ⱼ Cᵢⱼ slopeᵢⱼ r²ᵢⱼ of each effect to `sums`; returns Σᵢ<ⱼ Cᵢⱼ Σₐ kᵢⱼ.
struct LogGradient<'a> {
    groups: &'a mut [Group<'a>],
    coefficients: &'a Square,
    sums: &'a mut [Block],
}

impl WithSimd for LogGradient<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let mut of_values = [0.0; LANES];
        for j in 1..self.coefficients.size() {
            let (block, lane) = (j / LANES, j % LANES);
            self.groups.iter_mut().for_each(|group| group.start_at(block, lane));
            for (at, weights) in above_diagonal(self.coefficients, j) {
                for (group, sum) in self.groups.iter().zip(self.sums.iter_mut()) {
                    let distances = group.distances::<S>(at);
                    for lane in 0..LANES {
                        let (value, slope) = Wendland::at_distance(distances[lane]);
                        let squared = distances[lane] * distances[lane];
                        of_values[lane] = fused::<S>(weights[lane], value, of_values[lane]);
                        sum[lane] = fused::<S>(weights[lane] * slope, squared, sum[lane]);
                    }
                }
            }
        }
        total(&of_values)
    }
}

/// The same of what was kept.
struct KeptLogGradient<'a> {
    kept: &'a [Block],
    coefficients: &'a Square,
    sums: &'a mut [Block],
}

impl WithSimd for KeptLogGradient<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let mut of_values = [0.0; LANES];
        let mut kept = self.kept.chunks_exact(self.sums.len() + 1);
        for j in 0..self.coefficients.size() {
            for ((_, weights), kept) in above_diagonal(self.coefficients, j).zip(&mut kept) {
                let Some((values, slopes)) = kept.split_first() else { continue };
                for lane in 0..LANES {
                    of_values[lane] = fused::<S>(weights[lane], values[lane], of_values[lane]);
                }
                for (scaled, sum) in slopes.iter().zip(self.sums.iter_mut()) {
                    for lane in 0..LANES {
                        sum[lane] = fused::<S>(weights[lane], scaled[lane], sum[lane]);
                    }
                }
            }
        }
        total(&of_values)
    }
}

/// The blocks of column `j` down to the diagonal's, which is 0 from the diagonal on.
#[inline(always)]
fn above_diagonal(coefficients: &Square, j: usize) -> impl Iterator<Item = (usize, Block)> {
    let (block, lane) = (j / LANES, j % LANES);
    let column = &coefficients.padded_column(j)[..(block + 1) * LANES];
    column.as_chunks::<LANES>().0.iter().enumerate().map(move |(at, coefficients)| {
        let mut weights = *coefficients;
        if at == block {
            weights[lane..].fill(0.0);
        }
        (at, weights)
    })
}

impl Kernel for MainEffects {
    fn distances(&self) -> &[Distance] {
        &self.distances
    }

    fn roles(&self) -> Vec<Role> {
        let lengthscales = (0..self.effects.len()).map(|coordinate| Role::MainEffect { coordinate });
        lengthscales.chain([Role::Trend]).collect()
    }

    fn hyperparameters(&self) -> Vec<f64> {
        self.hyperparameters.clone()
    }

    fn set_hyperparameters(&mut self, values: &[f64]) {
        self.hyperparameters = values.to_vec();
        let share = self.share();
        for (effect, &length) in self.effects.iter_mut().zip(values) {
            effect.set_hyperparameters(&[length, share]);
        }
    }

    fn boxed(&self) -> Box<dyn Kernel> {
        Box::new(self.clone())
    }

    fn variance(&self, x: &[f64]) -> f64 {
        self.effects.iter().map(|effect| effect.variance(x)).sum()
    }

    fn value(&self, u: &[f64], v: &[f64]) -> f64 {
        self.effects.iter().map(|effect| effect.value(u, v)).sum()
    }

    fn column(&self, x: &[f64], points: &Points, column: &mut [f64]) {
        let (groups, share) = (&self.groups(x, points)[..], self.share());
        pulp::Arch::new().dispatch(Column { groups, share, column });
    }

    fn matrix(&self, points: &Points, matrix: &mut Square) {
        if points.is_empty() {
            return;
        }
        let (groups, share) = (&mut self.groups(points.row(0), points)[..], self.share());
        pulp::Arch::new().dispatch(Matrix { groups, share, matrix });
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

    fn add_log_gradient(&self, points: &Points, coefficients: &Square, gradient: &mut [f64]) {
        if points.is_empty() {
            return;
        }
        let groups = &mut self.groups(points.row(0), points)[..];
        let sums = &mut vec![[0.0; LANES]; groups.len()][..];
        let above = pulp::Arch::new().dispatch(LogGradient { groups, coefficients, sums: &mut *sums });
        self.add_sums(sums, above, coefficients, gradient);
    }

    fn record(&self, points: &Points, matrix: &mut Square, record: &mut Record) {
        if points.is_empty() {
            return;
        }
        let kept = record.blocks_mut(points.len(), self.effects.len() + 1);
        let (groups, share) = (&mut self.groups(points.row(0), points)[..], self.share());
        pulp::Arch::new().dispatch(Recording { groups, share, matrix, kept });
    }

    fn add_recorded_log_gradient(
        &self,
        _: &Points,
        record: &Record,
        coefficients: &Square,
        gradient: &mut [f64],
    ) {
        let sums = &mut vec![[0.0; LANES]; self.effects.len()][..];
        let kept = record.blocks();
        let above = pulp::Arch::new().dispatch(KeptLogGradient { kept, coefficients, sums: &mut *sums });
        self.add_sums(sums, above, coefficients, gradient);
    }

    fn jet(&self, u: &[f64], v: &[f64]) -> Jet {
        let mut sum = Jet::zeros(u.len());
        self.effects.iter().for_each(|effect| sum.add(&effect.jet(u, v)));
        sum
    }

    fn add_jet_log_gradient(&self, u: &[f64], v: &[f64], coefficients: &Jet, gradient: &mut [f64]) {
        self.gather(gradient, |effect, own| effect.add_jet_log_gradient(u, v, coefficients, own));
    }

    fn waves(&self, count: usize, seed: u64) -> Vec<Wave> {
        let share = count.div_ceil(self.effects.len().max(1));
        let seeds = (0..).map(|a| seed.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(a)));
        self.effects.iter().zip(seeds).flat_map(|(effect, seed)| effect.waves(share, seed)).collect()
    }
}
