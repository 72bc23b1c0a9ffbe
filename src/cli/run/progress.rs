//! What a run shows: a line for each trial, and on a terminal a bar with the best so far.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::cli::look::{point_line, value_of};

/// Cells of the bar.
const BAR: u64 = 30;

/// The objective whose best is shown: that of a study with one.
struct Objective {
    name: String,
    is_maximized: bool,
    /// Constraint metrics with their bounds.
    constraints: Vec<(String, Option<f64>, Option<f64>)>,
}

/// How far a run is.
pub(crate) struct Progress {
    total: u64,
    done: u64,
    failed: u64,
    began: Instant,
    done_at_first: u64,
    objective: Option<Objective>,
    best: Option<(u64, f64)>,
    is_terminal: bool,
}

impl Progress {
    /// Of a study that has `done` of `total` trials.
    pub(crate) fn new(study: &Json, total: u64, done: u64) -> Self {
        let metrics = || study["metrics"].as_array().into_iter().flatten();
        let named = |metric: &Json| metric["name"].as_str().unwrap_or_default().to_owned();
        let mut objectives =
            metrics().filter(|metric| matches!(metric["goal"].as_str(), Some("minimize" | "maximize")));
        let objective = match (objectives.next(), objectives.next()) {
            (Some(metric), None) => Some(Objective {
                name: named(metric),
                is_maximized: metric["goal"] == "maximize",
                constraints: metrics()
                    .filter(|metric| metric["goal"] == "constrain")
                    .map(|metric| (named(metric), metric["lower"].as_f64(), metric["upper"].as_f64()))
                    .collect(),
            }),
            _ => None,
        };
        Self {
            total,
            done,
            failed: 0,
            began: Instant::now(),
            done_at_first: done,
            objective,
            best: None,
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Takes over what had been found before: the answer of `GET …/best`.
    pub(crate) fn resume(&mut self, best: &Json) {
        if let Some(trial) = best["trials"].get(0) {
            self.consider(trial);
        }
        self.line(&format!("going on from {} of {} trials", self.done, self.total));
    }

    /// Takes in a trial that was told.
    pub(crate) fn trial(&mut self, trial: &Json, took: Duration) {
        let state = trial["state"].as_str().unwrap_or_default();
        if super::COUNTED.contains(&state) {
            self.done += 1;
        }
        self.failed += u64::from(state == "failed");
        self.consider(trial);
        let number = trial["number"].as_u64().unwrap_or_default();
        let seconds = took.as_secs_f64();
        let what = match (&trial["metrics"], trial["reason"].as_str()) {
            (Json::Object(metrics), _) => {
                let values: Vec<String> = metrics
                    .keys()
                    .filter_map(|name| Some(format!("{name} {}", short(value_of(trial, name)?))))
                    .collect();
                values.join("  ")
            }
            (_, Some(reason)) => format!("{state}: {reason}"),
            _ => state.to_owned(),
        };
        self.line(&format!("{number:5}  {what}  {seconds:.1} s  {}", point_line(&trial["parameters"])));
    }

    /// Says something else.
    pub(crate) fn remark(&mut self, text: &str) {
        self.line(text);
    }

    /// Leaves the terminal as it was.
    pub(crate) fn finish(&mut self) {
        if self.is_terminal {
            eprint!("\r\x1b[K");
        }
    }

    fn consider(&mut self, trial: &Json) {
        let Some(objective) = &self.objective else { return };
        let Some(value) = value_of(trial, &objective.name) else { return };
        let is_feasible = objective.constraints.iter().all(|(name, lower, upper)| {
            value_of(trial, name).is_some_and(|value| {
                lower.is_none_or(|lower| value >= lower) && upper.is_none_or(|upper| value <= upper)
            })
        });
        let is_better = self
            .best
            .is_none_or(|(_, best)| if objective.is_maximized { value > best } else { value < best });
        if is_feasible && is_better {
            self.best = Some((trial["number"].as_u64().unwrap_or_default(), value));
        }
    }

    fn line(&self, text: &str) {
        self.clear();
        println!("{text}");
        drop(std::io::stdout().flush());
        self.draw();
    }

    fn clear(&self) {
        if self.is_terminal {
            eprint!("\r\x1b[K");
        }
    }

    fn draw(&self) {
        if !self.is_terminal {
            return;
        }
        let filled = (self.done.min(self.total) * BAR).checked_div(self.total).unwrap_or(BAR);
        let bar: String = (0..BAR).map(|cell| if cell < filled { '█' } else { '░' }).collect();
        let mut text = format!("{bar} {}/{}", self.done, self.total);
        if self.failed > 0 {
            text.push_str(&format!("  {} failed", self.failed));
        }
        if let (Some(objective), Some((number, value))) = (&self.objective, self.best) {
            text.push_str(&format!("  best {} {} (trial {number})", objective.name, short(value)));
        }
        let ran = self.done - self.done_at_first;
        if ran > 0 && self.done < self.total {
            let each = self.began.elapsed().as_secs_f64() / ran as f64;
            text.push_str(&format!("  {:.0} s left", each * (self.total - self.done) as f64));
        }
        eprint!("{text}");
        drop(std::io::stderr().flush());
    }
}

/// Five digits say enough on a line.
fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e6).contains(&size) {
        return format!("{value:.4e}");
    }
    let text = format!("{value:.5}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
