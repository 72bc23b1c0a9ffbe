//! What a project may use: quotas of what it has, and of what it does in a minute.

use serde_json::{Value as Json, json};

use crate::server::plane;
use crate::user::{Answered, two_projects};

on_both_databases!(quotas_of_what_is_kept, quotas_of_a_minute);

/// A 429 of this cause that says when to come again.
fn limited(answered: &Answered, cause: &str) {
    assert_eq!((answered.status, answered.cause()), (429, cause), "{}", answered.body);
    let after: u64 = answered.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=600).contains(&after), "{after}");
}

async fn quotas_of_what_is_kept(database: String, _: String) {
    let (_server, admin, [ada, bob]) = two_projects(&database).await;
    let set = async |quotas: Json| admin.patch("/v1/projects/a", json!({"quotas": quotas})).await.is(200);
    set(json!({"studies": 1, "trials": 4, "networks": 1, "bytes": 10_000_000})).await;
    let made = ada.post("/v1/studies", plane("one", "space_filling")).await.is(201).body;
    let path = format!("/v1/studies/{}", made["id"].as_str().unwrap());
    limited(&ada.post("/v1/studies", plane("two", "space_filling")).await, "quota-spent");
    // What is there is found again, and another project has quotas of its own.
    ada.post("/v1/studies", plane("one", "space_filling")).await.is(200);
    bob.post("/v1/studies", plane("two", "space_filling")).await.is(201);

    ada.post(&format!("{path}/ask"), json!({"count": 3, "worker": "w"})).await.is(200);
    limited(&ada.post(&format!("{path}/ask"), json!({"count": 2})).await, "quota-spent");
    let point = json!({"parameters": {"x": 0.5, "y": 1.0}});
    limited(&ada.post(&format!("{path}/trials"), json!({"trials": [point, point]})).await, "quota-spent");
    ada.post(&format!("{path}/trials"), json!({"trials": [point]})).await.is(201);
    // A queued trial is there already, and so is one that is asked for again; tells are always taken.
    ada.post(&format!("{path}/ask"), json!({})).await.is(200);
    ada.post(&format!("{path}/ask"), json!({"worker": "w", "sticky": true})).await.is(200);
    ada.post(&format!("{path}/trials/0/tell"), json!({"metrics": {"loss": 1.0}})).await.is(200);
    limited(&ada.post(&format!("{path}/ask"), json!({})).await, "quota-spent");
    // Refusals that pass are not kept for a key.
    let keyed =
        || ada.request("POST", &format!("{path}/ask")).header("idempotency-key", "k").json(&json!({}));
    limited(&ada.send(keyed()).await, "quota-spent");
    set(json!({"studies": 1, "trials": 5, "networks": 1})).await;
    ada.send(keyed()).await.is(200);

    let file = std::fs::read("tests/fixtures/networks/mlp_relu.onnx").unwrap();
    let upload = async || ada.send(ada.request("POST", "/v1/networks?name=n").body(file.clone())).await;
    set(json!({"bytes": file.len() - 1})).await;
    limited(&upload().await, "quota-spent");
    set(json!({"bytes": file.len()})).await;
    let network = upload().await.is(201).body;
    limited(&upload().await, "quota-spent");
    set(json!({"networks": 1})).await;
    limited(&upload().await, "quota-spent");
    ada.delete(&format!("/v1/networks/{}", network["id"].as_str().unwrap())).await.is(204);
    upload().await.is(201);
    let project = ada.get("/v1/projects/a").await.is(200).body;
    let usage = json!({"studies": 1, "trials": 5, "networks": 1, "bytes": file.len()});
    assert_eq!((&project["usage"], &project["role"]), (&usage, &json!("owner")));
    admin.patch("/v1/projects/a", json!({"quotas": {"trials": -1}})).await.is(400);
    admin.patch("/v1/projects/a", json!({"quotas": {"trials": u64::MAX}})).await.is(422);
}

async fn quotas_of_a_minute(database: String, _: String) {
    let (_server, admin, [ada, bob]) = two_projects(&database).await;
    let quotas = json!({"quotas": {"asks_a_minute": 3, "requests_a_minute": 12}});
    admin.patch("/v1/projects/a", quotas).await.is(200);
    // Before the first request of the project its quotas were not looked up.
    let made = ada.post("/v1/studies", plane("one", "space_filling")).await.is(201).body;
    let path = format!("/v1/studies/{}", made["id"].as_str().unwrap());
    let ask = async || ada.post(&format!("{path}/ask"), json!({})).await;
    for _ in 0..3 {
        ask().await.is(200);
    }
    limited(&ask().await, "rate-limited");
    let mut answered = 0;
    let refused = loop {
        let read = ada.get(&path).await;
        if read.status != 200 {
            break read;
        }
        answered += 1;
        assert!(answered < 30, "it is never limited");
    };
    limited(&refused, "rate-limited");
    let made = bob.post("/v1/studies", plane("one", "space_filling")).await.is(201).body;
    bob.post(&format!("/v1/studies/{}/ask", made["id"].as_str().unwrap()), json!({})).await.is(200);
}
