//! The knowledge gradient over finitely many points that stand for the domain.

use crate::acquisition::search::{Search, climb_from};
use crate::acquisition::value_of_information::ValueOfInformation;
use crate::acquisition::{Beliefs, PosteriorMean, sample_maxima};
use crate::space::sobol::Sobol;
use crate::surrogate::{GaussianProcess, SurrogateError};

/// How many points stand for the domain beside the evaluated ones and the maximizer of the posterior mean: spread ones,
/// and maximizers of drawn functions, where the posterior mean may come to be best.
const SPREAD: u64 = 48;
const DRAWN: usize = 8;
const MOST_EVALUATED: usize = 32;

/// ln KG, discretized. To make it takes about as long as thirty searches for a maximum of a mean.
///
/// # Errors
/// Where there is no objective or the covariance at the points cannot be factored.
pub fn discrete_knowledge_gradient<'a>(
    beliefs: &'a Beliefs<'_>,
    search: &Search<'_>,
) -> Result<ValueOfInformation<'a>, SurrogateError> {
    let objective = beliefs.objectives.first().ok_or(SurrogateError::Empty)?;
    ValueOfInformation::new(objective, &choices(beliefs, search)?)
}

/// The points among which the best posterior mean is taken home, row after row: evaluated ones, and those that stand for
/// the domain.
///
/// # Errors
/// Where there is no objective.
pub(in crate::acquisition) fn choices(
    beliefs: &Beliefs<'_>,
    search: &Search<'_>,
) -> Result<Vec<f64>, SurrogateError> {
    let objective = beliefs.objectives.first().ok_or(SurrogateError::Empty)?;
    let mut rows = beliefs.baseline_places(MOST_EVALUATED);
    rows.extend(representers(objective, search));
    Ok(rows)
}

/// Points that stand for the domain when the best posterior mean is sought, row after row.
pub fn representers(objective: &GaussianProcess, search: &Search<'_>) -> Vec<f64> {
    let sobol = Sobol::new(search.space.dimension(), search.seed ^ 0x6b67);
    let mut rows: Vec<f64> = (0..SPREAD).flat_map(|index| search.feasible_at(&sobol.point(index))).collect();
    let mut starts = rows.clone();
    search.around.iter().for_each(|best| starts.extend_from_slice(best));
    if let Some(best) = climb_from(search, &PosteriorMean(objective), &starts, 2) {
        rows.extend(best.coordinates);
    }
    rows.extend(sample_maxima(objective, search, DRAWN, search.seed).places.into_iter().flatten());
    rows
}
