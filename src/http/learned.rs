//! What a study's models say, and what they are made of.

use axum::extract::State;

use super::extract::{Body, StudyPath};
use super::problem::ProblemDocument;
use super::types::{InsightsAnswer, PredictAnswer, PredictRequest};
use super::{App, Problem};

/// Predict each metric at some points
///
/// Without the noise of an observation, and in the metric's own units.
#[utoipa::path(post, path = "/v1/studies/{study}/predict", operation_id = "predict", tag = "studies",
    params(("study" = Uuid, Path, description = "The study's id")),
    request_body = PredictRequest,
    responses(
        (status = 200, description = "Predictions in the order of the points; empty with a reason while nothing is known", body = PredictAnswer),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn predict(
    State(app): State<App>,
    StudyPath(study): StudyPath,
    body: Body<PredictRequest>,
) -> Result<axum::Json<PredictAnswer>, Problem> {
    let record = app.service.store().study(study).await?;
    let points = body.value.check(&record.definition).map_err(Problem::invalid)?;
    Ok(axum::Json(app.service.predict(study, points).await?.into()))
}

/// What the models are made of: hyperparameters, importances, leave-one-out predictions, and what was chosen
#[utoipa::path(get, path = "/v1/studies/{study}/insights", operation_id = "get_insights", tag = "studies",
    params(("study" = Uuid, Path, description = "The study's id")),
    responses(
        (status = 200, description = "The models; empty with a reason while nothing is known", body = InsightsAnswer),
        (status = 404, description = "There is no such study", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn get_insights(
    State(app): State<App>,
    path: StudyPath,
) -> Result<axum::Json<InsightsAnswer>, Problem> {
    Ok(axum::Json(app.service.insights(path.0).await?.into()))
}
