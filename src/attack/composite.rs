//! The problem behind an attack: maximize goal(Φ(x)) subject to c(x, Φ(x)) ≤ 0, all of them networks or linear forms.
//!
//! Source: Bouchet & Vidal, arXiv 2510.01461: one network Φ, a goal on its outputs, constraints on both. One gradient
//! is one backward pass through goal (or constraints) and Φ; outputs of Φ that a goal does not read get no adjoint, so
//! that the inactive outputs which the paper drops cost nothing here.

use super::onnx::{Network, Workspace};

/// What Φ's outputs are judged by.
#[derive(Clone, Debug)]
pub enum Form {
    /// A network from y to a scalar.
    Network(Network),
    /// The coefficients of a linear form in y.
    Linear(Vec<f64>),
}

/// The constraints: a network from y alone, or from x and y.
#[derive(Clone, Debug)]
struct Constraints {
    network: Network,
    reads_x: bool,
}

/// Φ, its goal and its constraints, with dimensions that fit.
#[derive(Clone, Debug)]
pub struct Composite {
    phi: Network,
    goal: Form,
    constraints: Option<Constraints>,
}

/// Why three networks are no problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Φ takes another number of inputs than there are parameters.
    #[error("phi takes {takes} numbers, and the study has {has} float and int parameters")]
    Parameters {
        /// What Φ takes.
        takes: usize,
        /// How many parameters there are.
        has: usize,
    },
    /// The goal does not take Φ's outputs.
    #[error("the goal takes {takes} numbers, and phi gives {gives}")]
    Goal {
        /// What the goal takes.
        takes: usize,
        /// What Φ gives.
        gives: usize,
    },
    /// The goal is not one number.
    #[error("the goal gives {0} numbers instead of one")]
    Scalar(usize),
    /// The constraints take something else.
    #[error(
        "the constraints take {takes} numbers; phi gives {gives}, and inputs named x and y would take {both}"
    )]
    Constraints {
        /// What the constraints take.
        takes: usize,
        /// What Φ gives.
        gives: usize,
        /// What both together are.
        both: usize,
    },
}

/// The memory of one evaluation, for its gradients.
#[derive(Default)]
pub struct Memory {
    phi: Workspace,
    goal: Workspace,
    constraints: Workspace,
    y: Vec<f64>,
}

/// What the networks say of a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// goal(Φ(x)).
    pub goal: f64,
    /// c; feasible where none is positive.
    pub constraints: Vec<f64>,
}

impl Composite {
    /// Puts the networks together for `parameters` inputs.
    ///
    /// # Errors
    /// The first pair of dimensions that do not fit.
    pub fn new(
        phi: Network,
        goal: Form,
        constraints: Option<Network>,
        parameters: usize,
    ) -> Result<Self, Misfit> {
        if phi.input_length() != parameters {
            return Err(Misfit::Parameters { takes: phi.input_length(), has: parameters });
        }
        let gives = phi.output_length();
        let takes = match &goal {
            Form::Network(network) => network.input_length(),
            Form::Linear(coefficients) => coefficients.len(),
        };
        if takes != gives {
            return Err(Misfit::Goal { takes, gives });
        }
        if let Form::Network(network) = &goal
            && network.output_length() != 1
        {
            return Err(Misfit::Scalar(network.output_length()));
        }
        let constraints = match constraints {
            None => None,
            Some(network) => {
                let (x, y) = (
                    network.inputs().iter().find(|p| p.name == "x"),
                    network.inputs().iter().find(|p| p.name == "y"),
                );
                let both = parameters + gives;
                let takes = network.input_length();
                let wrong = Misfit::Constraints { takes, gives, both };
                let reads_x = match (x, y, network.inputs()) {
                    (Some(x), Some(y), [_, _]) if (x.length(), y.length()) == (parameters, gives) => true,
                    (_, _, [_]) if takes == gives => false,
                    _ => return Err(wrong),
                };
                Some(Constraints { network, reads_x })
            }
        };
        Ok(Self { phi, goal, constraints })
    }

    /// How many constraints there are.
    pub fn constraints(&self) -> usize {
        self.constraints.as_ref().map_or(0, |constraints| constraints.network.output_length())
    }

    /// Whether the goal has a gradient in x.
    pub fn has_gradient(&self) -> bool {
        let goal = match &self.goal {
            Form::Network(network) => network.has_gradient(),
            Form::Linear(_) => true,
        };
        goal && self.phi.has_gradient()
    }

    /// Goal and constraints at `x`: one pass.
    pub fn evaluate(&self, x: &[f64], memory: &mut Memory) -> Values {
        memory.y = self.phi.evaluate(x, &mut memory.phi);
        let goal = match &self.goal {
            Form::Network(network) => {
                network.evaluate(&memory.y, &mut memory.goal).first().copied().unwrap_or(f64::NAN)
            }
            Form::Linear(coefficients) => coefficients.iter().zip(&memory.y).map(|(w, y)| w * y).sum(),
        };
        let constraints = self.constraints.as_ref().map_or_else(Vec::new, |constraints| {
            let inputs = constraints.inputs(x, &memory.y);
            constraints.network.evaluate(&inputs, &mut memory.constraints)
        });
        Values { goal, constraints }
    }

    /// ∇ₓ goal(Φ(x)) at the x of the memory's last evaluation: one pass.
    pub fn goal_gradient(&self, memory: &mut Memory) -> Vec<f64> {
        let u = match &self.goal {
            Form::Network(network) => network.pull_back(&[1.0], &mut memory.goal),
            Form::Linear(coefficients) => coefficients.clone(),
        };
        self.phi.pull_back(&u, &mut memory.phi)
    }

    /// ∇ₓ ⟨weights, c(x, Φ(x))⟩ at the x of the memory's last evaluation: one pass.
    pub fn constraint_gradient(&self, weights: &[f64], memory: &mut Memory) -> Vec<f64> {
        let Some(constraints) = &self.constraints else { return vec![0.0; self.phi.input_length()] };
        let both = constraints.network.pull_back(weights, &mut memory.constraints);
        if !constraints.reads_x {
            return self.phi.pull_back(&both, &mut memory.phi);
        }
        let (x, y) = constraints.parts(&both, self.phi.input_length());
        let mut gradient = self.phi.pull_back(&y, &mut memory.phi);
        gradient.iter_mut().zip(&x).for_each(|(g, x)| *g += x);
        gradient
    }
}

impl Constraints {
    fn x_is_first(&self) -> bool {
        self.network.inputs().first().is_some_and(|port| port.name == "x")
    }

    fn inputs(&self, x: &[f64], y: &[f64]) -> Vec<f64> {
        match (self.reads_x, self.x_is_first()) {
            (false, _) => y.to_vec(),
            (true, true) => [x, y].concat(),
            (true, false) => [y, x].concat(),
        }
    }

    /// The parts of a gradient that belong to x and y.
    fn parts(&self, both: &[f64], of_x: usize) -> (Vec<f64>, Vec<f64>) {
        if self.x_is_first() {
            (both[..of_x].to_vec(), both[of_x..].to_vec())
        } else {
            let at = both.len() - of_x;
            (both[at..].to_vec(), both[..at].to_vec())
        }
    }
}
