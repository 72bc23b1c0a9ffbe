//! Reductions and normalizations.

use super::super::fault::Refusal;
use super::super::kernel::elementwise::{Binary, Unary};
use super::super::kernel::reduce::{Axis, Norm, Normalize, Reduce, Reduction};
use super::super::tensor::{self, Kind, around, count};
use super::{Lowered, Lowering, Value};

pub(super) fn lower(l: &mut Lowering<'_, '_>, operator: &str) -> Result<Option<Vec<Value>>, Refusal> {
    let values = match operator {
        "ReduceSum" => reduce(l, None, Reduction::Sum, None),
        "ReduceMean" => mean(l),
        "ReduceMax" => reduce(l, None, Reduction::Max, None),
        "ReduceMin" => reduce(l, None, Reduction::Min, None),
        "ReduceProd" => reduce(l, None, Reduction::Product, None),
        "ReduceL1" => reduce(l, Some(Unary::Abs), Reduction::Sum, None),
        "ReduceL2" => reduce(l, Some(Unary::Square), Reduction::Sum, Some(Unary::Sqrt)),
        "ReduceSumSquare" => reduce(l, Some(Unary::Square), Reduction::Sum, None),
        "ReduceLogSum" => reduce(l, None, Reduction::Sum, Some(Unary::Log)),
        "ReduceLogSumExp" => reduce(l, None, Reduction::LogSumExp, None),
        "ArgMax" => position(l, Reduction::ArgMax),
        "ArgMin" => position(l, Reduction::ArgMin),
        "Softmax" => softmax(l, Norm::Softmax),
        "LogSoftmax" => softmax(l, Norm::LogSoftmax),
        "CumSum" => cumulative(l),
        "LpNormalization" => unit_length(l),
        "BatchNormalization" => batch(l),
        "InstanceNormalization" => by_group(l, None),
        "GroupNormalization" => by_group(l, Some(l.node.integer("num_groups", 1))),
        "LayerNormalization" => layer(l, Norm::Standard { epsilon: l.node.float("epsilon", 1e-5) }),
        "RMSNormalization" => layer(l, Norm::RootMeanSquare { epsilon: l.node.float("epsilon", 1e-5) }),
        _ => return Ok(None),
    };
    values.map(Some)
}

/// The axes to reduce, in order; all where none are named and the operator does not say otherwise.
fn axes(l: &Lowering<'_, '_>, rank: usize) -> Result<Vec<usize>, Refusal> {
    let named = l.integers("axes", 1)?.unwrap_or_default();
    if named.is_empty() {
        let is_noop = l.node.integer("noop_with_empty_axes", 0) != 0;
        return Ok(if is_noop { Vec::new() } else { (0..rank).collect() });
    }
    let mut axes: Vec<usize> =
        named.iter().map(|&axis| tensor::axis(axis, rank)).collect::<Result<_, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    Ok(axes)
}

fn reduce(
    l: &mut Lowering<'_, '_>,
    before: Option<Unary>,
    reduction: Reduction,
    after: Option<Unary>,
) -> Lowered {
    let x = l.input(0)?;
    let axes = axes(l, x.shape.len())?;
    let keeps = l.node.integer("keepdims", 1) != 0;
    let x = before.map_or_else(|| Ok(x.clone()), |function| l.map(function, &x))?;
    let value = if axes.is_empty() { x } else { along(l, &x, &axes, reduction, keeps)? };
    let value = after.map_or_else(|| Ok(value.clone()), |function| l.map(function, &value))?;
    Ok(vec![value])
}

#[allow(clippy::cast_precision_loss)]
fn mean(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let length: usize = axes(l, x.shape.len())?.iter().map(|&axis| x.shape[axis]).product();
    let mut sum = reduce(l, None, Reduction::Sum, None)?;
    if let Some(sum) = sum.first_mut() {
        *sum = l.map(Unary::Affine { scale: 1.0 / length as f64, shift: 0.0 }, sum)?;
    }
    Ok(sum)
}

/// Reduces sorted `axes`, moving them together first where others lie between.
fn along(
    l: &mut Lowering<'_, '_>,
    x: &Value,
    axes: &[usize],
    reduction: Reduction,
    keeps: bool,
) -> Result<Value, Refusal> {
    let is_reduced = |axis: &usize| axes.contains(axis);
    let rank = x.shape.len();
    let mut shape = Vec::new();
    for axis in 0..rank {
        if !is_reduced(&axis) {
            shape.push(x.shape[axis]);
        } else if keeps {
            shape.push(1);
        }
    }
    let (first, last) = (axes[0], axes[axes.len() - 1]);
    let adjacent = last - first + 1 == axes.len();
    let (x, axis) = if adjacent {
        let axis = Axis {
            outer: count(&x.shape[..first]),
            length: count(&x.shape[first..=last]),
            inner: count(&x.shape[last + 1..]),
        };
        (x.clone(), axis)
    } else {
        let mut order: Vec<usize> = (0..rank).filter(|axis| !is_reduced(axis)).collect();
        let outer = order.iter().map(|&axis| x.shape[axis]).product();
        order.extend(axes);
        let length = axes.iter().map(|&axis| x.shape[axis]).product();
        (l.transposed(x, &order)?, Axis { outer, length, inner: 1 })
    };
    let kind = if matches!(reduction, Reduction::ArgMax | Reduction::ArgMin) { Kind::Int } else { x.kind };
    l.builder.emit(Reduce { axis, reduction }, &[&x], &shape, kind)
}

fn position(l: &mut Lowering<'_, '_>, reduction: Reduction) -> Lowered {
    let x = l.input(0)?;
    if l.node.integer("select_last_index", 0) != 0 {
        return Err(Refusal::unsupported("select_last_index"));
    }
    let axis = l.axis(0, x.shape.len())?;
    let keeps = l.node.integer("keepdims", 1) != 0;
    Ok(vec![along(l, &x, &[axis], reduction, keeps)?])
}

fn softmax(l: &mut Lowering<'_, '_>, norm: Norm) -> Lowered {
    let x = l.input(0)?;
    let is_flattening = l.builder.opset < 13;
    let axis = l.axis(if is_flattening { 1 } else { -1 }, x.shape.len())?;
    let (outer, length, inner) = if is_flattening {
        (count(&x.shape[..axis]), count(&x.shape[axis..]), 1)
    } else {
        around(&x.shape, axis)
    };
    let kernel = Normalize { axis: Axis { outer, length, inner }, norm };
    Ok(vec![l.builder.emit(kernel, &[&x], &x.shape, Kind::Float)?])
}

fn cumulative(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    if l.node.integer("exclusive", 0) != 0 || l.node.integer("reverse", 0) != 0 {
        return Err(Refusal::unsupported("exclusive or reverse sums"));
    }
    #[allow(clippy::cast_possible_truncation)]
    let named = l.known(1)?.first().map_or(0, |&axis| axis as i64);
    let (outer, length, inner) = around(&x.shape, tensor::axis(named, x.shape.len())?);
    let kernel = Normalize { axis: Axis { outer, length, inner }, norm: Norm::CumulativeSum };
    Ok(vec![l.builder.emit(kernel, &[&x], &x.shape, x.kind)?])
}

fn unit_length(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let axis = l.axis(-1, x.shape.len())?;
    let (before, after) = match l.node.integer("p", 2) {
        1 => (Unary::Abs, None),
        _ => (Unary::Square, Some(Unary::Sqrt)),
    };
    let powers = l.map(before, &x)?;
    let mut length = along(l, &powers, &[axis], Reduction::Sum, true)?;
    if let Some(after) = after {
        length = l.map(after, &length)?;
    }
    Ok(vec![l.zip(Binary::Div, &x, &length, Kind::Float)?])
}

/// A vector with one number a channel, in a shape that meets (batch, channel, places …).
fn by_channel(value: &Value, rank: usize) -> Value {
    let mut shape = vec![1; rank.max(2) - 1];
    shape[0] = value.length();
    value.reshaped(shape)
}

fn batch(l: &mut Lowering<'_, '_>) -> Lowered {
    if l.node.integer("training_mode", 0) != 0 {
        return Err(Refusal::unsupported("training mode; export the network for inference"));
    }
    let x = l.input(0)?;
    let (gain, bias, mean, variance) = (l.known(1)?, l.known(2)?, l.known(3)?, l.known(4)?);
    let channels = x.shape.get(1).copied().unwrap_or(1);
    if [&gain, &bias, &mean, &variance].iter().any(|numbers| numbers.len() != channels) {
        return Err(Refusal::invalid("its statistics do not have one number a channel"));
    }
    let epsilon = l.node.float("epsilon", 1e-5);
    let scale: Vec<f64> = gain.iter().zip(&variance).map(|(g, v)| g / (v + epsilon).sqrt()).collect();
    let shift: Vec<f64> = (0..channels).map(|c| bias[c] - mean[c] * scale[c]).collect();
    let rank = x.shape.len();
    let scale = by_channel(&Value::constant(vec![channels], Kind::Float, scale), rank);
    let shift = by_channel(&Value::constant(vec![channels], Kind::Float, shift), rank);
    let scaled = l.zip(Binary::Mul, &x, &scale, Kind::Float)?;
    Ok(vec![l.zip(Binary::Add, &scaled, &shift, Kind::Float)?])
}

/// Instance normalization (each channel its own group), or group normalization.
fn by_group(l: &mut Lowering<'_, '_>, groups: Option<i64>) -> Lowered {
    let (x, gain, bias) = (l.input(0)?, l.input(1)?, l.input(2)?);
    if x.shape.len() < 2 {
        return Err(Refusal::invalid("its input has no channels"));
    }
    let channels = x.shape[1];
    let groups = match groups {
        None => channels,
        Some(groups) => usize::try_from(groups)
            .ok()
            .filter(|g| *g > 0 && channels.is_multiple_of(*g))
            .ok_or_else(|| Refusal::invalid("its channels do not divide into its groups"))?,
    };
    let outer = x.shape[0] * groups;
    let length = x.length().checked_div(outer).unwrap_or(0);
    let norm = Norm::Standard { epsilon: l.node.float("epsilon", 1e-5) };
    let axis = Axis { outer, length, inner: 1 };
    let normal = l.builder.emit(Normalize { axis, norm }, &[&x], &x.shape, Kind::Float)?;
    let rank = x.shape.len();
    let mut per_channel = |value: Value| -> Result<Value, Refusal> {
        // Before version 21 group normalization has one number a group.
        if value.length() == groups && groups != channels {
            let each = l.expanded(&value.reshaped(vec![groups, 1]), &[groups, channels / groups])?;
            return Ok(by_channel(&each, rank));
        }
        Ok(by_channel(&value, rank))
    };
    let (gain, bias) = (per_channel(gain)?, per_channel(bias)?);
    let scaled = l.zip(Binary::Mul, &normal, &gain, Kind::Float)?;
    Ok(vec![l.zip(Binary::Add, &scaled, &bias, Kind::Float)?])
}

fn layer(l: &mut Lowering<'_, '_>, norm: Norm) -> Lowered {
    let x = l.input(0)?;
    let first = l.axis(-1, x.shape.len())?;
    let axis = Axis { outer: count(&x.shape[..first]), length: count(&x.shape[first..]), inner: 1 };
    let mut value = l.builder.emit(Normalize { axis, norm }, &[&x], &x.shape, Kind::Float)?;
    for (index, function) in [(1, Binary::Mul), (2, Binary::Add)] {
        if let Some(operand) = l.optional(index) {
            value = l.zip(function, &value, &operand, Kind::Float)?;
        }
    }
    Ok(vec![value])
}
