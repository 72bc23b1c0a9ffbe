//! Convolutions of any dimension, and their transposes, as one matrix product a group over gathered windows (im2col).

use faer::Accum;

use super::dense::{Factor, product};
use super::{Backward, Kernel};

/// A convolution, or a transposed one, with fixed weights.
///
/// The *fine* side is the grid that windows read, the *coarse* side has one cell a window. A convolution maps fine to
/// coarse by the weights (coarse channels × fine channels · window) of each group; a transposed convolution maps coarse
/// to fine by their transpose, adding up where windows overlap.
pub(in super::super) struct Convolution {
    pub(in super::super) is_transposed: bool,
    pub(in super::super) batch: usize,
    pub(in super::super) groups: usize,
    /// Channels of a group on the fine side.
    pub(in super::super) fine: usize,
    /// Channels of a group on the coarse side.
    pub(in super::super) coarse: usize,
    /// Cells of the fine grid.
    pub(in super::super) cells: usize,
    /// Places of a window.
    pub(in super::super) window: usize,
    /// The cell of each place of each window.
    pub(in super::super) table: Vec<u32>,
    pub(in super::super) weights: Vec<f64>,
    /// One number for each channel of the output.
    pub(in super::super) bias: Option<Vec<f64>>,
}

impl Convolution {
    fn windows(&self) -> usize {
        self.table.len() / self.window
    }

    fn of_weights(&self) -> usize {
        self.coarse * self.fine * self.window
    }

    fn of_fine(&self) -> usize {
        self.fine * self.cells
    }

    fn of_coarse(&self) -> usize {
        self.coarse * self.windows()
    }

    /// The windows of one group's channels: (channel, place) × window.
    fn gather(&self, fine: &[f64], columns: &mut Vec<f64>) {
        columns.clear();
        let windows = self.windows();
        columns.resize(self.fine * self.window * windows, 0.0);
        for channel in 0..self.fine {
            let plane = &fine[channel * self.cells..][..self.cells];
            for (k, window) in self.table.chunks_exact(self.window).enumerate() {
                for (place, &cell) in window.iter().enumerate() {
                    if let Some(&value) = plane.get(cell as usize) {
                        columns[(channel * self.window + place) * windows + k] = value;
                    }
                }
            }
        }
    }

    fn scatter(&self, columns: &[f64], fine: &mut [f64]) {
        let windows = self.windows();
        for channel in 0..self.fine {
            let plane = &mut fine[channel * self.cells..][..self.cells];
            for (k, window) in self.table.chunks_exact(self.window).enumerate() {
                for (place, &cell) in window.iter().enumerate() {
                    if let Some(into) = plane.get_mut(cell as usize) {
                        *into += columns[(channel * self.window + place) * windows + k];
                    }
                }
            }
        }
    }

    /// coarse = or += W · windows(fine).
    fn to_coarse(&self, fine: &[f64], coarse: &mut [f64], accum: Accum, scratch: &mut Vec<f64>) {
        for part in 0..self.batch * self.groups {
            self.gather(&fine[part * self.of_fine()..][..self.of_fine()], scratch);
            let weights = &self.weights[part % self.groups * self.of_weights()..][..self.of_weights()];
            let (rows, inner) = (self.coarse, self.fine * self.window);
            product(
                Factor { data: weights, rows, columns: inner, is_transposed: false },
                Factor { data: scratch, rows: inner, columns: self.windows(), is_transposed: false },
                &mut coarse[part * self.of_coarse()..][..self.of_coarse()],
                accum,
            );
        }
    }

    /// fine += windowsᵀ(Wᵀ · coarse).
    fn to_fine(&self, coarse: &[f64], fine: &mut [f64], scratch: &mut Vec<f64>) {
        for part in 0..self.batch * self.groups {
            let weights = &self.weights[part % self.groups * self.of_weights()..][..self.of_weights()];
            let (rows, inner) = (self.fine * self.window, self.coarse);
            scratch.clear();
            scratch.resize(rows * self.windows(), 0.0);
            product(
                Factor { data: weights, rows, columns: inner, is_transposed: true },
                Factor {
                    data: &coarse[part * self.of_coarse()..][..self.of_coarse()],
                    rows: inner,
                    columns: self.windows(),
                    is_transposed: false,
                },
                scratch,
                Accum::Replace,
            );
            self.scatter(scratch, &mut fine[part * self.of_fine()..][..self.of_fine()]);
        }
    }
}

impl Kernel for Convolution {
    fn forward(&self, inputs: &[&[f64]], output: &mut [f64], scratch: &mut Vec<f64>) {
        if self.is_transposed {
            output.fill(0.0);
            self.to_fine(inputs[0], output, scratch);
        } else {
            self.to_coarse(inputs[0], output, Accum::Replace, scratch);
        }
        if let Some(bias) = &self.bias {
            let plane = if self.is_transposed { self.cells } else { self.windows() };
            for (channel, plane) in output.chunks_exact_mut(plane.max(1)).enumerate() {
                let bias = bias[channel % bias.len()];
                plane.iter_mut().for_each(|y| *y += bias);
            }
        }
    }

    fn backward(&self, at: &Backward<'_>, _: usize, adjoint: &mut [f64], scratch: &mut Vec<f64>) {
        if self.is_transposed {
            self.to_coarse(at.adjoint, adjoint, Accum::Add, scratch);
        } else {
            self.to_fine(at.adjoint, adjoint, scratch);
        }
    }

    fn work(&self) -> u64 {
        let products = 2 * self.batch * self.groups * self.of_weights() * self.windows();
        (products + self.batch * self.groups * self.fine * self.table.len()) as u64
    }
}
