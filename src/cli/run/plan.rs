//! `study.toml`: the study as `POST /v1/studies` takes it, and a table `run` that says how the command is run.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value as Json;

use super::output::{Reading, Wanted};
use crate::cli::Failure;

/// A study and how its trials are run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What is sent to create the study.
    pub(crate) study: Json,
    /// How its metrics are read.
    pub(crate) reading: Reading,
    /// Longest run of a trial.
    pub(crate) timeout: Option<Duration>,
    /// How many trials the study is to have.
    pub(crate) trials: Option<u64>,
}

/// The table `run`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunTable {
    /// A regular expression for each metric; the last JSON line is read where absent.
    #[serde(default)]
    metrics: BTreeMap<String, String>,
    timeout_seconds: Option<f64>,
    trials: Option<u64>,
}

impl Plan {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no plan.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Failure::File { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|reason| Failure::Plan { path: path.to_owned(), reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut study: Json = toml::from_str(text).map_err(|error| error.to_string())?;
        let table = study.as_object_mut().and_then(|study| study.remove("run"));
        let table: RunTable = match table {
            None => RunTable::default(),
            Some(table) => serde_json::from_value(table).map_err(|error| format!("run: {error}"))?,
        };
        let mut expressions = BTreeMap::new();
        for (name, expression) in table.metrics {
            let read = Regex::new(&expression).map_err(|error| format!("run.metrics.{name}: {error}"))?;
            expressions.insert(name, read);
        }
        let reading =
            if expressions.is_empty() { Reading::LastJson } else { Reading::Expressions(expressions) };
        let timeout = table.timeout_seconds.map(Duration::try_from_secs_f64).transpose();
        let timeout = timeout.map_err(|error| format!("run.timeout_seconds: {error}"))?;
        let trials = table.trials.or_else(|| study.pointer("/budget/trials").and_then(Json::as_u64));
        Ok(Self { study, reading, timeout, trials })
    }
}

/// The metrics that a study wants told.
pub(crate) fn wanted(study: &Json) -> Vec<Wanted> {
    let metrics = study["metrics"].as_array().into_iter().flatten();
    metrics
        .filter_map(|metric| {
            let name = metric["name"].as_str()?.to_owned();
            let is_objective = matches!(metric["goal"].as_str(), Some("minimize" | "maximize"));
            Some(Wanted { name, is_objective })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_a_study_and_how_it_is_run() {
        let plan = Plan::parse(
            "name = 'a'\n[[parameters]]\nname = 'lr'\ntype = 'float'\nlow = 1e-5\nhigh = 1\n\
             [[metrics]]\nname = 'loss'\ngoal = 'minimize'\n[[metrics]]\nname = 's'\ngoal = 'record'\n\
             [budget]\ntrials = 20\n[run]\ntimeout_seconds = 1.5\nmetrics.loss = 'loss (\\S+)'\n",
        )
        .unwrap();
        assert_eq!(plan.study["parameters"][0]["low"], 1e-5);
        assert!(plan.study.get("run").is_none());
        assert_eq!((plan.trials, plan.timeout), (Some(20), Some(Duration::from_millis(1500))));
        assert!(matches!(plan.reading, Reading::Expressions(_)));
        let objectives: Vec<bool> = wanted(&plan.study).iter().map(|metric| metric.is_objective).collect();
        assert_eq!(objectives, [true, false]);
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        for text in ["name = ", "[run]\nspeed = 1", "[run]\nmetrics.a = '('", "[run]\ntimeout_seconds = -1"] {
            assert!(Plan::parse(text).is_err(), "{text}");
        }
    }
}
