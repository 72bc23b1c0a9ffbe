//! Who asks, and whether they may: every route of the document passes here before anything is read of its body.
//!
//! With `--auth` a request carries a token, and what it may do follows from the token's role in the project that the
//! path belongs to. A study or network of a project where it has no role is answered as one that is not there. Routes
//! that name no project check what they are given by [`Caller`]. A route that is not known here is for admins.
//!
//! Without `--auth` everybody is an owner of the project `default`, the only one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{App, Cause, Problem};
use crate::store::StoreError;
use crate::store::access::{Actor, DEFAULT_PROJECT, EVERY_PROJECT, Role, Roles, TokenRecord};
use crate::study::{NetworkId, StudyId};

/// What every token begins with, so that scanners of code and logs find those that leaked.
const TOKEN_PREFIX: &str = "tellus_";
/// The cookie of a session.
pub(super) const SESSION_COOKIE: &str = "tellus_session";
/// How many characters of a token are kept and shown.
const SHOWN: usize = TOKEN_PREFIX.len() + 8;
/// Hexadecimal digits behind the prefix: 256 bits.
const DIGITS: usize = 64;
/// How long a token that was looked up is not looked up again, so that it takes so long until all servers refuse one
/// that was revoked through another.
const REMEMBERED: Duration = Duration::from_secs(2);
/// How many tokens are remembered.
const CAPACITY: usize = 4096;

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

/// A new token: what its owner is told once, and what is kept of it.
pub struct Secret {
    /// The token.
    pub token: String,
    /// Its first characters.
    pub prefix: String,
    /// SHA-256 of the whole. It has 256 random bits, so that nothing slower is needed.
    pub hash: [u8; 32],
}

impl Secret {
    /// Draws one from the operating system's randomness.
    ///
    /// # Errors
    /// Where the operating system has none.
    pub fn draw() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; DIGITS / 2];
        getrandom::fill(&mut bytes)?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let token = format!("{TOKEN_PREFIX}{digits}");
        let prefix = token.chars().take(SHOWN).collect();
        let hash = Sha256::digest(&token).into();
        Ok(Self { token, prefix, hash })
    }
}

/// Tokens that were looked up a moment ago.
#[derive(Default)]
pub(super) struct Remembered(Mutex<HashMap<[u8; 32], (Instant, Arc<TokenRecord>)>>);

impl Remembered {
    fn get(&self, hash: &[u8; 32]) -> Option<Arc<TokenRecord>> {
        let tokens = self.locked();
        let (at, token) = tokens.get(hash)?;
        (at.elapsed() < REMEMBERED).then(|| Arc::clone(token))
    }

    fn put(&self, hash: [u8; 32], token: Arc<TokenRecord>) {
        let mut tokens = self.locked();
        if tokens.len() >= CAPACITY {
            tokens.retain(|_, (at, _)| at.elapsed() < REMEMBERED);
        }
        if tokens.len() < CAPACITY {
            tokens.insert(hash, (Instant::now(), token));
        }
    }

    /// A token that was revoked here is refused here at once.
    pub(super) fn forget(&self, id: Uuid) {
        self.locked().retain(|_, (_, token)| token.id != id && token.parent != Some(id));
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<[u8; 32], (Instant, Arc<TokenRecord>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who asks.
#[derive(Clone)]
pub(super) struct Caller {
    roles: Arc<Roles>,
    /// What the log says of them; nothing is logged where nobody says who they are.
    actor: Option<Actor>,
    token: Option<Arc<TokenRecord>>,
    /// The project that the path belongs to.
    project: Option<String>,
}

impl Caller {
    fn anybody() -> Self {
        let roles = Roles([(DEFAULT_PROJECT.to_owned(), Role::Owner)].into());
        Self { roles: Arc::new(roles), actor: None, token: None, project: None }
    }

    /// Who makes changes, where they are logged.
    pub(super) fn actor(&self) -> Option<&Actor> {
        self.actor.as_ref()
    }

    /// The token that came with the request.
    pub(super) fn token(&self) -> Option<&Arc<TokenRecord>> {
        self.token.as_ref()
    }

    /// The project that the path belongs to; where it belongs to none, the one that is meant where none is named.
    pub(super) fn project(&self) -> String {
        self.project.clone().unwrap_or_else(|| self.own_project())
    }

    /// The project that is meant where none is named: the only one where the caller has a role, or `default`.
    pub(super) fn own_project(&self) -> String {
        self.only_project().map_or_else(|| DEFAULT_PROJECT.to_owned(), Clone::clone)
    }

    fn only_project(&self) -> Option<&String> {
        let mut projects = self.roles.0.keys();
        projects.next().filter(|one| projects.next().is_none() && *one != EVERY_PROJECT)
    }

    /// What the caller may do in a project.
    pub(super) fn role(&self, project: &str) -> Option<Role> {
        self.roles.of(project)
    }

    /// The projects where the caller has at least this role; `None`: all, also those to come.
    pub(super) fn projects(&self, least: Role) -> Option<Vec<String>> {
        if self.roles.everywhere() >= Some(least) {
            return None;
        }
        let enough = self.roles.0.iter().filter(|(_, role)| **role >= least);
        Some(enough.map(|(project, _)| project.clone()).collect())
    }

    /// Checks that the caller may do something in a project.
    ///
    /// # Errors
    /// [`Cause::NotFound`] where the caller has no role there, [`Cause::Forbidden`] where it is too weak.
    pub(super) fn require(&self, project: &str, least: Role) -> Result<(), Problem> {
        match self.roles.of(project) {
            None => Err(StoreError::NoProject(project.to_owned()).into()),
            Some(role) if role < least => Err(too_weak(role, least)),
            Some(_) => Ok(()),
        }
    }

    /// Checks that the caller may do something everywhere.
    ///
    /// # Errors
    /// [`Cause::Forbidden`] where they may not.
    pub(super) fn require_everywhere(&self, least: Role) -> Result<(), Problem> {
        match self.roles.everywhere() {
            Some(role) if role >= least => Ok(()),
            _ if self.token.is_none() => Err(Problem::new(
                Cause::Forbidden,
                "this server is without authentication, and has one project; start it with --auth for more",
            )),
            _ => Err(Problem::new(
                Cause::Forbidden,
                format!("this needs a token with the role {} in every project (\"*\")", least.name()),
            )),
        }
    }
}

fn too_weak(role: Role, least: Role) -> Problem {
    let detail = format!(
        "this needs the role {} in the project, and the token has the role {}",
        least.name(),
        role.name()
    );
    Problem::new(Cause::Forbidden, detail)
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // A route outside the gate knows nobody.
        parts.extensions.get::<Self>().cloned().ok_or_else(unknown)
    }
}

fn unknown() -> Problem {
    Problem::new(Cause::Unauthorized, "send a token: Authorization: Bearer tellus_…")
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
            let session = session_of(headers).ok_or_else(unknown)?;
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
    let is_token = token.strip_prefix(TOKEN_PREFIX).is_some_and(|digits| digits.len() == DIGITS);
    if !is_token {
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

/// What the cookie of a session holds.
fn session_of(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    cookies
        .flat_map(|cookies| cookies.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix(SESSION_COOKIE)?.strip_prefix('='))
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
    Actor {
        token: Some(token.id),
        who: token.name.clone(),
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
    fn roles_hold_where_they_are_given_and_the_stronger_counts() {
        let roles = Roles([("a".to_owned(), Role::Owner), (EVERY_PROJECT.to_owned(), Role::Viewer)].into());
        assert_eq!(roles.of("a"), Some(Role::Owner));
        assert_eq!(roles.of("b"), Some(Role::Viewer));
        let some = Caller { roles: Arc::new(roles), ..Caller::anybody() };
        assert_eq!(some.projects(Role::Viewer), None);
        assert_eq!(some.projects(Role::Owner), Some(vec!["a".to_owned()]));
        assert!(some.require("b", Role::Experimenter).is_err());
        assert_eq!(Caller::anybody().require("b", Role::Viewer).unwrap_err().status(), 404);
    }

    #[test]
    fn a_session_is_used_by_the_servers_own_pages() {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
        };
        let cookies = headers(&[("cookie", "a=b; tellus_session=tellus_1; c=d")]);
        assert_eq!(session_of(&cookies), Some("tellus_1"));
        assert_eq!(session_of(&headers(&[("cookie", "tellus_session2=x; xtellus_session=y")])), None);
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

    #[test]
    fn tokens_differ_and_are_recognized_by_what_is_kept() {
        let [one, two] = [(); 2].map(|()| Secret::draw().unwrap());
        assert_ne!(one.token, two.token);
        assert_eq!(one.token.len(), TOKEN_PREFIX.len() + DIGITS);
        assert!(one.token.starts_with(&one.prefix) && one.prefix.len() == SHOWN);
        assert_eq!(one.hash, <[u8; 32]>::from(Sha256::digest(&one.token)));
    }
}
