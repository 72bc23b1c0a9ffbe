//! A study as the store remembers it, and the events that tell of its changes.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{Definition, Settings, TrialState};

/// Identifies a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StudyId(pub Uuid);

impl fmt::Display for StudyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Whether a study hands out trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StudyState {
    /// Asks are answered.
    Active,
    /// Asks are refused until it is active again.
    Paused,
    /// Asks are refused: the study is done.
    Completed,
}

impl StudyState {
    /// The name in requests, answers and databases.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Completed => "completed",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Paused, Self::Completed].into_iter().find(|state| state.name() == name)
    }
}

/// A study at one revision.
#[derive(Clone, Debug)]
pub struct StudyRecord {
    /// Identifies it.
    pub id: StudyId,
    /// What was accepted when it was created.
    pub definition: Arc<Definition>,
    /// What may change.
    pub settings: Settings,
    /// Whether it hands out trials.
    pub state: StudyState,
    /// Whatever the client keeps with it.
    pub metadata: Map<String, Json>,
    /// Raised by every change of the study and its trials.
    pub revision: u64,
    /// The number of the next trial.
    pub next_number: u64,
    /// How many trials stand where.
    pub counts: TrialCounts,
    /// What counts against the budget of trials: handed out, and neither abandoned nor expired.
    pub spent_trials: u64,
    /// Sum of the cost metric over those.
    pub spent_cost: f64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it, or one of its trials, was last changed.
    pub updated_at: DateTime<Utc>,
}

impl StudyRecord {
    /// How many trials may still be handed out: 0 once either budget is spent.
    pub fn budget_left(&self) -> u64 {
        let budget = self.settings.budget;
        if budget.cost.is_some_and(|cost| self.spent_cost >= cost) {
            return 0;
        }
        budget.trials.map_or(u64::MAX, |trials| trials.saturating_sub(self.spent_trials))
    }
}

/// How many trials of a study stand in each state, in the order of [`TrialState::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrialCounts(pub [u64; 7]);

impl TrialCounts {
    /// How many trials are in `state`.
    pub fn of(&self, state: TrialState) -> u64 {
        self.0[state as usize]
    }

    /// How many trials there are.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// One change of a study or of one of its trials.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The study's revision that the change made: orders the events, and names the place to resume from.
    pub revision: u64,
    /// What happened.
    pub kind: EventKind,
    /// The trial it happened to.
    pub number: Option<u64>,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// What a listener may want to know without asking again.
    pub data: Json,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The study was created.
    StudyCreated,
    /// Its state, settings or metadata changed.
    StudyChanged,
    /// A trial was created, running, queued, or attached with its outcome.
    TrialCreated,
    /// A queued trial was handed out.
    TrialStarted,
    /// A trial's outcome was told.
    TrialTold,
    /// A trial's outcome was replaced.
    TrialAmended,
    /// A trial's lease ended.
    TrialExpired,
    /// An intermediate value of a trial was reported.
    TrialMeasured,
    /// A heartbeat came for an expired trial: it runs again.
    TrialRevived,
    /// A trial's note, tags or metadata changed, or a retry was told before it.
    TrialChanged,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::StudyCreated,
        Self::StudyChanged,
        Self::TrialCreated,
        Self::TrialStarted,
        Self::TrialTold,
        Self::TrialAmended,
        Self::TrialExpired,
        Self::TrialMeasured,
        Self::TrialRevived,
        Self::TrialChanged,
    ];

    /// The name in answers and databases.
    pub fn name(self) -> &'static str {
        match self {
            Self::StudyCreated => "study_created",
            Self::StudyChanged => "study_changed",
            Self::TrialCreated => "trial_created",
            Self::TrialStarted => "trial_started",
            Self::TrialTold => "trial_told",
            Self::TrialAmended => "trial_amended",
            Self::TrialExpired => "trial_expired",
            Self::TrialMeasured => "trial_measured",
            Self::TrialRevived => "trial_revived",
            Self::TrialChanged => "trial_changed",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
