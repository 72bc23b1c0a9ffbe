//! What the dashboard is drawn from, and its files.

use crate::server::{Server, plane};
use serde_json::{Value as Json, json};

macro_rules! on_both_stores {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let directory = tempfile::tempdir().unwrap();
                let url = format!("sqlite:{}", directory.path().join("t.sqlite").display());
                super::$test(super::Server::start(&url).await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let schema = crate::postgres::schema().await;
                super::$test(super::Server::start(&schema.url).await).await;
            })*
        }
    };
}

on_both_stores!(
    the_history_follows_the_study,
    columns_are_the_trials,
    curves_are_what_was_measured,
    tables_are_ranked,
    a_study_is_checked_without_being_created,
    the_page_and_its_files_are_served,
);

/// Attaches a trial with each loss at a point of its own.
async fn attach(server: &Server, path: &str, losses: &[f64]) {
    let trials: Vec<Json> = losses
        .iter()
        .enumerate()
        .map(|(i, loss)| {
            json!({"parameters": {"x": i as f64 / losses.len() as f64, "y": 1.0}, "metrics": {"loss": loss}})
        })
        .collect();
    let (status, answer) = server.post(&format!("{path}/trials"), json!({"trials": trials})).await;
    assert_eq!(status, 201, "{answer}");
}

async fn the_history_follows_the_study(server: Server) {
    let path = server.study(plane("a", "space_filling")).await;
    let (status, history) = server.get(&format!("{path}/history")).await;
    assert_eq!((status, &history["best"]["numbers"]), (200, &json!([])), "{history}");
    attach(&server, &path, &[3.0, 1.0, 2.0]).await;
    let (_, history) = server.get(&format!("{path}/history")).await;
    assert_eq!(history["best"], json!({"numbers": [0, 1], "values": [3.0, 1.0]}), "{history}");
    assert_eq!(history["results"]["values"]["loss"], json!([3.0, 1.0, 2.0]));
    // An amendment, and a trial that is new, change what was read before.
    server.post(&format!("{path}/trials/1/tell"), json!({"metrics": {"loss": 9.0}, "amend": true})).await;
    server.post(&format!("{path}/ask"), json!({})).await;
    server.post(&format!("{path}/trials/3/tell"), json!({"failed": "nan"})).await;
    let (_, history) = server.get(&format!("{path}/history")).await;
    assert_eq!(history["best"], json!({"numbers": [0, 2], "values": [3.0, 2.0]}), "{history}");
    assert_eq!(
        (&history["failed"], &history["front"], &history["trials"]),
        (&json!([3]), &json!([2]), &json!(4))
    );
    let (_, study) = server.get(&path).await;
    assert_eq!((&history["revision"], &study["spent"]["trials"]), (&study["revision"], &json!(1)));
    assert_eq!(server.get(&format!("{path}/history?limit=3")).await.0, 422);
    assert_eq!(server.get("/v1/studies/00000000-0000-7000-8000-000000000000/history").await.0, 404);
}

async fn columns_are_the_trials(server: Server) {
    let definition = json!({
        "name": "a", "seed": 1, "algorithm": {"acquisition": "space_filling"},
        "parameters": [
            {"name": "kind", "type": "categorical", "choices": ["a", "b"]},
            {"name": "size", "type": "ordinal", "values": [16, 32.5, 64]},
            {"name": "z", "type": "float", "low": 0, "high": 1, "when": {"kind": ["b"]}},
        ],
        "metrics": [{"name": "loss", "goal": "minimize"}, {"name": "c", "goal": "constrain", "upper": 1}],
    });
    let path = server.study(definition).await;
    let trials = json!({"trials": [
        {"parameters": {"kind": "b", "size": 64, "z": 0.5}, "metrics": {"loss": 1, "c": 2}},
        {"parameters": {"kind": "a", "size": 32.5}, "metrics": {"loss": 2, "c": 0}},
        {"parameters": {"kind": "a", "size": 16}, "failed": "nan"},
    ]});
    assert_eq!(server.post(&format!("{path}/trials"), trials).await.0, 201);
    server.post(&format!("{path}/ask"), json!({"worker": "w".repeat(1000)})).await;
    let (status, columns) = server.get(&format!("{path}/columns")).await;
    assert_eq!(status, 200, "{columns}");
    assert_eq!(columns["numbers"], json!([0, 1, 2, 3]));
    let first_three = |column: &Json| column.as_array().unwrap()[..3].to_vec();
    assert_eq!(first_three(&columns["parameters"]["kind"]), [json!(1.0), json!(0.0), json!(0.0)]);
    assert_eq!(first_three(&columns["parameters"]["size"]), [json!(2.0), json!(1.0), json!(0.0)]);
    assert_eq!(first_three(&columns["parameters"]["z"]), [json!(0.5), Json::Null, Json::Null]);
    assert_eq!(columns["feasible"], json!([false, true, null, null]));
    assert_eq!(columns["states"], json!({"names": ["completed", "failed", "running"], "rows": [0, 0, 1, 2]}));
    // Who is called by a thousand letters is shortened.
    assert_eq!(columns["workers"]["names"][0].as_str().unwrap().chars().count(), 201);
    assert_eq!(columns["workers"]["rows"], json!([null, null, null, 0]));
    assert!(columns["started_at"][3].is_i64() && columns["ended_at"][0].is_i64());
}

async fn curves_are_what_was_measured(server: Server) {
    let path = server.study(plane("a", "space_filling")).await;
    let measured: Vec<Json> =
        (0..1000).map(|step| json!({"step": step, "metrics": {"loss": 1.0 / f64::from(step + 1)}})).collect();
    let trials = json!({"trials": [
        {"parameters": {"x": 0.1, "y": 1}, "metrics": {"loss": 0.001}, "measurements": measured},
        {"parameters": {"x": 0.2, "y": 1}, "stopped": true, "measurements": [{"step": 3, "metrics": {"loss": 4}}]},
        {"parameters": {"x": 0.3, "y": 1}, "metrics": {"loss": 2}},
    ]});
    assert_eq!(server.post(&format!("{path}/trials"), trials).await.0, 201);
    let (status, answer) = server.get(&format!("{path}/curves?metric=loss")).await;
    assert_eq!(status, 200, "{answer}");
    let curves = answer["curves"].as_array().unwrap();
    assert_eq!(curves.len(), 2);
    let steps = curves[0]["steps"].as_array().unwrap();
    assert_eq!((steps.len(), &steps[0], &steps[199]), (200, &json!(0), &json!(999)));
    assert_eq!(curves[0]["values"][199], 0.001);
    assert_eq!(curves[1], json!({"number": 1, "state": "stopped", "steps": [3], "values": [4.0]}));
    assert_eq!(server.get(&format!("{path}/curves?metric=nothing")).await.0, 422);
    assert_eq!(server.get(&format!("{path}/curves")).await.0 / 100, 4);
}

async fn tables_are_ranked(server: Server) {
    let path = server.study(plane("a", "space_filling")).await;
    attach(&server, &path, &[3.0, 1.0, 2.0, 1.0]).await;
    let numbers = async |query: &str| {
        let (status, table) = server.get(&format!("{path}/table?{query}")).await;
        assert_eq!(status, 200, "{table}");
        let rows = table["rows"].as_array().unwrap().iter().map(|row| row["number"].as_u64().unwrap());
        (table["total"].as_u64().unwrap(), rows.collect::<Vec<u64>>())
    };
    assert_eq!(numbers("sort=metric:loss").await, (4, vec![1, 3, 2, 0]));
    assert_eq!(numbers("sort=metric:loss&order=desc&offset=1&limit=2").await, (4, vec![2, 1]));
    assert_eq!(numbers("order=desc").await, (4, vec![3, 2, 1, 0]));
    assert_eq!(numbers("state=running").await, (0, vec![]));
    assert_eq!(numbers("feasible=true&offset=9").await, (4, vec![]));
    for query in ["sort=metric:nothing", "sort=loss", "order=up", "state=lost", "limit=0", "limit=201"] {
        let (status, problem) = server.get(&format!("{path}/table?{query}")).await;
        assert_eq!((status, problem["type"].as_str()), (422, Some("urn:tellus:problem:invalid")), "{query}");
    }
}

async fn a_study_is_checked_without_being_created(server: Server) {
    let check = async |body: Json| {
        let (status, answer) = server.post("/v1/studies/check", body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let fine = check(plane("a", "auto")).await;
    assert_eq!((&fine["errors"], &fine["existing"]), (&json!([]), &Json::Null));
    assert_eq!(server.get("/v1/studies").await.1["studies"], json!([]));
    let mut faulty = plane("", "auto");
    faulty["parameters"][0]["low"] = json!(2);
    let faults = check(faulty).await;
    let pointers: Vec<&str> =
        faults["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    assert!(
        pointers.contains(&"/name") && pointers.iter().any(|at| at.starts_with("/parameters/0")),
        "{faults}"
    );
    // What cannot be read at all has its place too.
    let mut unreadable = plane("a", "auto");
    unreadable["metrics"][0]["goal"] = json!("best");
    let unreadable = check(unreadable).await;
    assert_eq!(unreadable["errors"][0]["pointer"], "/metrics/0/goal", "{unreadable}");
    // A name that is taken, by the same study and by another.
    server.study(plane("a", "auto")).await;
    let same = check(plane("a", "auto")).await;
    assert!(same["existing"].is_string() && same["errors"] == json!([]), "{same}");
    assert_eq!(check(plane("a", "random")).await["errors"][0]["pointer"], "/name");
    let counted = json!({"name": "n", "metrics": [{"name": "y", "goal": "minimize"}],
        "parameters": [{"name": "k", "type": "int", "low": 1, "high": 12}, {"name": "b", "type": "categorical", "choices": [true, false]}]});
    assert_eq!(check(counted).await["points"], 24);
}

async fn the_page_and_its_files_are_served(server: Server) {
    let study = server.study(plane("a", "auto")).await.replace("/v1", "");
    for path in ["/", "/new", &study, &format!("{study}/plots")] {
        let response = server.client.get(format!("{}{path}", server.url)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert!(
            response.headers()["content-security-policy"].to_str().unwrap().contains("script-src 'self'")
        );
        assert!(response.text().await.unwrap().contains("/assets/app.js"), "{path}");
    }
    let script = format!("{}/assets/app.js", server.url);
    let packed = server.client.get(&script).header("accept-encoding", "gzip, br").send().await.unwrap();
    assert_eq!(packed.status(), 200);
    assert_eq!(packed.headers()["content-encoding"], "br");
    let tag = packed.headers()["etag"].clone();
    let request = server.client.get(&script).header("accept-encoding", "br").header("if-none-match", tag);
    assert_eq!(request.send().await.unwrap().status(), 304);
    assert_eq!(server.get("/assets/nothing.js").await.0, 404);
    assert_eq!(server.get("/v1/nothing").await.0, 404);
}
