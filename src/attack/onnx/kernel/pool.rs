//! Windows over a grid of any dimension, and pools over them.

use super::super::fault::Refusal;
use super::super::quota::{self, Quota};
use super::select::FILLED;
use super::{Backward, Kernel};

/// How windows lie over the spatial axes of a tensor.
#[derive(Clone, Debug)]
pub(in super::super) struct Windows {
    /// Lengths of the grid that the windows read.
    pub(in super::super) grid: Vec<usize>,
    /// Lengths of a window.
    pub(in super::super) kernel: Vec<usize>,
    /// Distances between windows.
    pub(in super::super) strides: Vec<usize>,
    /// Distances inside a window.
    pub(in super::super) dilations: Vec<usize>,
    /// Padding before each axis.
    pub(in super::super) before: Vec<usize>,
    /// How many windows there are along each axis.
    pub(in super::super) counts: Vec<usize>,
}

impl Windows {
    /// The cell that each place of each window reads, windows one after another; [`FILLED`] outside the grid.
    #[allow(clippy::cast_possible_truncation)]
    pub(in super::super) fn table(&self, quota: &Quota) -> Result<Vec<u32>, Refusal> {
        let mut shape = self.counts.clone();
        shape.extend(&self.kernel);
        let total = quota::elements(&shape, "that holds the windows of a convolution or pool", quota)?;
        let rank = self.grid.len();
        let mut place = vec![0_usize; 2 * rank];
        let mut table = Vec::with_capacity(total);
        for _ in 0..total {
            let mut cell = Some(0_usize);
            for axis in 0..rank {
                let at = (place[axis] * self.strides[axis] + place[rank + axis] * self.dilations[axis])
                    .checked_sub(self.before[axis])
                    .filter(|&at| at < self.grid[axis]);
                cell = cell.zip(at).map(|(cell, at)| cell * self.grid[axis] + at);
            }
            table.push(cell.map_or(FILLED, |cell| cell as u32));
            for axis in (0..2 * rank).rev() {
                place[axis] += 1;
                if place[axis] < shape[axis] {
                    break;
                }
                place[axis] = 0;
            }
        }
        Ok(table)
    }

    pub(in super::super) fn window(&self) -> usize {
        self.kernel.iter().product()
    }

    pub(in super::super) fn windows(&self) -> usize {
        self.counts.iter().product()
    }

    pub(in super::super) fn cells(&self) -> usize {
        self.grid.iter().product()
    }
}

/// What becomes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Pooling {
    /// Its largest number; the first of equals takes the gradient.
    Max,
    /// The mean over its cells inside the grid.
    Mean,
}

/// A pool over each of some planes. `divisors` count the cells of each window that the mean is over.
pub(in super::super) struct Pool {
    pub(in super::super) pooling: Pooling,
    pub(in super::super) cells: usize,
    pub(in super::super) window: usize,
    pub(in super::super) table: Vec<u32>,
    pub(in super::super) divisors: Vec<f64>,
    pub(in super::super) planes: usize,
}

impl Pool {
    fn each(&self) -> impl Iterator<Item = (usize, usize, &[u32])> {
        let windows = self.divisors.len();
        (0..self.planes).flat_map(move |plane| {
            self.table
                .chunks_exact(self.window)
                .enumerate()
                .map(move |(k, window)| (plane * self.cells, plane * windows + k, window))
        })
    }

    /// The cell with the largest number; a number that is none wins.
    fn largest(plane: &[f64], window: &[u32]) -> Option<(usize, f64)> {
        let mut best: Option<(usize, f64)> = None;
        for &cell in window {
            if let Some(&value) = plane.get(cell as usize)
                && best.is_none_or(|(_, most)| value > most || (value.is_nan() && !most.is_nan()))
            {
                best = Some((cell as usize, value));
            }
        }
        best
    }
}

impl Kernel for Pool {
    fn forward(&self, inputs: &[&[f64]], output: &mut [f64], _: &mut Vec<f64>) {
        for (start, out, window) in self.each() {
            let plane = &inputs[0][start..][..self.cells];
            output[out] = match self.pooling {
                Pooling::Max => Self::largest(plane, window).map_or(f64::NEG_INFINITY, |(_, value)| value),
                Pooling::Mean => {
                    let sum: f64 = window.iter().filter_map(|&cell| plane.get(cell as usize)).sum();
                    sum / self.divisors[out % self.divisors.len()]
                }
            };
        }
    }

    fn backward(&self, at: &Backward<'_>, _: usize, adjoint: &mut [f64], _: &mut Vec<f64>) {
        for (start, out, window) in self.each() {
            let into = &mut adjoint[start..][..self.cells];
            match self.pooling {
                Pooling::Max => {
                    if let Some((cell, _)) = Self::largest(&at.inputs[0][start..][..self.cells], window) {
                        into[cell] += at.adjoint[out];
                    }
                }
                Pooling::Mean => {
                    let share = at.adjoint[out] / self.divisors[out % self.divisors.len()];
                    for &cell in window {
                        if let Some(into) = into.get_mut(cell as usize) {
                            *into += share;
                        }
                    }
                }
            }
        }
    }

    fn work(&self) -> u64 {
        (self.planes * self.table.len()) as u64
    }
}
