//! What took long to fit is kept: a server that starts anew, or another one, reads it and gives the same points.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::server::{Server, plane};
use crate::user::execute;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_sqlite_that_starts_anew_reads_what_was_fitted() {
    let directory = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", directory.path().join("tellus.sqlite").display());
    is_read_by_another(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_on_postgres_reads_what_was_fitted() {
    let schema = crate::postgres::schema().await;
    is_read_by_another(&schema.url).await;
}

/// Two studies of one definition and seed: one is asked by the server that fitted, the other by one that did not.
async fn is_read_by_another(database: &str) {
    let one = Server::start(database).await;
    let mut studies = Vec::new();
    for name in ["asked of one", "asked of another"] {
        let mut definition = plane(name, "auto");
        definition["seed"] = json!(7);
        let study = one.study(definition).await;
        let point = |i: u32| {
            let (x, y) = (f64::from(i) * 0.618_034 % 1.0, f64::from(i + 1) / 120.0);
            json!({"parameters": {"x": x, "y": y}, "metrics": {"loss": (5.0 * x).sin() + (y - 0.4).powi(2)}})
        };
        let trials: Vec<Json> = (0..120).map(point).collect();
        assert_eq!(one.post(&format!("{study}/trials"), json!({"trials": trials})).await.0, 201);
        studies.push(study);
    }
    let (status, first) = one.post(&format!("{}/ask", studies[0]), json!({})).await;
    assert_eq!(status, 200, "{first}");
    // Fits are kept behind the answer.
    while execute(database, "UPDATE fits SET made_by = made_by").await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    one.terminate();
    assert!(one.ended().await.success());

    let another = Server::start(database).await;
    let (status, second) = another.post(&format!("{}/ask", studies[1]), json!({})).await;
    assert_eq!(status, 200, "{second}");
    assert_eq!(first["trials"][0]["parameters"], second["trials"][0]["parameters"]);
    let text =
        another.client.get(format!("{}/metrics", another.url)).send().await.unwrap().text().await.unwrap();
    let count = |series: &str| {
        let line = text.lines().find(|line| line.starts_with(series)).unwrap_or_else(|| panic!("{text}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(count("tellus_memo_misses_total"), 0.0);
    assert!(count("tellus_memo_hits_total") >= 1.0);

    // What cannot be read is made again.
    execute(database, "UPDATE fits SET fitted = '{'").await;
    another.terminate();
    assert!(another.ended().await.success());
    let third = Server::start(database).await;
    assert_eq!(third.post(&format!("{}/ask", studies[1]), json!({})).await.0, 200);
}
