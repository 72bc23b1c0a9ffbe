//! The definition of a study: what was accepted when it was created, and never changes after. Its settings may.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{Direction, Goal, GoalDraft, Metric, MetricDraft, NetworkDraft, network};
use crate::space::{ConstraintDraft, Domain, Fault, ParameterDraft, Space, SpaceDraft};

/// Most metrics a study may have.
pub const MAX_METRICS: usize = 100;
/// Longest name of a study, a metric or a project, in characters.
const MAX_NAME: usize = 200;
/// Seeds lie below this, so that every JSON reader keeps them exact.
const SEED_LIMIT: u64 = 1 << 53;
/// A day.
const DEFAULT_LEASE_SECONDS: u64 = 86_400;
/// Largest size of an initial design that may be asked for.
const MAX_INITIAL_TRIALS: u64 = 100_000;

/// A study as somebody wrote it down, unchecked. Its JSON form is the one of the HTTP contract, and the one in which
/// the store keeps definitions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyDraft {
    /// Unique in its project.
    pub name: String,
    /// What the study belongs to.
    #[serde(default = "default_project")]
    pub project: String,
    /// The search space's parameters.
    pub parameters: Vec<ParameterDraft>,
    /// What is measured.
    pub metrics: Vec<MetricDraft>,
    /// Linear constraints between parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameter_constraints: Vec<ConstraintDraft>,
    /// Which recorded metric is the cost of a trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_metric: Option<String>,
    /// How points are chosen.
    #[serde(default)]
    pub algorithm: AlgorithmDraft,
    /// The networks that its objective runs through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkDraft>,
    /// How much may be spent.
    #[serde(default)]
    pub budget: BudgetDraft,
    /// How long a running trial stays its worker's, where an ask does not say; `None` means for ever.
    #[serde(default = "default_lease_seconds")]
    pub default_lease_seconds: Option<u64>,
    /// Whether the points of expired trials are handed out again.
    #[serde(default)]
    pub retry_expired: bool,
    /// Seed of everything random; drawn where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

fn default_project() -> String {
    "default".into()
}

fn default_lease_seconds() -> Option<u64> {
    Some(DEFAULT_LEASE_SECONDS)
}

/// How points are chosen, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlgorithmDraft {
    /// `auto`, or an acquisition function by name.
    #[serde(default = "default_acquisition")]
    pub acquisition: String,
    /// Size of the initial design, where the advisor's own choice is not wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_trials: Option<u64>,
    /// When running trials are told to stop.
    #[serde(default, skip_serializing_if = "EarlyStopping::is_default")]
    pub early_stopping: EarlyStopping,
    /// How the models' hyperparameters are learned.
    #[serde(default, skip_serializing_if = "HyperparameterLearning::is_default")]
    pub hyperparameters: HyperparameterLearning,
    /// Whether the models' inputs are warped.
    #[serde(default, skip_serializing_if = "InputWarping::is_default")]
    pub input_warping: InputWarping,
    /// What the acquisition function lets a study set, by name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Json>,
}

/// When a running trial is told to stop, from its intermediate measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarlyStopping {
    /// The service chooses the rule.
    #[default]
    Auto,
    /// Never, but when the study is not active.
    Never,
    /// When it is below the median of the completed trials.
    Median,
    /// When it is not among the best third at a rung.
    SuccessiveHalving,
    /// When it is not likely to become the best.
    Predicted,
}

impl EarlyStopping {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How the hyperparameters of a study's models are learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HyperparameterLearning {
    /// The service chooses.
    #[default]
    Auto,
    /// The likeliest ones.
    Fitted,
    /// Averaged over samples of their posterior.
    Sampled,
    /// Likewise, under a prior by which few parameters matter.
    Sparse,
}

impl HyperparameterLearning {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether the models of a study learn a warping of each number's axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputWarping {
    /// The service chooses.
    #[default]
    Auto,
    /// Never.
    Never,
    /// Always.
    Always,
}

impl InputWarping {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

fn default_acquisition() -> String {
    "auto".into()
}

impl Default for AlgorithmDraft {
    fn default() -> Self {
        Self {
            acquisition: default_acquisition(),
            initial_trials: None,
            settings: Map::new(),
            early_stopping: EarlyStopping::default(),
            hyperparameters: HyperparameterLearning::default(),
            input_warping: InputWarping::default(),
        }
    }
}

/// How much may be spent; asks past it are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BudgetDraft {
    /// Trials handed out, without abandoned and expired ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<u64>,
    /// Sum of the cost metric over those trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

/// A checked definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    draft: StudyDraft,
    space: Space,
    metrics: Vec<Metric>,
    seed: u64,
}

/// What may be changed of a study after its creation.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How much may be spent.
    pub budget: BudgetDraft,
    /// Length of a lease in seconds; `None` means for ever.
    pub default_lease_seconds: Option<u64>,
    /// Whether the points of expired trials are handed out again.
    pub retry_expired: bool,
}

impl Definition {
    /// Checks a draft. `drawn_seed` is the seed of a draft that names none.
    ///
    /// # Errors
    /// Every fault of the draft, with JSON pointers into it.
    pub fn check(draft: StudyDraft, drawn_seed: u64) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        check_name(&draft.name, "/name", &mut faults);
        check_name(&draft.project, "/project", &mut faults);
        let metrics = check_metrics(&draft, &mut faults);
        check_algorithm(&draft.algorithm, &mut faults);
        network::check(&draft, &mut faults);
        faults.extend(check_settings(&draft.settings(), draft.cost_metric.is_some()));
        if draft.seed.is_some_and(|seed| seed >= SEED_LIMIT) {
            faults.push(Fault::new("/seed", "a seed must be below 2^53"));
        }
        let space = Space::check(SpaceDraft {
            parameters: draft.parameters.clone(),
            parameter_constraints: draft.parameter_constraints.clone(),
        });
        match space {
            Ok(space) if faults.is_empty() => {
                let seed = draft.seed.unwrap_or(drawn_seed % SEED_LIMIT);
                let normalized = space.draft();
                let draft = StudyDraft {
                    parameters: normalized.parameters,
                    parameter_constraints: normalized.parameter_constraints,
                    ..draft
                };
                Ok(Self { draft, space, metrics, seed })
            }
            Ok(_) => Err(faults),
            Err(of_space) => {
                faults.extend(of_space);
                Err(faults)
            }
        }
    }

    /// The definition as it was written, after defaults; without a seed where none was given.
    pub fn draft(&self) -> &StudyDraft {
        &self.draft
    }

    /// The search space.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// All metrics, in their order; at least one is an objective.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// The metric of that name.
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// The metrics to be optimized, in their order.
    pub fn objectives(&self) -> impl Iterator<Item = &Metric> {
        self.metrics.iter().filter(|metric| matches!(metric.goal, Goal::Optimize { .. }))
    }

    /// The metrics to be kept within bounds, in their order.
    pub fn constraints(&self) -> impl Iterator<Item = &Metric> {
        self.metrics.iter().filter(|metric| matches!(metric.goal, Goal::Constrain { .. }))
    }

    /// Whether `values`, one for each metric in their order, hold every objective and keep every constraint. A
    /// missing constraint value is not feasible.
    pub fn is_feasible(&self, values: &[Option<f64>]) -> bool {
        self.metrics.iter().zip(values).all(|(metric, value)| match metric.goal {
            Goal::Constrain { lower, upper } => value.is_some_and(|value| (lower..=upper).contains(&value)),
            Goal::Optimize { .. } => value.is_some(),
            Goal::Record => true,
        })
    }

    /// The seed of everything random in the study.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether `parameter` names an unstepped float.
    pub fn is_differentiable_in(&self, parameter: &str) -> bool {
        self.space.index_of(parameter).is_some_and(|index| {
            matches!(self.space.parameters()[index].domain(), Domain::Float(range) if range.step().is_none())
        })
    }
}

impl StudyDraft {
    /// The part that may change later.
    pub fn settings(&self) -> Settings {
        Settings {
            budget: self.budget,
            default_lease_seconds: self.default_lease_seconds,
            retry_expired: self.retry_expired,
        }
    }
}

/// Every fault of a study's settings, with pointers as in a study's definition. `has_cost`: the study names a cost
/// metric.
pub fn check_settings(settings: &Settings, has_cost: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(cost) = settings.budget.cost {
        if !(cost.is_finite() && cost > 0.0) {
            faults.push(Fault::new("/budget/cost", "a budget must be a finite positive number"));
        } else if !has_cost {
            faults.push(Fault::new(
                "/budget/cost",
                "a cost budget needs a cost_metric, the recorded metric that is the cost of a trial",
            ));
        }
    }
    if settings.budget.trials.is_some_and(|trials| trials == 0 || trials >= SEED_LIMIT) {
        faults.push(Fault::new("/budget/trials", "a budget must be at least 1 and below 2^53"));
    }
    if settings.default_lease_seconds.is_some_and(|seconds| !(1..=MAX_LEASE_SECONDS).contains(&seconds)) {
        faults.push(Fault::new(
            "/default_lease_seconds",
            "a lease lasts from 1 second to 10 years; null means for ever",
        ));
    }
    faults
}

/// Ten years.
pub(super) const MAX_LEASE_SECONDS: u64 = 10 * 366 * 86_400;

fn check_name(name: &str, pointer: &str, faults: &mut Vec<Fault>) {
    let length = name.chars().count();
    if length == 0 || length > MAX_NAME {
        faults.push(Fault::new(pointer, format!("a name has 1 to {MAX_NAME} characters")));
    } else if name.chars().any(char::is_control) {
        faults.push(Fault::new(pointer, "a name has no control characters"));
    }
}

fn check_algorithm(algorithm: &AlgorithmDraft, faults: &mut Vec<Fault>) {
    if algorithm.initial_trials.is_some_and(|trials| trials == 0 || trials > MAX_INITIAL_TRIALS) {
        faults.push(Fault::new(
            "/algorithm/initial_trials",
            format!("an initial design has 1 to {MAX_INITIAL_TRIALS} trials"),
        ));
    }
}

fn check_metrics(draft: &StudyDraft, faults: &mut Vec<Fault>) -> Vec<Metric> {
    if draft.metrics.len() > MAX_METRICS {
        faults.push(Fault::new("/metrics", format!("a study has at most {MAX_METRICS} metrics")));
        return Vec::new();
    }
    let objectives = draft.metrics.iter().filter(|metric| metric.goal.is_objective()).count();
    if objectives == 0 {
        faults.push(Fault::new("/metrics", "a study needs a metric with the goal minimize or maximize"));
    }
    let mut metrics = Vec::with_capacity(draft.metrics.len());
    for (index, metric) in draft.metrics.iter().enumerate() {
        let pointer = format!("/metrics/{index}");
        check_name(&metric.name, &format!("{pointer}/name"), faults);
        if draft.metrics[..index].iter().any(|earlier| earlier.name == metric.name) {
            faults.push(Fault::new(format!("{pointer}/name"), "another metric has this name"));
        }
        if let Some(goal) = check_goal(metric, objectives > 1, &pointer, faults) {
            metrics.push(Metric { name: metric.name.clone(), goal });
        }
    }
    if let Some(name) = &draft.cost_metric
        && !draft.metrics.iter().any(|metric| metric.name == *name && metric.goal == GoalDraft::Record)
    {
        faults.push(Fault::new("/cost_metric", "the cost is a metric of this study with the goal record"));
    }
    metrics
}

impl GoalDraft {
    pub(super) fn is_objective(self) -> bool {
        matches!(self, Self::Minimize | Self::Maximize)
    }
}

fn check_goal(metric: &MetricDraft, several: bool, pointer: &str, faults: &mut Vec<Fault>) -> Option<Goal> {
    let before = faults.len();
    for (name, bound) in [("lower", metric.lower), ("upper", metric.upper), ("reference", metric.reference)] {
        if bound.is_some_and(|bound| !bound.is_finite()) {
            faults.push(Fault::new(format!("{pointer}/{name}"), "must be a finite number"));
        }
    }
    if metric.reference.is_some() && !(metric.goal.is_objective() && several) {
        faults.push(Fault::new(
            format!("{pointer}/reference"),
            "only an objective of a study with two or more objectives has a reference",
        ));
    }
    if metric.goal != GoalDraft::Constrain && (metric.lower.is_some() || metric.upper.is_some()) {
        faults.push(Fault::new(pointer, "only a metric with the goal constrain has lower or upper"));
    }
    let goal = match metric.goal {
        GoalDraft::Minimize => Goal::Optimize { direction: Direction::Minimize, reference: metric.reference },
        GoalDraft::Maximize => Goal::Optimize { direction: Direction::Maximize, reference: metric.reference },
        GoalDraft::Record => Goal::Record,
        GoalDraft::Constrain => {
            let lower = metric.lower.unwrap_or(f64::NEG_INFINITY);
            let upper = metric.upper.unwrap_or(f64::INFINITY);
            if metric.lower.is_none() && metric.upper.is_none() {
                faults.push(Fault::new(pointer, "a metric with the goal constrain needs lower or upper"));
            } else if lower >= upper {
                faults.push(Fault::new(pointer, "lower must be below upper"));
            }
            Goal::Constrain { lower, upper }
        }
    };
    (faults.len() == before).then_some(goal)
}
