//! What may be tried: the parameters of a study, the conditions under which they exist, the linear constraints
//! between them, and one encoding of all of it into the unit cube and back.
//!
//! Nothing here knows what is optimized. A [`Space`] comes from a [`SpaceDraft`] by [`Space::check`], the only way to
//! make one; every fault of the draft is reported at once. A checked space has at least one feasible point.
//!
//! A [`Point`] holds one value a parameter, in the order of the definition; a parameter that its conditions switch
//! off has none. Its *coordinates* are one number a parameter in `[0, 1]`, [`INACTIVE`] (NaN) where it is switched off.

mod check;
mod constraint;
mod coordinates;
mod count;
mod design;
mod draft;
mod encoding;
mod fault;
mod feasibility;
mod json;
mod parameter;
mod point;
#[cfg(test)]
mod properties;
pub mod sobol;

pub use constraint::HalfSpace;
pub use coordinates::{Coordinate, INACTIVE};
pub use design::Design;
pub use draft::{ConstraintDraft, DomainDraft, Label, ParameterDraft, Scale, SpaceDraft};
pub use fault::Fault;
pub use parameter::{Condition, Domain, FloatRange, IntRange, Parameter};
pub use point::{Point, PointKey, Reading, Value};

use constraint::LinearConstraint;

/// A checked search space: parameters, their conditions, and linear constraints that some point satisfies.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    draft: SpaceDraft,
    parameters: Vec<Parameter>,
    coordinates: Vec<Coordinate>,
    /// Indices of the parameters, each behind those that its conditions name.
    order: Vec<usize>,
    constraints: Vec<LinearConstraint>,
    /// A point that satisfies all constraints.
    anchor: Point,
}

impl Space {
    /// The draft it was made from, normalized: a `high` off the grid is lowered to it.
    pub fn draft(&self) -> SpaceDraft {
        self.draft.clone()
    }

    /// The parameters, in the order of the definition.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// How many parameters, and coordinates, there are.
    pub fn dimension(&self) -> usize {
        self.parameters.len()
    }

    /// What each coordinate means.
    pub fn coordinates(&self) -> &[Coordinate] {
        &self.coordinates
    }

    /// Whether some parameter may be switched off.
    pub fn is_conditional(&self) -> bool {
        self.parameters.iter().any(|parameter| !parameter.conditions.is_empty())
    }

    /// Whether there are linear constraints.
    pub fn has_constraints(&self) -> bool {
        !self.constraints.is_empty()
    }

    /// The index of the parameter of that name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.parameters.iter().position(|parameter| parameter.name == name)
    }
}
