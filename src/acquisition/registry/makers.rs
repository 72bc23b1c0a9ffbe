//! How each algorithm of the list is made from beliefs, a search and settings.

use super::Context;
use super::Made;
use super::known::{
    BETA, CONDITIONED, DECAY, DOMAIN, DRAWN, DRAWN_BY, DRAWS, FRONTS, MARGIN, MAXIMA, OUTCOMES, POINTS,
    SAMPLES, SCHEDULE, STARTS, STEPS,
};
use crate::acquisition::entropy::{
    JointEntropySearch, MaxValueEntropySearch, PredictiveEntropySearch, gumbel_maxima, information_gains,
    log_positive, sample_maxima,
};
use crate::acquisition::hypervolume::{ExpectedHypervolumeImprovement, NoisyExpectedHypervolumeImprovement};
use crate::acquisition::knowledge_gradient::{
    Ascent, SimulatedKnowledgeGradient, discrete_knowledge_gradient, one_shot, stochastic_ascent,
};
use crate::acquisition::noisy_expected_improvement::{
    LogNoisyExpectedImprovement, exact_noisy_expected_improvement,
};
use crate::acquisition::probability_of_improvement::LogProbabilityOfImprovement;
use crate::acquisition::search::Candidate;
use crate::acquisition::thompson::{ThompsonPath, draw_at};
use crate::acquisition::upper_confidence_bound::{UpperConfidenceBound, log_softplus, scheduled_beta};
use crate::acquisition::{Acquisition, LogExpectedImprovement, Sum};
use crate::surrogate::{GaussianProcess, SurrogateError};

/// The first objective, and f*.
pub(super) fn objective<'a>(context: &Context<'a>) -> Result<(&'a GaussianProcess, f64), SurrogateError> {
    let beliefs = context.beliefs;
    let process = beliefs.objectives.first().ok_or(SurrogateError::Empty)?;
    Ok((&**process, beliefs.incumbent().ok_or(SurrogateError::Empty)?))
}

pub(super) fn expected_improvement<'a>(context: &Context<'a>) -> Made<'a> {
    let (objective, incumbent) = objective(context)?;
    Ok(Box::new(LogExpectedImprovement { objective, incumbent }))
}

pub(super) fn noisy_expected_improvement<'a>(context: &Context<'a>) -> Made<'a> {
    let samples = context.settings.integer(&SAMPLES);
    Ok(Box::new(LogNoisyExpectedImprovement::new(context.beliefs, samples, context.search.seed)?))
}

pub(super) fn exact_noisy<'a>(context: &Context<'a>) -> Made<'a> {
    Ok(Box::new(exact_noisy_expected_improvement(context.beliefs)?))
}

pub(super) fn probability_of_improvement<'a>(context: &Context<'a>) -> Made<'a> {
    let (objective, incumbent) = objective(context)?;
    let target = incumbent + context.settings.number(&MARGIN);
    Ok(Box::new(LogProbabilityOfImprovement { objective, target }))
}

pub(super) fn upper_confidence_bound<'a>(context: &Context<'a>) -> Made<'a> {
    let (objective, incumbent) = objective(context)?;
    let beta = match context.settings.choice(&SCHEDULE) {
        "fixed" => context.settings.number(&BETA),
        _ => scheduled_beta(context.beliefs.trials, context.beliefs.dimension()),
    };
    Ok(Box::new(UpperConfidenceBound { objective, incumbent, beta }))
}

pub(super) fn thompson_path<'a>(context: &Context<'a>) -> Made<'a> {
    // Functions are drawn from what is known: what is awaited changes a drawn function in no way that helps.
    let (objective, incumbent) = objective(context)?;
    Ok(Box::new(ThompsonPath::new(objective, incumbent, context.search.seed)))
}

pub(super) fn thompson_on_grid(
    context: &Context<'_>,
    weights: &Sum<'_>,
) -> Result<Option<Candidate>, SurrogateError> {
    if context.settings.choice(&DOMAIN) != "grid" {
        return Ok(None);
    }
    let (objective, incumbent) = objective(context)?;
    let rows = context.search.raw_points();
    let drawn = draw_at(objective, &rows, context.search.seed)?;
    let values: Vec<f64> = drawn.iter().map(|f| log_softplus(f - incumbent).0).collect();
    Ok(best_weighted(context, weights, &rows, values))
}

pub(super) fn knowledge_gradient<'a>(context: &Context<'a>) -> Made<'a> {
    Ok(Box::new(discrete_knowledge_gradient(context.beliefs, context.search)?))
}

pub(super) fn simulated_knowledge_gradient<'a>(context: &Context<'a>) -> Made<'a> {
    let (objective, _) = objective(context)?;
    let outcomes = context.settings.integer(&OUTCOMES);
    Ok(Box::new(SimulatedKnowledgeGradient::new(objective, context.search, outcomes)))
}

pub(super) fn stochastic_knowledge_gradient(
    context: &Context<'_>,
    weights: &Sum<'_>,
) -> Result<Option<Candidate>, SurrogateError> {
    let (objective, _) = objective(context)?;
    let gradient_of = SimulatedKnowledgeGradient::new(objective, context.search, 1);
    let ascent = Ascent {
        starts: context.settings.integer(&STARTS),
        steps: context.settings.integer(&STEPS),
        draws: context.settings.integer(&DRAWS),
        decay: context.settings.number(&DECAY),
    };
    Ok(stochastic_ascent(&gradient_of, weights, ascent))
}

pub(super) fn one_shot_knowledge_gradient(
    context: &Context<'_>,
    weights: &Sum<'_>,
) -> Result<Option<Candidate>, SurrogateError> {
    let (objective, _) = objective(context)?;
    one_shot(objective, context.search, weights, context.settings.integer(&OUTCOMES))
}

pub(super) fn max_value_entropy_search<'a>(context: &Context<'a>) -> Made<'a> {
    let (objective, incumbent) = objective(context)?;
    let count = context.settings.integer(&MAXIMA);
    // A maximum is at least what is known to be reached.
    let least = incumbent + 1e-6;
    let maxima = match context.settings.choice(&DRAWN_BY) {
        "paths" => sample_maxima(objective, context.search, count, context.search.seed)
            .values
            .into_iter()
            .map(|value| value.max(least))
            .collect(),
        _ => gumbel_maxima(&objective.predict_many(&context.search.raw_points()), count, least),
    };
    Ok(Box::new(MaxValueEntropySearch { objective, maxima }))
}

pub(super) fn joint_entropy_search<'a>(context: &Context<'a>) -> Made<'a> {
    let (objective, _) = objective(context)?;
    let maxima =
        sample_maxima(objective, context.search, context.settings.integer(&MAXIMA), context.search.seed);
    Ok(Box::new(JointEntropySearch::new(objective, &maxima)?))
}

pub(super) fn predictive_entropy_search<'a>(context: &Context<'a>) -> Made<'a> {
    let (objective, _) = objective(context)?;
    let count = context.settings.integer(&CONDITIONED);
    let maxima = sample_maxima(objective, context.search, count, context.search.seed);
    Ok(Box::new(PredictiveEntropySearch::new(objective, &maxima, context.search)?))
}

pub(super) fn entropy_search(
    context: &Context<'_>,
    weights: &Sum<'_>,
) -> Result<Option<Candidate>, SurrogateError> {
    let (objective, _) = objective(context)?;
    let d = context.beliefs.dimension();
    let most = context.settings.integer(&POINTS);
    let raw = context.search.raw_points();
    let count = raw.len() / d.max(1);
    // Evenly from the raw points: spread ones come first, those around the best trials after them.
    let rows: Vec<f64> = (0..most.min(count))
        .flat_map(|k| {
            let i = k * count / most.min(count);
            raw[i * d..(i + 1) * d].to_vec()
        })
        .collect();
    let gains = information_gains(objective, &rows, context.settings.integer(&DRAWN), context.search.seed)?;
    let values = gains.iter().map(|gain| log_positive(*gain).0).collect();
    Ok(best_weighted(context, weights, &rows, values))
}

pub(super) fn expected_hypervolume_improvement<'a>(context: &Context<'a>) -> Made<'a> {
    Ok(Box::new(ExpectedHypervolumeImprovement::new(context.beliefs)))
}

pub(super) fn noisy_expected_hypervolume_improvement<'a>(context: &Context<'a>) -> Made<'a> {
    let samples = context.settings.integer(&FRONTS);
    Ok(Box::new(NoisyExpectedHypervolumeImprovement::new(context.beliefs, samples, context.search.seed)?))
}

/// The best of some places that are not taken, their values weighted.
pub(super) fn best_weighted(
    context: &Context<'_>,
    weights: &Sum<'_>,
    rows: &[f64],
    mut values: Vec<f64>,
) -> Option<Candidate> {
    let mut of_weights = vec![0.0; values.len()];
    weights.rate(rows, &mut of_weights);
    values.iter_mut().zip(&of_weights).for_each(|(value, weight)| *value += weight);
    context.search.best_open(rows, &values).map(|(_, candidate)| candidate)
}
