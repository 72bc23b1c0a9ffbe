//! What every request passes: the log, the host, the clock.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;
use uuid::Uuid;

use super::gate::Authentication;
use super::{App, Cause, Problem, REQUEST_TIMEOUT, traces};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest request id that is taken over from a client.
const MAX_REQUEST_ID: usize = 100;

/// One line a request, with its id, which the answer carries too; and its count among the metrics.
pub(super) async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(&REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| !id.is_empty() && id.len() <= MAX_REQUEST_ID)
        .map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let value = HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static("invalid"));
    request.headers_mut().insert(REQUEST_ID, value.clone());
    let begin = Instant::now();
    let span = traces::span(&method, route.as_deref(), &path, &id, request.headers());
    let mut response = next.run(request).instrument(span.clone()).await;
    response.headers_mut().insert(REQUEST_ID, value);
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let status = response.status().as_u16();
    let milliseconds = begin.elapsed().as_secs_f64() * 1e3;
    let route = route.unwrap_or_default();
    app.service.meters().request(&route, counted(&method), status, begin.elapsed());
    traces::answered(&span, status);
    let trace_id = traces::trace_id(&span);
    tracing::info!(%method, path, route, status, milliseconds, request_id = id, trace_id, "request");
    response
}

/// The method's name among the metrics: a client may make up any number of methods.
fn counted(method: &Method) -> &'static str {
    ["GET", "POST", "PATCH", "DELETE", "HEAD", "PUT", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}

/// Refuses hosts that are neither loopback nor allowed by name, so that no web page can reach a local server through
/// its visitor's browser (DNS rebinding). Health is open to every host, and with authentication so are metrics.
pub(super) async fn check_host(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_open = match request.uri().path() {
        "/healthz" | "/readyz" => true,
        // Who watches reaches servers by their addresses, and sends a token, which no web page has.
        "/metrics" => app.admission.authentication == Authentication::Tokens,
        _ => false,
    };
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| request.uri().host())
        .unwrap_or_default();
    if is_open || is_allowed(host, &app.allowed_hosts) {
        return next.run(request).await;
    }
    let name = name_of(host);
    Problem::new(
        Cause::WrongHost,
        format!("the host {name:?} is not served; start the server with --allow-host {name} to serve it"),
    )
    .into_response()
}

/// The host without its port.
pub(super) fn name_of(host: &str) -> &str {
    if host.starts_with('[') {
        return host.find(']').map_or(host, |end| &host[..=end]);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn is_allowed(host: &str, allowed: &[String]) -> bool {
    let name = name_of(host).to_ascii_lowercase();
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    is_loopback || name == "localhost" || allowed.contains(&name)
}

/// Ends what takes too long; event streams last as long as their listener, exports and imports as long as they move on.
pub(super) async fn limit_time(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path.ends_with("/events") || matches!(path, "/v1/export" | "/v1/import") {
        return next.run(request).await;
    }
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let seconds = REQUEST_TIMEOUT.as_secs();
            Problem::new(Cause::Timeout, format!("it was not done in {seconds} s; try again")).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_allowed_hosts_are_served() {
        let allowed = ["tellus.lab".to_owned()];
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.8.9.1", "[::1]:80", "tellus.lab:443"]
        {
            assert!(is_allowed(host, &allowed), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example", "10.0.0.1:8080", "[::2]", "[::1"] {
            assert!(!is_allowed(host, &allowed) || host == "[::1", "{host}");
        }
    }
}
