//! The wire format of protocol buffers, as far as ONNX files use it: a message is a row of numbered fields.
//!
//! Read in place and lazily: nothing is allocated here, so that a file can claim any size without costing it. Written
//! against the encoding's specification (protobuf.dev/programming-guides/encoding).

use super::NetworkFault;

/// The content of one field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Content<'a> {
    /// A variable-length integer.
    Varint(u64),
    /// Eight bytes, little-endian.
    Fixed64(u64),
    /// Four bytes, little-endian.
    Fixed32(u32),
    /// Text, a message, or packed numbers.
    Bytes(&'a [u8]),
}

/// The fields of a message, in the order of the file.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field's number and content; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Content<'a>)>, NetworkFault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let content = match key & 7 {
            0 => Content::Varint(self.varint()?),
            1 => {
                let bytes = self.take(8)?;
                Content::Fixed64(bytes.iter().rev().fold(0, |number, &b| number << 8 | u64::from(b)))
            }
            2 => {
                let length = self.varint()?;
                Content::Bytes(self.take(usize::try_from(length).map_err(|_| NetworkFault::Truncated)?)?)
            }
            5 => {
                let bytes = self.take(4)?;
                Content::Fixed32(bytes.iter().rev().fold(0, |number, &b| number << 8 | u32::from(b)))
            }
            _ => return Err(NetworkFault::NotOnnx("a field of a kind that protocol buffers do not have")),
        };
        Ok(Some((key >> 3, content)))
    }

    fn varint(&mut self) -> Result<u64, NetworkFault> {
        let mut number = 0;
        for (i, &byte) in self.rest.iter().take(10).enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[i + 1..];
                return Ok(number);
            }
        }
        Err(NetworkFault::Truncated)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], NetworkFault> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(NetworkFault::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'a> Content<'a> {
    /// As text.
    pub(super) fn text(self) -> Result<&'a str, NetworkFault> {
        std::str::from_utf8(self.bytes()?).map_err(|_| NetworkFault::NotOnnx("text that is not UTF-8"))
    }

    /// As bytes.
    pub(super) fn bytes(self) -> Result<&'a [u8], NetworkFault> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(NetworkFault::NotOnnx("a number where text or a message belongs")),
        }
    }

    /// As a signed integer.
    #[allow(clippy::cast_possible_wrap)]
    pub(super) fn integer(self) -> Result<i64, NetworkFault> {
        match self {
            Self::Varint(number) => Ok(number as i64),
            _ => Err(NetworkFault::NotOnnx("something else where an integer belongs")),
        }
    }

    /// Adds one integer, or packed ones.
    #[allow(clippy::cast_possible_wrap)]
    pub(super) fn integers(self, into: &mut Vec<i64>) -> Result<(), NetworkFault> {
        match self {
            Self::Varint(number) => into.push(number as i64),
            Self::Bytes(packed) => {
                let mut rest = Fields::of(packed);
                while !rest.rest.is_empty() {
                    into.push(rest.varint()? as i64);
                }
            }
            _ => return Err(NetworkFault::NotOnnx("something else where integers belong")),
        }
        Ok(())
    }

    /// Adds one 32-bit float, or packed ones.
    pub(super) fn floats(self, into: &mut Vec<f64>) -> Result<(), NetworkFault> {
        match self {
            Self::Fixed32(bits) => into.push(f64::from(f32::from_bits(bits))),
            Self::Bytes(packed) if packed.len().is_multiple_of(4) => {
                into.extend(packed.as_chunks::<4>().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))));
            }
            _ => return Err(NetworkFault::NotOnnx("something else where floats belong")),
        }
        Ok(())
    }

    /// Adds one 64-bit float, or packed ones.
    pub(super) fn doubles(self, into: &mut Vec<f64>) -> Result<(), NetworkFault> {
        match self {
            Self::Fixed64(bits) => into.push(f64::from_bits(bits)),
            Self::Bytes(packed) if packed.len().is_multiple_of(8) => {
                into.extend(packed.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b)));
            }
            _ => return Err(NetworkFault::NotOnnx("something else where doubles belong")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_the_order_of_the_bytes() {
        // The specification's own examples: field 1 = 150, field 2 = "testing".
        let message = [0x08, 0x96, 0x01, 0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67];
        let mut fields = Fields::of(&message);
        assert_eq!(fields.next().ok().flatten(), Some((1, Content::Varint(150))));
        assert_eq!(fields.next().ok().flatten(), Some((2, Content::Bytes(b"testing"))));
        assert!(matches!(fields.next(), Ok(None)));
        for length in [1, 2, 4, 11] {
            let mut fields = Fields::of(&message[..length]);
            let outcome = std::iter::from_fn(|| fields.next().transpose()).collect::<Result<Vec<_>, _>>();
            assert_eq!(outcome.is_err(), length != 3, "{length}");
        }
    }
}
