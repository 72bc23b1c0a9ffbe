//! What each coordinate of the unit cube stands for; what the kernels and the search for maxima need to know of a
//! parameter.

/// The coordinate of a parameter that its conditions switch off. Test with [`f64::is_nan`].
pub const INACTIVE: f64 = f64::NAN;

/// What the coordinate of one parameter means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinate {
    /// Any number in `[0, 1]`: an unstepped float.
    Continuous,
    /// One of `levels` ordered positions: ints, stepped floats (equally spaced where linear) and ordinals (at
    /// `k / (levels − 1)`). At least 2.
    Ordered {
        /// How many positions there are.
        levels: u64,
    },
    /// One of `choices` labels without an order: label k lies at `k / (choices − 1)`; only equality means anything.
    Categorical {
        /// How many labels there are.
        choices: usize,
    },
}
