//! Everything that only moves numbers: transposes, slices, gathers, expansions, padding, joining.

use super::{Backward, Kernel};

/// Reads nothing: the fill value stands there.
pub(in super::super) const FILLED: u32 = u32::MAX;

/// out\[i] = input\[index\[i]], or the fill value at [`FILLED`].
pub(in super::super) struct Select {
    pub(in super::super) index: Vec<u32>,
    pub(in super::super) fill: f64,
}

impl Kernel for Select {
    fn forward(&self, inputs: &[&[f64]], output: &mut [f64], _: &mut Vec<f64>) {
        for (out, &from) in output.iter_mut().zip(&self.index) {
            *out = inputs[0].get(from as usize).copied().unwrap_or(self.fill);
        }
    }

    fn backward(&self, at: &Backward<'_>, _: usize, adjoint: &mut [f64], _: &mut Vec<f64>) {
        for (&of_out, &from) in at.adjoint.iter().zip(&self.index) {
            if let Some(into) = adjoint.get_mut(from as usize) {
                *into += of_out;
            }
        }
    }

    fn work(&self) -> u64 {
        self.index.len() as u64
    }
}

/// Some tensors side by side along an axis: for each of `outer` places, `lengths[k]` numbers of input k in turn.
pub(in super::super) struct Concat {
    pub(in super::super) outer: usize,
    pub(in super::super) lengths: Vec<usize>,
}

impl Concat {
    fn stride(&self) -> usize {
        self.lengths.iter().sum()
    }
}

impl Kernel for Concat {
    fn forward(&self, inputs: &[&[f64]], output: &mut [f64], _: &mut Vec<f64>) {
        let mut start = 0;
        for (input, &length) in inputs.iter().zip(&self.lengths) {
            for place in 0..self.outer {
                let into = &mut output[place * self.stride() + start..][..length];
                into.copy_from_slice(&input[place * length..][..length]);
            }
            start += length;
        }
    }

    fn backward(&self, at: &Backward<'_>, which: usize, adjoint: &mut [f64], _: &mut Vec<f64>) {
        let start: usize = self.lengths[..which].iter().sum();
        let length = self.lengths[which];
        for place in 0..self.outer {
            let from = &at.adjoint[place * self.stride() + start..][..length];
            adjoint[place * length..][..length].iter_mut().zip(from).for_each(|(a, f)| *a += f);
        }
    }

    fn work(&self) -> u64 {
        (self.outer * self.stride()) as u64
    }
}

/// One of two numbers, by a third: out = if condition then a else b. Gradients do not reach the condition.
pub(in super::super) struct Where {
    pub(in super::super) length: usize,
}

impl Kernel for Where {
    fn forward(&self, inputs: &[&[f64]], output: &mut [f64], _: &mut Vec<f64>) {
        for (i, out) in output.iter_mut().enumerate() {
            *out = if inputs[0][i] != 0.0 { inputs[1][i] } else { inputs[2][i] };
        }
    }

    fn backward(&self, at: &Backward<'_>, which: usize, adjoint: &mut [f64], _: &mut Vec<f64>) {
        for (i, into) in adjoint.iter_mut().enumerate() {
            if which > 0 && (at.inputs[0][i] != 0.0) == (which == 1) {
                *into += at.adjoint[i];
            }
        }
    }

    fn work(&self) -> u64 {
        self.length as u64
    }
}
