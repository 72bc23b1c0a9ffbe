//! What is measured in a trial and what is wanted of it.

use serde::{Deserialize, Serialize};

/// A metric as somebody wrote it down, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricDraft {
    /// Unique in its study.
    pub name: String,
    /// What is wanted of it.
    pub goal: GoalDraft,
    /// Least feasible value; constraints alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<f64>,
    /// Greatest feasible value; constraints alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<f64>,
    /// Reference value of the hypervolume; objectives of a multi-objective study alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<f64>,
}

/// The kinds of goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalDraft {
    /// An objective; smaller is better.
    Minimize,
    /// An objective; larger is better.
    Maximize,
    /// Feasible within bounds.
    Constrain,
    /// Kept and shown, not optimized.
    Record,
}

/// A checked metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Unique in its study.
    pub name: String,
    /// What is wanted of it.
    pub goal: Goal,
}

/// What is wanted of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// An objective.
    Optimize {
        /// Which way is better.
        direction: Direction,
        /// Reference value of the hypervolume, in the metric's units.
        reference: Option<f64>,
    },
    /// Feasible where `lower ≤ value ≤ upper`; at least one of the two is finite, `lower < upper`.
    Constrain {
        /// Least feasible value; −∞ where open.
        lower: f64,
        /// Greatest feasible value; +∞ where open.
        upper: f64,
    },
    /// Kept and shown, not optimized.
    Record,
}

/// Which way an objective is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smaller is better.
    Minimize,
    /// Larger is better.
    Maximize,
}

impl Direction {
    /// +1 for maximize, −1 for minimize: multiplied by it, every objective is to be maximized.
    pub fn sign(self) -> f64 {
        match self {
            Self::Minimize => -1.0,
            Self::Maximize => 1.0,
        }
    }
}

impl Metric {
    /// Its direction, where it is an objective.
    pub fn direction(&self) -> Option<Direction> {
        match self.goal {
            Goal::Optimize { direction, .. } => Some(direction),
            Goal::Constrain { .. } | Goal::Record => None,
        }
    }
}
