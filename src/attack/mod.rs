//! Through a network: ONNX networks and their gradients, attacks along them, and the direct search that makes attacks
//! safe.
//!
//! Everything here is pure: no I/O, no clock, seeded randomness. Points lie in the unit cube and goals are to be
//! maximized; units and signs are put on and taken off by the advisor, whose hybrid composes these pieces.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`onnx`] | networks: reading, evaluation, vector-Jacobian products |
//! | [`composite`] | goal(Φ(x)) and c(x, Φ(x)): the problem, with its gradients |
//! | [`directed`] | attacks: FGSM, the normalized gradient, PGD, APGD |
//! | [`linearized`] | the attack under constraints |
//! | [`perturbation`] | the attack's gradient where there is none |
//! | [`curvature`] | the memory of curvature that turns an attack's direction |
//! | [`cover`] | covering step and poll of the direct search |
//! | [`evolution`] | the evolution strategy, where gradients mislead or are none |
//! | [`barrier`] | what counts as better under constraints |

pub mod barrier;
pub mod composite;
pub mod cover;
pub mod curvature;
pub mod directed;
pub mod evolution;
pub mod linearized;
pub mod onnx;
pub mod perturbation;
