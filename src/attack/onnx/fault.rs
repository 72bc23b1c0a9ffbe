//! Why a file is not taken as a network.

/// What is wrong with an ONNX file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkFault {
    /// The bytes end in the middle of something.
    #[error("the file ends in the middle of a message: it is truncated, or not an ONNX file")]
    Truncated,
    /// The bytes are not an ONNX model.
    #[error("this is not an ONNX model: {0}")]
    NotOnnx(&'static str),
    /// More than the service gives to one network.
    #[error("{what} would take {needed}; the quota is {most}")]
    Quota {
        /// What there is too much of.
        what: String,
        /// How much.
        needed: u64,
        /// How much there may be.
        most: u64,
    },
    /// An operator that is not known here.
    #[error("operator {operator} of node {node} is not supported{}", .reason.as_ref().map_or(String::new(), |r| format!(": {r}")))]
    Unsupported {
        /// Its type, with its domain where that is not ONNX's own.
        operator: String,
        /// The node's name, or the value it computes.
        node: String,
        /// What of the operator is not supported, where it is not all of it.
        reason: Option<String>,
    },
    /// A node that contradicts the operator's definition.
    #[error("node {node} ({operator}) is wrong: {reason}")]
    Invalid {
        /// Its type.
        operator: String,
        /// The node's name, or the value it computes.
        node: String,
        /// What is wrong.
        reason: String,
    },
    /// Nodes that need each other.
    #[error("node {node} needs its own result: the graph is cyclic")]
    Cyclic {
        /// One of them.
        node: String,
    },
    /// A value that nothing computes.
    #[error("node {node} reads {value}, which nothing computes")]
    Undefined {
        /// Who reads it.
        node: String,
        /// Its name.
        value: String,
    },
    /// A tensor whose header and data disagree, or of a type that is not supported.
    #[error("tensor {name}: {reason}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// An input or output that cannot be used.
    #[error("{0}")]
    Interface(String),
}

/// Why one node is refused; the node's name is put on by who knows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Refusal {
    /// Not supported: what of it.
    Unsupported(Option<String>),
    /// Contradicts the operator's definition.
    Invalid(String),
    /// Takes too much.
    Fault(NetworkFault),
}

impl Refusal {
    pub(super) fn unsupported(reason: impl Into<String>) -> Self {
        Self::Unsupported(Some(reason.into()))
    }

    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }

    /// The fault of the node `node` with operator `operator`.
    pub(super) fn of(self, operator: &str, node: &str) -> NetworkFault {
        let (operator, node) = (operator.to_owned(), node.to_owned());
        match self {
            Self::Unsupported(reason) => NetworkFault::Unsupported { operator, node, reason },
            Self::Invalid(reason) => NetworkFault::Invalid { operator, node, reason },
            Self::Fault(fault) => fault,
        }
    }
}

impl From<NetworkFault> for Refusal {
    fn from(fault: NetworkFault) -> Self {
        Self::Fault(fault)
    }
}
