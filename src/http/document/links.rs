//! Links of the OpenAPI document: what an answer holds that the next request needs (study → ask → trial → tell).

use serde_json::{Value as Json, json};

use super::operation;

const OF_BODY: &str = "$response.body#/id";
const OF_PATH: &str = "$request.path.study";

/// Adds the links of every operation that leads on.
pub(super) fn add(document: &mut Json) {
    for (status, study) in [("201", OF_BODY), ("200", OF_BODY)] {
        for id in ["create_study", "get_study"] {
            link(
                document,
                id,
                status,
                json!({
                    "ask": {"operationId": "ask", "parameters": {"study": study}},
                    "list_trials": {"operationId": "list_trials", "parameters": {"study": study}},
                    "get_best": {"operationId": "get_best", "parameters": {"study": study}},
                    "list_events": {"operationId": "list_events", "parameters": {"study": study}},
                }),
            );
        }
    }
    let first = "$response.body#/trials/0/number";
    link(document, "ask", "200", of_trial(first));
    link(document, "get_trial", "200", of_trial("$request.path.number"));
    link(
        document,
        "attach_trials",
        "201",
        json!({"get_trial": {
            "operationId": "get_trial", "parameters": {"study": OF_PATH, "number": "$response.body#/numbers/0"},
        }}),
    );
    link(
        document,
        "tell",
        "200",
        json!({
            "ask": {"operationId": "ask", "parameters": {"study": OF_PATH}},
            "get_best": {"operationId": "get_best", "parameters": {"study": OF_PATH}},
        }),
    );
}

fn of_trial(number: &str) -> Json {
    let to = |id: &str| json!({"operationId": id, "parameters": {"study": OF_PATH, "number": number}});
    json!({"tell": to("tell"), "heartbeat": to("heartbeat"), "get_trial": to("get_trial")})
}

fn link(document: &mut Json, id: &str, status: &str, links: Json) {
    let answer = operation(document, id).and_then(|operation| operation["responses"].get_mut(status));
    if let Some(answer) = answer {
        answer["links"] = links;
    }
}
