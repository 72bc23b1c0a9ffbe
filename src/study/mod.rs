//! What is asked: the definition of a study, its metrics and goals, and the life of a trial as a state machine.
//!
//! Nothing here knows how points are chosen, kept or sent. A [`Definition`] comes from a [`StudyDraft`] by
//! [`Definition::check`], the only way to make one; a study that was accepted can be optimized. What may change
//! later, [`Settings`], is kept apart from what may not.

mod change;
mod definition;
mod ledger;
mod life;
mod metric;
mod network;
mod plan;
mod record;
mod trial;

pub use change::{AttachedTrial, Measure, NewTrial, Tell};
pub use definition::{
    AlgorithmDraft, BudgetDraft, Definition, EarlyStopping, HyperparameterLearning, InputWarping,
    MAX_METRICS, Settings, StudyDraft, check_settings,
};
pub use ledger::{Entry, Lease, Ledger, may_be_late, may_be_retried, rounded};
pub use life::{Leap, Refusal, TrialState, heartbeat, tell};
pub use metric::{Direction, Goal, GoalDraft, Metric, MetricDraft};
pub use network::{Evaluate, NetworkConstraints, NetworkDraft, NetworkGoal, NetworkId};
pub use plan::{AskRequest, Plan, Waiting, plan_ask};
pub use record::{Event, EventKind, StudyId, StudyRecord, StudyState, TrialCounts};
pub use trial::{Measurement, Observation, Outcome, PastOutcome, Trial, outcome_faults};
