//! From a draft to a space: every fault at once.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::constraint::LinearConstraint;
use super::feasibility::NoPoint;
use super::json::{pointer, whole};
use super::parameter::{INT_LIMIT, float_range, int_range};
use super::{
    Condition, ConstraintDraft, Domain, DomainDraft, Fault, Label, Parameter, ParameterDraft, Point, Scale,
    Space, SpaceDraft, Value,
};

/// Most parameters of a space.
const MAX_PARAMETERS: usize = 1000;
/// Most labels of a parameter.
const MAX_LABELS: usize = 10_000;
/// Most linear constraints.
const MAX_CONSTRAINTS: usize = 100;
/// Longest name, in characters.
const MAX_NAME: usize = 200;

impl Space {
    /// Checks a draft.
    ///
    /// # Errors
    /// Every fault, with JSON pointers into the draft.
    pub fn check(draft: SpaceDraft) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        check_size(&draft, &mut faults)?;
        let names = check_names(&draft, &mut faults);
        let domains: Vec<Option<Domain>> = draft
            .parameters
            .iter()
            .enumerate()
            .map(|(i, parameter)| check_domain(parameter, &format!("/parameters/{i}"), &mut faults))
            .collect();
        let conditions: Vec<Vec<Condition>> = (0..draft.parameters.len())
            .map(|i| check_conditions(&draft, i, &names, &domains, &mut faults))
            .collect();
        let order = topological(&conditions);
        if let Err(in_cycle) = &order {
            for i in in_cycle {
                let at = format!("/parameters/{i}/when");
                faults.push(Fault::new(at, "the conditions run in a circle"));
            }
        } else {
            check_conditions_can_hold(&conditions, &mut faults);
        }
        let constraints: Vec<LinearConstraint> = draft
            .parameter_constraints
            .iter()
            .enumerate()
            .filter_map(|(i, constraint)| {
                let at = format!("/parameter_constraints/{i}");
                check_constraint(constraint, &at, &names, &draft, &mut faults)
            })
            .collect();
        let domains: Option<Vec<Domain>> = domains.into_iter().collect();
        let (Some(domains), Ok(order), true) = (domains, order, faults.is_empty()) else {
            return Err(faults);
        };
        let parameters: Vec<Parameter> = draft
            .parameters
            .iter()
            .zip(domains)
            .zip(conditions)
            .map(|((draft, domain), conditions)| Parameter { name: draft.name.clone(), domain, conditions })
            .collect();
        Self::assemble(draft, parameters, order, constraints)
    }

    /// The space of checked parts, once its constraints are known to leave a point.
    fn assemble(
        draft: SpaceDraft,
        parameters: Vec<Parameter>,
        order: Vec<usize>,
        constraints: Vec<LinearConstraint>,
    ) -> Result<Self, Vec<Fault>> {
        let normalized = parameters
            .iter()
            .zip(draft.parameters)
            .map(|(parameter, draft)| ParameterDraft { domain: parameter.normalized(), ..draft })
            .collect();
        let draft = SpaceDraft { parameters: normalized, ..draft };
        let coordinates = parameters.iter().map(Parameter::coordinate).collect();
        let anchor = Point { values: vec![None; parameters.len()] };
        let mut space = Self { draft, parameters, coordinates, order, constraints, anchor };
        // Provisional: the middle, feasible where there are no constraints.
        space.anchor = space.decode(&vec![0.5; space.dimension()]);
        space.anchor = space.find_feasible().map_err(|why| {
            let detail = match why {
                NoPoint::Impossible => "no point of the space satisfies the constraints",
                NoPoint::NotFound => "no point was found that satisfies the constraints: loosen them",
            };
            vec![Fault::new("/parameter_constraints", detail)]
        })?;
        Ok(space)
    }
}

fn check_size(draft: &SpaceDraft, faults: &mut Vec<Fault>) -> Result<(), Vec<Fault>> {
    let count = draft.parameters.len();
    if count == 0 {
        faults.push(Fault::new("/parameters", "a study needs a parameter"));
    }
    if count > MAX_PARAMETERS {
        faults.push(Fault::new(
            "/parameters",
            format!("a study has at most {MAX_PARAMETERS} parameters; these are {count}"),
        ));
    }
    if draft.parameter_constraints.len() > MAX_CONSTRAINTS {
        faults.push(Fault::new(
            "/parameter_constraints",
            format!("a study has at most {MAX_CONSTRAINTS} parameter constraints"),
        ));
    }
    if faults.is_empty() { Ok(()) } else { Err(std::mem::take(faults)) }
}

fn check_names<'a>(draft: &'a SpaceDraft, faults: &mut Vec<Fault>) -> HashMap<&'a str, usize> {
    let mut names = HashMap::new();
    for (i, parameter) in draft.parameters.iter().enumerate() {
        let at = format!("/parameters/{i}/name");
        let length = parameter.name.chars().count();
        if length == 0 || length > MAX_NAME {
            faults.push(Fault::new(at, format!("a name has 1 to {MAX_NAME} characters")));
        } else if parameter.name.chars().any(char::is_control) {
            faults.push(Fault::new(at, "a name has no control characters"));
        } else if names.insert(parameter.name.as_str(), i).is_some() {
            faults.push(Fault::new(at, "another parameter has this name"));
        }
    }
    names
}

fn check_domain(draft: &ParameterDraft, at: &str, faults: &mut Vec<Fault>) -> Option<Domain> {
    let before = faults.len();
    let domain = match &draft.domain {
        DomainDraft::Float { low, high, scale, step } => check_float(*low, *high, *scale, *step, at, faults),
        DomainDraft::Int { low, high, scale, step } => check_int(*low, *high, *scale, *step, at, faults),
        DomainDraft::Categorical { choices } => {
            check_labels(choices, &format!("{at}/choices"), faults).map(Domain::Categorical)
        }
        DomainDraft::Ordinal { values } => {
            check_labels(values, &format!("{at}/values"), faults).map(Domain::Ordinal)
        }
    };
    if faults.len() == before { domain } else { None }
}

fn check_float(
    low: f64,
    high: f64,
    scale: Scale,
    step: Option<f64>,
    at: &str,
    faults: &mut Vec<Fault>,
) -> Option<Domain> {
    for (name, bound) in [("low", low), ("high", high)] {
        if !bound.is_finite() {
            faults.push(Fault::new(format!("{at}/{name}"), "must be a finite number"));
        }
    }
    if low >= high {
        faults.push(Fault::new(format!("{at}/low"), "low must be below high"));
    } else if !(high - low).is_finite() {
        faults.push(Fault::new(format!("{at}/high"), "high − low is beyond the largest number"));
    }
    if scale == Scale::Log && low <= 0.0 {
        faults.push(Fault::new(format!("{at}/low"), "low must be above 0 on a log scale"));
    }
    if step.is_some_and(|step| !(step.is_finite() && step > 0.0)) {
        faults.push(Fault::new(format!("{at}/step"), "a step must be a finite positive number"));
        return None;
    }
    let range = float_range(low, high, scale, step);
    if range.is_none() && low < high {
        faults.push(Fault::new(
            format!("{at}/step"),
            "a step must fit between low and high, at least once and at most 9·10^15 times, and not be lost in \
             the rounding of numbers of their size",
        ));
    }
    range.map(Domain::Float)
}

fn check_int(
    low: i64,
    high: i64,
    scale: Scale,
    step: Option<i64>,
    at: &str,
    faults: &mut Vec<Fault>,
) -> Option<Domain> {
    let before = faults.len();
    for (name, bound) in [("low", low), ("high", high)] {
        if bound.unsigned_abs() > INT_LIMIT.unsigned_abs() {
            faults.push(Fault::new(format!("{at}/{name}"), "an int lies within ±(2^53 − 1)"));
        }
    }
    if low >= high {
        faults.push(Fault::new(format!("{at}/low"), "low must be below high"));
    }
    if scale == Scale::Log && low <= 0 {
        faults.push(Fault::new(format!("{at}/low"), "low must be above 0 on a log scale"));
    }
    let step = step.unwrap_or(1);
    if !(1..=INT_LIMIT).contains(&step) {
        faults.push(Fault::new(format!("{at}/step"), "a step must be a positive whole number"));
    }
    if faults.len() > before {
        return None;
    }
    let range = int_range(low, high, scale, step);
    if range.is_none() && low < high {
        faults.push(Fault::new(format!("{at}/step"), "a step must fit between low and high"));
    }
    range.map(Domain::Int)
}

fn check_labels(labels: &[Label], at: &str, faults: &mut Vec<Fault>) -> Option<Vec<Label>> {
    if labels.len() < 2 || labels.len() > MAX_LABELS {
        faults.push(Fault::new(at, format!("there must be 2 to {MAX_LABELS} of them")));
        return None;
    }
    let labels: Vec<Label> = labels.iter().cloned().map(Label::normalized).collect();
    let mut seen = HashSet::new();
    for (k, label) in labels.iter().enumerate() {
        if !label.is_like(&labels[0]) {
            faults.push(Fault::new(
                format!("{at}/{k}"),
                "all must be of one kind: strings, numbers or booleans",
            ));
        } else if !seen.insert(label.to_json().to_string()) {
            faults.push(Fault::new(format!("{at}/{k}"), "stands here twice"));
        }
    }
    Some(labels)
}

/// The conditions of parameter `i`, as far as they can be understood.
fn check_conditions(
    draft: &SpaceDraft,
    i: usize,
    names: &HashMap<&str, usize>,
    domains: &[Option<Domain>],
    faults: &mut Vec<Fault>,
) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (name, listed) in &draft.parameters[i].when {
        let at = format!("/parameters/{i}/when{}", pointer(name));
        let Some(&parent) = names.get(name.as_str()) else {
            faults.push(Fault::new(at, "there is no such parameter"));
            continue;
        };
        if parent == i {
            faults.push(Fault::new(at, "a parameter cannot depend on itself"));
            continue;
        }
        let Some(domain) = &domains[parent] else { continue };
        if matches!(domain, Domain::Float(_)) {
            faults.push(Fault::new(
                at,
                "a condition names values of a categorical, ordinal or int parameter, not of a float",
            ));
            continue;
        }
        if listed.is_empty() {
            faults.push(Fault::new(at, "a condition without values can never hold"));
            continue;
        }
        let mut values = Vec::with_capacity(listed.len());
        for (k, label) in listed.iter().enumerate() {
            match value_of(domain, label) {
                None => faults.push(Fault::new(format!("{at}/{k}"), "is no value of that parameter")),
                Some(value) if values.contains(&value) => {
                    faults.push(Fault::new(format!("{at}/{k}"), "stands here twice"));
                }
                Some(value) => values.push(value),
            }
        }
        conditions.push(Condition { parent, values });
    }
    conditions
}

fn value_of(domain: &Domain, label: &Label) -> Option<Value> {
    match domain {
        Domain::Float(_) => None,
        Domain::Int(range) => whole(&label.to_json()).filter(|x| range.admits(*x)).map(Value::Int),
        Domain::Categorical(labels) | Domain::Ordinal(labels) => {
            let label = label.clone().normalized();
            labels.iter().position(|known| *known == label).map(Value::Choice)
        }
    }
}

/// Every parameter behind those that its conditions name (Kahn 1962); the ones in a circle where there is one.
fn topological(conditions: &[Vec<Condition>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut order = Vec::with_capacity(conditions.len());
    let mut placed = vec![false; conditions.len()];
    loop {
        let before = order.len();
        for i in 0..conditions.len() {
            if !placed[i] && conditions[i].iter().all(|condition| placed[condition.parent]) {
                placed[i] = true;
                order.push(i);
            }
        }
        if order.len() == conditions.len() {
            return Ok(order);
        }
        if order.len() == before {
            return Err((0..conditions.len()).filter(|&i| !placed[i]).collect());
        }
    }
}

/// A condition needs its parent active, and so all that the parent's own conditions need: where these leave some
/// parameter no value, it can never hold.
fn check_conditions_can_hold(conditions: &[Vec<Condition>], faults: &mut Vec<Fault>) {
    for i in 0..conditions.len() {
        let mut needed: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
        let mut open = vec![i];
        let mut visited = HashSet::new();
        while let Some(j) = open.pop() {
            if !visited.insert(j) {
                continue;
            }
            for condition in &conditions[j] {
                needed
                    .entry(condition.parent)
                    .and_modify(|values| values.retain(|value| condition.values.contains(value)))
                    .or_insert_with(|| condition.values.clone());
                open.push(condition.parent);
            }
        }
        if needed.values().any(Vec::is_empty) && conditions[i].iter().all(|c| !c.values.is_empty()) {
            faults.push(Fault::new(
                format!("/parameters/{i}/when"),
                "can never hold: the conditions of the parameters it names contradict it",
            ));
        }
    }
}

fn check_constraint(
    constraint: &ConstraintDraft,
    at: &str,
    names: &HashMap<&str, usize>,
    draft: &SpaceDraft,
    faults: &mut Vec<Fault>,
) -> Option<LinearConstraint> {
    let before = faults.len();
    let is_equality = constraint.equals.is_some();
    for (name, bound) in
        [("lower", constraint.lower), ("upper", constraint.upper), ("equals", constraint.equals)]
    {
        if bound.is_some_and(|bound| !bound.is_finite()) {
            faults.push(Fault::new(format!("{at}/{name}"), "must be a finite number"));
        }
    }
    let (lower, upper) = match (constraint.equals, constraint.lower, constraint.upper) {
        (Some(equals), None, None) => (equals, equals),
        (Some(_), _, _) => {
            faults.push(Fault::new(at, "equals excludes lower and upper"));
            return None;
        }
        (None, None, None) => {
            faults.push(Fault::new(at, "a constraint needs lower, upper or equals"));
            return None;
        }
        (None, lower, upper) => (lower.unwrap_or(f64::NEG_INFINITY), upper.unwrap_or(f64::INFINITY)),
    };
    if !is_equality && lower >= upper {
        faults.push(Fault::new(at, "lower must be below upper; a single value is written as equals"));
    }
    let mut terms = Vec::new();
    for (name, &weight) in &constraint.sum {
        let at = format!("{at}/sum{}", pointer(name));
        let Some(&i) = names.get(name.as_str()) else {
            faults.push(Fault::new(at, "there is no such parameter"));
            continue;
        };
        if !weight.is_finite() || weight == 0.0 {
            faults.push(Fault::new(at, "a weight must be finite and not 0"));
            continue;
        }
        let parameter = &draft.parameters[i];
        let is_number = match &parameter.domain {
            DomainDraft::Float { .. } | DomainDraft::Int { .. } => true,
            DomainDraft::Ordinal { values } => values.iter().all(|v| matches!(v, Label::Number(_))),
            DomainDraft::Categorical { .. } => false,
        };
        let is_free = parameter.when.is_empty()
            && matches!(parameter.domain, DomainDraft::Float { scale: Scale::Linear, step: None, .. });
        if !is_number {
            faults.push(Fault::new(at, "only float, int and numeric ordinal parameters can be summed"));
        } else if is_equality && !is_free {
            faults.push(Fault::new(
                at,
                "equals holds between linear float parameters without step or conditions",
            ));
        } else {
            terms.push((i, weight));
        }
    }
    if constraint.sum.is_empty() {
        faults.push(Fault::new(format!("{at}/sum"), "a sum needs a parameter"));
    }
    (faults.len() == before).then_some(LinearConstraint { terms, lower, upper })
}

impl Parameter {
    /// Its domain as a draft, after the check.
    fn normalized(&self) -> DomainDraft {
        match &self.domain {
            Domain::Float(range) => DomainDraft::Float {
                low: range.low(),
                high: range.high(),
                scale: range.scale(),
                step: range.step(),
            },
            Domain::Int(range) => DomainDraft::Int {
                low: range.low(),
                high: range.high(),
                scale: range.scale(),
                step: (range.step() != 1).then_some(range.step()),
            },
            Domain::Categorical(labels) => DomainDraft::Categorical { choices: labels.clone() },
            Domain::Ordinal(labels) => DomainDraft::Ordinal { values: labels.clone() },
        }
    }
}
