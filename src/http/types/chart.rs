//! What charts and tables of many trials are drawn from. No answer grows with the number of trials.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::MetricObservation;
use crate::service::{History, Order, Ranking, Sample, SortBy, Steps, thin};
use crate::space::{Domain, Fault, Label, ParameterDraft};
use crate::study::{Definition, StudyRecord, Trial as StoredTrial, TrialState};

/// How long a name or remark may be before a table shortens it, in characters.
const MAX_SHOWN: usize = 200;

/// How many points a chart wants.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChartQuery {
    /// At most about so many points of each kind, from 10 to 5000; 2000 where absent.
    pub limit: Option<u32>,
}

/// Which part of a ranking of trials.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TableQuery {
    /// `number` (where absent), `duration`, or `metric:` and a metric's name. Trials without it come last.
    pub sort: Option<String>,
    /// `asc` (where absent) or `desc`.
    pub order: Option<String>,
    /// In this state alone.
    pub state: Option<String>,
    /// Those alone whose results are feasible.
    #[serde(default)]
    pub feasible: bool,
    /// How many to leave out at the beginning.
    #[serde(default)]
    pub offset: u32,
    /// At most so many, from 1 to 200; 100 where absent.
    pub limit: Option<u32>,
}

impl TableQuery {
    /// The ranking; the fault in words where there is none.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub fn ranking(&self, definition: &Definition) -> Result<Ranking, String> {
        let by = match self.sort.as_deref() {
            None | Some("number") => SortBy::Number,
            Some("duration") => SortBy::Duration,
            Some(other) => match other.strip_prefix("metric:") {
                Some(name) if definition.metric(name).is_some() => SortBy::Metric(name.to_owned()),
                _ => return Err("sort is number, duration, or metric: and the name of a metric".into()),
            },
        };
        let order = match self.order.as_deref() {
            None | Some("asc") => Order::Ascending,
            Some("desc") => Order::Descending,
            Some(_) => return Err("order is asc or desc".into()),
        };
        let state = match self.state.as_deref() {
            None => None,
            Some(name) => Some(TrialState::from_name(name).ok_or_else(|| {
                let names: Vec<&str> = TrialState::ALL.into_iter().map(TrialState::name).collect();
                format!("state is one of {}", names.join(", "))
            })?),
        };
        Ok(Ranking { state, feasible: self.feasible, by, order })
    }
}

/// Values that hold from a trial's number on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Steps)]
pub struct StepsAnswer {
    /// The numbers, ascending.
    pub numbers: Vec<u64>,
    /// The values.
    pub values: Vec<f64>,
}

impl From<Steps> for StepsAnswer {
    fn from(steps: Steps) -> Self {
        Self { numbers: steps.numbers, values: steps.values }
    }
}

/// Results as columns.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResultColumns {
    /// The trials' numbers, ascending.
    pub numbers: Vec<u64>,
    /// The values of each metric, null where it was not told.
    pub values: BTreeMap<String, Vec<Option<f64>>>,
    /// Whether each keeps every constraint.
    pub feasible: Vec<bool>,
}

/// How the results of a study went.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryAnswer {
    /// The study's revision that this was read at.
    pub revision: u64,
    /// How many trials there are.
    pub trials: u64,
    /// Each improvement of the best feasible value; empty with several objectives.
    pub best: StepsAnswer,
    /// The numbers of the trials on the Pareto front; the best trial with one objective.
    pub front: Vec<u64>,
    /// The hypervolume that the front dominates, at each change of it; studies with two objectives alone.
    pub hypervolume: StepsAnswer,
    /// From where the hypervolume is measured: the references of the objectives, or their worst feasible results.
    pub reference: Option<Vec<f64>>,
    /// Results: all, or of each stretch of trials the least and the greatest by the first objective.
    pub results: ResultColumns,
    /// Numbers of failed trials, thinned out evenly.
    pub failed: Vec<u64>,
}

impl HistoryAnswer {
    /// Of a history.
    pub fn of(record: &StudyRecord, history: History) -> Self {
        let definition = &record.definition;
        let points = &history.points;
        let column =
            |index: usize| points.iter().map(move |point| point.values.get(index).copied().flatten());
        let metrics = definition.metrics().iter().enumerate();
        Self {
            revision: record.revision,
            trials: record.counts.total(),
            results: ResultColumns {
                numbers: history.points.iter().map(|point| point.number).collect(),
                values: metrics.map(|(i, metric)| (metric.name.clone(), column(i).collect())).collect(),
                feasible: history.points.iter().map(|point| definition.is_feasible(&point.values)).collect(),
            },
            best: history.best.into(),
            front: history.front,
            hypervolume: history.hypervolume.into(),
            reference: history.reference.map(Vec::from),
            failed: history.failed,
        }
    }
}

/// Names, and for each row the place of its name among them.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Labels {
    /// Each name once; long ones are shortened.
    pub names: Vec<String>,
    /// For each row the place of its name; null where it has none.
    pub rows: Vec<Option<u32>>,
}

impl Labels {
    fn of<'a>(names: impl Iterator<Item = Option<&'a str>>) -> Self {
        let mut places: HashMap<&str, u32> = HashMap::new();
        let mut labels = Self::default();
        for name in names {
            let place = name.map(|name| {
                *places.entry(name).or_insert_with(|| {
                    labels.names.push(shortened(name));
                    u32::try_from(labels.names.len() - 1).unwrap_or(u32::MAX)
                })
            });
            labels.rows.push(place);
        }
        labels
    }
}

/// Trials as columns: all of them, or a sample of the best, the latest and some of all.
#[derive(Debug, Serialize, ToSchema)]
pub struct ColumnsAnswer {
    /// The study's revision that this was read at.
    pub revision: u64,
    /// How many trials there are.
    pub trials: u64,
    /// The numbers of those shown, ascending.
    pub numbers: Vec<u64>,
    /// Their states.
    pub states: Labels,
    /// What proposed their points.
    pub origins: Labels,
    /// Who evaluated them.
    pub workers: Labels,
    /// The values of each parameter: numbers, of categorical and ordinal ones the place among the choices or values;
    /// null where it is switched off or outside the space.
    pub parameters: BTreeMap<String, Vec<Option<f64>>>,
    /// The values of each metric, null where it was not told.
    pub metrics: BTreeMap<String, Vec<Option<f64>>>,
    /// Whether each is a result that keeps every constraint; null where it is no result.
    pub feasible: Vec<Option<bool>>,
    /// When each was handed out, in milliseconds since 1970.
    pub started_at: Vec<Option<i64>>,
    /// When the outcome of each was told, in milliseconds since 1970.
    pub ended_at: Vec<Option<i64>>,
}

impl ColumnsAnswer {
    /// Of a sample.
    pub fn of(record: &StudyRecord, sample: &Sample) -> Self {
        let definition = &record.definition;
        let trials = &sample.trials;
        let value =
            |trial: &StoredTrial, name: &str| trial.outcome.as_ref().and_then(|outcome| outcome.value(name));
        let feasible = |trial: &StoredTrial| {
            let values: Vec<Option<f64>> =
                definition.metrics().iter().map(|metric| value(trial, &metric.name)).collect();
            let is_result = trial.state == TrialState::Completed && !trial.superseded;
            is_result.then(|| definition.is_feasible(&values))
        };
        Self {
            revision: record.revision,
            trials: record.counts.total(),
            numbers: trials.iter().map(|trial| trial.number).collect(),
            states: Labels::of(trials.iter().map(|trial| Some(trial.state.name()))),
            origins: Labels::of(trials.iter().map(|trial| Some(trial.origin.as_str()))),
            workers: Labels::of(trials.iter().map(|trial| trial.worker.as_deref())),
            parameters: definition
                .space()
                .parameters()
                .iter()
                .map(|parameter| {
                    let name = parameter.name();
                    let column =
                        trials.iter().map(|trial| place(parameter.domain(), trial.parameters.get(name)?));
                    (name.to_owned(), column.collect())
                })
                .collect(),
            metrics: definition
                .metrics()
                .iter()
                .map(|metric| {
                    let column = trials.iter().map(|trial| value(trial, &metric.name));
                    (metric.name.clone(), column.collect())
                })
                .collect(),
            feasible: trials.iter().map(feasible).collect(),
            started_at: trials.iter().map(|trial| Some(trial.started_at?.timestamp_millis())).collect(),
            ended_at: trials.iter().map(|trial| Some(trial.ended_at?.timestamp_millis())).collect(),
        }
    }
}

/// A parameter's value as a number.
fn place(domain: &Domain, value: &Json) -> Option<f64> {
    let among = |labels: &[Label]| {
        let is_it = |label: &Label| match (label, value) {
            (Label::Boolean(label), Json::Bool(value)) => label == value,
            (Label::Number(label), Json::Number(value)) => label.as_f64() == value.as_f64(),
            (Label::Text(label), Json::String(value)) => label == value,
            _ => false,
        };
        u32::try_from(labels.iter().position(is_it)?).ok().map(f64::from)
    };
    match domain {
        Domain::Float(_) | Domain::Int(_) => value.as_f64(),
        Domain::Categorical(labels) | Domain::Ordinal(labels) => among(labels),
    }
}

/// A trial as a row of a table.
#[derive(Debug, Serialize, ToSchema)]
pub struct TableRow {
    /// From 0 inside its study.
    pub number: u64,
    /// `queued`, `running`, `completed`, `failed`, `stopped`, `abandoned` or `expired`.
    pub state: String,
    /// The point.
    #[schema(value_type = Object)]
    pub parameters: Map<String, Json>,
    /// What was told.
    pub metrics: BTreeMap<String, MetricObservation>,
    /// Whether it is a result that keeps every constraint; null where it is no result.
    pub feasible: Option<bool>,
    /// What proposed the point.
    pub origin: String,
    /// Who evaluates it; shortened where long.
    pub worker: Option<String>,
    /// When the lease ends.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// Why it failed or was abandoned; shortened where long.
    pub reason: Option<String>,
    /// A remark; shortened where long.
    pub note: Option<String>,
    /// Labels, at most ten; shortened where long.
    pub tags: Vec<String>,
    /// How often its outcome was amended.
    pub amendments: u64,
    /// When it was handed out.
    pub started_at: Option<DateTime<Utc>>,
    /// When its outcome was told.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A part of a ranking of trials.
#[derive(Debug, Serialize, ToSchema)]
pub struct TableAnswer {
    /// The study's revision that this was read at.
    pub revision: u64,
    /// How many trials the ranking has in all.
    pub total: u64,
    /// The trials from the offset on.
    pub rows: Vec<TableRow>,
}

impl TableAnswer {
    /// Of ranked trials.
    pub fn of(record: &StudyRecord, total: usize, trials: &[StoredTrial]) -> Self {
        let rows = trials.iter().map(|trial| TableRow::of(&record.definition, trial)).collect();
        Self { revision: record.revision, total: total as u64, rows }
    }
}

impl TableRow {
    fn of(definition: &Definition, stored: &StoredTrial) -> Self {
        let values: Vec<Option<f64>> = definition
            .metrics()
            .iter()
            .map(|metric| stored.outcome.as_ref().and_then(|outcome| outcome.value(&metric.name)))
            .collect();
        let is_result = stored.state == TrialState::Completed && !stored.superseded;
        let trial = super::Trial::from(stored);
        let mut metrics = trial.metrics.unwrap_or_default();
        // A table has no place for them, and they may be long.
        metrics.values_mut().for_each(|observation| observation.gradient = None);
        Self {
            number: trial.number,
            state: trial.state,
            parameters: trial.parameters,
            metrics,
            feasible: is_result.then(|| definition.is_feasible(&values)),
            origin: trial.origin,
            worker: trial.worker.as_deref().map(shortened),
            lease_expires_at: trial.lease_expires_at,
            reason: trial.reason.as_deref().map(shortened),
            note: trial.note.as_deref().map(shortened),
            tags: trial.tags.iter().take(10).map(|tag| shortened(tag)).collect(),
            amendments: trial.revisions.len() as u64,
            started_at: trial.started_at,
            ended_at: trial.ended_at,
        }
    }
}

/// A text as a table shows it.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Which intermediate curves.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CurvesQuery {
    /// The metric's name.
    pub metric: String,
}

/// The intermediate values of some trials.
#[derive(Debug, Serialize, ToSchema)]
pub struct CurvesAnswer {
    /// The study's revision that this was read at.
    pub revision: u64,
    /// A curve for each trial that has measurements: of the best, the latest, and some of all.
    pub curves: Vec<Curve>,
}

/// The intermediate values of a trial.
#[derive(Debug, Serialize, ToSchema)]
pub struct Curve {
    /// The trial's number.
    pub number: u64,
    /// Where it stands.
    pub state: String,
    /// Epochs, iterations or whatever is counted; long curves are thinned out evenly.
    pub steps: Vec<u64>,
    /// The metric's values there.
    pub values: Vec<f64>,
}

impl CurvesAnswer {
    /// Of a sample, with at most `limit` points a curve.
    pub fn of(record: &StudyRecord, sample: &Sample, metric: &str, limit: usize) -> Self {
        let curves = sample.trials.iter().filter_map(|trial| {
            let points: Vec<(u64, f64)> = trial
                .measurements
                .iter()
                .filter_map(|measured| Some((measured.step, measured.metrics.get(metric)?.value)))
                .collect();
            let (steps, values): (Vec<u64>, Vec<f64>) = thin(&points, limit).into_iter().unzip();
            let state = trial.state.name().to_owned();
            (!steps.is_empty()).then_some(Curve { number: trial.number, state, steps, values })
        });
        Self { revision: record.revision, curves: curves.collect() }
    }
}

/// What the service says of a study that is not created yet.
#[derive(Debug, Serialize, ToSchema)]
pub struct StudyCheck {
    /// Every fault of the request; empty where it could be created.
    pub errors: Vec<CheckFault>,
    /// The study of this name that is there already, if any.
    pub existing: Option<Uuid>,
    /// How many points the search space has, where they can be counted.
    pub points: Option<u64>,
    /// The search space, after defaults; null where there are faults.
    #[schema(value_type = Option<Vec<super::Parameter>>)]
    pub parameters: Option<Vec<ParameterDraft>>,
}

/// One fault of a study.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StudyFault)]
pub struct CheckFault {
    /// JSON pointer into the request's body.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

impl From<Fault> for CheckFault {
    fn from(fault: Fault) -> Self {
        Self { pointer: fault.pointer, detail: fault.detail }
    }
}

impl StudyCheck {
    /// It could not be created.
    pub fn faulty(faults: Vec<Fault>) -> Self {
        let errors = faults.into_iter().map(CheckFault::from).collect();
        Self { errors, existing: None, points: None, parameters: None }
    }
}
