//! The expected maximum of straight lines in a normal variable, exactly.
//!
//! h(a, b) = E[maxᵢ (aᵢ + bᵢ Z)] − maxᵢ aᵢ, Z ~ N(0, 1). With the lines of the upper envelope sorted by slope and cₖ
//! where line k gives way to the next, h = Σ (bₖ₊₁ − bₖ) g(−|cₖ|), g(z) = φ(z) + z Φ(z) (Frazier, Powell & Dayanik,
//! *INFORMS J. Comput.* 21, 2009, §3 and algorithm 1). Every term is positive, so that h is had in log space; and so are
//! its derivatives: dh = Σ φ(cₖ) d(bₖ₊₁ − bₖ) − sign(cₖ) Φ(−|cₖ|) d(aₖ − aₖ₊₁). O(m log m).

use super::normal::log_density;
use super::{log_cdf, log_improvement};

/// Lines whose slopes differ by less are parallel. What they could gain, with outcomes of about 1, is nothing, and the
/// logarithm's derivatives would leave the range of numbers.
const PARALLEL: f64 = 1e-60;

/// ln h with its derivatives.
#[derive(Clone, Debug, Default)]
pub(super) struct ExpectedMaximum {
    /// ln h; −∞ where no line ever overtakes the best.
    pub(super) log: f64,
    /// (i, ∂ ln h/∂aᵢ, ∂ ln h/∂bᵢ) of the lines on the envelope.
    pub(super) slopes: Vec<(usize, f64, f64)>,
}

/// ln h(a, b).
pub(super) fn log_expected_maximum(a: &[f64], b: &[f64]) -> f64 {
    let lines = envelope(a, b);
    sum(&lines, a, b).0
}

/// ln h(a, b) with its derivatives.
pub(super) fn expected_maximum(a: &[f64], b: &[f64]) -> ExpectedMaximum {
    let lines = envelope(a, b);
    let (log, breaks) = sum(&lines, a, b);
    if log == f64::NEG_INFINITY {
        return ExpectedMaximum { log, slopes: Vec::new() };
    }
    let mut slopes: Vec<(usize, f64, f64)> = lines.iter().map(|&i| (i, 0.0, 0.0)).collect();
    for (k, &c) in breaks.iter().enumerate() {
        let of_b = (log_density(c) - log).exp();
        let of_a = (log_cdf(-c.abs()) - log).exp() * c.signum();
        slopes[k].1 -= of_a;
        slopes[k + 1].1 += of_a;
        slopes[k].2 -= of_b;
        slopes[k + 1].2 += of_b;
    }
    ExpectedMaximum { log, slopes }
}

/// The indices of the lines on the upper envelope, by slope.
fn envelope(a: &[f64], b: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..a.len()).filter(|&i| a[i].is_finite() && b[i].is_finite()).collect();
    order.sort_by(|&i, &j| b[i].total_cmp(&b[j]).then(a[i].total_cmp(&a[j])));
    let mut hull: Vec<(usize, f64)> = Vec::with_capacity(order.len());
    'lines: for i in order {
        let mut from = f64::NEG_INFINITY;
        while let Some(&(top, its_from)) = hull.last() {
            let is_parallel = b[i] - b[top] < PARALLEL;
            if is_parallel && a[i] < a[top] {
                continue 'lines;
            }
            let crossing = if is_parallel { f64::NEG_INFINITY } else { (a[top] - a[i]) / (b[i] - b[top]) };
            if crossing > its_from {
                from = crossing;
                break;
            }
            hull.pop();
        }
        // A crossing at infinity is none.
        if from < f64::INFINITY {
            hull.push((i, from));
        }
    }
    hull.into_iter().map(|(i, _)| i).collect()
}

/// ln h of lines on the envelope, and where each gives way to the next.
fn sum(lines: &[usize], a: &[f64], b: &[f64]) -> (f64, Vec<f64>) {
    let breaks: Vec<f64> =
        lines.windows(2).map(|pair| (a[pair[0]] - a[pair[1]]) / (b[pair[1]] - b[pair[0]])).collect();
    let terms: Vec<f64> = lines
        .windows(2)
        .zip(&breaks)
        .map(|(pair, c)| (b[pair[1]] - b[pair[0]]).ln() + log_improvement(-c.abs()))
        .collect();
    (super::normal::log_sum(&terms), breaks)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E[max(a + bZ)] by the trapezoidal rule.
    fn integrated(a: &[f64], b: &[f64]) -> f64 {
        let step = 1e-3;
        let best = a.iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v));
        (-9000..=9000)
            .map(|k| {
                let z = f64::from(k) * step;
                let most = a.iter().zip(b).map(|(a, b)| a + b * z).fold(f64::NEG_INFINITY, f64::max);
                log_density(z).exp() * (most - best) * step
            })
            .sum()
    }

    #[test]
    fn equals_the_integral() {
        for (a, b) in [
            (vec![0.0, 0.5, -0.2, 0.3], vec![0.1, -0.4, 1.0, 0.1]),
            (vec![1.0, 1.0], vec![0.5, -0.5]),
            (vec![0.0, -3.0], vec![0.0, 1.0]),
            (vec![0.2, 0.1, 0.2, 0.7], vec![0.3, 0.3, 0.3, 0.3]),
        ] {
            let h = log_expected_maximum(&a, &b).exp();
            assert!((h - integrated(&a, &b)).abs() < 1e-6, "{a:?} {b:?}: {h}");
        }
    }

    #[test]
    fn its_derivatives_equal_finite_differences_deep_in_the_tail_too() {
        for shift in [0.0, 8.0, 25.0] {
            let (a, b) = ([0.3, 0.1 - shift, -0.4], [0.2, 0.9, -0.3]);
            let exact = expected_maximum(&a, &b);
            for i in 0..3 {
                for in_b in [false, true] {
                    let at = |move_by: f64| {
                        let (mut a, mut b) = (a, b);
                        if in_b {
                            b[i] += move_by
                        } else {
                            a[i] += move_by
                        }
                        log_expected_maximum(&a, &b)
                    };
                    let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
                    let given =
                        exact.slopes.iter().find(|s| s.0 == i).map_or(0.0, |s| if in_b { s.2 } else { s.1 });
                    assert!(
                        (slope - given).abs() < 1e-5 * (1.0 + slope.abs()),
                        "{shift} {i} {slope} {given}"
                    );
                }
            }
        }
    }

    #[test]
    fn lines_that_never_cross_are_worth_nothing() {
        assert_eq!(log_expected_maximum(&[1.0, 0.0], &[0.2, 0.2]), f64::NEG_INFINITY);
        assert_eq!(log_expected_maximum(&[], &[]), f64::NEG_INFINITY);
        // Nor are those that cross by what is hardly a number.
        assert_eq!(log_expected_maximum(&[0.0, 0.0, -1.0], &[0.0, 1e-315, 2e-315]), f64::NEG_INFINITY);
        let among_others = expected_maximum(&[0.1, 0.1, -1.0], &[0.0, 1e-315, 1.0]);
        assert!((among_others.log - log_expected_maximum(&[0.1, -1.0], &[0.0, 1.0])).abs() < 1e-12);
        assert!(among_others.slopes.iter().all(|(_, a, b)| a.is_finite() && b.is_finite()));
    }
}
