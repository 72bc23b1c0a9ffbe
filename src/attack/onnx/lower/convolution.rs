//! Convolutions and pools.

use super::super::fault::Refusal;
use super::super::kernel::convolution::Convolution;
use super::super::kernel::pool::{Pool, Pooling, Windows};
use super::super::kernel::reduce::Reduction;
use super::super::kernel::select::FILLED;
use super::super::tensor::Kind;
use super::{Lowered, Lowering, Value};

pub(super) fn lower(l: &mut Lowering<'_, '_>, operator: &str) -> Result<Option<Vec<Value>>, Refusal> {
    let values = match operator {
        "Conv" => convolution(l),
        "ConvTranspose" => transposed_convolution(l),
        "MaxPool" => pool(l, Pooling::Max),
        "AveragePool" => pool(l, Pooling::Mean),
        "GlobalAveragePool" => global(l, Pooling::Mean),
        "GlobalMaxPool" => global(l, Pooling::Max),
        _ => return Ok(None),
    };
    values.map(Some)
}

/// Largest stride, dilation, window or padding: nothing larger means anything under the quotas.
const MOST: i64 = 1 << 24;

impl Lowering<'_, '_> {
    /// One small number a spatial axis.
    fn lengths(
        &self,
        attribute: &str,
        rank: usize,
        least: i64,
        default: usize,
    ) -> Result<Vec<usize>, Refusal> {
        let Some(numbers) = self.node.integers(attribute).filter(|numbers| !numbers.is_empty()) else {
            return Ok(vec![default; rank]);
        };
        let wrong = || Refusal::invalid(format!("{attribute} is {numbers:?} for {rank} spatial axes"));
        if numbers.len() != rank || numbers.iter().any(|&number| !(least..=MOST).contains(&number)) {
            return Err(wrong());
        }
        numbers.iter().map(|&number| usize::try_from(number).map_err(|_| wrong())).collect()
    }

    /// How windows of lengths `kernel` lie over `grid`, and how much padding follows each axis.
    fn windows(&self, grid: &[usize], kernel: &[usize]) -> Result<(Windows, Vec<usize>), Refusal> {
        let rank = grid.len();
        let strides = self.lengths("strides", rank, 1, 1)?;
        let dilations = self.lengths("dilations", rank, 1, 1)?;
        let pads = self.lengths("pads", 2 * rank, 0, 0)?;
        let (mut before, mut after) = (pads[..rank].to_vec(), pads[rank..].to_vec());
        let auto = self.node.text("auto_pad").unwrap_or("NOTSET");
        let rounds_up = self.node.integer("ceil_mode", 0) != 0;
        let mut counts = Vec::with_capacity(rank);
        for axis in 0..rank {
            let span = (kernel[axis] - 1) * dilations[axis] + 1;
            match auto {
                "SAME_UPPER" | "SAME_LOWER" => {
                    let windows = grid[axis].div_ceil(strides[axis]);
                    let total = (windows.saturating_sub(1) * strides[axis] + span).saturating_sub(grid[axis]);
                    let less = total / 2;
                    (before[axis], after[axis]) =
                        if auto == "SAME_UPPER" { (less, total - less) } else { (total - less, less) };
                }
                "VALID" => (before[axis], after[axis]) = (0, 0),
                _ => {}
            }
            let room = (before[axis] + grid[axis] + after[axis]).checked_sub(span).ok_or_else(|| {
                Refusal::invalid(format!("its window does not fit into {} cells", grid[axis]))
            })?;
            let mut windows = room / strides[axis] + 1;
            if rounds_up
                && !room.is_multiple_of(strides[axis])
                && windows * strides[axis] < grid[axis] + before[axis]
            {
                windows += 1;
            }
            counts.push(windows);
        }
        let windows =
            Windows { grid: grid.to_vec(), kernel: kernel.to_vec(), strides, dilations, before, counts };
        Ok((windows, after))
    }

    /// The weights' shape and numbers, and the number of groups.
    fn weights(&self, x: &Value) -> Result<(Vec<usize>, Vec<f64>, usize), Refusal> {
        let shape = self.input(1)?.shape;
        if x.shape.len() < 3 || shape.len() != x.shape.len() {
            return Err(Refusal::invalid(format!(
                "input of shape {:?}, weights of shape {shape:?}",
                x.shape
            )));
        }
        if shape.contains(&0) || x.shape.contains(&0) {
            return Err(Refusal::invalid("a length of 0"));
        }
        let groups = usize::try_from(self.node.integer("group", 1)).ok().filter(|groups| *groups > 0);
        let groups = groups.ok_or_else(|| Refusal::invalid("it has no groups"))?;
        Ok((shape, self.known(1)?, groups))
    }

    fn bias(&self, channels: usize) -> Result<Option<Vec<f64>>, Refusal> {
        if self.optional(2).is_none() {
            return Ok(None);
        }
        let bias = self.known(2)?;
        if bias.len() == channels {
            Ok(Some(bias))
        } else {
            Err(Refusal::invalid("its bias has another length"))
        }
    }
}

fn convolution(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let (shape, weights, groups) = l.weights(&x)?;
    let (coarse, fine) = (shape[0], shape[1]);
    if fine.saturating_mul(groups) != x.shape[1] || !coarse.is_multiple_of(groups) {
        return Err(Refusal::invalid(format!(
            "input of shape {:?} and weights of shape {shape:?} in {groups} groups",
            x.shape
        )));
    }
    let (windows, _) = l.windows(&x.shape[2..], &shape[2..])?;
    let kernel = Convolution {
        is_transposed: false,
        batch: x.shape[0],
        groups,
        fine,
        coarse: coarse / groups,
        cells: windows.cells(),
        window: windows.window(),
        table: windows.table(&l.builder.quota)?,
        weights,
        bias: l.bias(coarse)?,
    };
    let mut to = vec![x.shape[0], coarse];
    to.extend(&windows.counts);
    Ok(vec![scratched(l, kernel, &x, &to)?])
}

/// The gathered windows are memory too.
fn scratched(
    l: &mut Lowering<'_, '_>,
    kernel: Convolution,
    x: &Value,
    to: &[usize],
) -> Result<Value, Refusal> {
    let gathered = [kernel.fine, kernel.table.len()];
    super::super::quota::elements(&gathered, "of a convolution's windows", &l.builder.quota)?;
    l.builder.emit(kernel, &[x], to, Kind::Float)
}

fn transposed_convolution(l: &mut Lowering<'_, '_>) -> Lowered {
    let x = l.input(0)?;
    let (shape, weights, groups) = l.weights(&x)?;
    let (coarse, fine) = (shape[0], shape[1]);
    if coarse != x.shape[1] || !coarse.is_multiple_of(groups) {
        return Err(Refusal::invalid(format!(
            "input of shape {:?} and weights of shape {shape:?} in {groups} groups",
            x.shape
        )));
    }
    if l.node.has("output_shape") || l.node.text("auto_pad").is_some_and(|auto| auto != "NOTSET") {
        return Err(Refusal::unsupported("output_shape and auto_pad; export with pads"));
    }
    let rank = shape.len() - 2;
    let strides = l.lengths("strides", rank, 1, 1)?;
    let dilations = l.lengths("dilations", rank, 1, 1)?;
    let pads = l.lengths("pads", 2 * rank, 0, 0)?;
    let extra = l.lengths("output_padding", rank, 0, 0)?;
    let mut grid = Vec::with_capacity(rank);
    for axis in 0..rank {
        let span = (shape[2 + axis] - 1) * dilations[axis] + 1;
        let whole = (x.shape[2 + axis] - 1) * strides[axis] + span + extra[axis];
        let cells = whole.checked_sub(pads[axis] + pads[rank + axis]).filter(|cells| *cells > 0);
        grid.push(cells.ok_or_else(|| Refusal::invalid("its padding leaves nothing"))?);
    }
    let windows = Windows {
        grid,
        kernel: shape[2..].to_vec(),
        strides,
        dilations,
        before: pads[..rank].to_vec(),
        counts: x.shape[2..].to_vec(),
    };
    let mut to = vec![x.shape[0], fine * groups];
    to.extend(&windows.grid);
    super::super::quota::elements(&to, "of a result", &l.builder.quota)?;
    let kernel = Convolution {
        is_transposed: true,
        batch: x.shape[0],
        groups,
        fine,
        coarse: coarse / groups,
        cells: windows.cells(),
        window: windows.window(),
        table: windows.table(&l.builder.quota)?,
        weights,
        bias: l.bias(fine * groups)?,
    };
    Ok(vec![scratched(l, kernel, &x, &to)?])
}

fn pool(l: &mut Lowering<'_, '_>, pooling: Pooling) -> Lowered {
    let x = l.input(0)?;
    if x.shape.len() < 3 || x.shape.contains(&0) {
        return Err(Refusal::invalid(format!("input of shape {:?}", x.shape)));
    }
    let rank = x.shape.len() - 2;
    let kernel = l.lengths("kernel_shape", rank, 1, 1)?;
    let (windows, after) = l.windows(&x.shape[2..], &kernel)?;
    let includes_padding = pooling == Pooling::Mean && l.node.integer("count_include_pad", 0) != 0;
    let table = windows.table(&l.builder.quota)?;
    let divisors = if includes_padding {
        padded_counts(&windows, &after)
    } else {
        #[allow(clippy::cast_precision_loss)]
        let inside = |window: &[u32]| window.iter().filter(|&&cell| cell != FILLED).count() as f64;
        table.chunks_exact(windows.window()).map(inside).collect()
    };
    let mut shape = x.shape[..2].to_vec();
    shape.extend(&windows.counts);
    let planes = x.shape[0] * x.shape[1];
    let kernel = Pool { pooling, cells: windows.cells(), window: windows.window(), table, divisors, planes };
    Ok(vec![l.builder.emit(kernel, &[&x], &shape, Kind::Float)?])
}

/// The places of each window that lie on the grid or its padding: rounding up may let a window hang over both.
#[allow(clippy::cast_precision_loss)]
fn padded_counts(windows: &Windows, after: &[usize]) -> Vec<f64> {
    let total = windows.windows();
    let mut counts = vec![1.0; total];
    let mut stride = total;
    for axis in 0..windows.grid.len() {
        stride /= windows.counts[axis];
        let most = windows.before[axis] + windows.grid[axis] + after[axis];
        for (k, count) in counts.iter_mut().enumerate() {
            let start = k / stride % windows.counts[axis] * windows.strides[axis];
            let inside = (0..windows.kernel[axis])
                .filter(|place| start + place * windows.dilations[axis] < most)
                .count();
            *count *= inside as f64;
        }
    }
    counts
}

fn global(l: &mut Lowering<'_, '_>, pooling: Pooling) -> Lowered {
    let x = l.input(0)?;
    if x.shape.len() < 3 || x.shape.contains(&0) {
        return Err(Refusal::invalid(format!("input of shape {:?}", x.shape)));
    }
    let planes = x.shape[0] * x.shape[1];
    let length = x.length() / planes;
    let axis = super::super::kernel::reduce::Axis { outer: planes, length, inner: 1 };
    let reduction = if pooling == Pooling::Max { Reduction::Max } else { Reduction::Sum };
    let mut shape = x.shape.clone();
    shape[2..].fill(1);
    let kernel = super::super::kernel::reduce::Reduce { axis, reduction };
    let value = l.builder.emit(kernel, &[&x], &shape, Kind::Float)?;
    if pooling == Pooling::Max {
        return Ok(vec![value]);
    }
    #[allow(clippy::cast_precision_loss)]
    let scale = 1.0 / length as f64;
    Ok(vec![l.map(super::super::kernel::elementwise::Unary::Affine { scale, shift: 0.0 }, &value)?])
}
