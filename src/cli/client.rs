//! A blocking HTTP client of the service's own API: JSON, retries under one idempotency key, refusals as errors.

use std::io::{BufReader, Read};
use std::time::Duration;

use serde_json::Value as Json;
use ureq::Agent;
use ureq::http::{Request, Response};
use uuid::Uuid;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(90);
/// How often a request is sent before its failure is believed: about two minutes, long enough for a server to restart.
const ATTEMPTS: u32 = 12;
/// Longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// Largest answer that is read.
const MAX_ANSWER_BYTES: u64 = 1 << 28;

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The service refused.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// It could not be reached, or did not answer as it should.
    #[error("{method} {url}: {reason}; is the service running there?")]
    Unreachable { method: String, url: String, reason: String },
}

/// A problem document (RFC 9457), and what it answered.
#[derive(Debug, thiserror::Error)]
#[error("{request}: {title} ({status}): {detail}")]
pub(crate) struct Refusal {
    /// Method and path.
    pub(crate) request: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// The cause's URI.
    pub(crate) cause: String,
    /// The cause in words.
    pub(crate) title: String,
    /// What to change; each fault on a line of its own where there are several.
    pub(crate) detail: String,
}

impl CallError {
    /// Whether the service refused for this cause, the last word of its URI.
    pub(crate) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.cause.rsplit(':').next() == Some(wanted))
    }
}

/// A service, and who calls it.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    url: String,
    token: Option<String>,
}

impl Client {
    /// A client of the service at `url`.
    pub(crate) fn new(url: &str, token: Option<String>) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).build();
        Self { agent: config.into(), url: url.trim_end_matches('/').to_owned(), token }
    }

    /// Where the service is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Reads.
    ///
    /// # Errors
    /// When the service refuses, or stays away through all attempts.
    pub(crate) fn get(&self, path: &str) -> Result<Json, CallError> {
        self.call("GET", path, None)
    }

    /// Writes, once however often it is sent.
    ///
    /// # Errors
    /// When the service refuses, or stays away through all attempts.
    pub(crate) fn post(&self, path: &str, body: &Json) -> Result<Json, CallError> {
        self.call("POST", path, Some(body))
    }

    /// Opens the stream of a study's events behind one of them.
    ///
    /// # Errors
    /// When the service refuses, or cannot be reached.
    pub(crate) fn events(&self, study: &str, after: u64) -> Result<BufReader<impl Read + use<>>, CallError> {
        let path = format!("/v1/studies/{study}/events?after={after}");
        let request = self.request("GET", &path).header("Accept", "text/event-stream").body(());
        let sent = request.map_err(|error| error.to_string());
        let answer = sent.and_then(|request| self.agent.run(request).map_err(|error| error.to_string()));
        let answer = answer.map_err(|reason| self.unreachable("GET", &path, reason))?;
        if answer.status().as_u16() != 200 {
            return Err(self
                .read("GET", &path, answer)
                .err()
                .unwrap_or_else(|| self.unreachable("GET", &path, "no stream of events".into())));
        }
        Ok(BufReader::new(answer.into_body().into_reader()))
    }

    fn request(&self, method: &str, path: &str) -> ureq::http::request::Builder {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    /// Sends a request, again where that may help.
    ///
    /// # Errors
    /// When the service refuses, or stays away through all attempts.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Json>) -> Result<Json, CallError> {
        let key = Uuid::new_v4().to_string();
        let mut wait = Duration::from_millis(250);
        let mut attempt = 1;
        loop {
            let failure = match self.send(method, path, body, &key) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let passes = match &failure {
                CallError::Refused(refusal) => {
                    matches!(refusal.status, 408 | 429 | 500 | 502 | 503 | 504)
                        || failure.is("request-in-progress")
                }
                CallError::Unreachable { .. } => true,
            };
            if !passes || attempt == ATTEMPTS {
                return Err(failure);
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
            attempt += 1;
        }
    }

    fn send(&self, method: &str, path: &str, body: Option<&Json>, key: &str) -> Result<Json, CallError> {
        let request = self.request(method, path).header("Accept", "application/json");
        let sent = match body {
            None => request.body(()).map_err(|error| error.to_string()).and_then(|request| self.run(request)),
            Some(body) => request
                .header("Content-Type", "application/json")
                .header("Idempotency-Key", key)
                .body(body.to_string())
                .map_err(|error| error.to_string())
                .and_then(|request| self.run(request)),
        };
        let answer = sent.map_err(|reason| self.unreachable(method, path, reason))?;
        self.read(method, path, answer)
    }

    fn run<B: ureq::AsSendBody>(&self, request: Request<B>) -> Result<Response<ureq::Body>, String> {
        let request = self.agent.configure_request(request).timeout_global(Some(TIMEOUT)).build();
        self.agent.run(request).map_err(|error| error.to_string())
    }

    fn read(&self, method: &str, path: &str, mut answer: Response<ureq::Body>) -> Result<Json, CallError> {
        let status = answer.status().as_u16();
        let text = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string();
        let text = text.map_err(|error| self.unreachable(method, path, error.to_string()))?;
        let json: Result<Json, _> = serde_json::from_str(&text);
        if (200..300).contains(&status) {
            return json.map_err(|error| self.unreachable(method, path, error.to_string()));
        }
        let problem = json.unwrap_or_default();
        let field = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        let mut detail = field("detail");
        let faults = problem["errors"].as_array().into_iter().flatten();
        for fault in faults.clone().filter(|_| faults.clone().count() > 1) {
            let part = |name: &str| fault[name].as_str().unwrap_or_default().to_owned();
            detail.push_str(&format!("\n  {}: {}", part("pointer"), part("detail")));
        }
        let request = format!("{method} {path}");
        let refusal = Refusal { request, status, cause: field("type"), title: field("title"), detail };
        Err(CallError::Refused(Box::new(refusal)))
    }

    fn unreachable(&self, method: &str, path: &str, reason: String) -> CallError {
        CallError::Unreachable { method: method.into(), url: format!("{}{path}", self.url), reason }
    }
}
