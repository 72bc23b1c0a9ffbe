//! Traces for a collector: spans are gathered in a bounded queue, and sent by a thread of their own as OTLP over HTTP. A
//! collector that is slow or away costs spans, never a request.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use ureq::Agent;

use super::Failure;

/// What the service is called in traces, unless `OTEL_SERVICE_NAME` says otherwise.
const SERVICE: &str = "tellus";
/// How long a collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer that is read.
const MAX_ANSWER_BYTES: u64 = 1 << 16;
/// How long it is not said again that the collector does not answer.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a stop waits for the last batch.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// What sends traces.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// To a collector at this address, such as `http://127.0.0.1:4318`.
    ///
    /// # Errors
    /// Where the address is none. Whether somebody listens there is not asked.
    pub(crate) fn to(endpoint: &str) -> Result<Self, Failure> {
        let failed = |reason: String| Failure::Argument(format!("--otlp-endpoint {endpoint}: {reason}"));
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            return Err(failed("it begins with http:// or https://".to_owned()));
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new())
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| failed(error.to_string()))?;
        // The environment's OTEL_RESOURCE_ATTRIBUTES are taken by the builder.
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(SERVICE);
        }
        let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.with_attribute(version).build())
            .with_batch_exporter(exporter)
            .build();
        Ok(Self(provider))
    }

    /// What spans are made with.
    pub(crate) fn tracer(&self) -> SdkTracer {
        self.0.tracer(SERVICE)
    }

    /// Sends what is there, and ends.
    pub(crate) async fn finish(self) {
        let finished = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(STOP_PATIENCE));
        if let Ok(Err(error)) = finished.await {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// The collector, called by the thread that sends batches.
#[derive(Debug)]
struct Collector {
    agent: Agent,
    /// When it was last said that it does not answer.
    said: Mutex<Option<Instant>>,
}

impl Collector {
    fn new() -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .http_status_as_error(false)
            .build();
        Self { agent: config.into(), said: Mutex::default() }
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (parts, body) = request.into_parts();
        let mut answer = self.agent.run(Request::from_parts(parts, body.to_vec()))?;
        let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec()?;
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = answer.status();
        Ok(response)
    }

    /// Says that traces are lost, not at every batch.
    fn complain(&self, reason: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() > SILENCE) {
            *said = Some(Instant::now());
            tracing::warn!(reason, "the collector does not take traces; requests go on without");
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        match self.send(request) {
            Ok(response) => {
                if !response.status().is_success() {
                    self.complain(&format!("status {}", response.status()));
                }
                Ok(response)
            }
            Err(error) => {
                self.complain(&error.to_string());
                Err(error.into())
            }
        }
    }
}
