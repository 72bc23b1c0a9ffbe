//! Reductions along one axis (others are moved together first), and what normalizes along it.

use super::{Backward, Kernel};

/// The lengths before, along and after the axis.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Axis {
    pub(in super::super) outer: usize,
    pub(in super::super) length: usize,
    pub(in super::super) inner: usize,
}

impl Axis {
    /// The index of each line's first element; its elements are `inner` apart.
    fn lines(self) -> impl Iterator<Item = usize> {
        (0..self.outer).flat_map(move |o| (0..self.inner).map(move |i| o * self.length * self.inner + i))
    }

    fn line(self, start: usize) -> impl Iterator<Item = usize> + Clone {
        (0..self.length).map(move |k| start + k * self.inner)
    }

    fn elements(self) -> u64 {
        (self.outer * self.length * self.inner) as u64
    }
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Reduction {
    /// Σ x.
    Sum,
    /// Π x.
    Product,
    /// The largest number; the first of equals takes the gradient.
    Max,
    /// The smallest.
    Min,
    /// ln Σ eˣ.
    LogSumExp,
    /// Where the largest number stands, the first of equals.
    ArgMax,
    /// Where the smallest stands.
    ArgMin,
}

/// One number for each line along the axis.
pub(in super::super) struct Reduce {
    pub(in super::super) axis: Axis,
    pub(in super::super) reduction: Reduction,
}

impl Reduce {
    /// The position of the extreme of a line.
    fn extreme(&self, x: &[f64], start: usize) -> Option<usize> {
        let sign = if matches!(self.reduction, Reduction::Min | Reduction::ArgMin) { -1.0 } else { 1.0 };
        let mut best: Option<(usize, f64)> = None;
        for (k, at) in self.axis.line(start).enumerate() {
            let value = sign * x[at];
            if best.is_none_or(|(_, most)| value > most || (value.is_nan() && !most.is_nan())) {
                best = Some((k, value));
            }
        }
        best.map(|(k, _)| k)
    }
}

impl Kernel for Reduce {
    #[allow(clippy::cast_precision_loss)]
    fn forward(&self, inputs: &[&[f64]], output: &mut [f64], _: &mut Vec<f64>) {
        let x = inputs[0];
        for (out, start) in output.iter_mut().zip(self.axis.lines()) {
            let line = self.axis.line(start).map(|at| x[at]);
            *out = match self.reduction {
                Reduction::Sum => line.sum(),
                Reduction::Product => line.product(),
                Reduction::Max | Reduction::Min => {
                    self.extreme(x, start).map_or(f64::NAN, |k| x[start + k * self.axis.inner])
                }
                Reduction::ArgMax | Reduction::ArgMin => self.extreme(x, start).unwrap_or(0) as f64,
                Reduction::LogSumExp => {
                    let most = line.clone().fold(f64::NEG_INFINITY, f64::max);
                    most + libm::log(line.map(|x| libm::exp(x - most)).sum())
                }
            };
        }
    }

    fn backward(&self, at: &Backward<'_>, _: usize, adjoint: &mut [f64], _: &mut Vec<f64>) {
        let x = at.inputs[0];
        for (out, start) in self.axis.lines().enumerate() {
            let g = at.adjoint[out];
            match self.reduction {
                Reduction::Sum => self.axis.line(start).for_each(|at| adjoint[at] += g),
                Reduction::Product => {
                    for here in self.axis.line(start) {
                        let others: f64 =
                            self.axis.line(start).filter(|&other| other != here).map(|at| x[at]).product();
                        adjoint[here] += g * others;
                    }
                }
                Reduction::Max | Reduction::Min => {
                    if let Some(k) = self.extreme(x, start) {
                        adjoint[start + k * self.axis.inner] += g;
                    }
                }
                Reduction::LogSumExp => {
                    for here in self.axis.line(start) {
                        adjoint[here] += g * libm::exp(x[here] - at.output[out]);
                    }
                }
                Reduction::ArgMax | Reduction::ArgMin => {}
            }
        }
    }

    fn work(&self) -> u64 {
        let each = match self.reduction {
            Reduction::Product => self.axis.length as u64,
            Reduction::LogSumExp => 20,
            _ => 1,
        };
        self.axis.elements().saturating_mul(each)
    }

    fn is_flat(&self) -> bool {
        matches!(self.reduction, Reduction::ArgMax | Reduction::ArgMin)
    }
}

/// What a line is normalized to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) enum Norm {
    /// eˣ / Σ eˣ.
    Softmax,
    /// Its logarithm.
    LogSoftmax,
    /// (x − mean) / √(variance + epsilon).
    Standard {
        /// What keeps the denominator away from zero.
        epsilon: f64,
    },
    /// x / √(mean of x² + epsilon).
    RootMeanSquare {
        /// What keeps the denominator away from zero.
        epsilon: f64,
    },
    /// Running sums.
    CumulativeSum,
}

/// A line for each line along the axis.
pub(in super::super) struct Normalize {
    pub(in super::super) axis: Axis,
    pub(in super::super) norm: Norm,
}

impl Normalize {
    /// Mean (0 where it is not taken off) and 1 / √(mean square around it + epsilon).
    #[allow(clippy::cast_precision_loss)]
    fn moments(&self, x: &[f64], start: usize, epsilon: f64) -> (f64, f64) {
        let n = self.axis.length as f64;
        let mean = if matches!(self.norm, Norm::Standard { .. }) {
            self.axis.line(start).map(|at| x[at]).sum::<f64>() / n
        } else {
            0.0
        };
        let square = self.axis.line(start).map(|at| (x[at] - mean).powi(2)).sum::<f64>() / n;
        (mean, 1.0 / (square + epsilon).sqrt())
    }
}

impl Kernel for Normalize {
    fn forward(&self, inputs: &[&[f64]], output: &mut [f64], _: &mut Vec<f64>) {
        let x = inputs[0];
        for start in self.axis.lines() {
            match self.norm {
                Norm::Softmax | Norm::LogSoftmax => {
                    let most = self.axis.line(start).map(|at| x[at]).fold(f64::NEG_INFINITY, f64::max);
                    let total: f64 = self.axis.line(start).map(|at| libm::exp(x[at] - most)).sum();
                    for at in self.axis.line(start) {
                        output[at] = if self.norm == Norm::Softmax {
                            libm::exp(x[at] - most) / total
                        } else {
                            x[at] - most - libm::log(total)
                        };
                    }
                }
                Norm::Standard { epsilon } | Norm::RootMeanSquare { epsilon } => {
                    let (mean, scale) = self.moments(x, start, epsilon);
                    self.axis.line(start).for_each(|at| output[at] = (x[at] - mean) * scale);
                }
                Norm::CumulativeSum => {
                    let mut sum = 0.0;
                    for at in self.axis.line(start) {
                        sum += x[at];
                        output[at] = sum;
                    }
                }
            }
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn backward(&self, at: &Backward<'_>, _: usize, adjoint: &mut [f64], _: &mut Vec<f64>) {
        let (x, y, g) = (at.inputs[0], at.output, at.adjoint);
        let n = self.axis.length as f64;
        for start in self.axis.lines() {
            let line = self.axis.line(start);
            match self.norm {
                Norm::Softmax => {
                    let pull: f64 = line.clone().map(|at| g[at] * y[at]).sum();
                    line.for_each(|at| adjoint[at] += y[at] * (g[at] - pull));
                }
                Norm::LogSoftmax => {
                    let total: f64 = line.clone().map(|at| g[at]).sum();
                    line.for_each(|at| adjoint[at] += g[at] - libm::exp(y[at]) * total);
                }
                Norm::Standard { epsilon } | Norm::RootMeanSquare { epsilon } => {
                    let (_, scale) = self.moments(x, start, epsilon);
                    let centre = if matches!(self.norm, Norm::Standard { .. }) {
                        line.clone().map(|at| g[at]).sum::<f64>() / n
                    } else {
                        0.0
                    };
                    let pull = line.clone().map(|at| g[at] * y[at]).sum::<f64>() / n;
                    line.for_each(|at| adjoint[at] += scale * (g[at] - centre - y[at] * pull));
                }
                Norm::CumulativeSum => {
                    let mut sum = 0.0;
                    for k in (0..self.axis.length).rev() {
                        sum += g[start + k * self.axis.inner];
                        adjoint[start + k * self.axis.inner] += sum;
                    }
                }
            }
        }
    }

    fn work(&self) -> u64 {
        20 * self.axis.elements()
    }
}
