//! Tensors with their data, and the arithmetic of shapes.

use std::sync::Arc;

use super::fault::Refusal;

/// What a tensor's numbers are. All are kept as f64, exact for integers below 2⁵³.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Floating-point numbers.
    Float,
    /// Integers.
    Int,
    /// Truth values, 0 and 1.
    Bool,
    /// Texts: the labels of a classifier; only their count is known.
    Text,
}

/// Numbers in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    pub(super) kind: Kind,
    pub(super) data: Arc<[f64]>,
}

/// The number of elements of a shape that has passed the quota.
pub(super) fn count(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// The shape in which two tensors meet: axes from the right, lengths equal or 1.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, Refusal> {
    let rank = a.len().max(b.len());
    let at = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    (0..rank)
        .map(|axis| match (at(a, axis), at(b, axis)) {
            (x, y) if x == y => Ok(x),
            (1, y) => Ok(y),
            (x, 1) => Ok(x),
            _ => Err(Refusal::invalid(format!("shapes {a:?} and {b:?} do not fit together"))),
        })
        .collect()
}

/// For each element of `to`, the element of a tensor of shape `from` that stands there after broadcasting.
pub(super) fn broadcast_index(from: &[usize], to: &[usize]) -> Vec<u32> {
    let lead = to.len() - from.len();
    let strides = strides(from);
    let strides: Vec<usize> = (0..to.len())
        .map(|axis| if axis < lead || from[axis - lead] == 1 { 0 } else { strides[axis - lead] })
        .collect();
    strided_index(to, &strides, 0)
}

/// Row-major strides.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (0..shape.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * shape[axis + 1];
    }
    strides
}

/// The source index of each element of `shape`, read from `start` with these strides.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn strided_index(shape: &[usize], strides: &[usize], start: usize) -> Vec<u32> {
    let total = count(shape);
    let mut index = Vec::with_capacity(total);
    if total == 0 {
        return index;
    }
    let mut place = vec![0_usize; shape.len()];
    let mut at = start;
    loop {
        // Elements are fewer than 2³² by quota.
        index.push(at as u32);
        let mut axis = shape.len();
        loop {
            if axis == 0 {
                return index;
            }
            axis -= 1;
            place[axis] += 1;
            at += strides[axis];
            if place[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            place[axis] = 0;
        }
    }
}

/// An axis that may count from the end.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, Refusal> {
    let from_start = if axis < 0 { axis.checked_add_unsigned(rank as u64) } else { Some(axis) };
    from_start
        .and_then(|axis| usize::try_from(axis).ok())
        .filter(|&axis| axis < rank)
        .ok_or_else(|| Refusal::invalid(format!("axis {axis} of a tensor with {rank} axes")))
}

/// The lengths before, at and after an axis, multiplied.
pub(super) fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (count(&shape[..axis]), shape[axis], count(&shape[axis + 1..]))
}
