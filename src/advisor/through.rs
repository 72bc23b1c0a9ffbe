//! Studies through a network: the hybrid over a study's history, and the evaluation of points by the networks.
//!
//! The hybrid is folded over what was told, in the order of telling. The last fold of some studies is kept and continued
//! where a history goes on from the one it was folded over, which is checked by the content of what was told; losing it
//! costs the time of folding again and changes nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::history::{History, Seen, Standing};
use super::hybrid::{Hybrid, Landscape, Radii, Settings, Steps, origin};
use super::{Advisor, Proposal};
use crate::attack::barrier::Merit;
use crate::attack::composite::{Composite, Memory};
use crate::space::{Fault, Point, PointKey, Value};
use crate::study::{Definition, Evaluate, Goal, Observation, Outcome};

/// How many studies' folds are kept.
const CAPACITY: usize = 16;

/// Folds of hybrids, the last used at the end.
#[derive(Default)]
pub(super) struct FoldMemo {
    folds: Mutex<Vec<Fold>>,
}

/// A hybrid with what it was folded over.
struct Fold {
    definition: Definition,
    told: Vec<(PointKey, Standing)>,
    hybrid: Hybrid,
}

/// Whether networks fit a study.
///
/// # Errors
/// The fault, where the study names more metrics than there are constraints.
pub fn admit_networks(definition: &Definition, composite: &Composite) -> Result<(), Vec<Fault>> {
    let named = named_constraints(definition);
    if named > composite.constraints() {
        let detail = format!("{named} metrics are named, and the network gives {}", composite.constraints());
        return Err(vec![Fault::new("/network/constraints/metrics", detail)]);
    }
    Ok(())
}

/// How many of the networks' constraints the client measures too.
fn named_constraints(definition: &Definition) -> usize {
    let constraints = definition.draft().network.as_ref().and_then(|network| network.constraints.as_ref());
    constraints.map_or(0, |constraints| constraints.metrics.len())
}

/// How many inputs Φ must take: the float and int parameters.
pub fn network_inputs(definition: &Definition) -> usize {
    use crate::space::Domain;
    let is_input = |domain: &Domain| matches!(domain, Domain::Float(_) | Domain::Int(_));
    definition.space().parameters().iter().filter(|parameter| is_input(parameter.domain())).count()
}

impl Advisor {
    /// The next `count` points of a study through a network, fewer only where the space has no more. A pure function of
    /// the definition, the networks and the history.
    pub fn suggest_through(
        &self,
        composite: &Arc<Composite>,
        definition: &Definition,
        history: &History,
        count: usize,
    ) -> (Vec<Proposal>, u64) {
        let mut fold = self.folds.take(definition, history, composite);
        let told = history.told();
        for (_, seen) in told.iter().skip(fold.told.len()) {
            if let Some(z) = &seen.coordinates {
                let merit = merit(definition, seen, fold.hybrid.landscape(), z);
                fold.hybrid.tell(z, merit);
            }
            fold.told.push((seen.key, seen.standing.clone()));
        }
        let space = definition.space();
        let candidates = fold.hybrid.propose(count, &|key| history.is_taken(key));
        let proposals: Vec<Proposal> = candidates
            .into_iter()
            .map(|candidate| {
                let point = space.decode(&candidate.z);
                let key = space.canonical(&point);
                Proposal { point, key, origin: candidate.origin }
            })
            .collect();
        let proposals = if composite.constraints() == named_constraints(definition)
            && proposals.iter().any(|proposal| proposal.origin == origin::GAP)
            && !fold.hybrid.network_helps()
        {
            self.without_network(definition, history, proposals)
        } else {
            proposals
        };
        let passes = fold.hybrid.landscape().passes();
        self.folds.put(fold);
        (proposals, passes)
    }
}

impl Advisor {
    /// Where the network misleads, `auto` as if there were none has the turns of the model of the gap.
    fn without_network(
        &self,
        definition: &Definition,
        history: &History,
        mut proposals: Vec<Proposal>,
    ) -> Vec<Proposal> {
        let mut instead = self.suggest(definition, history, proposals.len()).into_iter();
        for at in 0..proposals.len() {
            if proposals[at].origin != origin::GAP {
                continue;
            }
            let new = instead.find(|new| proposals.iter().all(|other| other.key != new.key));
            if let Some(new) = new {
                proposals[at] = new;
            }
        }
        proposals
    }
}

impl FoldMemo {
    /// The longest fold of this history that is kept, or one of nothing.
    fn take(&self, definition: &Definition, history: &History, composite: &Arc<Composite>) -> Fold {
        let told = history.told();
        let mut folds = self.folds.lock().unwrap_or_else(PoisonError::into_inner);
        let continues = |fold: &Fold| {
            fold.told.len() <= told.len()
                && fold
                    .told
                    .iter()
                    .zip(&told)
                    .all(|((key, was), (_, is))| *key == is.key && *was == is.standing)
                && fold.definition == *definition
        };
        if let Some(at) = folds.iter().position(continues) {
            return folds.remove(at);
        }
        drop(folds);
        let sign = definition.objectives().next().and_then(crate::study::Metric::direction);
        let sign = sign.map_or(1.0, crate::study::Direction::sign);
        let landscape = Landscape::new(definition.space().clone(), Arc::clone(composite), sign);
        let settings = Settings {
            steps: Steps::Both,
            is_global: true,
            measures_truth: evaluate(definition) == Evaluate::Client,
            radii: Radii::default(),
            seed: definition.seed(),
        };
        Fold { definition: definition.clone(), told: Vec::new(), hybrid: Hybrid::new(landscape, settings) }
    }

    fn put(&self, fold: Fold) {
        let mut folds = self.folds.lock().unwrap_or_else(PoisonError::into_inner);
        if folds.len() == CAPACITY {
            folds.remove(0);
        }
        folds.push(fold);
    }
}

fn evaluate(definition: &Definition) -> Evaluate {
    definition.draft().network.as_ref().map_or(Evaluate::Client, |network| network.evaluate)
}

/// What a told trial is worth. Of a study that the service evaluates the networks say it; else the client's metrics, and
/// the networks' constraints where it measured none.
fn merit(definition: &Definition, seen: &Seen, landscape: &Landscape, z: &[f64]) -> Merit {
    let failed = Merit { value: f64::NEG_INFINITY, violation: f64::INFINITY };
    if evaluate(definition) == Evaluate::Server {
        let (value, mut constraints) = landscape.sight(z);
        constraints.extend(bounds_kept(definition, &constraints));
        return Merit::of(value, &constraints);
    }
    let Standing::Completed(metrics) = &seen.standing else { return failed };
    let mut value = f64::NAN;
    let mut constraints = Vec::new();
    for (metric, observation) in definition.metrics().iter().zip(metrics) {
        match (metric.goal, observation) {
            (Goal::Optimize { direction, .. }, Some(observation)) => {
                value = direction.sign() * observation.value
            }
            (Goal::Constrain { lower, upper }, Some(observation)) => {
                constraints.extend([lower - observation.value, observation.value - upper]);
            }
            (Goal::Constrain { .. }, None) => return failed,
            _ => {}
        }
    }
    let has_measured = !constraints.is_empty();
    if !has_measured {
        constraints = landscape.sight(z).1;
    }
    Merit::of(value, &constraints)
}

/// The bounds of the constraint metrics that components of c predict, as numbers that must not be positive.
fn bounds_kept(definition: &Definition, c: &[f64]) -> Vec<f64> {
    let named = definition.draft().network.as_ref().and_then(|network| network.constraints.as_ref());
    let metrics = named.map_or(&[][..], |constraints| &constraints.metrics);
    let goals = metrics.iter().map(|name| definition.metric(name).map(|metric| metric.goal));
    goals
        .zip(c)
        .flat_map(|(goal, &c)| match goal {
            Some(Goal::Constrain { lower, upper }) => vec![lower - c, c - upper],
            _ => Vec::new(),
        })
        .collect()
}

/// What the networks make of a point, as the outcome of a trial. A point that violates a constraint which no metric
/// stands for has failed: nothing else would keep it from being the best.
#[allow(clippy::cast_precision_loss)]
pub fn evaluate_through(composite: &Composite, definition: &Definition, point: &Point) -> Outcome {
    let number = |value: &Option<Value>| match value {
        Some(Value::Float(x)) => Some(*x),
        Some(Value::Int(k)) => Some(*k as f64),
        _ => None,
    };
    let x: Vec<f64> = point.values.iter().filter_map(number).collect();
    let values = composite.evaluate(&x, &mut Memory::default());
    let named = definition.draft().network.as_ref().and_then(|network| network.constraints.as_ref());
    let names = named.map_or(&[][..], |constraints| &constraints.metrics);
    let worst = (names.len()..values.constraints.len())
        .max_by(|&a, &b| values.constraints[a].total_cmp(&values.constraints[b]));
    if let Some(worst) = worst
        && (values.constraints[worst] > 0.0 || values.constraints[worst].is_nan())
    {
        let reason = format!("constraint {worst} of the network is violated: {}", values.constraints[worst]);
        return Outcome::Failed { reason };
    }
    if !values.goal.is_finite() || values.constraints.iter().any(|c| !c.is_finite()) {
        return Outcome::Failed { reason: "the networks do not give finite numbers here".to_owned() };
    }
    let observed = |value: f64| Observation { value, sem: None, gradient: None };
    let mut metrics: BTreeMap<String, Observation> =
        names.iter().zip(&values.constraints).map(|(name, &c)| (name.clone(), observed(c))).collect();
    metrics.extend(definition.objectives().map(|metric| (metric.name.clone(), observed(values.goal))));
    Outcome::Completed { metrics }
}
