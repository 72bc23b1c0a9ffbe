//! Functions of the standard normal distribution that stay exact far into its tails.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use crate::space::sobol::Sobol;

/// ½ ln 2π.
const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_8;
/// ½ ln(π/2).
const HALF_LOG_HALF_PI: f64 = 0.225_791_352_644_727_4;

/// ln φ(z).
pub(super) fn log_density(z: f64) -> f64 {
    -0.5 * z * z - HALF_LOG_TAU
}

/// ln Φ(z).
pub fn log_cdf(z: f64) -> f64 {
    if z > -1.0 {
        (0.5 * libm::erfc(-z * FRAC_1_SQRT_2)).ln()
    } else {
        -0.5 * z * z + (0.5 * puruspe::erfcx(-z * FRAC_1_SQRT_2)).ln()
    }
}

/// φ(z)/Φ(z), the slope of ln Φ: −z far below 0, where both underflow.
pub(super) fn hazard(z: f64) -> f64 {
    if z > -1.0 {
        (log_density(z) - log_cdf(z)).exp()
    } else {
        (2.0 / PI).sqrt() / puruspe::erfcx(-z * FRAC_1_SQRT_2)
    }
}

/// ln h(z), h(z) = φ(z) + z Φ(z): the expected improvement of a standard normal variable over −z.
/// For z far below 0 the two terms cancel; there ln h(z) = ln φ(z) + ln(1 − |z| √(π/2) erfcx(|z|/√2)), and past the
/// reach of that difference its asymptote −2 ln|z| (Ament et al., arXiv 2310.20708, eq. 9).
pub fn log_improvement(z: f64) -> f64 {
    if z > -1.0 {
        let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
        (density + z * 0.5 * libm::erfc(-z * FRAC_1_SQRT_2)).ln()
    } else if z > -1e4 {
        let log_ratio = (puruspe::erfcx(-z * FRAC_1_SQRT_2) * -z).ln() + HALF_LOG_HALF_PI;
        let log_complement = if log_ratio < -std::f64::consts::LN_2 {
            (-log_ratio.exp()).ln_1p()
        } else {
            (-log_ratio.exp_m1()).ln()
        };
        log_density(z) + log_complement
    } else {
        log_density(z) - 2.0 * (-z).ln()
    }
}

/// Φ(z).
pub(super) fn cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// Φ⁻¹(p) for p in (0, 1).
pub(super) fn quantile(p: f64) -> f64 {
    // The inverse is exact to about 1e-15 where the argument is not above 1.
    if p > 0.5 { -quantile(1.0 - p) } else { -std::f64::consts::SQRT_2 * puruspe::inverfc(2.0 * p) }
}

/// ln Σ eᵗ; −∞ of nothing.
pub(super) fn log_sum(terms: &[f64]) -> f64 {
    let most = terms.iter().fold(f64::NEG_INFINITY, |most, term| most.max(*term));
    if !most.is_finite() {
        return most;
    }
    most + terms.iter().map(|term| (term - most).exp()).sum::<f64>().ln()
}

/// `count` vectors of standard normal numbers with low discrepancy, row after row: quantiles of scrambled Sobol points.
pub(super) fn quasi_normal(count: usize, dimension: usize, seed: u64) -> Vec<f64> {
    let sobol = Sobol::new(dimension, seed);
    (0..count as u64).flat_map(|index| sobol.point(index)).map(quantile).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_cdf_equals_known_values() {
        // scipy.special.log_ndtr
        for (z, expected) in [
            (0.0, -std::f64::consts::LN_2),
            (-1.0, -1.841_021_645_009_263_8),
            (-5.0, -15.064_998_393_988_727),
            (-40.0, -804.608_442_013_753_9),
            (2.0, -0.023_012_909_328_963_493),
        ] {
            assert!((log_cdf(z) - expected).abs() < 1e-12 * (1.0 + expected.abs()), "{z}");
        }
    }

    #[test]
    fn the_hazard_is_the_slope_of_the_log_cdf() {
        for z in [-200.0, -30.0, -3.0, -1.0 - 1e-9, -1.0 + 1e-9, 0.0, 2.0] {
            let slope = (log_cdf(z + 1e-5) - log_cdf(z - 1e-5)) / 2e-5;
            assert!((hazard(z) - slope).abs() < 1e-6 * (1.0 + slope), "{z}: {} {slope}", hazard(z));
        }
        assert!((hazard(-1e16) / 1e16 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_quantile_inverts_the_distribution() {
        for p in [1e-12, 1e-3, 0.2, 0.5, 0.7, 1.0 - 1e-9] {
            assert!((cdf(quantile(p)) - p).abs() < 1e-13 * (1.0 + p / 1e-3), "{p}");
        }
        let z = quasi_normal(256, 3, 1);
        let variance = z.iter().map(|z| z * z).sum::<f64>() / 768.0;
        assert!((variance - 1.0).abs() < 0.05 && z.iter().sum::<f64>().abs() < 10.0, "{variance}");
    }

    #[test]
    fn log_improvement_is_smooth_across_its_branches() {
        for z in [-1.0, -1e4] {
            let (below, above) = (log_improvement(z - 1e-9), log_improvement(z + 1e-9));
            assert!((below - above).abs() < 1e-4 * (1.0 + below.abs() * 1e-6), "{z}: {below} {above}");
        }
    }

    #[test]
    fn log_improvement_equals_the_derivative_of_the_loss_integral() {
        // h'(z) = Φ(z), so d ln h / dz = Φ/h.
        for z in [-39.5, -12.0, -3.0, -1.5, -0.5, 0.0, 2.0] {
            let step = 1e-5;
            let slope = (log_improvement(z + step) - log_improvement(z - step)) / (2.0 * step);
            let expected = (log_cdf(z) - log_improvement(z)).exp();
            assert!((slope - expected).abs() < 1e-5 * (1.0 + expected), "{z}: {slope} {expected}");
        }
    }
}
