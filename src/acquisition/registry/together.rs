//! What a batch is worth as a whole, for each algorithm that has it.

use super::known::SAMPLES;
use super::makers::{joint_entropy_search, max_value_entropy_search, predictive_entropy_search};
use super::{Context, Made, Together};
use crate::acquisition::Beliefs;
use crate::acquisition::batch::{Batch, BatchImprovement, BatchInformation, BatchValue};
use crate::acquisition::knowledge_gradient::choices;
use crate::surrogate::{GaussianProcess, SurrogateError};

type Whole<'a> = Result<Option<Box<dyn Batch + 'a>>, SurrogateError>;

/// Samples of a batch's outcomes.
const OUTCOMES: usize = 64;
/// Pairs of outcomes that a knowledge gradient averages over.
const PAIRS: usize = 16;
/// Most evaluated points whose values are sampled beside the batch.
const MOST_BASELINE: usize = 32;

/// The first objective.
fn objective<'a>(beliefs: &'a Beliefs<'a>) -> Result<&'a GaussianProcess, SurrogateError> {
    beliefs.objectives.first().map(|process| &**process).ok_or(SurrogateError::Empty)
}

pub(super) fn improvement_together<'a>(together: &Together<'a>) -> Whole<'a> {
    let process = objective(together.believing)?;
    let incumbent = together.believing.incumbent().ok_or(SurrogateError::Empty)?;
    let sampled = (together.q, OUTCOMES, together.search.seed);
    Ok(Some(Box::new(BatchImprovement::new(process, Vec::new(), incumbent, together.weights, sampled))))
}

pub(super) fn noisy_improvement_together<'a>(together: &Together<'a>) -> Whole<'a> {
    let process = objective(together.beliefs)?;
    let baseline = together.beliefs.baseline_places(MOST_BASELINE);
    let sampled = (together.q, together.settings.integer(&SAMPLES), together.search.seed);
    Ok(Some(Box::new(BatchImprovement::new(process, baseline, f64::NEG_INFINITY, together.weights, sampled))))
}

pub(super) fn knowledge_together<'a>(together: &Together<'a>) -> Whole<'a> {
    if !together.weights.0.is_empty() {
        return Ok(None);
    }
    let process = objective(together.believing)?;
    let points = choices(together.believing, together.search)?;
    Ok(Some(Box::new(BatchValue::new(process, &points, (together.q, PAIRS, together.search.seed))?)))
}

pub(super) fn max_value_together<'a>(together: &Together<'a>) -> Whole<'a> {
    informed(together, max_value_entropy_search)
}

pub(super) fn joint_together<'a>(together: &Together<'a>) -> Whole<'a> {
    informed(together, joint_entropy_search)
}

pub(super) fn predictive_together<'a>(together: &Together<'a>) -> Whole<'a> {
    informed(together, predictive_entropy_search)
}

fn informed<'a>(together: &Together<'a>, make: for<'b> fn(&Context<'b>) -> Made<'b>) -> Whole<'a> {
    if !together.weights.0.is_empty() {
        return Ok(None);
    }
    let process = objective(together.believing)?;
    let context =
        Context { beliefs: together.believing, search: together.search, settings: together.settings };
    Ok(Some(Box::new(BatchInformation { process, gain: make(&context)? })))
}
