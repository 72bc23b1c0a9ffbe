//! An evolution strategy: where values say something and gradients do not.
//!
//! Source: Beyer & Sendhoff, *Simplify Your Covariance Matrix Adaptation Evolution Strategy*, IEEE Trans. Evolutionary
//! Computation 21, 2017, figure 3 (MA-ES), with the parameters of Hansen, arXiv 1604.00772, table 1. A generation is drawn
//! from N(m, σ²MMᵀ); the better half moves m, turns and stretches M, and changes σ. As a search step of a direct search
//! it leaves the convergence of the whole to the poll (Diouane, Gratton & Vicente, *Math. Program.* 152, 2015).
//!
//! Cost of a generation of λ = 4 + ⌊3 ln n⌋ points: O(λn²).

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::barrier::Merit;
use super::cover::normal;
use super::curvature::dot;

/// A drawn point: the standard normal numbers it came from, and what they became by M.
#[derive(Clone, Debug)]
struct Drawn {
    z: Vec<f64>,
    d: Vec<f64>,
    merit: Option<Merit>,
}

/// The strategy, between generations.
#[derive(Clone, Debug)]
pub struct Evolution {
    mean: Vec<f64>,
    sigma: f64,
    /// M, by rows.
    transform: Vec<Vec<f64>>,
    path: Vec<f64>,
    generation: Vec<Drawn>,
    /// How many points a generation has.
    size: usize,
}

impl Evolution {
    /// Around a point of the unit cube, with a standard deviation of `sigma` in every coordinate.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn new(mean: Vec<f64>, sigma: f64) -> Self {
        let n = mean.len();
        let size = 4 + (3.0 * libm::log(n as f64)).floor() as usize;
        let transform = (0..n).map(|i| (0..n).map(|j| f64::from(i == j)).collect()).collect();
        Self { mean, sigma, transform, path: vec![0.0; n], generation: Vec::new(), size }
    }

    /// The standard deviation of the next generation's steps, before they are turned and stretched.
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// Draws the next generation, inside the unit cube.
    pub fn draw(&mut self, seed: u64) -> Vec<Vec<f64>> {
        let n = self.mean.len();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        self.generation = (0..self.size)
            .map(|_| {
                let z: Vec<f64> = (0..n).map(|_| normal(&mut rng)).collect();
                let d = self.transform.iter().map(|row| dot(row, &z)).collect();
                Drawn { z, d, merit: None }
            })
            .collect();
        let place = |drawn: &Drawn| {
            let moved = self.mean.iter().zip(&drawn.d).map(|(m, d)| m + self.sigma * d);
            moved.map(folded).collect()
        };
        self.generation.iter().map(place).collect()
    }

    /// What the `index`-th of the drawn points turned out to be.
    pub fn tell(&mut self, index: usize, merit: Merit) {
        if let Some(drawn) = self.generation.get_mut(index) {
            drawn.merit = Some(merit);
        }
    }

    /// Takes the generation in; points that nothing was told of do not count.
    #[allow(clippy::cast_precision_loss)]
    pub fn adapt(&mut self) {
        let mut told: Vec<(Merit, Drawn)> =
            self.generation.drain(..).filter_map(|drawn| Some((drawn.merit?, drawn))).collect();
        let parents = told.len() / 2;
        if parents == 0 {
            return;
        }
        told.sort_by(|(a, _), (b, _)| a.order(b));
        let weights: Vec<f64> = (0..parents)
            .map(|i| libm::log(told.len() as f64 / 2.0 + 0.5) - libm::log(i as f64 + 1.0))
            .collect();
        let total: f64 = weights.iter().sum();
        let weights: Vec<f64> = weights.iter().map(|w| w / total).collect();
        let n = self.mean.len() as f64;
        // The variance-effective number of parents, and the rates of learning that it allows.
        let effective = 1.0 / dot(&weights, &weights);
        let of_path = (effective + 2.0) / (n + effective + 5.0);
        let of_one = 2.0 / ((n + 1.3).powi(2) + effective);
        let of_many =
            (2.0 * (effective + 1.0 / effective - 2.0) / ((n + 2.0).powi(2) + effective)).min(1.0 - of_one);
        let damping = 1.0 + of_path + 2.0 * (((effective - 1.0) / (n + 1.0)).sqrt() - 1.0).max(0.0);

        let best: Vec<(&Drawn, f64)> =
            told.iter().map(|(_, drawn)| drawn).zip(weights.iter().copied()).collect();
        let scale = (effective * of_path * (2.0 - of_path)).sqrt();
        for i in 0..self.mean.len() {
            let (step, turn) =
                best.iter().fold((0.0, 0.0), |(d, z), (drawn, w)| (d + w * drawn.d[i], z + w * drawn.z[i]));
            self.mean[i] += self.sigma * step;
            self.path[i] = (1.0 - of_path) * self.path[i] + scale * turn;
        }
        let along: Vec<f64> = self.transform.iter().map(|row| dot(row, &self.path)).collect();
        for (i, row) in self.transform.iter_mut().enumerate() {
            for (j, entry) in row.iter_mut().enumerate() {
                let many: f64 = best.iter().map(|(drawn, w)| w * drawn.d[i] * drawn.z[j]).sum();
                *entry += 0.5 * of_one * (along[i] * self.path[j] - *entry) + 0.5 * of_many * (many - *entry);
            }
        }
        // E‖N(0, I)‖.
        let expected = n.sqrt() * (1.0 - 1.0 / (4.0 * n) + 1.0 / (21.0 * n * n));
        let length = dot(&self.path, &self.path).sqrt();
        self.sigma = (self.sigma * libm::exp(of_path / damping * (length / expected - 1.0))).min(1.0);
    }
}

/// A coordinate in the unit interval that continues, mirrored at its ends, on either side: points that are moved to a bound
/// instead would say that long steps are as good as short ones.
fn folded(x: f64) -> f64 {
    let x = x.rem_euclid(2.0);
    if x > 1.0 { 2.0 - x } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(n: usize, points: usize, mean: f64, value: &dyn Fn(&[f64]) -> Merit) -> f64 {
        let mut strategy = Evolution::new(vec![mean; n], 0.1);
        let (mut best, mut count) = (f64::NEG_INFINITY, 0);
        for seed in 0.. {
            for (i, point) in strategy.draw(seed).iter().enumerate() {
                let merit = value(point);
                best = if merit.is_feasible() { best.max(merit.value) } else { best };
                strategy.tell(i, merit);
                count += 1;
            }
            strategy.adapt();
            if count > points {
                break;
            }
        }
        best
    }

    /// A valley a thousand times as long as it is wide, turned against the axes, is learned.
    #[test]
    fn it_learns_a_turned_valley() {
        let n = 6;
        let turned = |x: &[f64]| {
            let sum: f64 = x.iter().map(|x| x - 0.3).sum::<f64>() / (n as f64).sqrt();
            let all: f64 = x.iter().map(|x| (x - 0.3).powi(2)).sum();
            Merit::of(-(1e6 * sum * sum + (all - sum * sum)), &[])
        };
        assert!(run(n, 6000, 0.7, &turned) > -1e-12);
    }

    /// Points outside a constraint count after those inside; the maximum on its edge is found from infeasible ground.
    #[test]
    fn feasible_comes_first() {
        let value = |x: &[f64]| Merit::of(x.iter().sum(), &[x[0] - 0.25, x[1] - 0.5]);
        let best = run(2, 3000, 0.9, &value);
        assert!(best > 0.7499 && best <= 0.75, "{best}");
    }

    /// Neither equal values nor failures nor a generation nobody told of disturb it.
    #[test]
    fn nothing_told_is_nothing_learned() {
        let mut strategy = Evolution::new(vec![0.5; 3], 0.1);
        strategy.draw(1);
        strategy.adapt();
        assert!((strategy.sigma() - 0.1).abs() < 1e-15);
        for seed in 0..50 {
            let count = strategy.draw(seed).len();
            (0..count).for_each(|i| strategy.tell(i, Merit::of(f64::NAN, &[])));
            strategy.adapt();
        }
        assert!(strategy.draw(3).iter().flatten().all(|z| z.is_finite()));
        assert!(strategy.sigma().is_finite());
    }
}
