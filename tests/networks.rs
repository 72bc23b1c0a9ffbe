//! Networks as exporters write them, against onnxruntime's values and PyTorch's gradients; and files that mean harm.
//! The fixtures come from `fixtures/networks.py`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "onnx/mod.rs"]
mod onnx;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use tellus::advisor::hybrid::{Hybrid, Landscape, Radii, Settings, Steps, origin};
use tellus::advisor::{Advisor, History, Seen, Standing};
use tellus::attack::barrier::Merit;
use tellus::attack::composite::{Composite, Form, Memory};
use tellus::attack::onnx::{Network, NetworkFault, Quota, Workspace};
use tellus::space::{Design, Space, SpaceDraft};
use tellus::study::{Definition, Observation};

#[derive(Deserialize)]
struct Expected {
    x: Vec<f64>,
    y: Vec<f64>,
    u: Vec<f64>,
    gradient: Option<Vec<f64>>,
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/networks").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(&format!("{name}.onnx"))).unwrap()
}

fn load(name: &str) -> Network {
    Network::load(&bytes(name), &Quota::default()).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

fn expected() -> BTreeMap<String, Expected> {
    serde_json::from_slice(&std::fs::read(path("expected.json")).unwrap()).unwrap()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn size(v: &[f64]) -> f64 {
    v.iter().fold(0.0, |most, v| v.abs().max(most))
}

#[test]
fn values_are_onnxruntimes_and_gradients_are_pytorchs() {
    let mut with_gradient = 0;
    for (name, expected) in expected() {
        let network = load(&name);
        let mut workspace = Workspace::default();
        let y = network.evaluate(&expected.x, &mut workspace);
        assert_eq!(y.len(), expected.y.len(), "{name}");
        for (ours, theirs) in y.iter().zip(&expected.y) {
            assert!((ours - theirs).abs() <= 1e-5 * (1.0 + size(&expected.y)), "{name}: {ours} {theirs}");
        }
        assert_eq!(network.has_gradient(), expected.gradient.is_some(), "{name}");
        if let Some(gradient) = expected.gradient {
            with_gradient += 1;
            let ours = network.pull_back(&expected.u, &mut workspace);
            assert_eq!(ours.len(), gradient.len());
            for (ours, theirs) in ours.iter().zip(&gradient) {
                assert!((ours - theirs).abs() <= 2e-6 * (1.0 + size(&gradient)), "{name}: {ours} {theirs}");
            }
        }
    }
    assert!(with_gradient >= 20);
}

/// Independent of what PyTorch thinks: differences of the values themselves.
#[test]
fn gradients_are_the_limits_of_differences() {
    for (name, expected) in expected() {
        let network = load(&name);
        if !network.has_gradient() {
            continue;
        }
        let mut workspace = Workspace::default();
        network.evaluate(&expected.x, &mut workspace);
        let gradient = network.pull_back(&expected.u, &mut workspace);
        let mut along = |x: &[f64]| dot(&expected.u, &network.evaluate(x, &mut workspace));
        for i in 0..expected.x.len() {
            let step = 1e-6 * (1.0 + expected.x[i].abs());
            let mut x = expected.x.clone();
            x[i] += step;
            let ahead = along(&x);
            x[i] -= 2.0 * step;
            let slope = (ahead - along(&x)) / (2.0 * step);
            assert!(
                (slope - gradient[i]).abs() <= 1e-5 * (1.0 + size(&gradient)),
                "{name} {i}: {slope} {}",
                gradient[i]
            );
        }
    }
}

#[test]
fn the_biodiesel_problem_has_the_recorded_values_and_gradients() {
    let composite =
        Composite::new(load("bio_phi"), Form::Network(load("bio_goal")), Some(load("bio_constraints")), 2)
            .unwrap();
    let rows: Vec<Json> = serde_json::from_slice(&std::fs::read(path("bio_expected.json")).unwrap()).unwrap();
    let mut memory = Memory::default();
    assert_eq!(composite.constraints(), 701);
    for row in &rows {
        let number = |key: &str| row[key].as_f64().unwrap();
        let list = |key: &str| {
            row[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<f64>>()
        };
        let values = composite.evaluate(&list("x"), &mut memory);
        assert!((values.goal - number("f")).abs() < 1e-5);
        let most = values.constraints.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert!((most - number("c_max")).abs() < 1e-4 * (1.0 + most.abs()), "{most}");
        let gradient = composite.goal_gradient(&mut memory);
        for (ours, theirs) in gradient.iter().zip(list("grad_f")) {
            assert!((ours - theirs).abs() < 1e-4 * (1.0 + theirs.abs()), "{ours} {theirs}");
        }
        // The gradient of all constraints, weighted, by differences.
        let weights: Vec<f64> = (0..701).map(|i| f64::from(i % 7) - 3.0).collect();
        let pulled = composite.constraint_gradient(&weights, &mut memory);
        for i in 0..2 {
            let mut x = list("x");
            x[i] += 1e-6;
            let ahead = dot(&weights, &composite.evaluate(&x, &mut memory).constraints);
            x[i] -= 2e-6;
            let slope = (ahead - dot(&weights, &composite.evaluate(&x, &mut memory).constraints)) / 2e-6;
            assert!((slope - pulled[i]).abs() < 1e-5 * (1.0 + slope.abs()), "{slope} {}", pulled[i]);
        }
    }
}

/// The generator of the mutations (Steele, Lea & Flood 2014), as in `fixtures/networks.py`.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }
}

#[test]
fn a_thousand_damaged_files_are_evaluated_right_or_refused_with_a_reason() {
    let theirs: Vec<Json> = serde_json::from_slice(&std::fs::read(path("mutants.json")).unwrap()).unwrap();
    let expected = expected();
    let names: Vec<&String> = expected.keys().filter(|name| !name.starts_with("sk_")).collect();
    let files: BTreeMap<&String, Vec<u8>> = names.iter().map(|&name| (name, bytes(name))).collect();
    let mut random = SplitMix(2024);
    let (mut compared, mut refused) = (0, 0);
    for (index, theirs) in theirs.iter().enumerate() {
        let name = names[random.below(names.len())];
        let mut file = files[name].clone();
        if random.below(8) == 0 {
            file.truncate(random.below(file.len()));
        } else {
            for _ in 0..=random.below(4) {
                // As Python evaluates an assignment: first what is assigned.
                let byte = u8::try_from(random.below(256)).unwrap();
                let at = random.below(file.len());
                file[at] = byte;
            }
        }
        match Network::load(&file, &Quota::default()) {
            Err(fault) => {
                assert!(!fault.to_string().is_empty());
                refused += 1;
            }
            Ok(network) => {
                let x = &expected[name].x;
                let y = network.evaluate(x, &mut Workspace::default());
                // Where the interface itself was damaged there is nothing to compare.
                let same = network.input_length() == x.len() && network.inputs().len() == 1;
                if let (Some(theirs), true) = (theirs.as_f64(), same) {
                    let scale = 1.0 + y.iter().map(|y| y.abs()).sum::<f64>();
                    let ours: f64 = y.iter().sum();
                    assert!(
                        (ours - theirs).abs() <= 1e-4 * scale,
                        "mutant {index} of {name}: {ours} {theirs}"
                    );
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 150 && refused > 150, "{compared} compared, {refused} refused");
}

use onnx::{integer, integers, message, model, node, tensor};

fn refusal(file: &[u8]) -> NetworkFault {
    Network::load(file, &Quota::default()).map(|_| ()).expect_err("it was accepted")
}

#[test]
fn hostile_files_cost_no_more_than_their_quota() {
    // A header of 10 GB with four bytes behind it, as a weight and as an attribute.
    let huge = tensor("w", &[2_500_000_000], &[1.0]);
    let file = model(2, &[node("Mul", "m", &["x", "w"], &["y"], &[]), huge]);
    assert!(matches!(refusal(&file), NetworkFault::Quota { .. }));
    // Dimensions whose product overflows.
    let wide = tensor("w", &[1 << 40, 1 << 40], &[1.0]);
    let file = model(2, &[node("Mul", "m", &["x", "w"], &["y"], &[]), wide]);
    assert!(matches!(refusal(&file), NetworkFault::Quota { .. }));
    // Nodes that feed each other.
    let file = model(
        2,
        &[
            node("Add", "a", &["x", "v"], &["u"], &[]),
            node("Relu", "b", &["u"], &["v"], &[]),
            node("Relu", "c", &["v"], &["y"], &[]),
        ],
    );
    assert!(matches!(refusal(&file), NetworkFault::Cyclic { .. }));
    // A loop: never run, named.
    let file = model(2, &[node("Loop", "forever", &["x"], &["y"], &[])]);
    let fault = refusal(&file);
    assert!(fault.to_string().contains("Loop") && fault.to_string().contains("forever"), "{fault}");
    // Small files that ask for much: an expansion, a range, a convolution with a huge dilation, doubling for ever.
    let shape = integers("s", &[1 << 20, 1 << 20]);
    let file = model(1, &[node("Expand", "e", &["x", "s"], &["y"], &[]), shape]);
    assert!(matches!(refusal(&file), NetworkFault::Quota { .. }));
    let bounds = ["a", "b", "c"].iter().zip([0, i64::MAX, 1]).map(|(name, value)| {
        let content = [integer(2, 7), message(8, name.as_bytes()), message(9, &value.to_le_bytes())].concat();
        message(5, &content)
    });
    let mut graph: Vec<Vec<u8>> = bounds.collect();
    graph.push(node("Range", "r", &["a", "b", "c"], &["y"], &[]));
    assert!(matches!(refusal(&model(1, &graph)), NetworkFault::Quota { .. }));
    let mut graph = Vec::new();
    for i in 0..40 {
        let (from, to) = (if i == 0 { "x".into() } else { format!("v{i}") }, format!("v{}", i + 1));
        let axis = [message(1, b"axis"), integer(3, 1)].concat();
        graph.push(node("Concat", &format!("c{i}"), &[&from, &from], &[&to], &[axis]));
    }
    graph.push(node("Identity", "last", &["v40"], &["y"], &[]));
    assert!(matches!(refusal(&model(1, &graph)), NetworkFault::Quota { .. }));
    // Products of constants while loading.
    let weights = tensor("w", &[1500, 1500], &vec![0.5; 1500 * 1500]);
    let mut graph = vec![weights];
    for i in 0..10 {
        let (from, to) = (if i == 0 { "w".into() } else { format!("w{i}") }, format!("w{}", i + 1));
        graph.push(node("MatMul", &to.clone(), &[&from, "w"], &[&to], &[]));
    }
    graph.push(node("Add", "a", &["x", "w10"], &["y"], &[]));
    let small = Quota { work: 50_000_000, ..Quota::default() };
    let fault = Network::load(&model(1, &graph), &small).map(|_| ()).expect_err("it was accepted");
    assert!(matches!(fault, NetworkFault::Quota { .. }), "{fault}");
}

#[test]
fn what_is_wrong_is_named() {
    let unknown = refusal(&model(2, &[node("Frobnicate", "here", &["x"], &["y"], &[])])).to_string();
    assert!(unknown.contains("Frobnicate") && unknown.contains("here"), "{unknown}");
    let missing = refusal(&model(2, &[node("Relu", "here", &["z"], &["y"], &[])])).to_string();
    assert!(missing.contains("here") && missing.contains('z'), "{missing}");
    let shapes =
        model(2, &[node("MatMul", "here", &["x", "w"], &["y"], &[]), tensor("w", &[3, 1], &[1.0; 3])]);
    let shapes = refusal(&shapes).to_string();
    assert!(shapes.contains("here") && shapes.contains("MatMul"), "{shapes}");
    let short = model(2, &[node("Mul", "m", &["x", "w"], &["y"], &[]), tensor("w", &[5], &[1.0; 3])]);
    assert!(refusal(&short).to_string().contains('w'));
    assert!(matches!(refusal(b"PK\x03\x04 not a model"), NetworkFault::Truncated | NetworkFault::NotOnnx(_)));
    assert!(matches!(refusal(&[]), NetworkFault::NotOnnx(_)));
}

#[test]
fn a_network_without_a_gradient_says_so() {
    let network = load("sk_forest");
    assert!(!network.has_gradient());
    assert_eq!(network.flat_operators(), ["ai.onnx.ml.TreeEnsembleRegressor"]);
    assert!(!load("quantized").has_gradient());
    assert!(load("lenet").has_gradient() && load("lenet").flat_operators().is_empty());
}

/// The largest output of a random forest, found by `steps` within 400 passes; with what proposed the points.
fn highest_of_the_forest(steps: Steps, seed: u64) -> (f64, BTreeSet<&'static str>) {
    let (landscape, _) = forest();
    let settings = Settings { steps, is_global: true, measures_truth: false, radii: Radii::default(), seed };
    let mut hybrid = Hybrid::new(landscape, settings);
    let (mut best, mut origins) = (f64::NEG_INFINITY, BTreeSet::new());
    let mut taken = BTreeSet::new();
    while hybrid.landscape().passes() < 400 {
        let batch = hybrid.propose(1, &|key| taken.contains(&format!("{key:?}")));
        assert!(!batch.is_empty());
        for candidate in batch {
            let space = hybrid.landscape().space();
            taken.insert(format!("{:?}", space.canonical(&space.decode(&candidate.z))));
            let (value, constraints) = hybrid.landscape().sight(&candidate.z);
            best = best.max(value);
            origins.insert(candidate.origin);
            hybrid.tell(&candidate.z, Merit::of(value, &constraints));
        }
    }
    assert_eq!(hybrid.best().unwrap().1.value, best);
    (best, origins)
}

fn forest() -> (Landscape, Space) {
    let network = load("sk_forest");
    let n = network.input_length();
    let goal = Form::Linear((0..network.output_length()).map(|i| f64::from(i == 0)).collect());
    let parameters: Vec<Json> =
        (0..n).map(|i| json!({"name": format!("x{i}"), "type": "float", "low": -3, "high": 3})).collect();
    let draft: SpaceDraft =
        serde_json::from_value(json!({"parameters": parameters, "parameter_constraints": []})).unwrap();
    let space = Space::check(draft).unwrap();
    let composite = Composite::new(network, goal, None, n).unwrap();
    (Landscape::new(space.clone(), Arc::new(composite), 1.0), space)
}

/// Nothing to follow but values: evolution and direct search together find as good a leaf as ten times as many
/// space-filling points, every part has its turns, and the same seed finds the same.
#[test]
fn a_forest_is_climbed_without_a_gradient() {
    let (landscape, space) = forest();
    let spread = Design::new(&space, 7).points(1, 4_000, &|_| false);
    let wide =
        spread.iter().map(|point| landscape.sight(&space.encode(point)).0).fold(f64::NEG_INFINITY, f64::max);
    let both = highest_of_the_forest(Steps::Both, 1);
    assert!(both.0 >= wide, "{} < {wide}", both.0);
    for part in [origin::ATTACK_ESTIMATED, origin::EVOLUTION, origin::COVER, origin::POLL] {
        assert!(both.1.contains(part), "{part} is missing: {:?}", both.1);
    }
    assert_eq!(both, highest_of_the_forest(Steps::Both, 1));
    let (_, direct) = highest_of_the_forest(Steps::DirectSearch, 1);
    assert!(!direct.contains(origin::EVOLUTION) && !direct.contains(origin::ATTACK_ESTIMATED));
}

/// What proposed the points of 24 trials whose client measures `truth`, given the parameters and what the network says.
fn origins_with(truth: &dyn Fn(&[f64], f64) -> f64) -> Vec<&'static str> {
    let network = load("mlp_tanh");
    let n = network.input_length();
    let goal = Form::Linear((0..network.output_length()).map(|i| f64::from(i == 0)).collect());
    let composite = Arc::new(Composite::new(network, goal, None, n).unwrap());
    let parameters: Vec<Json> =
        (0..n).map(|i| json!({"name": format!("x{i}"), "type": "float", "low": -1, "high": 1})).collect();
    let draft = json!({
        "name": "truth", "seed": 1, "parameters": parameters, "metrics": [{"name": "value", "goal": "maximize"}],
        "network": {"phi": uuid::Uuid::nil(), "goal": {"linear": [1.0]}, "evaluate": "client"},
    });
    let definition = Definition::check(serde_json::from_value(draft).unwrap(), 0).unwrap();
    let landscape = Landscape::new(definition.space().clone(), Arc::clone(&composite), 1.0);
    let (advisor, mut history) = (Advisor::default(), History::default());
    let mut origins = Vec::new();
    for number in 0..24 {
        let (proposals, _) = advisor.suggest_through(&composite, &definition, &history, 1);
        let proposal = &proposals[0];
        origins.push(proposal.origin);
        let z = definition.space().encode(&proposal.point);
        let x: Vec<f64> = z.iter().map(|z| 2.0 * z - 1.0).collect();
        let value = truth(&x, landscape.sight(&z).0);
        let standing = Standing::Completed(vec![Some(Observation { value, sem: None, gradient: None })]);
        let told_revision = number as u64 + 1;
        let coordinates = Some(z);
        history.put(
            number,
            Seen { key: proposal.key, coordinates, standing, told_revision, curve: Vec::new(), gain: None },
        );
    }
    origins
}

/// A network that says what the client measures, but for a constant, keeps the model of the gap; one that says nothing of
/// it leaves its turns to the model of the values.
#[test]
fn where_the_network_misleads_the_values_are_modelled() {
    let is_through = |name: &&str| {
        let through = [
            origin::START,
            origin::ATTACK,
            origin::COVER,
            origin::SEARCH,
            origin::POLL,
            origin::EVOLUTION,
            origin::GAP,
        ];
        through.contains(name)
    };
    let faithful = origins_with(&|_, said| said + 0.3);
    assert!(faithful.iter().all(is_through), "{faithful:?}");
    assert!(faithful.contains(&origin::GAP), "{faithful:?}");
    let misled = origins_with(&|x, said| -10.0 * said - x.iter().map(|x| (x - 0.2).powi(2)).sum::<f64>());
    assert!(misled.iter().any(|name| !is_through(name)), "{misled:?}");
}
