//! The door for assistants, through the client of the protocol's own SDK: over streamable HTTP, and over the standard
//! input and output of `tellus mcp`, with a server elsewhere or within.

use reqwest::header;
use rmcp::ServiceExt;
use rmcp::model::{CallToolRequestParams, ClientConfig};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use serde_json::{Value as Json, json};

use crate::server::Server;

type Client = RunningService<RoleClient, ClientConfig>;

/// Calls a tool: its answer, or its refusal.
async fn call(client: &Client, tool: &'static str, arguments: Json) -> Result<Json, Json> {
    let arguments = arguments.as_object().cloned().unwrap();
    let result = client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await.unwrap();
    let text = result.content[0].as_text().unwrap().text.clone();
    let answer = result.structured_content.unwrap();
    assert_eq!(serde_json::from_str::<Json>(&text).unwrap(), answer, "both forms say the same");
    if result.is_error == Some(true) { Err(answer) } else { Ok(answer) }
}

/// What an assistant does: define, ask, tell, and read what was learned.
async fn works(client: &Client) {
    let info = client.peer_info().unwrap();
    assert_eq!(info.server_info.as_ref().unwrap().name, "tellus");
    assert!(info.instructions.as_ref().unwrap().contains("`ask`"));
    let tools = client.list_all_tools().await.unwrap();
    let named = |name: &str| tools.iter().find(|tool| tool.name == name);
    for name in
        ["create_study", "ask", "tell", "attach_trials", "get_best", "predict", "get_insights", "list_trials"]
    {
        assert!(named(name).is_some(), "{name}");
    }
    assert!(named("delete_study").is_none());
    assert_eq!(named("get_best").unwrap().annotations.as_ref().unwrap().read_only_hint, Some(true));

    let definition = json!({
        "name": "bread & butter", "seed": 3, "algorithm": {"initial_trials": 5},
        "parameters": [
            {"name": "hours", "type": "float", "low": 1, "high": 20},
            {"name": "flour", "type": "categorical", "choices": ["rye", "wheat"]},
        ],
        "metrics": [{"name": "taste", "goal": "maximize"}],
    });
    let study = call(client, "create_study", definition).await.unwrap();
    assert_eq!(study["state"], "active");
    let named = "bread & butter";
    for number in 0..8 {
        let asked = call(client, "ask", json!({"study": named, "worker": "assistant"})).await.unwrap();
        let trial = &asked["trials"][0];
        assert_eq!(trial["number"], number);
        let hours = trial["parameters"]["hours"].as_f64().unwrap();
        let taste =
            if trial["parameters"]["flour"] == "rye" { 2.0 } else { 1.0 } - (hours - 9.0).powi(2) / 50.0;
        let told = json!({"study": named, "number": number, "metrics": {"taste": taste}});
        let told = if number == 4 { json!({"study": named, "number": 4, "failed": "burnt"}) } else { told };
        let trial = call(client, "tell", told).await.unwrap();
        assert_eq!(trial["state"], if number == 4 { "failed" } else { "completed" });
    }
    let best = call(client, "get_best", json!({"study": named})).await.unwrap();
    let predicted = &best["recommended"]["predicted"]["taste"];
    assert!(predicted["mean"].is_number() && best["trials"][0]["metrics"]["taste"]["value"].is_number());
    let point = json!({"hours": 9, "flour": "rye"});
    let predictions =
        call(client, "predict", json!({"study": study["id"], "points": [point]})).await.unwrap();
    assert!(predictions["predictions"][0]["taste"]["sd"].as_f64().unwrap() >= 0.0);
    let insights = call(client, "get_insights", json!({"study": named})).await.unwrap();
    assert!(insights["models"][0]["importances"]["hours"].is_number());
    assert!(insights["models"][0].get("leave_one_out").is_none());
    let trials = call(client, "list_trials", json!({"study": named, "state": "failed"})).await.unwrap();
    assert_eq!(trials["trials"][0]["reason"], "burnt");
    let noted = json!({"study": named, "number": 4, "note": "oven at 300 °C"});
    assert_eq!(call(client, "change_trial", noted).await.unwrap()["note"], "oven at 300 °C");

    // Refusals say what to change, as the contract's do.
    let refused = call(client, "tell", json!({"study": named, "number": 1, "metrics": {"taste": 9}})).await;
    assert_eq!(refused.unwrap_err()["type"], "urn:tellus:problem:already-told");
    let refused = call(client, "create_study", json!({"name": "x", "parameters": [], "metrics": []})).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused["status"], 422);
    assert!(
        refused.to_string().contains("/parameters") && refused.to_string().contains("/metrics"),
        "{refused}"
    );
    let refused = call(client, "ask", json!({"study": "no such"})).await.unwrap_err();
    assert!(refused["detail"].as_str().unwrap().contains("list_studies"), "{refused}");
    let refused = call(client, "get_best", json!({"study": named, "stuyd": 1})).await.unwrap_err();
    assert!(refused["detail"].as_str().unwrap().contains("stuyd"), "{refused}");
    assert!(client.call_tool(CallToolRequestParams::new("delete_study")).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assistant_works_over_streamable_http() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&format!("sqlite:{}", directory.path().join("t.sqlite").display())).await;
    let config = StreamableHttpClientTransportConfig::with_uri(format!("{}/mcp", server.url));
    let client =
        ClientConfig::default().serve(StreamableHttpClientTransport::from_config(config)).await.unwrap();
    works(&client).await;
    client.cancel().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assistant_works_over_standard_streams_with_a_server_elsewhere_or_within() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&format!("sqlite:{}", directory.path().join("t.sqlite").display())).await;
    let within = directory.path().join("within");
    for place in [["--url", server.url.as_str()], ["--data-dir", within.to_str().unwrap()]] {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tellus"));
        command.arg("mcp").args(place).env_remove("TELLUS_URL").env_remove("DATABASE_URL");
        let client = ClientConfig::default().serve(TokioChildProcess::new(command).unwrap()).await.unwrap();
        works(&client).await;
        client.cancel().await.unwrap();
    }
    let (_, studies) = server.get("/v1/studies?name=bread%20%26%20butter").await;
    assert_eq!(studies["studies"][0]["trial_counts"]["completed"], 7);
    assert!(within.join("tellus.sqlite").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_web_page_and_no_strange_host_gets_in() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&format!("sqlite:{}", directory.path().join("t.sqlite").display())).await;
    let hello = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    });
    let send = |name: header::HeaderName, value: &'static str| {
        let request = server.client.post(format!("{}/mcp", server.url)).json(&hello);
        request.header(header::ACCEPT, "application/json, text/event-stream").header(name, value).send()
    };
    let answer = send(header::USER_AGENT, "test").await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: Json = answer.json().await.unwrap();
    assert_eq!(answer["result"]["serverInfo"]["name"], "tellus");
    assert_eq!(send(header::ORIGIN, "https://evil.example").await.unwrap().status(), 403);
    assert_eq!(send(header::HOST, "evil.example").await.unwrap().status(), 421);
    assert_eq!(server.get("/mcp").await.0, 405);
}
