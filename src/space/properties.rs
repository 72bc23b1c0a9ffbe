//! What holds in every space and at every point, tried on ones drawn at random. Values, conditions and sums are worked
//! out here from the JSON that clients see, apart from the code under test.

use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use serde_json::{Map, Value as Json, json};

use super::{
    ConstraintDraft, Coordinate, Design, Domain, DomainDraft, Label, ParameterDraft, Point, Scale, Space,
    SpaceDraft, Value,
};

/// `digits · 10^−decimals`, as a client would write it.
fn decimal(digits: i64, decimals: u32) -> f64 {
    format!("{digits}e-{decimals}").parse().unwrap()
}

/// A stepped parameter, and every one of its values.
#[derive(Clone, Debug)]
struct Grid {
    domain: DomainDraft,
    values: Vec<Json>,
}

fn float_grid(scale: Scale) -> impl Strategy<Value = Grid> {
    let least = if scale == Scale::Log { 1 } else { -100_000 };
    (least..100_000_i64, 1..500_i64, 1..400_i64, 0.0..1.0, 0..7_u32).prop_map(
        move |(low, step, count, rest, decimals)| {
            let off_grid = (rest * step as f64) as i64;
            Grid {
                domain: DomainDraft::Float {
                    low: decimal(low, decimals),
                    high: decimal(low + count * step + off_grid, decimals),
                    scale,
                    step: Some(decimal(step, decimals)),
                },
                values: (0..=count).map(|k| json!(decimal(low + k * step, decimals))).collect(),
            }
        },
    )
}

fn int_grid(scale: Scale) -> impl Strategy<Value = Grid> {
    let least = if scale == Scale::Log { 1 } else { -100_000 };
    (least..100_000_i64, 1..500_i64, 1..400_i64, 0.0..1.0).prop_map(move |(low, step, count, rest)| Grid {
        domain: DomainDraft::Int {
            low,
            high: low + count * step + (rest * step as f64) as i64,
            scale,
            step: (step != 1).then_some(step),
        },
        values: (0..=count).map(|k| json!(low + k * step)).collect(),
    })
}

/// Two to six labels of one kind.
fn labels() -> impl Strategy<Value = Vec<Label>> {
    let texts = subsequence(vec!["", "a", "b", "A", "1", "true", "ä", "~/"], 2..=6);
    let numbers =
        subsequence(vec![json!(-3), json!(0), json!(0.5), json!(16), json!(1e300), json!(7)], 2..=6);
    prop_oneof![
        texts.prop_map(|texts| texts.into_iter().map(|text| Label::Text(text.into())).collect::<Vec<_>>()),
        numbers.prop_map(|numbers| numbers.iter().filter_map(Label::from_json).collect()),
        Just(vec![Label::Boolean(true), Label::Boolean(false)]),
    ]
    .prop_shuffle()
}

fn labelled() -> impl Strategy<Value = Grid> {
    (labels(), any::<bool>()).prop_map(|(labels, ordered)| Grid {
        values: labels.iter().map(Label::to_json).collect(),
        domain: if ordered {
            DomainDraft::Ordinal { values: labels }
        } else {
            DomainDraft::Categorical { choices: labels }
        },
    })
}

/// A parameter with finitely many values.
fn grid() -> impl Strategy<Value = Grid> {
    prop_oneof![
        float_grid(Scale::Linear),
        float_grid(Scale::Log),
        int_grid(Scale::Linear),
        int_grid(Scale::Log),
        labelled()
    ]
}

/// A float without a step: of a usual size, or as wide, small or large as there are.
fn continuous() -> impl Strategy<Value = DomainDraft> {
    let linear = |(low, width): (f64, f64)| DomainDraft::Float {
        low,
        high: low + width,
        scale: Scale::Linear,
        step: None,
    };
    let log = |(exponent, decades): (f64, f64)| DomainDraft::Float {
        low: 10_f64.powf(exponent),
        high: 10_f64.powf((exponent + decades).min(308.0)),
        scale: Scale::Log,
        step: None,
    };
    prop_oneof![
        4 => (-1e3..1e3, 1e-3..1e3).prop_map(linear),
        1 => (-8e307..8e307, 1e300..8e307).prop_map(linear),
        4 => (-6.0..3.0, 0.01..6.0).prop_map(log),
        1 => (-307.0..300.0, 0.01..600.0).prop_map(log),
    ]
}

/// Up to seven parameters, some of them under conditions on ones before them, and so also under nested ones.
fn draft() -> impl Strategy<Value = SpaceDraft> {
    let domain = prop_oneof![continuous(), grid().prop_map(|grid| grid.domain)];
    let condition = (any::<Index>(), prop::collection::vec(any::<Index>(), 1..4));
    let parameter = (domain, prop::collection::vec(condition, 0..3));
    prop::collection::vec(parameter, 1..8).prop_map(|drawn| {
        let mut parameters: Vec<ParameterDraft> = Vec::new();
        for (domain, conditions) in drawn {
            let mut when = std::collections::BTreeMap::new();
            for (parent, picked) in conditions {
                let deciding: Vec<(String, Vec<Json>)> = parameters
                    .iter()
                    .map(|parent| (parent.name.clone(), some_values(&parent.domain)))
                    .filter(|(_, values)| !values.is_empty())
                    .collect();
                if deciding.is_empty() {
                    continue;
                }
                let (name, values) = parent.get(&deciding);
                let mut listed: Vec<Label> = Vec::new();
                for index in picked {
                    let label = Label::from_json(index.get(values)).unwrap();
                    if !listed.contains(&label) {
                        listed.push(label);
                    }
                }
                when.insert(name.clone(), listed);
            }
            parameters.push(ParameterDraft { name: format!("p{}", parameters.len()), domain, when });
        }
        SpaceDraft { parameters, parameter_constraints: Vec::new() }
    })
}

/// Values that a condition may name.
fn some_values(domain: &DomainDraft) -> Vec<Json> {
    match domain {
        DomainDraft::Float { .. } => Vec::new(),
        DomainDraft::Int { low, step, .. } => vec![json!(low), json!(low + step.unwrap_or(1))],
        DomainDraft::Categorical { choices: labels } | DomainDraft::Ordinal { values: labels } => {
            labels.iter().map(Label::to_json).collect()
        }
    }
}

/// A space without constraints. Conditions that contradict each other are drawn again.
fn space() -> impl Strategy<Value = Space> {
    draft().prop_filter_map("conditions that can never hold", |draft| Space::check(draft).ok())
}

/// Coordinates for any space drawn here, a few at the bounds.
fn coordinates() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![6 => 0.0..1.0, 1 => Just(0.0), 1 => Just(1.0)], 8)
}

/// Bounds on a sum over the numeric parameters, which the point at some coordinates keeps with room to spare.
fn constraint(space: &Space, at: &[f64], weights: &[f64], room: f64) -> Option<ConstraintDraft> {
    let parameters = space.draft().parameters;
    let sum: std::collections::BTreeMap<String, f64> = parameters
        .iter()
        .zip(weights)
        .filter(|(parameter, weight)| is_numeric(&parameter.domain) && **weight != 0.0)
        .map(|(parameter, weight)| (parameter.name.clone(), *weight))
        .collect();
    let written = space.write(&space.decode(at));
    let total = sum_of(&sum, &written);
    let width: f64 = parameters
        .iter()
        .filter_map(|parameter| Some(sum.get(&parameter.name)?.abs() * width_of(&parameter.domain)))
        .sum();
    if sum.is_empty() || !(width + total.abs()).is_finite() || width < 1e-6 * total.abs() {
        return None;
    }
    let (lower, upper) = if room < 0.25 {
        (Some(total - room * width), Some(total + room * width))
    } else if room < 0.6 {
        (None, Some(total + (room - 0.25) * width))
    } else {
        (Some(total - (room - 0.6) * width), None)
    };
    Some(ConstraintDraft { sum, lower, upper, equals: None })
}

fn is_numeric(domain: &DomainDraft) -> bool {
    match domain {
        DomainDraft::Float { .. } | DomainDraft::Int { .. } => true,
        DomainDraft::Categorical { .. } => false,
        DomainDraft::Ordinal { values } => values.iter().all(|label| matches!(label, Label::Number(_))),
    }
}

fn width_of(domain: &DomainDraft) -> f64 {
    match domain {
        DomainDraft::Float { low, high, .. } => high - low,
        DomainDraft::Int { low, high, .. } => (high - low) as f64,
        DomainDraft::Categorical { choices: labels } | DomainDraft::Ordinal { values: labels } => {
            let numbers = labels.iter().filter_map(|label| label.to_json().as_f64());
            let (low, high) = numbers.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
            high - low
        }
    }
}

/// A sum over what a client sees of a point.
fn sum_of(weights: &std::collections::BTreeMap<String, f64>, written: &Map<String, Json>) -> f64 {
    weights
        .iter()
        .map(|(name, weight)| weight * written.get(name).and_then(Json::as_f64).unwrap_or(0.0))
        .sum()
}

/// Whether a point, as a client sees it, keeps all constraints of a draft, but for rounding.
fn keeps(draft: &SpaceDraft, written: &Map<String, Json>) -> bool {
    draft.parameter_constraints.iter().all(|constraint| {
        let sizes: f64 = constraint
            .sum
            .iter()
            .map(|(name, weight)| (weight * written.get(name).and_then(Json::as_f64).unwrap_or(0.0)).abs())
            .sum();
        let sum = sum_of(&constraint.sum, written);
        let lower = constraint.lower.or(constraint.equals).unwrap_or(f64::NEG_INFINITY);
        let upper = constraint.upper.or(constraint.equals).unwrap_or(f64::INFINITY);
        let tolerance = if constraint.equals.is_some() { 1e-9 * sizes } else { 1e-12 * sizes };
        sum >= lower - tolerance && sum <= upper + tolerance
    })
}

/// Spaces whose constraints leave room around some point.
fn constrained() -> impl Strategy<Value = Space> {
    let weight = prop_oneof![1 => Just(0.0), 2 => 0.1..3.0, 1 => -3.0..-0.1];
    let constraints = prop::collection::vec((prop::collection::vec(weight, 8), 0.002..1.0), 1..4);
    (space(), coordinates(), constraints).prop_filter_map(
        "sums beyond numbers",
        |(space, inside, constraints)| {
            let constraints: Option<Vec<ConstraintDraft>> = constraints
                .iter()
                .map(|(weights, room)| constraint(&space, &inside, weights, *room))
                .collect();
            let draft = SpaceDraft { parameter_constraints: constraints?, ..space.draft() };
            let feasible = space.write(&space.decode(&inside));
            let checked = Space::check(draft.clone());
            assert!(checked.is_ok(), "{feasible:?} is feasible in {draft:?}: {checked:?}");
            checked.ok()
        },
    )
}

/// Whether two points are the same but for the rounding of unstepped floats.
fn are_close(space: &Space, a: &Point, b: &Point) -> bool {
    space.parameters().iter().zip(a.values.iter().zip(&b.values)).all(|(parameter, pair)| {
        match (parameter.domain(), pair) {
            (Domain::Float(range), (Some(Value::Float(x)), Some(Value::Float(y))))
                if range.step().is_none() =>
            {
                let spread = match range.scale() {
                    Scale::Linear => range.high() - range.low(),
                    // Rounding a coordinate is worth its share of the logarithms' distance.
                    Scale::Log => x.abs() * (1.0 + (range.high().ln() - range.low().ln()).abs()),
                };
                (x - y).abs()
                    <= 1e-14 * (spread + x.abs() + range.low().abs().max(1e-300).ln().abs() * x.abs())
            }
            (_, pair) => pair.0 == pair.1,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_value_of_a_grid_is_read_encoded_and_decoded_exactly(grid in grid()) {
        let parameter = ParameterDraft { name: "p".into(), domain: grid.domain, when: Default::default() };
        let draft = SpaceDraft { parameters: vec![parameter], parameter_constraints: Vec::new() };
        let space = Space::check(draft).unwrap();
        let levels = match space.coordinates()[0] {
            Coordinate::Continuous => 0,
            Coordinate::Ordered { levels } => usize::try_from(levels).unwrap(),
            Coordinate::Categorical { choices } => choices,
        };
        prop_assert_eq!(levels, grid.values.len());
        let mut last = -1.0;
        for (k, value) in grid.values.iter().enumerate() {
            let parameters = Map::from_iter([("p".to_owned(), value.clone())]);
            let reading = space.read(&parameters).unwrap();
            prop_assert!(reading.outside.is_empty(), "{value}: {:?}", reading.outside);
            let point = reading.point.unwrap();
            let u = space.encode(&point)[0];
            prop_assert!(u > last, "{} lies at {} and the one before at {}", value, u, last);
            last = u;
            prop_assert_eq!(u == 0.0, k == 0);
            prop_assert_eq!(u == 1.0, k == levels - 1);
            let decoded = space.decode(&[u]);
            prop_assert_eq!(&decoded, &point);
            prop_assert_eq!(space.canonical(&decoded), space.canonical(&point));
            prop_assert_eq!(space.write(&decoded), parameters);
        }
    }

    #[test]
    fn floats_are_exact_at_their_bounds_and_stay_inside(domain in continuous(), u in 0.0..1.0) {
        let DomainDraft::Float { low, high, scale, .. } = domain.clone() else { unreachable!() };
        let parameter = ParameterDraft { name: "p".into(), domain, when: Default::default() };
        let draft = SpaceDraft { parameters: vec![parameter], parameter_constraints: Vec::new() };
        let space = Space::check(draft).unwrap();
        for (bound, at) in [(low, 0.0), (high, 1.0)] {
            let point = Point { values: vec![Some(Value::Float(bound))] };
            prop_assert_eq!(space.encode(&point), vec![at]);
            prop_assert_eq!(&space.decode(&[at]), &point);
            // A search may overstep by rounding.
            prop_assert_eq!(&space.decode(&[at + (at - 0.5) * 1e-9]), &point);
        }
        let Some(Value::Float(x)) = space.decode(&[u]).values[0] else { unreachable!() };
        prop_assert!((low..=high).contains(&x));
        // Halfway lies the mean of the bounds; of their logarithms on a log scale.
        let Some(Value::Float(middle)) = space.decode(&[0.5]).values[0] else { unreachable!() };
        let expected = match scale {
            Scale::Linear => 0.5 * low + 0.5 * high,
            Scale::Log => low.sqrt() * high.sqrt(),
        };
        prop_assert!((middle - expected).abs() <= 1e-12 * (expected.abs() + high - low).min(f64::MAX));
    }

    #[test]
    fn points_survive_their_coordinates_and_their_json(space in space(), u in coordinates()) {
        for point in [space.decode(&u), space.at_uniform(&u)] {
            let coordinates = space.encode(&point);
            for (u, value) in coordinates.iter().zip(&point.values) {
                prop_assert_eq!(u.is_nan(), value.is_none());
                prop_assert!(u.is_nan() || (0.0..=1.0).contains(u));
            }
            let decoded = space.decode(&coordinates);
            prop_assert!(are_close(&space, &decoded, &point), "{:?} became {:?}", point, decoded);
            // Through text, since floats have to survive that.
            let text = serde_json::to_string(&space.write(&point)).unwrap();
            let reading = space.read(&serde_json::from_str(&text).unwrap()).unwrap();
            prop_assert!(reading.outside.is_empty(), "{text}: {:?}", reading.outside);
            let read = reading.point.unwrap();
            prop_assert_eq!(space.canonical(&read), space.canonical(&point));
            prop_assert_eq!(read, point);
        }
    }

    #[test]
    fn parameters_exist_where_their_conditions_hold(space in space(), u in coordinates()) {
        let written = space.write(&space.decode(&u));
        let draft = space.draft();
        // A parameter that is there, under conditions on ones that are there.
        for parameter in &draft.parameters {
            let holds = parameter.when.iter().all(|(parent, listed)| {
                written.get(parent).is_some_and(|value| listed.iter().any(|label| label.to_json() == *value))
            });
            prop_assert_eq!(written.contains_key(&parameter.name), holds, "{} in {:?}", &parameter.name, written);
        }
        // One too many or one too few is refused where it stands.
        for parameter in &draft.parameters {
            let mut wrong = written.clone();
            if wrong.remove(&parameter.name).is_none() {
                wrong.insert(parameter.name.clone(), json!(0));
            }
            let faults = space.read(&wrong).unwrap_err();
            let pointer = format!("/{}", parameter.name);
            prop_assert!(faults.iter().any(|fault| fault.pointer == pointer));
        }
    }

    #[test]
    fn keys_tell_points_apart(space in space(), u in coordinates(), v in coordinates()) {
        let (a, b) = (space.decode(&u), space.decode(&v));
        prop_assert_eq!(space.canonical(&a) == space.canonical(&b), a == b);
        // One coordinate changed: the same key exactly where the client sees the same.
        for i in 0..space.dimension() {
            let mut w = u.clone();
            w[i] = v[i];
            let c = space.decode(&w);
            prop_assert_eq!(space.canonical(&a) == space.canonical(&c), space.write(&a) == space.write(&c));
        }
    }

    #[test]
    fn a_checked_draft_is_checked_again_to_the_same_space(space in space()) {
        prop_assert_eq!(&Space::check(space.draft()).unwrap(), &space);
        let text = serde_json::to_string(&space.draft()).unwrap();
        prop_assert_eq!(&Space::check(serde_json::from_str(&text).unwrap()).unwrap(), &space);
    }

    #[test]
    fn repair_and_design_keep_every_constraint(space in constrained(), u in coordinates(), seed in any::<u64>()) {
        let draft = space.draft();
        let repaired = space.repair(&u);
        prop_assert!(keeps(&draft, &space.write(&repaired)), "{:?}", space.write(&repaired));
        prop_assert!(space.satisfies(&repaired));
        let points = Design::new(&space, seed).points(0, 12, &|_| false);
        let keys: std::collections::HashSet<_> = points.iter().map(|point| space.canonical(point)).collect();
        prop_assert_eq!(keys.len(), points.len());
        prop_assert!(!points.is_empty());
        for point in &points {
            let written = space.write(point);
            prop_assert!(keeps(&draft, &written), "{written:?}");
            let reading = space.read(&written).unwrap();
            prop_assert!(reading.outside.is_empty(), "{:?}", reading.outside);
        }
    }

    #[test]
    fn mixtures_add_up(
        highs in prop::collection::vec(0.2..1.0, 2..7),
        share in 0.05..0.95,
        u in coordinates(),
        seed in any::<u64>(),
    ) {
        let equals = share * highs.iter().sum::<f64>();
        let space = Space::check(mixture(&highs, equals)).unwrap();
        for point in Design::new(&space, seed).points(0, 8, &|_| false).iter().chain([&space.repair(&u)]) {
            let written = space.write(point);
            prop_assert!(keeps(&space.draft(), &written), "{written:?} does not add up to {equals}");
        }
        // Beyond what the parts can add up to there is nothing.
        let beyond = highs.iter().sum::<f64>() * 1.001;
        prop_assert_eq!(Space::check(mixture(&highs, beyond)).unwrap_err().len(), 1);
    }

    #[test]
    fn projection_moves_what_is_free_alone(space in constrained(), u in coordinates(), free in any::<[bool; 8]>()) {
        let before: Vec<f64> = space.encode(&space.decode(&u));
        let free = &free[..space.dimension()];
        let mut after = before.clone();
        let arrived = space.project(&mut after, free);
        for i in 0..before.len() {
            prop_assert!(free[i] || before[i].to_bits() == after[i].to_bits());
            prop_assert_eq!(before[i].is_nan(), after[i].is_nan());
            prop_assert!(after[i].is_nan() || (0.0..=1.0).contains(&after[i]));
        }
        let is_continuous = |coordinate: &Coordinate| matches!(coordinate, Coordinate::Continuous);
        if arrived && space.coordinates().iter().all(is_continuous) {
            prop_assert!(keeps(&space.draft(), &space.write(&space.decode(&after))));
        }
    }

    #[test]
    fn every_fault_of_an_impossible_space_is_listed(
        space in space(),
        faults in prop::collection::vec((any::<Index>(), any::<Index>()), 1..8),
    ) {
        let mut draft = space.draft();
        for parameter in &mut draft.parameters {
            // One fault must not hide another.
            parameter.when.clear();
        }
        let mut expected = Vec::new();
        for (which, how) in faults {
            let i = which.index(draft.parameters.len());
            let at = format!("/parameters/{i}");
            if expected.iter().any(|pointer: &String| pointer.starts_with(&format!("{at}/"))) {
                continue;
            }
            let (domain, when, pointer) = fault(how);
            draft.parameters[i].domain = domain;
            draft.parameters[i].when = when;
            expected.push(format!("{at}/{pointer}"));
        }
        draft.parameter_constraints = vec![
            ConstraintDraft { sum: [("nobody".to_owned(), 1.0)].into(), upper: Some(1.0), ..Default::default() },
            ConstraintDraft { sum: Default::default(), lower: Some(1.0), upper: Some(0.0), equals: None },
        ];
        expected.extend(["0/sum/nobody", "1", "1/sum"].map(|at| format!("/parameter_constraints/{at}")));
        let faults = Space::check(draft).unwrap_err();
        let mut found: Vec<String> = faults.iter().map(|fault| fault.pointer.clone()).collect();
        prop_assert!(faults.iter().all(|fault| !fault.detail.is_empty()));
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
    }
}

/// A domain or condition that is impossible, and where it says so.
fn fault(how: Index) -> (DomainDraft, std::collections::BTreeMap<String, Vec<Label>>, &'static str) {
    let float = |low, high, scale, step| DomainDraft::Float { low, high, scale, step };
    let int = |low, high, scale, step| DomainDraft::Int { low, high, scale, step };
    let fine = || float(0.0, 1.0, Scale::Linear, None);
    let text = |text: &str| Label::Text(text.into());
    let faults = [
        (float(1.0, 1.0, Scale::Linear, None), None, "low"),
        (float(2.0, 1.0, Scale::Log, None), None, "low"),
        (float(0.0, 1.0, Scale::Log, None), None, "low"),
        (float(-1.0, 1.0, Scale::Log, None), None, "low"),
        (float(-1e308, 1e308, Scale::Linear, None), None, "high"),
        (float(0.0, 1.0, Scale::Linear, Some(2.0)), None, "step"),
        (float(0.0, 1.0, Scale::Linear, Some(0.0)), None, "step"),
        (float(0.0, 1.0, Scale::Linear, Some(1e-20)), None, "step"),
        (float(1e17, 1e17 + 1e3, Scale::Linear, Some(1.0)), None, "step"),
        (int(3, 3, Scale::Linear, None), None, "low"),
        (int(0, 3, Scale::Log, None), None, "low"),
        (int(1, 3, Scale::Linear, Some(3)), None, "step"),
        (int(1, 3, Scale::Linear, Some(-1)), None, "step"),
        (int(1, 1 << 53, Scale::Linear, None), None, "high"),
        (DomainDraft::Categorical { choices: vec![text("one")] }, None, "choices"),
        (DomainDraft::Categorical { choices: vec![text("one"), text("one")] }, None, "choices/1"),
        (DomainDraft::Ordinal { values: vec![text("one"), Label::Boolean(true)] }, None, "values/1"),
        (fine(), Some("nobody"), "when/nobody"),
        (fine(), Some("a/b"), "when/a~1b"),
    ];
    let (domain, parent, pointer) = how.get(&faults).clone();
    let when = parent.map(|parent| (parent.to_owned(), vec![text("x")])).into_iter().collect();
    (domain, when, pointer)
}

fn mixture(highs: &[f64], equals: f64) -> SpaceDraft {
    let parameters: Vec<ParameterDraft> = (0..)
        .zip(highs)
        .map(|(i, &high)| ParameterDraft {
            name: format!("part{i}"),
            domain: DomainDraft::Float { low: 0.0, high, scale: Scale::Linear, step: None },
            when: Default::default(),
        })
        .collect();
    let sum = parameters.iter().map(|parameter| (parameter.name.clone(), 1.0)).collect();
    let constraint = ConstraintDraft { sum, equals: Some(equals), ..Default::default() };
    SpaceDraft { parameters, parameter_constraints: vec![constraint] }
}
