//! Networks, solves and the network block of studies as clients write and read them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::store::{NetworkRecord, PortDescription, Solve as StoredSolve};
use crate::study::{Evaluate, NetworkConstraints, NetworkDraft, NetworkGoal, NetworkId};

/// Which networks a study's objective runs through.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StudyNetwork {
    /// The network from the float and int parameters, in their order and in their own units, to y.
    pub phi: Uuid,
    /// What predicts the objective from y.
    pub goal: StudyNetworkGoal,
    /// What predicts feasibility.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraints: Option<StudyNetworkConstraints>,
    /// `client`: points are asked and told; `server`: the service evaluates the networks itself, see solve.
    pub evaluate: EvaluateName,
}

/// What predicts the objective from y: exactly one of the two.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StudyNetworkGoal {
    /// A network from y to a scalar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Uuid>,
    /// Coefficients of a linear form in y.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear: Option<Vec<f64>>,
}

/// What predicts feasibility.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StudyNetworkConstraints {
    /// A network from y, or from inputs named x and y, to the vector c, feasible where c ≤ 0.
    pub network: Uuid,
    /// Constraint metrics that its first components predict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<String>,
}

/// Who evaluates a point.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Evaluate)]
pub enum EvaluateName {
    /// The client, by ask and tell.
    Client,
    /// The service, by the networks.
    Server,
}

impl From<StudyNetwork> for NetworkDraft {
    fn from(network: StudyNetwork) -> Self {
        Self {
            phi: NetworkId(network.phi),
            goal: NetworkGoal { network: network.goal.network.map(NetworkId), linear: network.goal.linear },
            constraints: network.constraints.map(|constraints| NetworkConstraints {
                network: NetworkId(constraints.network),
                metrics: constraints.metrics,
            }),
            evaluate: match network.evaluate {
                EvaluateName::Client => Evaluate::Client,
                EvaluateName::Server => Evaluate::Server,
            },
        }
    }
}

/// A network.
#[derive(Debug, Serialize, ToSchema)]
pub struct Network {
    /// Identifies it.
    pub id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// What it belongs to.
    pub project: String,
    /// The length of its file.
    pub bytes: u64,
    /// Its inputs; a free first length counts 1.
    pub inputs: Vec<NetworkPort>,
    /// Its floating-point outputs; y is one after another.
    pub outputs: Vec<NetworkPort>,
    /// Whether its input gradient is available; where it is not, attacks estimate it.
    pub gradient: bool,
    /// Operators that gradients do not pass through.
    pub flat_operators: Vec<String>,
    /// Fixed numbers in it.
    pub weights: u64,
    /// Multiplications and additions of one evaluation, about.
    pub work: u64,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
}

/// An input or output of a network.
#[derive(Debug, Serialize, ToSchema)]
pub struct NetworkPort {
    /// Its name in the file.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

impl From<&NetworkRecord> for Network {
    fn from(record: &NetworkRecord) -> Self {
        let ports = |ports: &[PortDescription]| {
            ports
                .iter()
                .map(|port| NetworkPort { name: port.name.clone(), shape: port.shape.clone() })
                .collect()
        };
        let description = &record.description;
        Self {
            id: record.id.0,
            name: record.name.clone(),
            project: record.project.clone(),
            bytes: record.bytes,
            inputs: ports(&description.inputs),
            outputs: ports(&description.outputs),
            gradient: description.gradient,
            flat_operators: description.flat_operators.clone(),
            weights: description.weights,
            work: description.work,
            created_at: record.created_at,
        }
    }
}

/// A page of networks.
#[derive(Debug, Serialize, ToSchema)]
pub struct NetworkList {
    /// In the order of upload.
    pub networks: Vec<Network>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
}

/// What an upload is called.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NetworkUploadQuery {
    /// 1 to 200 characters.
    pub name: String,
    /// What it belongs to; without authentication there is one, `default`.
    pub project: Option<String>,
}

/// Which networks a list holds.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NetworksQuery {
    /// Of this project alone.
    pub project: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// 1 to 1000.
    pub limit: Option<u32>,
    /// `asc` (default) or `desc`.
    pub order: Option<String>,
}

/// How far the service is to go by itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SolveRequest {
    /// How many points it evaluates at most, 1 to 1,000,000; the study's budget holds too.
    pub evaluations: u64,
}

/// A solve of a study.
#[derive(Debug, Serialize, ToSchema)]
pub struct Solve {
    /// `running`, `completed`, `cancelled` or `failed`.
    pub state: String,
    /// How many points it evaluates at most.
    pub evaluations: u64,
    /// How many it has evaluated.
    pub done: u64,
    /// Forward and backward passes through the networks since a server last took it up.
    pub passes: u64,
    /// Why it ended early or failed.
    pub reason: Option<String>,
    /// When it was asked for.
    pub started_at: DateTime<Utc>,
    /// When it last moved on.
    pub updated_at: DateTime<Utc>,
}

impl From<&StoredSolve> for Solve {
    fn from(solve: &StoredSolve) -> Self {
        Self {
            state: solve.state.name().into(),
            evaluations: solve.evaluations,
            done: solve.done,
            passes: solve.passes,
            reason: solve.reason.clone(),
            started_at: solve.started_at,
            updated_at: solve.updated_at,
        }
    }
}
