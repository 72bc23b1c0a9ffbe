//! What the service counts, as Prometheus reads it.

use serde_json::json;

use crate::server::{Server, plane};

on_both_stores!(asks_tells_and_times_are_counted);

async fn asks_tells_and_times_are_counted(server: Server) {
    let study = server.study(plane("counted", "auto")).await;
    for number in 0..7 {
        assert_eq!(server.post(&format!("{study}/ask"), json!({})).await.0, 200);
        let told = if number == 3 { json!({"failed": "oom"}) } else { json!({"metrics": {"loss": number}}) };
        assert_eq!(server.post(&format!("{study}/trials/{number}/tell"), told).await.0, 200);
    }
    assert_eq!(server.get("/v1/none").await.0, 404);
    let response = server.client.get(format!("{}/metrics", server.url)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = response.text().await.unwrap();
    assert!(text.ends_with("# EOF\n"));
    let value = |series: &str| -> f64 {
        let line =
            text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
        let line = line.unwrap_or_else(|| panic!("{series} is missing: {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert_eq!(value(r#"tellus_asks_total{origin="initial_design"}"#), 5.0);
    assert_eq!(value(r#"tellus_asks_total{origin="log_expected_improvement"}"#), 2.0);
    assert_eq!(value(r#"tellus_tells_total{state="completed"}"#), 6.0);
    assert_eq!(value(r#"tellus_tells_total{state="failed"}"#), 1.0);
    for phase in ["snapshot", "suggest", "commit"] {
        assert!(value(&format!(r#"tellus_ask_phase_seconds_count{{phase="{phase}"}}"#)) >= 7.0);
    }
    let asked = r#"tellus_requests_total{route="/v1/studies/{study}/ask",method="POST",status="200"}"#;
    assert_eq!(value(asked), 7.0);
    assert_eq!(value(r#"tellus_request_seconds_count{route="/v1/studies/{study}/ask"}"#), 7.0);
    assert_eq!(value(r#"tellus_requests_total{route="",method="GET",status="404"}"#), 1.0);
    assert!(value("tellus_memo_misses_total") >= 1.0);
    for quiet in
        ["tellus_model_failures_total", "tellus_numerics_overloads_total", "tellus_numerics_panics_total"]
    {
        assert_eq!(value(quiet), 0.0, "{quiet}");
    }
    assert!(value("tellus_jitter_escalations_total") >= 0.0 && value("tellus_numerics_queue") >= 0.0);
    // Every series that the dashboard of Grafana draws is there.
    let board: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string("docker/grafana.json").unwrap()).unwrap();
    let mut drawn = 0;
    for panel in board["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            for name in expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                if name.starts_with("tellus_") {
                    assert!(text.contains(&format!("\n{name}")), "{name} is drawn and not counted");
                    drawn += 1;
                }
            }
        }
    }
    assert!(drawn >= 12, "{drawn}");
}
