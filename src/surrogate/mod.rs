//! What we believe: exact Gaussian processes over the unit cube, and the fit of their hyperparameters.
//!
//! Inputs are coordinates of a [`Space`](crate::space::Space), one row a trial, in `[0, 1]` and NaN where a parameter
//! is switched off; outputs are standardized and to be maximized (units and signs are the advisor's). The mathematics
//! runs on one thread and draws nothing random but from seeds that it is given.
//!
//! | for | see |
//! | --- | --- |
//! | what values at two points have to do with each other | [`kernel`], [`Distance`] |
//! | what was seen: values, derivatives, noise | [`Observations`] |
//! | hyperparameters: the likeliest, or samples of them | [`fit`], [`sample`], [`Hyperparameters`] |
//! | the posterior at a point, at many points one by one, leave-one-out | [`GaussianProcess`] |
//! | the posterior at several points at once, and samples there | [`Joint`] |
//! | the posterior after imagined outcomes | [`Imagined`] |
//! | functions drawn from the posterior | [`Path`] |
//! | a metric in its own units: transforms of its values, and back | [`Seen`], [`Fitted`], [`Output`] |
//! | a second engine's opinion | [`cross_check`] |
//!
//! What is not here: what the beliefs are for (that is [`acquisition`](crate::acquisition)).

mod cross_check;
mod factor;
mod fit;
mod gaussian_process;
mod imagined;
mod joint;
pub mod kernel;
mod lanes;
mod likelihood;
mod model;
mod observations;
mod output;
mod path;
mod points;
mod sampling;
mod square;

pub use cross_check::{NoOpinion, cross_check, friedrich_predictions};
pub use factor::Factor;
pub use fit::{fit, fit_from};
pub use gaussian_process::{GaussianProcess, Noise, Prediction, SurrogateError};
pub use imagined::Imagined;
pub use joint::{Joint, Root};
pub use kernel::{
    Kernel, MainEffects, Matern32, Matern52, Product, Quadratic, Record, Role, SquaredExponential, Sum,
    Warped,
};
pub use likelihood::{Hyperparameters, log_marginal_likelihood, log_posterior};
pub use model::{Fitted, Seen, Shaping};
pub use observations::{Functional, Observations};
pub use output::{Moments, Output, Transform};
pub use path::Path;
pub use points::{Distance, Points};
pub use sampling::{Prior, sample};
pub use square::Square;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod robustness;
#[cfg(test)]
mod tests;
