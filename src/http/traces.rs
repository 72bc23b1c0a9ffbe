//! Traces of requests: each is a span, which goes on with the trace that the client began (W3C Trace Context), where traces
//! are collected at all. What happens within is told by spans of the service and the store.

use axum::http::{HeaderMap, Method};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Span, field, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The span of a request, by the semantic conventions for HTTP servers.
pub(super) fn span(method: &Method, route: Option<&str>, path: &str, id: &str, headers: &HeaderMap) -> Span {
    let span = info_span!(
        "request",
        otel.name = field::Empty,
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = %method,
        http.route = route,
        http.response.status_code = field::Empty,
        url.path = path,
        tellus.request_id = id,
    );
    if !span.is_disabled() {
        let name = route.map_or_else(|| method.to_string(), |route| format!("{method} {route}"));
        span.record("otel.name", name);
        // A client that began no trace leaves this one the root of its own.
        drop(span.set_parent(TraceContextPropagator::new().extract(&Carried(headers))));
    }
    span
}

/// Notes how a request was answered.
pub(super) fn answered(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

/// The id of the trace that a span belongs to; `None` where none is collected.
pub(super) fn trace_id(span: &Span) -> Option<String> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| context.trace_id().to_string())
}

struct Carried<'a>(&'a HeaderMap);

impl Extractor for Carried<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}
