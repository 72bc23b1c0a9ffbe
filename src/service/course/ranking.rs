//! The trials of a study as an ordered list that can be read from any place.

use std::cmp::Ordering;

use super::is_result;
use crate::store::Glance;
use crate::study::{Definition, TrialState};

/// Which trials, in which order.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// In this state alone.
    pub state: Option<TrialState>,
    /// Those alone whose results are feasible.
    pub feasible: bool,
    /// By what.
    pub by: SortBy,
    /// Which way.
    pub order: Order,
}

/// What trials are ordered by; ties by number. Those without it come last, whichever way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// The number.
    Number,
    /// How long the evaluation took.
    Duration,
    /// The value of the metric of this name.
    Metric(String),
}

/// Which way a list is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the least on.
    Ascending,
    /// From the greatest on.
    Descending,
}

impl Ranking {
    /// The numbers in order. O(n log n).
    pub(super) fn numbers(&self, definition: &Definition, glances: &[Glance]) -> Vec<u64> {
        let metric = match &self.by {
            SortBy::Metric(name) => definition.metrics().iter().position(|metric| metric.name == *name),
            SortBy::Number | SortBy::Duration => None,
        };
        let key = |glance: &Glance| match self.by {
            SortBy::Number => None,
            SortBy::Duration => {
                let lasted = glance.ended_at? - glance.started_at?;
                Some(lasted.as_seconds_f64())
            }
            SortBy::Metric(_) => glance.values.get(metric?).copied().flatten(),
        };
        let is_wanted = |glance: &&Glance| {
            self.state.is_none_or(|state| glance.state == state)
                && (!self.feasible || (is_result(glance) && definition.is_feasible(&glance.values)))
        };
        let mut ranked: Vec<(Option<f64>, u64)> =
            glances.iter().filter(is_wanted).map(|glance| (key(glance), glance.number)).collect();
        let turn = |ordering: Ordering| match self.order {
            Order::Ascending => ordering,
            Order::Descending => ordering.reverse(),
        };
        if self.by == SortBy::Number {
            ranked.sort_unstable_by(|a, b| turn(a.1.cmp(&b.1)));
        } else {
            ranked.sort_unstable_by(|a, b| match (a.0, b.0) {
                (Some(left), Some(right)) => turn(left.total_cmp(&right)).then(a.1.cmp(&b.1)),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => a.1.cmp(&b.1),
            });
        }
        ranked.into_iter().map(|(_, number)| number).collect()
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use serde_json::json;

    use super::super::tests::{completed, definition};
    use super::*;

    #[test]
    fn trials_are_filtered_and_ordered_and_the_valueless_come_last() {
        let definition = definition(
            json!([{"name": "y", "goal": "minimize"}, {"name": "c", "goal": "constrain", "upper": 0.0}]),
        );
        let mut glances = completed(&[[2.0, 0.0], [1.0, 0.0], [3.0, 1.0], [1.0, -1.0], [9.0, 0.0]]);
        glances[4].state = TrialState::Running;
        glances[4].values = vec![None, None];
        let begin = Utc::now();
        for (glance, seconds) in glances.iter_mut().zip([5, 1, 4]) {
            glance.started_at = Some(begin);
            glance.ended_at = Some(begin + TimeDelta::seconds(seconds));
        }
        let rank = |state, feasible, by, order| {
            Ranking { state, feasible, by, order }.numbers(&definition, &glances)
        };
        let metric = || SortBy::Metric("y".into());
        assert_eq!(rank(None, false, metric(), Order::Ascending), [1, 3, 0, 2, 4]);
        assert_eq!(rank(None, false, metric(), Order::Descending), [2, 0, 1, 3, 4]);
        assert_eq!(rank(None, true, metric(), Order::Ascending), [1, 3, 0]);
        assert_eq!(rank(Some(TrialState::Running), false, SortBy::Number, Order::Ascending), [4]);
        assert_eq!(rank(None, false, SortBy::Number, Order::Descending), [4, 3, 2, 1, 0]);
        assert_eq!(rank(None, false, SortBy::Duration, Order::Ascending), [1, 2, 0, 3, 4]);
    }
}
