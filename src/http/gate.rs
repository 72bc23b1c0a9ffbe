//! Who asks, and whether they may: every route of the document passes here before anything is read of its body.
//!
//! With `--auth` a request carries a token, and what it may do follows from the token's role in the project that the
//! path belongs to. A study or network of a project where it has no role is answered as one that is not there. Routes
//! that name no project check what they are given by [`Caller`]. A route that is not known here is for admins.
//!
//! Without `--auth` everybody is an owner of the project `default`, the only one.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::caller::{Caller, too_weak, unknown};
use super::secret::is_token;
use super::{App, Cause, Problem};
use crate::store::StoreError;
use crate::store::access::{Actor, Role, TokenRecord};
use crate::study::{NetworkId, StudyId};

/// The cookie of a session.
pub(super) const SESSION_COOKIE: &str = "tellus_session";

/// Whether requests carry tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Everybody who reaches the server may do everything in the project `default`.
    #[default]
    None,
    /// Requests carry tokens.
    Tokens,
}

/// Whose word is taken for where a request comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The connection's.
    #[default]
    Connection,
    /// That of the proxy in front: the last address of `X-Forwarded-For`.
    Proxy,
}

/// How requests are let in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Admission {
    /// Whether they carry tokens.
    pub authentication: Authentication,
    /// Whose word is taken for where they come from.
    pub origin: Origin,
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// Nothing at all.
    Nothing,
    /// A token; the handler checks the rest.
    Token,
    /// A role in the project of the study in the path.
    Study(Role),
    /// A role in the project of the network in the path.
    Network(Role),
    /// A role in the project in the path; the handler checks the rest.
    Project,
    /// A role in every project.
    Everywhere(Role),
}

fn need(method: &Method, route: &str) -> Need {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let deletes = *method == Method::DELETE;
    match route {
        "/healthz" | "/readyz" => Need::Nothing,
        "/metrics" => Need::Everywhere(Role::Viewer),
        "/v1/studies/{study}" | "/v1/networks/{network}" if deletes => at(route, Role::Owner),
        "/v1/studies/{study}/predict" => at(route, Role::Viewer),
        "/v1/studies" | "/v1/studies/check" | "/v1/networks" | "/v1/algorithms" | "/v1/projects"
        | "/v1/tokens" | "/v1/tokens/self" | "/v1/tokens/{token}" | "/v1/audit" | "/v1/export"
        | "/v1/import" => Need::Token,
        "/v1/projects/{project}" => Need::Project,
        "/v1/session" if deletes => Need::Token,
        "/v1/session" => Need::Nothing,
        _ if reads => at(route, Role::Viewer),
        _ => at(route, Role::Experimenter),
    }
}

fn at(route: &str, role: Role) -> Need {
    let begins = |with: &str| route == with || route.starts_with(&format!("{with}/"));
    if begins("/v1/studies/{study}") {
        Need::Study(role)
    } else if begins("/v1/networks/{network}") {
        Need::Network(role)
    } else {
        Need::Everywhere(Role::Admin)
    }
}

/// Lets a request through with the [`Caller`] that it comes from, or refuses it.
pub(super) async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let route = parts.extensions.get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let need = need(&parts.method, route.as_deref().unwrap_or_default());
    if need == Need::Nothing {
        parts.extensions.insert(Caller::anybody());
        return next.run(Request::from_parts(parts, body)).await;
    }
    match check(&app, &parts, need).await {
        Ok(caller) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn check(app: &App, request: &Parts, need: Need) -> Result<Caller, Problem> {
    let mut caller = identify(app, request).await?;
    // The third part of the path is the id; one that is none is the handler's to refuse.
    let id = request.uri.path().split('/').nth(3).and_then(|id| Uuid::try_parse(id).ok());
    let store = app.service.store();
    match (need, id) {
        (Need::Study(least), Some(id)) => {
            let id = StudyId(id);
            let definition = store.definition(id).await?;
            let project = &definition.draft().project;
            match caller.role(project) {
                None => return Err(StoreError::NoStudy(id).into()),
                Some(role) if role < least => return Err(too_weak(role, least)),
                Some(_) => caller.project = Some(project.clone()),
            }
        }
        (Need::Project, _) => {
            // Names are written as they are: one that is escaped is none.
            let project = request.uri.path().split('/').nth(3).unwrap_or_default();
            caller.require(project, Role::Viewer)?;
            caller.project = Some(project.to_owned());
        }
        (Need::Network(least), Some(id)) => {
            let id = NetworkId(id);
            let project = store.network(id).await?.project;
            match caller.role(&project) {
                None => return Err(StoreError::NoNetwork(id).into()),
                Some(role) if role < least => return Err(too_weak(role, least)),
                Some(_) => caller.project = Some(project),
            }
        }
        // What is everybody's where nobody says who they are.
        (Need::Everywhere(_), _) if app.admission.authentication == Authentication::None => {}
        (Need::Everywhere(least), _) => caller.require_everywhere(least)?,
        _ => {}
    }
    if let Some(project) = caller.project.as_ref().or_else(|| caller.only_project()) {
        let is_ask = request.uri.path().ends_with("/ask");
        app.rates.admit(store.as_ref(), project, is_ask).await?;
    }
    Ok(caller)
}

async fn identify(app: &App, request: &Parts) -> Result<Caller, Problem> {
    if app.admission.authentication == Authentication::None {
        return Ok(Caller::anybody());
    }
    let headers = &request.headers;
    let token = match headers.get(header::AUTHORIZATION) {
        Some(given) => given
            .to_str()
            .ok()
            .and_then(|given| given.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(unknown)?,
        None => {
            let session = cookie_of(headers, SESSION_COOKIE).ok_or_else(unknown)?;
            // A browser sends the cookie whoever's page makes the request.
            if !matches!(request.method, Method::GET | Method::HEAD) {
                same_origin(headers)?;
            }
            session
        }
    };
    let record = look_up(app, token).await?;
    let actor = Actor {
        token: Some(record.parent.unwrap_or(record.id)),
        who: record.name.clone(),
        address: address(app.admission.origin, headers, &request.extensions),
        request_id: text(headers, "x-request-id"),
    };
    let roles = Arc::new(record.roles.clone());
    Ok(Caller { roles, actor: Some(actor), token: Some(record), project: None })
}

/// The token of this text, if it may be used.
pub(super) async fn look_up(app: &App, token: &str) -> Result<Arc<TokenRecord>, Problem> {
    let wrong = || Problem::new(Cause::Unauthorized, "the token is not known, has expired, or was revoked");
    if !is_token(token) {
        return Err(wrong());
    }
    let hash: [u8; 32] = Sha256::digest(token).into();
    if let Some(record) = app.remembered.get(&hash) {
        return Ok(record);
    }
    let record = Arc::new(app.service.store().use_token(&hash).await?.ok_or_else(wrong)?);
    app.remembered.put(hash, Arc::clone(&record));
    Ok(record)
}

/// What the cookie of this name holds.
pub(super) fn cookie_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    cookies
        .flat_map(|cookies| cookies.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Checks that a request comes from a page of this server: by what the browser says of it, or, where it says nothing, by
/// the page's origin.
///
/// # Errors
/// [`Cause::Forbidden`] where it comes from another page, or nothing says where from.
pub(super) fn same_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let says = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_same = match (says("sec-fetch-site"), says("origin"), says("host")) {
        (Some(site), _, _) => site == "same-origin",
        (None, Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, named)| named.eq_ignore_ascii_case(host))
        }
        _ => false,
    };
    if is_same {
        return Ok(());
    }
    Err(Problem::new(Cause::Forbidden, "a session's requests come from this server's own pages alone"))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(ToOwned::to_owned)
}

/// Who begins a session with this token, for the log.
pub(super) fn actor_of(app: &App, token: &TokenRecord, parts: &Parts) -> Actor {
    Actor { token: Some(token.id), ..actor_called(app, token.name.clone(), parts) }
}

/// Somebody of this name who begins a session, for the log.
pub(super) fn actor_called(app: &App, who: String, parts: &Parts) -> Actor {
    Actor {
        token: None,
        who,
        address: address(app.admission.origin, &parts.headers, &parts.extensions),
        request_id: text(&parts.headers, "x-request-id"),
    }
}

/// Where a request comes from.
fn address(origin: Origin, headers: &HeaderMap, extensions: &Extensions) -> Option<String> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_string());
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
    let forwarded = forwarded
        .and_then(|list| list.to_str().ok()?.rsplit(',').next()?.trim().parse::<std::net::IpAddr>().ok());
    match (origin, forwarded) {
        (Origin::Proxy, Some(forwarded)) => Some(forwarded.to_string()),
        _ => peer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_for_admins() {
        assert_eq!(need(&Method::GET, "/v2/anything"), Need::Everywhere(Role::Admin));
        assert_eq!(need(&Method::GET, ""), Need::Everywhere(Role::Admin));
        assert_eq!(need(&Method::GET, "/v1/studies/{study}/to-come"), Need::Study(Role::Viewer));
        assert_eq!(need(&Method::PUT, "/v1/studies/{study}/to-come"), Need::Study(Role::Experimenter));
        assert_eq!(need(&Method::DELETE, "/v1/studies/{study}"), Need::Study(Role::Owner));
        assert_eq!(need(&Method::DELETE, "/v1/studies/{study}/solve"), Need::Study(Role::Experimenter));
    }

    #[test]
    fn a_session_is_used_by_the_servers_own_pages() {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
        };
        let cookies = headers(&[("cookie", "a=b; tellus_session=tellus_1; c=d")]);
        assert_eq!(cookie_of(&cookies, SESSION_COOKIE), Some("tellus_1"));
        let others = headers(&[("cookie", "tellus_session2=x; xtellus_session=y")]);
        assert_eq!(cookie_of(&others, SESSION_COOKIE), None);
        assert!(same_origin(&headers(&[("sec-fetch-site", "same-origin")])).is_ok());
        assert!(same_origin(&headers(&[("origin", "https://lab:8080"), ("host", "lab:8080")])).is_ok());
        for refused in [
            &[("sec-fetch-site", "cross-site"), ("origin", "https://lab"), ("host", "lab")][..],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "https://evil"), ("host", "lab")],
            &[("origin", "null"), ("host", "lab")],
            &[("host", "lab")],
        ] {
            assert!(same_origin(&headers(refused)).is_err(), "{refused:?}");
        }
    }
}
