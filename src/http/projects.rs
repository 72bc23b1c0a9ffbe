//! Projects: what tokens, quotas, studies and networks belong to.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::caller::Caller;
use super::extract::{Body, ProjectPath, Query};
use super::problem::{ProblemDocument, into_response};
use super::studies::{json_answer, page};
use super::types::{Project, ProjectList, ProjectPatch, ProjectRequest, ProjectsQuery};
use super::{App, Problem};
use crate::space::Fault;
use crate::store::access::{ProjectRecord, Role, is_project_name};
use crate::store::{Cursor, Store};

const FAR: &str = "a quota is at most 2^53";

/// A project as the caller sees it.
async fn seen(store: &dyn Store, caller: &Caller, record: &ProjectRecord) -> Result<Project, Problem> {
    let usage = store.usage(&record.name).await?;
    Ok(Project::of(record, usage, caller.role(&record.name).unwrap_or(Role::Viewer)))
}

/// Create a project
///
/// For admins. Without authentication there is one, `default`.
#[utoipa::path(post, path = "/v1/projects", operation_id = "create_project", tag = "access",
    request_body = ProjectRequest,
    responses(
        (status = 201, description = "It is created", body = Project, headers(("Location" = String, description = "Its path"))),
        (status = "4XX", description = "Refused: `project-taken` …", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn create_project(
    State(app): State<App>,
    caller: Caller,
    body: Body<ProjectRequest>,
) -> Result<Response, Problem> {
    caller.require_everywhere(Role::Admin)?;
    let ProjectRequest { name, quotas } = body.value;
    let mut faults = Vec::new();
    if !is_project_name(&name) {
        let detail = "a project's name has 1 to 100 letters, digits, dots, underscores and hyphens";
        faults.push(Fault::new("/name", detail));
    }
    let quotas = quotas.limits().map_err(|pointer| faults.push(Fault::new(pointer, FAR))).unwrap_or_default();
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let service = app.by(&caller);
    let record = service.store().create_project(&name, quotas).await?;
    let project = seen(service.store().as_ref(), &caller, &record).await?;
    Ok(into_response(json_answer(201, Some(format!("/v1/projects/{name}")), &project)))
}

/// List the projects where the token has a role
#[utoipa::path(get, path = "/v1/projects", operation_id = "list_projects", tag = "access",
    params(ProjectsQuery),
    responses(
        (status = 200, description = "A page of projects", body = ProjectList),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn list_projects(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ProjectsQuery>,
) -> Result<axum::Json<ProjectList>, Problem> {
    let page = page(query.cursor.map(Cursor::Project), query.limit, query.order.as_deref())?;
    let store = app.service.store();
    let records = store.projects(caller.projects(Role::Viewer).as_deref(), &page).await?;
    let is_full = records.len() == page.limit as usize;
    let next_cursor = records.last().filter(|_| is_full).map(|record| record.name.clone());
    let mut projects = Vec::with_capacity(records.len());
    for record in &records {
        projects.push(seen(store.as_ref(), &caller, record).await?);
    }
    Ok(axum::Json(ProjectList { projects, next_cursor }))
}

/// Read a project: its quotas, and what it has used of them
#[utoipa::path(get, path = "/v1/projects/{project}", operation_id = "get_project", tag = "access",
    params(("project" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The project", body = Project),
        (status = 404, description = "There is no such project, or the token has no role in it", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn get_project(
    State(app): State<App>,
    caller: Caller,
    ProjectPath(name): ProjectPath,
) -> Result<axum::Json<Project>, Problem> {
    caller.require(&name, Role::Viewer)?;
    let store = app.service.store();
    let record = store.project(&name).await?;
    Ok(axum::Json(seen(store.as_ref(), &caller, &record).await?))
}

/// Replace a project's quotas
///
/// For admins. What is there beyond a new quota stays. The quotas of a minute hold within seconds.
#[utoipa::path(patch, path = "/v1/projects/{project}", operation_id = "change_project", tag = "access",
    params(("project" = String, Path, description = "Its name")),
    request_body = ProjectPatch,
    responses(
        (status = 200, description = "The changed project", body = Project),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn change_project(
    State(app): State<App>,
    caller: Caller,
    ProjectPath(name): ProjectPath,
    body: Body<ProjectPatch>,
) -> Result<axum::Json<Project>, Problem> {
    caller.require(&name, Role::Viewer)?;
    caller.require_everywhere(Role::Admin)?;
    let quotas = body.value.quotas.limits();
    let quotas = quotas.map_err(|pointer| Problem::invalid(vec![Fault::new(pointer, FAR)]))?;
    let service = app.by(&caller);
    let record = service.store().change_project(&name, quotas).await?;
    app.rates.changed(&name);
    Ok(axum::Json(seen(service.store().as_ref(), &caller, &record).await?))
}

/// Delete a project that has neither studies nor networks
///
/// For admins. Its tokens lose their role in it. `default` stays.
#[utoipa::path(delete, path = "/v1/projects/{project}", operation_id = "delete_project", tag = "access",
    params(("project" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "It is deleted"),
        (status = "4XX", description = "Refused: `project-in-use` …", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn delete_project(
    State(app): State<App>,
    caller: Caller,
    ProjectPath(name): ProjectPath,
) -> Result<StatusCode, Problem> {
    caller.require(&name, Role::Viewer)?;
    caller.require_everywhere(Role::Admin)?;
    app.by(&caller).store().delete_project(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}
