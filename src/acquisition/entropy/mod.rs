//! Entropy search: how much an observation is expected to say about where, or how high, the maximum is.
//!
//! | file | about | by |
//! | --- | --- | --- |
//! | `max_value` | the maximum's value f* | Wang & Jegelka, arXiv 1703.01968 |
//! | `joint` | its place and value together | Hvarfner, Hutter & Nardi, arXiv 2206.04771 |
//! | `predictive` | its place x*, seen from the prediction | Hernández-Lobato, Hoffman & Ghahramani, arXiv 1406.2541 |
//! | `classic` | its place among finitely many, by counting samples | Hennig & Schuler, arXiv 1112.1217 |
//!
//! All of them average over maxima drawn from the posterior (`maxima`).

mod classic;
mod joint;
mod max_value;
mod maxima;
mod predictive;

pub use classic::{EntropySearch, information_gains};
pub use joint::JointEntropySearch;
pub(in crate::acquisition) use joint::log_positive;
pub use max_value::{MaxValueEntropySearch, gumbel_maxima};
pub use maxima::{Maxima, sample_maxima};
pub use predictive::PredictiveEntropySearch;
