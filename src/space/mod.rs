//! What may be tried: the parameters of a study, the conditions under which they exist, the linear constraints
//! between them, and one encoding of all of it into the unit cube and back.
//!
//! Nothing here knows what is optimized. A [`Space`] comes from a [`SpaceDraft`] by [`Space::check`], the only way to
//! make one; every fault of the draft is reported at once. A checked space has at least one feasible point.
//!
//! A [`Point`] holds one value a parameter, in the order of the definition; a parameter that its conditions switch
//! off has none. Its *coordinates* are one number a parameter in `[0, 1]`, [`INACTIVE`] (NaN) where it is switched off.

mod coordinates;
mod draft;
mod fault;
mod parameter;
mod point;

pub use coordinates::{Coordinate, INACTIVE};
pub use draft::{ConstraintDraft, DomainDraft, Label, ParameterDraft, Scale, SpaceDraft};
pub use fault::Fault;
pub use parameter::{Condition, Domain, FloatRange, IntRange, Parameter};
pub use point::{Point, PointKey, Reading, Value};
