//! The OpenAPI document, made from the handlers and shaped for those who generate clients from it, and the page that
//! shows it.

mod examples;
mod links;
mod shape;

use axum::Router;
use serde_json::Value as Json;
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
        (name = "access", description = "Projects, tokens, and the log of changes"),
        (name = "operations", description = "Whether the server lives and works"),
    )
)]
struct Skeleton;

pub(super) fn skeleton() -> Document {
    Skeleton::openapi()
}

/// The OpenAPI document.
///
/// # Errors
/// Never in practice: the document is made of strings.
pub fn document() -> Result<Json, serde_json::Error> {
    let made = OpenApiRouter::with_openapi(skeleton()).merge(super::routes()).split_for_parts().1;
    let mut document = serde_json::to_value(made)?;
    shape::shape(&mut document);
    examples::add(&mut document);
    links::add(&mut document);
    Ok(document)
}

/// The OpenAPI document as it is committed: indented JSON.
///
/// # Errors
/// Never in practice: the document is made of strings.
pub fn document_json() -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(&document()?)?;
    text.push('\n');
    Ok(text)
}

/// `/openapi.json`, and `/docs` to read it.
pub(super) fn serve() -> Router<App> {
    SwaggerUi::new("/docs").external_url_unchecked("/openapi.json", document().unwrap_or_default()).into()
}

/// The operation of this id, where the document has it.
fn operation<'a>(document: &'a mut Json, id: &str) -> Option<&'a mut Json> {
    let paths = document.get_mut("paths")?.as_object_mut()?;
    paths
        .values_mut()
        .filter_map(Json::as_object_mut)
        .flat_map(|path| path.values_mut())
        .find(|operation| operation.get("operationId").and_then(Json::as_str) == Some(id))
}
