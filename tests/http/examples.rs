//! The examples of the OpenAPI document are what the service takes, and what it answers with.

use crate::server::Server;
use serde_json::Value as Json;

/// The operations in the order in which a client would call them.
const STEPS: [(&str, &str, u16); 7] = [
    ("/v1/studies", "create_study", 201),
    ("/v1/studies/{study}/ask", "ask", 200),
    ("/v1/studies/{study}/trials/{number}/heartbeat", "heartbeat", 200),
    ("/v1/studies/{study}/trials/{number}/tell", "tell", 200),
    ("/v1/studies/{study}/trials", "attach_trials", 201),
    ("/v1/studies/{study}/trials/{number}", "change_trial", 200),
    ("/v1/studies/{study}", "change_study", 200),
];

/// The same names, and below each the same names again: answers may differ in their values.
fn has_the_shape_of(answer: &Json, example: &Json, at: &str) {
    match (answer, example) {
        (Json::Object(answer), Json::Object(example)) => {
            for (name, value) in example {
                let found =
                    answer.get(name).unwrap_or_else(|| panic!("{at}/{name} is missing in {answer:?}"));
                // A point and what is counted depend on the moment.
                if !matches!(name.as_str(), "parameters" | "metadata" | "predicted") {
                    has_the_shape_of(found, value, &format!("{at}/{name}"));
                }
            }
        }
        (Json::Array(answer), Json::Array(example)) => {
            if let (Some(answer), Some(example)) = (answer.first(), example.first()) {
                has_the_shape_of(answer, example, at);
            }
        }
        (answer, example) => {
            let kind = |value: &Json| (value.is_string(), value.is_number(), value.is_boolean());
            let either_is_null = answer.is_null() || example.is_null();
            assert!(either_is_null || kind(answer) == kind(example), "{at}: {answer} and {example}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_examples_are_true() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&format!("sqlite:{}", directory.path().join("t.sqlite").display())).await;
    let (_, document) = server.get("/openapi.json").await;
    let mut study = String::new();
    for (route, id, status) in STEPS {
        let methods = document["paths"][route].as_object().unwrap();
        let (method, operation) =
            methods.iter().find(|(_, operation)| operation["operationId"] == id).unwrap();
        let json = |of: &Json| of["content"]["application/json"]["example"].clone();
        let path = route.replace("{study}", &study).replace("{number}", "0");
        let request = json(&operation["requestBody"]);
        assert!(!request.is_null(), "{id} has an example");
        let answered = match method.as_str() {
            "post" => server.post(&path, request).await,
            _ => server.patch(&path, request).await,
        };
        assert_eq!(answered.0, status, "{id}: {}", answered.1);
        if id == "create_study" {
            study = answered.1["id"].as_str().unwrap().to_owned();
        }
        has_the_shape_of(&answered.1, &json(&operation["responses"][status.to_string()]), id);
    }
    let (_, best) = server.get(&format!("/v1/studies/{study}/best")).await;
    let example = &document["paths"]["/v1/studies/{study}/best"]["get"]["responses"]["200"];
    has_the_shape_of(&best, &example["content"]["application/json"]["example"], "get_best");
}
