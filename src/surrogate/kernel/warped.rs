//! A kernel of warped inputs: k(w(u), w(v)), each number's axis stretched where the function varies much.
//!
//! w is the cumulative distribution of Kumaraswamy, w(x) = 1 − (1 − xᵃ)ᵇ, with two hyperparameters a coordinate: the
//! identity at a = b = 1, concave, convex and sigmoid otherwise (Snoek, Swersky, Zemel & Adams, *Input Warping for Bayesian
//! Optimization of Non-stationary Functions*, ICML 2014, §3.2, where it is Beta's). Its slope is infinite or 0 at the
//! ends of the interval, so x is moved inwards by a millionth first. Labels and what is switched off stay as they are.
//!
//! Costs: that of the kernel, and n·d powers where the points are new. To be outermost: a function drawn from a sum or a
//! product of warped kernels is not warped.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Jet, Kernel, Record, Role, Wave};
use crate::surrogate::points::{Distance, Points};
use crate::surrogate::square::Square;

/// How far the ends of the interval are moved inwards.
const INSET: f64 = 1e-6;
/// Step in ln a and ln b of the differences that stand for a jet's derivatives in them.
const STEP: f64 = 2e-5;

/// A kernel of warped inputs.
#[derive(Debug)]
pub struct Warped {
    inner: Box<dyn Kernel>,
    /// The coordinates that are numbers, each with its a and b.
    warps: Vec<Warp>,
    /// The points that were warped last.
    known: RwLock<Option<Arc<Known>>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Warp {
    coordinate: usize,
    a: f64,
    b: f64,
}

#[derive(Debug)]
struct Known {
    /// As they were given, row after row.
    rows: Vec<f64>,
    warped: Points,
}

/// w(x) with its derivatives in x, ln a and ln b.
struct Bent {
    value: f64,
    slope: f64,
    in_shape: [f64; 2],
}

impl Clone for Warped {
    fn clone(&self) -> Self {
        Self { inner: self.inner.boxed(), warps: self.warps.clone(), known: RwLock::default() }
    }
}

impl Warp {
    fn at(&self, x: f64) -> Bent {
        let (a, b) = (self.a, self.b);
        let x = INSET + (1.0 - 2.0 * INSET) * x.clamp(0.0, 1.0);
        let log = x.ln();
        let power = (a * log).exp();
        let rest = -(a * log).exp_m1();
        let log_rest = rest.ln();
        // (1 − xᵃ)ᵇ⁻¹.
        let outer = ((b - 1.0) * log_rest).exp();
        Bent {
            value: 1.0 - outer * rest,
            slope: (1.0 - 2.0 * INSET) * a * b * power / x * outer,
            in_shape: [a * b * power * log * outer, -b * outer * rest * log_rest],
        }
    }
}

impl Warped {
    /// With a = b = 1 for every coordinate that is a number.
    pub fn new(inner: Box<dyn Kernel>) -> Self {
        let distances = inner.distances().iter().enumerate();
        let numbers = distances.filter(|(_, distance)| **distance == Distance::Numeric);
        let warps = numbers.map(|(coordinate, _)| Warp { coordinate, a: 1.0, b: 1.0 }).collect();
        Self { inner, warps, known: RwLock::default() }
    }

    /// w(x).
    pub fn warp(&self, x: &[f64]) -> Vec<f64> {
        let mut warped = x.to_vec();
        for warp in &self.warps {
            let u = &mut warped[warp.coordinate];
            if !u.is_nan() {
                *u = warp.at(*u).value;
            }
        }
        warped
    }

    /// ∂wₐ/∂xₐ of each coordinate: 1 of labels, 0 of what is switched off.
    fn slopes(&self, x: &[f64]) -> Vec<f64> {
        let mut slopes = vec![1.0; x.len()];
        for warp in &self.warps {
            let u = x[warp.coordinate];
            slopes[warp.coordinate] = if u.is_nan() { 0.0 } else { warp.at(u).slope };
        }
        slopes
    }

    /// The points, warped.
    fn warped(&self, points: &Points) -> Arc<Known> {
        let is_same = |known: &Known| {
            known.rows.len() == points.rows().len()
                && known.rows.iter().zip(points.rows()).all(|(a, b)| a.to_bits() == b.to_bits())
        };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| is_same(known)) {
            return known;
        }
        let rows: Vec<f64> = (0..points.len()).flat_map(|i| self.warp(points.row(i))).collect();
        let warped = Points::new(points.distances(), &rows);
        let known = Arc::new(Known { rows: points.rows().to_vec(), warped });
        // Single points come and go; the points of a process stay.
        if points.len() > 1 {
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&known));
        }
        known
    }

    /// Adds what `of_inner` adds to a gradient in w(x), as a gradient in x.
    fn chain(&self, x: &[f64], gradient: &mut [f64], of_inner: impl FnOnce(&[f64], &mut [f64])) {
        let mut in_warped = vec![0.0; x.len()];
        of_inner(&self.warp(x), &mut in_warped);
        let both = in_warped.iter().zip(self.slopes(x));
        gradient.iter_mut().zip(both).for_each(|(g, (inner, slope))| *g += inner * slope);
    }

    /// Adds ½ Σᵢⱼ Cᵢⱼ ∂kᵢⱼ/∂ln θ for the a and b: by the symmetry of C and k it is Σᵢ ∂wᵢ/∂ln θ Σⱼ Cᵢⱼ ∂k(wᵢ, wⱼ)/∂wᵢ.
    fn add_shape_gradient(
        &self,
        points: &Points,
        warped: &Points,
        coefficients: &Square,
        gradient: &mut [f64],
    ) {
        let n = points.len();
        let mut row = vec![0.0; n];
        let mut in_place = vec![0.0; points.dimension()];
        for i in 0..n {
            for (j, c) in row.iter_mut().enumerate() {
                *c = coefficients.at(i.min(j), i.max(j));
            }
            in_place.fill(0.0);
            self.inner.add_gradient(warped.row(i), warped, &row, &mut in_place);
            for (k, warp) in self.warps.iter().enumerate() {
                let u = points.row(i)[warp.coordinate];
                if !u.is_nan() {
                    let [in_a, in_b] = warp.at(u).in_shape;
                    gradient[2 * k] += in_place[warp.coordinate] * in_a;
                    gradient[2 * k + 1] += in_place[warp.coordinate] * in_b;
                }
            }
        }
    }
}

/// Multiplies each derivative of a jet, or its coefficient, with the slopes of the coordinates that it is in.
fn scale(jet: &mut Jet, slopes_u: &[f64], slopes_v: &[f64]) {
    let d = slopes_u.len();
    jet.in_u.iter_mut().zip(slopes_u).for_each(|(value, slope)| *value *= slope);
    jet.in_v.iter_mut().zip(slopes_v).for_each(|(value, slope)| *value *= slope);
    for (a, slope) in slopes_u.iter().enumerate() {
        let row = &mut jet.in_both[a * d..(a + 1) * d];
        row.iter_mut().zip(slopes_v).for_each(|(value, other)| *value *= slope * other);
    }
}

fn inner_product(a: &Jet, b: &Jet) -> f64 {
    let sum = |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| x * y).sum() };
    a.value * b.value + sum(&a.in_u, &b.in_u) + sum(&a.in_v, &b.in_v) + sum(&a.in_both, &b.in_both)
}

impl Kernel for Warped {
    fn distances(&self) -> &[Distance] {
        self.inner.distances()
    }

    fn roles(&self) -> Vec<Role> {
        let shapes = self.warps.iter().flat_map(|warp| {
            let role = Role::Warping { coordinate: warp.coordinate };
            [role, role]
        });
        self.inner.roles().into_iter().chain(shapes).collect()
    }

    fn hyperparameters(&self) -> Vec<f64> {
        let shapes = self.warps.iter().flat_map(|warp| [warp.a, warp.b]);
        self.inner.hyperparameters().into_iter().chain(shapes).collect()
    }

    fn set_hyperparameters(&mut self, values: &[f64]) {
        let (of_inner, shapes) = values.split_at(self.inner.roles().len().min(values.len()));
        self.inner.set_hyperparameters(of_inner);
        for (warp, &[a, b]) in self.warps.iter_mut().zip(shapes.as_chunks::<2>().0) {
            (warp.a, warp.b) = (a, b);
        }
        self.known = RwLock::default();
    }

    fn boxed(&self) -> Box<dyn Kernel> {
        Box::new(self.clone())
    }

    fn variance(&self, x: &[f64]) -> f64 {
        self.inner.variance(&self.warp(x))
    }

    fn value(&self, u: &[f64], v: &[f64]) -> f64 {
        self.inner.value(&self.warp(u), &self.warp(v))
    }

    fn column(&self, x: &[f64], points: &Points, column: &mut [f64]) {
        self.inner.column(&self.warp(x), &self.warped(points).warped, column);
    }

    fn matrix(&self, points: &Points, matrix: &mut Square) {
        self.inner.matrix(&self.warped(points).warped, matrix);
    }

    fn add_gradient(&self, x: &[f64], points: &Points, coefficients: &[f64], gradient: &mut [f64]) {
        let known = self.warped(points);
        self.chain(x, gradient, |at, sum| self.inner.add_gradient(at, &known.warped, coefficients, sum));
    }

    fn add_two_gradients(
        &self,
        x: &[f64],
        points: &Points,
        coefficients: [&[f64]; 2],
        [first, second]: [&mut [f64]; 2],
    ) {
        let (known, at, slopes) = (self.warped(points), self.warp(x), self.slopes(x));
        let (mut one, mut other) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        self.inner.add_two_gradients(&at, &known.warped, coefficients, [&mut one, &mut other]);
        for (sum, part) in [(first, one), (second, other)] {
            sum.iter_mut().zip(part.iter().zip(&slopes)).for_each(|(g, (inner, slope))| *g += inner * slope);
        }
    }

    fn add_variance_gradient(&self, x: &[f64], factor: f64, gradient: &mut [f64]) {
        self.chain(x, gradient, |at, sum| self.inner.add_variance_gradient(at, factor, sum));
    }

    fn add_log_gradient(&self, points: &Points, coefficients: &Square, gradient: &mut [f64]) {
        let known = self.warped(points);
        let (of_inner, of_shapes) = gradient.split_at_mut(self.inner.roles().len());
        self.inner.add_log_gradient(&known.warped, coefficients, of_inner);
        self.add_shape_gradient(points, &known.warped, coefficients, of_shapes);
    }

    fn record(&self, points: &Points, matrix: &mut Square, record: &mut Record) {
        self.inner.record(&self.warped(points).warped, matrix, record);
    }

    fn add_recorded_log_gradient(
        &self,
        points: &Points,
        record: &Record,
        coefficients: &Square,
        gradient: &mut [f64],
    ) {
        let known = self.warped(points);
        let (of_inner, of_shapes) = gradient.split_at_mut(self.inner.roles().len());
        self.inner.add_recorded_log_gradient(&known.warped, record, coefficients, of_inner);
        self.add_shape_gradient(points, &known.warped, coefficients, of_shapes);
    }

    fn jet(&self, u: &[f64], v: &[f64]) -> Jet {
        let mut jet = self.inner.jet(&self.warp(u), &self.warp(v));
        scale(&mut jet, &self.slopes(u), &self.slopes(v));
        jet
    }

    fn add_jet_log_gradient(&self, u: &[f64], v: &[f64], coefficients: &Jet, gradient: &mut [f64]) {
        let (of_inner, of_shapes) = gradient.split_at_mut(self.inner.roles().len());
        let mut through = coefficients.clone();
        scale(&mut through, &self.slopes(u), &self.slopes(v));
        self.inner.add_jet_log_gradient(&self.warp(u), &self.warp(v), &through, of_inner);
        // In a and b these are third derivatives of the kernel, which nothing else asks for: central differences of jets,
        // exact to about 1e-8 of their size.
        let jet = |k: usize, by: [f64; 2]| {
            let mut moved = self.clone();
            moved.warps[k].a *= by[0].exp();
            moved.warps[k].b *= by[1].exp();
            inner_product(coefficients, &moved.jet(u, v))
        };
        for (k, both) in of_shapes.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            both[0] += (jet(k, [STEP, 0.0]) - jet(k, [-STEP, 0.0])) / (2.0 * STEP);
            both[1] += (jet(k, [0.0, STEP]) - jet(k, [0.0, -STEP])) / (2.0 * STEP);
        }
    }

    fn waves(&self, count: usize, seed: u64) -> Vec<Wave> {
        self.inner.waves(count, seed)
    }

    fn wave_place(&self, x: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
        Some((self.warp(x), self.slopes(x)))
    }
}
