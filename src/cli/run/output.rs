//! What a command's output says: the metrics, from its last line that is a JSON object, or by a regular expression each.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value as Json, json};

/// Longest line that is quoted as a reason, in characters.
const MAX_QUOTE: usize = 300;

/// How metrics are read.
#[derive(Clone, Debug)]
pub(crate) enum Reading {
    /// The fields of the last line of standard output that is a JSON object.
    LastJson,
    /// The first group (or the whole) of each expression's last match in either output.
    Expressions(BTreeMap<String, Regex>),
}

/// A metric of the study, as far as reading it goes.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Its name.
    pub(crate) name: String,
    /// Whether a tell must carry it: it is an objective.
    pub(crate) is_objective: bool,
}

/// What was seen of an output so far; only what may still matter is kept.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    last_json: Option<Map<String, Json>>,
    matches: BTreeMap<String, String>,
    last_error: String,
}

impl Seen {
    /// Takes in one line.
    pub(crate) fn line(&mut self, line: &str, reading: &Reading, is_error_output: bool) {
        if is_error_output && !line.trim().is_empty() {
            self.last_error = line.trim().chars().take(MAX_QUOTE).collect();
        }
        match reading {
            Reading::LastJson if is_error_output => {}
            Reading::LastJson => {
                if line.trim_start().starts_with('{')
                    && let Ok(Json::Object(object)) = serde_json::from_str(line)
                {
                    self.last_json = Some(object);
                }
            }
            Reading::Expressions(expressions) => {
                for (name, expression) in expressions {
                    if let Some(found) = expression.captures_iter(line).last()
                        && let Some(text) = found.get(1).or_else(|| found.get(0))
                    {
                        self.matches.insert(name.clone(), text.as_str().to_owned());
                    }
                }
            }
        }
    }

    /// The last line of the error output that says something.
    pub(crate) fn last_error(&self) -> &str {
        &self.last_error
    }

    /// The metrics to tell.
    ///
    /// # Errors
    /// Why there are none: an objective is missing or no finite number.
    pub(crate) fn metrics(&self, wanted: &[Wanted]) -> Result<Json, String> {
        let mut metrics = Map::new();
        for Wanted { name, is_objective } in wanted {
            let said = match (&self.last_json, self.matches.get(name)) {
                (_, Some(text)) => {
                    Some(text.trim().parse::<f64>().map_or_else(|_| json!(text), |value| json!(value)))
                }
                (Some(object), None) => object.get(name).cloned(),
                (None, None) => None,
            };
            match said {
                None | Some(Json::Null) if !is_objective => {}
                None => return Err(format!("the output says nothing of {name}")),
                Some(value @ (Json::Number(_) | Json::Object(_))) => {
                    metrics.insert(name.clone(), value);
                }
                Some(value) => {
                    return Err(format!("the output says {name} is {value}, which is no finite number"));
                }
            }
        }
        Ok(Json::Object(metrics))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Vec<Wanted> {
        let metric = |name: &str, is_objective| Wanted { name: name.into(), is_objective };
        vec![metric("loss", true), metric("seconds", false)]
    }

    #[test]
    fn the_last_json_line_counts() {
        let mut seen = Seen::default();
        for line in ["{\"loss\": 9}", "epoch 2", "{\"loss\": 0.5, \"other\": 1}", "{not json", "done"] {
            seen.line(line, &Reading::LastJson, false);
        }
        seen.line("{\"loss\": 7}", &Reading::LastJson, true);
        assert_eq!(seen.metrics(&wanted()), Ok(json!({"loss": 0.5})));
        seen.line("{\"loss\": null}", &Reading::LastJson, false);
        assert!(seen.metrics(&wanted()).is_err());
    }

    #[test]
    fn expressions_take_their_last_match() {
        let expressions = [("loss", r"loss[ =]([-+.\deE]+|nan)"), ("seconds", r"\d+(?= s)")];
        assert!(Regex::new(expressions[1].1).is_err(), "there is no looking ahead");
        let reading = Reading::Expressions(
            [("loss".to_owned(), Regex::new(expressions[0].1).unwrap())].into_iter().collect(),
        );
        let mut seen = Seen::default();
        seen.line("loss 3, loss=2.5e-1", &reading, false);
        assert_eq!(seen.metrics(&wanted()), Ok(json!({"loss": 0.25})));
        seen.line("loss nan", &reading, true);
        assert!(seen.metrics(&wanted()).is_err());
        assert!(Seen::default().metrics(&wanted()).unwrap_err().contains("loss"));
    }
}
