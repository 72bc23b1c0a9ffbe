//! Exports and imports: studies as a file of lines, out of this server and into it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::caller::Caller;
use super::extract::Query;
use super::gate::Authentication;
use super::problem::ProblemDocument;
use super::types::{ExportQuery, ImportAnswer, ImportQuery};
use super::{App, Cause, Problem};
use crate::archive::{ArchiveFault, Existing, ImportError, Scope, export, load, verify};
use crate::space::Fault;
use crate::store::StoreError;
use crate::store::access::{Role, is_project_name};
use crate::study::StudyId;

/// The media type of lines of JSON.
const LINES: &str = "application/x-ndjson";
/// Largest file that is taken in over HTTP; the command line has no limit.
const MAX_IMPORT_BYTES: u64 = 4 << 30;
/// How long a part of a file may be on its way.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many blocks of an export wait for the client.
const BLOCKS: usize = 4;

/// Export studies with their trials, events and networks
///
/// Lines of JSON, each with one member that says what it is; the last line is `end`, with the SHA-256 of what came before.
/// A file without it was cut, and is refused by an import. For owners of the projects; without `study` or `project`, of
/// all that the token owns.
#[utoipa::path(get, path = "/v1/export", operation_id = "export_studies", tag = "operations",
    params(ExportQuery),
    responses(
        (status = 200, description = "The lines, as they are read", body = String, content_type = "application/x-ndjson"),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn export_studies(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let store = app.service.store().clone();
    let mut scope = Scope { study: query.study.map(StudyId), projects: caller.projects(Role::Owner) };
    if let Some(study) = scope.study {
        let definition = store.definition(study).await?;
        let role = caller.role(&definition.draft().project);
        if role.is_none() {
            return Err(StoreError::NoStudy(study).into());
        }
        caller.require(&definition.draft().project, Role::Owner)?;
        // One that another server deleted is a 404, not a file without an end.
        store.study(study).await?;
    }
    if let Some(project) = query.project {
        caller.require(&project, Role::Owner)?;
        store.project(&project).await?;
        scope.projects = Some(vec![project]);
    }
    if scope.projects.as_ref().is_some_and(Vec::is_empty) {
        return Err(Problem::new(Cause::Forbidden, "only an owner of a project exports it"));
    }
    let (sender, receiver) = mpsc::channel(BLOCKS);
    let exporting = tokio::spawn(async move { export(store.as_ref(), &scope, sender).await });
    let blocks = stream::unfold((receiver, Some(exporting)), |(mut receiver, exporting)| async move {
        if let Some(block) = receiver.recv().await {
            return Some((Ok(block), (receiver, exporting)));
        }
        // What failed breaks the connection off, so that no client takes a part for the whole.
        match exporting?.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                tracing::warn!(%error, "an export ended early");
                Some((Err(std::io::Error::other(error)), (receiver, None)))
            }
            Err(error) => Some((Err(std::io::Error::other(error)), (receiver, None))),
        }
    });
    let headers = [
        (header::CONTENT_TYPE, LINES),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"tellus.ndjson\""),
    ];
    Ok((headers, Body::from_stream(blocks)).into_response())
}

/// Import what was exported
///
/// The whole file is checked before anything is taken in; then each study comes in whole or not at all, with its id. For
/// owners of every project in the file; projects that are not there are made for admins.
#[utoipa::path(post, path = "/v1/import", operation_id = "import_studies", tag = "operations",
    params(ImportQuery),
    request_body(content = String, content_type = "application/x-ndjson"),
    responses(
        (status = 200, description = "What was taken in", body = ImportAnswer),
        (status = "4XX", description = "Refused: `study-there`, `name-taken` …", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn import_studies(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ImportQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<axum::Json<ImportAnswer>, Problem> {
    let existing = match query.existing.as_deref() {
        None | Some("refuse") => Existing::Refuse,
        Some("skip") => Existing::Skip,
        Some(_) => return Err(Problem::new(Cause::Invalid, "existing is refuse or skip")),
    };
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(LINES) {
        return Err(Problem::new(
            Cause::WrongType,
            format!("send lines of JSON, and say so: Content-Type: {LINES}"),
        ));
    }
    let Ok(_place) = app.imports.try_acquire() else {
        return Err(Problem::new(Cause::Overloaded, "other imports are running; try again later"));
    };
    let file = spool(body).await?;
    let path = file.path().to_owned();
    let checked = tokio::task::spawn_blocking(move || {
        let file = File::open(path)?;
        Ok::<_, std::io::Error>(verify(BufReader::new(file)))
    });
    let contents = checked.await.map_err(unwritable)?.map_err(unwritable)?.map_err(faulty)?;
    may_import(&app, &caller, &contents.projects).await?;
    let service = app.by(&caller);
    let imported =
        load(service.store().clone(), file.path(), existing).await.map_err(|error| match error {
            ImportError::Fault(fault) => faulty(fault),
            ImportError::Store(error) => error.into(),
            error @ (ImportError::File(_) | ImportError::Thread) => unwritable(error),
        })?;
    Ok(axum::Json(imported.into()))
}

/// Checks that the caller owns every project; where one is missing, that they may make it.
async fn may_import(app: &App, caller: &Caller, projects: &BTreeSet<String>) -> Result<(), Problem> {
    for project in projects {
        if app.admission.authentication == Authentication::None && caller.role(project).is_none() {
            let detail =
                format!("without authentication there is one project, \"default\", and not {project:?}");
            return Err(Problem::new(Cause::Invalid, detail));
        }
        caller.require(project, Role::Owner)?;
        match app.service.store().project(project).await {
            Ok(_) => {}
            Err(StoreError::NoProject(_)) => {
                caller.require_everywhere(Role::Admin)?;
                if !is_project_name(project) {
                    return Err(Problem::new(Cause::Invalid, format!("{project:?} is no name of a project")));
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Writes a body to a file, so that a slow client holds no transaction, and a part of a file does nothing.
async fn spool(body: Body) -> Result<tempfile::NamedTempFile, Problem> {
    let file = tempfile::NamedTempFile::new().map_err(unwritable)?;
    let mut writing = tokio::fs::File::from_std(file.reopen().map_err(unwritable)?);
    let mut parts = body.into_data_stream();
    let mut length = 0;
    loop {
        let part = tokio::time::timeout(PATIENCE, parts.next()).await.map_err(|_| {
            let seconds = PATIENCE.as_secs();
            Problem::new(Cause::Timeout, format!("nothing of the file arrived for {seconds} s"))
        })?;
        let Some(part) = part else { break };
        let part = part.map_err(|_| Problem::new(Cause::BadRequest, "the body did not arrive whole"))?;
        length += part.len() as u64;
        if length > MAX_IMPORT_BYTES {
            let detail = format!("a file has at most {} GiB here; use tellus import", MAX_IMPORT_BYTES >> 30);
            return Err(Problem::new(Cause::TooLarge, detail));
        }
        writing.write_all(&part).await.map_err(unwritable)?;
    }
    writing.flush().await.map_err(unwritable)?;
    Ok(file)
}

fn unwritable(error: impl std::fmt::Display) -> Problem {
    tracing::error!(%error, "an import could not be written to a temporary file");
    Problem::new(Cause::Unavailable, "the server has no room for the file now; try again later")
}

fn faulty(fault: ArchiveFault) -> Problem {
    Problem::invalid(vec![Fault::new(format!("/{}", fault.line), fault.detail)])
}
