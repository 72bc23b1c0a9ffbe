//! How a tool's request comes to the service.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, Request, header};
use serde_json::{Value as Json, json};
use tower::ServiceExt;

/// Largest answer that a tool hands on.
const MAX_ANSWER_BYTES: usize = 32 << 20;
/// What a request inherits from the one that called the tool: where it was sent, for whom, and its id in the log.
const INHERITED: [HeaderName; 3] =
    [header::HOST, header::AUTHORIZATION, HeaderName::from_static("x-request-id")];

/// An answer of the service, or its refusal as a problem document.
pub type Carried<T = Json> = Result<T, Json>;

/// A request of the HTTP contract.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolRequest {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The body, where the method has one.
    pub body: Option<Json>,
}

/// Brings requests to a service.
pub trait Carrier: Clone + Send + Sync + 'static {
    /// Brings one; `credentials` are the parts of the HTTP request that called the tool, where there was one.
    ///
    /// # Errors
    /// The problem document, where the service refuses or cannot be reached.
    fn carry(
        &self,
        request: ToolRequest,
        credentials: Option<&Parts>,
    ) -> impl Future<Output = Carried> + Send;
}

/// The service in this process.
#[derive(Clone)]
pub(super) struct InProcess(pub(super) Router);

impl Carrier for InProcess {
    async fn carry(&self, request: ToolRequest, credentials: Option<&Parts>) -> Carried {
        let mut made = Request::builder().method(request.method).uri(request.path);
        for name in INHERITED {
            if let Some(value) = credentials.and_then(|parts| parts.headers.get(&name)) {
                made = made.header(name, value);
            }
        }
        let made = match request.body {
            None => made.body(Body::empty()),
            Some(body) => {
                made.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string()))
            }
        };
        let defect =
            |detail: String| json!({"title": "The server has a defect", "status": 500, "detail": detail});
        let mut made = made.map_err(|error| defect(error.to_string()))?;
        if let Some(peer) = credentials.and_then(|parts| parts.extensions.get::<ConnectInfo<SocketAddr>>()) {
            made.extensions_mut().insert(*peer);
        }
        let Ok(response) = self.0.clone().oneshot(made).await;
        let is_success = response.status().is_success();
        let bytes = to_bytes(response.into_body(), MAX_ANSWER_BYTES)
            .await
            .map_err(|error| defect(error.to_string()))?;
        let answer = serde_json::from_slice(&bytes).map_err(|error| defect(error.to_string()))?;
        if is_success { Ok(answer) } else { Err(answer) }
    }
}
