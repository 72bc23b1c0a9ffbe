//! Everything that crosses HTTP, and its one conversion into types of [`study`](crate::study) and
//! [`space`](crate::space).

mod access;
mod algorithm;
mod chart;
mod event;
mod learned;
mod metric_value;
mod network;
mod parameter;
mod study;
mod study_algorithm;
mod trial;
mod trial_request;

pub use access::*;
pub use algorithm::*;
pub use chart::*;
pub use event::*;
pub use learned::*;
pub use metric_value::{MetricObservation, MetricValue};
pub use network::*;
pub use parameter::*;
pub use study::*;
pub use study_algorithm::*;
pub use trial::*;
pub use trial_request::*;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A sign of life.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok` or `ready`.
    pub status: String,
}

/// Which part of a list of studies.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StudiesQuery {
    /// Of this project alone.
    pub project: Option<String>,
    /// Of this name alone.
    pub name: Option<String>,
    /// Whose names contain this, without regard to case.
    pub search: Option<String>,
    /// `active`, `paused` or `completed`.
    pub state: Option<String>,
    /// Go on where the page before ended: its `next_cursor`.
    pub cursor: Option<String>,
    /// At most so many, from 1 to 1000; 100 where absent.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// `asc` (by creation) or `desc`.
    pub order: Option<String>,
}

/// Which part of a list of trials.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrialsQuery {
    /// `queued`, `running`, `completed`, `failed`, `stopped`, `abandoned` or `expired`.
    pub state: Option<String>,
    /// Go on where the page before ended: its `next_cursor`.
    pub cursor: Option<String>,
    /// At most so many, from 1 to 1000; 100 where absent.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// `asc` (by number) or `desc`.
    pub order: Option<String>,
}

/// Which events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Those after this revision of the study.
    pub after: Option<u64>,
    /// At most so many, from 1 to 1000; 100 where absent. Pages alone.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}
