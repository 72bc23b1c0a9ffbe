//! What the networks say of points in the unit cube: values and gradients of the goal, turned so that larger is better,
//! and of the constraints; with the number of passes that it took.
//!
//! Units are put on here: a coordinate becomes a parameter's value on its own scale, and the chain rule brings gradients
//! back. Only unstepped floats are free to be attacked; ints and stepped floats hold, and are polled.

use std::cell::RefCell;
use std::sync::Arc;

use crate::attack::composite::{Composite, Memory, Values};
use crate::attack::directed::Ball;
use crate::attack::perturbation::simultaneous_perturbation;
use crate::space::{Coordinate, Domain, Scale, Space, Value};

/// Pairs of values that one estimated gradient takes.
const DRAWS: usize = 4;

/// The networks over the unit cube.
pub struct Landscape {
    space: Space,
    composite: Arc<Composite>,
    sign: f64,
    free: Vec<bool>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    memory: Memory,
    /// The point in the memory, with its values.
    last: Option<(Vec<f64>, Values)>,
    passes: u64,
}

impl Landscape {
    /// `sign` is −1 where the goal is to be minimized.
    pub fn new(space: Space, composite: Arc<Composite>, sign: f64) -> Self {
        let free = space.coordinates().iter().map(|c| *c == Coordinate::Continuous).collect();
        Self { space, composite, sign, free, state: RefCell::default() }
    }

    /// Which coordinates attacks move.
    pub fn free(&self) -> &[bool] {
        &self.free
    }

    /// The space of the points.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// Whether attacks follow the network's gradient, or estimate it.
    pub fn has_gradient(&self) -> bool {
        self.composite.has_gradient()
    }

    /// Forward and backward evaluations so far.
    pub fn passes(&self) -> u64 {
        self.state.borrow().passes
    }

    /// The admissible point nearest to `z`.
    pub fn snapped(&self, z: &[f64]) -> Vec<f64> {
        self.space.encode(&self.space.repair(z))
    }

    /// The goal, turned, and the constraints. One pass, unless `z` was the last point.
    pub fn sight(&self, z: &[f64]) -> (f64, Vec<f64>) {
        let state = &mut *self.state.borrow_mut();
        let values = self.enter(state, z);
        (self.sign * values.goal, values.constraints)
    }

    /// The goal's gradient, turned; from the network, or estimated within `radius`.
    pub fn goal_gradient(&self, z: &[f64], radius: f64, seed: u64) -> Vec<f64> {
        if !self.has_gradient() {
            let ball = Ball { x: z, radius };
            let mut gradient = simultaneous_perturbation(&ball, DRAWS, seed, &mut |z| self.sight(z).0);
            gradient.iter_mut().zip(&self.free).for_each(|(g, &free)| *g = if free { *g } else { 0.0 });
            return gradient;
        }
        let state = &mut *self.state.borrow_mut();
        self.enter(state, z);
        state.passes += 1;
        let mut gradient = self.composite.goal_gradient(&mut state.memory);
        gradient.iter_mut().for_each(|g| *g *= self.sign);
        self.to_coordinates(z, &gradient)
    }

    /// The gradient of a weighted sum of the constraints.
    pub fn constraint_gradient(&self, z: &[f64], weights: &[f64]) -> Vec<f64> {
        let state = &mut *self.state.borrow_mut();
        self.enter(state, z);
        state.passes += 1;
        let gradient = self.composite.constraint_gradient(weights, &mut state.memory);
        self.to_coordinates(z, &gradient)
    }

    fn enter(&self, state: &mut State, z: &[f64]) -> Values {
        if let Some((at, values)) = &state.last
            && at == z
        {
            return values.clone();
        }
        let values = self.composite.evaluate(&self.inputs(z), &mut state.memory);
        state.passes += 1;
        state.last = Some((z.to_vec(), values.clone()));
        values
    }

    /// The values of the float and int parameters, in their order.
    #[allow(clippy::cast_precision_loss)]
    fn inputs(&self, z: &[f64]) -> Vec<f64> {
        let point = self.space.decode(z);
        let number = |value: &Option<Value>| match value {
            Some(Value::Float(x)) => Some(*x),
            Some(Value::Int(k)) => Some(*k as f64),
            _ => None,
        };
        point.values.iter().filter_map(number).collect()
    }

    /// A gradient in the networks' inputs as one in the coordinates; zero in those that hold.
    fn to_coordinates(&self, z: &[f64], gradient: &[f64]) -> Vec<f64> {
        let mut of_input = gradient.iter();
        let point = self.space.decode(z);
        let each = self.space.parameters().iter().zip(&point.values).zip(&self.free);
        each.map(|((parameter, value), &free)| match parameter.domain() {
            Domain::Float(range) => {
                let g = of_input.next().copied().unwrap_or(0.0);
                let slope = match (range.scale(), value) {
                    (Scale::Log, Some(Value::Float(x))) => x * libm::log(range.high() / range.low()),
                    _ => range.high() - range.low(),
                };
                if free { g * slope } else { 0.0 }
            }
            Domain::Int(_) => {
                of_input.next();
                0.0
            }
            _ => 0.0,
        })
        .collect()
    }
}
