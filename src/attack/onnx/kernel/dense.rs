//! Products of matrices: a fixed one (dense layers), or two computed ones (attention).
//!
//! With one row at a time the weights are read once and used once, so what counts is how many bytes they take: they
//! stay in single precision where that is exact, and are widened on the way. More rows go to faer's blocked product.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::{Backward, Kernel};

/// Y = X W + b with X (rows × inner), W (inner × outer) and b (outer), W and b fixed.
pub(in super::super) struct Dense {
    rows: usize,
    inner: usize,
    outer: usize,
    weights: Weights,
    bias: Option<Vec<f64>>,
}

/// W: its columns one after another in single or double precision, or row-major for the blocked product.
enum Weights {
    SingleColumns(Vec<f32>),
    DoubleColumns(Vec<f64>),
    Blocked(Vec<f64>),
}

/// From how many rows on the blocked product is used.
const BLOCKED_ROWS: usize = 3;

impl Dense {
    /// `weights` are row-major, inner × outer.
    #[allow(clippy::cast_possible_truncation, clippy::float_cmp)]
    pub(in super::super) fn new(rows: usize, inner: usize, weights: &[f64], bias: Option<Vec<f64>>) -> Self {
        let outer = weights.len().checked_div(inner).unwrap_or(0);
        let weights = if rows >= BLOCKED_ROWS {
            Weights::Blocked(weights.to_vec())
        } else {
            let mut columns = Vec::with_capacity(weights.len());
            for j in 0..outer {
                columns.extend((0..inner).map(|i| weights[i * outer + j]));
            }
            if columns.iter().all(|&w| f64::from(w as f32) == w) {
                Weights::SingleColumns(columns.iter().map(|&w| w as f32).collect())
            } else {
                Weights::DoubleColumns(columns)
            }
        };
        Self { rows, inner, outer, weights, bias }
    }
}

impl Kernel for Dense {
    fn forward(&self, inputs: &[&[f64]], output: &mut [f64], _: &mut Vec<f64>) {
        let x = inputs[0];
        if self.inner == 0 {
            output.fill(0.0);
        }
        match &self.weights {
            Weights::Blocked(weights) => product(
                Factor { data: x, rows: self.rows, columns: self.inner, is_transposed: false },
                Factor { data: weights, rows: self.inner, columns: self.outer, is_transposed: false },
                output,
                Accum::Replace,
            ),
            Weights::SingleColumns(columns) => {
                for row in 0..self.rows {
                    let x = &x[row * self.inner..][..self.inner];
                    dots(columns, x, &mut output[row * self.outer..][..self.outer]);
                }
            }
            Weights::DoubleColumns(columns) => {
                for row in 0..self.rows {
                    let x = &x[row * self.inner..][..self.inner];
                    dots(columns, x, &mut output[row * self.outer..][..self.outer]);
                }
            }
        }
        if let Some(bias) = &self.bias {
            for row in output.chunks_exact_mut(self.outer.max(1)) {
                row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            }
        }
    }

    fn backward(&self, at: &Backward<'_>, _: usize, adjoint: &mut [f64], _: &mut Vec<f64>) {
        match &self.weights {
            Weights::Blocked(weights) => product(
                Factor { data: at.adjoint, rows: self.rows, columns: self.outer, is_transposed: false },
                Factor { data: weights, rows: self.outer, columns: self.inner, is_transposed: true },
                adjoint,
                Accum::Add,
            ),
            Weights::SingleColumns(columns) => {
                for row in 0..self.rows {
                    let of_row = &mut adjoint[row * self.inner..][..self.inner];
                    combine(columns, &at.adjoint[row * self.outer..][..self.outer], of_row);
                }
            }
            Weights::DoubleColumns(columns) => {
                for row in 0..self.rows {
                    let of_row = &mut adjoint[row * self.inner..][..self.inner];
                    combine(columns, &at.adjoint[row * self.outer..][..self.outer], of_row);
                }
            }
        }
    }

    fn work(&self) -> u64 {
        2 * (self.rows * self.inner * self.outer) as u64
    }
}

/// y_j = column_j · x.
fn dots<T: Copy + Into<f64>>(columns: &[T], x: &[f64], y: &mut [f64]) {
    pulp::Arch::new().dispatch(Dots { columns, x, y });
}

/// out += Σ_j y_j column_j.
fn combine<T: Copy + Into<f64>>(columns: &[T], y: &[f64], out: &mut [f64]) {
    pulp::Arch::new().dispatch(Combine { columns, y, out });
}

struct Dots<'a, T> {
    columns: &'a [T],
    x: &'a [f64],
    y: &'a mut [f64],
}

/// Independent partial sums, enough to fill the vector units.
const LANES: usize = 16;

impl<T: Copy + Into<f64>> pulp::WithSimd for Dots<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let n = self.x.len();
        if n == 0 {
            return;
        }
        let (x, x_rest) = self.x.as_chunks::<LANES>();
        for (y, column) in self.y.iter_mut().zip(self.columns.chunks_exact(n)) {
            let (blocks, rest) = column.as_chunks::<LANES>();
            let mut sums = [0.0; LANES];
            for (w, x) in blocks.iter().zip(x) {
                for lane in 0..LANES {
                    sums[lane] += w[lane].into() * x[lane];
                }
            }
            let tail: f64 = rest.iter().zip(x_rest).map(|(&w, &x)| w.into() * x).sum();
            *y = sums.iter().sum::<f64>() + tail;
        }
    }
}

struct Combine<'a, T> {
    columns: &'a [T],
    y: &'a [f64],
    out: &'a mut [f64],
}

impl<T: Copy + Into<f64>> pulp::WithSimd for Combine<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let n = self.out.len();
        if n == 0 {
            return;
        }
        let (quads, rest) = self.y.as_chunks::<4>();
        for (y, columns) in quads.iter().zip(self.columns.chunks_exact(4 * n)) {
            if *y == [0.0; 4] {
                continue;
            }
            let (a, others) = columns.split_at(n);
            let (b, others) = others.split_at(n);
            let (c, d) = others.split_at(n);
            for ((((out, &a), &b), &c), &d) in self.out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *out += (a.into() * y[0] + b.into() * y[1]) + (c.into() * y[2] + d.into() * y[3]);
            }
        }
        let columns = &self.columns[quads.len() * 4 * n..];
        for (&y, column) in rest.iter().zip(columns.chunks_exact(n)) {
            self.out.iter_mut().zip(column).for_each(|(out, &w)| *out += w.into() * y);
        }
    }
}

/// A row-major matrix, or one that is read as its transpose: rows and columns are those after transposing.
#[derive(Clone, Copy)]
pub(super) struct Factor<'a> {
    pub(super) data: &'a [f64],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) is_transposed: bool,
}

impl<'a> Factor<'a> {
    fn view(self) -> MatRef<'a, f64> {
        if self.is_transposed {
            MatRef::from_row_major_slice(self.data, self.columns, self.rows).transpose()
        } else {
            MatRef::from_row_major_slice(self.data, self.rows, self.columns)
        }
    }
}

/// The product of two matrices, row-major, on this thread.
pub(super) fn product(a: Factor<'_>, b: Factor<'_>, into: &mut [f64], accum: Accum) {
    let into = MatMut::from_row_major_slice_mut(into, a.rows, b.columns);
    matmul(into, accum, a.view(), b.view(), 1.0, Par::Seq);
}

/// Products of computed matrices, one for each pair in `batches`: A (rows × inner) B (inner × columns).
pub(in super::super) struct MatMul {
    pub(in super::super) rows: usize,
    pub(in super::super) inner: usize,
    pub(in super::super) columns: usize,
    /// Which A meets which B, in the order of the results.
    pub(in super::super) batches: Vec<(u32, u32)>,
}

impl MatMul {
    fn sizes(&self) -> (usize, usize, usize) {
        (self.rows * self.inner, self.inner * self.columns, self.rows * self.columns)
    }
}

impl Kernel for MatMul {
    fn forward(&self, inputs: &[&[f64]], output: &mut [f64], _: &mut Vec<f64>) {
        let (of_a, of_b, of_c) = self.sizes();
        for (k, &(i, j)) in self.batches.iter().enumerate() {
            let a = &inputs[0][i as usize * of_a..][..of_a];
            let b = &inputs[1][j as usize * of_b..][..of_b];
            product(
                Factor { data: a, rows: self.rows, columns: self.inner, is_transposed: false },
                Factor { data: b, rows: self.inner, columns: self.columns, is_transposed: false },
                &mut output[k * of_c..][..of_c],
                Accum::Replace,
            );
        }
    }

    fn backward(&self, at: &Backward<'_>, which: usize, adjoint: &mut [f64], _: &mut Vec<f64>) {
        let (of_a, of_b, of_c) = self.sizes();
        for (k, &(i, j)) in self.batches.iter().enumerate() {
            let (i, j) = (i as usize, j as usize);
            let c = &at.adjoint[k * of_c..][..of_c];
            let (rows, inner, columns) = (self.rows, self.inner, self.columns);
            if which == 0 {
                let b = &at.inputs[1][j * of_b..][..of_b];
                product(
                    Factor { data: c, rows, columns, is_transposed: false },
                    Factor { data: b, rows: columns, columns: inner, is_transposed: true },
                    &mut adjoint[i * of_a..][..of_a],
                    Accum::Add,
                );
            } else {
                let a = &at.inputs[0][i * of_a..][..of_a];
                product(
                    Factor { data: a, rows: inner, columns: rows, is_transposed: true },
                    Factor { data: c, rows, columns, is_transposed: false },
                    &mut adjoint[j * of_b..][..of_b],
                    Accum::Add,
                );
            }
        }
    }

    fn work(&self) -> u64 {
        2 * (self.rows * self.inner * self.columns * self.batches.len()) as u64
    }
}
