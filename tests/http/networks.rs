//! Networks over HTTP: uploaded, refused, used by studies, solved by the service and by clients, on both stores.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::server::Server;

macro_rules! on_both_stores {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let directory = tempfile::tempdir().unwrap();
                let url = format!("sqlite:{}", directory.path().join("t.sqlite").display());
                super::$test(&url).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let schema = crate::postgres::schema().await;
                super::$test(&schema.url).await;
            })*
        }
    };
}

on_both_stores!(
    networks_are_kept_listed_and_deleted,
    a_solve_finds_the_optimum_and_completes_the_study,
    a_solve_survives_the_end_of_its_server,
    clients_ask_and_tell_through_a_network,
);

fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/networks");
    std::fs::read(path.join(format!("{name}.onnx"))).unwrap()
}

async fn upload(server: &Server, name: &str, onnx: Vec<u8>) -> (u16, Json) {
    let request = server
        .client
        .post(format!("{}/v1/networks?name={name}", server.url))
        .header("content-type", "application/octet-stream")
        .body(onnx);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn kept(server: &Server, name: &str) -> Json {
    let (status, network) = upload(server, name, file(name)).await;
    assert_eq!(status, 201, "{network}");
    network["id"].clone()
}

/// The biodiesel problem: time and heat, in units of 120 minutes and 20 watts; the optimum is 1.87818 at (1, 0.20833).
async fn biodiesel(server: &Server, evaluate: &str, budget: Json) -> Json {
    let (phi, goal, constraints) = (
        kept(server, "bio_phi").await,
        kept(server, "bio_goal").await,
        kept(server, "bio_constraints").await,
    );
    json!({
        "name": format!("biodiesel-{evaluate}"), "seed": 4, "budget": budget,
        "parameters": [
            {"name": "t", "type": "float", "low": 0, "high": 1},
            {"name": "q", "type": "float", "low": 0, "high": 1},
        ],
        "metrics": [{"name": "yield", "goal": "maximize"}],
        "network": {
            "phi": phi, "goal": {"network": goal}, "constraints": {"network": constraints}, "evaluate": evaluate,
        },
    })
}

async fn delete(server: &Server, path: &str) -> u16 {
    server.client.delete(format!("{}{path}", server.url)).send().await.unwrap().status().as_u16()
}

async fn networks_are_kept_listed_and_deleted(database: &str) {
    let server = Server::start(database).await;
    let id = kept(&server, "lenet").await;
    let path = format!("/v1/networks/{}", id.as_str().unwrap());
    let (status, network) = server.get(&path).await;
    assert_eq!(status, 200);
    assert_eq!(network["gradient"], true);
    assert_eq!(network["inputs"], json!([{"name": "x", "shape": [1, 1, 8, 8]}]));
    assert_eq!(network["outputs"], json!([{"name": "y", "shape": [1, 5]}]));
    let (_, forest) = upload(&server, "forest", file("sk_forest")).await;
    assert_eq!(forest["gradient"], false, "{forest}");
    assert_eq!(server.get("/v1/networks").await.1["networks"].as_array().unwrap().len(), 2);
    // What is wrong is said.
    let (status, problem) = upload(&server, "cut", file("lenet")[..900].to_vec()).await;
    assert_eq!(status, 422, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("truncated"), "{problem}");
    // A study that does not fit is refused with the place of the fault.
    let misfit = json!({
        "name": "misfit", "parameters": [{"name": "x", "type": "float", "low": 0, "high": 1}],
        "metrics": [{"name": "m", "goal": "maximize"}],
        "network": {"phi": id, "goal": {"linear": [1, 0, 0, 0, 0]}, "evaluate": "client"},
    });
    let (status, problem) = server.post("/v1/studies", misfit).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/network")), "{problem}");
    assert_eq!(delete(&server, &path).await, 204);
    assert_eq!(server.get(&path).await.0, 404);
}

async fn ended(server: &Server, path: &str) -> Json {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (_, solve) = server.get(&format!("{path}/solve")).await;
        if solve["state"] != "running" {
            return solve;
        }
        assert!(Instant::now() < deadline, "the solve does not end: {solve}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn a_solve_finds_the_optimum_and_completes_the_study(database: &str) {
    let server = Server::start(database).await;
    let study = biodiesel(&server, "server", json!({"trials": 150})).await;
    let path = server.study(study.clone()).await;
    assert_eq!(server.get(&format!("{path}/solve")).await.0, 404);
    assert_eq!(server.post(&format!("{path}/solve"), json!({"evaluations": 0})).await.0, 422);
    let (status, solve) = server.post(&format!("{path}/solve"), json!({"evaluations": 10})).await;
    assert_eq!((status, &solve["state"]), (202, &json!("running")), "{solve}");
    let solve = ended(&server, &path).await;
    assert_eq!((&solve["state"], &solve["done"]), (&json!("completed"), &json!(10)), "{solve}");
    assert_eq!(server.get(&path).await.1["state"], "active");
    let (status, _) = server.post(&format!("{path}/solve"), json!({"evaluations": 1000})).await;
    assert_eq!(status, 202);
    let solve = ended(&server, &path).await;
    assert_eq!((&solve["state"], &solve["done"]), (&json!("completed"), &json!(140)), "{solve}");
    assert!(solve["passes"].as_u64().unwrap() > 140);
    let (_, study) = server.get(&path).await;
    assert_eq!((&study["state"], &study["solve"]["done"]), (&json!("completed"), &json!(140)));
    let (_, best) = server.get(&format!("{path}/best")).await;
    let value = best["trials"][0]["metrics"]["yield"]["value"].as_f64().unwrap();
    assert!(value > 1.54, "{best}");
    let (_, events) = server
        .client
        .get(format!("{}{path}/events?after=0&limit=1000", server.url))
        .header("accept", "application/json")
        .send()
        .await
        .map(|response| (response.status(), response))
        .unwrap();
    let events: Json = events.json().await.unwrap();
    let text = events.to_string();
    assert!(text.contains("\"solve\"") && text.contains("trial_told"));
    let network = study["network"]["phi"].as_str().unwrap();
    assert_eq!(delete(&server, &format!("/v1/networks/{network}")).await, 409);
}

async fn a_solve_survives_the_end_of_its_server(database: &str) {
    let server = Server::start(database).await;
    let study = biodiesel(&server, "server", json!({})).await;
    let path = server.study(study).await;
    server.post(&format!("{path}/solve"), json!({"evaluations": 60})).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    while server.get(&format!("{path}/solve")).await.1["done"].as_u64().unwrap() < 5 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.kill();
    let server = Server::start(database).await;
    let solve = ended(&server, &path).await;
    assert_eq!((&solve["state"], &solve["done"]), (&json!("completed"), &json!(60)), "{solve}");
    let (_, trials) = server.get(&format!("{path}/trials?limit=1000")).await;
    let trials = trials["trials"].as_array().unwrap().clone();
    assert!(trials.len() <= 61 && trials.iter().all(|trial| trial["state"] != "running"));
    // A cancelled solve ends, and another may begin.
    server.post(&format!("{path}/solve"), json!({"evaluations": 100_000})).await;
    assert_eq!(server.post(&format!("{path}/solve"), json!({"evaluations": 1})).await.0, 409);
    assert_eq!(delete(&server, &format!("{path}/solve")).await, 200);
    assert_eq!(ended(&server, &path).await["state"], "cancelled");
}

async fn clients_ask_and_tell_through_a_network(database: &str) {
    let server = Server::start(database).await;
    let study = biodiesel(&server, "client", json!({})).await;
    let path = server.study(study).await;
    assert_eq!(server.post(&format!("{path}/solve"), json!({"evaluations": 5})).await.0, 409);
    let mut origins = std::collections::BTreeSet::new();
    for _ in 0..6 {
        let (status, asked) = server.post(&format!("{path}/ask"), json!({"count": 4})).await;
        assert_eq!(status, 200, "{asked}");
        let trials = asked["trials"].as_array().unwrap().clone();
        assert_eq!(trials.len(), 4);
        for trial in trials {
            origins.insert(trial["origin"].as_str().unwrap().to_owned());
            let number = |name: &str| trial["parameters"][name].as_f64().unwrap();
            // A truth that the network does not know.
            let value = 1.0 - (number("t") - 0.4).powi(2) - (number("q") - 0.3).powi(2);
            let told = json!({"metrics": {"yield": value}});
            let (status, _) = server.post(&format!("{path}/trials/{}/tell", trial["number"]), told).await;
            assert_eq!(status, 200);
        }
    }
    assert!(origins.contains("network_and_gap_improvement"), "{origins:?}");
    let (_, best) = server.get(&format!("{path}/best")).await;
    assert!(best["trials"][0]["metrics"]["yield"]["value"].as_f64().unwrap() > 0.97, "{best}");
}
