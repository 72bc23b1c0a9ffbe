//! What a study may choose: the registry of algorithms.

use axum::Json;

use super::types::AlgorithmList;
use crate::acquisition::ALGORITHMS;

/// List the algorithms that a study may name
#[utoipa::path(get, path = "/v1/algorithms", operation_id = "list_algorithms", tag = "studies",
    responses((status = 200, description = "All of them", body = AlgorithmList)))]
pub(super) async fn list_algorithms() -> Json<AlgorithmList> {
    Json(AlgorithmList { algorithms: ALGORITHMS.iter().map(Into::into).collect() })
}
