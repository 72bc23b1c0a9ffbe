//! The probability that a point is feasible, in log space: the weight that turns any acquisition into a constrained
//! one (Gardner et al., *Bayesian Optimization with Inequality Constraints*, ICML 2014).

use super::log_cdf;
use super::marginal::{Marginal, Slopes};
use super::normal::{hazard, log_density};
use crate::surrogate::{GaussianProcess, Prediction};

/// ln P(lower ≤ c(x) ≤ upper) of a modelled constraint metric.
pub struct Bounded<'a> {
    /// The metric.
    pub metric: &'a GaussianProcess,
    /// Least feasible value in the model's units; −∞ where open.
    pub lower: f64,
    /// Greatest feasible value; +∞ where open.
    pub upper: f64,
}

impl Marginal for Bounded<'_> {
    fn process(&self) -> &GaussianProcess {
        self.metric
    }

    fn of(&self, prediction: &Prediction) -> Slopes {
        let Prediction { mean, sd } = *prediction;
        let (a, b) = ((self.lower - mean) / sd, (self.upper - mean) / sd);
        if is_narrow(a, b) {
            let middle = 0.5 * (a + b);
            let in_sd = (middle * middle - 1.0) / sd;
            let value = log_density(middle) + ((self.upper - self.lower) / sd).max(LEAST_WIDTH).ln();
            return Slopes { value, in_mean: middle / sd, in_sd };
        }
        let log_probability = log_between(a, b);
        let density = |z: f64| {
            if z.is_infinite() { 0.0 } else { (log_density(z) - log_probability).exp() }
        };
        let (at_a, at_b) = (density(a), density(b));
        let moment = |z: f64, density: f64| if z.is_infinite() { 0.0 } else { z * density };
        Slopes {
            value: log_probability,
            in_mean: (at_a - at_b) / sd,
            in_sd: (moment(a, at_a) - moment(b, at_b)) / sd,
        }
    }
}

/// Whether φ hardly changes between a and b.
fn is_narrow(a: f64, b: f64) -> bool {
    (b - a) * (1.0 + a.abs().max(b.abs())) < 1e-5
}

/// Least width: bounds that are equal are met with a probability of 0, and yet nearly so rather here than there.
const LEAST_WIDTH: f64 = 1e-12;

/// ln(Φ(b) − Φ(a)) for a ≤ b, taken on the side of the lower tail so that nothing cancels.
pub(super) fn log_between(a: f64, b: f64) -> f64 {
    if is_narrow(a, b) {
        return log_density(0.5 * (a + b)) + (b - a).max(LEAST_WIDTH).ln();
    }
    let (a, b) = if a > 0.0 { (-b, -a) } else { (a, b) };
    let upper = log_cdf(b);
    if a == f64::NEG_INFINITY {
        return upper;
    }
    upper + (-(log_cdf(a) - upper).exp()).ln_1p()
}

/// ln P(the evaluation at x succeeds), from a process over +1 (succeeded) and −1 (failed): a probit link on its
/// posterior, Φ(μ/√(1 + σ²)) (Rasmussen & Williams, *Gaussian Processes for Machine Learning*, eq. 3.82).
pub struct Success<'a> {
    /// The process over the labels, scaled so that ±1 are well apart from 0.
    pub labels: &'a GaussianProcess,
}

/// How much a label of ±1 counts on the probit scale: Φ(−4) is 3·10⁻⁵, where the model is sure of a failure.
const LABEL_SCALE: f64 = 4.0;

impl Marginal for Success<'_> {
    fn process(&self) -> &GaussianProcess {
        self.labels
    }

    fn of(&self, prediction: &Prediction) -> Slopes {
        let spread = 1.0 + LABEL_SCALE * LABEL_SCALE * prediction.sd * prediction.sd;
        let z = LABEL_SCALE * prediction.mean / spread.sqrt();
        let value = log_cdf(z);
        let slope = hazard(z);
        Slopes {
            value,
            in_mean: slope * LABEL_SCALE / spread.sqrt(),
            in_sd: -slope * z * LABEL_SCALE * LABEL_SCALE * prediction.sd / spread,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acquisition::{Acquisition, LogExpectedImprovement};
    use crate::surrogate::{Distance, Matern52};

    fn process() -> GaussianProcess {
        let kernel = Matern52::new(&[Distance::Numeric; 2], &[0.4, 0.7], 1.2);
        let inputs = [0.1, 0.2, 0.8, 0.3, 0.5, 0.9, 0.3, 0.6];
        GaussianProcess::new(kernel, 0.1, &inputs, &[0.5, -1.0, 0.3, 1.1], &[1e-3; 4]).unwrap()
    }

    fn agrees_with_finite_differences(acquisition: &dyn Acquisition) {
        for x in [[0.2, 0.4], [0.9, 0.95], [0.55, 0.1]] {
            let mut gradient = [0.0; 2];
            let value = acquisition.value_with_gradient(&x, &mut gradient);
            assert!((value - acquisition.value(&x)).abs() < 1e-10);
            for i in 0..2 {
                let (mut above, mut below) = (x, x);
                above[i] += 1e-6;
                below[i] -= 1e-6;
                let slope = (acquisition.value(&above) - acquisition.value(&below)) / 2e-6;
                assert!((slope - gradient[i]).abs() < 1e-5 * (1.0 + slope.abs()), "{slope} {gradient:?}");
            }
        }
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let process = process();
        agrees_with_finite_differences(&Bounded { metric: &process, lower: -0.5, upper: 0.4 });
        agrees_with_finite_differences(&Bounded { metric: &process, lower: 2.0, upper: f64::INFINITY });
        agrees_with_finite_differences(&Bounded { metric: &process, lower: f64::NEG_INFINITY, upper: 0.0 });
        agrees_with_finite_differences(&Bounded { metric: &process, lower: 0.3, upper: 0.3 + 1e-7 });
        agrees_with_finite_differences(&Success { labels: &process });
        for incumbent in [0.0, 1.1, 30.0] {
            agrees_with_finite_differences(&LogExpectedImprovement { objective: &process, incumbent });
        }
    }

    #[test]
    fn probabilities_of_both_sides_add_up() {
        let (below, above) = (log_between(f64::NEG_INFINITY, 0.3), log_between(0.3, f64::INFINITY));
        assert!((below.exp() + above.exp() - 1.0).abs() < 1e-14);
    }
}
