//! ONNX networks: read, checked, compiled, evaluated, and differentiated with respect to their input.
//!
//! Networks come from strangers. A file is read in place; whatever it claims is compared with a [`Quota`] before it is
//! allocated or computed; graphs that loop, branch or call are refused, so that an evaluation's work is known before it
//! starts. A refusal names the operator and the node. Numbers are kept in double precision: values agree with
//! single-precision runtimes to their own rounding.
//!
//! | module | what it does |
//! | --- | --- |
//! | `wire`, `file` | the bytes: protocol buffers, and the messages of ONNX |
//! | `build` | the graph: what the outputs need, in order; constants folded; shapes fixed |
//! | `lower` | the operators: one node into some kernels |
//! | `kernel` | the mathematics: values and transposed derivatives |
//! | `network` | the result: [`Network::evaluate`] and [`Network::pull_back`] |

mod build;
mod fault;
mod file;
mod kernel;
mod lower;
mod network;
mod quota;
mod tensor;
mod wire;

pub use fault::NetworkFault;
pub use network::{Network, Port, Workspace};
pub use quota::Quota;
