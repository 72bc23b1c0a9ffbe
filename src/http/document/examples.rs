//! Examples of the OpenAPI document: one study from its creation to its best trial. The tests send each request to a
//! real server in this order.

use serde_json::{Value as Json, json};

use super::operation;

const STUDY: &str = "01a20b6e-4f0c-7d10-9c3b-6a5f1de2c881";
const LEASE: &str = "7c0f7b52-98a4-4d1f-8f5e-1f1c4d2ab9e3";

/// Adds the examples of every operation that has some.
pub(super) fn add(document: &mut Json) {
    asked(document, "create_study", study_request());
    for status in ["201", "200"] {
        answered(document, "create_study", status, study());
    }
    answered(document, "get_study", "200", study());
    answered(document, "list_studies", "200", json!({"studies": [study()], "next_cursor": null}));
    asked(document, "change_study", json!({"state": "paused", "metadata": {"owner": "ada"}}));
    asked(document, "ask", json!({"count": 1, "worker": "gpu-3", "lease_seconds": 3600}));
    answered(document, "ask", "200", json!({"trials": [trial("running", &Json::Null)]}));
    asked(document, "heartbeat", json!({}));
    answered(document, "heartbeat", "200", json!({"should_stop": false}));
    let metrics = json!({"accuracy": {"value": 0.97, "sem": 0.004}, "seconds": {"value": 12.5}});
    asked(document, "tell", json!({"metrics": metrics}));
    let metrics = json!({"accuracy": {"value": 0.97, "sem": 0.004}, "seconds": {"value": 12.5, "sem": null}});
    answered(document, "tell", "200", trial("completed", &metrics));
    answered(document, "get_trial", "200", trial("completed", &metrics));
    answered(
        document,
        "list_trials",
        "200",
        json!({
            "trials": [trial("completed", &metrics)], "next_cursor": null,
        }),
    );
    asked(document, "change_trial", json!({"note": "the fan was off", "tags": ["doubtful"]}));
    asked(
        document,
        "attach_trials",
        json!({"trials": [
            {"parameters": {"c": 1.0, "kernel": "rbf"}, "metrics": {"accuracy": {"value": 0.91}}},
            {"parameters": {"c": 10.0, "kernel": "poly", "degree": 4}, "failed": "out of memory"},
            {"parameters": {"c": 100.0, "kernel": "rbf"}},
        ]}),
    );
    answered(document, "attach_trials", "201", json!({"numbers": [1, 2, 3]}));
    answered(
        document,
        "get_best",
        "200",
        json!({
            "trials": [trial("completed", &metrics)],
            "recommended": {
                "parameters": {"c": 3.4, "kernel": "rbf"},
                "predicted": {"accuracy": {"mean": 0.968, "sd": 0.006, "q05": 0.958, "q50": 0.968, "q95": 0.978}},
            },
        }),
    );
}

fn study_request() -> Json {
    json!({
        "name": "svc-on-digits",
        "parameters": [
            {"name": "c", "type": "float", "low": 1e-3, "high": 1e3, "scale": "log"},
            {"name": "kernel", "type": "categorical", "choices": ["rbf", "poly"]},
            {"name": "degree", "type": "int", "low": 2, "high": 5, "when": {"kernel": ["poly"]}},
        ],
        "metrics": [{"name": "accuracy", "goal": "maximize"}, {"name": "seconds", "goal": "record"}],
        "seed": 7,
    })
}

fn study() -> Json {
    let mut study = json!({
        "id": STUDY, "project": "default", "state": "active", "parameter_constraints": [], "cost_metric": null,
        "algorithm": {"acquisition": "auto"}, "budget": {}, "default_lease_seconds": 86400, "retry_expired": false,
        "metadata": {}, "revision": 3, "spent": {"trials": 1, "cost": 0.0},
        "trial_counts": {
            "queued": 0, "running": 0, "completed": 1, "failed": 0, "stopped": 0, "abandoned": 0, "expired": 0,
        },
        "created_at": "2026-03-02T09:00:00Z", "updated_at": "2026-03-02T09:00:20Z",
    });
    let mut request = study_request();
    request["parameters"][2]["scale"] = json!("linear");
    if let (Some(study), Json::Object(request)) = (study.as_object_mut(), request) {
        study.extend(request);
    }
    study
}

fn trial(state: &str, metrics: &Json) -> Json {
    let has_ended = !metrics.is_null();
    json!({
        "number": 0, "state": state, "parameters": {"c": 1.0, "kernel": "rbf"}, "metrics": metrics, "reason": null,
        "replicate": 0, "outside": false, "retry_of": null, "superseded": false, "origin": "initial_design",
        "history_revision": 1, "worker": "gpu-3", "lease_token": LEASE, "lease_expires_at": "2026-03-02T10:00:07Z",
        "measurements": [], "revisions": [], "note": null, "tags": [], "metadata": {},
        "created_at": "2026-03-02T09:00:07Z", "started_at": "2026-03-02T09:00:07Z",
        "ended_at": if has_ended { json!("2026-03-02T09:00:20Z") } else { Json::Null },
    })
}

fn asked(document: &mut Json, id: &str, example: Json) {
    let body = operation(document, id)
        .and_then(|operation| operation.pointer_mut("/requestBody/content/application~1json"));
    if let Some(body) = body {
        body["example"] = example;
    }
}

fn answered(document: &mut Json, id: &str, status: &str, example: Json) {
    let answer = operation(document, id).and_then(|operation| {
        operation.pointer_mut(&format!("/responses/{status}/content/application~1json"))
    });
    if let Some(answer) = answer {
        answer["example"] = example;
    }
}
