//! Operators that move numbers: slices, gathers, joins, padding, resampling.

use super::super::fault::Refusal;
use super::super::kernel::select::{Concat, FILLED, Select};
use super::super::quota;
use super::super::tensor::{self, around, count, strides};
use super::{Lowered, Lowering, Value};

pub(super) fn lower(l: &mut Lowering<'_, '_>, operator: &str) -> Result<Option<Vec<Value>>, Refusal> {
    let values = match operator {
        "Transpose" => transpose(l),
        "Slice" => slice(l),
        "Split" => split(l),
        "Concat" => concat(l),
        "Gather" => gather(l),
        "GatherElements" => gather_elements(l),
        "Expand" => expand(l),
        "Tile" => tile(l),
        "Pad" => pad(l),
        "DepthToSpace" => depth_to_space(l),
        "SpaceToDepth" => space_to_depth(l),
        "Resize" | "Upsample" => resize(l),
        "Trilu" => trilu(l),
        _ => return Ok(None),
    };
    values.map(Some)
}

/// Where each place of an axis of the result reads.
type Places = Vec<Option<usize>>;

impl Lowering<'_, '_> {
    /// The numbers at the product of some places along each axis, `fill` where one is `None`.
    #[allow(clippy::cast_possible_truncation)]
    fn at_places(&mut self, x: &Value, places: &[Places], fill: f64) -> Result<Value, Refusal> {
        let shape: Vec<usize> = places.iter().map(Vec::len).collect();
        quota::elements(&shape, "of a result", &self.builder.quota)?;
        let mut index = vec![Some(0_usize)];
        for (places, stride) in places.iter().zip(strides(&x.shape)) {
            index = index
                .iter()
                .flat_map(|&before| places.iter().map(move |&at| before.zip(at).map(|(b, a)| b + a * stride)))
                .collect();
        }
        let index = index.iter().map(|at| at.map_or(FILLED, |at| at as u32)).collect();
        self.builder.emit(Select { index, fill }, &[x], &shape, x.kind)
    }

    fn every_place(x: &Value) -> Vec<Places> {
        x.shape.iter().map(|&length| (0..length).map(Some).collect()).collect()
    }

    /// A length that the file names, within what a tensor may have.
    fn length(&self, number: i64) -> Result<usize, Refusal> {
        let length =
            usize::try_from(number).map_err(|_| Refusal::invalid(format!("a length of {number}")))?;
        quota::within("the length of an axis", length as u64, self.builder.quota.tensor_elements)?;
        Ok(length)
    }
}

fn transpose(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let rank = x.shape.len();
    let order: Vec<usize> = match l.node.integers("perm") {
        None => (0..rank).rev().collect(),
        Some(order) => order.iter().map(|&axis| tensor::axis(axis, rank)).collect::<Result<_, _>>()?,
    };
    if (0..rank).any(|axis| !order.contains(&axis)) || order.len() != rank {
        return Err(Refusal::invalid(format!("perm is {order:?} for {rank} axes")));
    }
    Ok(vec![l.transposed(&x, &order)?])
}

fn slice(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let missing = || Refusal::invalid("it has no starts or ends");
    let starts = l.integers("starts", 1)?.ok_or_else(missing)?;
    let ends = l.integers("ends", 2)?.ok_or_else(missing)?;
    let rank = x.shape.len();
    let axes = match l.integers("axes", 3)? {
        Some(axes) => axes,
        None => (0..i64::try_from(starts.len()).unwrap_or(i64::MAX)).collect(),
    };
    let steps = l.integers("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(Refusal::invalid("its starts, ends, axes and steps differ in number"));
    }
    let mut places = Lowering::every_place(&x);
    for (k, &named) in axes.iter().enumerate() {
        let axis = tensor::axis(named, rank)?;
        let length = i64::try_from(x.shape[axis]).map_err(|_| Refusal::invalid("a length past 2^63"))?;
        let step = steps[k];
        if step == 0 {
            return Err(Refusal::invalid("a step of 0"));
        }
        let from_start = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
        let (start, end) = (from_start(starts[k]), from_start(ends[k]));
        let (start, end) = if step > 0 {
            (start.clamp(0, length), end.clamp(0, length))
        } else {
            (start.clamp(-1, length - 1), if ends[k] < -length { -1 } else { end.clamp(-1, length - 1) })
        };
        let mut at = start;
        places[axis].clear();
        while (step > 0 && at < end) || (step < 0 && at > end) {
            places[axis].push(usize::try_from(at).ok());
            at = at.saturating_add(step);
        }
    }
    Ok(vec![l.at_places(&x, &places, 0.0)?])
}

fn split(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let axis = l.axis(0, x.shape.len())?;
    let length = x.shape[axis];
    let sizes: Vec<usize> = match l.integers("split", 1)? {
        Some(sizes) => sizes.iter().map(|&size| l.length(size)).collect::<Result<_, _>>()?,
        None => {
            let parts = l.node.outputs.len().max(1);
            let each = length.div_ceil(parts);
            (0..parts).map(|k| each.min(length.saturating_sub(k * each))).collect()
        }
    };
    if sizes.iter().sum::<usize>() != length {
        return Err(Refusal::invalid(format!("parts of {sizes:?} from {length}")));
    }
    let mut start = 0;
    let mut parts = Vec::with_capacity(sizes.len());
    for size in sizes {
        let mut places = Lowering::every_place(&x);
        places[axis] = (start..start + size).map(Some).collect();
        parts.push(l.at_places(&x, &places, 0.0)?);
        start += size;
    }
    Ok(parts)
}

fn concat(l: &mut Lowering<'_, '_>) -> Lowered {
    let parts: Vec<Value> = (0..l.inputs.len()).map(|index| l.input(index)).collect::<Result<_, _>>()?;
    let first = parts.first().ok_or_else(|| Refusal::invalid("it has no inputs"))?;
    let mut shape = first.shape.clone();
    let axis = l.axis(0, shape.len())?;
    let fits = |part: &Value| {
        part.shape.len() == shape.len()
            && (0..shape.len()).all(|i| i == axis || part.shape[i] == first.shape[i])
    };
    if !parts.iter().all(fits) {
        return Err(Refusal::invalid("its inputs have shapes that do not join"));
    }
    let (outer, _, inner) = around(&first.shape, axis);
    let lengths = parts.iter().map(|part| part.shape[axis] * inner).collect();
    shape[axis] = parts.iter().map(|part| part.shape[axis]).sum();
    let inputs: Vec<&Value> = parts.iter().collect();
    Ok(vec![l.builder.emit(Concat { outer, lengths }, &inputs, &shape, first.kind)?])
}

/// A place along an axis, which may count from the end.
#[allow(clippy::cast_possible_truncation)]
fn place(number: f64, length: usize) -> Result<usize, Refusal> {
    tensor::axis(number as i64, length).map_err(|_| Refusal::invalid(format!("index {number} of {length}")))
}

fn gather(l: &mut Lowering<'_, '_>) -> Lowered {
    let (x, which) = (l.input(0)?, l.input(1)?);
    let axis = l.axis(0, x.shape.len())?;
    let mut places = Lowering::every_place(&x);
    places[axis] =
        l.known(1)?.iter().map(|&at| place(at, x.shape[axis]).map(Some)).collect::<Result<_, _>>()?;
    let value = l.at_places(&x, &places, 0.0)?;
    let mut shape = x.shape[..axis].to_vec();
    shape.extend(&which.shape);
    shape.extend(&x.shape[axis + 1..]);
    Ok(vec![value.reshaped(shape)])
}

#[allow(clippy::cast_possible_truncation)]
fn gather_elements(l: &mut Lowering<'_, '_>) -> Lowered {
    let (x, which) = (l.input(0)?, l.input(1)?);
    let axis = l.axis(0, x.shape.len())?;
    let fits = (0..x.shape.len()).all(|i| i == axis || which.shape.get(i).is_some_and(|&n| n <= x.shape[i]));
    if which.shape.len() != x.shape.len() || !fits {
        return Err(Refusal::invalid(format!(
            "shapes {:?} and {:?} do not fit together",
            x.shape, which.shape
        )));
    }
    let mut steps = strides(&x.shape);
    let along = std::mem::replace(&mut steps[axis], 0);
    let bases = tensor::strided_index(&which.shape, &steps, 0);
    let index = bases
        .iter()
        .zip(l.known(1)?)
        .map(|(&base, at)| Ok(base + (place(at, x.shape[axis])? * along) as u32))
        .collect::<Result<_, Refusal>>()?;
    Ok(vec![l.select(&x, index, &which.shape)?])
}

fn expand(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let wanted = l.integers("shape", 1)?.unwrap_or_default();
    let wanted: Vec<usize> = wanted.iter().map(|&length| l.length(length)).collect::<Result<_, _>>()?;
    let shape = tensor::broadcast(&x.shape, &wanted)?;
    Ok(vec![l.expanded(&x, &shape)?])
}

fn tile(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let repeats = l.integers("repeats", 1)?.unwrap_or_default();
    if repeats.len() != x.shape.len() {
        return Err(Refusal::invalid("it does not have one repeat an axis"));
    }
    let mut places = Vec::with_capacity(repeats.len());
    for (&length, &times) in x.shape.iter().zip(&repeats) {
        let times = l.length(times)?;
        l.length(i64::try_from(length.saturating_mul(times)).unwrap_or(i64::MAX))?;
        places.push((0..length * times).map(|at| Some(at % length)).collect());
    }
    Ok(vec![l.at_places(&x, &places, 0.0)?])
}

fn pad(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let pads = l.integers("pads", 1)?.ok_or_else(|| Refusal::invalid("it has no pads"))?;
    let rank = x.shape.len();
    let axes: Vec<usize> = match l.optional(3) {
        None => (0..rank).collect(),
        Some(_) => {
            let named = l.integers("axes", 3)?.unwrap_or_default();
            named.iter().map(|&axis| tensor::axis(axis, rank)).collect::<Result<_, _>>()?
        }
    };
    if pads.len() != 2 * axes.len() {
        return Err(Refusal::invalid("it does not have two pads an axis"));
    }
    let fill = match l.optional(2) {
        Some(_) => l.known(2)?.first().copied().unwrap_or(0.0),
        None => l.node.float("value", 0.0),
    };
    let mode = l.node.text("mode").unwrap_or("constant");
    let mut places = Lowering::every_place(&x);
    for (k, &axis) in axes.iter().enumerate() {
        let (before, after) = (pads[k], pads[axes.len() + k]);
        let length = i64::try_from(x.shape[axis]).unwrap_or(i64::MAX);
        l.length(before.abs())?;
        l.length(after.abs())?;
        let inside = |at: i64| match mode {
            "constant" => Ok(usize::try_from(at).ok().filter(|&at| at < x.shape[axis])),
            "edge" => Ok(usize::try_from(at.clamp(0, length - 1)).ok()),
            "reflect" if length > 0 => {
                let period = (2 * (length - 1)).max(1);
                let at = at.rem_euclid(period);
                Ok(usize::try_from(at.min(period - at)).ok())
            }
            "wrap" if length > 0 => Ok(usize::try_from(at.rem_euclid(length)).ok()),
            _ => Err(Refusal::unsupported(format!("mode {mode}"))),
        };
        places[axis] = (-before..length + after).map(inside).collect::<Result<_, _>>()?;
    }
    Ok(vec![l.at_places(&x, &places, fill)?])
}

/// (batch, channels, height, width) and the block's size.
fn blocks(l: &Lowering<'_, '_>, x: &Value) -> Result<([usize; 4], usize), Refusal> {
    let block = usize::try_from(l.node.integer("blocksize", 0)).unwrap_or(0);
    match x.shape[..] {
        [n, c, h, w] if (1..=1 << 12).contains(&block) => Ok(([n, c, h, w], block)),
        _ => Err(Refusal::invalid(format!("blocks of {block} of shape {:?}", x.shape))),
    }
}

fn depth_to_space(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let ([n, c, h, w], b) = blocks(l, &x)?;
    if !c.is_multiple_of(b * b) {
        return Err(Refusal::invalid("its channels do not divide into blocks"));
    }
    let depth = c / (b * b);
    let (shape, order) = if l.node.text("mode") == Some("CRD") {
        (vec![n, depth, b, b, h, w], [0, 1, 4, 2, 5, 3])
    } else {
        (vec![n, b, b, depth, h, w], [0, 3, 4, 1, 5, 2])
    };
    let value = l.transposed(&x.reshaped(shape), &order)?;
    Ok(vec![value.reshaped(vec![n, depth, h * b, w * b])])
}

fn space_to_depth(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let ([n, c, h, w], b) = blocks(l, &x)?;
    if !h.is_multiple_of(b) || !w.is_multiple_of(b) {
        return Err(Refusal::invalid("its height or width does not divide into blocks"));
    }
    let value = l.transposed(&x.reshaped(vec![n, c, h / b, b, w / b, b]), &[0, 3, 5, 1, 2, 4])?;
    Ok(vec![value.reshaped(vec![n, c * b * b, h / b, w / b])])
}

/// By the nearest number.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn resize(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    if l.node.text("mode").unwrap_or("nearest") != "nearest" {
        return Err(Refusal::unsupported("modes other than nearest"));
    }
    let (sizes, scales) = if l.inputs.len() > 2 { (3, 2) } else { (usize::MAX, 1) };
    let shape: Vec<usize> = if let Some(wanted) =
        l.integers("sizes", sizes)?.filter(|wanted| !wanted.is_empty())
    {
        wanted.iter().map(|&length| l.length(length)).collect::<Result<_, _>>()?
    } else {
        let factors = match l.node.floats("scales") {
            Some(factors) => factors.to_vec(),
            None => l.known(scales)?,
        };
        let scaled = factors.iter().zip(&x.shape).map(|(factor, &length)| (factor * length as f64).floor());
        scaled.map(|length| l.length(length as i64)).collect::<Result<_, _>>()?
    };
    if shape.len() != x.shape.len() || l.node.has("axes") || x.shape.contains(&0) {
        return Err(Refusal::unsupported("sizes for some axes only"));
    }
    let older = l.node.operator() == "Upsample" || l.builder.opset < 11;
    let transform = if older {
        "asymmetric"
    } else {
        l.node.text("coordinate_transformation_mode").unwrap_or("half_pixel")
    };
    let rounding = if older { "floor" } else { l.node.text("nearest_mode").unwrap_or("round_prefer_floor") };
    let mut places = Vec::with_capacity(shape.len());
    for (&to, &from) in shape.iter().zip(&x.shape) {
        let scale = to as f64 / from as f64;
        let source = |at: usize| -> Result<Option<usize>, Refusal> {
            let at = at as f64;
            let exact = match transform {
                "asymmetric" => at / scale,
                "half_pixel" => (at + 0.5) / scale - 0.5,
                "pytorch_half_pixel" => {
                    if to > 1 {
                        (at + 0.5) / scale - 0.5
                    } else {
                        0.0
                    }
                }
                "align_corners" => {
                    if to > 1 {
                        at * (from as f64 - 1.0) / (to as f64 - 1.0)
                    } else {
                        0.0
                    }
                }
                other => return Err(Refusal::unsupported(format!("coordinates by {other}"))),
            };
            let rounded = match rounding {
                "floor" => exact.floor(),
                "ceil" => exact.ceil(),
                "round_prefer_ceil" => (exact + 0.5).floor(),
                _ => (exact - 0.5).ceil(),
            };
            Ok(Some(rounded.clamp(0.0, from as f64 - 1.0) as usize))
        };
        places.push((0..to).map(source).collect::<Result<_, _>>()?);
    }
    Ok(vec![l.at_places(&x, &places, 0.0)?])
}

#[allow(clippy::cast_possible_truncation)]
fn trilu(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let shift = if l.optional(1).is_some() { l.known(1)?.first().map_or(0, |&k| k as i64) } else { 0 };
    let [.., rows, columns] = x.shape[..] else {
        return Err(Refusal::invalid("its input has fewer than two axes"));
    };
    let is_upper = l.node.integer("upper", 1) != 0;
    let index = (0..count(&x.shape))
        .map(|i| {
            let (row, column) = (i / columns % rows, i % columns);
            let ahead = (column as i64 - row as i64).saturating_sub(shift);
            if if is_upper { ahead >= 0 } else { ahead <= 0 } { i as u32 } else { FILLED }
        })
        .collect();
    let shape = x.shape.clone();
    Ok(vec![l.select(&x, index, &shape)?])
}
