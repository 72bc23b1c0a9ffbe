//! What we believe: exact Gaussian processes over the unit cube, and the fit of their hyperparameters.
//!
//! Inputs are coordinates of a [`Space`](crate::space::Space), one row a trial, in `[0, 1]` and NaN where a parameter
//! is switched off; outputs are standardized and to be maximized (units and signs are the advisor's). The mathematics
//! runs on one thread and draws nothing random but from seeds that it is given.
//!
//! What is not here: what the beliefs are for (that is [`acquisition`](crate::acquisition)).

mod fit;
mod gaussian_process;
mod kernel;

pub use fit::{Hyperparameters, Observations, fit, log_marginal_likelihood, log_posterior};
pub use gaussian_process::{GaussianProcess, Prediction, SurrogateError};
pub use kernel::{Distance, Matern52};
