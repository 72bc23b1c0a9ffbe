//! Traces, as a collector of OpenTelemetry gets them.

use std::collections::HashMap;
use std::net::TcpListener as Blocking;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;

use crate::server::{Server, plane};

/// What was received: spans, attributes of what sent them, and the headers that came with them.
#[derive(Default)]
struct Received {
    spans: Vec<Span>,
    resource: HashMap<String, String>,
    headers: HeaderMap,
}

type Shared = Arc<Mutex<Received>>;

/// A collector, and its address.
async fn collector() -> (String, Shared) {
    let received = Shared::default();
    let take = async |State(received): State<Shared>, headers: HeaderMap, body: Bytes| {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let mut received = received.lock().unwrap();
        received.headers = headers;
        for of_resource in request.resource_spans {
            for attribute in of_resource.resource.unwrap().attributes {
                if let Some(Value::StringValue(value)) = attribute.value.and_then(|value| value.value) {
                    received.resource.insert(attribute.key, value);
                }
            }
            received.spans.extend(of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    };
    let routes = axum::Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&received));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (address, received)
}

fn traced(database: &str, collector: &str) -> std::process::Command {
    let mut command = Server::command(database);
    command
        .args(["--otlp-endpoint", collector])
        .env("RUST_LOG", "error")
        .env("OTEL_BSP_SCHEDULE_DELAY", "100");
    command
}

fn text(span: &Span, key: &str) -> Option<String> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        Value::BoolValue(flag) => Some(flag.to_string()),
        other => panic!("{other:?}"),
    }
}

fn sqlite(directory: &tempfile::TempDir) -> String {
    format!("sqlite:{}", directory.path().join("tellus.sqlite").display())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_tells_where_the_time_of_an_ask_and_of_a_tell_went() {
    let (address, received) = collector().await;
    let directory = tempfile::tempdir().unwrap();
    let mut command = traced(&sqlite(&directory), &address);
    command.env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test");
    let server = Server::launch(command.env("OTEL_EXPORTER_OTLP_HEADERS", "x-lab=secret")).await;
    let study = server.study(plane("traced", "auto")).await;
    // Past the initial design, whose points go through no other thread.
    let trials: Vec<_> = (1..=5)
        .map(|i| json!({"parameters": {"x": f64::from(i) / 8.0, "y": i}, "metrics": {"loss": i}}))
        .collect();
    assert_eq!(server.post(&format!("{study}/trials"), json!({"trials": trials})).await.0, 201);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let ask = server.client.post(format!("{}{study}/ask", server.url)).json(&json!({"worker": "w"}));
    let asked = ask.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01")).send().await.unwrap();
    assert_eq!(asked.status(), 200);
    // What the ask set off is over.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let told = json!({"metrics": {"loss": 1.0}});
    assert_eq!(server.post(&format!("{study}/trials/5/tell"), told).await.0, 200);
    assert_eq!(server.get("/v1/studies/none").await.0, 404);
    // The end sends what is left.
    server.terminate();
    assert!(server.ended().await.success());

    let received = received.lock().unwrap();
    assert_eq!(received.resource["service.name"], "tellus");
    assert_eq!(received.resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(received.resource["deployment.environment"], "test");
    assert_eq!(received.headers["x-lab"], "secret");
    let spans = &received.spans;
    let named = |name: &str| {
        let found = spans.iter().find(|span| span.name == name);
        found.unwrap_or_else(|| {
            panic!("{name}: {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>())
        })
    };
    let child = |name: &str, parent: &Span| {
        let found = spans.iter().find(|span| span.name == name && span.parent_span_id == parent.span_id);
        let found = found.unwrap_or_else(|| panic!("{name} in {}", parent.name));
        assert_eq!(found.trace_id, parent.trace_id);
        assert!(found.start_time_unix_nano >= parent.start_time_unix_nano);
        found
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();

    let ask = named("POST /v1/studies/{study}/ask");
    assert_eq!(
        (hex(&ask.trace_id), hex(&ask.parent_span_id)),
        (trace.to_owned(), "00f067aa0ba902b7".to_owned())
    );
    assert_eq!(text(ask, "http.response.status_code").as_deref(), Some("200"));
    assert_eq!(text(ask, "http.route").as_deref(), Some("/v1/studies/{study}/ask"));
    let answer = child("answer", ask);
    assert!(study.ends_with(&text(answer, "tellus.study").unwrap()));
    child("snapshot", answer);
    let suggest = child("suggest", answer);
    assert_eq!(text(suggest, "tellus.ahead").as_deref(), Some("false"));
    child("wait for a thread", suggest);
    child("compute", suggest);
    let transaction = child("transaction", child("hand out", answer));
    assert_eq!(text(transaction, "db.system.name").as_deref(), Some("sqlite"));

    let tell = named("POST /v1/studies/{study}/trials/{number}/tell");
    assert!(tell.parent_span_id.is_empty() && tell.trace_id != ask.trace_id);
    child("transaction", tell);
    // What is computed behind a request is a trace of its own, with a link to it.
    let behind: Vec<&Span> = spans.iter().filter(|span| span.name == "look ahead").collect();
    assert!(behind.iter().all(|span| span.parent_span_id.is_empty() && span.trace_id != tell.trace_id));
    assert!(
        behind.iter().any(|span| span.links.iter().any(|link| link.span_id == tell.span_id)),
        "{behind:?}"
    );
    let missing = spans.iter().find(|span| text(span, "http.response.status_code").as_deref() == Some("404"));
    assert_eq!(missing.unwrap().name, "GET /v1/studies/{study}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_never_answers_holds_nothing_up() {
    // One takes connections and says nothing, at the other nobody listens.
    let silent = Blocking::bind("127.0.0.1:0").unwrap();
    let away = Blocking::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for collector in [silent.local_addr().unwrap(), away] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = traced(&sqlite(&directory), &format!("http://{collector}"));
        let server = Server::launch(command.env("OTEL_BSP_MAX_QUEUE_SIZE", "16")).await;
        let study = server.study(plane("traced", "space_filling")).await;
        let begin = Instant::now();
        for number in 0..30 {
            assert_eq!(server.post(&format!("{study}/ask"), json!({})).await.0, 200);
            let told = json!({"metrics": {"loss": number}});
            assert_eq!(server.post(&format!("{study}/trials/{number}/tell"), told).await.0, 200);
        }
        // One batch alone would be waited for as long as a collector may take.
        assert!(begin.elapsed() < Duration::from_secs(30));
        server.terminate();
        assert!(server.ended().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_none_is_refused_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let output = traced(&sqlite(&directory), "collector:4318").output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--otlp-endpoint collector:4318: it begins with http://"), "{said}");
}
