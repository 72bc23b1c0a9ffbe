//! Max-value entropy search: what an observation says about the maximum's value.
//!
//! α(x) = H(f(x)) − E[H(f(x) | f(x) ≤ f*)] = mean over f* of γ φ(γ)/(2Φ(γ)) − ln Φ(γ), γ = (f* − μ)/σ (Wang & Jegelka,
//! arXiv 1703.01968, eq. 6). The maxima are those of drawn functions, or drawn from a Gumbel distribution fitted to the
//! distribution of the greatest of many points taken as independent (ibid., §3.1).

use crate::acquisition::log_cdf;
use crate::acquisition::marginal::{Marginal, Slopes};
use crate::acquisition::normal::{cdf, log_density, log_sum};
use crate::surrogate::{GaussianProcess, Prediction};

/// ln α for some maxima. O(n² + S).
pub struct MaxValueEntropySearch<'a> {
    /// The objective, to be maximized.
    pub objective: &'a GaussianProcess,
    /// Drawn values of the maximum; not empty.
    pub maxima: Vec<f64>,
}

impl Marginal for MaxValueEntropySearch<'_> {
    fn process(&self) -> &GaussianProcess {
        self.objective
    }

    #[allow(clippy::cast_precision_loss)]
    fn of(&self, at: &Prediction) -> Slopes {
        let terms: Vec<(f64, f64, f64)> = self
            .maxima
            .iter()
            .map(|maximum| {
                let gamma = (maximum - at.mean) / at.sd;
                let (value, slope) = log_gain(gamma);
                (value, slope, gamma)
            })
            .collect();
        let total = log_sum(&terms.iter().map(|term| term.0).collect::<Vec<_>>());
        let (mut in_mean, mut in_sd) = (0.0, 0.0);
        for (value, slope, gamma) in &terms {
            let share = (value - total).exp();
            in_mean -= share * slope / at.sd;
            in_sd -= share * slope * gamma / at.sd;
        }
        Slopes { value: total - (terms.len() as f64).ln(), in_mean, in_sd }
    }
}

/// ln(γ r/2 − ln Φ(γ)), r = φ/Φ, and its derivative in γ. The gain's derivative is −(r/2)(1 + γ² + γ r).
fn log_gain(gamma: f64) -> (f64, f64) {
    if gamma > 5.0 {
        // Both terms are multiples of φ; what is left of 1 in Φ does not matter any more.
        let tail =
            0.5 * (std::f64::consts::TAU).sqrt() * puruspe::erfcx(gamma * std::f64::consts::FRAC_1_SQRT_2);
        let upper = cdf(gamma);
        let over_density = gamma / (2.0 * upper) + tail * (1.0 + 0.5 * (1.0 - upper));
        let value = log_density(gamma) + over_density.ln();
        let ratio = log_density(gamma).exp() / upper;
        return (value, -(1.0 + gamma * gamma + gamma * ratio) / (2.0 * upper * over_density));
    }
    if gamma < -1e4 {
        // γ r/2 − ln Φ → ln(|γ| √2π) − ½ + O(γ⁻²).
        let gain = (-gamma).ln() + 0.5 * std::f64::consts::TAU.ln() - 0.5;
        return (gain.ln(), 1.0 / (gamma * gain));
    }
    if gamma < -1.0 {
        // With r = √(2/π)/erfcx(−γ/√2): the squares of γ in γ r/2 and in ln Φ are taken together.
        let scaled = puruspe::erfcx(-gamma * std::f64::consts::FRAC_1_SQRT_2);
        let excess = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2 / scaled + gamma;
        let gain = 0.5 * gamma * excess - (0.5 * scaled).ln();
        // 1 + γ² + γ r = 1 + γ (γ + r) cancels far below 0, where the slope is 1/γ.
        let slope =
            if gamma < -30.0 { 1.0 / gamma } else { -0.5 * (excess - gamma) * (1.0 + gamma * excess) };
        return (gain.ln(), slope / gain);
    }
    let log_upper = log_cdf(gamma);
    let ratio = (log_density(gamma) - log_upper).exp();
    let gain = 0.5 * gamma * ratio - log_upper;
    (gain.ln(), -0.5 * ratio * (1.0 + gamma * gamma + gamma * ratio) / gain)
}

/// `count` values of the maximum over points whose posteriors are given, taken as independent: quantiles at the middles
/// of `count` equal shares of the Gumbel distribution through the quartiles of Π Φ((y − μᵢ)/σᵢ). Never below `least`.
#[allow(clippy::cast_precision_loss)]
pub fn gumbel_maxima(predictions: &[Prediction], count: usize, least: f64) -> Vec<f64> {
    let log_below = |y: f64| predictions.iter().map(|at| log_cdf((y - at.mean) / at.sd)).sum::<f64>();
    let top = |k: f64| predictions.iter().map(|at| at.mean + k * at.sd).fold(f64::NEG_INFINITY, f64::max);
    let quantile = |p: f64| {
        let (mut low, mut high) = (top(-5.0), top(10.0));
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if log_below(middle) < p.ln() { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    };
    let (lower, middle, upper) = (quantile(0.25), quantile(0.5), quantile(0.75));
    // Quantile of a Gumbel distribution: a − b ln(−ln p).
    let turn = |p: f64| -(-f64::ln(p)).ln();
    let scale = ((upper - lower) / (turn(0.75) - turn(0.25))).max(0.0);
    let location = middle - scale * turn(0.5);
    (0..count).map(|k| (location + scale * turn((k as f64 + 0.5) / count as f64)).max(least)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gain_is_the_difference_of_entropies() {
        // The entropy of a normal variable cut off above γ, by the trapezoidal rule.
        for gamma in [-3.0, -0.5, 0.3, 2.0, 4.5, 5.5] {
            let log_upper = log_cdf(gamma);
            let step = (gamma + 14.0) / 200_000.0;
            let mut entropy = 0.0;
            for k in 0..=200_000 {
                let log_density = log_density(-14.0 + step * f64::from(k)) - log_upper;
                let weight = if k == 0 || k == 200_000 { 0.5 } else { 1.0 };
                entropy -= weight * step * log_density.exp() * log_density;
            }
            let free = 0.5 * (std::f64::consts::TAU * std::f64::consts::E).ln();
            let gain = log_gain(gamma).0.exp();
            assert!(
                (gain - (free - entropy)).abs() < 1e-8 * (1.0 + gain),
                "{gamma}: {gain} {}",
                free - entropy
            );
        }
    }

    #[test]
    fn its_slope_equals_finite_differences_and_its_branches_meet() {
        for gamma in [-2e4, -999.0, -100.0, -29.0, -5.0, 0.0, 1.0, 4.9, 5.1, 12.0, 40.0] {
            let h = 1e-5 * (1.0 + f64::abs(gamma));
            let slope = (log_gain(gamma + h).0 - log_gain(gamma - h).0) / (2.0 * h);
            assert!(
                (slope - log_gain(gamma).1).abs() < 2e-3 * (1e-3 + slope.abs()),
                "{gamma}: {slope} {}",
                log_gain(gamma).1
            );
        }
        for gamma in [5.0, -1.0, -1e4] {
            let (a, b) = (log_gain(gamma - 1e-9).0, log_gain(gamma + 1e-9).0);
            assert!((a - b).abs() < 1e-5, "{gamma}: {a} {b}");
        }
    }

    #[test]
    fn gumbel_quantiles_are_those_of_the_greatest_of_many() {
        let predictions = vec![Prediction { mean: 0.0, sd: 1.0 }; 200];
        let maxima = gumbel_maxima(&predictions, 101, f64::NEG_INFINITY);
        // The median of the greatest of 200 standard normal variables is Φ⁻¹(½^(1/200)) = 2.700.
        assert!((maxima[50] - 2.700).abs() < 5e-3, "{}", maxima[50]);
    }
}
