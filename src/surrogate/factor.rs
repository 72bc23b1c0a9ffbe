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
use faer::{Auto, MatMut, MatRef, Par, Spec};
use pulp::{Simd, WithSimd};

use super::lanes::{Block, LANES, fused, total};
use super::square::Square;

/// L.
#[derive(Clone, Debug)]
pub struct Factor {
    /// L, with 0 above the diagonal as far as its block reaches.
    lower: Square,
    /// 1 / Lᵢᵢ: a product is faster than a quotient.
    reciprocals: Vec<f64>,
}

/// Rows from which on `faer` is faster than loops of our own.
const LARGE: usize = 128;

impl Factor {
    /// The factor of a matrix whose lower triangle is given; `None` where it is not positive definite.
    pub fn of(mut matrix: Square) -> Option<Self> {
        let n = matrix.size();
        if n < LARGE {
            return matrix.factorize().then(|| Self::from_lower(matrix));
        }
        let parameters: Spec<LltParams, f64> = <LltParams as Auto<f64>>::auto().into();
        let mut memory = MemBuffer::new(cholesky_in_place_scratch::<f64>(n, Par::Seq, parameters));
        let stack = MemStack::new(&mut memory);
        let regularization = LltRegularization::default();
        let done = cholesky_in_place(matrix.matrix_mut(), regularization, Par::Seq, stack, parameters);
        let is_sound = |i| matrix.at(i, i).is_finite() && matrix.at(i, i) > 0.0;
        let is_sound = done.is_ok() && (0..n).all(is_sound);
        is_sound.then(|| Self::from_lower(matrix))
    }

    fn from_lower(mut lower: Square) -> Self {
        for j in 0..lower.size() {
            lower.column_mut(j)[j / LANES * LANES..j].fill(0.0);
        }
        let reciprocals = (0..lower.size()).map(|i| 1.0 / lower.at(i, i)).collect();
        Self { lower, reciprocals }
    }

    /// n.
    pub fn size(&self) -> usize {
        self.lower.size()
    }

    /// L; what is above the diagonal means nothing.
    pub fn lower(&self) -> MatRef<'_, f64> {
        self.lower.matrix()
    }

    /// Solves L x = b in place. O(n²).
    pub fn solve_lower(&self, b: &mut [f64]) {
        self.padded(b, |b| pulp::Arch::new().dispatch(Forward { factor: self, b }));
    }

    /// Solves Lᵀ x = b in place. O(n²).
    pub fn solve_upper(&self, b: &mut [f64]) {
        self.padded(b, |b| pulp::Arch::new().dispatch(Backward { factor: self, b }));
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
        let n = self.size();
        self.lower.grow();
        for (j, entry) in row.iter().enumerate() {
            self.lower.set(n, j, *entry);
        }
        self.lower.set(n, n, pivot);
        self.reciprocals.push(1.0 / pivot);
    }

    /// ln |K|.
    pub fn log_determinant(&self) -> f64 {
        (0..self.size()).map(|i| 2.0 * libm::log(self.lower.at(i, i))).sum()
    }

    /// K⁻¹, both triangles. O(n³).
    pub fn inverse(&self) -> Square {
        let mut whole = self.inverse_above();
        whole.mirror_upper();
        whole
    }

    /// The upper triangle of K⁻¹. O(n³).
    pub(super) fn inverse_above(&self) -> Square {
        let n = self.size();
        if n < LARGE {
            return self.lower.inverse_of_factor();
        }
        let mut whole = Square::zeros(n);
        let mut memory = MemBuffer::new(inverse_scratch::<f64>(n, Par::Seq));
        let above = whole.matrix_mut().transpose_mut();
        inverse(above, self.lower(), Par::Seq, MemStack::new(&mut memory));
        whole
    }

    /// Solves in place on a copy that is padded to whole blocks.
    fn padded(&self, b: &mut [f64], solve: impl FnOnce(&mut [f64])) {
        let mut whole = vec![0.0; self.lower.stride()];
        whole[..b.len()].copy_from_slice(b);
        solve(&mut whole);
        b.copy_from_slice(&whole[..b.len()]);
    }

    /// Column `j` from the block of its diagonal on, with its padding.
    #[inline(always)]
    fn column(&self, j: usize) -> &[Block] {
        self.lower.padded_column(j)[j / LANES * LANES..].as_chunks().0
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
        let (blocks, _) = self.b.as_chunks_mut::<LANES>();
        for (j, reciprocal) in self.factor.reciprocals.iter().enumerate() {
            let (block, lane) = (j / LANES, j % LANES);
            let x = blocks[block][lane] * reciprocal;
            for (b, column) in blocks[block..].iter_mut().zip(self.factor.column(j)) {
                for lane in 0..LANES {
                    b[lane] = fused::<S>(-x, column[lane], b[lane]);
                }
            }
            blocks[block][lane] = x;
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
        let (blocks, _) = self.b.as_chunks_mut::<LANES>();
        for (j, reciprocal) in self.factor.reciprocals.iter().enumerate().rev() {
            let (block, lane) = (j / LANES, j % LANES);
            // Not counted among what is solved already: its column's entry there is the diagonal.
            let at = std::mem::replace(&mut blocks[block][lane], 0.0);
            let mut sums = [[0.0; LANES]; 2];
            for (k, (b, column)) in blocks[block..].iter().zip(self.factor.column(j)).enumerate() {
                let sum = &mut sums[k % 2];
                for lane in 0..LANES {
                    sum[lane] = fused::<S>(b[lane], column[lane], sum[lane]);
                }
            }
            for lane in 0..LANES {
                sums[0][lane] += sums[1][lane];
            }
            blocks[block][lane] = (at - total(&sums[0])) * reciprocal;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(n: usize) -> Square {
        let mut matrix = Square::zeros(n);
        for j in 0..n {
            for i in 0..n {
                #[allow(clippy::cast_precision_loss)]
                let apart = i.abs_diff(j) as f64;
                matrix.set(i, j, (-0.3 * apart).exp() + if i == j { 0.2 } else { 0.0 });
            }
        }
        matrix
    }

    #[test]
    fn solves_and_inverts() {
        for n in [1, 2, 7, 8, 9, 33, 100, 150] {
            let matrix = matrix(n);
            let factor = Factor::of(matrix.clone()).unwrap();
            #[allow(clippy::cast_precision_loss)]
            let x: Vec<f64> = (0..n).map(|i| (i as f64).sin()).collect();
            let mut b: Vec<f64> = (0..n).map(|i| (0..n).map(|j| matrix.at(i, j) * x[j]).sum()).collect();
            factor.solve(&mut b);
            assert!(b.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-12));
            let unit = factor.inverse().matrix() * matrix.matrix();
            assert!((unit - faer::Mat::<f64>::identity(n, n)).norm_max() < 1e-12);
        }
    }

    #[test]
    fn grows_row_by_row() {
        let (n, whole) = (40, matrix(40));
        let mut factor = Factor::of(matrix(3)).unwrap();
        for i in 3..n {
            let mut row: Vec<f64> = (0..i).map(|j| whole.at(i, j)).collect();
            factor.solve_lower(&mut row);
            let left = whole.at(i, i) - row.iter().map(|x| x * x).sum::<f64>();
            factor.push(&row, left.sqrt());
        }
        let at_once = Factor::of(whole).unwrap();
        for j in 0..n {
            for i in j..n {
                assert!((factor.lower()[(i, j)] - at_once.lower()[(i, j)]).abs() < 1e-13);
            }
        }
        assert!((factor.log_determinant() - at_once.log_determinant()).abs() < 1e-12);
    }

    #[test]
    fn refuses_what_is_not_positive_definite() {
        for value in [1.0, -1.0, f64::NAN] {
            for n in [2, 200] {
                let mut matrix = Square::zeros(n);
                (0..n).for_each(|j| matrix.column_mut(j).fill(value));
                assert!(Factor::of(matrix).is_none(), "{value} {n}");
            }
        }
    }
}
