//! Early stopping: whether a running trial is worth going on with, told from its intermediate measurements beside those
//! of the other trials.
//!
//! A *curve* is a trial's measurements of the objective by step, turned so that larger is better. A study with several
//! objectives has no curves. The rules:
//!
//! | rule | stops a trial when | source |
//! | --- | --- | --- |
//! | median | its best value so far is below the median of the completed trials' averages up to that step | Golovin et al., *Google Vizier*, KDD 2017, §3.2.1 |
//! | successive halving | at a rung (1, 3, 9 … steps) it is not among the best third of those that came there | Li et al., *A System for Massively Parallel Hyperparameter Tuning*, MLSys 2020, arXiv 1810.05934, its stopping form |
//! | predicted | its predicted final value is better than the best one with a probability below 5 % | this file |
//!
//! `auto` is the predicted rule. Every rule is a pure function of the history and costs O(n log n).

use super::history::{History, Seen, Standing};
use crate::acquisition::log_cdf;
use crate::study::EarlyStopping;

/// A trial's measurements by step, larger being better.
pub type Curve = Vec<(u64, f64)>;

/// Fewest other trials that a rule compares with.
const LEAST_COMPARED: usize = 4;
/// η: one of so many goes on from each rung, and rungs are so many times further apart.
const REDUCTION: u64 = 3;
/// A trial is stopped where it becomes the best with a smaller probability.
const LEAST_CHANCE: f64 = 0.05;

/// A final value predicted from a part of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Forecast {
    pub(super) mean: f64,
    /// Its standard error, the scatter of final values included.
    pub(super) sd: f64,
}

impl History {
    /// Whether trial `number` with this curve is not worth going on with.
    pub fn should_stop(&self, rule: EarlyStopping, number: usize, curve: &Curve) -> bool {
        let Some(&(step, _)) = curve.last() else { return false };
        let others: Vec<&Seen> = self
            .trials()
            .iter()
            .enumerate()
            .filter(|(other, seen)| *other != number && !seen.curve.is_empty())
            .map(|(_, seen)| seen)
            .collect();
        match rule {
            EarlyStopping::Never => false,
            EarlyStopping::Median => is_below_median(&others, curve, step),
            EarlyStopping::SuccessiveHalving => is_cut_at_rung(&others, curve, step),
            EarlyStopping::Auto | EarlyStopping::Predicted => self.is_without_chance(curve),
        }
    }

    fn is_without_chance(&self, curve: &Curve) -> bool {
        let Some(forecast) = self.forecast(curve) else { return false };
        let best = self.finals().map(|(_, value)| value).fold(f64::NEG_INFINITY, f64::max);
        log_cdf((forecast.mean - best) / forecast.sd) < LEAST_CHANCE.ln()
    }

    /// The completed trials that have a curve, each with its final value.
    fn finals(&self) -> impl Iterator<Item = (&Curve, f64)> {
        self.trials().iter().filter(|seen| !seen.curve.is_empty()).filter_map(|seen| match &seen.standing {
            Standing::Completed(_) => seen.gain.map(|gain| (&seen.curve, gain)),
            _ => None,
        })
    }

    /// What a trial with this curve would end with: a linear regression of the completed trials' final values on their
    /// values at the same step, drawn towards "it stays as it is" by one pseudo-observation. `None` where fewer than
    /// four completed trials were measured by then.
    pub(super) fn forecast(&self, curve: &Curve) -> Option<Forecast> {
        let &(step, now) = curve.last()?;
        let pairs: Vec<(f64, f64)> = self
            .finals()
            .filter_map(|(other, last)| value_at(other, step).map(|then| (then, last - then)))
            .filter(|(then, gain)| then.is_finite() && gain.is_finite())
            .collect();
        if pairs.len() < LEAST_COMPARED {
            return None;
        }
        let scale = pairs.iter().fold(0.0_f64, |most, (then, gain)| most.max(then.abs()).max(gain.abs()));
        let scale = if scale > 0.0 { scale } else { 1.0 };
        let pairs: Vec<(f64, f64)> =
            pairs.into_iter().map(|(then, gain)| (then / scale, gain / scale)).collect();
        #[allow(clippy::cast_precision_loss)]
        let n = pairs.len() as f64;
        let centre = pairs.iter().map(|(then, _)| then).sum::<f64>() / n;
        let level = pairs.iter().map(|(_, gain)| gain).sum::<f64>() / n;
        let spread: f64 = pairs.iter().map(|(then, _)| (then - centre).powi(2)).sum();
        let common: f64 = pairs.iter().map(|(then, gain)| (then - centre) * (gain - level)).sum();
        // One pseudo-observation of slope 0, as far out as the others are on average.
        let spread = spread * (1.0 + 1.0 / n);
        let slope = if spread > 0.0 { common / spread } else { 0.0 };
        let residual = |&(then, gain): &(f64, f64)| gain - level - slope * (then - centre);
        let scatter: f64 = pairs.iter().map(|pair| residual(pair).powi(2)).sum::<f64>() / (n - 2.0);
        let distance = now / scale - centre;
        let leverage = if spread > 0.0 { distance * distance / spread } else { 0.0 };
        let sd = (scatter * (1.0 + 1.0 / n + leverage)).sqrt() * scale;
        let mean = now + (level + slope * distance) * scale;
        (mean.is_finite() && sd.is_finite()).then_some(Forecast { mean, sd: sd.max(1e-12 * scale) })
    }
}

/// The last value at or before `step`.
fn value_at(curve: &Curve, step: u64) -> Option<f64> {
    curve.iter().take_while(|(at, _)| *at <= step).last().map(|(_, value)| *value)
}

fn is_below_median(others: &[&Seen], curve: &Curve, step: u64) -> bool {
    let mut averages: Vec<f64> = others
        .iter()
        .filter(|seen| matches!(seen.standing, Standing::Completed(_)))
        .filter_map(|seen| {
            let until: Vec<f64> =
                seen.curve.iter().take_while(|(at, _)| *at <= step).map(|(_, value)| *value).collect();
            #[allow(clippy::cast_precision_loss)]
            let count = until.len() as f64;
            (!until.is_empty()).then(|| until.iter().map(|value| value / count).sum())
        })
        .collect();
    if averages.len() < LEAST_COMPARED {
        return false;
    }
    averages.sort_by(f64::total_cmp);
    let best = curve.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
    best < averages[averages.len() / 2]
}

fn is_cut_at_rung(others: &[&Seen], curve: &Curve, step: u64) -> bool {
    // The highest rung that the trial has come to, as the step at which it lies.
    let mut rung = 1_u64;
    while rung.saturating_mul(REDUCTION) <= step.saturating_add(1) {
        rung *= REDUCTION;
    }
    let at = rung - 1;
    let Some(mine) = value_at(curve, at) else { return false };
    let there: Vec<f64> = others
        .iter()
        .filter(|seen| seen.curve.last().is_some_and(|(last, _)| *last >= at))
        .filter_map(|seen| value_at(&seen.curve, at))
        .collect();
    if there.len() < LEAST_COMPARED {
        return false;
    }
    let better = there.iter().filter(|value| **value > mine).count();
    #[allow(clippy::cast_possible_truncation)]
    let going_on = (there.len() + 1) / REDUCTION as usize;
    better >= going_on.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::PointKey;
    use crate::study::Observation;

    /// A history of completed trials whose curves rise to their final values as 1 − 2^(−step).
    fn rising(finals: &[f64]) -> History {
        let mut history = History::default();
        for (number, &last) in finals.iter().enumerate() {
            let metrics = vec![Some(Observation { value: last, sem: None, gradient: None })];
            history.put(
                number,
                Seen {
                    key: PointKey([u8::try_from(number).unwrap_or(0); 32]),
                    coordinates: Some(vec![0.5]),
                    standing: Standing::Completed(metrics),
                    told_revision: number as u64,
                    curve: curve_to(last, 6),
                    gain: Some(last),
                },
            );
        }
        history
    }

    fn curve_to(last: f64, steps: u64) -> Curve {
        (0..=steps).map(|step| (step, last * (1.0 - 0.5_f64.powf(step as f64)))).collect()
    }

    #[test]
    fn a_forecast_is_what_the_others_came_to() {
        let history = rising(&[0.2, 0.4, 0.5, 0.7, 0.8, 0.9]);
        let forecast = history.forecast(&curve_to(0.6, 2)).unwrap();
        // A value of 0.45 at step 2 came to 0.6; the pseudo-observation draws it down a little.
        assert!((forecast.mean - 0.6).abs() < 0.02, "{forecast:?}");
        assert!(forecast.sd > 0.0 && forecast.sd < 0.05, "{forecast:?}");
        assert!(rising(&[0.2, 0.4, 0.5]).forecast(&curve_to(0.6, 2)).is_none());
    }

    #[test]
    fn each_rule_stops_the_hopeless_and_lets_the_best_go_on() {
        let history = rising(&[0.2, 0.4, 0.5, 0.7, 0.8, 0.9]);
        for rule in [
            EarlyStopping::Auto,
            EarlyStopping::Median,
            EarlyStopping::SuccessiveHalving,
            EarlyStopping::Predicted,
        ] {
            assert!(history.should_stop(rule, 6, &curve_to(0.1, 3)), "{rule:?}");
            assert!(!history.should_stop(rule, 6, &curve_to(1.0, 3)), "{rule:?}");
            assert!(!history.should_stop(rule, 6, &Curve::new()), "{rule:?}");
            assert!(!rising(&[0.5, 0.6]).should_stop(rule, 2, &curve_to(0.1, 3)), "{rule:?}");
        }
        assert!(!history.should_stop(EarlyStopping::Never, 6, &curve_to(0.1, 3)));
    }

    #[test]
    fn huge_and_equal_values_are_borne() {
        for size in [1e300, 1e-300, 0.0] {
            let history = rising(&[size; 6]);
            let forecast = history.forecast(&curve_to(size, 3));
            assert!(
                forecast.is_some_and(|forecast| forecast.mean.is_finite() && forecast.sd > 0.0),
                "{size}"
            );
        }
    }
}
