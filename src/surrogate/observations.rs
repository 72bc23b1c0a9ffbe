//! What was observed: values and partial derivatives of one function at some points, each with the noise that is known
//! of it; and the covariances of a kernel between them.
//!
//! Every observation is a linear functional of the function: its value at a point, or a partial derivative there. The
//! covariance of two functionals is the kernel with both applied to it (Rasmussen & Williams, §9.4; Frazier, arXiv
//! 1807.02811, §5), so that derivatives enter one joint Gaussian with the values.

use super::kernel::{Jet, Kernel, Record};
use super::points::{Distance, Points};
use super::square::Square;

/// Most observations of which a kernel keeps what it found out of all pairs: about 5 MB in 6 dimensions.
const MOST_RECORDED: usize = 384;

/// What of a function was observed at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Functional {
    /// f.
    Value,
    /// ∂f/∂xₐ.
    Derivative {
        /// a.
        coordinate: usize,
    },
}

/// One observation: what of the function, and at which point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    point: usize,
    functional: Functional,
}

/// N observations of a function at n points.
#[derive(Clone, Debug)]
pub struct Observations {
    points: Points,
    /// Empty where observation i is the value at point i.
    seen: Vec<Seen>,
    outputs: Vec<f64>,
    known_noise: Vec<f64>,
}

impl Observations {
    /// The value at each point of `inputs` (row after row), with a noise variance that is known of it.
    pub fn new(distances: &[Distance], inputs: &[f64], outputs: &[f64], known_noise: &[f64]) -> Self {
        Self {
            points: Points::new(distances, inputs),
            seen: Vec::new(),
            outputs: outputs.to_vec(),
            known_noise: known_noise.to_vec(),
        }
    }

    /// Adds the value at a further point.
    pub fn push(&mut self, x: &[f64], output: f64, known_noise: f64) {
        if !self.seen.is_empty() {
            self.seen.push(Seen { point: self.points.len(), functional: Functional::Value });
        }
        self.points.push(x);
        self.outputs.push(output);
        self.known_noise.push(known_noise);
    }

    /// Adds the partial derivative along `coordinate`, which is a number and switched on there, at point `point`.
    pub fn push_derivative(&mut self, point: usize, coordinate: usize, output: f64, known_noise: f64) {
        if self.seen.is_empty() {
            let value = |point| Seen { point, functional: Functional::Value };
            self.seen = (0..self.points.len()).map(value).collect();
        }
        self.seen.push(Seen { point, functional: Functional::Derivative { coordinate } });
        self.outputs.push(output);
        self.known_noise.push(known_noise);
    }

    /// N.
    pub fn len(&self) -> usize {
        self.outputs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    /// The points.
    pub fn points(&self) -> &Points {
        &self.points
    }

    /// What was seen.
    pub fn outputs(&self) -> &[f64] {
        &self.outputs
    }

    /// The noise variance that is known of each.
    pub fn known_noise(&self) -> &[f64] {
        &self.known_noise
    }

    /// What is known of the values' noise variances, typically: the least but for a tenth of them, for among them may be
    /// forecasts of ended trials, whose uncertainty is not that of a result. 0 of none.
    pub fn typical_known_noise(&self) -> f64 {
        let is_value = |&i: &usize| self.functional(i) == Functional::Value;
        let mut known: Vec<f64> = (0..self.len()).filter(is_value).map(|i| self.known_noise[i]).collect();
        let tenth = known.len() / 10;
        if known.is_empty() { 0.0 } else { *known.select_nth_unstable_by(tenth, f64::total_cmp).1 }
    }

    /// Whether there are derivatives among them.
    pub fn has_derivatives(&self) -> bool {
        !self.seen.is_empty()
    }

    /// What observation `i` is of.
    pub fn functional(&self, i: usize) -> Functional {
        self.seen.get(i).map_or(Functional::Value, |seen| seen.functional)
    }

    /// The point that observation `i` is at.
    pub fn point(&self, i: usize) -> usize {
        self.seen.get(i).map_or(i, |seen| seen.point)
    }

    /// The first observation that is not finite, or whose point is infinite somewhere.
    pub(super) fn not_finite(&self) -> Option<usize> {
        (0..self.len()).find(|&i| {
            let point = self.points.row(self.point(i));
            let is_noise = self.known_noise[i].is_finite() && self.known_noise[i] >= 0.0;
            !self.outputs[i].is_finite() || !is_noise || point.iter().any(|u| u.is_infinite())
        })
    }

    /// Observation `i` where the prior's mean is taken off: derivatives have none.
    pub(super) fn centred(&self, i: usize, mean: f64) -> f64 {
        match self.functional(i) {
            Functional::Value => self.outputs[i] - mean,
            Functional::Derivative { .. } => self.outputs[i],
        }
    }

    /// cov(f(x), observation i) for all, without noise. O(n·d), and O(n·d²) with derivatives.
    pub(super) fn column(&self, kernel: &dyn Kernel, x: &[f64], column: &mut [f64]) {
        if self.seen.is_empty() {
            kernel.column(x, &self.points, column);
            return;
        }
        let mut values = vec![0.0; self.points.len()];
        kernel.column(x, &self.points, &mut values);
        let jets = self.jets(kernel, x);
        for (entry, seen) in column.iter_mut().zip(&self.seen) {
            *entry = match (seen.functional, &jets[seen.point]) {
                (Functional::Derivative { coordinate }, Some(jet)) => jet.in_v[coordinate],
                _ => values[seen.point],
            };
        }
    }

    /// Adds Σᵢ cᵢ ∂cov(f(x), observation i)/∂x to `gradient`. As [`Self::column`].
    pub(super) fn add_gradient(&self, kernel: &dyn Kernel, x: &[f64], weights: &[f64], gradient: &mut [f64]) {
        if self.seen.is_empty() {
            kernel.add_gradient(x, &self.points, weights, gradient);
            return;
        }
        let d = x.len();
        let mut of_points = vec![0.0; self.points.len()];
        let jets = self.jets(kernel, x);
        for (weight, seen) in weights.iter().zip(&self.seen) {
            match (seen.functional, &jets[seen.point]) {
                (Functional::Derivative { coordinate }, Some(jet)) => {
                    for a in 0..d {
                        gradient[a] += weight * jet.in_both[a * d + coordinate];
                    }
                }
                _ => of_points[seen.point] += weight,
            }
        }
        kernel.add_gradient(x, &self.points, &of_points, gradient);
    }

    /// [`Self::add_gradient`] for two sets of weights at once.
    pub(super) fn add_two_gradients(
        &self,
        kernel: &dyn Kernel,
        x: &[f64],
        weights: [&[f64]; 2],
        gradients: [&mut [f64]; 2],
    ) {
        if self.seen.is_empty() {
            kernel.add_two_gradients(x, &self.points, weights, gradients);
            return;
        }
        for (weights, gradient) in weights.into_iter().zip(gradients) {
            self.add_gradient(kernel, x, weights, gradient);
        }
    }

    /// The lower triangle of the observations' covariances, without noise. O(n²·d), and O(n²·d²) with derivatives.
    pub(super) fn covariance(&self, kernel: &dyn Kernel) -> Square {
        let n = self.len();
        let mut covariance = Square::zeros(n);
        if self.seen.is_empty() {
            kernel.matrix(&self.points, &mut covariance);
            return covariance;
        }
        let rows = self.rows_of_points();
        for (q, of_q) in rows.iter().enumerate() {
            for (p, of_p) in rows.iter().enumerate() {
                let jet = kernel.jet(self.points.row(p), self.points.row(q));
                for &j in of_q {
                    for &i in of_p.iter().filter(|&&i| i >= j) {
                        covariance.set(i, j, self.entry(&jet, i, j));
                    }
                }
            }
        }
        covariance
    }

    /// [`Self::covariance`], keeping in `record` what [`Self::add_recorded_log_gradient`] of the same kernel can use.
    pub(super) fn recorded_covariance(&self, kernel: &dyn Kernel, record: &mut Record) -> Square {
        if !self.is_recorded() {
            return self.covariance(kernel);
        }
        let mut covariance = Square::zeros(self.len());
        kernel.record(&self.points, &mut covariance, record);
        covariance.mirror_upper();
        covariance
    }

    /// Whether what a kernel keeps of all pairs still fits into a processor's caches.
    fn is_recorded(&self) -> bool {
        self.seen.is_empty() && self.len() <= MOST_RECORDED
    }

    /// [`Self::add_log_gradient`] with what [`Self::recorded_covariance`] kept.
    pub(super) fn add_recorded_log_gradient(
        &self,
        kernel: &dyn Kernel,
        record: &Record,
        weights: &Square,
        gradient: &mut [f64],
    ) {
        if self.is_recorded() {
            kernel.add_recorded_log_gradient(&self.points, record, weights, gradient);
        } else {
            self.add_log_gradient(kernel, weights, gradient);
        }
    }

    /// Adds ½ Σᵢⱼ Cᵢⱼ ∂covᵢⱼ/∂ln θ to `gradient`; of the symmetric C the upper triangle is read. As [`Self::covariance`].
    pub(super) fn add_log_gradient(&self, kernel: &dyn Kernel, weights: &Square, gradient: &mut [f64]) {
        if self.seen.is_empty() {
            kernel.add_log_gradient(&self.points, weights, gradient);
            return;
        }
        let d = self.points.dimension();
        let rows = self.rows_of_points();
        for (q, of_q) in rows.iter().enumerate() {
            for (p, of_p) in rows.iter().enumerate() {
                let mut coefficients = Jet::zeros(d);
                for &j in of_q {
                    for &i in of_p {
                        let slot = match (self.seen[i].functional, self.seen[j].functional) {
                            (Functional::Value, Functional::Value) => &mut coefficients.value,
                            (Functional::Derivative { coordinate: a }, Functional::Value) => {
                                &mut coefficients.in_u[a]
                            }
                            (Functional::Value, Functional::Derivative { coordinate: b }) => {
                                &mut coefficients.in_v[b]
                            }
                            (
                                Functional::Derivative { coordinate: a },
                                Functional::Derivative { coordinate: b },
                            ) => &mut coefficients.in_both[a * d + b],
                        };
                        *slot += 0.5 * weights.at(i.min(j), i.max(j));
                    }
                }
                kernel.add_jet_log_gradient(self.points.row(p), self.points.row(q), &coefficients, gradient);
            }
        }
    }

    /// The jets from `x` to the points at which derivatives were seen.
    fn jets(&self, kernel: &dyn Kernel, x: &[f64]) -> Vec<Option<Jet>> {
        let mut jets = vec![None; self.points.len()];
        for seen in &self.seen {
            if seen.functional != Functional::Value && jets[seen.point].is_none() {
                jets[seen.point] = Some(kernel.jet(x, self.points.row(seen.point)));
            }
        }
        jets
    }

    /// The observations at each point.
    fn rows_of_points(&self) -> Vec<Vec<usize>> {
        let mut rows = vec![Vec::new(); self.points.len()];
        for (i, seen) in self.seen.iter().enumerate() {
            rows[seen.point].push(i);
        }
        rows
    }

    /// The entry for observations `i` and `j` of the jet between their points.
    fn entry(&self, jet: &Jet, i: usize, j: usize) -> f64 {
        let d = jet.in_u.len();
        match (self.seen[i].functional, self.seen[j].functional) {
            (Functional::Value, Functional::Value) => jet.value,
            (Functional::Derivative { coordinate }, Functional::Value) => jet.in_u[coordinate],
            (Functional::Value, Functional::Derivative { coordinate }) => jet.in_v[coordinate],
            (Functional::Derivative { coordinate: a }, Functional::Derivative { coordinate: b }) => {
                jet.in_both[a * d + b]
            }
        }
    }
}
