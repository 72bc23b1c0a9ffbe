//! Networks: upload, list, read, delete; and solves through them.

use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::caller::Caller;
use super::extract::{Body, Query, StudyPath};
use super::idempotency::once;
use super::problem::{ProblemDocument, into_response};
use super::studies::{bad_cursor, json_answer, page};
use super::types::{Network, NetworkList, NetworkUploadQuery, NetworksQuery, Solve, SolveRequest};
use super::{App, Cause, Problem};
use crate::service::NetworkError;
use crate::space::Fault;
use crate::store::access::Role;
use crate::store::{Cursor, Keyed, Solve as StoredSolve, StoreError};
use crate::study::{Evaluate, NetworkId};

/// Largest ONNX file that is accepted.
pub(super) const MAX_NETWORK_BYTES: usize = 64 << 20;
/// Most evaluations of one solve.
const MAX_EVALUATIONS: u64 = 1_000_000;
/// Longest name.
const MAX_NAME: usize = 200;

/// The network that a path names.
pub(super) struct NetworkPath(NetworkId);

impl<S: Send + Sync> FromRequestParts<S> for NetworkPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // /v1/networks/{network}
        let id = parts.uri.path().split('/').nth(3).and_then(|id| Uuid::try_parse(id).ok());
        id.map(|id| Self(NetworkId(id)))
            .ok_or_else(|| Problem::new(Cause::NotFound, "there is no such network: its id is a UUID"))
    }
}

/// Upload a network
///
/// The body is an ONNX file as PyTorch, scikit-learn or Keras exporters write it, of at most 64 MiB, with everything in
/// one file. It is read, checked and tried; what is wrong is named with its operator and node.
#[utoipa::path(post, path = "/v1/networks", operation_id = "create_network", tag = "networks",
    params(NetworkUploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "It is kept", body = Network, headers(("Location" = String, description = "Its path"))),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn create_network(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<NetworkUploadQuery>,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Problem> {
    let onnx = body.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(Cause::TooLarge, format!("a network has at most {} MiB", MAX_NETWORK_BYTES >> 20))
        } else {
            Problem::new(Cause::BadRequest, "the body did not arrive whole")
        }
    })?;
    let length = query.name.chars().count();
    if length == 0 || length > MAX_NAME || query.name.chars().any(char::is_control) {
        let detail = format!("name has 1 to {MAX_NAME} characters, none of them a control character");
        return Err(Problem::new(Cause::Invalid, detail));
    }
    let project = query.project.unwrap_or_else(|| caller.own_project());
    if let Err(problem) = caller.require(&project, Role::Experimenter) {
        if caller.token().is_some() {
            return Err(problem);
        }
        let detail = "without authentication there is one project, \"default\"";
        return Err(Problem::new(Cause::Invalid, detail));
    }
    let record = app.by(&caller).create_network(project, query.name, onnx.to_vec()).await.map_err(
        |error| match error {
            NetworkError::Fault(fault) => Problem::new(Cause::Invalid, fault.to_string()),
            NetworkError::Service(error) => error.into(),
        },
    )?;
    let location = format!("/v1/networks/{}", record.id);
    Ok(into_response(json_answer(201, Some(location), &Network::from(&record))))
}

/// List networks
#[utoipa::path(get, path = "/v1/networks", operation_id = "list_networks", tag = "networks",
    params(NetworksQuery),
    responses(
        (status = 200, description = "A page of networks", body = NetworkList),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn list_networks(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<NetworksQuery>,
) -> Result<axum::Json<NetworkList>, Problem> {
    let cursor = match query.cursor {
        None => None,
        Some(text) => Some(Cursor::Network(NetworkId(Uuid::try_parse(&text).map_err(|_| bad_cursor())?))),
    };
    let page = page(cursor, query.limit, query.order.as_deref())?;
    let mut among = caller.projects(Role::Viewer);
    if let Some(project) = query.project {
        let is_seen = caller.role(&project).is_some();
        among = Some(if is_seen { vec![project] } else { Vec::new() });
    }
    let networks = app.service.store().networks(among.as_deref(), &page).await?;
    let is_full = networks.len() == page.limit as usize;
    let next_cursor = networks.last().filter(|_| is_full).map(|network| network.id.to_string());
    Ok(axum::Json(NetworkList { networks: networks.iter().map(Network::from).collect(), next_cursor }))
}

/// Read what a network takes and gives
#[utoipa::path(get, path = "/v1/networks/{network}", operation_id = "get_network", tag = "networks",
    params(("network" = Uuid, Path, description = "Its id")),
    responses(
        (status = 200, description = "The network", body = Network),
        (status = 404, description = "There is no such network", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn get_network(
    State(app): State<App>,
    path: NetworkPath,
) -> Result<axum::Json<Network>, Problem> {
    let record = app.service.store().network(path.0).await?;
    Ok(axum::Json(Network::from(&record)))
}

/// Delete a network
///
/// One that a study refers to stays: 409.
#[utoipa::path(delete, path = "/v1/networks/{network}", operation_id = "delete_network", tag = "networks",
    params(("network" = Uuid, Path, description = "Its id")),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 404, description = "There is no such network", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "A study uses it", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn delete_network(
    State(app): State<App>,
    caller: Caller,
    path: NetworkPath,
) -> Result<StatusCode, Problem> {
    app.by(&caller).store().delete_network(path.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Solve a study whose networks the service evaluates
///
/// Runs in the background: its progress is on `events` and in this path; its points are trials like any others. The study
/// becomes `completed` when its budget is spent.
#[utoipa::path(post, path = "/v1/studies/{study}/solve", operation_id = "solve", tag = "networks",
    params(
        ("study" = Uuid, Path, description = "The study's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters"),
    ),
    request_body = SolveRequest,
    responses(
        (status = 202, description = "It runs", body = Solve),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn solve(
    State(app): State<App>,
    caller: Caller,
    StudyPath(study): StudyPath,
    body: Body<SolveRequest>,
) -> Response {
    let key = body.key;
    let evaluations = body.value.evaluations;
    let work = async {
        if !(1..=MAX_EVALUATIONS).contains(&evaluations) {
            let detail = format!("a solve has 1 to {MAX_EVALUATIONS} evaluations");
            return Err(Problem::invalid(vec![Fault::new("/evaluations", detail)]));
        }
        let service = app.by(&caller);
        let store = service.store();
        let record = store.study(study).await?;
        let network = record.definition.draft().network.as_ref();
        if network.is_none_or(|network| network.evaluate != Evaluate::Server) {
            let detail = "only a study with a network and \"evaluate\": \"server\" is solved by the service";
            return Err(Problem::new(Cause::NotSolvable, detail));
        }
        if record.budget_left() == 0 {
            return Err(Problem::new(Cause::BudgetSpent, "the study's budget is spent; raise it to go on"));
        }
        let answer = |solve: &StoredSolve| {
            json_answer(202, Some(format!("/v1/studies/{study}/solve")), &Solve::from(solve))
        };
        let keyed = key.as_ref().map(|key| Keyed { key, answer: &answer });
        let solve = store.start_solve(study, evaluations, keyed).await?;
        app.service.changed(study);
        app.service.take_up_solves().await;
        Ok(answer(&solve))
    };
    once(&app, key.clone(), work).await
}

/// Read how a study's solve stands
#[utoipa::path(get, path = "/v1/studies/{study}/solve", operation_id = "get_solve", tag = "networks",
    params(("study" = Uuid, Path, description = "The study's id")),
    responses(
        (status = 200, description = "The last solve", body = Solve),
        (status = 404, description = "There is none", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn get_solve(
    State(app): State<App>,
    StudyPath(study): StudyPath,
) -> Result<axum::Json<Solve>, Problem> {
    let store = app.service.store();
    store.study(study).await?;
    let solve = store.solve(study).await?.ok_or(StoreError::NoSolve(study))?;
    Ok(axum::Json(Solve::from(&solve)))
}

/// Cancel a study's solve
///
/// What was evaluated stays. A solve that ended is left as it is.
#[utoipa::path(delete, path = "/v1/studies/{study}/solve", operation_id = "cancel_solve", tag = "networks",
    params(("study" = Uuid, Path, description = "The study's id")),
    responses(
        (status = 200, description = "How it ended", body = Solve),
        (status = 404, description = "There is none", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn cancel_solve(
    State(app): State<App>,
    caller: Caller,
    StudyPath(study): StudyPath,
) -> Response {
    match app.by(&caller).store().cancel_solve(study).await {
        Ok(solve) => {
            app.service.changed(study);
            axum::Json(Solve::from(&solve)).into_response()
        }
        Err(error) => Problem::from(error).into_response(),
    }
}
