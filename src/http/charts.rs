//! What the charts and tables of a dashboard are drawn from: aggregated here, so that a study of 10⁵ trials answers as
//! one of a hundred does, with less than a megabyte.

use axum::extract::State;

use super::extract::{Query, StudyPath};
use super::problem::ProblemDocument;
use super::types::{
    ChartQuery, ColumnsAnswer, CurvesAnswer, CurvesQuery, HistoryAnswer, TableAnswer, TableQuery,
};
use super::{App, Cause, Problem};

const DEFAULT_POINTS: u32 = 2000;
const POINTS: std::ops::RangeInclusive<u32> = 10..=5000;
/// Most numbers in the columns of an answer; wide studies get fewer rows.
const MOST_CELLS: usize = 45_000;
/// How many trials' intermediate curves are drawn, and of how many points each.
const CURVES: usize = 80;
const CURVE_POINTS: usize = 200;
const DEFAULT_ROWS: u32 = 100;
const ROWS: std::ops::RangeInclusive<u32> = 1..=200;

fn points(query: &ChartQuery) -> Result<usize, Problem> {
    let limit = query.limit.unwrap_or(DEFAULT_POINTS);
    if !POINTS.contains(&limit) {
        let detail = format!("limit is from {} to {}", POINTS.start(), POINTS.end());
        return Err(Problem::new(Cause::Invalid, detail));
    }
    Ok(limit as usize)
}

/// How many rows of `columns` an answer has room for.
fn room(limit: usize, columns: usize) -> usize {
    limit.min((MOST_CELLS / columns.max(1)).max(10))
}

/// How the results of a study went: the best so far, the front, and the spread of the results
#[utoipa::path(get, path = "/v1/studies/{study}/history", operation_id = "get_history", tag = "studies",
    params(("study" = Uuid, Path, description = "The study's id"), ChartQuery),
    responses(
        (status = 200, description = "The history, thinned out where it is long", body = HistoryAnswer),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn get_history(
    State(app): State<App>,
    StudyPath(study): StudyPath,
    Query(query): Query<ChartQuery>,
) -> Result<axum::Json<HistoryAnswer>, Problem> {
    let limit = points(&query)?;
    let metrics = app.service.store().study(study).await?.definition.metrics().len();
    let (record, history) = app.service.history(study, room(limit, metrics + 2)).await?;
    Ok(axum::Json(HistoryAnswer::of(&record, history)))
}

/// Trials as columns: all, or a sample of the best, the latest and some of all
#[utoipa::path(get, path = "/v1/studies/{study}/columns", operation_id = "get_columns", tag = "trials",
    params(("study" = Uuid, Path, description = "The study's id"), ChartQuery),
    responses(
        (status = 200, description = "The columns; wide studies get fewer rows", body = ColumnsAnswer),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn get_columns(
    State(app): State<App>,
    StudyPath(study): StudyPath,
    Query(query): Query<ChartQuery>,
) -> Result<axum::Json<ColumnsAnswer>, Problem> {
    let limit = points(&query)?;
    let definition = app.service.store().study(study).await?.definition;
    let columns = definition.metrics().len() + definition.space().dimension() + 7;
    let (record, sample) = app.service.sample(study, room(limit, columns)).await?;
    Ok(axum::Json(ColumnsAnswer::of(&record, &sample)))
}

/// The intermediate values of some trials: of the best, the latest, and some of all
#[utoipa::path(get, path = "/v1/studies/{study}/curves", operation_id = "get_curves", tag = "trials",
    params(("study" = Uuid, Path, description = "The study's id"), CurvesQuery),
    responses(
        (status = 200, description = "The curves, thinned out where they are long", body = CurvesAnswer),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn get_curves(
    State(app): State<App>,
    StudyPath(study): StudyPath,
    Query(query): Query<CurvesQuery>,
) -> Result<axum::Json<CurvesAnswer>, Problem> {
    if app.service.store().study(study).await?.definition.metric(&query.metric).is_none() {
        return Err(Problem::new(Cause::Invalid, "metric is the name of a metric of this study"));
    }
    let (record, sample) = app.service.sample(study, CURVES).await?;
    Ok(axum::Json(CurvesAnswer::of(&record, &sample, &query.metric, CURVE_POINTS)))
}

/// A part of the trials in any order, from any place
#[utoipa::path(get, path = "/v1/studies/{study}/table", operation_id = "get_table", tag = "trials",
    params(("study" = Uuid, Path, description = "The study's id"), TableQuery),
    responses(
        (status = 200, description = "The part, and how many trials there are in all", body = TableAnswer),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn get_table(
    State(app): State<App>,
    StudyPath(study): StudyPath,
    Query(query): Query<TableQuery>,
) -> Result<axum::Json<TableAnswer>, Problem> {
    let limit = query.limit.unwrap_or(DEFAULT_ROWS);
    if !ROWS.contains(&limit) {
        let detail = format!("limit is from {} to {}", ROWS.start(), ROWS.end());
        return Err(Problem::new(Cause::Invalid, detail));
    }
    let definition = app.service.store().study(study).await?.definition;
    let ranking = query.ranking(&definition).map_err(|detail| Problem::new(Cause::Invalid, detail))?;
    let (record, total, trials) =
        app.service.ranked(study, ranking, query.offset as usize, limit as usize).await?;
    Ok(axum::Json(TableAnswer::of(&record, total, &trials)))
}
