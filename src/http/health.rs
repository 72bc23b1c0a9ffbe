//! Whether the server lives, and whether it can work.

use axum::extract::State;

use super::types::Health;
use super::{App, Cause, Problem};

/// The server lives
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "operations",
    responses((status = 200, description = "It lives", body = Health)))]
pub(super) async fn healthz() -> axum::Json<Health> {
    axum::Json(Health { status: "ok".into() })
}

/// The server can work: its database answers and can be written to
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "operations",
    responses(
        (status = 200, description = "It can work", body = Health),
        (status = 503, description = "It cannot; `detail` says why", body = super::problem::ProblemDocument,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn readyz(State(app): State<App>) -> Result<axum::Json<Health>, Problem> {
    match app.service.store().ready().await {
        Ok(()) => Ok(axum::Json(Health { status: "ready".into() })),
        Err(error) => Err(Problem::new(Cause::Unavailable, error.to_string())),
    }
}
