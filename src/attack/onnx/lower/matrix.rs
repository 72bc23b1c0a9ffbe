//! Products of matrices.

use super::super::fault::Refusal;
use super::super::kernel::dense::{Dense, MatMul};
use super::super::kernel::elementwise::{Binary, Unary};
use super::super::tensor::{Kind, broadcast, broadcast_index, count};
use super::{Lowered, Lowering, Value};

pub(super) fn lower(l: &mut Lowering<'_, '_>, operator: &str) -> Result<Option<Vec<Value>>, Refusal> {
    match operator {
        "MatMul" => {
            let (a, b) = (l.input(0)?, l.input(1)?);
            Ok(Some(vec![matmul(l, &a, &b)?]))
        }
        "Gemm" => gemm(l).map(Some),
        _ => Ok(None),
    }
}

/// As numpy's matmul.
#[allow(clippy::cast_possible_truncation)]
fn matmul(l: &mut Lowering<'_, '_>, a: &Value, b: &Value) -> Result<Value, Refusal> {
    if a.shape.is_empty() || b.shape.is_empty() {
        return Err(Refusal::invalid("a product of a single number; use Mul"));
    }
    let (is_row, is_column) = (a.shape.len() == 1, b.shape.len() == 1);
    let a = if is_row { a.reshaped(vec![1, a.length()]) } else { a.clone() };
    let b = if is_column { b.reshaped(vec![b.length(), 1]) } else { b.clone() };
    let (a_lead, a_last) = a.shape.split_at(a.shape.len() - 2);
    let (b_lead, b_last) = b.shape.split_at(b.shape.len() - 2);
    let (rows, inner, columns) = (a_last[0], a_last[1], b_last[1]);
    if inner != b_last[0] {
        return Err(Refusal::invalid(format!("shapes {:?} and {:?} do not multiply", a.shape, b.shape)));
    }
    let lead = broadcast(a_lead, b_lead)?;
    let mut shape = lead.clone();
    if !is_row {
        shape.push(rows);
    }
    if !is_column {
        shape.push(columns);
    }
    if let (Some(weights), None, true) = (b.known(), a.known(), b_lead.is_empty()) {
        let dense = Dense::new(count(a_lead) * rows, inner, weights, None);
        return l.builder.emit(dense, &[&a], &shape, Kind::Float);
    }
    super::super::quota::elements(&lead, "of a product", &l.builder.quota)?;
    let batches = broadcast_index(a_lead, &lead).into_iter().zip(broadcast_index(b_lead, &lead)).collect();
    l.builder.emit(MatMul { rows, inner, columns, batches }, &[&a, &b], &shape, Kind::Float)
}

fn gemm(l: &mut Lowering<'_, '_>) -> Lowered {
    let (a, b, c) = (l.input(0)?, l.input(1)?, l.optional(2));
    if a.shape.len() != 2 || b.shape.len() != 2 {
        return Err(Refusal::invalid("its matrices must have two axes"));
    }
    let (alpha, beta) = (l.node.float("alpha", 1.0), l.node.float("beta", 1.0));
    let a = if l.node.integer("transA", 0) == 0 { a } else { l.transposed(&a, &[1, 0])? };
    let b = if l.node.integer("transB", 0) == 0 { b } else { l.transposed(&b, &[1, 0])? };
    let (rows, inner, columns) = (a.shape[0], a.shape[1], b.shape[1]);
    let is_bias = |c: &Value| c.length() == columns && c.shape.last() == Some(&columns);
    if let (Some(weights), None) = (b.known(), a.known())
        && c.as_ref().is_none_or(|c| c.known().is_some() && is_bias(c))
    {
        if inner != b.shape[0] {
            return Err(Refusal::invalid(format!("shapes {:?} and {:?} do not multiply", a.shape, b.shape)));
        }
        let scaled: Vec<f64>;
        #[allow(clippy::float_cmp)]
        let weights = if alpha == 1.0 {
            weights
        } else {
            scaled = weights.iter().map(|w| alpha * w).collect();
            &scaled
        };
        let bias = c.as_ref().and_then(Value::known).map(|c| c.iter().map(|b| beta * b).collect());
        let dense = Dense::new(rows, inner, weights, bias);
        return Ok(vec![l.builder.emit(dense, &[&a], &[rows, columns], Kind::Float)?]);
    }
    let product = matmul(l, &a, &b)?;
    let product = l.map(Unary::Affine { scale: alpha, shift: 0.0 }, &product)?;
    let Some(c) = c else { return Ok(vec![product]) };
    let c = l.map(Unary::Affine { scale: beta, shift: 0.0 }, &c)?;
    Ok(vec![l.zip(Binary::Add, &product, &c, Kind::Float)?])
}
