//! What a client may send by mistake or on purpose: each gets its documented status and a problem that says what to
//! change, and nothing is stored.

use serde_json::{Value as Json, json};

use crate::server::Server;

on_both_stores!(
    what_is_no_json_or_has_a_wrong_shape_is_400,
    what_is_impossible_is_422_with_every_fault,
    impossible_studies_list_every_fault,
    what_is_not_there_told_twice_or_too_large_is_refused,
);

/// A study with a parameter of each type, and a trial that runs.
async fn study(server: &Server) -> String {
    let study = server
        .study(json!({
            "name": "refusals", "seed": 1, "algorithm": {"acquisition": "space_filling"},
            "parameters": [
                {"name": "x", "type": "float", "low": 0, "high": 1},
                {"name": "y", "type": "float", "low": 0, "high": 1, "step": 0.25},
                {"name": "n", "type": "int", "low": 1, "high": 9},
                {"name": "kernel", "type": "categorical", "choices": ["rbf", "poly"]},
                {"name": "degree", "type": "int", "low": 2, "high": 5, "when": {"kernel": ["poly"]}},
                {"name": "batch", "type": "ordinal", "values": [16, 32, 64]},
            ],
            "metrics": [
                {"name": "loss", "goal": "minimize"},
                {"name": "heat", "goal": "constrain", "upper": 1},
                {"name": "seconds", "goal": "record"},
            ],
            "parameter_constraints": [{"sum": {"x": 1, "y": 1}, "upper": 1.5}],
        }))
        .await;
    assert_eq!(server.post(&format!("{study}/ask"), json!({})).await.0, 200);
    study
}

/// Everything that could have been stored.
async fn stored(server: &Server, study: &str) -> [Json; 4] {
    let (_, studies) = server.get("/v1/studies").await;
    let (_, study_now) = server.get(study).await;
    let (_, trials) = server.get(&format!("{study}/trials")).await;
    let request =
        server.client.get(format!("{}{study}/events", server.url)).header("accept", "application/json");
    let events = request.send().await.unwrap().json().await.unwrap();
    [studies, study_now, trials, events]
}

/// Sends a request and checks that it is refused in the one form there is: with this status, cause, and, where it is
/// not empty, the place of a fault. Returns the problem.
async fn refuse(server: &Server, method: &str, path: &str, body: &[u8], expected: (u16, &str, &str)) -> Json {
    let (status, cause, pointer) = expected;
    let request = server.client.request(method.parse().unwrap(), format!("{}{path}", server.url));
    let request = request.header("content-type", "application/json").body(body.to_vec());
    let response = request.send().await.unwrap();
    let shown = format!("{method} {path} {}", String::from_utf8_lossy(&body[..body.len().min(300)]));
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(response.headers().contains_key("x-request-id"), "{shown}");
    let found = response.status().as_u16();
    let text = response.text().await.unwrap();
    assert_eq!(found, status, "{shown}: {text}");
    assert_eq!(kind, "application/problem+json", "{shown}");
    let problem: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["status"], status, "{shown}: {text}");
    assert_eq!(problem["type"], format!("urn:tellus:problem:{cause}"), "{shown}: {text}");
    assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{shown}: {text}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.len() > 10 && !detail.contains("any variant"), "{shown}: {detail}");
    let faults = problem["errors"].as_array().unwrap();
    assert!(faults.iter().all(|fault| !fault["detail"].as_str().unwrap().is_empty()), "{shown}: {text}");
    if !pointer.is_empty() {
        assert!(faults.iter().any(|fault| fault["pointer"] == pointer), "{shown}: {text} lacks {pointer}");
    }
    problem
}

const BAD: (u16, &str, &str) = (400, "bad-request", "");

fn invalid(pointer: &str) -> (u16, &str, &str) {
    (422, "invalid", pointer)
}

async fn what_is_no_json_or_has_a_wrong_shape_is_400(server: Server) {
    let study = study(&server).await;
    let before = stored(&server, &study).await;
    let (ask, tell) = (format!("{study}/ask"), format!("{study}/trials/0/tell"));
    let deep = "[".repeat(100_000);
    for path in
        ["/v1/studies", &ask, &tell, &format!("{study}/trials"), &format!("{study}/trials/0/heartbeat")]
    {
        for body in [
            "{\"name\": ",
            "[]",
            "null",
            "\"text\"",
            "7",
            "{} {}",
            "{'a': 1}",
            "NaN",
            &deep,
            "{\"extra\": 1}",
        ] {
            refuse(&server, "POST", path, body.as_bytes(), BAD).await;
        }
        refuse(&server, "POST", path, b"{\"name\": \"\xff\"}", BAD).await;
        refuse(&server, "POST", path, b"\x00\x01", BAD).await;
    }
    let outcomes = [
        r#"{"metrics": {"loss": NaN}}"#,
        r#"{"metrics": {"loss": Infinity}}"#,
        r#"{"metrics": {"loss": 1e999}}"#,
        r#"{"metrics": {"loss": "1"}}"#,
        r#"{"metrics": {"loss": null}}"#,
        r#"{"metrics": {"loss": [1]}}"#,
        r#"{"metrics": {"loss": {"value": "1"}}}"#,
        r#"{"metrics": {"loss": {"sem": 1}}}"#,
        r#"{"metrics": {"loss": {"value": 1, "error": 2}}}"#,
        r#"{"metrics": [1]}"#,
        r#"{"metrics": {"loss": 1}, "metrics": {"loss": 2}}"#,
        r#"{"metrics": {"loss": 1}, "extra": 1}"#,
        r#"{"failed": 1}"#,
        r#"{"failed": "a\u0000b"}"#,
        r#"{"stopped": "yes"}"#,
        r#"{"stopped": true, "lease_token": "mine"}"#,
    ];
    for body in outcomes {
        refuse(&server, "POST", &tell, body.as_bytes(), BAD).await;
    }
    for body in [
        r#"{"count": "1"}"#,
        r#"{"count": -1}"#,
        r#"{"count": 1.5}"#,
        r#"{"worker": 3}"#,
        r#"{"lease_seconds": -1}"#,
        r#"{"lease_seconds": "1"}"#,
    ] {
        refuse(&server, "POST", &ask, body.as_bytes(), BAD).await;
    }
    for body in [
        r#"{"trials": {}}"#,
        r#"{"trials": [{}]}"#,
        r#"{"trials": [{"parameters": []}]}"#,
        r#"{"trials": [{"parameters": {}, "ended_at": "yesterday"}]}"#,
        r#"{"trials": [{"parameters": {}, "colour": 1}]}"#,
    ] {
        refuse(&server, "POST", &format!("{study}/trials"), body.as_bytes(), BAD).await;
    }
    for body in [r#"{"name": "other"}"#, r#"{"state": "gone"}"#, r#"{"budget": 7}"#, r#"{"metadata": []}"#] {
        refuse(&server, "PATCH", &study, body.as_bytes(), BAD).await;
    }
    for body in [r#"{"note": 1}"#, r#"{"tags": "a"}"#, r#"{"state": "completed"}"#] {
        refuse(&server, "PATCH", &format!("{study}/trials/0"), body.as_bytes(), BAD).await;
    }
    // A study with one field of a wrong type, unknown or missing; the place is told as far as it is known.
    let good = json!({"name": "b", "parameters": [{"name": "x", "type": "float", "low": 0, "high": 1}],
        "metrics": [{"name": "f", "goal": "minimize"}]});
    for (pointer, value) in [
        ("/name", json!(5)),
        ("/parameters", json!({})),
        ("/parameters", json!("x")),
        ("/metrics", Json::Null),
        ("/seed", json!(-1)),
        ("/seed", json!(1.5)),
        ("/seed", json!("7")),
        ("/budget", json!({"trials": -1})),
        ("/budget", json!({"time": 1})),
        ("/algorithm", json!({"acquisition": 1})),
        ("/algorithm", json!({"kernel": "rbf"})),
        ("/default_lease_seconds", json!(-5)),
        ("/retry_expired", json!("yes")),
        ("/parameter_constraints", json!([{"sum": ["x"], "upper": 1}])),
        ("/parameter_constraints", json!([{"sum": {"x": "1"}, "upper": 1}])),
        ("/metadata", json!(1)),
        ("/colour", json!("red")),
        ("/parameters/0/low", json!("0")),
        ("/parameters/0/low", Json::Null),
        ("/parameters/0/hight", json!(1)),
        ("/parameters/0/type", json!("double")),
        ("/parameters/0/scale", json!("cubic")),
        ("/parameters/0/when", json!({"x": 1})),
        ("/parameters/0", json!({"name": "x", "type": "int", "low": 0.5, "high": 3})),
        ("/parameters/0", json!({"name": "x", "type": "categorical", "choices": [null, "a"]})),
        ("/parameters/0", json!({"name": "x", "type": "categorical", "choices": [["a"], ["b"]]})),
        ("/parameters/0", json!({"name": "x", "low": 0, "high": 1})),
        ("/parameters/0", json!({"type": "float", "low": 0, "high": 1})),
        ("/metrics/0/goal", json!("best")),
        ("/metrics/0/unit", json!("s")),
    ] {
        let mut study = good.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        match study.pointer_mut(parent).unwrap() {
            Json::Array(list) => list[0] = value,
            object => object[field] = value,
        }
        refuse(&server, "POST", "/v1/studies", study.to_string().as_bytes(), BAD).await;
    }
    for field in ["name", "parameters", "metrics"] {
        let mut study = good.clone();
        study.as_object_mut().unwrap().remove(field);
        let problem = refuse(&server, "POST", "/v1/studies", study.to_string().as_bytes(), BAD).await;
        assert!(problem["detail"].as_str().unwrap().contains(field), "{problem}");
    }
    assert_eq!(stored(&server, &study).await, before);
}

async fn what_is_impossible_is_422_with_every_fault(server: Server) {
    let study = study(&server).await;
    let before = stored(&server, &study).await;
    let (ask, tell) = (format!("{study}/ask"), format!("{study}/trials/0/tell"));
    for (body, pointer) in [
        (json!({}), ""),
        (json!({"metrics": {}}), "/metrics/loss"),
        (json!({"metrics": {"heat": 1}}), "/metrics/loss"),
        (json!({"metrics": {"loss": 1, "lost": 1}}), "/metrics/lost"),
        (json!({"metrics": {"loss": {"value": 1, "sem": -1}}}), "/metrics/loss/sem"),
        (json!({"metrics": {"loss": {"value": 1, "gradient": {"z": 1}}}}), "/metrics/loss/gradient/z"),
        (
            json!({"metrics": {"loss": {"value": 1, "gradient": {"kernel": 1}}}}),
            "/metrics/loss/gradient/kernel",
        ),
        (json!({"metrics": {"loss": 1}, "stopped": true}), ""),
        (json!({"failed": "a", "abandoned": "b"}), ""),
        (json!({"stopped": false}), "/stopped"),
        (json!({"failed": "a".repeat(10_001)}), "/failed"),
    ] {
        refuse(&server, "POST", &tell, body.to_string().as_bytes(), invalid(pointer)).await;
    }
    for (body, pointer) in [
        (json!({"count": 0}), "/count"),
        (json!({"count": 257}), "/count"),
        (json!({"count": u64::MAX}), "/count"),
        (json!({"worker": ""}), "/worker"),
        (json!({"worker": "w".repeat(10_001)}), "/worker"),
        (json!({"lease_seconds": 0}), "/lease_seconds"),
        (json!({"lease_seconds": u64::MAX}), "/lease_seconds"),
        (json!({"sticky": true}), "/sticky"),
    ] {
        refuse(&server, "POST", &ask, body.to_string().as_bytes(), invalid(pointer)).await;
    }
    let point = json!({"x": 0.5, "y": 0.25, "n": 3, "kernel": "rbf", "batch": 32});
    for (name, value, pointer) in [
        ("x", json!(1.5), "/x"),
        ("x", json!("0.5"), "/x"),
        ("x", Json::Null, "/x"),
        ("y", json!(0.3), "/y"),
        ("n", json!(0), "/n"),
        ("n", json!(2.5), "/n"),
        ("n", json!(true), "/n"),
        ("kernel", json!("linear"), "/kernel"),
        ("kernel", json!(1), "/kernel"),
        ("kernel", json!("poly"), "/degree"),
        ("degree", json!(2), "/degree"),
        ("batch", json!(48), "/batch"),
        ("batch", json!([16]), "/batch"),
        ("z", json!(1), "/z"),
        ("a/b", json!(1), "/a~1b"),
        ("y", json!(1.0), ""),
    ] {
        let mut parameters = point.clone();
        parameters[name] = value;
        if name == "y" && pointer.is_empty() {
            // In range each, but not their sum.
            parameters["x"] = json!(0.75);
        }
        let body = json!({"trials": [{"parameters": point}, {"parameters": parameters}]}).to_string();
        let pointer = format!("/trials/1/parameters{pointer}");
        refuse(&server, "POST", &format!("{study}/trials"), body.as_bytes(), invalid(&pointer)).await;
    }
    let several = json!({"trials": [
        {"parameters": {"x": 2, "y": 0.25, "n": 99, "kernel": "rbf", "batch": 1, "more": 1}},
        {"parameters": point, "metrics": {"lost": 1}},
        {"parameters": point, "metrics": {"loss": 1}, "failed": "both"},
        {"parameters": point, "measurements": [{"step": 1, "metrics": {"lost": 1}}]},
        {"parameters": point, "ended_at": "+12345-01-01T00:00:00Z"},
    ]});
    let path = format!("{study}/trials");
    let body = several.to_string();
    let problem = refuse(&server, "POST", &path, body.as_bytes(), invalid("/trials/1/metrics/lost")).await;
    for i in 0..5 {
        let of_trial =
            |fault: &&Json| fault["pointer"].as_str().unwrap().starts_with(&format!("/trials/{i}"));
        assert!(problem["errors"].as_array().unwrap().iter().any(|fault| of_trial(&fault)), "{i}: {problem}");
    }
    for trials in [vec![], vec![json!({"parameters": point}); 10_001]] {
        let body = json!({"trials": trials}).to_string();
        refuse(&server, "POST", &path, body.as_bytes(), invalid("/trials")).await;
    }
    for body in [json!({"budget": {"cost": -1}}), json!({"default_lease_seconds": 0})] {
        refuse(&server, "PATCH", &study, body.to_string().as_bytes(), invalid("")).await;
    }
    let many = json!({"tags": vec!["a"; 101]}).to_string();
    refuse(&server, "PATCH", &format!("{study}/trials/0"), many.as_bytes(), invalid("/tags")).await;
    assert_eq!(stored(&server, &study).await, before);
}

async fn impossible_studies_list_every_fault(server: Server) {
    let study = study(&server).await;
    let before = stored(&server, &study).await;
    let float = |name: &str| json!({"name": name, "type": "float", "low": 0, "high": 1});
    let metric = json!({"name": "f", "goal": "minimize"});
    let cases = [
        (json!({"parameters": []}), vec!["/parameters"]),
        (json!({"name": ""}), vec!["/name"]),
        (json!({"name": "n".repeat(201)}), vec!["/name"]),
        (json!({"project": "other", "name": ""}), vec!["/project", "/name"]),
        (json!({"seed": 1_u64 << 53}), vec!["/seed"]),
        (json!({"algorithm": {"acquisition": "psychic"}}), vec!["/algorithm/acquisition"]),
        (json!({"default_lease_seconds": 0}), vec!["/default_lease_seconds"]),
        (json!({"cost_metric": "nothing"}), vec!["/cost_metric"]),
        (json!({"metrics": []}), vec!["/metrics"]),
        (json!({"metrics": [{"name": "f", "goal": "record"}]}), vec!["/metrics"]),
        (json!({"metrics": [metric, metric]}), vec!["/metrics/1/name"]),
        (json!({"metrics": [metric, {"name": "c", "goal": "constrain"}]}), vec!["/metrics/1"]),
        (
            json!({"parameters": [
                {"name": "a", "type": "float", "low": 0, "high": 1, "scale": "log"},
                {"name": "a", "type": "int", "low": 3, "high": 3},
                {"name": "b", "type": "float", "low": 1, "high": 0},
                {"name": "c", "type": "categorical", "choices": ["one"], "when": {"nobody": ["x"]}},
                {"name": "d", "type": "ordinal", "values": [1, 1.0, "1"]},
                {"name": "e", "type": "float", "low": 0, "high": 1, "step": 3},
                {"name": "", "type": "int", "low": -9_007_199_254_740_992_i64, "high": 1},
            ]}),
            vec![
                "/parameters/0/low",
                "/parameters/1/name",
                "/parameters/1/low",
                "/parameters/2/low",
                "/parameters/3/choices",
                "/parameters/3/when/nobody",
                "/parameters/4/values/1",
                "/parameters/4/values/2",
                "/parameters/5/step",
                "/parameters/6/name",
                "/parameters/6/low",
            ],
        ),
        (
            // The child needs its parent, which needs another kernel than the child does.
            json!({"parameters": [
                {"name": "kernel", "type": "categorical", "choices": ["rbf", "poly"]},
                {"name": "degree", "type": "int", "low": 2, "high": 5, "when": {"kernel": ["poly"]}},
                {"name": "a", "type": "int", "low": 2, "high": 5, "when": {"kernel": ["rbf"], "degree": [2]}},
                {"name": "b", "type": "int", "low": 2, "high": 5, "when": {"kernel": ["cubic"]}},
                {"name": "c", "type": "int", "low": 2, "high": 5, "when": {"kernel": []}},
                {"name": "d", "type": "int", "low": 2, "high": 5, "when": {"d": [2]}},
            ]}),
            vec![
                "/parameters/2/when",
                "/parameters/3/when/kernel/0",
                "/parameters/4/when/kernel",
                "/parameters/5/when/d",
            ],
        ),
        (
            json!({"parameters": [
                {"name": "a", "type": "int", "low": 0, "high": 5, "when": {"b": [1]}},
                {"name": "b", "type": "int", "low": 0, "high": 5, "when": {"a": [1]}},
            ]}),
            vec!["/parameters/0/when", "/parameters/1/when"],
        ),
        (
            json!({"parameters": [float("x"), {"name": "n", "type": "int", "low": 0, "high": 5},
                {"name": "k", "type": "categorical", "choices": ["a", "b"]}],
            "parameter_constraints": [
                {"sum": {}, "upper": 1},
                {"sum": {"x": 1}},
                {"sum": {"x": 1}, "lower": 2, "upper": 1},
                {"sum": {"x": 1, "n": 1}, "equals": 1},
                {"sum": {"k": 1}, "upper": 1},
                {"sum": {"x": 0}, "upper": 1},
                {"sum": {"nobody": 1}, "upper": 1},
            ]}),
            vec![
                "/parameter_constraints/0/sum",
                "/parameter_constraints/1",
                "/parameter_constraints/2",
                "/parameter_constraints/3/sum/n",
                "/parameter_constraints/4/sum/k",
                "/parameter_constraints/5/sum/x",
                "/parameter_constraints/6/sum/nobody",
            ],
        ),
        (
            json!({"parameters": [float("x"), float("y")],
                "parameter_constraints": [{"sum": {"x": 1, "y": 1}, "lower": 2.5}]}),
            vec!["/parameter_constraints"],
        ),
        (
            // Only whole numbers would do, and there is none between the bounds.
            json!({"parameters": [{"name": "a", "type": "int", "low": 0, "high": 9},
                    {"name": "b", "type": "int", "low": 0, "high": 9}],
                "parameter_constraints": [{"sum": {"a": 2, "b": 2}, "lower": 6.5, "upper": 7.5}]}),
            vec!["/parameter_constraints"],
        ),
        (
            json!({"parameters": (0..10_000).map(|i| float(&format!("p{i}"))).collect::<Vec<_>>()}),
            vec!["/parameters"],
        ),
    ];
    for (change, expected) in cases {
        let mut study = json!({"name": "b", "parameters": [float("x")], "metrics": [metric]});
        study.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let body = study.to_string();
        let problem = refuse(&server, "POST", "/v1/studies", body.as_bytes(), invalid(expected[0])).await;
        let faults = problem["errors"].as_array().unwrap();
        let mut found: Vec<&str> = faults.iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
        let mut expected = expected.clone();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{problem}");
    }
    assert_eq!(stored(&server, &study).await, before);
}

async fn what_is_not_there_told_twice_or_too_large_is_refused(server: Server) {
    let study = study(&server).await;
    let told = server.post(&format!("{study}/trials/0/tell"), json!({"metrics": {"loss": 1}})).await;
    assert_eq!(told.0, 200, "{}", told.1);
    let before = stored(&server, &study).await;
    let missing = (404, "not-found", "");
    let nobody = "/v1/studies/00000000-0000-4000-8000-000000000000";
    let tell = br#"{"metrics": {"loss": 2}}"#;
    for number in ["1", "-1", "0x0", "1e0", "99999999999999999999", "9223372036854775807", "%30"] {
        refuse(&server, "POST", &format!("{study}/trials/{number}/tell"), tell, missing).await;
        refuse(&server, "POST", &format!("{study}/trials/{number}/heartbeat"), b"{}", missing).await;
        refuse(&server, "GET", &format!("{study}/trials/{number}"), b"", missing).await;
        refuse(&server, "PATCH", &format!("{study}/trials/{number}"), b"{\"note\": \"a\"}", missing).await;
    }
    for (method, path) in [
        ("GET", nobody.to_owned()),
        ("PATCH", nobody.to_owned()),
        ("DELETE", nobody.to_owned()),
        ("POST", format!("{nobody}/ask")),
        ("POST", format!("{nobody}/trials/0/heartbeat")),
        ("GET", format!("{nobody}/trials")),
        ("GET", format!("{nobody}/best")),
        ("GET", format!("{nobody}/events")),
        ("GET", "/v1/studies/nonsense".into()),
        ("POST", "/v1/studies/nonsense/ask".into()),
        ("GET", format!("{study}/nothing")),
        ("GET", "/v1/nothing".into()),
        ("POST", "/v2/studies".into()),
        ("GET", "/v1/studies/../../etc/passwd".into()),
    ] {
        refuse(&server, method, &path, b"{}", missing).await;
    }
    refuse(&server, "POST", &format!("{nobody}/trials/0/tell"), tell, missing).await;
    refuse(&server, "POST", &format!("{nobody}/trials"), br#"{"trials": [{"parameters": {}}]}"#, missing)
        .await;
    // Told twice: the same is nothing new, something else is refused.
    let told_again = server.post(&format!("{study}/trials/0/tell"), json!({"metrics": {"loss": 1.0}})).await;
    assert_eq!((told_again.0, told_again.1), told);
    let already = (409, "already-told", "");
    for body in [&tell[..], br#"{"failed": "x"}"#, br#"{"stopped": true}"#, br#"{"abandoned": "x"}"#] {
        refuse(&server, "POST", &format!("{study}/trials/0/tell"), body, already).await;
    }
    refuse(&server, "POST", &format!("{study}/trials/0/heartbeat"), b"{}", (409, "not-running", "")).await;
    let no_method = (405, "method-not-allowed", "");
    for (method, path) in
        [("PUT", study.clone()), ("GET", format!("{study}/ask")), ("DELETE", format!("{study}/trials/0"))]
    {
        refuse(&server, method, &path, b"", no_method).await;
    }
    for query in ["limit=0", "limit=1000000", "order=sideways", "state=gone", "cursor=here"] {
        refuse(&server, "GET", &format!("{study}/trials?{query}"), b"", (422, "invalid", "")).await;
        refuse(&server, "GET", &format!("/v1/studies?{query}"), b"", (422, "invalid", "")).await;
    }
    for query in ["limit=many", "limit=-1", "colour=red"] {
        refuse(&server, "GET", &format!("{study}/trials?{query}"), b"", BAD).await;
    }
    let studies = format!("{}/v1/studies", server.url);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let request = server.client.post(&studies).header("content-type", kind).body("{}");
        assert_eq!(request.send().await.unwrap().status(), 415, "{kind}");
    }
    for key in [String::new(), "k".repeat(256)] {
        let request = server.client.post(format!("{}{study}/ask", server.url)).header("idempotency-key", key);
        assert_eq!(request.send().await.unwrap().status(), 400);
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:8080"] {
        let request = server.client.post(format!("{}{study}/ask", server.url)).header("host", host);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 421, "{host}");
        let problem: Json = response.json().await.unwrap();
        assert_eq!(problem["type"], "urn:tellus:problem:wrong-host");
    }
    for path in ["/v1/studies".to_owned(), format!("{study}/ask"), format!("{study}/trials/0/tell")] {
        assert_eq!(send_20_megabytes(&server, &path).await, 413, "{path}");
    }
    assert_eq!(stored(&server, &study).await, before);
}

/// Sends 20 MB, and reads the answer even where the server stops listening before all of it arrived.
async fn send_20_megabytes(server: &Server, path: &str) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let host = server.url.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let size = 20_000_000;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let body = vec![b' '; size];
    let mut answer = [0; 12];
    tokio::select! {
        read = reader.read_exact(&mut answer) => drop(read.unwrap()),
        written = writer.write_all(&body) => {
            drop(written);
            reader.read_exact(&mut answer).await.unwrap();
        }
    }
    String::from_utf8_lossy(&answer[9..]).parse().unwrap()
}
