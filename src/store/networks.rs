//! Networks and solves as the store remembers them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::study::NetworkId;

/// A network to be kept.
#[derive(Clone, Debug)]
pub struct NewNetwork {
    /// What it belongs to.
    pub project: String,
    /// What its owner calls it.
    pub name: String,
    /// The file.
    pub onnx: Vec<u8>,
    /// What was found in it.
    pub description: NetworkDescription,
}

/// A network without its file.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkRecord {
    /// Identifies it.
    pub id: NetworkId,
    /// What it belongs to.
    pub project: String,
    /// What its owner calls it.
    pub name: String,
    /// The length of its file.
    pub bytes: u64,
    /// What was found in it.
    pub description: NetworkDescription,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
}

/// What a network takes and gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkDescription {
    /// Its inputs.
    pub inputs: Vec<PortDescription>,
    /// Its floating-point outputs.
    pub outputs: Vec<PortDescription>,
    /// Whether its input gradient is available.
    pub gradient: bool,
    /// Operators that gradients do not pass through.
    pub flat_operators: Vec<String>,
    /// Fixed numbers in it.
    pub weights: u64,
    /// Multiplications and additions of one evaluation, about.
    pub work: u64,
}

/// An input or output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortDescription {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// Where a solve stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SolveState {
    /// Some server computes it, or will.
    Running,
    /// Its evaluations, or the study's budget, are spent, or there is nothing left to try.
    Completed,
    /// A client ended it.
    Cancelled,
    /// It could not go on.
    Failed,
}

impl SolveState {
    /// The name in answers and databases.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Running, Self::Completed, Self::Cancelled, Self::Failed].into_iter().find(|s| s.name() == name)
    }
}

/// A study's last solve.
#[derive(Clone, Debug, PartialEq)]
pub struct Solve {
    /// Where it stands.
    pub state: SolveState,
    /// How many evaluations it may take.
    pub evaluations: u64,
    /// How many it took.
    pub done: u64,
    /// Forward and backward passes through the networks since a server last took it up.
    pub passes: u64,
    /// Why it failed or ended early.
    pub reason: Option<String>,
    /// When it was asked for.
    pub started_at: DateTime<Utc>,
    /// When it last moved on.
    pub updated_at: DateTime<Utc>,
}

/// One step of a solve.
#[derive(Clone, Debug)]
pub struct SolveStep {
    /// Who computes it: another owner's step is refused.
    pub owner: Uuid,
    /// Evaluations so far.
    pub done: u64,
    /// Passes so far.
    pub passes: u64,
    /// Where it stands after this step.
    pub state: SolveState,
    /// Why it ended, where that is to be said.
    pub reason: Option<String>,
}
