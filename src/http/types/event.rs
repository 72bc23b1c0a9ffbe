//! Events as clients read them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::study::Event;

/// A change of a study or of one of its trials.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventAnswer {
    /// The study's revision that it made.
    pub id: u64,
    /// `study_created`, `study_changed`, `trial_created`, `trial_started`, `trial_told`, `trial_amended`,
    /// `trial_expired`, `trial_measured`, `trial_revived`, `trial_changed`; `reset` where events before this one are no longer kept.
    #[serde(rename = "type")]
    pub kind: String,
    /// The trial it happened to.
    pub number: Option<u64>,
    /// When.
    pub at: DateTime<Utc>,
    /// What changed.
    #[schema(value_type = Object)]
    pub data: Json,
}

impl From<&Event> for EventAnswer {
    fn from(event: &Event) -> Self {
        Self {
            id: event.revision,
            kind: event.kind.name().into(),
            number: event.number,
            at: event.at,
            data: event.data.clone(),
        }
    }
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventList {
    /// Oldest first.
    pub events: Vec<EventAnswer>,
    /// Events between `after` and the first of these are no longer kept: read the study anew.
    pub reset: bool,
    /// Where the next page begins: send it as `after`.
    pub next_after: u64,
}
