//! Tokens: made by who owns the projects they are for, shown once, revoked.

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use chrono::Utc;
use uuid::Uuid;

use super::caller::Caller;
use super::extract::{Body, Query};
use super::problem::{ProblemDocument, into_response};
use super::secret::Secret;
use super::studies::{bad_cursor, json_answer, page};
use super::types::{NewTokenAnswer, Token, TokenList, TokenRequest, TokensQuery, read_roles};
use super::{App, Cause, Problem};
use crate::space::Fault;
use crate::store::access::{EVERY_PROJECT, NewToken, Role, Roles, TokenRecord};
use crate::store::{Cursor, Store, StoreError};

/// Longest name.
const MAX_NAME: usize = 200;

/// The token that a path names.
pub(super) struct TokenPath(Uuid);

impl<S: Send + Sync> FromRequestParts<S> for TokenPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // /v1/tokens/{token}
        let id = parts.uri.path().split('/').nth(3).and_then(|id| Uuid::try_parse(id).ok());
        id.map(Self).ok_or_else(|| Problem::new(Cause::NotFound, "there is no such token: its id is a UUID"))
    }
}

/// What a caller may do with tokens of a project, or of every one.
fn role(caller: &Caller, project: &str) -> Option<Role> {
    match project {
        EVERY_PROJECT => caller.projects(Role::Admin).is_none().then_some(Role::Admin),
        _ => caller.role(project),
    }
}

fn owns(caller: &Caller, project: &str) -> bool {
    role(caller, project) >= Some(Role::Owner)
}

/// A token as the caller sees it: without roles in projects that they do not own.
fn seen(caller: &Caller, record: &TokenRecord) -> Token {
    Token::of(record, |project| owns(caller, project))
}

fn with_authentication(caller: &Caller) -> Result<(), Problem> {
    if caller.token().is_some() {
        return Ok(());
    }
    let detail = "this server is without authentication, and takes no tokens; start it with --auth";
    Err(Problem::new(Cause::Forbidden, detail))
}

/// Make a token
///
/// For owners of every project that it has a role in; for admins, where it has one in every project. It is shown in this
/// answer and never again.
#[utoipa::path(post, path = "/v1/tokens", operation_id = "create_token", tag = "access",
    request_body = TokenRequest,
    responses(
        (status = 201, description = "It is made, and shown this once", body = NewTokenAnswer, headers(("Location" = String, description = "Its path"))),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn create_token(
    State(app): State<App>,
    caller: Caller,
    body: Body<TokenRequest>,
) -> Result<Response, Problem> {
    with_authentication(&caller)?;
    let request = body.value;
    let mut faults = Vec::new();
    let length = request.name.chars().count();
    if length == 0 || length > MAX_NAME || request.name.chars().any(char::is_control) {
        let detail = format!("name has 1 to {MAX_NAME} characters, none of them a control character");
        faults.push(Fault::new("/name", detail));
    }
    if request.expires_at.is_some_and(|end| end <= Utc::now()) {
        faults.push(Fault::new("/expires_at", "a token expires in the future"));
    }
    let roles = read_roles(&request.roles).unwrap_or_else(|found| {
        faults.extend(found);
        Roles::default()
    });
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let service = app.by(&caller);
    for project in roles.0.keys() {
        if role(&caller, project).is_none() && project != EVERY_PROJECT {
            return Err(StoreError::NoProject(project.clone()).into());
        }
        if !owns(&caller, project) {
            let detail = format!("only an owner of {project:?} makes tokens for it");
            return Err(Problem::new(Cause::Forbidden, detail));
        }
        if project != EVERY_PROJECT {
            service.store().project(project).await?;
        }
    }
    let secret = Secret::draw().map_err(|error| Problem::new(Cause::Unavailable, error.to_string()))?;
    let new = NewToken {
        name: request.name,
        prefix: secret.prefix,
        hash: secret.hash,
        roles,
        expires_at: request.expires_at,
        parent: None,
    };
    let record = service.store().create_token(new).await?;
    let answer = NewTokenAnswer { secret: secret.token, token: seen(&caller, &record) };
    Ok(into_response(json_answer(201, Some(format!("/v1/tokens/{}", record.id)), &answer)))
}

/// List the tokens of the projects that the caller owns
#[utoipa::path(get, path = "/v1/tokens", operation_id = "list_tokens", tag = "access",
    params(TokensQuery),
    responses(
        (status = 200, description = "A page of tokens", body = TokenList),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn list_tokens(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<TokensQuery>,
) -> Result<axum::Json<TokenList>, Problem> {
    with_authentication(&caller)?;
    let cursor = match query.cursor {
        None => None,
        Some(text) => Some(Cursor::Id(Uuid::try_parse(&text).map_err(|_| bad_cursor())?)),
    };
    let among = match query.project {
        None => caller.projects(Role::Owner),
        Some(project) => {
            caller.require(&project, Role::Owner)?;
            Some(vec![project])
        }
    };
    if among.as_ref().is_some_and(Vec::is_empty) {
        return Err(Problem::new(Cause::Forbidden, "only an owner of a project sees its tokens"));
    }
    let page = page(cursor, query.limit, query.order.as_deref())?;
    let records = app.service.store().tokens(among.as_deref(), &page).await?;
    let is_full = records.len() == page.limit as usize;
    let next_cursor = records.last().filter(|_| is_full).map(|record| record.id.to_string());
    let tokens = records.iter().map(|record| seen(&caller, record)).collect();
    Ok(axum::Json(TokenList { tokens, next_cursor }))
}

/// Read the token that came with the request
#[utoipa::path(get, path = "/v1/tokens/self", operation_id = "get_own_token", tag = "access",
    responses(
        (status = 200, description = "The token", body = Token),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn get_own_token(caller: Caller) -> Result<axum::Json<Token>, Problem> {
    with_authentication(&caller)?;
    let detail = "send a token: Authorization: Bearer tellus_…";
    let record = caller.token().ok_or_else(|| Problem::new(Cause::Unauthorized, detail))?;
    Ok(axum::Json(Token::of(record, |_| true)))
}

/// A token that the caller may know of.
async fn known(store: &dyn Store, caller: &Caller, id: Uuid) -> Result<TokenRecord, Problem> {
    with_authentication(caller)?;
    let record = store.token(id).await?;
    if record.roles.0.keys().any(|project| owns(caller, project)) || caller.projects(Role::Admin).is_none() {
        Ok(record)
    } else {
        Err(StoreError::NoToken(id).into())
    }
}

/// Read a token of a project that the caller owns
#[utoipa::path(get, path = "/v1/tokens/{token}", operation_id = "get_token", tag = "access",
    params(("token" = Uuid, Path, description = "Its id")),
    responses(
        (status = 200, description = "The token", body = Token),
        (status = 404, description = "There is no such token", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn get_token(
    State(app): State<App>,
    caller: Caller,
    TokenPath(id): TokenPath,
) -> Result<axum::Json<Token>, Problem> {
    let record = known(app.service.store().as_ref(), &caller, id).await?;
    Ok(axum::Json(seen(&caller, &record)))
}

/// Revoke a token
///
/// For owners of every project that it has a role in. This server refuses it at once, others within two seconds.
#[utoipa::path(delete, path = "/v1/tokens/{token}", operation_id = "revoke_token", tag = "access",
    params(("token" = Uuid, Path, description = "Its id")),
    responses(
        (status = 204, description = "It is revoked"),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn revoke_token(
    State(app): State<App>,
    caller: Caller,
    TokenPath(id): TokenPath,
) -> Result<StatusCode, Problem> {
    let service = app.by(&caller);
    let record = known(service.store().as_ref(), &caller, id).await?;
    if !record.roles.0.keys().all(|project| owns(&caller, project)) {
        let detail = "the token has roles in projects that you do not own; an admin may revoke it";
        return Err(Problem::new(Cause::Forbidden, detail));
    }
    service.store().revoke_token(id).await?;
    app.remembered.forget(id);
    Ok(StatusCode::NO_CONTENT)
}
