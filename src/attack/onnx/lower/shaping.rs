//! Operators about shapes and types: they compute nothing, or only with what does not depend on the input.

use super::super::fault::Refusal;
use super::super::kernel::elementwise::Unary;
use super::super::quota;
use super::super::tensor::{self, Kind, Tensor, count};
use super::{Lowered, Lowering, Value};

pub(super) fn lower(l: &mut Lowering<'_, '_>, operator: &str) -> Result<Option<Vec<Value>>, Refusal> {
    let values = match operator {
        "Constant" => constant(l),
        "Identity" | "Dropout" => Ok(vec![l.input(0)?]),
        "Reshape" => reshape(l),
        "Flatten" => flatten(l),
        "Squeeze" => squeeze(l),
        "Unsqueeze" => unsqueeze(l),
        "Shape" => shape(l),
        "Size" => size(l),
        "ConstantOfShape" => constant_of_shape(l),
        "Range" => range(l),
        "Cast" => {
            let to = l.node.integer("to", 1);
            cast(l, to)
        }
        "CastLike" => {
            let to = match l.input(1)?.kind {
                Kind::Float => 1,
                Kind::Int => 7,
                Kind::Bool => 9,
                Kind::Text => 8,
            };
            cast(l, to)
        }
        _ => return Ok(None),
    };
    values.map(Some)
}

#[allow(clippy::cast_precision_loss)]
fn constant(l: &mut Lowering<'_, '_>) -> Lowered {
    let node = l.node;
    let value = if let Some(raw) = node.tensor("value") {
        let Tensor { shape, kind, data } = raw.decode(&l.builder.quota)?;
        Value::constant(shape, kind, data)
    } else if node.has("value_float") {
        Value::constant(Vec::new(), Kind::Float, vec![node.float("value_float", 0.0)])
    } else if node.has("value_int") {
        Value::constant(Vec::new(), Kind::Int, vec![node.integer("value_int", 0) as f64])
    } else if let Some(numbers) = node.floats("value_floats").filter(|_| node.has("value_floats")) {
        Value::constant(vec![numbers.len()], Kind::Float, numbers.to_vec())
    } else if let Some(numbers) = node.integers("value_ints") {
        let data: Vec<f64> = numbers.iter().map(|&number| number as f64).collect();
        Value::constant(vec![data.len()], Kind::Int, data)
    } else {
        return Err(Refusal::unsupported("values that are neither numbers nor tensors of numbers"));
    };
    Ok(vec![value])
}

/// `wanted` with its −1 resolved, of as many elements as `x`.
fn resolved(x: &Value, wanted: &[i64], zero_is_zero: bool) -> Result<Vec<usize>, Refusal> {
    let wrong = || Refusal::invalid(format!("shape {:?} does not become {wanted:?}", x.shape));
    let mut shape = Vec::with_capacity(wanted.len());
    let mut free = None;
    for (axis, &length) in wanted.iter().enumerate() {
        shape.push(match length {
            0 if !zero_is_zero => *x.shape.get(axis).ok_or_else(wrong)?,
            -1 if free.is_none() => {
                free = Some(axis);
                1
            }
            _ => usize::try_from(length).map_err(|_| wrong())?,
        });
    }
    let others =
        shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length)).ok_or_else(wrong)?;
    if let Some(axis) = free {
        shape[axis] = x.length().checked_div(others).unwrap_or(0);
    }
    let total = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length));
    if total == Some(x.length()) { Ok(shape) } else { Err(wrong()) }
}

fn reshape(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let wanted = l.integers("shape", 1)?.ok_or_else(|| Refusal::invalid("it has no shape"))?;
    let shape = resolved(&x, &wanted, l.node.integer("allowzero", 0) != 0)?;
    Ok(vec![x.reshaped(shape)])
}

fn flatten(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    // Unlike elsewhere the axis may be the rank itself.
    let axis = match l.node.integer("axis", 1) {
        axis if usize::try_from(axis) == Ok(x.shape.len()) => x.shape.len(),
        axis => tensor::axis(axis, x.shape.len())?,
    };
    Ok(vec![x.reshaped(vec![count(&x.shape[..axis]), count(&x.shape[axis..])])])
}

fn squeeze(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let rank = x.shape.len();
    let axes: Vec<usize> = match l.integers("axes", 1)? {
        None => (0..rank).filter(|&axis| x.shape[axis] == 1).collect(),
        Some(axes) => axes.iter().map(|&axis| tensor::axis(axis, rank)).collect::<Result<_, _>>()?,
    };
    if axes.iter().any(|&axis| x.shape[axis] != 1) {
        return Err(Refusal::invalid(format!("it takes away axes {axes:?} of shape {:?}", x.shape)));
    }
    let shape = (0..rank).filter(|axis| !axes.contains(axis)).map(|axis| x.shape[axis]).collect();
    Ok(vec![x.reshaped(shape)])
}

fn unsqueeze(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let named = l.integers("axes", 1)?.ok_or_else(|| Refusal::invalid("it has no axes"))?;
    let rank = x.shape.len() + named.len();
    let mut axes: Vec<usize> =
        named.iter().map(|&axis| tensor::axis(axis, rank)).collect::<Result<_, _>>()?;
    axes.sort_unstable();
    let mut shape = x.shape.clone();
    for axis in axes {
        if axis > shape.len() {
            return Err(Refusal::invalid(format!("axes {named:?} of a tensor with {} axes", x.shape.len())));
        }
        shape.insert(axis, 1);
    }
    if shape.len() > 12 {
        return Err(Refusal::unsupported("more than 12 axes"));
    }
    Ok(vec![x.reshaped(shape)])
}

#[allow(clippy::cast_precision_loss)]
fn shape(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let rank = i64::try_from(x.shape.len()).unwrap_or(i64::MAX);
    let bound = |name: &str, default: i64| {
        let at = l.node.integer(name, default);
        usize::try_from(if at < 0 { at.saturating_add(rank) } else { at }.clamp(0, rank)).unwrap_or(0)
    };
    let (start, end) = (bound("start", 0), bound("end", rank));
    let lengths: Vec<f64> =
        x.shape.get(start..end).unwrap_or(&[]).iter().map(|&length| length as f64).collect();
    Ok(vec![Value::constant(vec![lengths.len()], Kind::Int, lengths)])
}

#[allow(clippy::cast_precision_loss)]
fn size(l: &mut Lowering<'_, '_>) -> Lowered {
    Ok(vec![Value::constant(Vec::new(), Kind::Int, vec![l.input(0)?.length() as f64])])
}

fn constant_of_shape(l: &mut Lowering<'_, '_>) -> Lowered {
    let lengths = l.integers("", 0)?.unwrap_or_default();
    let shape: Vec<usize> = lengths
        .iter()
        .map(|&length| usize::try_from(length).map_err(|_| Refusal::invalid(format!("a length of {length}"))))
        .collect::<Result<_, _>>()?;
    let (kind, value) = match l.node.tensor("value") {
        None => (Kind::Float, 0.0),
        Some(raw) => {
            let Tensor { kind, data, .. } = raw.decode(&l.builder.quota)?;
            (kind, data.first().copied().unwrap_or(0.0))
        }
    };
    let one = Value::constant(Vec::new(), kind, vec![value]);
    Ok(vec![l.expanded(&one, &shape)?])
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn range(l: &mut Lowering<'_, '_>) -> Lowered {
    let kind = l.input(0)?.kind;
    let one = |index: usize| l.known(index).map(|known| known.first().copied().unwrap_or(0.0));
    let (start, limit, delta) = (one(0)?, one(1)?, one(2)?);
    let length = ((limit - start) / delta).ceil().max(0.0);
    if !length.is_finite() {
        return Err(Refusal::invalid("a range without an end"));
    }
    quota::within("the length of a range", length as u64, l.builder.quota.tensor_elements)?;
    let data: Vec<f64> = (0..length as u64).map(|k| start + k as f64 * delta).collect();
    Ok(vec![Value::constant(vec![data.len()], kind, data)])
}

/// To a type by its number in ONNX's table.
fn cast(l: &mut Lowering<'_, '_>, to: i64) -> Lowered {
    let x = l.input(0)?;
    let value = match (x.kind, to) {
        (Kind::Text, _) | (_, 8) => return Err(Refusal::unsupported("texts")),
        (_, 1 | 10 | 11 | 16) => Value { kind: Kind::Float, ..x },
        (Kind::Float, 2..=7 | 12 | 13) => Value { kind: Kind::Int, ..l.map(Unary::Truncate, &x)? },
        (_, 2..=7 | 12 | 13) => Value { kind: Kind::Int, ..x },
        (_, 9) => {
            let is_zero = l.map(Unary::Not, &x)?;
            Value { kind: Kind::Bool, ..l.map(Unary::Not, &is_zero)? }
        }
        _ => return Err(Refusal::unsupported(format!("numbers of type {to}"))),
    };
    Ok(vec![value])
}
