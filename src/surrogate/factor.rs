//! The Cholesky factor of a covariance matrix: made at once, or row by row.
//!
//! K = L Lᵀ. Making costs n³/3, a solve n², a further row n² (its solve; the factor itself has room to grow). Small
//! systems are solved by loops of our own, for the overhead of `faer`'s is larger than the work.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{
    LltParams, LltRegularization, cholesky_in_place, cholesky_in_place_scratch,
};
use faer::linalg::cholesky::llt::inverse::{inverse, inverse_scratch};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Auto, Mat, MatMut, MatRef, Par, Spec};
use pulp::{Simd, WithSimd};

use super::lanes::{add_scaled_in, dot_in};

/// L, column after column.
#[derive(Clone, Debug)]
pub struct Factor {
    columns: Vec<f64>,
    size: usize,
    /// Rows that a column has room for.
    stride: usize,
}

impl Factor {
    /// The factor of a matrix whose lower triangle is given; `None` where it is not positive definite.
    pub fn of(matrix: MatRef<'_, f64>) -> Option<Self> {
        let n = matrix.nrows();
        let mut columns = vec![0.0; n * n];
        let mut factor = MatMut::from_column_major_slice_mut(&mut columns, n, n);
        for j in 0..n {
            for i in j..n {
                factor[(i, j)] = matrix[(i, j)];
            }
        }
        let parameters: Spec<LltParams, f64> = <LltParams as Auto<f64>>::auto().into();
        let mut memory = MemBuffer::new(cholesky_in_place_scratch::<f64>(n, Par::Seq, parameters));
        let stack = MemStack::new(&mut memory);
        let regularization = LltRegularization::default();
        let done = cholesky_in_place(factor.as_mut(), regularization, Par::Seq, stack, parameters);
        let is_sound = done.is_ok() && (0..n).all(|i| factor[(i, i)].is_finite() && factor[(i, i)] > 0.0);
        is_sound.then_some(Self { columns, size: n, stride: n })
    }

    /// n.
    pub fn size(&self) -> usize {
        self.size
    }

    /// L; what is above the diagonal means nothing.
    pub fn lower(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice_with_stride(&self.columns, self.size, self.size, self.stride)
    }

    /// Solves L x = b in place. O(n²).
    pub fn solve_lower(&self, b: &mut [f64]) {
        pulp::Arch::new().dispatch(Forward { factor: self, b });
    }

    /// Solves Lᵀ x = b in place. O(n²).
    pub fn solve_upper(&self, b: &mut [f64]) {
        pulp::Arch::new().dispatch(Backward { factor: self, b });
    }

    /// Solves K x = b in place. O(n²).
    pub fn solve(&self, b: &mut [f64]) {
        self.solve_lower(b);
        self.solve_upper(b);
    }

    /// Solves L X = B in place. O(n² m).
    pub fn solve_lower_many(&self, b: MatMut<'_, f64>) {
        solve_lower_triangular_in_place(self.lower(), b, Par::Seq);
    }

    /// Solves Lᵀ X = B in place. O(n² m).
    pub fn solve_upper_many(&self, b: MatMut<'_, f64>) {
        solve_upper_triangular_in_place(self.lower().transpose(), b, Par::Seq);
    }

    /// Adds the row (`row`, `pivot`), that is (L⁻¹k)ᵀ and √(k₀ − ‖L⁻¹k‖²). O(n), from time to time O(n²).
    pub fn push(&mut self, row: &[f64], pivot: f64) {
        if self.size == self.stride {
            let stride = self.stride + self.stride / 4 + 8;
            let mut columns = vec![0.0; stride * stride];
            for j in 0..self.size {
                let old = j * self.stride;
                columns[j * stride..j * stride + self.size]
                    .copy_from_slice(&self.columns[old..old + self.size]);
            }
            self.columns = columns;
            self.stride = stride;
        }
        for (j, entry) in row.iter().enumerate() {
            self.columns[j * self.stride + self.size] = *entry;
        }
        self.columns[self.size * self.stride + self.size] = pivot;
        self.size += 1;
    }

    /// ln |K|.
    pub fn log_determinant(&self) -> f64 {
        (0..self.size).map(|i| 2.0 * libm::log(self.columns[i * self.stride + i])).sum()
    }

    /// K⁻¹, both triangles. O(n³).
    pub fn inverse(&self) -> Mat<f64> {
        let n = self.size;
        let mut whole = Mat::<f64>::zeros(n, n);
        let mut memory = MemBuffer::new(inverse_scratch::<f64>(n, Par::Seq));
        inverse(whole.as_mut(), self.lower(), Par::Seq, MemStack::new(&mut memory));
        for j in 0..n {
            for i in j + 1..n {
                whole[(j, i)] = whole[(i, j)];
            }
        }
        whole
    }

    /// Column `j` from the diagonal down.
    #[inline(always)]
    fn column(&self, j: usize) -> &[f64] {
        &self.columns[j * self.stride + j..j * self.stride + self.size]
    }
}

struct Forward<'a> {
    factor: &'a Factor,
    b: &'a mut [f64],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for j in 0..self.factor.size {
            let (pivot, below) = self.factor.column(j).split_at(1);
            let (done, rest) = self.b.split_at_mut(j + 1);
            let x = done[j] / pivot[0];
            done[j] = x;
            add_scaled_in::<S>(rest, -x, below);
        }
    }
}

struct Backward<'a> {
    factor: &'a Factor,
    b: &'a mut [f64],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for j in (0..self.factor.size).rev() {
            let (pivot, below) = self.factor.column(j).split_at(1);
            let sum = dot_in::<S>(below, &self.b[j + 1..]);
            self.b[j] = (self.b[j] - sum) / pivot[0];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(n: usize) -> Mat<f64> {
        #[allow(clippy::cast_precision_loss)]
        Mat::from_fn(n, n, |i, j| {
            let apart = i.abs_diff(j) as f64;
            (-0.3 * apart).exp() + if i == j { 0.2 } else { 0.0 }
        })
    }

    #[test]
    fn solves_and_inverts() {
        for n in [1, 2, 7, 8, 9, 33, 100] {
            let matrix = matrix(n);
            let factor = Factor::of(matrix.as_ref()).unwrap();
            #[allow(clippy::cast_precision_loss)]
            let x: Vec<f64> = (0..n).map(|i| (i as f64).sin()).collect();
            let mut b: Vec<f64> = (0..n).map(|i| (0..n).map(|j| matrix[(i, j)] * x[j]).sum()).collect();
            factor.solve(&mut b);
            assert!(b.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-12));
            let unit = factor.inverse() * &matrix;
            assert!((unit - Mat::<f64>::identity(n, n)).norm_max() < 1e-12);
        }
    }

    #[test]
    fn grows_row_by_row() {
        let (n, whole) = (40, matrix(40));
        let mut factor = Factor::of(whole.as_ref().submatrix(0, 0, 3, 3)).unwrap();
        for i in 3..n {
            let mut row: Vec<f64> = (0..i).map(|j| whole[(i, j)]).collect();
            factor.solve_lower(&mut row);
            let left = whole[(i, i)] - row.iter().map(|x| x * x).sum::<f64>();
            factor.push(&row, left.sqrt());
        }
        let at_once = Factor::of(whole.as_ref()).unwrap();
        for j in 0..n {
            for i in j..n {
                assert!((factor.lower()[(i, j)] - at_once.lower()[(i, j)]).abs() < 1e-13);
            }
        }
        assert!((factor.log_determinant() - at_once.log_determinant()).abs() < 1e-12);
    }

    #[test]
    fn refuses_what_is_not_positive_definite() {
        assert!(Factor::of(Mat::<f64>::from_fn(2, 2, |_, _| 1.0).as_ref()).is_none());
        assert!(Factor::of(Mat::<f64>::from_fn(2, 2, |_, _| f64::NAN).as_ref()).is_none());
    }
}
