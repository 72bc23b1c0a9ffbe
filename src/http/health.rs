//! Whether the server lives, whether it can work, and what it counts.

use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::types::Health;
use super::{App, Cause, Problem};

/// How long the database may take to answer a probe.
const PATIENCE: Duration = Duration::from_secs(3);

/// The server lives
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "operations",
    responses((status = 200, description = "It lives", body = Health)))]
pub(super) async fn healthz() -> axum::Json<Health> {
    axum::Json(Health { status: "ok".into() })
}

/// The server can work: its database answers and can be written to, it is not overloaded, and it is not stopping
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "operations",
    responses(
        (status = 200, description = "It can work", body = Health),
        (status = 503, description = "It cannot; `detail` says why, all of it", body = super::problem::ProblemDocument,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn readyz(State(app): State<App>) -> Result<axum::Json<Health>, Problem> {
    let mut reasons = Vec::new();
    match tokio::time::timeout(PATIENCE, app.service.store().ready()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => reasons.push(error.to_string()),
        Err(_) => reasons.push(format!("the database did not answer in {} s", PATIENCE.as_secs())),
    }
    reasons.extend(app.service.overload());
    if app.stop.is_cancelled() {
        reasons.push("the server is stopping".to_owned());
    }
    if reasons.is_empty() {
        return Ok(axum::Json(Health { status: "ready".into() }));
    }
    Err(Problem::new(Cause::Unavailable, reasons.join("; ")))
}

/// Metrics for Prometheus
///
/// With authentication it needs a token with a role in every project (`*`).
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "operations",
    responses(
        (status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text"),
    ))]
pub(super) async fn metrics(State(app): State<App>) -> Response {
    let text = app.service.meters().text().unwrap_or_default();
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
