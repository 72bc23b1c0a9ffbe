//! Functions to minimize over the unit cube, their minimum moved by a seed. Formulae and boxes: Surjanovic & Bingham,
//! *Virtual Library of Simulation Experiments*.

use std::f64::consts::{E, PI};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A function over a box with one of its minimizers.
#[derive(Clone)]
pub struct Function {
    /// As the command line names it.
    pub name: &'static str,
    /// How many coordinates.
    pub dimension: usize,
    formula: fn(&[f64]) -> f64,
    sides: Vec<(f64, f64)>,
    minimizer: Vec<f64>,
    shift: Vec<f64>,
    /// Standard deviation of the noise on a measurement.
    pub noise: f64,
    /// Whether its minimizer may be moved.
    moves: bool,
}

/// How far a minimizer is moved at most, in sides of the box, and how far it stays from the bounds.
const LARGEST_SHIFT: f64 = 0.25;
const MARGIN: f64 = 0.05;

impl Function {
    fn over(name: &'static str, formula: fn(&[f64]) -> f64, sides: &[(f64, f64)], minimizer: &[f64]) -> Self {
        let shift = vec![0.0; sides.len()];
        let (sides, minimizer) = (sides.to_vec(), minimizer.to_vec());
        Self { name, dimension: sides.len(), formula, sides, minimizer, shift, noise: 0.0, moves: true }
    }

    fn cube(name: &'static str, formula: fn(&[f64]) -> f64, d: usize, side: (f64, f64), at: f64) -> Self {
        Self::over(name, formula, &vec![side; d], &vec![at; d])
    }

    fn with_noise(self, name: &'static str, noise: f64) -> Self {
        Self { name, noise, ..self }
    }

    /// The same, its minimizer never moved.
    fn still(self) -> Self {
        Self { moves: false, ..self }
    }

    /// The same in a cube of so many coordinates, of which the others do nothing.
    fn among(&self, name: &'static str, dimension: usize) -> Self {
        Self { name, dimension, ..self.clone() }
    }

    /// The same with its minimizer moved.
    pub fn moved(&self, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x7e11);
        let mut moved = self.clone();
        for (a, &(low, high)) in self.sides.iter().enumerate().filter(|_| self.moves) {
            let side = high - low;
            let by = LARGEST_SHIFT * (2.0 * rng.random::<f64>() - 1.0);
            let target = (self.minimizer[a] + by * side).clamp(low + MARGIN * side, high - MARGIN * side);
            moved.shift[a] = target - self.minimizer[a];
        }
        moved
    }

    /// The value without noise at a point of the unit cube, less the minimum.
    pub fn regret(&self, u: &[f64]) -> f64 {
        let place = |(a, u): (usize, &f64)| {
            let (low, high) = self.sides[a];
            low + u * (high - low) - self.shift[a]
        };
        // Evenly spread, so that no end of the cube holds all that matter.
        let active = self.sides.len();
        let chosen = (0..active).map(|a| &u[a * self.dimension / active]);
        let x: Vec<f64> = chosen.enumerate().map(place).collect();
        (self.formula)(&x) - (self.formula)(&self.minimizer)
    }
}

/// All of them.
pub fn functions() -> Vec<Function> {
    let hartmann6_at = [0.201_689_5, 0.150_010_7, 0.476_874_0, 0.275_332_4, 0.311_651_6, 0.657_300_5];
    let hartmann6 = Function::over("hartmann6", hartmann6, &[(0.0, 1.0); 6], &hartmann6_at);
    let hartmann_in_3 =
        Function::over("hartmann3", hartmann3, &[(0.0, 1.0); 3], &[0.114_589, 0.555_649, 0.852_547]);
    let branin_in_2 = Function::over("branin", branin, &[(-5.0, 10.0), (0.0, 15.0)], &[PI, 2.275]);
    let levy4 = Function::cube("levy4", levy, 4, (-10.0, 10.0), 1.0);
    vec![
        branin_in_2.clone(),
        hartmann6.clone(),
        Function::cube("ackley5", ackley, 5, (-32.768, 32.768), 0.0),
        levy4.clone(),
        Function::cube("rosenbrock5", rosenbrock, 5, (-5.0, 10.0), 1.0),
        Function::cube("griewank8", griewank, 8, (-600.0, 600.0), 0.0),
        Function::cube("rastrigin4", rastrigin, 4, (-5.12, 5.12), 0.0),
        Function::cube("powers6", powers, 6, (-1.0, 1.0), 0.0),
        Function::cube("zakharov4", zakharov, 4, (-5.0, 10.0), 0.0),
        Function::cube("styblinski5", styblinski_tang, 5, (-5.0, 5.0), -2.903_534_027_771_177),
        Function::cube("cigar5", cigar, 5, (-5.0, 5.0), 0.0),
        Function::cube("steps5", steps, 5, (-5.0, 5.0), 0.0),
        Function::cube("cosines8", cosines, 8, (-1.0, 1.0), 0.0),
        hartmann6.clone().with_noise("hartmann6-noisy", 0.1),
        levy4.with_noise("levy4-noisy", 0.5),
        branin_in_2.with_noise("branin-noisy", 5.0),
        Function::cube("ackley5-noisy", ackley, 5, (-32.768, 32.768), 0.0).with_noise("ackley5-noisy", 0.5),
        Function::cube("styblinski5-noisy", styblinski_tang, 5, (-5.0, 5.0), -2.903_534_027_771_177)
            .with_noise("styblinski5-noisy", 5.0),
        Function::cube("rosenbrock5-noisy", rosenbrock, 5, (-5.0, 10.0), 1.0)
            .with_noise("rosenbrock5-noisy", 5000.0),
        Function::cube("griewank8-noisy", griewank, 8, (-600.0, 600.0), 0.0)
            .with_noise("griewank8-noisy", 10.0),
        hartmann_in_3.clone().with_noise("hartmann3-noisy", 0.1),
        hartmann_in_3,
        Function::cube("rates4", rates, 4, (0.0, 1.0), 0.02).still(),
        hartmann6.among("hartmann6-in-30", 30),
        hartmann6.among("hartmann6-in-50", 50),
        Function::over("branin-in-25", branin, &[(-5.0, 10.0), (0.0, 15.0)], &[PI, 2.275])
            .among("branin-in-25", 25),
        Function::cube("levy4-in-30", levy, 4, (-10.0, 10.0), 1.0).among("levy4-in-30", 30),
        Function::cube("ackley20", ackley, 20, (-32.768, 32.768), 0.0),
        Function::cube("rosenbrock10", rosenbrock, 10, (-5.0, 10.0), 1.0),
        Function::over("lotka_volterra4", lotka_volterra, &[(0.2, 1.5); 4], &[1.1, 0.4, 0.4, 0.6]).still(),
        Function::cube("rosenbrock20", rosenbrock, 20, (-5.0, 10.0), 1.0),
        Function::cube("griewank20", griewank, 20, (-600.0, 600.0), 0.0),
        Function::cube("powers20", powers, 20, (-1.0, 1.0), 0.0),
        Function::cube("styblinski20", styblinski_tang, 20, (-5.0, 5.0), -2.903_534_027_771_177),
    ]
}

fn branin(x: &[f64]) -> f64 {
    let curve = x[1] - 5.1 / (4.0 * PI * PI) * x[0] * x[0] + 5.0 / PI * x[0] - 6.0;
    curve * curve + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x[0].cos() + 10.0
}

fn hartmann6(x: &[f64]) -> f64 {
    const WEIGHTS: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
    const SCALES: [[f64; 6]; 4] = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    const CENTRES: [[f64; 6]; 4] = [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ];
    let term = |k: usize| {
        let squares: f64 = (0..6).map(|a| SCALES[k][a] * (x[a] - CENTRES[k][a]).powi(2)).sum();
        -WEIGHTS[k] * (-squares).exp()
    };
    (0..4).map(term).sum()
}

fn hartmann3(x: &[f64]) -> f64 {
    const WEIGHTS: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
    const SCALES: [[f64; 3]; 4] =
        [[3.0, 10.0, 30.0], [0.1, 10.0, 35.0], [3.0, 10.0, 30.0], [0.1, 10.0, 35.0]];
    const CENTRES: [[f64; 3]; 4] = [
        [0.3689, 0.1170, 0.2673],
        [0.4699, 0.4387, 0.7470],
        [0.1091, 0.8732, 0.5547],
        [0.0381, 0.5743, 0.8828],
    ];
    let term = |k: usize| {
        let squares: f64 = (0..3).map(|a| SCALES[k][a] * (x[a] - CENTRES[k][a]).powi(2)).sum();
        -WEIGHTS[k] * (-squares).exp()
    };
    (0..4).map(term).sum()
}

#[allow(clippy::cast_precision_loss)]
fn ackley(x: &[f64]) -> f64 {
    let n = x.len() as f64;
    let square = x.iter().map(|v| v * v).sum::<f64>() / n;
    let cosine = x.iter().map(|v| (2.0 * PI * v).cos()).sum::<f64>() / n;
    20.0 - 20.0 * (-0.2 * square.sqrt()).exp() + E - cosine.exp()
}

fn levy(x: &[f64]) -> f64 {
    let w: Vec<f64> = x.iter().map(|v| 1.0 + (v - 1.0) / 4.0).collect();
    let last = w[w.len() - 1];
    let middle: f64 = w[..w.len() - 1]
        .iter()
        .map(|v| (v - 1.0).powi(2) * (1.0 + 10.0 * (PI * v + 1.0).sin().powi(2)))
        .sum();
    (PI * w[0]).sin().powi(2) + middle + (last - 1.0).powi(2) * (1.0 + (2.0 * PI * last).sin().powi(2))
}

/// Mean squared distance of the two populations, over ten units of time, to those of the rates 1.1, 0.4, 0.4 and 0.6 (growth of
/// prey, its loss, death of predators, their gain); 1 and 0.5 at the start, by Runge and Kutta's method of fourth order.
fn lotka_volterra(x: &[f64]) -> f64 {
    const STEPS: usize = 1000;
    let h = 10.0 / STEPS as f64;
    let slope = |p: &[f64], [u, v]: [f64; 2]| [p[0] * u - p[1] * u * v, -p[2] * v + p[3] * u * v];
    let along = |[u, v]: [f64; 2], [a, b]: [f64; 2], t: f64| [u + t * a, v + t * b];
    let step = |p: &[f64], y: [f64; 2]| {
        let a = slope(p, y);
        let b = slope(p, along(y, a, h / 2.0));
        let c = slope(p, along(y, b, h / 2.0));
        let d = slope(p, along(y, c, h));
        along(y, [a[0] + 2.0 * (b[0] + c[0]) + d[0], a[1] + 2.0 * (b[1] + c[1]) + d[1]], h / 6.0)
    };
    let (mut here, mut there, mut sum) = ([1.0, 0.5], [1.0, 0.5], 0.0);
    for _ in 0..STEPS {
        here = step(x, here);
        there = step(&[1.1, 0.4, 0.4, 0.6], there);
        sum += (here[0] - there[0]).powi(2) + (here[1] - there[1]).powi(2);
    }
    sum / STEPS as f64
}

fn rosenbrock(x: &[f64]) -> f64 {
    x.windows(2).map(|p| 100.0 * (p[1] - p[0] * p[0]).powi(2) + (1.0 - p[0]).powi(2)).sum()
}

#[allow(clippy::cast_precision_loss)]
fn griewank(x: &[f64]) -> f64 {
    let product: f64 = x.iter().enumerate().map(|(a, v)| (v / (a as f64 + 1.0).sqrt()).cos()).product();
    x.iter().map(|v| v * v / 4000.0).sum::<f64>() - product + 1.0
}

fn rastrigin(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v - 10.0 * (2.0 * PI * v).cos() + 10.0).sum()
}

#[allow(clippy::cast_precision_loss)]
fn powers(x: &[f64]) -> f64 {
    let last = x.len() as f64 - 1.0;
    x.iter().enumerate().map(|(a, v)| v.abs().powf(2.0 + 4.0 * a as f64 / last)).sum::<f64>().sqrt()
}

#[allow(clippy::cast_precision_loss)]
fn zakharov(x: &[f64]) -> f64 {
    let weighted: f64 = x.iter().enumerate().map(|(a, v)| 0.5 * (a as f64 + 1.0) * v).sum();
    x.iter().map(|v| v * v).sum::<f64>() + weighted.powi(2) + weighted.powi(4)
}

fn styblinski_tang(x: &[f64]) -> f64 {
    x.iter().map(|v| 0.5 * (v.powi(4) - 16.0 * v * v + 5.0 * v)).sum()
}

/// A narrow valley along the diagonal.
#[allow(clippy::cast_precision_loss)]
fn cigar(x: &[f64]) -> f64 {
    let along = x.iter().sum::<f64>() / (x.len() as f64).sqrt();
    let square: f64 = x.iter().map(|v| v * v).sum();
    along * along + 1e3 * (square - along * along)
}

fn steps(x: &[f64]) -> f64 {
    x.iter().map(|v| (v + 0.5).floor().powi(2) + 0.01 * v.abs()).sum()
}

fn cosines(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v - 0.1 * (5.0 * PI * v).cos()).sum()
}

/// Of parameters that should have been on a logarithmic scale: all that happens is near 0.
fn rates(x: &[f64]) -> f64 {
    x.iter().map(|v| ((v.abs() + 1e-3) / 0.021).ln()).map(|log| log * log - 0.3 * (4.0 * log).cos()).sum()
}
