//! Square matrices whose columns begin at whole blocks, and the dense algebra of small ones.
//!
//! Below about a hundred rows the overhead of `faer`'s routines is larger than their work, and a fit is some hundred
//! factorizations: these loops do one thing, out −= Σₖ cₖ rowₖ for a few blocks of `out` held in registers.

use faer::{MatMut, MatRef};
use pulp::{Simd, WithSimd};

use super::lanes::{LANES, fused};

/// n × n numbers, column after column; each column is padded to whole blocks.
#[derive(Clone, Debug)]
pub struct Square {
    size: usize,
    stride: usize,
    entries: Vec<f64>,
}

/// Blocks that one pass of the inner loop works on.
const WIDE: usize = 4;

impl Square {
    /// All 0.
    pub fn zeros(size: usize) -> Self {
        let stride = size.next_multiple_of(LANES);
        Self { size, stride, entries: vec![0.0; size * stride] }
    }

    /// n.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Where column j + 1 begins after column j.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// Entry (i, j).
    pub fn at(&self, i: usize, j: usize) -> f64 {
        self.entries[j * self.stride + i]
    }

    /// Sets entry (i, j).
    pub fn set(&mut self, i: usize, j: usize, value: f64) {
        self.entries[j * self.stride + i] = value;
    }

    /// Adds to entry (i, i).
    pub fn add_to_diagonal(&mut self, i: usize, value: f64) {
        self.entries[i * self.stride + i] += value;
    }

    /// Column j.
    #[inline(always)]
    pub fn column(&self, j: usize) -> &[f64] {
        &self.entries[j * self.stride..j * self.stride + self.size]
    }

    /// Column j.
    #[inline(always)]
    pub fn column_mut(&mut self, j: usize) -> &mut [f64] {
        &mut self.entries[j * self.stride..j * self.stride + self.size]
    }

    /// Column j with its padding.
    #[inline(always)]
    pub(super) fn padded_column(&self, j: usize) -> &[f64] {
        &self.entries[j * self.stride..(j + 1) * self.stride]
    }

    /// Column j with its padding.
    #[inline(always)]
    pub(super) fn padded_column_mut(&mut self, j: usize) -> &mut [f64] {
        &mut self.entries[j * self.stride..(j + 1) * self.stride]
    }

    /// For `faer`.
    pub fn matrix(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice_with_stride(&self.entries, self.size, self.size, self.stride)
    }

    /// For `faer`.
    pub fn matrix_mut(&mut self) -> MatMut<'_, f64> {
        MatMut::from_column_major_slice_with_stride_mut(&mut self.entries, self.size, self.size, self.stride)
    }

    /// Copies the upper triangle to the lower one.
    pub(super) fn mirror_upper(&mut self) {
        for j in 0..self.size {
            for i in 0..j {
                self.entries[i * self.stride + j] = self.entries[j * self.stride + i];
            }
        }
    }

    /// One more row and column of 0. O(n), from time to time O(n²).
    pub(super) fn grow(&mut self) {
        if self.size == self.stride {
            let stride = (self.stride + self.stride / 4 + LANES).next_multiple_of(LANES);
            let mut entries = vec![0.0; stride * stride];
            for j in 0..self.size {
                entries[j * stride..j * stride + self.size].copy_from_slice(self.column(j));
            }
            (self.entries, self.stride) = (entries, stride);
        }
        self.size += 1;
        if self.entries.len() < self.size * self.stride {
            self.entries.resize(self.stride * self.stride, 0.0);
        }
    }

    /// Replaces the lower triangle by its Cholesky factor; false where it is not positive definite. O(n³).
    pub(super) fn factorize(&mut self) -> bool {
        pulp::Arch::new().dispatch(Factorize(self))
    }

    /// The upper triangle of (L Lᵀ)⁻¹ for the lower triangle L. O(n³).
    pub(super) fn inverse_of_factor(&self) -> Self {
        pulp::Arch::new().dispatch(Invert(self))
    }
}

/// `out` −= Σₖ cₖ rowₖ, where row k begins `stride` after row k − 1.
#[inline(always)]
fn subtract_rows<S: Simd>(out: &mut [f64], rows: &[f64], stride: usize, offset: usize, factors: &[f64]) {
    let (wide, rest) = out.as_chunks_mut::<{ WIDE * LANES }>();
    let mut at = offset;
    for block in wide {
        let mut sums = *block;
        for (factor, row) in factors.iter().zip(rows.chunks_exact(stride)) {
            let Some(row) = row[at..].first_chunk::<{ WIDE * LANES }>() else { break };
            for lane in 0..WIDE * LANES {
                sums[lane] = fused::<S>(-*factor, row[lane], sums[lane]);
            }
        }
        *block = sums;
        at += WIDE * LANES;
    }
    let (blocks, _) = rest.as_chunks_mut::<LANES>();
    for block in blocks {
        let mut sums = *block;
        for (factor, row) in factors.iter().zip(rows.chunks_exact(stride)) {
            let Some(row) = row[at..].first_chunk::<LANES>() else { break };
            for lane in 0..LANES {
                sums[lane] = fused::<S>(-*factor, row[lane], sums[lane]);
            }
        }
        *block = sums;
        at += LANES;
    }
}

struct Factorize<'a>(&'a mut Square);

impl WithSimd for Factorize<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> bool {
        let (n, stride) = (self.0.size, self.0.stride);
        let mut factors = vec![0.0; n];
        for j in 0..n {
            let (done, rest) = self.0.entries.split_at_mut(j * stride);
            for (factor, column) in factors.iter_mut().zip(done.chunks_exact(stride)) {
                *factor = column[j];
            }
            let from = j / LANES * LANES;
            let column = &mut rest[from..stride];
            subtract_rows::<S>(column, done, stride, from, &factors[..j]);
            let pivot = column[j - from];
            if !(pivot > 0.0 && pivot.is_finite()) {
                return false;
            }
            let root = pivot.sqrt();
            let inverse = 1.0 / root;
            column.iter_mut().for_each(|entry| *entry *= inverse);
            column[..j - from].fill(0.0);
            column[j - from] = root;
        }
        true
    }
}

struct Invert<'a>(&'a Square);

impl WithSimd for Invert<'_> {
    type Output = Square;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Square {
        let (n, stride) = (self.0.size, self.0.stride);
        let width = n.next_multiple_of(LANES);
        // L⁻¹, row after row: row r is (eᵣ − Σₖ Lᵣₖ rowₖ) / Lᵣᵣ, and rowₖ ends at k.
        let mut rows = vec![0.0; n * width];
        let mut factors = vec![0.0; n];
        for r in 0..n {
            for (factor, column) in factors.iter_mut().zip(self.0.entries.chunks_exact(stride)).take(r) {
                *factor = column[r];
            }
            let (done, rest) = rows.split_at_mut(r * width);
            let row = &mut rest[..width];
            let wide = WIDE * LANES;
            for from in (0..=r).step_by(wide) {
                let to = (from + wide).min((r / LANES + 1) * LANES);
                if from < r {
                    subtract_rows::<S>(
                        &mut row[from..to],
                        &done[from * width..],
                        width,
                        from,
                        &factors[from..r],
                    );
                }
            }
            let inverse = 1.0 / self.0.entries[r * stride + r];
            row[r] = 1.0;
            row[..=r].iter_mut().for_each(|entry| *entry *= inverse);
        }
        // Column j of the inverse down to the diagonal: Σᵣ≥ⱼ Mᵣⱼ rowᵣ.
        let mut inverse = Square::zeros(n);
        for j in 0..n {
            for (factor, row) in factors[j..].iter_mut().zip(rows[j * width..].chunks_exact(width)) {
                *factor = -row[j];
            }
            let to = (j / LANES + 1) * LANES;
            let column = &mut inverse.padded_column_mut(j)[..to];
            subtract_rows::<S>(column, &rows[j * width..], width, 0, &factors[j..n]);
        }
        inverse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_algebra_equals_its_definition() {
        for n in [1, 2, 7, 8, 9, 16, 33, 50, 65, 100] {
            let mut matrix = Square::zeros(n);
            for j in 0..n {
                for i in 0..n {
                    #[allow(clippy::cast_precision_loss)]
                    let apart = i.abs_diff(j) as f64;
                    matrix.set(i, j, (-0.3 * apart).exp() + if i == j { 0.2 } else { 0.0 });
                }
            }
            let mut factor = matrix.clone();
            assert!(factor.factorize());
            for j in 0..n {
                for i in j..n {
                    let product: f64 = (0..=j).map(|k| factor.at(i, k) * factor.at(j, k)).sum();
                    assert!((product - matrix.at(i, j)).abs() < 1e-14, "{n} {i} {j}");
                }
            }
            let mut inverse = factor.inverse_of_factor();
            inverse.mirror_upper();
            for j in 0..n {
                for i in 0..n {
                    let product: f64 = (0..n).map(|k| inverse.at(i, k) * matrix.at(k, j)).sum();
                    assert!((product - f64::from(u8::from(i == j))).abs() < 1e-12, "{n} {i} {j}");
                }
            }
        }
    }

    #[test]
    fn grows() {
        let mut square = Square::zeros(3);
        for size in 4..40 {
            square.set(0, 2, 7.0);
            square.grow();
            square.set(size - 1, size - 1, 1.0);
            assert_eq!((square.size(), square.at(0, 2), square.at(size - 1, size - 2)), (size, 7.0, 0.0));
        }
    }
}
