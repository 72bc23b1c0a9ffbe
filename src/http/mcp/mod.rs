//! The door for assistants: a Model Context Protocol server whose tools are operations of the HTTP contract, carried
//! out by the same handlers, with the same refusals, for the same tokens.
//!
//! [`tools`] makes the tools of the OpenAPI document, so that they cannot differ from it. An [`Assistant`] answers the
//! protocol; a [`Carrier`] brings a tool's request to the service: in this process for `/mcp`, to a URL for a program
//! that speaks over its standard input and output. Nothing is kept between requests: any server answers any of them.

mod carrier;
mod tools;

use std::sync::Arc;

use axum::Router;
use axum::http::request::Parts;
use rmcp::ErrorData;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use carrier::{Carried, Carrier, ToolRequest};

use super::MAX_BODY_BYTES;
use carrier::InProcess;
use tools::{Call, Offered};

/// What an assistant reads before anything else.
const INSTRUCTIONS: &str = "\
Tellus chooses which experiment to run next. A study describes what may be varied (parameters) and what is measured \
(metrics with goals). Work in a loop: `create_study` once, then `ask` for a trial, evaluate its parameters yourself or \
have them evaluated, and `tell` what came out. Tell a point that cannot be evaluated as failed: it is learned from. \
`get_best` shows the best trial and the point that the model recommends; `predict` says what to expect anywhere, with \
uncertainty; `get_insights` says which parameters matter. Results that exist already are brought in by `attach_trials`. \
A study is named by its name or its id. A refusal says what to change.";

/// Answers the protocol by requests that a carrier brings to the service.
#[derive(Clone)]
pub struct Assistant<C> {
    offered: Arc<Vec<Offered>>,
    carrier: C,
}

impl<C: Carrier> Assistant<C> {
    /// An assistant's door to the service that the carrier reaches.
    pub fn new(carrier: C) -> Self {
        let document = super::document().unwrap_or_default();
        Self { offered: Arc::new(tools::offered(&document)), carrier }
    }

    async fn answer(&self, call: Call, credentials: Option<&Parts>) -> Carried {
        let Call { mut request, study } = call;
        if let Some(named) = study {
            let id = self.study_id(&named, credentials).await?;
            request.path = request.path.replace(tools::STUDY, &id);
        }
        self.carrier.carry(request, credentials).await
    }

    /// The id of a study that was named by its name or its id.
    async fn study_id(&self, named: &str, credentials: Option<&Parts>) -> Carried<String> {
        if let Ok(id) = Uuid::try_parse(named) {
            return Ok(id.to_string());
        }
        let studies = self.carrier.carry(tools::studies_named(named), credentials).await?;
        let id = studies.pointer("/studies/0/id").and_then(Json::as_str).map(str::to_owned);
        id.ok_or_else(|| {
            json!({
                "title": "There is no such thing", "status": 404,
                "detail": format!("there is no study {named:?}; list_studies shows those that are"),
            })
        })
    }
}

impl<C: Carrier> ServerHandler for Assistant<C> {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        let server = Implementation::new("tellus", env!("CARGO_PKG_VERSION")).with_title("Tellus");
        ServerConfig::new(capabilities).with_server_info(server).with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.offered.iter().map(|offered| offered.tool.clone()).collect()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.offered.iter().find(|offered| offered.tool.name == name).map(|offered| offered.tool.clone())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let unknown = || ErrorData::invalid_params(format!("there is no tool {:?}", request.name), None);
        let offered =
            self.offered.iter().find(|offered| offered.tool.name == request.name).ok_or_else(unknown)?;
        let arguments: JsonObject = request.arguments.clone().unwrap_or_default();
        let carried = match offered.call(arguments) {
            Ok(call) => self.answer(call, context.extensions.get::<Parts>()).await,
            Err(fault) => Err(fault),
        };
        Ok(match carried {
            Ok(mut answer) => {
                (offered.shorten)(&mut answer);
                CallToolResult::structured(answer)
            }
            Err(problem) => CallToolResult::structured_error(problem),
        }
        .into())
    }
}

/// `/mcp`: the protocol over streamable HTTP, without sessions, on the routes of `api`.
pub(super) fn serve<S: Clone + Send + Sync + 'static>(api: Router, stop: CancellationToken) -> Router<S> {
    let assistant = Assistant::new(InProcess(api));
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_cancellation_token(stop)
        .with_max_request_body_bytes(MAX_BODY_BYTES)
        // The guard in front of every route has checked the host; no web page is a client of this.
        .disable_allowed_hosts()
        .enforce_origin_validation();
    let sessions = Arc::new(NeverSessionManager::default());
    Router::new()
        .route_service("/mcp", StreamableHttpService::new(move || Ok(assistant.clone()), sessions, config))
}
