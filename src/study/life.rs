//! The life of a trial as a state machine: which changes are possible from which state. Every store applies it inside
//! the transaction that makes the change.
//!
//! ```text
//! queued ─▶ running ─▶ completed | failed | stopped | abandoned      (told)
//!              │  ▲
//!              ▼  │ heartbeat of its holder
//!           expired ─▶ completed | failed | stopped | abandoned      (told late)
//! ```
//!
//! An ended trial changes only by an amendment, which replaces its whole outcome.

use serde::{Deserialize, Serialize};

use super::Outcome;

/// Where a trial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialState {
    /// Attached by a client, to be handed out at the next ask.
    Queued,
    /// Handed out; a worker evaluates it.
    Running,
    /// Its metrics are known.
    Completed,
    /// The point itself made the evaluation fail.
    Failed,
    /// Ended early; its measurements are partial.
    Stopped,
    /// Given up for a reason that says nothing about the point.
    Abandoned,
    /// Its lease ended before anything was told.
    Expired,
}

impl TrialState {
    /// All states, in the order in which counts list them.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Stopped,
        Self::Abandoned,
        Self::Expired,
    ];

    /// The name in requests, answers and databases.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Abandoned => "abandoned",
            Self::Expired => "expired",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether an outcome was told.
    pub fn is_told(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Stopped | Self::Abandoned)
    }

    /// Whether a trial in this state uses up the study's budget.
    pub fn spends_budget(self) -> bool {
        matches!(self, Self::Running | Self::Completed | Self::Failed | Self::Stopped)
    }
}

/// What a tell does to a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leap {
    /// The same was told before: nothing changes.
    Unchanged,
    /// The trial ends in this state.
    Ended(TrialState),
    /// The outcome is replaced, the old one kept as a revision, and the trial is now in this state.
    Amended(TrialState),
}

/// Why a change is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Something else was told before, and the request does not say that it amends.
    #[error("the trial was already told something else; send \"amend\": true to replace its outcome")]
    AlreadyTold,
    /// The lease token is not the current one.
    #[error("the lease token is not the current one: the trial was handed to another worker")]
    LeaseLost,
    /// A heartbeat for a trial that nobody evaluates.
    #[error("the trial is not running")]
    NotRunning,
    /// A heartbeat for an expired trial whose point was handed out again.
    #[error("the lease ended and the point was handed out again as another trial")]
    HandedOutAgain,
}

/// What telling `outcome` does to a trial in `state` with `current` told before.
///
/// # Errors
/// [`Refusal::AlreadyTold`] when something else was told and `amend` is not set.
pub fn tell(
    state: TrialState,
    current: Option<&Outcome>,
    outcome: &Outcome,
    amend: bool,
) -> Result<Leap, Refusal> {
    match current {
        Some(current) if current == outcome => Ok(Leap::Unchanged),
        Some(_) if amend => Ok(Leap::Amended(outcome.state())),
        Some(_) => Err(Refusal::AlreadyTold),
        None => {
            debug_assert!(!state.is_told());
            Ok(Leap::Ended(outcome.state()))
        }
    }
}

/// The state of a trial after a heartbeat of its holder: `running`. `retried`: its point was handed out again.
///
/// # Errors
/// When the trial is neither running nor expired, or its point was handed out again.
pub fn heartbeat(state: TrialState, retried: bool) -> Result<TrialState, Refusal> {
    match state {
        TrialState::Running => Ok(TrialState::Running),
        TrialState::Expired if retried => Err(Refusal::HandedOutAgain),
        TrialState::Expired => Ok(TrialState::Running),
        TrialState::Queued
        | TrialState::Completed
        | TrialState::Failed
        | TrialState::Stopped
        | TrialState::Abandoned => Err(Refusal::NotRunning),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(reason: &str) -> Outcome {
        Outcome::Failed { reason: reason.into() }
    }

    #[test]
    fn a_tell_ends_what_was_not_told() {
        for state in [TrialState::Queued, TrialState::Running, TrialState::Expired] {
            assert_eq!(tell(state, None, &failed("oom"), false), Ok(Leap::Ended(TrialState::Failed)));
        }
    }

    #[test]
    fn telling_twice_changes_nothing_and_something_else_needs_an_amendment() {
        let told = failed("oom");
        let other = Outcome::Stopped;
        assert_eq!(tell(TrialState::Failed, Some(&told), &told, false), Ok(Leap::Unchanged));
        assert_eq!(tell(TrialState::Failed, Some(&told), &told, true), Ok(Leap::Unchanged));
        assert_eq!(tell(TrialState::Failed, Some(&told), &other, false), Err(Refusal::AlreadyTold));
        assert_eq!(
            tell(TrialState::Failed, Some(&told), &other, true),
            Ok(Leap::Amended(TrialState::Stopped))
        );
    }

    #[test]
    fn a_heartbeat_revives_an_expired_trial_unless_its_point_went_to_another() {
        assert_eq!(heartbeat(TrialState::Expired, false), Ok(TrialState::Running));
        assert_eq!(heartbeat(TrialState::Expired, true), Err(Refusal::HandedOutAgain));
        assert_eq!(heartbeat(TrialState::Running, false), Ok(TrialState::Running));
        assert_eq!(heartbeat(TrialState::Completed, false), Err(Refusal::NotRunning));
    }

    #[test]
    fn every_name_leads_back_to_its_state() {
        for state in TrialState::ALL {
            assert_eq!(TrialState::from_name(state.name()), Some(state));
        }
    }
}
