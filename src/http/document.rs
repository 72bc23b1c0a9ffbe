//! The OpenAPI document, made from the handlers, and the page that shows it.

use axum::Router;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use super::App;

/// What is not said by a handler.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tellus",
        description = "Bayesian black-box optimization: ask which experiment to run next, tell what came out.\n\n\
            JSON in and out, UTC RFC 3339 times, lists paged by cursor. Refusals are problems (RFC 9457). \
            POSTs that create, ask, tell or attach take an `Idempotency-Key`.",
    ),
    tags(
        (name = "studies", description = "What is optimized, and what was found"),
        (name = "trials", description = "What is tried, and what became of it"),
        (name = "networks", description = "Networks that an objective runs through, and solving by them"),
        (name = "operations", description = "Whether the server lives and works"),
    )
)]
struct Skeleton;

pub(super) fn skeleton() -> Document {
    Skeleton::openapi()
}

/// The OpenAPI document.
pub fn document() -> Document {
    OpenApiRouter::with_openapi(skeleton()).merge(super::routes()).split_for_parts().1
}

/// The OpenAPI document as it is committed: indented JSON.
///
/// # Errors
/// Never in practice: the document is made of strings.
pub fn document_json() -> Result<String, serde_json::Error> {
    let mut text = document().to_pretty_json()?;
    text.push('\n');
    Ok(text)
}

/// `/openapi.json`, and `/docs` to read it.
pub(super) fn serve() -> Router<App> {
    SwaggerUi::new("/docs").url("/openapi.json", document()).into()
}
