//! The messages of an ONNX file (onnx.ai, `onnx.proto3`, IR versions 3 to 13) that a network needs, read in place.

use std::collections::HashMap;

use super::NetworkFault;
use super::quota::{self, Quota};
use super::tensor::{Kind, Tensor};
use super::wire::{Content, Fields};

/// Most axes a tensor may have.
const MAX_RANK: usize = 12;
/// Most inputs or outputs of a node.
const MAX_ARITY: usize = 4096;
/// Most attributes of a node; a small part of the file may ask for much memory otherwise.
const MAX_ATTRIBUTES: usize = 32;
/// Most pieces in which a tensor's numbers or an attribute's texts may come.
const MAX_PIECES: usize = 1 << 17;

/// A model: one graph, and the operator sets it was written against.
#[derive(Default)]
pub(super) struct Model<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) initializers: Vec<RawTensor<'a>>,
    pub(super) inputs: Vec<Interface<'a>>,
    pub(super) outputs: Vec<Interface<'a>>,
    /// Version of ONNX's own operators.
    pub(super) opset: i64,
}

/// One node.
#[derive(Default)]
pub(super) struct Node<'a> {
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    name: &'a str,
    operator: &'a str,
    domain: &'a str,
    attributes: HashMap<&'a str, Attribute<'a>>,
}

/// The value of an attribute; a graph is a body of a loop or a branch, which is all that is asked of it.
#[derive(Default)]
struct Attribute<'a> {
    float: f64,
    integer: i64,
    text: &'a [u8],
    tensor: Option<RawTensor<'a>>,
    floats: Vec<f64>,
    integers: Vec<i64>,
    texts: Vec<&'a [u8]>,
}

/// An input or output: its name, element type and shape, where told; a free length is `None`.
#[derive(Clone, Default)]
pub(super) struct Interface<'a> {
    pub(super) name: &'a str,
    pub(super) element: i64,
    pub(super) shape: Option<Vec<Option<usize>>>,
    pub(super) is_tensor: bool,
}

/// A tensor whose data is still in the file.
#[derive(Clone, Default)]
pub(super) struct RawTensor<'a> {
    pub(super) name: &'a str,
    dims: Vec<i64>,
    element: i64,
    raw: Option<&'a [u8]>,
    numbers: Vec<Content<'a>>,
    texts: usize,
    is_external: bool,
}

impl<'a> Model<'a> {
    /// Reads the file, whose size is within the quota.
    pub(super) fn read(bytes: &'a [u8], quota: &Quota) -> Result<Self, NetworkFault> {
        let (mut model, mut has_graph) = (Self::default(), false);
        let mut fields = Fields::of(bytes);
        while let Some((number, content)) = fields.next()? {
            match number {
                7 => {
                    has_graph = true;
                    model.read_graph(content.bytes()?, quota)?;
                }
                8 => model.read_opset(content.bytes()?)?,
                25 => {
                    return Err(NetworkFault::NotOnnx(
                        "it defines functions of its own; inline them when exporting",
                    ));
                }
                _ => {}
            }
        }
        if !has_graph {
            return Err(NetworkFault::NotOnnx("it has no graph"));
        }
        if model.opset == 0 {
            return Err(NetworkFault::NotOnnx("it does not say which version of the operators it uses"));
        }
        Ok(model)
    }

    fn read_opset(&mut self, message: &'a [u8]) -> Result<(), NetworkFault> {
        let (mut domain, mut version) = ("", 0);
        let mut fields = Fields::of(message);
        while let Some((number, content)) = fields.next()? {
            match number {
                1 => domain = content.text()?,
                2 => version = content.integer()?,
                _ => {}
            }
        }
        if domain.is_empty() || domain == "ai.onnx" {
            self.opset = version;
        }
        Ok(())
    }

    fn read_graph(&mut self, message: &'a [u8], quota: &Quota) -> Result<(), NetworkFault> {
        let mut fields = Fields::of(message);
        while let Some((number, content)) = fields.next()? {
            match number {
                1 => {
                    quota::within("the nodes of the graph", self.nodes.len() as u64 + 1, quota.nodes)?;
                    self.nodes.push(Node::read(content.bytes()?)?);
                }
                5 => {
                    quota::within(
                        "the tensors of the file",
                        self.initializers.len() as u64 + 1,
                        quota.nodes,
                    )?;
                    self.initializers.push(RawTensor::read(content.bytes()?)?);
                }
                11 | 12 => {
                    let interfaces = if number == 11 { &mut self.inputs } else { &mut self.outputs };
                    quota::within("the inputs and outputs", interfaces.len() as u64 + 1, quota.nodes)?;
                    interfaces.push(Interface::read(content.bytes()?)?);
                }
                15 => return Err(NetworkFault::NotOnnx("sparse tensors are not supported")),
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'a> Node<'a> {
    fn read(message: &'a [u8]) -> Result<Self, NetworkFault> {
        let mut node = Self::default();
        let mut fields = Fields::of(message);
        while let Some((number, content)) = fields.next()? {
            match number {
                1 => node.inputs.push(content.text()?),
                2 => node.outputs.push(content.text()?),
                3 => node.name = content.text()?,
                4 => node.operator = content.text()?,
                5 => {
                    let (name, attribute) = Attribute::read(content.bytes()?)?;
                    node.attributes.insert(name, attribute);
                    if node.attributes.len() > MAX_ATTRIBUTES {
                        return Err(NetworkFault::NotOnnx("a node with more than 32 attributes"));
                    }
                }
                7 => node.domain = content.text()?,
                _ => {}
            }
            if node.inputs.len().max(node.outputs.len()) > MAX_ARITY {
                return Err(NetworkFault::NotOnnx("a node with more than 4096 inputs or outputs"));
            }
        }
        Ok(node)
    }

    /// The operator, with its domain where that is not ONNX's own.
    pub(super) fn operator(&self) -> String {
        let known: String = self.operator.chars().take(80).collect();
        if self.domain.is_empty() || self.domain == "ai.onnx" {
            known
        } else {
            format!("{}.{known}", self.domain)
        }
    }

    /// What to call the node in front of people.
    pub(super) fn name(&self) -> String {
        let name =
            if self.name.is_empty() { self.outputs.first().copied().unwrap_or("?") } else { self.name };
        name.chars().take(120).collect()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }

    pub(super) fn integer(&self, name: &str, default: i64) -> i64 {
        self.attributes.get(name).map_or(default, |attribute| attribute.integer)
    }

    pub(super) fn float(&self, name: &str, default: f64) -> f64 {
        self.attributes.get(name).map_or(default, |attribute| attribute.float)
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.attributes.get(name).and_then(|attribute| std::str::from_utf8(attribute.text).ok())
    }

    pub(super) fn integers(&self, name: &str) -> Option<&[i64]> {
        self.attributes.get(name).map(|attribute| attribute.integers.as_slice())
    }

    pub(super) fn floats(&self, name: &str) -> Option<&[f64]> {
        self.attributes.get(name).map(|attribute| attribute.floats.as_slice())
    }

    pub(super) fn texts(&self, name: &str) -> Option<&[&'a [u8]]> {
        self.attributes.get(name).map(|attribute| attribute.texts.as_slice())
    }

    pub(super) fn tensor(&self, name: &str) -> Option<&RawTensor<'a>> {
        self.attributes.get(name).and_then(|attribute| attribute.tensor.as_ref())
    }
}

impl<'a> Attribute<'a> {
    fn read(message: &'a [u8]) -> Result<(&'a str, Self), NetworkFault> {
        let (mut name, mut attribute) = ("", Self::default());
        let mut fields = Fields::of(message);
        while let Some((number, content)) = fields.next()? {
            match number {
                1 => name = content.text()?,
                2 => {
                    let mut one = Vec::new();
                    content.floats(&mut one)?;
                    attribute.float = one.first().copied().unwrap_or(0.0);
                }
                3 => attribute.integer = content.integer()?,
                4 => attribute.text = content.bytes()?,
                5 => attribute.tensor = Some(RawTensor::read(content.bytes()?)?),
                7 => content.floats(&mut attribute.floats)?,
                8 => content.integers(&mut attribute.integers)?,
                9 => attribute.texts.push(content.bytes()?),
                _ => {}
            }
            if attribute.texts.len() > MAX_PIECES {
                return Err(NetworkFault::NotOnnx("an attribute in too many pieces"));
            }
        }
        Ok((name, attribute))
    }
}

impl<'a> Interface<'a> {
    fn read(message: &'a [u8]) -> Result<Self, NetworkFault> {
        let mut interface = Self::default();
        let mut fields = Fields::of(message);
        while let Some((number, content)) = fields.next()? {
            match number {
                1 => interface.name = content.text()?,
                2 => {
                    let mut kinds = Fields::of(content.bytes()?);
                    while let Some((number, content)) = kinds.next()? {
                        if number == 1 {
                            interface.is_tensor = true;
                            interface.read_tensor_type(content.bytes()?)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(interface)
    }

    fn read_tensor_type(&mut self, message: &'a [u8]) -> Result<(), NetworkFault> {
        let mut fields = Fields::of(message);
        while let Some((number, content)) = fields.next()? {
            match number {
                1 => self.element = content.integer()?,
                2 => {
                    let shape = self.shape.get_or_insert_default();
                    let mut dims = Fields::of(content.bytes()?);
                    while let Some((_, dim)) = dims.next()? {
                        let mut length = None;
                        let mut parts = Fields::of(dim.bytes()?);
                        while let Some((number, content)) = parts.next()? {
                            if number == 1 {
                                // Exporters write 0 or −1 for a free length.
                                length =
                                    usize::try_from(content.integer()?).ok().filter(|&length| length > 0);
                            }
                        }
                        if shape.len() == MAX_RANK {
                            return Err(NetworkFault::NotOnnx("an input or output with more than 12 axes"));
                        }
                        shape.push(length);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'a> RawTensor<'a> {
    fn read(message: &'a [u8]) -> Result<Self, NetworkFault> {
        let mut tensor = Self::default();
        let mut fields = Fields::of(message);
        while let Some((number, content)) = fields.next()? {
            match number {
                1 => content.integers(&mut tensor.dims)?,
                2 => tensor.element = content.integer()?,
                4 | 5 | 7 | 10 | 11 => tensor.numbers.push(content),
                6 => tensor.texts += 1,
                8 => tensor.name = content.text()?,
                9 => tensor.raw = Some(content.bytes()?),
                13 => tensor.is_external = true,
                14 => tensor.is_external |= content.integer()? != 0,
                _ => {}
            }
            if tensor.dims.len() > MAX_RANK {
                return Err(NetworkFault::NotOnnx("a tensor with more than 12 axes"));
            }
            if tensor.numbers.len() > MAX_PIECES {
                return Err(NetworkFault::NotOnnx("a tensor in too many pieces"));
            }
        }
        Ok(tensor)
    }

    /// The tensor with its numbers.
    ///
    /// # Errors
    /// Its header claims more than the quota allows, or something else than its data holds.
    pub(super) fn decode(&self, quota: &Quota) -> Result<Tensor, NetworkFault> {
        let name: String = self.name.chars().take(120).collect();
        let wrong = |reason: &str| NetworkFault::Tensor { name: name.clone(), reason: reason.to_owned() };
        if self.is_external {
            return Err(wrong("its data lies in another file; export the network into one file"));
        }
        let shape: Vec<usize> = self
            .dims
            .iter()
            .map(|&length| usize::try_from(length).map_err(|_| wrong("it has a negative length")))
            .collect::<Result<_, _>>()?;
        let expected = quota::elements(&shape, &name, quota)?;
        let (kind, width) = match self.element {
            1 => (Kind::Float, 4),
            10 | 16 => (Kind::Float, 2),
            11 => (Kind::Float, 8),
            2 | 3 => (Kind::Int, 1),
            4 | 5 => (Kind::Int, 2),
            6 | 12 => (Kind::Int, 4),
            7 | 13 => (Kind::Int, 8),
            8 => (Kind::Text, 0),
            9 => (Kind::Bool, 1),
            _ => return Err(wrong("numbers of its type are not supported")),
        };
        if kind == Kind::Text {
            let holds = if self.texts == expected {
                Ok(vec![0.0; expected])
            } else {
                Err(wrong("texts are missing"))
            };
            return holds.map(|data| Tensor { shape, kind, data: data.into() });
        }
        let data = match self.raw {
            Some(raw) if raw.len() / width == expected && raw.len().is_multiple_of(width) => {
                raw.chunks_exact(width).map(|bytes| number(self.element, bytes)).collect()
            }
            Some(_) => return Err(wrong("its data is shorter or longer than its shape says")),
            None => self.numbers(expected)?,
        };
        if data.len() != expected {
            return Err(wrong("its data is shorter or longer than its shape says"));
        }
        Ok(Tensor { shape, kind, data: data.into() })
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn numbers(&self, expected: usize) -> Result<Vec<f64>, NetworkFault> {
        let mut data = Vec::new();
        for content in &self.numbers {
            match self.element {
                1 => content.floats(&mut data)?,
                11 => content.doubles(&mut data)?,
                10 | 16 => {
                    let mut halves = Vec::new();
                    content.integers(&mut halves)?;
                    data.extend(
                        halves.iter().map(|&bits| number(self.element, &(bits as u16).to_le_bytes())),
                    );
                }
                _ => {
                    let mut integers = Vec::new();
                    content.integers(&mut integers)?;
                    data.extend(integers.iter().map(|&integer| integer as f64));
                }
            }
            if data.len() > expected {
                break;
            }
        }
        Ok(data)
    }
}

/// One number of type `element` from its little-endian bytes, as many as the type has.
#[allow(clippy::cast_precision_loss)]
fn number(element: i64, bytes: &[u8]) -> f64 {
    let mut wide = [0_u8; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let bits = u64::from_le_bytes(wide);
    let negative = bytes.last().is_some_and(|&byte| byte & 0x80 != 0);
    let extended = if negative && bytes.len() < 8 { bits | u64::MAX << (8 * bytes.len()) } else { bits };
    match element {
        1 => f64::from(f32::from_bits(extended as u32)),
        11 => f64::from_bits(bits),
        16 => f64::from(f32::from_bits((bits as u32) << 16)),
        10 => half(bits as u16),
        3 | 5 | 6 | 7 => extended.cast_signed() as f64,
        _ => bits as f64,
    }
}

/// An IEEE 754 half-precision number.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    match exponent {
        0 => sign * fraction * 2.0_f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2.0_f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp)]
    fn numbers_of_every_type_are_read() {
        assert_eq!(number(3, &[0xff]), -1.0);
        assert_eq!(number(2, &[0xff]), 255.0);
        assert_eq!(number(7, &(-3_i64).to_le_bytes()), -3.0);
        assert_eq!(number(6, &(-3_i32).to_le_bytes()), -3.0);
        assert_eq!(number(1, &1.5_f32.to_le_bytes()), 1.5);
        assert_eq!(number(16, &[0x80, 0x3f]), 1.0);
        // From the table of examples in IEEE 754's binary16.
        for (bits, value) in [(0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x0001, 2.0_f64.powi(-24))] {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }
}
