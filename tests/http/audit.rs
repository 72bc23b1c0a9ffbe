//! The log of changes: who, what, when, from where.

use serde_json::{Value as Json, json};

use crate::server::{Server, plane};
use crate::user::{User, tellus, two_projects};

on_both_databases!(every_change_is_in_the_log, the_address_is_the_proxys_word_where_it_is_trusted);

async fn every_change_is_in_the_log(database: String, _: String) {
    let (server, admin, [ada, bob]) = two_projects(&database).await;
    let begin = chrono::Utc::now() - chrono::TimeDelta::seconds(5);
    let emil = ada.make(&server, "emil", json!({"a": "experimenter"})).await;
    let made =
        emil.request("POST", "/v1/studies").header("x-request-id", "from-emil").json(&plane("s", "random"));
    let study = emil.send(made).await.is(201).body["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/studies/{study}");
    emil.post(&format!("{path}/ask"), json!({"count": 2, "worker": "w"})).await.is(200);
    emil.post(&format!("{path}/trials/0/measurements"), json!({"step": 1, "metrics": {"loss": 2.0}}))
        .await
        .is(200);
    let told = json!({"metrics": {"loss": 1.0}});
    emil.post(&format!("{path}/trials/0/tell"), told.clone()).await.is(200);
    // What changes nothing is no change: the same again, a heartbeat, a refusal.
    emil.post(&format!("{path}/trials/0/tell"), told).await.is(200);
    emil.post(&format!("{path}/trials/1/heartbeat"), json!({})).await.is(200);
    emil.post(&format!("{path}/trials/0/tell"), json!({"failed": "no"})).await.is(409);
    emil.post(&format!("{path}/trials"), json!({"trials": [{"parameters": {"x": 0.5, "y": 1.0}}]}))
        .await
        .is(201);
    emil.patch(&format!("{path}/trials/0"), json!({"note": "odd"})).await.is(200);
    emil.patch(&path, json!({"state": "paused"})).await.is(200);
    let file = std::fs::read("tests/fixtures/networks/mlp_relu.onnx").unwrap();
    let network = emil.send(emil.request("POST", "/v1/networks?name=n").body(file)).await.is(201).body;
    ada.delete(&format!("/v1/networks/{}", network["id"].as_str().unwrap())).await.is(204);
    ada.delete(&path).await.is(204);

    let log = ada.get("/v1/audit").await.is(200).body;
    let entries = log["entries"].as_array().unwrap();
    let told: Vec<(&str, &str)> = entries
        .iter()
        .map(|entry| (entry["who"].as_str().unwrap(), entry["action"].as_str().unwrap()))
        .collect();
    let expected = [
        ("root", "create_project"),
        ("root", "create_token"),
        ("ada", "create_token"),
        ("emil", "create_study"),
        ("emil", "ask"),
        ("emil", "measure"),
        ("emil", "tell"),
        ("emil", "attach_trials"),
        ("emil", "change_trial"),
        ("emil", "change_study"),
        ("emil", "create_network"),
        ("ada", "delete_network"),
        ("ada", "delete_study"),
    ];
    assert_eq!(told, expected);
    let id = emil.get("/v1/tokens/self").await.is(200).body["id"].clone();
    for entry in &entries[3..11] {
        assert_eq!((&entry["token"], &entry["address"]), (&id, &json!("127.0.0.1")), "{entry}");
        let at: chrono::DateTime<chrono::Utc> = serde_json::from_value(entry["at"].clone()).unwrap();
        assert!(at > begin && at < begin + chrono::TimeDelta::minutes(5), "{entry}");
    }
    assert_eq!((&entries[3]["study"], &entries[3]["request_id"]), (&json!(study), &json!("from-emil")));
    assert_eq!(entries[4]["data"], json!({"numbers": [0, 1], "worker": "w"}));
    assert_eq!(
        (&entries[6]["number"], &entries[6]["data"]["outcome"]["state"]),
        (&json!(0), &json!("completed"))
    );
    assert!(!log.to_string().contains(emil.token.as_ref().unwrap()));

    let actions = async |user: &User, query: &str| -> Vec<String> {
        let log = user.get(&format!("/v1/audit?{query}")).await.is(200).body;
        let entries = log["entries"].as_array().unwrap();
        entries.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(actions(&ada, &format!("study={study}&action=tell")).await, ["tell"]);
    assert_eq!(actions(&ada, "order=desc&limit=1").await, ["delete_study"]);
    assert_eq!(actions(&ada, &format!("token={}", id.as_str().unwrap())).await.len(), 8);
    assert_eq!(actions(&bob, "").await, ["create_project", "create_token"]);
    assert_eq!(actions(&bob, &format!("study={study}")).await, [""; 0]);
    // The server's own, with what the command line did, is for admins.
    let all = admin.get("/v1/audit").await.is(200).body;
    let first: &Json = &all["entries"][0];
    assert_eq!((&first["who"], &first["action"]), (&json!("tellus token"), &json!("create_token")));
    emil.get("/v1/audit").await.is(403);
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = ada.get(&format!("/v1/audit?limit=4{cursor}")).await.is(200).body;
        seen.extend(page["entries"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, *entries);
}

async fn the_address_is_the_proxys_word_where_it_is_trusted(database: String, _: String) {
    let token = tellus(&database, &["token", "create", "root"]);
    for (trusted, expected) in [(false, "127.0.0.1"), (true, "203.0.113.9")] {
        let mut command = Server::command(&database);
        command.arg("--auth").env("RUST_LOG", "error").args(trusted.then_some("--behind-proxy"));
        let server = Server::launch(&mut command).await;
        let root = User::new(&server, Some(token.trim()));
        let request =
            root.request("POST", "/v1/studies").header("x-forwarded-for", "198.51.100.7, 203.0.113.9");
        root.send(request.json(&plane(expected, "random"))).await.is(201);
        let log = root.get("/v1/audit?order=desc&limit=1").await.is(200).body;
        assert_eq!(log["entries"][0]["address"], expected);
    }
}
