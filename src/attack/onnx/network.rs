//! A compiled network: kernels in order, evaluated forwards, and backwards for vector-Jacobian products.
//!
//! All shapes are fixed, so that an evaluation's work and memory are known before it starts. The products are by reverse
//! mode: one backward pass costs about as much as a forward one, whatever the dimensions (Griewank & Walther, *Evaluating
//! Derivatives*, 2008, chapter 3). Backwards goes only what lies on a differentiable way from the input to the output.

use std::sync::Arc;

use super::kernel::{Backward, Kernel};

/// A function y(x) given by an ONNX file. Cheap to clone.
#[derive(Clone)]
pub struct Network {
    pub(super) parts: Arc<Parts>,
}

/// What a network is made of.
pub(super) struct Parts {
    /// The lengths of all values that depend on the input.
    pub(super) lengths: Vec<usize>,
    pub(super) steps: Vec<Step>,
    pub(super) inputs: Vec<Port>,
    pub(super) outputs: Vec<Port>,
    pub(super) work: u64,
    /// Which values lie on a differentiable way from the input to the output.
    pub(super) is_active: Vec<bool>,
    /// The operators that gradients do not pass through.
    pub(super) flat: Vec<String>,
    pub(super) weights: u64,
}

/// A named input or output.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Its name in the file.
    pub name: String,
    /// Its shape, free lengths taken as 1.
    pub shape: Vec<usize>,
    pub(super) from: Source,
}

/// One kernel and what it reads and writes.
pub(super) struct Step {
    pub(super) kernel: Box<dyn Kernel>,
    pub(super) inputs: Vec<Source>,
    pub(super) output: usize,
}

/// A value that depends on the input, by number, or a constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    Slot(usize),
    Constant(Arc<[f64]>),
}

/// The memory of one evaluation, which its gradient needs; reused from one to the next.
#[derive(Default)]
pub struct Workspace {
    values: Vec<Vec<f64>>,
    adjoints: Vec<Vec<f64>>,
    scratch: Vec<f64>,
}

impl Port {
    /// How many numbers it takes or gives.
    pub fn length(&self) -> usize {
        super::tensor::count(&self.shape)
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network")
            .field("inputs", &self.inputs())
            .field("outputs", &self.outputs())
            .finish_non_exhaustive()
    }
}

impl Network {
    /// Its inputs, in the order of the file.
    pub fn inputs(&self) -> &[Port] {
        &self.parts.inputs
    }

    /// Its floating-point outputs, in the order of the file: y is one after another.
    pub fn outputs(&self) -> &[Port] {
        &self.parts.outputs
    }

    /// The length of x, all inputs one after another.
    pub fn input_length(&self) -> usize {
        self.parts.inputs.iter().map(Port::length).sum()
    }

    /// The length of y.
    pub fn output_length(&self) -> usize {
        self.parts.outputs.iter().map(Port::length).sum()
    }

    /// Whether some differentiable way leads from the input to the output.
    pub fn has_gradient(&self) -> bool {
        self.parts
            .inputs
            .iter()
            .any(|port| matches!(port.from, Source::Slot(slot) if self.parts.is_active[slot]))
    }

    /// The operators that gradients do not pass through, by name.
    pub fn flat_operators(&self) -> &[String] {
        &self.parts.flat
    }

    /// Multiplications and additions of one evaluation, about.
    pub fn work(&self) -> u64 {
        self.parts.work
    }

    /// How many fixed numbers there are in the file's tensors.
    pub fn weights(&self) -> u64 {
        self.parts.weights
    }

    /// y(x). `x` has [`Self::input_length`] numbers; missing ones count 0.
    pub fn evaluate(&self, x: &[f64], workspace: &mut Workspace) -> Vec<f64> {
        let Workspace { values, scratch, .. } = workspace;
        values.resize_with(self.parts.lengths.len(), Vec::new);
        for (value, &length) in values.iter_mut().zip(&self.parts.lengths) {
            value.resize(length, 0.0);
        }
        let mut rest = x;
        for port in &self.parts.inputs {
            if let Source::Slot(slot) = port.from {
                let (own, others) = rest.split_at(port.length().min(rest.len()));
                values[slot].fill(0.0);
                values[slot][..own.len()].copy_from_slice(own);
                rest = others;
            }
        }
        for step in &self.parts.steps {
            let mut output = std::mem::take(&mut values[step.output]);
            let inputs: Vec<&[f64]> = step.inputs.iter().map(|source| source.read(values)).collect();
            step.kernel.forward(&inputs, &mut output, scratch);
            values[step.output] = output;
        }
        self.parts.outputs.iter().flat_map(|port| port.from.read(values).iter().copied()).collect()
    }

    /// ∇ₓ ⟨u, y(x)⟩ at the x of the workspace's last evaluation by this network; zero where no gradient passes.
    pub fn pull_back(&self, u: &[f64], workspace: &mut Workspace) -> Vec<f64> {
        let Workspace { values, adjoints, scratch } = workspace;
        adjoints.resize_with(self.parts.lengths.len(), Vec::new);
        for (slot, adjoint) in adjoints.iter_mut().enumerate() {
            adjoint.clear();
            if self.parts.is_active[slot] {
                adjoint.resize(self.parts.lengths[slot], 0.0);
            }
        }
        let mut rest = u;
        for port in &self.parts.outputs {
            let (own, others) = rest.split_at(port.length().min(rest.len()));
            if let Source::Slot(slot) = port.from
                && self.parts.is_active[slot]
            {
                adjoints[slot].iter_mut().zip(own).for_each(|(a, u)| *a += u);
            }
            rest = others;
        }
        for step in self.parts.steps.iter().rev() {
            if !self.parts.is_active[step.output] || step.kernel.is_flat() {
                continue;
            }
            let adjoint = std::mem::take(&mut adjoints[step.output]);
            let inputs: Vec<&[f64]> = step.inputs.iter().map(|source| source.read(values)).collect();
            let at = Backward { inputs: &inputs, output: &values[step.output], adjoint: &adjoint };
            for (which, source) in step.inputs.iter().enumerate() {
                if let Source::Slot(slot) = *source
                    && self.parts.is_active[slot]
                {
                    step.kernel.backward(&at, which, &mut adjoints[slot], scratch);
                }
            }
            adjoints[step.output] = adjoint;
        }
        let mut gradient = Vec::with_capacity(self.input_length());
        for port in &self.parts.inputs {
            match port.from {
                Source::Slot(slot) if self.parts.is_active[slot] => {
                    gradient.extend_from_slice(&adjoints[slot])
                }
                _ => gradient.extend(std::iter::repeat_n(0.0, port.length())),
            }
        }
        gradient
    }
}

impl Source {
    fn read<'a>(&'a self, values: &'a [Vec<f64>]) -> &'a [f64] {
        match self {
            Self::Slot(slot) => &values[*slot],
            Self::Constant(data) => data,
        }
    }
}

impl Parts {
    /// Which values lie on a differentiable way from an input to an output.
    pub(super) fn active(lengths: usize, steps: &[Step], inputs: &[Port], outputs: &[Port]) -> Vec<bool> {
        let (mut from_input, mut to_output) = (vec![false; lengths], vec![false; lengths]);
        let slots = |ports: &[Port], marks: &mut [bool]| {
            for port in ports {
                if let Source::Slot(slot) = port.from {
                    marks[slot] = true;
                }
            }
        };
        slots(inputs, &mut from_input);
        slots(outputs, &mut to_output);
        for step in steps.iter().filter(|step| !step.kernel.is_flat()) {
            let reads = |source: &Source| matches!(*source, Source::Slot(slot) if from_input[slot]);
            if step.inputs.iter().any(reads) {
                from_input[step.output] = true;
            }
        }
        for step in steps.iter().rev().filter(|step| !step.kernel.is_flat()) {
            if to_output[step.output] {
                for source in &step.inputs {
                    if let Source::Slot(slot) = *source {
                        to_output[slot] = true;
                    }
                }
            }
        }
        from_input.iter().zip(&to_output).map(|(a, b)| *a && *b).collect()
    }
}
