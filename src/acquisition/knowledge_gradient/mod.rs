//! The knowledge gradient: how much better the best posterior mean is expected to become by one more observation
//! (Frazier, arXiv 1807.02811, §4.2): KG(x) = E[max μₙ₊₁ − max μₙ | xₙ₊₁ = x], with the maxima over the whole domain.
//!
//! | file | how | source |
//! | --- | --- | --- |
//! | `discrete` | over points that stand for the domain, in closed form | Frazier, Powell & Dayanik 2009 |
//! | `simulated` | by simulation of the outcome, with the gradient that the envelope theorem gives | Frazier, algorithms 2 and 4 |
//! | `stochastic` | multi-start ascent along unbiased stochastic gradients | Frazier, algorithms 3 and 4 |
//! | `one_shot` | the point and the maximizers of its imagined outcomes, jointly | Balandat et al., arXiv 1910.06403 |
//!
//! The closed form is the default: a point costs it one update of the covariances and no search for a maximum.

mod discrete;
mod one_shot;
mod simulated;
mod stochastic;

pub(in crate::acquisition) use discrete::choices;
pub use discrete::{discrete_knowledge_gradient, representers};
pub use one_shot::one_shot;
pub use simulated::SimulatedKnowledgeGradient;
pub use stochastic::{Ascent, stochastic_ascent};
