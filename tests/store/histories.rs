//! The same history and seed give the same suggestion, whoever computes it: on SQLite with one thread and nothing
//! computed ahead, on Postgres with eight and everything ahead, and by services that start in the middle of a study.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use tellus::service::{LookAhead, Options, Service};
use tellus::store::Tell;
use tellus::study::{AskRequest, Outcome, StudyId, TrialState};

use crate::given::{self, Database};

const HISTORIES: u64 = 200;
const ROUNDS: usize = 3;
/// Steps between two ends of leases.
const STEPS: usize = 4;

/// A study that is optimized from two places.
struct Twin {
    ids: [StudyId; 2],
    rng: ChaCha8Rng,
    constrained: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_history_gives_the_same_points_everywhere() {
    let databases = [given::sqlite().await, given::postgres().await];
    let options = [
        Options { threads: 1, ahead: LookAhead::Never, ..Options::default() },
        Options { threads: 8, ahead: LookAhead::WhenIdle, ..Options::default() },
    ];
    let start = |place: usize| {
        let database: &Database = &databases[place];
        Service::new(Arc::clone(&database.store), options[place].clone())
    };
    let mut services = [start(0), start(1)];
    let mut twins = Vec::new();
    for number in 0..HISTORIES {
        twins.push(begin(&services, number).await);
    }
    for round in 0..ROUNDS {
        join_all(twins.iter_mut().map(|twin| live(&services, twin))).await;
        tokio::time::sleep(Duration::from_millis(1100)).await;
        for service in &services {
            for study in service.store().expire_leases(None).await.unwrap() {
                service.changed(study);
            }
        }
        // One of them starts again, and knows nothing but what is stored.
        services[round % 2] = start(round % 2);
    }
    let mut modelled = 0;
    for twin in &twins {
        let [one, two] = [0, 1].map(|place| services[place].store().trials(twin.ids[place], None, &PAGE));
        let (one, two) = (one.await.unwrap(), two.await.unwrap());
        assert_eq!(one.len(), two.len());
        for (a, b) in one.iter().zip(&two) {
            assert_eq!((a.state, &a.origin, &a.parameters), (b.state, &b.origin, &b.parameters));
        }
        modelled += one.iter().filter(|trial| trial.origin.contains("expected_improvement")).count();
    }
    assert!(modelled > 4 * twins.len(), "{modelled} points came from a model");
}

const PAGE: tellus::store::Page = tellus::store::Page { after: None, limit: 1000, descending: false };

async fn begin(services: &[Service; 2], number: u64) -> Twin {
    let mut rng = ChaCha8Rng::seed_from_u64(number);
    let kinds = [
        json!({"name": "x", "type": "float", "low": -5, "high": 10}),
        json!({"name": "k", "type": "categorical", "choices": ["a", "b", "c"]}),
        json!({"name": "n", "type": "int", "low": 1, "high": 40}),
        json!({"name": "r", "type": "float", "low": 1e-4, "high": 1, "scale": "log"}),
    ];
    let first = rng.random_range(0..kinds.len());
    let parameters: Vec<&Value> =
        (0..rng.random_range(1..=3)).map(|k| &kinds[(first + k) % kinds.len()]).collect();
    let constrained = rng.random::<f64>() < 0.2;
    let mut metrics = vec![json!({"name": "loss", "goal": "minimize"})];
    if constrained {
        metrics.push(json!({"name": "load", "goal": "constrain", "upper": 0.5}));
    }
    let changes = json!({
        "parameters": parameters, "metrics": metrics, "cost_metric": null, "seed": number,
        "algorithm": {"acquisition": "auto", "initial_trials": 3},
    });
    let mut ids = Vec::new();
    for service in services {
        let study = given::new_study(&format!("history {number}"), changes.clone());
        ids.push(service.store().create_study(study, None).await.unwrap().study.id);
    }
    Twin { ids: [ids[0], ids[1]], rng, constrained }
}

/// Some steps: asks by several workers, tells in any order and also of what expired, failures, amendments.
async fn live(services: &[Service; 2], twin: &mut Twin) {
    for step in 1..=STEPS {
        // Leases end between two rounds only: what the clock does meanwhile may differ from one place to the other.
        let is_short = twin.rng.random::<f64>() < 0.5 && step == STEPS;
        let request = AskRequest {
            count: twin.rng.random_range(1..=2),
            worker: Some(format!("worker {}", twin.rng.random_range(0..3))),
            lease_seconds: Some(is_short.then_some(1)),
            sticky: false,
        };
        let mut handed = Vec::new();
        for (service, id) in services.iter().zip(twin.ids) {
            handed.push(service.ask(id, request.clone(), None).await);
        }
        match (&handed[0], &handed[1]) {
            (Ok(one), Ok(two)) => {
                let points = |trials: &[tellus::study::Trial]| {
                    trials.iter().map(|t| (t.number, t.parameters.clone())).collect::<Vec<_>>()
                };
                assert_eq!(points(one), points(two));
            }
            (Err(one), Err(two)) => assert_eq!(one.to_string(), two.to_string()),
            differing => panic!("{differing:?}"),
        }
        let trials = services[0].store().trials(twin.ids[0], None, &PAGE).await.unwrap();
        for trial in &trials {
            let (is_told, change) = match trial.state {
                TrialState::Running => (false, twin.rng.random::<f64>() < 0.7),
                TrialState::Expired => (false, twin.rng.random::<f64>() < 0.3),
                TrialState::Completed => (true, twin.rng.random::<f64>() < 0.05),
                _ => (true, false),
            };
            if !change {
                continue;
            }
            let outcome = outcome(twin, &trial.parameters);
            let mut results = Vec::new();
            for (service, id) in services.iter().zip(twin.ids) {
                let tell = Tell { outcome: outcome.clone(), cost: 0.0, amend: is_told, lease_token: None };
                let told = service.store().tell(id, trial.number, tell, None).await;
                service.changed(id);
                results.push(told.map(|trial| trial.state).map_err(|error| error.to_string()));
            }
            assert_eq!(results[0], results[1]);
        }
    }
}

fn outcome(twin: &mut Twin, parameters: &Map<String, Value>) -> Outcome {
    if twin.rng.random::<f64>() < 0.1 {
        return given::failed("diverged");
    }
    if twin.rng.random::<f64>() < 0.05 {
        return given::abandoned("lost");
    }
    let sum: f64 = parameters
        .values()
        .map(|value| value.as_f64().map_or(0.3, |v| (v + 1.0).abs().ln_1p() * (3.0 * v).sin()))
        .sum();
    let mut outcome = given::completed(sum + 0.1 * twin.rng.random::<f64>());
    if let (true, Outcome::Completed { metrics }) = (twin.constrained, &mut outcome)
        && let Some(seen) = metrics.get("loss").cloned()
    {
        let load = tellus::study::Observation { value: seen.value.sin(), ..seen };
        metrics.insert("load".into(), load);
    }
    outcome
}
