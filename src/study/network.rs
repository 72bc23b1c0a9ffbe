//! The network block of a study: which networks predict its objective and constraints, and who evaluates.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{GoalDraft, StudyDraft};
use crate::space::{DomainDraft, Fault};

/// Identifies an uploaded network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NetworkId(pub Uuid);

impl std::fmt::Display for NetworkId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// How an objective runs through a network, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkDraft {
    /// From the float and int parameters, in their order and units, to y.
    pub phi: NetworkId,
    /// From y to the objective.
    pub goal: NetworkGoal,
    /// From y, or from x and y, to what must not be positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraints: Option<NetworkConstraints>,
    /// Who evaluates a point.
    pub evaluate: Evaluate,
}

/// What predicts the objective: exactly one of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkGoal {
    /// A network from y to a scalar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkId>,
    /// Coefficients of a linear form in y.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear: Option<Vec<f64>>,
}

/// What predicts feasibility.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkConstraints {
    /// A network to the vector c, feasible where c ≤ 0.
    pub network: NetworkId,
    /// Constraint metrics that its first components predict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<String>,
}

/// Who evaluates a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evaluate {
    /// The client, by ask and tell; the truth may differ from the networks.
    Client,
    /// The service, by the networks themselves.
    Server,
}

impl NetworkDraft {
    /// Every network that it names, once.
    pub fn networks(&self) -> BTreeSet<NetworkId> {
        let constraints = self.constraints.as_ref().map(|constraints| constraints.network);
        [Some(self.phi), self.goal.network, constraints].into_iter().flatten().collect()
    }
}

/// Every fault of a study's network block that can be seen without the networks.
pub(super) fn check(study: &StudyDraft, faults: &mut Vec<Fault>) {
    let Some(network) = &study.network else { return };
    let objectives = study.metrics.iter().filter(|metric| metric.goal.is_objective()).count();
    if objectives != 1 {
        faults.push(Fault::new("/network", "a study through a network has exactly one objective"));
    }
    match (&network.goal.network, &network.goal.linear) {
        (Some(_), None) => {}
        (None, Some(linear)) if linear.iter().all(|w| w.is_finite()) && !linear.is_empty() => {}
        (None, Some(_)) => {
            faults.push(Fault::new("/network/goal/linear", "coefficients are finite numbers, at least one"))
        }
        _ => faults.push(Fault::new("/network/goal", "a goal is either a network or linear")),
    }
    if study.algorithm.acquisition != "auto" {
        faults.push(Fault::new(
            "/algorithm/acquisition",
            "a study through a network chooses its points itself: auto",
        ));
    }
    for (i, parameter) in study.parameters.iter().enumerate() {
        let is_input = matches!(parameter.domain, DomainDraft::Float { .. } | DomainDraft::Int { .. });
        if is_input && !parameter.when.is_empty() {
            let detail = "phi needs every float and int parameter: they cannot be conditional";
            faults.push(Fault::new(format!("/parameters/{i}/when"), detail));
        }
    }
    let named = network.constraints.as_ref().map_or(&[][..], |constraints| &constraints.metrics);
    for (i, name) in named.iter().enumerate() {
        let pointer = format!("/network/constraints/metrics/{i}");
        let is_constraint =
            study.metrics.iter().any(|metric| metric.name == *name && metric.goal == GoalDraft::Constrain);
        if !is_constraint {
            faults.push(Fault::new(pointer, "no metric with the goal constrain has this name"));
        } else if named[..i].contains(name) {
            faults.push(Fault::new(pointer, "it is named twice"));
        }
    }
    if network.evaluate == Evaluate::Server {
        let unknown =
            study.metrics.iter().any(|m| m.goal == GoalDraft::Constrain && !named.contains(&m.name));
        if unknown {
            let detail = "the service evaluates this study: every constraint metric must be among /network/constraints/metrics";
            faults.push(Fault::new("/metrics", detail));
        }
    }
}
