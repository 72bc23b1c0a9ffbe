//! `tellus mcp`: the door for assistants over standard input and output.

use axum::http::request::Parts;
use clap::Args;
use rmcp::ServiceExt;
use rmcp::transport::stdio;
use serde_json::json;
use tellus::http::mcp::{Assistant, Carried, Carrier, ToolRequest};

use super::Failure;
use super::client::{CallError, Client};
use super::place::Place;

/// Which service the assistant works with.
#[derive(Args)]
pub(crate) struct Mcp {
    #[command(flatten)]
    place: Place,
}

/// A service over HTTP.
#[derive(Clone)]
struct Remote(Client);

impl Carrier for Remote {
    async fn carry(&self, request: ToolRequest, _: Option<&Parts>) -> Carried {
        let client = self.0.clone();
        let call = move || {
            client.call(request.method.as_str(), &request.path, request.body.as_ref()).map_err(problem)
        };
        let ended_early = |_| json!({"title": "A thread ended early", "status": 500, "detail": "try again"});
        tokio::task::spawn_blocking(call).await.map_err(ended_early)?
    }
}

/// A failed call as a problem document.
fn problem(error: CallError) -> serde_json::Value {
    match error {
        CallError::Refused(refusal) => json!({
            "type": refusal.cause, "title": refusal.title, "status": refusal.status, "detail": refusal.detail,
        }),
        CallError::Unreachable { .. } => {
            json!({"title": "The service does not answer", "status": 503, "detail": error.to_string()})
        }
    }
}

/// Speaks the protocol until standard input ends.
///
/// # Errors
/// When the database cannot be used, or nobody begins to speak.
pub(crate) async fn mcp(arguments: Mcp) -> Result<(), Failure> {
    let opened = arguments.place.open().await?;
    let assistant = Assistant::new(Remote(opened.client.clone()));
    let running = assistant.serve(stdio()).await.map_err(|error| Failure::Assistant(error.to_string()))?;
    running.waiting().await.map_err(|error| Failure::Assistant(error.to_string()))?;
    Ok(())
}
