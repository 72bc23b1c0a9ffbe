//! `tellus best`, `trials` and `watch`: what a study has found, in a shell.

use std::io::{BufRead, Write};

use clap::Args;
use serde_json::Value as Json;

use super::Failure;
use super::client::Client;
use super::place::{Place, find_study};

/// The best trials of a study.
#[derive(Args)]
pub(crate) struct Best {
    /// The study's name or id.
    study: String,
    #[command(flatten)]
    place: Place,
    /// Print the answer of the service as it is.
    #[arg(long)]
    json: bool,
}

/// The trials of a study.
#[derive(Args)]
pub(crate) struct Trials {
    /// The study's name or id.
    study: String,
    #[command(flatten)]
    place: Place,
    /// Comma-separated values with a header, parameters and metrics in columns of their own.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// One trial a line, as the service answers it.
    #[arg(long)]
    json: bool,
}

/// The events of a study.
#[derive(Args)]
pub(crate) struct Watch {
    /// The study's name or id.
    study: String,
    #[command(flatten)]
    place: Place,
    /// Begin behind this revision of the study; from the beginning with 0. From now on where absent.
    #[arg(long)]
    after: Option<u64>,
}

/// Prints the best trials.
///
/// # Errors
/// When there is no such study, or the service cannot be reached.
pub(crate) async fn best(arguments: Best) -> Result<(), Failure> {
    let opened = arguments.place.open().await?;
    let client = opened.client.clone();
    tokio::task::spawn_blocking(move || {
        let study = find_study(&client, &arguments.study)?;
        let best = client.get(&format!("/v1/studies/{}/best", id_of(&study)))?;
        if arguments.json {
            print(&format!("{best:#}"));
        } else {
            print_best(&best);
        }
        Ok(())
    })
    .await?
}

/// Prints all trials.
///
/// # Errors
/// When there is no such study, or the service cannot be reached.
pub(crate) async fn trials(arguments: Trials) -> Result<(), Failure> {
    let opened = arguments.place.open().await?;
    let client = opened.client.clone();
    tokio::task::spawn_blocking(move || {
        let study = find_study(&client, &arguments.study)?;
        let trials = all_trials(&client, &study)?;
        if arguments.csv {
            print(&csv(&study, &trials));
        } else if arguments.json {
            trials.iter().for_each(|trial| print(&trial.to_string()));
        } else {
            trials.iter().for_each(|trial| print(&trial_line(trial)));
        }
        Ok(())
    })
    .await?
}

/// Prints events as they happen, until the study is completed or deleted.
///
/// # Errors
/// When there is no such study, or the service cannot be reached.
pub(crate) async fn watch(arguments: Watch) -> Result<(), Failure> {
    let opened = arguments.place.open().await?;
    let client = opened.client.clone();
    tokio::task::spawn_blocking(move || {
        let study = find_study(&client, &arguments.study)?;
        let after = arguments.after.or(study["revision"].as_u64()).unwrap_or(0);
        for line in client.events(id_of(&study), after)?.lines() {
            let Ok(line) = line else { break };
            let Some(Ok(event)) = line.strip_prefix("data:").map(serde_json::from_str::<Json>) else {
                continue;
            };
            let number =
                event["number"].as_u64().map(|number| format!("  trial {number}")).unwrap_or_default();
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            print(&format!("{:6}  {}  {}{number}", event["id"], text("at"), text("type")));
            if event["data"]["state"] == "completed" && event["number"].is_null() {
                break;
            }
        }
        Ok(())
    })
    .await?
}

/// The id of a study.
pub(crate) fn id_of(study: &Json) -> &str {
    study["id"].as_str().unwrap_or_default()
}

/// Every trial of a study, page by page.
///
/// # Errors
/// When the service cannot be reached.
pub(crate) fn all_trials(client: &Client, study: &Json) -> Result<Vec<Json>, Failure> {
    let path = format!("/v1/studies/{}/trials?limit=1000", id_of(study));
    let mut trials = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("{path}{cursor}"))?;
        trials.extend(page["trials"].as_array().into_iter().flatten().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(trials),
        }
    }
}

/// The answer of `GET …/best` in words.
pub(crate) fn print_best(best: &Json) {
    if let Some(reason) = best["reason"].as_str() {
        print(reason);
    }
    for trial in best["trials"].as_array().into_iter().flatten() {
        print(&format!("best   {}", trial_line(trial).trim_start()));
    }
    let one = (!best["recommended"].is_null()).then_some(&best["recommended"]);
    let front = best["recommended_front"].as_array().into_iter().flatten();
    for recommended in one.into_iter().chain(front) {
        let predicted: Vec<String> = recommended["predicted"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, p)| format!("{name} {} ± {}", p["mean"], p["sd"]))
            .collect();
        let point = point_line(&recommended["parameters"]);
        print(&format!("recommended  {point}  predicted {}", predicted.join("  ")));
    }
}

/// A metric of a trial.
pub(crate) fn value_of(trial: &Json, metric: &str) -> Option<f64> {
    trial["metrics"][metric]["value"].as_f64()
}

fn trial_line(trial: &Json) -> String {
    let metrics: Vec<String> = trial["metrics"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, metric)| format!("{name} {}", metric["value"]))
        .collect();
    let reason = trial["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
    let state = trial["state"].as_str().unwrap_or_default();
    format!(
        "{:5}  {state}{reason}  {}  {}",
        trial["number"],
        metrics.join("  "),
        point_line(&trial["parameters"])
    )
}

/// A point on one line.
pub(crate) fn point_line(parameters: &Json) -> String {
    let each: Vec<String> = parameters
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name}={}", plain(value)))
        .collect();
    each.join("  ")
}

/// A value without quotes.
fn plain(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Trials as comma-separated values (RFC 4180).
fn csv(study: &Json, trials: &[Json]) -> String {
    let names = |list: &str| -> Vec<String> {
        let listed = study[list].as_array().into_iter().flatten();
        listed.filter_map(|entry| Some(entry["name"].as_str()?.to_owned())).collect()
    };
    let (parameters, metrics) = (names("parameters"), names("metrics"));
    let fixed = ["number", "state", "reason", "origin", "worker", "created_at", "ended_at"];
    let mut header: Vec<String> = fixed.iter().map(ToString::to_string).collect();
    header.extend(parameters.iter().map(|name| format!("parameters.{name}")));
    header.extend(metrics.iter().flat_map(|name| [format!("metrics.{name}"), format!("metrics.{name}.sem")]));
    let mut rows = vec![header];
    for trial in trials {
        let mut row: Vec<String> = fixed.iter().map(|name| plain(&trial[name])).collect();
        row.extend(parameters.iter().map(|name| plain(&trial["parameters"][name])));
        for name in &metrics {
            let metric = &trial["metrics"][name];
            row.extend([plain(&metric["value"]), plain(&metric["sem"])]);
        }
        rows.push(row);
    }
    let lines: Vec<String> =
        rows.iter().map(|row| row.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",")).collect();
    lines.join("\n")
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", field.replace('"', "\"\""));
    }
    field.to_owned()
}

/// A line on standard output. Nobody may be reading: that is no reason to panic.
pub(crate) fn print(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let study = json!({"parameters": [{"name": "a,b"}], "metrics": [{"name": "y"}]});
        let trial = json!({
            "number": 3, "state": "failed", "reason": "said \"no\"", "parameters": {"a,b": 0.1}, "metrics": null,
        });
        let text = csv(&study, &[trial]);
        let (header, row) = text.split_once('\n').unwrap();
        assert!(header.ends_with("\"parameters.a,b\",metrics.y,metrics.y.sem"), "{header}");
        assert_eq!(row, "3,failed,\"said \"\"no\"\"\",,,,,0.1,,");
    }
}
