//! Maxima of functions drawn from the posterior.

use crate::acquisition::Acquisition;
use crate::acquisition::search::{Search, climb_from};
use crate::space::Coordinate;
use crate::space::sobol::{Sobol, mix};
use crate::surrogate::{GaussianProcess, Path};

/// Drawn maxima: place and value of each.
#[derive(Clone, Debug, Default)]
pub struct Maxima {
    /// The places.
    pub places: Vec<Vec<f64>>,
    /// The values.
    pub values: Vec<f64>,
}

/// A drawn function is climbed from so many of the points that it is looked at.
const STARTS: usize = 2;
/// How many points a drawn function is looked at, beside the best trials.
const LOOKED_AT: u64 = 96;
const MOST_NEARBY: usize = 8;

impl Acquisition for Path<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        Path::value(self, x)
    }

    fn value_with_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        Path::value_with_gradient(self, x, gradient)
    }
}

/// The maxima of `count` functions drawn from the posterior, over the region of a search. Each is looked at in some
/// spread points and around the best trials, and climbed from the best of them.
pub fn sample_maxima(process: &GaussianProcess, search: &Search<'_>, count: usize, seed: u64) -> Maxima {
    let mut maxima = Maxima::default();
    for index in 0..count as u64 {
        let seed = mix(seed ^ mix(index + 1));
        let path = process.path(seed);
        let rows = looked_at(search, seed);
        if let Some(best) = climb_from(search, &path, &rows, STARTS) {
            maxima.places.push(best.coordinates);
            maxima.values.push(best.value);
        }
    }
    maxima
}

fn looked_at(search: &Search<'_>, seed: u64) -> Vec<f64> {
    let space = search.space;
    let sobol = Sobol::new(space.dimension(), seed);
    let mut rows: Vec<f64> =
        (0..LOOKED_AT).flat_map(|index| search.feasible_at(&sobol.point(index))).collect();
    for (k, best) in search.around.iter().take(MOST_NEARBY).enumerate() {
        rows.extend_from_slice(best);
        // A step in each direction of a random pattern, in the numbers.
        let pattern = sobol.point(LOOKED_AT + k as u64);
        let moved: Vec<f64> = (0..best.len())
            .map(|i| match space.coordinates()[i] {
                Coordinate::Categorical { .. } => best[i],
                _ => search.clamped(i, best[i] + 0.1 * (pattern[i] - 0.5)),
            })
            .collect();
        rows.extend(space.encode(&space.repair(&moved)));
    }
    rows
}
