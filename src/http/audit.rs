//! The log of changes: who, what, when, from where.

use axum::extract::State;
use uuid::Uuid;

use super::caller::Caller;
use super::extract::Query;
use super::problem::ProblemDocument;
use super::studies::{bad_cursor, page};
use super::types::{AuditAnswer, AuditList, AuditQuery};
use super::{App, Cause, Problem};
use crate::store::Cursor;
use crate::store::access::{AuditFilter, Role};
use crate::study::StudyId;

/// List changes: who made which, when, and from where
///
/// For owners, of their projects; for admins, of all and of the server itself. Kept with authentication alone. A heartbeat
/// is no change.
#[utoipa::path(get, path = "/v1/audit", operation_id = "list_audit", tag = "access",
    params(AuditQuery),
    responses(
        (status = 200, description = "A page of the log", body = AuditList),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn list_audit(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AuditQuery>,
) -> Result<axum::Json<AuditList>, Problem> {
    let cursor = match query.cursor {
        None => None,
        Some(text) => Some(Cursor::Id(Uuid::try_parse(&text).map_err(|_| bad_cursor())?)),
    };
    let projects = match query.project {
        None => caller.projects(Role::Owner),
        Some(project) => {
            caller.require(&project, Role::Owner)?;
            Some(vec![project])
        }
    };
    if projects.as_ref().is_some_and(Vec::is_empty) {
        return Err(Problem::new(Cause::Forbidden, "only an owner of a project reads its log"));
    }
    let page = page(cursor, query.limit, query.order.as_deref())?;
    let filter =
        AuditFilter { projects, study: query.study.map(StudyId), token: query.token, action: query.action };
    let entries = app.service.store().audit(&filter, &page).await?;
    let is_full = entries.len() == page.limit as usize;
    let next_cursor = entries.last().filter(|_| is_full).map(|entry| entry.id.to_string());
    Ok(axum::Json(AuditList { entries: entries.iter().map(AuditAnswer::from).collect(), next_cursor }))
}
