//! Sums and products of kernels, each of which may look at some of the coordinates only.
//!
//! Both are kernels again (Rasmussen & Williams, §4.2.4). A usual one for a mix of numbers and labels is
//! k₁ + k₂ + k₁·k₂ (Ru et al., *Bayesian Optimisation over Multiple Continuous and Categorical Inputs*, ICML 2020).

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Jet, Kernel, Record, Role, Wave};
use crate::surrogate::points::{Distance, Points};
use crate::surrogate::square::Square;

/// The sum of some kernels of equal dimension.
#[derive(Clone, Debug)]
pub struct Sum(Vec<Box<dyn Kernel>>);

/// The product of some kernels of equal dimension. All but one should have no variance of their own.
#[derive(Clone, Debug)]
pub struct Product(Vec<Box<dyn Kernel>>);

impl Sum {
    /// Of these; at least one.
    pub fn of(terms: Vec<Box<dyn Kernel>>) -> Self {
        Self(terms)
    }
}

impl Product {
    /// Of these; at least one.
    pub fn of(factors: Vec<Box<dyn Kernel>>) -> Self {
        Self(factors)
    }

    /// The product of the columns of all factors but `left_out`.
    fn column_without(&self, left_out: usize, x: &[f64], points: &Points) -> Vec<f64> {
        let mut product = vec![1.0; points.len()];
        let mut column = vec![0.0; points.len()];
        for (_, factor) in self.0.iter().enumerate().filter(|(index, _)| *index != left_out) {
            factor.column(x, points, &mut column);
            product.iter_mut().zip(&column).for_each(|(product, value)| *product *= value);
        }
        product
    }
}

fn set_all(parts: &mut [Box<dyn Kernel>], values: &[f64]) {
    let mut rest = values;
    for part in parts {
        let (mine, others) = rest.split_at(part.roles().len().min(rest.len()));
        part.set_hyperparameters(mine);
        rest = others;
    }
}

impl Kernel for Sum {
    fn distances(&self) -> &[Distance] {
        self.0.first().map_or(&[], |term| term.distances())
    }

    fn roles(&self) -> Vec<Role> {
        self.0.iter().flat_map(|term| term.roles()).collect()
    }

    fn hyperparameters(&self) -> Vec<f64> {
        self.0.iter().flat_map(|term| term.hyperparameters()).collect()
    }

    fn set_hyperparameters(&mut self, values: &[f64]) {
        set_all(&mut self.0, values);
    }

    fn boxed(&self) -> Box<dyn Kernel> {
        Box::new(self.clone())
    }

    fn variance(&self, x: &[f64]) -> f64 {
        self.0.iter().map(|term| term.variance(x)).sum()
    }

    fn value(&self, u: &[f64], v: &[f64]) -> f64 {
        self.0.iter().map(|term| term.value(u, v)).sum()
    }

    fn column(&self, x: &[f64], points: &Points, column: &mut [f64]) {
        column.fill(0.0);
        let mut part = vec![0.0; column.len()];
        for term in &self.0 {
            term.column(x, points, &mut part);
            column.iter_mut().zip(&part).for_each(|(sum, value)| *sum += value);
        }
    }

    fn matrix(&self, points: &Points, matrix: &mut Square) {
        let Some((first, others)) = self.0.split_first() else { return };
        first.matrix(points, matrix);
        let mut part = Square::zeros(points.len());
        for term in others {
            term.matrix(points, &mut part);
            for j in 0..points.len() {
                let below = part.column(j)[j..].iter();
                matrix.column_mut(j)[j..].iter_mut().zip(below).for_each(|(sum, value)| *sum += value);
            }
        }
    }

    fn add_gradient(&self, x: &[f64], points: &Points, coefficients: &[f64], gradient: &mut [f64]) {
        self.0.iter().for_each(|term| term.add_gradient(x, points, coefficients, gradient));
    }

    fn add_two_gradients(
        &self,
        x: &[f64],
        points: &Points,
        coefficients: [&[f64]; 2],
        [first, second]: [&mut [f64]; 2],
    ) {
        for term in &self.0 {
            term.add_two_gradients(x, points, coefficients, [&mut *first, &mut *second]);
        }
    }

    fn add_variance_gradient(&self, x: &[f64], factor: f64, gradient: &mut [f64]) {
        self.0.iter().for_each(|term| term.add_variance_gradient(x, factor, gradient));
    }

    fn add_log_gradient(&self, points: &Points, coefficients: &Square, gradient: &mut [f64]) {
        let mut at = 0;
        for term in &self.0 {
            let count = term.roles().len();
            term.add_log_gradient(points, coefficients, &mut gradient[at..at + count]);
            at += count;
        }
    }

    fn record(&self, points: &Points, matrix: &mut Square, record: &mut Record) {
        for (term, part) in self.0.iter().zip(record.parts_mut(self.0.len())) {
            term.record(points, matrix, part);
        }
    }

    fn add_recorded_log_gradient(
        &self,
        points: &Points,
        record: &Record,
        coefficients: &Square,
        gradient: &mut [f64],
    ) {
        let mut rest = gradient;
        for (term, part) in self.0.iter().zip(record.parts()) {
            let (mine, others) = rest.split_at_mut(term.roles().len());
            term.add_recorded_log_gradient(points, part, coefficients, mine);
            rest = others;
        }
    }

    fn jet(&self, u: &[f64], v: &[f64]) -> Jet {
        let mut sum = Jet::zeros(u.len());
        self.0.iter().for_each(|term| sum.add(&term.jet(u, v)));
        sum
    }

    fn add_jet_log_gradient(&self, u: &[f64], v: &[f64], coefficients: &Jet, gradient: &mut [f64]) {
        let mut at = 0;
        for term in &self.0 {
            let count = term.roles().len();
            term.add_jet_log_gradient(u, v, coefficients, &mut gradient[at..at + count]);
            at += count;
        }
    }

    fn waves(&self, count: usize, seed: u64) -> Vec<Wave> {
        let mut seeds = ChaCha8Rng::seed_from_u64(seed);
        self.0.iter().flat_map(|term| term.waves(count, seeds.random())).collect()
    }
}

impl Kernel for Product {
    fn distances(&self) -> &[Distance] {
        self.0.first().map_or(&[], |factor| factor.distances())
    }

    fn roles(&self) -> Vec<Role> {
        self.0.iter().flat_map(|factor| factor.roles()).collect()
    }

    fn hyperparameters(&self) -> Vec<f64> {
        self.0.iter().flat_map(|factor| factor.hyperparameters()).collect()
    }

    fn set_hyperparameters(&mut self, values: &[f64]) {
        set_all(&mut self.0, values);
    }

    fn boxed(&self) -> Box<dyn Kernel> {
        Box::new(self.clone())
    }

    fn variance(&self, x: &[f64]) -> f64 {
        self.0.iter().map(|factor| factor.variance(x)).product()
    }

    fn value(&self, u: &[f64], v: &[f64]) -> f64 {
        self.0.iter().map(|factor| factor.value(u, v)).product()
    }

    fn column(&self, x: &[f64], points: &Points, column: &mut [f64]) {
        column.copy_from_slice(&self.column_without(self.0.len(), x, points));
    }

    fn add_gradient(&self, x: &[f64], points: &Points, coefficients: &[f64], gradient: &mut [f64]) {
        for (index, factor) in self.0.iter().enumerate() {
            let mut weighted = self.column_without(index, x, points);
            weighted.iter_mut().zip(coefficients).for_each(|(others, c)| *others *= c);
            factor.add_gradient(x, points, &weighted, gradient);
        }
    }

    fn add_variance_gradient(&self, x: &[f64], factor: f64, gradient: &mut [f64]) {
        for (index, part) in self.0.iter().enumerate() {
            let others = self.0.iter().enumerate().filter(|(other, _)| *other != index);
            let product: f64 = others.map(|(_, other)| other.variance(x)).product();
            part.add_variance_gradient(x, factor * product, gradient);
        }
    }

    fn add_log_gradient(&self, points: &Points, coefficients: &Square, gradient: &mut [f64]) {
        let n = points.len();
        let mut at = 0;
        for (index, factor) in self.0.iter().enumerate() {
            let mut weighted = Square::zeros(n);
            for j in 0..n {
                let others = self.column_without(index, points.row(j), points);
                let both = coefficients.column(j).iter().zip(&others);
                weighted.column_mut(j).iter_mut().zip(both).for_each(|(w, (c, other))| *w = c * other);
            }
            let count = factor.roles().len();
            factor.add_log_gradient(points, &weighted, &mut gradient[at..at + count]);
            at += count;
        }
    }

    fn jet(&self, u: &[f64], v: &[f64]) -> Jet {
        self.0.iter().fold(Jet::one(u.len()), |product, factor| product.times(&factor.jet(u, v)))
    }

    fn add_jet_log_gradient(&self, u: &[f64], v: &[f64], coefficients: &Jet, gradient: &mut [f64]) {
        let mut at = 0;
        for (index, factor) in self.0.iter().enumerate() {
            let others = self.0.iter().enumerate().filter(|(other, _)| *other != index);
            let others =
                others.fold(Jet::one(u.len()), |product, (_, factor)| product.times(&factor.jet(u, v)));
            let count = factor.roles().len();
            let through = coefficients.seen_through(&others);
            factor.add_jet_log_gradient(u, v, &through, &mut gradient[at..at + count]);
            at += count;
        }
    }

    fn waves(&self, count: usize, seed: u64) -> Vec<Wave> {
        let mut seeds = ChaCha8Rng::seed_from_u64(seed);
        let mut product: Option<Vec<Wave>> = None;
        for factor in &self.0 {
            let mut waves = factor.waves(count, seeds.random());
            // Waves of sums come in the order of the terms: pairs of two sums must not.
            waves.shuffle(&mut seeds);
            product = Some(match product {
                None => waves,
                Some(before) => Wave::products(&before, &waves),
            });
        }
        product.unwrap_or_default()
    }
}
