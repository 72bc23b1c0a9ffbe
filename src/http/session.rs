//! Sessions in a browser: a token given once becomes a cookie that scripts cannot read, which is used by this server's
//! own pages alone and ends by itself.

use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{TimeDelta, Utc};

use super::caller::Caller;
use super::extract::Body;
use super::gate::{Authentication, Origin, SESSION_COOKIE, actor_of, look_up, same_origin};
use super::problem::ProblemDocument;
use super::secret::Secret;
use super::types::{SessionRequest, Token};
use super::{App, Cause, Problem};
use crate::store::access::NewToken;

/// How long a session lasts.
pub(super) const LASTS: TimeDelta = TimeDelta::hours(12);

/// Begin a session
///
/// For browsers: the answer sets a cookie that stands for the token for twelve hours. Requests that change something
/// count where they come from this server's own pages alone.
#[utoipa::path(post, path = "/v1/session", operation_id = "begin_session", tag = "access",
    request_body = SessionRequest,
    responses(
        (status = 200, description = "The token that the session stands for", body = Token, headers(("Set-Cookie" = String, description = "The session"))),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn begin_session(
    State(app): State<App>,
    parts: Parts,
    body: Body<SessionRequest>,
) -> Result<Response, Problem> {
    if app.admission.authentication == Authentication::None {
        let detail = "this server is without authentication, and has no sessions; start it with --auth";
        return Err(Problem::new(Cause::Forbidden, detail));
    }
    same_origin(&parts.headers)?;
    let record = look_up(&app, &body.value.token).await?;
    if record.parent.is_some() {
        return Err(Problem::new(
            Cause::Forbidden,
            "a session begins with a token, not with another session",
        ));
    }
    let secret = Secret::draw().map_err(|error| Problem::new(Cause::Unavailable, error.to_string()))?;
    let session = NewToken {
        name: record.name.clone(),
        prefix: secret.prefix,
        hash: secret.hash,
        roles: record.roles.clone(),
        expires_at: Utc::now().checked_add_signed(LASTS),
        parent: Some(record.id),
    };
    let service = app.service.by(actor_of(&app, &record, &parts));
    service.store().create_token(session).await?;
    let proxied = parts.headers.get("x-forwarded-proto").and_then(|proto| proto.to_str().ok());
    let is_secure = app.admission.origin == Origin::Proxy && proxied == Some("https");
    let cookie = cookie(&secret.token, LASTS.num_seconds(), is_secure)?;
    Ok(([(header::SET_COOKIE, cookie)], axum::Json(Token::of(&record, |_| true))).into_response())
}

/// End the session that the request came with
#[utoipa::path(delete, path = "/v1/session", operation_id = "end_session", tag = "access",
    responses(
        (status = 204, description = "It is over"),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn end_session(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    let session = caller.token().filter(|token| token.parent.is_some());
    let Some(session) = session else {
        return Err(Problem::new(Cause::NotFound, "the request came without a session"));
    };
    app.by(&caller).store().revoke_token(session.id).await?;
    app.remembered.forget(session.id);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie("", 0, false)?)]).into_response())
}

fn cookie(value: &str, seconds: i64, is_secure: bool) -> Result<HeaderValue, Problem> {
    let cookie = cookie_text(value, seconds, is_secure);
    HeaderValue::from_str(&cookie).map_err(|error| Problem::new(Cause::Internal, error.to_string()))
}

/// The cookie of a session, whose value is a token.
pub(super) fn cookie_text(value: &str, seconds: i64, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{SESSION_COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}")
}
