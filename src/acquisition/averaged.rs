//! Acquisitions averaged over several models of the same thing: samples of a model's hyperparameters.
//!
//! The expectation of α over the hyperparameters is the mean of α under each of S samples (Snoek, Larochelle & Adams,
//! arXiv 1206.2944, §3.2). Acquisitions here are logarithms, hence ln ᾱ = ln (1/S) Σₛ e^(ln αₛ), with the gradient
//! Σₛ (αₛ / Σαₛ) ∇ ln αₛ. Cost: that of the S acquisitions.

use super::Acquisition;
use super::normal::log_sum;

/// ln of the mean of what some acquisitions are the logarithms of.
pub struct LogMean<A>(pub Vec<A>);

/// The mean of some acquisitions.
pub struct Mean<A>(pub Vec<A>);

#[allow(clippy::cast_precision_loss)]
impl<A: Acquisition> Acquisition for LogMean<A> {
    fn value(&self, x: &[f64]) -> f64 {
        let logs: Vec<f64> = self.0.iter().map(|term| term.value(x)).collect();
        log_sum(&logs) - (logs.len() as f64).ln()
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let d = x.len();
        let mut gradients = vec![0.0; self.0.len() * d];
        let rows = gradients.chunks_exact_mut(d.max(1));
        let logs: Vec<f64> =
            self.0.iter().zip(rows).map(|(term, row)| term.value_with_gradient(x, row)).collect();
        let total = log_sum(&logs);
        if total.is_finite() {
            for (row, log) in gradients.chunks_exact(d.max(1)).zip(&logs) {
                let share = (log - total).exp();
                gradient.iter_mut().zip(row).filter(|_| share > 0.0).for_each(|(sum, g)| *sum += share * g);
            }
        }
        total - (logs.len() as f64).ln()
    }

    fn rate(&self, points: &[f64], values: &mut [f64]) {
        let rated = rate_all(&self.0, points, values.len());
        let mut logs = vec![0.0; rated.len()];
        for (i, value) in values.iter_mut().enumerate() {
            logs.iter_mut().zip(&rated).for_each(|(log, of_term)| *log = of_term[i]);
            *value = log_sum(&logs) - (logs.len() as f64).ln();
        }
    }
}

#[allow(clippy::cast_precision_loss)]
impl<A: Acquisition> Acquisition for Mean<A> {
    fn value(&self, x: &[f64]) -> f64 {
        self.0.iter().map(|term| term.value(x)).sum::<f64>() / self.0.len() as f64
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let mut of_all = vec![0.0; x.len()];
        let sum: f64 = self.0.iter().map(|term| term.value_with_gradient(x, &mut of_all)).sum();
        let share = 1.0 / self.0.len() as f64;
        gradient.iter_mut().zip(&of_all).for_each(|(sum, g)| *sum += share * g);
        share * sum
    }
}

/// The values of each acquisition at `count` places.
fn rate_all<A: Acquisition>(terms: &[A], points: &[f64], count: usize) -> Vec<Vec<f64>> {
    let rate = |term: &A| {
        let mut values = vec![0.0; count];
        term.rate(points, &mut values);
        values
    };
    terms.iter().map(rate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acquisition::{LogExpectedImprovement, PosteriorMean};
    use crate::surrogate::{Distance, GaussianProcess, Matern52};

    fn models() -> Vec<GaussianProcess> {
        let inputs: Vec<f64> = (0..16).map(|i| f64::from(i * 5 % 16) / 15.0).collect();
        let outputs: Vec<f64> = inputs.chunks(2).map(|x| (4.0 * x[0]).sin() - x[1]).collect();
        let model = |lengthscale: f64| {
            let kernel = Matern52::new(&[Distance::Numeric; 2], &[lengthscale, 0.7], 1.3);
            GaussianProcess::new(kernel, 0.1, &inputs, &outputs, &[1e-4; 8]).unwrap()
        };
        [0.2, 0.5, 1.5].map(model).to_vec()
    }

    fn assert_gradient(acquisition: &dyn Acquisition) {
        let x = [0.37, 0.61];
        let mut gradient = [0.0; 2];
        let value = acquisition.value_with_gradient(&x, &mut gradient);
        assert!((value - acquisition.value(&x)).abs() < 1e-12);
        for i in 0..2 {
            let moved = |by: f64| {
                let mut to = x;
                to[i] += by;
                acquisition.value(&to)
            };
            let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((difference - gradient[i]).abs() < 1e-5 * (1.0 + difference.abs()), "{difference}");
        }
    }

    #[test]
    fn improvements_are_averaged_themselves_and_not_their_logarithms() {
        let models = models();
        let improvement = |objective| LogExpectedImprovement { objective, incumbent: 0.6 };
        let averaged = LogMean(models.iter().map(improvement).collect());
        let x = [0.37, 0.61];
        let plain: f64 = models.iter().map(|model| improvement(model).value(&x).exp()).sum::<f64>() / 3.0;
        assert!((averaged.value(&x).exp() - plain).abs() < 1e-14);
        assert_gradient(&averaged);
        let mut rated = [0.0; 2];
        averaged.rate(&[0.37, 0.61, 0.9, 0.1], &mut rated);
        assert!((rated[0] - averaged.value(&x)).abs() < 1e-12);
        assert!((rated[1] - averaged.value(&[0.9, 0.1])).abs() < 1e-12);
    }

    #[test]
    fn far_below_every_incumbent_the_logarithm_still_leads_up() {
        let models = models();
        let improvement = |objective| LogExpectedImprovement { objective, incumbent: 30.0 };
        assert_gradient(&LogMean(models.iter().map(improvement).collect()));
    }

    #[test]
    fn means_are_averaged() {
        let models = models();
        let averaged = Mean(models.iter().map(PosteriorMean).collect());
        let x = [0.37, 0.61];
        let plain: f64 = models.iter().map(|model| model.mean(&x)).sum::<f64>() / 3.0;
        assert!((averaged.value(&x) - plain).abs() < 1e-14);
        assert_gradient(&averaged);
    }
}
