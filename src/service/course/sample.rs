//! Which trials to show of many: the best, the latest, and some of all.

use std::collections::BTreeSet;

use super::{is_result, objectives, thin};
use crate::store::Glance;
use crate::study::{Definition, Trial};

/// Trials that show what a study's trials are like.
#[derive(Clone, Debug)]
pub struct Sample {
    /// By number.
    pub trials: Vec<Trial>,
}

/// The numbers of at most `limit` trials, ascending: all, or a quarter the best by the first objective, a quarter the
/// latest, and the others evenly from all. O(n log n).
pub(super) fn numbers(definition: &Definition, glances: &[Glance], limit: usize) -> Vec<u64> {
    if glances.len() <= limit {
        return glances.iter().map(|glance| glance.number).collect();
    }
    let quarter = limit / 4;
    let mut chosen: BTreeSet<u64> = glances.iter().rev().take(quarter).map(|glance| glance.number).collect();
    if let Some(&(metric, sign)) = objectives(definition).first() {
        let feasible =
            glances.iter().filter(|glance| is_result(glance) && definition.is_feasible(&glance.values));
        let mut best: Vec<(f64, u64)> =
            feasible.filter_map(|glance| Some((sign * glance.values[metric]?, glance.number))).collect();
        best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        chosen.extend(best.iter().take(quarter).map(|&(_, number)| number));
    }
    let others: Vec<u64> =
        glances.iter().map(|glance| glance.number).filter(|number| !chosen.contains(number)).collect();
    let room = limit.saturating_sub(chosen.len());
    if room >= 2 {
        chosen.extend(thin(&others, room));
    }
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{completed, definition};
    use super::*;

    #[test]
    fn the_best_the_latest_and_some_of_all_are_chosen() {
        let values: Vec<[f64; 1]> = (0..10_000).map(|i| [f64::from((i * 7919) % 10_000)]).collect();
        let glances = completed(&values);
        let chosen = numbers(&definition(json!([{"name": "y", "goal": "minimize"}])), &glances, 400);
        assert!(chosen.len() <= 400 && chosen.len() > 390 && chosen.is_sorted(), "{}", chosen.len());
        for best in 0..100 {
            let number = values.iter().position(|value| value[0] == f64::from(best)).unwrap() as u64;
            assert!(chosen.contains(&number), "the {best}th best, {number}");
        }
        assert!((9_900..10_000).all(|number| chosen.contains(&number)));
        assert!(chosen.windows(2).all(|pair| pair[1] - pair[0] < 120));
        assert_eq!(
            numbers(&definition(json!([{"name": "y", "goal": "minimize"}])), &glances[..9], 10).len(),
            9
        );
    }
}
