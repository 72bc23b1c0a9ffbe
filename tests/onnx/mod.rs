//! The smallest writer of ONNX files that can write wrong ones.

pub(crate) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

pub(crate) fn integer(field: u64, number: i64) -> Vec<u8> {
    [varint(field << 3), varint(number.cast_unsigned())].concat()
}

pub(crate) fn message(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

pub(crate) fn node(
    operator: &str,
    name: &str,
    inputs: &[&str],
    outputs: &[&str],
    attributes: &[Vec<u8>],
) -> Vec<u8> {
    let mut content = Vec::new();
    inputs.iter().for_each(|input| content.extend(message(1, input.as_bytes())));
    outputs.iter().for_each(|output| content.extend(message(2, output.as_bytes())));
    content.extend(message(3, name.as_bytes()));
    content.extend(message(4, operator.as_bytes()));
    attributes.iter().for_each(|attribute| content.extend(message(5, attribute)));
    message(1, &content)
}

pub(crate) fn tensor(name: &str, dims: &[i64], data: &[f32]) -> Vec<u8> {
    let mut content = Vec::new();
    dims.iter().for_each(|&length| content.extend(integer(1, length)));
    content.extend(integer(2, 1));
    content.extend(message(8, name.as_bytes()));
    let raw: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
    content.extend(message(9, &raw));
    message(5, &content)
}

pub(crate) fn integers(name: &str, data: &[i64]) -> Vec<u8> {
    let mut content = integer(1, i64::try_from(data.len()).unwrap());
    content.extend(integer(2, 7));
    content.extend(message(8, name.as_bytes()));
    let raw: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
    content.extend(message(9, &raw));
    message(5, &content)
}

fn interface(field: u64, name: &str, dims: &[i64]) -> Vec<u8> {
    let lengths: Vec<u8> = dims.iter().flat_map(|&length| message(1, &integer(1, length))).collect();
    let kind = message(1, &[integer(1, 1), message(2, &lengths)].concat());
    message(field, &[message(1, name.as_bytes()), message(2, &kind)].concat())
}

/// A model from x (1 × `inputs`) to y.
pub(crate) fn model(inputs: i64, graph: &[Vec<u8>]) -> Vec<u8> {
    let mut content: Vec<u8> = graph.concat();
    content.extend(interface(11, "x", &[1, inputs]));
    content.extend(interface(12, "y", &[]));
    [integer(1, 8), message(7, &content), message(8, &integer(2, 17))].concat()
}
