//! What a compiled network is made of: kernels with fixed shapes, each with its value and the transpose of its
//! derivative.
//!
//! An ONNX operator becomes one kernel or a few. Everything that only moves numbers (reshapes apart, which cost
//! nothing) is one kernel, [`Select`](select::Select); convolutions and pools of any dimension read their windows from
//! a table. Reductions over axes that are not adjacent are moved first.

pub(super) mod convolution;
pub(super) mod dense;
pub(super) mod elementwise;
pub(super) mod pool;
pub(super) mod reduce;
pub(super) mod select;
pub(super) mod tree;

/// A function of some tensors of fixed shapes to one.
pub(super) trait Kernel: Send + Sync {
    /// Writes every element of `output`. `scratch` is memory to use, of any length and content.
    fn forward(&self, inputs: &[&[f64]], output: &mut [f64], scratch: &mut Vec<f64>);

    /// Adds to `adjoint` the transpose of the derivative with respect to input `which`, applied to the output's
    /// adjoint.
    fn backward(&self, at: &Backward<'_>, which: usize, adjoint: &mut [f64], scratch: &mut Vec<f64>);

    /// How many multiplications and additions one evaluation takes, about.
    fn work(&self) -> u64;

    /// Whether its derivative is zero or undefined everywhere: gradients do not pass through it.
    fn is_flat(&self) -> bool {
        false
    }
}

/// Where a derivative is taken.
pub(super) struct Backward<'a> {
    /// The inputs of the kernel.
    pub(super) inputs: &'a [&'a [f64]],
    /// What it made of them.
    pub(super) output: &'a [f64],
    /// The adjoint of that.
    pub(super) adjoint: &'a [f64],
}
