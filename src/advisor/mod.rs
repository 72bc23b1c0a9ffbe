//! History in, points out: the policy that composes space, surrogate and acquisition. Nothing else knows all of them.
//!
//! [`Advisor::suggest`] is a pure function of a study's definition, its history and its seed: the same history gives
//! the same points on any server, before or after a restart. What an [`Advisor`] keeps between calls is a memo of
//! fitted hyperparameters, addressed by the content of the data they were fitted to: losing it costs time and never
//! changes an answer. A batch of points is the same as that many suggestions in a row.

mod beliefs;
mod history;
mod insights;
mod memo;
mod recommend;
mod suggest;

pub use history::{History, Seen, Standing};
pub use insights::{CrossCheck, Decision, Insights, LeftOut, MetricModel};
pub use recommend::{Predicted, Recommendation, pareto_front};
pub use suggest::{Proposal, origin};

use crate::acquisition::ALGORITHMS;
use crate::space::Fault;
use crate::study::Definition;

/// The policy with its memo. Cheap to share between threads.
#[derive(Default)]
pub struct Advisor {
    memo: memo::FitMemo,
}

impl Advisor {
    /// Whether it can optimize studies of this definition.
    ///
    /// # Errors
    /// Every fault of the definition's algorithm.
    pub fn admit(definition: &Definition) -> Result<(), Vec<Fault>> {
        let acquisition = &definition.draft().algorithm.acquisition;
        if ALGORITHMS.iter().any(|algorithm| algorithm.name == acquisition) {
            return Ok(());
        }
        let names: Vec<&str> = ALGORITHMS.iter().map(|algorithm| algorithm.name).collect();
        Err(vec![Fault::new(
            "/algorithm/acquisition",
            format!("there is no such acquisition; choose one of {}", names.join(", ")),
        )])
    }
}
