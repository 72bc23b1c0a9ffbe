//! Studies: create, list, read, change, delete, and what they found.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;

use super::caller::Caller;
use super::extract::{Body, Query, StudyPath, interpret};
use super::idempotency::once;
use super::problem::ProblemDocument;
use super::types::{BestAnswer, StudiesQuery, Study, StudyCheck, StudyList, StudyPatch, StudyRequest};
use super::{App, Cause, Problem};
use crate::service::CompositeError;
use crate::space::Fault;
use crate::store::access::Role;
use crate::store::{
    Answer, Created, Cursor, IdempotencyKey, Keyed, NewStudy, Page, StoreError, StudyChange, StudyFilter,
};
use crate::study::{Settings, StudyId, StudyState, check_settings};

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

/// An answer in JSON.
pub(super) fn json_answer<T: Serialize>(status: u16, location: Option<String>, body: &T) -> Answer {
    Answer {
        status,
        content_type: "application/json".into(),
        location,
        body: serde_json::to_vec(body).unwrap_or_default(),
    }
}

/// Which part of a list, from a query.
pub(super) fn page(cursor: Option<Cursor>, limit: Option<u32>, order: Option<&str>) -> Result<Page, Problem> {
    let descending = match order {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(_) => return Err(Problem::new(Cause::Invalid, "order is asc or desc")),
    };
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::new(Cause::Invalid, format!("limit is from 1 to {MAX_LIMIT}")));
    }
    Ok(Page { after: cursor, limit, descending })
}

pub(super) fn bad_cursor() -> Problem {
    Problem::new(Cause::Invalid, "cursor is the next_cursor of a page before")
}

/// Create a study
///
/// Creating it again with the same definition returns the existing study with 200.
#[utoipa::path(post, path = "/v1/studies", operation_id = "create_study", tag = "studies",
    request_body = StudyRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters")),
    responses(
        (status = 201, description = "It is created", body = Study,
            headers(("Location" = String, description = "Its path"))),
        (status = 200, description = "It was there with the same definition", body = Study),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn create_study(
    State(app): State<App>,
    caller: Caller,
    mut body: Body<StudyRequest>,
) -> Response {
    let project = body.value.project.get_or_insert_with(|| caller.own_project()).clone();
    let may = caller.require(&project, Role::Experimenter);
    // Without authentication a project is a field like any other, and its fault one of several.
    if let (Err(problem), Some(_)) = (&may, caller.token()) {
        return problem.clone().into_response();
    }
    let service = app.by(&caller);
    let key = body.key.map(|key| IdempotencyKey { project, ..key });
    let work = async {
        let (draft, metadata) = body.value.into_draft();
        let mut checked = app.service.check(draft).await?;
        if may.is_err() {
            let detail = "without authentication there is one project, \"default\"";
            let mut faults = checked.err().unwrap_or_default();
            faults.push(Fault::new("/project", detail));
            checked = Err(faults);
        }
        let definition = checked.map_err(Problem::invalid)?;
        app.service.composite(&definition).await.map_err(|error| match error {
            CompositeError::Faults(faults) => Problem::invalid(faults),
            CompositeError::Service(error) => error.into(),
        })?;
        let answer = |created: &Created| {
            let status = if created.is_new { 201 } else { 200 };
            let location = format!("/v1/studies/{}", created.study.id);
            json_answer(status, Some(location), &Study::from(&created.study))
        };
        let keyed = key.as_ref().map(|key| Keyed { key, answer: &answer });
        let created = service.store().create_study(NewStudy { definition, metadata }, keyed).await;
        match created {
            Ok(created) => Ok(answer(&created)),
            Err(StoreError::NameTaken { existing }) => Err(Problem::new(
                Cause::NameTaken,
                format!("study {existing} has this name and another definition; choose another name"),
            )),
            Err(error) => Err(error.into()),
        }
    };
    once(&app, key.clone(), work).await
}

/// Check a study without creating it
///
/// Says every fault that creating it would be refused for, so that a form can show them as somebody writes.
#[utoipa::path(post, path = "/v1/studies/check", operation_id = "check_study", tag = "studies",
    request_body = StudyRequest,
    responses(
        (status = 200, description = "What there is to say; `errors` is empty where it could be created", body = StudyCheck),
        (status = "4XX", description = "Not JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn check_study(
    State(app): State<App>,
    caller: Caller,
    body: Body<serde_json::Value>,
) -> Result<axum::Json<StudyCheck>, Problem> {
    let (draft, _) = match interpret::<StudyRequest>(&body.value) {
        Ok(mut request) => {
            let project = request.project.get_or_insert_with(|| caller.own_project());
            caller.require(project, Role::Viewer)?;
            request.into_draft()
        }
        Err(fault) => return Ok(axum::Json(StudyCheck::faulty(vec![fault]))),
    };
    let definition = match app.service.check(draft).await? {
        Ok(definition) => definition,
        Err(faults) => return Ok(axum::Json(StudyCheck::faulty(faults))),
    };
    let draft = definition.draft();
    let named = StudyFilter {
        project: Some(draft.project.clone()),
        name: Some(draft.name.clone()),
        ..StudyFilter::default()
    };
    let page = Page { after: None, limit: 1, descending: false };
    let existing = app.service.store().studies(&named, &page).await?.into_iter().next();
    let mut check = StudyCheck::faulty(Vec::new());
    if let Some(existing) = existing {
        check.existing = Some(existing.id.0);
        if existing.definition.draft() != draft {
            let detail =
                "a study of this name is there already, with another definition; choose another name";
            check.errors.push(Fault::new("/name", detail).into());
        }
    }
    check.parameters = Some(draft.parameters.clone());
    // Counting the points of a conditional space may take a while.
    check.points =
        tokio::task::spawn_blocking(move || definition.space().cardinality()).await.unwrap_or_default();
    Ok(axum::Json(check))
}

/// List studies
#[utoipa::path(get, path = "/v1/studies", operation_id = "list_studies", tag = "studies",
    params(StudiesQuery),
    responses(
        (status = 200, description = "A page of studies", body = StudyList),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn list_studies(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<StudiesQuery>,
) -> Result<axum::Json<StudyList>, Problem> {
    let cursor = match query.cursor {
        None => None,
        Some(text) => {
            let id = Uuid::try_parse(&text).map_err(|_| bad_cursor())?;
            Some(Cursor::Study(StudyId(id)))
        }
    };
    let state = match query.state {
        None => None,
        Some(name) => Some(
            StudyState::from_name(&name)
                .ok_or_else(|| Problem::new(Cause::Invalid, "state is active, paused or completed"))?,
        ),
    };
    let among = caller.projects(Role::Viewer);
    let filter = StudyFilter { project: query.project, among, name: query.name, search: query.search, state };
    let page = page(cursor, query.limit, query.order.as_deref())?;
    let studies = app.service.store().studies(&filter, &page).await?;
    let is_full = studies.len() == page.limit as usize;
    let next_cursor = studies.last().filter(|_| is_full).map(|study| study.id.to_string());
    Ok(axum::Json(StudyList { studies: studies.iter().map(Study::from).collect(), next_cursor }))
}

/// Read a study
#[utoipa::path(get, path = "/v1/studies/{study}", operation_id = "get_study", tag = "studies",
    params(("study" = Uuid, Path, description = "Its id")),
    responses(
        (status = 200, description = "The study", body = Study),
        (status = 404, description = "There is no such study", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn get_study(State(app): State<App>, path: StudyPath) -> Result<axum::Json<Study>, Problem> {
    let store = app.service.store();
    let record = store.study(path.0).await?;
    let mut study = Study::from(&record);
    if record.definition.draft().network.is_some() {
        study.solve = store.solve(path.0).await?.as_ref().map(Into::into);
    }
    Ok(axum::Json(study))
}

/// Change a study's state, metadata, budget or leases
#[utoipa::path(patch, path = "/v1/studies/{study}", operation_id = "change_study", tag = "studies",
    params(("study" = Uuid, Path, description = "Its id")),
    request_body = StudyPatch,
    responses(
        (status = 200, description = "The changed study", body = Study),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn change_study(
    State(app): State<App>,
    caller: Caller,
    StudyPath(study): StudyPath,
    body: Body<StudyPatch>,
) -> Result<axum::Json<Study>, Problem> {
    let patch = body.value;
    let store = app.service.store();
    let record = store.study(study).await?;
    let settings = Settings {
        budget: patch.budget.map_or(record.settings.budget, Into::into),
        default_lease_seconds: patch.default_lease_seconds.unwrap_or(record.settings.default_lease_seconds),
        retry_expired: patch.retry_expired.unwrap_or(record.settings.retry_expired),
    };
    let faults = check_settings(&settings, record.definition.draft().cost_metric.is_some());
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let change = StudyChange {
        state: patch.state.map(Into::into),
        metadata: patch.metadata,
        budget: patch.budget.map(Into::into),
        default_lease_seconds: patch.default_lease_seconds,
        retry_expired: patch.retry_expired,
    };
    let record = app.by(&caller).store().change_study(study, change).await?;
    app.service.changed(study);
    Ok(axum::Json(Study::from(&record)))
}

/// Delete a study with all its trials
#[utoipa::path(delete, path = "/v1/studies/{study}", operation_id = "delete_study", tag = "studies",
    params(("study" = Uuid, Path, description = "Its id")),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 404, description = "There is no such study", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn delete_study(
    State(app): State<App>,
    caller: Caller,
    path: StudyPath,
) -> Result<StatusCode, Problem> {
    app.by(&caller).store().delete_study(path.0).await?;
    app.service.changed(path.0);
    Ok(StatusCode::NO_CONTENT)
}

/// What was found so far: the best trials, and what the model recommends
#[utoipa::path(get, path = "/v1/studies/{study}/best", operation_id = "get_best", tag = "studies",
    params(("study" = Uuid, Path, description = "The study's id")),
    responses(
        (status = 200, description = "The best so far; empty with a reason while nothing feasible is known", body = BestAnswer),
        (status = 404, description = "There is no such study", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn get_best(
    State(app): State<App>,
    path: StudyPath,
) -> Result<axum::Json<BestAnswer>, Problem> {
    let best = app.service.best(path.0).await?;
    Ok(axum::Json(best.into()))
}
