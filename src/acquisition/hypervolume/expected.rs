//! Expected hypervolume improvement over the front of posterior means, in closed form.

use std::borrow::Cow;

use super::Cells;
use crate::acquisition::{Acquisition, Beliefs};
use crate::surrogate::GaussianProcess;

/// ln EHVI. O(m n² + boxes) a point for m objectives.
pub struct ExpectedHypervolumeImprovement<'a> {
    objectives: &'a [Cow<'a, GaussianProcess>],
    cells: Cells,
}

impl<'a> ExpectedHypervolumeImprovement<'a> {
    /// Over the front of the posterior means at the feasible and the awaited places.
    pub fn new(beliefs: &'a Beliefs<'_>) -> Self {
        let d = beliefs.dimension().max(1);
        let outcome = |x: &[f64]| beliefs.objectives.iter().map(|process| process.mean(x)).collect();
        let outcomes: Vec<Vec<f64>> =
            beliefs.feasible.chunks_exact(d).chain(beliefs.pending.chunks_exact(d)).map(outcome).collect();
        Self { objectives: &beliefs.objectives, cells: Cells::new(&outcomes, &beliefs.reference) }
    }
}

impl Acquisition for ExpectedHypervolumeImprovement<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        let (means, sds): (Vec<f64>, Vec<f64>) =
            self.objectives.iter().map(|process| process.predict(x)).map(|at| (at.mean, at.sd)).unzip();
        self.cells.expected(&means, &sds).log
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let d = x.len();
        let m = self.objectives.len();
        let (mut of_means, mut of_sds) = (vec![0.0; m * d], vec![0.0; m * d]);
        let (mut means, mut sds) = (Vec::with_capacity(m), Vec::with_capacity(m));
        for (k, process) in self.objectives.iter().enumerate() {
            let row = k * d..(k + 1) * d;
            let at = process.predict_with_gradient(x, &mut of_means[row.clone()], &mut of_sds[row]);
            means.push(at.mean);
            sds.push(at.sd);
        }
        let gain = self.cells.expected(&means, &sds);
        for k in 0..m {
            for i in 0..d {
                gradient[i] += gain.in_means[k] * of_means[k * d + i] + gain.in_sds[k] * of_sds[k * d + i];
            }
        }
        gain.log
    }
}
