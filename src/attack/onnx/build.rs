//! From a file to a compiled network: what the outputs need is put in order, constants are computed once, shapes become
//! fixed, and every number of a quota is checked before it is spent.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::NetworkFault;
use super::fault::Refusal;
use super::file::{Interface, Model, Node};
use super::kernel::Kernel;
use super::lower::lower;
use super::network::{Network, Parts, Port, Source, Step};
use super::quota::{self, Quota};
use super::tensor::{Kind, Tensor, count};

/// A value of the graph: its shape, and where its numbers come from.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) shape: Vec<usize>,
    pub(super) kind: Kind,
    pub(super) source: Source,
}

impl Value {
    pub(super) fn constant(shape: Vec<usize>, kind: Kind, data: impl Into<Arc<[f64]>>) -> Self {
        Self { shape, kind, source: Source::Constant(data.into()) }
    }

    pub(super) fn length(&self) -> usize {
        count(&self.shape)
    }

    /// The numbers, where they do not depend on the input.
    pub(super) fn known(&self) -> Option<&[f64]> {
        match &self.source {
            Source::Constant(data) => Some(data),
            Source::Slot(_) => None,
        }
    }

    /// The same numbers in another shape of as many elements.
    pub(super) fn reshaped(&self, shape: Vec<usize>) -> Self {
        Self { shape, ..self.clone() }
    }
}

/// A network in the making.
pub(super) struct Builder {
    pub(super) quota: Quota,
    pub(super) opset: i64,
    lengths: Vec<usize>,
    steps: Vec<Step>,
    elements: u64,
    folded: u64,
    work: u64,
    flat: Vec<String>,
}

impl Builder {
    /// A kernel's result. Of constants it is computed at once.
    pub(super) fn emit(
        &mut self,
        kernel: impl Kernel + 'static,
        inputs: &[&Value],
        shape: &[usize],
        kind: Kind,
    ) -> Result<Value, Refusal> {
        let length = quota::elements(shape, "of a result", &self.quota)?;
        self.elements += length as u64;
        quota::within("all values together", self.elements, self.quota.total_elements)?;
        let shape = shape.to_vec();
        let known: Option<Vec<&[f64]>> = inputs.iter().map(|input| input.known()).collect();
        if let Some(known) = known {
            self.folded = self.folded.saturating_add(kernel.work());
            quota::within("the work of loading", self.folded, self.quota.work)?;
            let mut data = vec![0.0; length];
            kernel.forward(&known, &mut data, &mut Vec::new());
            return Ok(Value::constant(shape, kind, data));
        }
        self.work = self.work.saturating_add(kernel.work());
        quota::within("the work of one evaluation", self.work, self.quota.work)?;
        let output = self.lengths.len();
        self.lengths.push(length);
        let inputs = inputs.iter().map(|input| input.source.clone()).collect();
        self.steps.push(Step { kernel: Box::new(kernel), inputs, output });
        Ok(Value { shape, kind, source: Source::Slot(output) })
    }
}

impl Network {
    /// Reads and compiles an ONNX file.
    ///
    /// # Errors
    /// The first fault found; nothing the file claims costs more than `quota` before it is found.
    pub fn load(bytes: &[u8], quota: &Quota) -> Result<Self, NetworkFault> {
        quota::within("the bytes of the file", bytes.len() as u64, quota.file_bytes)?;
        let model = Model::read(bytes, quota)?;
        let outputs = wanted(&model)?;
        let order = ordered(&model, &outputs)?;
        let mut builder = Builder {
            quota: *quota,
            opset: model.opset,
            lengths: Vec::new(),
            steps: Vec::new(),
            elements: 0,
            folded: 0,
            work: 0,
            flat: Vec::new(),
        };
        let (mut values, weights) = constants(&model, quota)?;
        let inputs = builder.inputs(&model, &mut values)?;
        let mut flat = HashSet::new();
        for &index in &order {
            let node = &model.nodes[index];
            let before = builder.steps.len();
            builder.add(node, &mut values)?;
            if builder.steps[before..].iter().any(|step| step.kernel.is_flat())
                && flat.insert(node.operator())
            {
                builder.flat.push(node.operator());
            }
        }
        let outputs: Vec<Port> = outputs
            .iter()
            .filter_map(|name| values.get(name).map(|value| (name, value)))
            .filter(|(_, value)| value.kind == Kind::Float)
            .map(|(name, value)| Port {
                name: (*name).to_owned(),
                shape: value.shape.clone(),
                from: value.source.clone(),
            })
            .collect();
        if outputs.iter().map(Port::length).sum::<usize>() == 0 {
            let what = "the network has no output of floating-point numbers; a classifier's probabilities must be a \
                        tensor (skl2onnx: zipmap=False)";
            return Err(NetworkFault::Interface(what.to_owned()));
        }
        let Builder { lengths, steps, work, flat, .. } = builder;
        let is_active = Parts::active(lengths.len(), &steps, &inputs, &outputs);
        let parts = Parts { lengths, steps, inputs, outputs, work, is_active, flat, weights };
        Ok(Self { parts: Arc::new(parts) })
    }
}

impl Builder {
    /// The graph's inputs without initial values.
    fn inputs<'a>(
        &mut self,
        model: &Model<'a>,
        values: &mut HashMap<&'a str, Value>,
    ) -> Result<Vec<Port>, NetworkFault> {
        let mut ports = Vec::new();
        for input in &model.inputs {
            if values.contains_key(input.name) {
                continue;
            }
            let shape = fixed(input)?;
            let length = quota::elements(&shape, input.name, &self.quota)?;
            self.elements += length as u64;
            quota::within("all values together", self.elements, self.quota.total_elements)?;
            let source = Source::Slot(self.lengths.len());
            self.lengths.push(length);
            ports.push(Port { name: input.name.to_owned(), shape: shape.clone(), from: source.clone() });
            values.insert(input.name, Value { shape, kind: Kind::Float, source });
        }
        if ports.iter().map(Port::length).sum::<usize>() == 0 {
            return Err(NetworkFault::Interface("the network has no input".to_owned()));
        }
        Ok(ports)
    }

    fn add<'a>(&mut self, node: &Node<'a>, values: &mut HashMap<&'a str, Value>) -> Result<(), NetworkFault> {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for name in &node.inputs {
            let value = if name.is_empty() { None } else { Some(values.get(name)) };
            match value {
                None => inputs.push(None),
                Some(Some(value)) => inputs.push(Some(value.clone())),
                Some(None) => {
                    return Err(NetworkFault::Undefined { node: node.name(), value: (*name).to_owned() });
                }
            }
        }
        let results =
            lower(self, node, &inputs).map_err(|refusal| refusal.of(&node.operator(), &node.name()))?;
        for (name, value) in node.outputs.iter().zip(results) {
            if !name.is_empty() {
                values.insert(name, value);
            }
        }
        Ok(())
    }
}

/// The shape of an input; a free first length is a batch of one.
fn fixed(input: &Interface<'_>) -> Result<Vec<usize>, NetworkFault> {
    let name = input.name;
    let Some(shape) = &input.shape else {
        return Err(NetworkFault::Interface(format!(
            "input {name} has no shape; export the network with one"
        )));
    };
    if !matches!(input.element, 1 | 10 | 11 | 16) {
        return Err(NetworkFault::Interface(format!("input {name} does not take floating-point numbers")));
    }
    let lengths = shape.iter().enumerate().map(|(axis, length)| match length {
        Some(length) => Ok(*length),
        None if axis == 0 && shape.len() > 1 => Ok(1),
        None => Err(NetworkFault::Interface(format!(
            "input {name} has no fixed length along axis {axis}; export the network with one"
        ))),
    });
    lengths.collect()
}

/// The outputs that can be numbers.
fn wanted<'a>(model: &Model<'a>) -> Result<Vec<&'a str>, NetworkFault> {
    let names: Vec<&str> = model
        .outputs
        .iter()
        .filter(|output| output.is_tensor && matches!(output.element, 0 | 1 | 10 | 11 | 16))
        .map(|output| output.name)
        .collect();
    if names.is_empty() {
        let what = "the network has no output of floating-point numbers; a classifier's probabilities must be a \
                    tensor (skl2onnx: zipmap=False)";
        return Err(NetworkFault::Interface(what.to_owned()));
    }
    Ok(names)
}

/// The file's tensors by name, and how many floating-point numbers they hold.
fn constants<'a>(model: &Model<'a>, quota: &Quota) -> Result<(HashMap<&'a str, Value>, u64), NetworkFault> {
    let (mut values, mut total, mut weights) = (HashMap::new(), 0, 0);
    for raw in &model.initializers {
        let Tensor { shape, kind, data } = raw.decode(quota)?;
        total += data.len() as u64;
        quota::within("all tensors together", total, quota.total_elements)?;
        weights += if kind == Kind::Float { data.len() as u64 } else { 0 };
        values.insert(raw.name, Value { shape, kind, source: Source::Constant(data) });
    }
    Ok((values, weights))
}

/// The nodes that the outputs need, each after those it needs.
fn ordered(model: &Model<'_>, outputs: &[&str]) -> Result<Vec<usize>, NetworkFault> {
    let mut maker: HashMap<&str, usize> = HashMap::new();
    for (index, node) in model.nodes.iter().enumerate() {
        for name in node.outputs.iter().filter(|name| !name.is_empty()) {
            if maker.insert(name, index).is_some() {
                return Err(NetworkFault::Invalid {
                    operator: node.operator(),
                    node: node.name(),
                    reason: format!("{name} is computed twice"),
                });
            }
        }
    }
    let mut order = Vec::new();
    let (mut is_entered, mut is_done) = (vec![false; model.nodes.len()], vec![false; model.nodes.len()]);
    let mut stack: Vec<usize> = outputs.iter().rev().filter_map(|name| maker.get(name).copied()).collect();
    while let Some(&index) = stack.last() {
        if is_done[index] {
            stack.pop();
            continue;
        }
        if is_entered[index] {
            is_done[index] = true;
            order.push(index);
            stack.pop();
            continue;
        }
        is_entered[index] = true;
        for name in &model.nodes[index].inputs {
            if let Some(&before) = maker.get(name) {
                if is_entered[before] && !is_done[before] {
                    return Err(NetworkFault::Cyclic { node: model.nodes[before].name() });
                }
                if !is_done[before] {
                    stack.push(before);
                }
            }
        }
    }
    Ok(order)
}
