//! What clients and the advisor want changed of a study's trials.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{Measurement, Outcome};
use crate::space::PointKey;

/// A trial to be created and handed out.
#[derive(Clone, Debug)]
pub struct NewTrial {
    /// The parameters as clients see them.
    pub parameters: Map<String, Json>,
    /// What identifies the point.
    pub key: PointKey,
    /// Which repetition of the point it is.
    pub replicate: u32,
    /// The expired or abandoned trial whose point this one hands out again.
    pub retry_of: Option<u64>,
    /// What proposed it.
    pub origin: String,
    /// The revision that the proposal was computed from.
    pub history_revision: u64,
}

/// A trial evaluated elsewhere, or to be queued.
#[derive(Clone, Debug)]
pub struct AttachedTrial {
    /// The parameters as clients see them.
    pub parameters: Map<String, Json>,
    /// What identifies the point.
    pub key: PointKey,
    /// The point lies outside the search space.
    pub outside: bool,
    /// `None`: queued.
    pub outcome: Option<Outcome>,
    /// Intermediate values.
    pub measurements: Vec<Measurement>,
    /// When it ended; now where absent.
    pub ended_at: Option<DateTime<Utc>>,
}

/// The outcome of a trial, as a client tells it.
#[derive(Clone, Debug)]
pub struct Tell {
    /// What became of it.
    pub outcome: Outcome,
    /// The value of the study's cost metric in it; 0 where there is none.
    pub cost: f64,
    /// Replaces what was told before.
    pub amend: bool,
    /// Must be the current one where given.
    pub lease_token: Option<Uuid>,
}

/// An intermediate value of a trial, as a client reports it.
#[derive(Clone, Debug)]
pub struct Measure {
    /// The value.
    pub measurement: Measurement,
    /// Must be the current one where given.
    pub lease_token: Option<Uuid>,
}
