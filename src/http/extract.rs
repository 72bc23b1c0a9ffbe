//! Bodies, paths and queries of requests, read so that every fault becomes a problem.

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::caller::Caller;
use super::{Cause, MAX_BODY_BYTES, Problem};
use crate::space::Fault;
use crate::store::IdempotencyKey;
use crate::study::StudyId;

/// Longest idempotency key.
const MAX_KEY: usize = 255;

/// A JSON body, with the idempotency key that came with it.
pub(super) struct Body<T> {
    pub(super) value: T,
    pub(super) key: Option<IdempotencyKey>,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let project = request.extensions().get::<Caller>().map(Caller::project).unwrap_or_default();
        let method = request.method().to_string();
        let path = request.uri().path().to_owned();
        let key = match request.headers().get("idempotency-key") {
            None => None,
            Some(key) => Some(
                key.to_str()
                    .ok()
                    .filter(|key| !key.is_empty() && key.len() <= MAX_KEY)
                    .ok_or_else(|| {
                        Problem::new(Cause::BadRequest, "an Idempotency-Key has 1 to 255 ASCII characters")
                    })?
                    .to_owned(),
            ),
        };
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .map(str::to_owned);
        let too_large =
            || Problem::new(Cause::TooLarge, format!("a body has at most {} MiB", MAX_BODY_BYTES >> 20));
        // What says beforehand that it is too large is not read: a client that waits for leave sends nothing.
        if request.body().size_hint().lower() > MAX_BODY_BYTES as u64 {
            return Err(too_large());
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                too_large()
            } else {
                Problem::new(Cause::BadRequest, "the body did not arrive whole")
            }
        })?;
        if !bytes.is_empty() && !content_type.as_deref().is_some_and(is_json) {
            return Err(Problem::new(
                Cause::WrongType,
                "send JSON, and say so: Content-Type: application/json",
            ));
        }
        // Postgres has no text with a NUL in it; SQLite would, and the stores shall not differ.
        if bytes.windows(6).any(|window| window == b"\\u0000") {
            return Err(Problem::new(Cause::BadRequest, "a string has no NUL character (\\u0000)"));
        }
        let key =
            key.map(|key| IdempotencyKey { project, method, path, key, body: Sha256::digest(&bytes).into() });
        Ok(Self { value: read(if bytes.is_empty() { b"{}" } else { &bytes })?, key })
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Reads a JSON document as a type; the first fault with its place.
pub(super) fn interpret<T: DeserializeOwned>(document: &serde_json::Value) -> Result<T, Fault> {
    serde_path_to_error::deserialize(document)
        .map_err(|error| Fault::new(pointer(error.path()), error.inner().to_string()))
}

/// Reads JSON; the first fault with its place.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let pointer = pointer(error.path());
        Problem::new(Cause::BadRequest, error.into_inner().to_string()).at(pointer)
    })?;
    reader.end().map_err(|error| Problem::new(Cause::BadRequest, error.to_string()).at(""))?;
    Ok(value)
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter()
        .map(|segment| format!("/{}", segment.to_string().trim_matches(['[', ']'])))
        .filter(|segment| segment != "/?")
        .collect()
}

/// The study that a path names.
pub(super) struct StudyPath(pub(super) StudyId);

/// The trial that a path names.
pub(super) struct TrialPath(pub(super) StudyId, pub(super) u64);

impl<S: Send + Sync> FromRequestParts<S> for StudyPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // /v1/studies/{study}…
        let id = parts.uri.path().split('/').nth(3).and_then(|id| Uuid::try_parse(id).ok());
        id.map(|id| Self(StudyId(id)))
            .ok_or_else(|| Problem::new(Cause::NotFound, "there is no such study: its id is a UUID"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for TrialPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let StudyPath(study) = StudyPath::from_request_parts(parts, state).await?;
        // /v1/studies/{study}/trials/{number}…
        let number = parts.uri.path().split('/').nth(5).and_then(|number| number.parse::<u64>().ok());
        number
            .filter(|number| i64::try_from(*number).is_ok())
            .map(|number| Self(study, number))
            .ok_or_else(|| Problem::new(Cause::NotFound, "there is no such trial: it has a number from 0"))
    }
}

/// The query of a request.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(query) => Ok(Self(query.0)),
            Err(rejection) => Err(Problem::new(Cause::BadRequest, rejection.body_text())),
        }
    }
}

/// The project that a path names.
pub(super) struct ProjectPath(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for ProjectPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::<String>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(name)| Self(name))
            .map_err(|_| Problem::new(Cause::NotFound, "there is no such project: its name is not text"))
    }
}
