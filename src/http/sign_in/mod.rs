//! People who sign in at an issuer of their lab, by OpenID Connect's authorization code flow with PKCE, and get a session.
//!
//! What an answer of the issuer is bound to (state, nonce, the code's verifier) is kept in a cookie of the browser that
//! asked, so that any server may answer. It needs neither a signature nor secrecy: whoever changes their own only fails to
//! sign in. Roles follow from what the issuer says of a person ([`RoleRules`]), anew at each sign-in.

mod claims;
mod provider;
mod signature;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::extract::Query;
use super::gate::{Authentication, actor_called, cookie_of};
use super::secret::Secret;
use super::session::{self, LASTS};
use super::types::SessionOptions;
use super::{App, Cause, Problem};
use crate::store::access::{NewToken, Person, Roles};

pub use claims::{RoleRule, RoleRules};
pub use provider::{Client, ClientError, Provider};

use provider::{Binding, ProviderError};

/// The cookie of a sign-in under way, and how many seconds it may take.
const COOKIE: &str = "tellus_sign_in";
const MAX_SECONDS: i64 = 600;
const COOKIE_PATH: &str = "/v1/sign-in";

/// How people sign in.
pub struct SignIn {
    /// Where.
    pub provider: Provider,
    /// What they may do then.
    pub rules: RoleRules,
}

/// Why a sign-in came to nothing, as the dashboard's page is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// It took too long, or began in another browser.
    Expired,
    /// The person, or the issuer, said no.
    Refused,
    /// No role follows from what the issuer says.
    NoRole,
    /// The issuer or the database cannot be reached.
    Unavailable,
}

impl Refusal {
    fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::NoRole => "no-role",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The routes, which are for browsers alone: they are not in the document, and open to everybody like the dashboard's files.
pub(super) fn serve() -> Router<App> {
    Router::new().route("/v1/sign-in", get(sign_in)).route("/v1/sign-in/callback", get(sign_in_callback))
}

/// Where somebody wants to be once they are signed in.
#[derive(Deserialize)]
struct SignInQuery {
    /// A path of this server; anything else is the dashboard's start.
    to: Option<String>,
}

/// What an issuer answers with. Others than these are passed over: issuers add their own.
#[derive(Deserialize)]
struct CallbackQuery {
    /// What becomes an ID token.
    code: Option<String>,
    /// What the browser was sent to the issuer with.
    state: Option<String>,
    /// The issuer.
    iss: Option<String>,
    /// Why there is no code, and the same in words.
    error: Option<String>,
    error_description: Option<String>,
}

/// How a session can begin
#[utoipa::path(get, path = "/v1/session", operation_id = "get_session_options", tag = "access",
    responses((status = 200, description = "The ways", body = SessionOptions)))]
pub(super) async fn get_session_options(State(app): State<App>) -> axum::Json<SessionOptions> {
    axum::Json(SessionOptions {
        token: app.admission.authentication == Authentication::Tokens,
        issuer: app.sign_in.as_ref().map(|sign_in| sign_in.provider.name().to_owned()),
    })
}

/// Sends a browser to the issuer, which sends it back to the callback; or back to the dashboard with `?sign_in=unavailable`.
async fn sign_in(State(app): State<App>, Query(query): Query<SignInQuery>) -> Result<Response, Problem> {
    let sign_in = configured(&app)?;
    let to = query.to.filter(|to| is_local(to)).unwrap_or_else(|| "/".to_owned());
    let attempt = Attempt::draw(to)?;
    let challenge = attempt.challenge();
    let binding = Binding { state: &attempt.state, nonce: &attempt.nonce, challenge: &challenge };
    match sign_in.provider.authorization_url(&binding).await {
        Ok(url) => {
            let cookie = cookie(&attempt.written(), MAX_SECONDS, sign_in.provider.is_secure());
            Ok(see_other(&url, vec![cookie]))
        }
        Err(error) => Ok(refused(sign_in, refusal_of(&error))),
    }
}

/// A browser comes back from the issuer: begins a session and sends it on to where it wanted to be, or to the dashboard with
/// `?sign_in=` and the reason why not.
async fn sign_in_callback(
    State(app): State<App>,
    parts: Parts,
    Query(query): Query<CallbackQuery>,
) -> Result<Response, Problem> {
    let sign_in = configured(&app)?;
    match finish(&app, sign_in, &parts, &query).await {
        Ok((to, session)) => {
            let over = cookie("", 0, sign_in.provider.is_secure());
            Ok(see_other(&to, vec![session, over]))
        }
        Err(refusal) => Ok(refused(sign_in, refusal)),
    }
}

/// Signs somebody in. Returns where they wanted to be, and the cookie of their session.
async fn finish(
    app: &App,
    sign_in: &SignIn,
    parts: &Parts,
    query: &CallbackQuery,
) -> Result<(String, String), Refusal> {
    let provider = &sign_in.provider;
    let attempt = Attempt::read(&parts.headers).ok_or(Refusal::Expired)?;
    if query.state.as_deref() != Some(attempt.state.as_str()) {
        return Err(Refusal::Expired);
    }
    // RFC 9207: an answer of another issuer is none.
    if query.iss.as_deref().is_some_and(|issuer| issuer != provider.issuer()) {
        tracing::warn!(issuer = query.iss, "a sign-in was answered by another issuer");
        return Err(Refusal::Refused);
    }
    let Some(code) = query.code.as_deref().filter(|_| query.error.is_none()) else {
        tracing::info!(error = query.error, reason = query.error_description, "a sign-in was refused");
        return Err(Refusal::Refused);
    };
    let claims =
        provider.redeem(code, &attempt.verifier, &attempt.nonce).await.map_err(|error| refusal_of(&error))?;
    let subject = claims::subject(&claims).ok_or(Refusal::Refused)?;
    let name = claims::name(&claims);
    let roles = sign_in.rules.roles(&claims);
    if roles.0.is_empty() {
        tracing::info!(subject, name, "somebody who signed in has no role");
        return Err(Refusal::NoRole);
    }
    let person = Person { issuer: provider.issuer().to_owned(), subject: subject.to_owned() };
    begin_session(app, parts, person, name, roles).await.map(|secret| {
        let session = session::cookie_text(&secret, LASTS.num_seconds(), provider.is_secure());
        (attempt.to, session)
    })
}

async fn begin_session(
    app: &App,
    parts: &Parts,
    person: Person,
    name: String,
    roles: Roles,
) -> Result<String, Refusal> {
    let unavailable = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "a session could not begin");
        Refusal::Unavailable
    };
    let secret = Secret::draw().map_err(|error| unavailable(&error))?;
    let service = app.service.by(actor_called(app, name.clone(), parts));
    let session = NewToken {
        name,
        prefix: secret.prefix,
        hash: secret.hash,
        roles,
        expires_at: Utc::now().checked_add_signed(LASTS),
        parent: None,
    };
    service.store().sign_in(person, session).await.map_err(|error| unavailable(&error))?;
    Ok(secret.token)
}

fn configured(app: &App) -> Result<&Arc<SignIn>, Problem> {
    app.sign_in.as_ref().ok_or_else(|| {
        Problem::new(Cause::NotFound, "nobody signs in here: the server was started without --oidc-issuer")
    })
}

fn refusal_of(error: &ProviderError) -> Refusal {
    tracing::warn!(%error, "a sign-in failed");
    match error {
        ProviderError::Unavailable { .. } | ProviderError::Busy => Refusal::Unavailable,
        ProviderError::Code(_) | ProviderError::Claims(_) | ProviderError::Subject => Refusal::Refused,
    }
}

fn refused(sign_in: &SignIn, refusal: Refusal) -> Response {
    let over = cookie("", 0, sign_in.provider.is_secure());
    see_other(&format!("/?sign_in={}", refusal.name()), vec![over])
}

fn see_other(to: &str, cookies: Vec<String>) -> Response {
    let cookies = AppendHeaders(cookies.into_iter().map(|cookie| (SET_COOKIE, cookie)));
    (StatusCode::SEE_OTHER, [(LOCATION, to), (CACHE_CONTROL, "no-store")], cookies).into_response()
}

/// Whether this is a place of this server, wherever a browser looks it up: a path, not the start of another host.
fn is_local(to: &str) -> bool {
    let is_plain = |character: char| character.is_ascii_graphic() && character != '\\';
    to.starts_with('/') && !to.starts_with("//") && to.len() <= 2000 && to.chars().all(is_plain)
}

/// A sign-in under way.
struct Attempt {
    state: String,
    nonce: String,
    verifier: String,
    to: String,
}

impl Attempt {
    fn draw(to: String) -> Result<Self, Problem> {
        let draw = || {
            let mut bytes = [0; 32];
            let drawn = getrandom::fill(&mut bytes);
            drawn
                .map(|()| URL_SAFE_NO_PAD.encode(bytes))
                .map_err(|error| Problem::new(Cause::Unavailable, error.to_string()))
        };
        Ok(Self { state: draw()?, nonce: draw()?, verifier: draw()?, to })
    }

    /// What proves later that the code was asked for here (RFC 7636, section 4.2).
    fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier))
    }

    fn written(&self) -> String {
        let to = URL_SAFE_NO_PAD.encode(&self.to);
        [&self.state, &self.nonce, &self.verifier, &to].map(String::as_str).join(".")
    }

    /// The one that a browser's cookie tells of.
    fn read(headers: &HeaderMap) -> Option<Self> {
        let mut parts = cookie_of(headers, COOKIE)?.split('.').map(ToOwned::to_owned);
        let (state, nonce, verifier) = (parts.next()?, parts.next()?, parts.next()?);
        let to = String::from_utf8(URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?;
        let is_whole = parts.next().is_none() && is_local(&to) && !state.is_empty() && !nonce.is_empty();
        is_whole.then_some(Self { state, nonce, verifier, to })
    }
}

/// The issuer's answer is a visit from another site: `Lax`, or the browser would keep it back.
fn cookie(value: &str, seconds: i64, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; HttpOnly; SameSite=Lax; Path={COOKIE_PATH}; Max-Age={seconds}{secure}")
}

#[cfg(test)]
mod tests {
    use axum::http::header::COOKIE as HEADER;

    use super::*;

    #[test]
    fn only_places_of_this_server_are_gone_to() {
        for local in ["/", "/studies/1?view=model#top", "/a//b"] {
            assert!(is_local(local), "{local}");
        }
        for other in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "studies",
            "/a\nb",
            "/\t/evil.example",
        ] {
            assert!(!is_local(other), "{other:?}");
        }
    }

    #[test]
    fn a_sign_in_is_read_back_from_its_cookie_alone() {
        let headers = |cookie: &str| HeaderMap::from_iter([(HEADER, cookie.parse().unwrap())]);
        let attempt = Attempt::draw("/studies?view=1".to_owned()).unwrap();
        let read = Attempt::read(&headers(&format!("a=b; {COOKIE}={}", attempt.written()))).unwrap();
        assert_eq!(
            (&read.state, &read.nonce, &read.verifier, &read.to),
            (&attempt.state, &attempt.nonce, &attempt.verifier, &attempt.to)
        );
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        assert_eq!(
            Attempt { verifier, ..attempt }.challenge(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
        let elsewhere = URL_SAFE_NO_PAD.encode("//evil.example");
        for broken in ["", "x", "a.b.c", &format!("a.b.c.{elsewhere}"), "a.b.c.Lw.e", ".b.c.Lw"] {
            assert!(Attempt::read(&headers(&format!("{COOKIE}={broken}"))).is_none(), "{broken}");
        }
    }
}
