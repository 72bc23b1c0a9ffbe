//! `tellus plot`: a study as a picture (SVG): each trial's objective and the best so far; two objectives against each
//! other where the study has several.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value as Json;

use super::Failure;
use super::look::{all_trials, print, value_of};
use super::place::{Place, find_study};

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 480.0;
const MARGIN: f64 = 70.0;

/// A study as a picture.
#[derive(Args)]
pub(crate) struct Plot {
    /// The study's name or id.
    study: String,
    #[command(flatten)]
    place: Place,
    /// Where the picture goes; the study's name with `.svg` where absent.
    #[arg(long, short)]
    output: Option<PathBuf>,
}

/// Draws the picture.
///
/// # Errors
/// When there is no such study, or nothing to draw yet.
pub(crate) async fn plot(arguments: Plot) -> Result<(), Failure> {
    let opened = arguments.place.open().await?;
    let client = opened.client.clone();
    tokio::task::spawn_blocking(move || {
        let study = find_study(&client, &arguments.study)?;
        let trials = all_trials(&client, &study)?;
        let picture = draw(&study, &trials).map_err(Failure::Plot)?;
        let name: String = study["name"].as_str().unwrap_or("study").replace(['/', '\\'], "_");
        let path = arguments.output.unwrap_or_else(|| PathBuf::from(format!("{name}.svg")));
        std::fs::write(&path, picture).map_err(|source| Failure::File { path: path.clone(), source })?;
        print(&path.display().to_string());
        Ok(())
    })
    .await?
}

/// A range of values on an axis of the picture.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let pad = if high > low { (high - low) * 0.04 } else { low.abs().max(1.0) * 0.04 };
        Self { low: low - pad, high: high + pad, from, to }
    }

    fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }
}

fn draw(study: &Json, trials: &[Json]) -> Result<String, String> {
    let objectives: Vec<(&str, bool)> = study["metrics"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|metric| matches!(metric["goal"].as_str(), Some("minimize" | "maximize")))
        .filter_map(|metric| Some((metric["name"].as_str()?, metric["goal"] == "maximize")))
        .collect();
    let Some(&(first, is_maximized)) = objectives.first() else { return Err("there is no objective".into()) };
    let second = objectives.get(1).map(|(name, _)| *name);
    let points: Vec<(f64, f64)> = trials
        .iter()
        .filter_map(|trial| {
            let y = value_of(trial, second.unwrap_or(first))?;
            let x = if second.is_some() { value_of(trial, first)? } else { trial["number"].as_f64()? };
            Some((x, y))
        })
        .collect();
    if points.is_empty() {
        return Err("no trial is completed yet".into());
    }
    let across = Axis::over(points.iter().map(|point| point.0), MARGIN, WIDTH - 20.0);
    let up = Axis::over(points.iter().map(|point| point.1), HEIGHT - MARGIN, 40.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
    );
    let title = study["name"].as_str().unwrap_or_default();
    let labels = (second.map_or("trial", |_| first), second.unwrap_or(first));
    text(&mut svg, (WIDTH / 2.0, 24.0), "middle", title);
    text(&mut svg, (WIDTH / 2.0, HEIGHT - 18.0), "middle", labels.0);
    text(&mut svg, (MARGIN, 32.0), "middle", labels.1);
    ticks(&mut svg, &across, &up);
    if second.is_none() {
        let mut path = String::new();
        let mut best: Option<f64> = None;
        for &(x, y) in &points {
            let improved = best.map_or(y, |best| if is_maximized { best.max(y) } else { best.min(y) });
            let step = best.map_or_else(
                || format!("M{:.1} {:.1}", across.at(x), up.at(improved)),
                |_| format!("H{:.1}V{:.1}", across.at(x), up.at(improved)),
            );
            path.push_str(&step);
            best = Some(improved);
        }
        let _ = write!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"#d95f02\" stroke-width=\"2\"/>");
    }
    for &(x, y) in &points {
        let (x, y) = (across.at(x), up.at(y));
        let _ = write!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"#1b6ca8\" fill-opacity=\"0.7\"/>"
        );
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn ticks(svg: &mut String, across: &Axis, up: &Axis) {
    for k in 0..=4 {
        let part = f64::from(k) / 4.0;
        let (x, y) = (across.low + part * (across.high - across.low), up.low + part * (up.high - up.low));
        let _ = write!(svg, "<path d=\"M{MARGIN} {0:.1}H{1:.1}\" stroke=\"#ddd\"/>", up.at(y), WIDTH - 20.0);
        text(svg, (MARGIN - 6.0, up.at(y) + 4.0), "end", &format!("{y:.4}"));
        text(svg, (across.at(x), HEIGHT - MARGIN + 20.0), "middle", &format!("{x:.3}"));
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, content: &str) {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    let _ = write!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{content}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_best_so_far_never_rises_in_a_minimization() {
        let study = json!({"name": "a<b", "metrics": [{"name": "loss", "goal": "minimize"}]});
        let trial = |n: u32, y: f64| json!({"number": n, "metrics": {"loss": {"value": y}}});
        let svg = draw(&study, &[trial(0, 3.0), trial(1, 5.0), trial(2, 1.0)]).unwrap();
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("a&lt;b"));
        let path = svg.split("d=\"M").last().unwrap().split('"').next().unwrap();
        let heights: Vec<f64> =
            path.split('V').skip(1).filter_map(|part| part.split('H').next()?.parse().ok()).collect();
        assert!(!heights.is_empty());
        assert!(heights.windows(2).all(|pair| pair[0] <= pair[1]), "lower on the page: {heights:?}");
        assert!(draw(&study, &[]).is_err());
    }
}
