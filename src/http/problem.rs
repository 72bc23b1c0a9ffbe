//! Problems (RFC 9457): the one form in which the service refuses, with a stable cause, and what to change.
//!
//! 400: the body is no JSON, or of the wrong shape; the first fault. 422: the right shape with impossible values; every
//! fault. Everything else names its cause in [`Cause`].

use std::any::Any;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::service::{AskError, ServiceError};
use crate::space::Fault;
use crate::store::{Answer, StoreError};
use crate::study::Refusal;

/// Seconds after which a client should try again while the database is away.
const RETRY_AFTER_SECONDS: u64 = 2;
/// Seconds after which to look again whether a quota has room: somebody has to make it.
const QUOTA_RETRY_SECONDS: u64 = 600;

/// Why a request was refused. Each cause is a stable `type` URI, `urn:tellus:problem:<slug>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// 400: not JSON, a wrong JSON type, a missing or unknown field.
    BadRequest,
    /// 401: no token, or one that is not known, has expired or was revoked.
    Unauthorized,
    /// 403: the token's role is too weak.
    Forbidden,
    /// 404: no such route, study or trial, or one of a project where the token has no role.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 408: the request took too long.
    Timeout,
    /// 409: a study of this name has another definition.
    NameTaken,
    /// 409: there is a project of this name.
    ProjectTaken,
    /// 409: the project has studies or networks.
    ProjectInUse,
    /// 409: a study of this id is there.
    StudyThere,
    /// 409: something else was told of this trial.
    AlreadyTold,
    /// 409: the trial is not running.
    NotRunning,
    /// 409: the lease token is not the current one, or the point went to another worker.
    LeaseLost,
    /// 409: the study hands out no trials in its state.
    StudyNotActive,
    /// 409: the budget is spent.
    BudgetSpent,
    /// 409: every point was handed out.
    SpaceExhausted,
    /// 409: a study refers to the network.
    NetworkInUse,
    /// 409: a solve of the study runs already.
    AlreadySolving,
    /// 409: the service does not evaluate this study.
    NotSolvable,
    /// 409: the first request with this idempotency key is not answered yet.
    InProgress,
    /// 413.
    TooLarge,
    /// 415.
    WrongType,
    /// 421: the host is neither loopback nor allowed.
    WrongHost,
    /// 422: impossible values.
    Invalid,
    /// 422: the idempotency key came with another body before.
    KeyReused,
    /// 429: the project has as much as it may.
    QuotaSpent,
    /// 429: too many requests of the project in a minute.
    RateLimited,
    /// 500: a defect of this program.
    Internal,
    /// 503: the database is away.
    Unavailable,
    /// 503: too much waits already.
    Overloaded,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 30] = [
        Self::BadRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Timeout,
        Self::NameTaken,
        Self::ProjectTaken,
        Self::ProjectInUse,
        Self::StudyThere,
        Self::AlreadyTold,
        Self::NotRunning,
        Self::LeaseLost,
        Self::StudyNotActive,
        Self::BudgetSpent,
        Self::SpaceExhausted,
        Self::NetworkInUse,
        Self::AlreadySolving,
        Self::NotSolvable,
        Self::InProgress,
        Self::TooLarge,
        Self::WrongType,
        Self::WrongHost,
        Self::Invalid,
        Self::KeyReused,
        Self::QuotaSpent,
        Self::RateLimited,
        Self::Internal,
        Self::Unavailable,
        Self::Overloaded,
    ];

    /// Its stable URI.
    pub fn uri(self) -> String {
        format!("urn:tellus:problem:{}", self.parts().1)
    }

    /// The HTTP status that it answers with.
    pub fn status(self) -> u16 {
        self.parts().0
    }

    fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::BadRequest => (400, "bad-request", "The request cannot be read"),
            Self::Unauthorized => (401, "unauthorized", "A token is needed"),
            Self::Forbidden => (403, "forbidden", "The token may not do this"),
            Self::NotFound => (404, "not-found", "There is no such thing"),
            Self::MethodNotAllowed => (405, "method-not-allowed", "The method is not allowed here"),
            Self::Timeout => (408, "timeout", "The request took too long"),
            Self::NameTaken => (409, "name-taken", "The name is taken by another study"),
            Self::ProjectTaken => (409, "project-taken", "The project is there already"),
            Self::ProjectInUse => (409, "project-in-use", "The project is in use"),
            Self::StudyThere => (409, "study-there", "The study is there already"),
            Self::AlreadyTold => (409, "already-told", "The trial was already told something else"),
            Self::NotRunning => (409, "not-running", "The trial is not running"),
            Self::LeaseLost => (409, "lease-lost", "The lease is lost"),
            Self::StudyNotActive => (409, "study-not-active", "The study is not active"),
            Self::BudgetSpent => (409, "budget-spent", "The budget is spent"),
            Self::SpaceExhausted => (409, "space-exhausted", "The search space is exhausted"),
            Self::NetworkInUse => (409, "network-in-use", "The network is in use"),
            Self::AlreadySolving => (409, "already-solving", "A solve is running"),
            Self::NotSolvable => (409, "not-solvable", "The service does not evaluate this study"),
            Self::InProgress => (409, "request-in-progress", "The first request is in progress"),
            Self::TooLarge => (413, "too-large", "The body is too large"),
            Self::WrongType => (415, "wrong-type", "The body has the wrong media type"),
            Self::WrongHost => (421, "wrong-host", "The host is not served here"),
            Self::Invalid => (422, "invalid", "The request is impossible"),
            Self::KeyReused => (422, "idempotency-key-reused", "The idempotency key was used before"),
            Self::QuotaSpent => (429, "quota-spent", "The project's quota is spent"),
            Self::RateLimited => (429, "rate-limited", "Too many requests"),
            Self::Internal => (500, "internal", "The server has a defect"),
            Self::Unavailable => (503, "unavailable", "The database is away"),
            Self::Overloaded => (503, "overloaded", "The server is overloaded"),
        }
    }
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct Problem {
    cause: Cause,
    detail: String,
    faults: Vec<Fault>,
    retry_after: Option<u64>,
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemDocument {
    /// A stable URI of the cause.
    #[serde(rename = "type")]
    #[schema(example = "urn:tellus:problem:invalid")]
    kind: String,
    /// The cause in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened here, and what to change.
    detail: String,
    /// Each fault of the request and its place.
    errors: Vec<FaultDocument>,
}

/// One fault of a request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fault)]
pub(super) struct FaultDocument {
    /// JSON pointer into the request's body.
    #[schema(example = "/parameters/0/low")]
    pointer: String,
    /// What is wrong and what would be right.
    detail: String,
}

impl Problem {
    /// A refusal with a sentence that says what to change.
    pub fn new(cause: Cause, detail: impl Into<String>) -> Self {
        let retry_after = match cause {
            Cause::Unavailable | Cause::Overloaded | Cause::InProgress => Some(RETRY_AFTER_SECONDS),
            Cause::QuotaSpent => Some(QUOTA_RETRY_SECONDS),
            _ => None,
        };
        Self { cause, detail: detail.into(), faults: Vec::new(), retry_after }
    }

    /// A refusal for impossible values.
    pub fn invalid(faults: Vec<Fault>) -> Self {
        let detail = match faults.as_slice() {
            [one] => format!("{}: {}", one.pointer, one.detail),
            many => format!("{} faults; see errors", many.len()),
        };
        Self { faults, ..Self::new(Cause::Invalid, detail) }
    }

    /// The same with the place of its one fault.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        let fault = Fault::new(pointer, self.detail.clone());
        self.faults.push(fault);
        self
    }

    /// The same, which may succeed after so many seconds.
    #[must_use]
    pub fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.cause.status()
    }

    /// Whether the same request is to be refused again: not where the refusal says to try later.
    pub fn is_an_answer(&self) -> bool {
        let passes =
            matches!(self.cause, Cause::Timeout | Cause::InProgress | Cause::QuotaSpent | Cause::RateLimited);
        (400..500).contains(&self.status()) && !passes
    }

    /// What is kept for an idempotency key, and sent.
    pub fn answer(&self) -> Answer {
        let (status, _, title) = self.cause.parts();
        let document = ProblemDocument {
            kind: self.cause.uri(),
            title: title.into(),
            status,
            detail: self.detail.clone(),
            errors: self
                .faults
                .iter()
                .map(|fault| FaultDocument { pointer: fault.pointer.clone(), detail: fault.detail.clone() })
                .collect(),
        };
        Answer {
            status,
            content_type: "application/problem+json".into(),
            location: None,
            body: serde_json::to_vec(&document).unwrap_or_default(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = into_response(self.answer());
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.cause == Cause::Unauthorized {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An answer as an HTTP response.
pub(super) fn into_response(answer: Answer) -> Response {
    let mut response = Response::new(axum::body::Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = HeaderValue::from_str(&answer.content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    if let Some(value) = answer.location.and_then(|location| HeaderValue::from_str(&location).ok()) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let cause = match &error {
            StoreError::NoStudy(_)
            | StoreError::NoTrial(_)
            | StoreError::NoNetwork(_)
            | StoreError::NoProject(_)
            | StoreError::NoToken(_)
            | StoreError::NoSolve(_) => Cause::NotFound,
            StoreError::StudyThere(_) => Cause::StudyThere,
            StoreError::ProjectTaken(_) => Cause::ProjectTaken,
            StoreError::ProjectInUse(_) => Cause::ProjectInUse,
            StoreError::QuotaSpent { .. } => Cause::QuotaSpent,
            StoreError::NetworkInUse(_) => Cause::NetworkInUse,
            StoreError::AlreadySolving => Cause::AlreadySolving,
            StoreError::NotActive(_) => Cause::StudyNotActive,
            StoreError::NameTaken { .. } => Cause::NameTaken,
            StoreError::Refused(Refusal::AlreadyTold) => Cause::AlreadyTold,
            StoreError::Refused(Refusal::LeaseLost | Refusal::HandedOutAgain) => Cause::LeaseLost,
            StoreError::Refused(Refusal::NotRunning) => Cause::NotRunning,
            StoreError::KeyUsed => Cause::InProgress,
            StoreError::Outdated => Cause::Overloaded,
            _ => Cause::Unavailable,
        };
        if cause == Cause::Unavailable {
            tracing::error!(%error, "the store failed");
            return Self::new(cause, "the database did not answer as it should; try again later");
        }
        Self::new(cause, error.to_string())
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        let cause = match error {
            AskError::Store(error) => return error.into(),
            AskError::NotActive(_) => Cause::StudyNotActive,
            AskError::BudgetSpent => Cause::BudgetSpent,
            AskError::SpaceExhausted => Cause::SpaceExhausted,
            AskError::Overloaded { .. } | AskError::Cancelled => Cause::Overloaded,
        };
        Self::new(cause, error.to_string())
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Store(error) => error.into(),
            ServiceError::Overloaded { .. } => Self::new(Cause::Overloaded, error.to_string()),
        }
    }
}

/// The answer to a path that leads nowhere.
pub(super) async fn no_route() -> Problem {
    Problem::new(Cause::NotFound, "there is nothing at this path; /docs lists what there is")
}

/// The answer to a method that a path does not know.
pub(super) async fn no_method() -> Problem {
    Problem::new(Cause::MethodNotAllowed, "this path does not know this method; /docs lists those it knows")
}

/// The answer when a handler panicked.
pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    Problem::new(Cause::Internal, "this is a defect of the server; its log says more").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_listed_once() {
        let mut uris: Vec<String> = Cause::ALL.iter().map(|cause| cause.uri()).collect();
        uris.sort();
        uris.dedup();
        assert_eq!(uris.len(), Cause::Overloaded as usize + 1);
    }
}
