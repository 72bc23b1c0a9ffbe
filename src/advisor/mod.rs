//! History in, points out: the policy that composes space, surrogate and acquisition. Nothing else knows all of them.
//!
//! [`Advisor::suggest`] is a pure function of a study's definition, its history and its seed: the same history gives
//! the same points on any server, before or after a restart. What an [`Advisor`] keeps between calls is a memo of
//! fitted hyperparameters, addressed by the content of the data they were fitted to: losing it costs time and never
//! changes an answer. A batch of points is the same as that many suggestions in a row.

mod beliefs;
mod history;
pub mod hybrid;
mod insights;
mod memo;
mod named;
mod policy;
mod recommend;
mod remaining;
mod stopping;
mod suggest;
mod through;

pub use history::{History, Seen, Standing, curve};
pub use insights::{CrossCheck, Decision, Expected, Insights, LeftOut, MetricModel};
pub use memo::{Counts, FitKey, KeptFits};
pub use recommend::{Predicted, Recommendation, pareto_front};
pub use remaining::Remaining;
pub use stopping::Curve;
pub use suggest::{Proposal, origin};
pub use through::{admit_networks, evaluate_through, network_inputs};

use crate::acquisition::choose;
use crate::space::Fault;
use crate::study::Definition;

/// The policy with its memo. Cheap to share between threads.
#[derive(Default)]
pub struct Advisor {
    memo: memo::FitMemo,
    folds: through::FoldMemo,
}

impl Advisor {
    /// With a place where fits that take long are kept beyond this process.
    pub fn beside(kept: Box<dyn KeptFits>) -> Self {
        Self { memo: memo::FitMemo::beside(kept), ..Self::default() }
    }

    /// How often what happened.
    pub fn counts(&self) -> Counts {
        self.memo.counts()
    }

    /// Whether it can optimize studies of this definition.
    ///
    /// # Errors
    /// Every fault of the definition's algorithm.
    pub fn admit(definition: &Definition) -> Result<(), Vec<Fault>> {
        let algorithm = &definition.draft().algorithm;
        choose(&algorithm.acquisition, &algorithm.settings).map(|_| ())
    }
}
