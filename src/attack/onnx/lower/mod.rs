//! The operators: one node of the graph into some kernels.
//!
//! Definitions are those of ONNX (onnx.ai/onnx/operators), at the version that the file names where they changed. To add
//! an operator, add its line to the `match` of the file it belongs to.

mod convolution;
mod elementwise;
mod learned;
mod matrix;
mod movement;
mod reduction;
mod shaping;

use super::build::{Builder, Value};
use super::fault::Refusal;
use super::file::Node;
use super::kernel::elementwise::{Alignment, Binary, Map, Unary, Zip};
use super::kernel::select::Select;
use super::tensor::{self, Kind, broadcast, broadcast_index};

/// A node with the values it reads, and where its kernels go.
struct Lowering<'a, 'b> {
    builder: &'a mut Builder,
    node: &'a Node<'b>,
    inputs: &'a [Option<Value>],
}

type Lowered = Result<Vec<Value>, Refusal>;

/// The values that a node computes, in the order of its outputs.
pub(super) fn lower(builder: &mut Builder, node: &Node<'_>, inputs: &[Option<Value>]) -> Lowered {
    let operator = node.operator();
    let mut lowering = Lowering { builder, node, inputs };
    let families = [
        elementwise::lower,
        matrix::lower,
        movement::lower,
        shaping::lower,
        reduction::lower,
        convolution::lower,
        learned::lower,
    ];
    for family in families {
        if let Some(values) = family(&mut lowering, &operator)? {
            return Ok(values);
        }
    }
    Err(Refusal::Unsupported(None))
}

impl Lowering<'_, '_> {
    fn input(&self, index: usize) -> Result<Value, Refusal> {
        self.optional(index).ok_or_else(|| Refusal::invalid(format!("it has no input {index}")))
    }

    fn optional(&self, index: usize) -> Option<Value> {
        self.inputs.get(index).cloned().flatten()
    }

    /// The numbers of an input that must not depend on the network's input.
    fn known(&self, index: usize) -> Result<Vec<f64>, Refusal> {
        let value = self.input(index)?;
        let known = value.known().map(<[f64]>::to_vec);
        known.ok_or_else(|| {
            Refusal::unsupported(format!("its input {index} is computed from the network's input"))
        })
    }

    /// Integers from an attribute, or from an input where the operator's version has them there.
    #[allow(clippy::cast_possible_truncation)]
    fn integers(&self, attribute: &str, index: usize) -> Result<Option<Vec<i64>>, Refusal> {
        if let Some(integers) = self.node.integers(attribute) {
            return Ok(Some(integers.to_vec()));
        }
        match self.optional(index) {
            None => Ok(None),
            Some(_) => Ok(Some(self.known(index)?.iter().map(|&x| x as i64).collect())),
        }
    }

    fn map(&mut self, function: Unary, x: &Value) -> Result<Value, Refusal> {
        let shape = x.shape.clone();
        self.builder.emit(Map { function, length: x.length() }, &[x], &shape, x.kind)
    }

    fn zip(&mut self, function: Binary, a: &Value, b: &Value, kind: Kind) -> Result<Value, Refusal> {
        let shape = broadcast(&a.shape, &b.shape)?;
        let length = super::quota::elements(&shape, "of a result", &self.builder.quota)?;
        let align = |operand: &Value| match operand.length() {
            same if same == length => Alignment::Same,
            1 => Alignment::One,
            operand_length => Alignment::of(broadcast_index(&operand.shape, &shape), operand_length),
        };
        let kernel = Zip { function, left: align(a), right: align(b), length };
        self.builder.emit(kernel, &[a, b], &shape, kind)
    }

    /// The numbers of `x` at `index`, in `shape`.
    fn select(&mut self, x: &Value, index: Vec<u32>, shape: &[usize]) -> Result<Value, Refusal> {
        self.builder.emit(Select { index, fill: 0.0 }, &[x], shape, x.kind)
    }

    fn transposed(&mut self, x: &Value, order: &[usize]) -> Result<Value, Refusal> {
        if order.iter().enumerate().all(|(i, &axis)| i == axis) {
            return Ok(x.clone());
        }
        let strides = tensor::strides(&x.shape);
        let shape: Vec<usize> = order.iter().map(|&axis| x.shape[axis]).collect();
        let strides: Vec<usize> = order.iter().map(|&axis| strides[axis]).collect();
        let index = tensor::strided_index(&shape, &strides, 0);
        self.select(x, index, &shape)
    }

    fn expanded(&mut self, x: &Value, shape: &[usize]) -> Result<Value, Refusal> {
        if x.shape == shape {
            return Ok(x.clone());
        }
        super::quota::elements(shape, "of a result", &self.builder.quota)?;
        let index = broadcast_index(&x.shape, shape);
        self.select(x, index, shape)
    }

    /// `axis`, which may count from the end of a tensor with `rank` axes.
    fn axis(&self, default: i64, rank: usize) -> Result<usize, Refusal> {
        tensor::axis(self.node.integer("axis", default), rank)
    }
}
