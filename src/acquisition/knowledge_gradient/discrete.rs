//! The knowledge gradient over finitely many points that stand for the domain.

use crate::acquisition::search::{Search, climb_from};
use crate::acquisition::value_of_information::ValueOfInformation;
use crate::acquisition::{Beliefs, PosteriorMean, Sum, sample_maxima};
use crate::space::sobol::Sobol;
use crate::surrogate::{GaussianProcess, SurrogateError};

/// How many points stand for the domain beside the evaluated ones and the maximizer of the posterior mean: spread ones.
/// Maximizers of drawn functions beside them, and more spread ones, changed no regret and cost ten times as much an ask
/// (`docs/decisions/acquisitions.md`).
const SPREAD: u64 = 16;
const MOST_EVALUATED: usize = 32;
/// The same where outcomes are simulated and the best mean is sought from these points: drawn functions' maximizers, where
/// the posterior mean may come to be best, are among them.
const STARTS: u64 = 48;
const DRAWN: usize = 8;

/// ln KG, discretized. To make it takes about as long as a search for the maximum of a mean.
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

/// The points among which the best posterior mean is taken home, row after row: evaluated ones that are feasible, and those
/// that stand for the domain where a trial is more likely feasible than not.
///
/// # Errors
/// Where there is no objective.
pub(in crate::acquisition) fn choices(
    beliefs: &Beliefs<'_>,
    search: &Search<'_>,
) -> Result<Vec<f64>, SurrogateError> {
    let objective = beliefs.objectives.first().ok_or(SurrogateError::Empty)?;
    let mut rows = beliefs.baseline_places(MOST_EVALUATED);
    let is_likely = |x: &&[f64]| beliefs.log_feasibility(x) > -std::f64::consts::LN_2;
    let standing = standing_for_the_domain(objective, beliefs.feasibility(), search, SPREAD);
    rows.extend(standing.chunks_exact(beliefs.dimension().max(1)).filter(is_likely).flatten());
    Ok(rows)
}

/// Points from which the best posterior mean is sought, row after row.
pub fn representers(objective: &GaussianProcess, search: &Search<'_>) -> Vec<f64> {
    let mut rows = standing_for_the_domain(objective, Sum(Vec::new()), search, STARTS);
    rows.extend(sample_maxima(objective, search, DRAWN, search.seed).places.into_iter().flatten());
    rows
}

/// Spread points, and the maximizer of the posterior mean with the logarithm of the `feasibility`.
fn standing_for_the_domain<'a>(
    objective: &'a GaussianProcess,
    mut feasibility: Sum<'a>,
    search: &Search<'_>,
    spread: u64,
) -> Vec<f64> {
    let sobol = Sobol::new(search.space.dimension(), search.seed ^ 0x6b67);
    let mut rows: Vec<f64> = (0..spread).flat_map(|index| search.feasible_at(&sobol.point(index))).collect();
    let mut starts = rows.clone();
    search.around.iter().for_each(|best| starts.extend_from_slice(best));
    feasibility.0.push(Box::new(PosteriorMean(objective)));
    if let Some(best) = climb_from(search, &feasibility, &starts, 2) {
        rows.extend(best.coordinates);
    }
    rows
}
