//! Trials: ask, tell, attach, heartbeat, list, read, annotate.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::caller::Caller;
use super::extract::{Body, Query, StudyPath, TrialPath};
use super::idempotency::once;
use super::problem::ProblemDocument;
use super::studies::{bad_cursor, json_answer, page};
use super::types::{
    AskAnswer, AskBody, AttachAnswer, AttachRequest, HeartbeatAnswer, HeartbeatRequest, MeasureRequest,
    TellRequest, Trial, TrialList, TrialPatch, TrialsQuery,
};
use super::{App, Cause, Problem};
use crate::service::OwnedKeyed;
use crate::store::{Cursor, Keyed, Measured, TrialChange};
use crate::study::{StudyState, Trial as StoredTrial, TrialState};

/// Ask for trials to evaluate
///
/// A parameter that its conditions switch off is absent from `parameters`. A point is handed out once.
#[utoipa::path(post, path = "/v1/studies/{study}/ask", operation_id = "ask", tag = "trials",
    params(("study" = Uuid, Path, description = "The study's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters")),
    request_body = Option<AskBody>,
    responses(
        (status = 200, description = "Trials to evaluate", body = AskAnswer),
        (status = "4XX", description = "Refused: `study-not-active`, `budget-spent`, `space-exhausted` …", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn ask(
    State(app): State<App>,
    caller: Caller,
    StudyPath(study): StudyPath,
    body: Body<AskBody>,
) -> Response {
    let key = body.key;
    let work = async {
        let request = body.value.check().map_err(Problem::invalid)?;
        let answer = |trials: &Vec<StoredTrial>| json_answer(200, None, &AskAnswer::of(trials));
        let keyed = key.clone().map(|key| OwnedKeyed { key, answer: Arc::new(answer) });
        let trials = app.by(&caller).ask(study, request, keyed).await?;
        Ok(answer(&trials))
    };
    once(&app, key.clone(), work).await
}

/// Tell what became of a trial
///
/// Telling the same again changes nothing; something else is 409 unless it amends.
#[utoipa::path(post, path = "/v1/studies/{study}/trials/{number}/tell", operation_id = "tell", tag = "trials",
    params(("study" = Uuid, Path, description = "The study's id"),
        ("number" = u64, Path, description = "The trial's number"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters")),
    request_body = TellRequest,
    responses(
        (status = 200, description = "The trial", body = Trial),
        (status = "4XX", description = "Refused: `already-told`, `lease-lost` …", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn tell(
    State(app): State<App>,
    caller: Caller,
    TrialPath(study, number): TrialPath,
    body: Body<TellRequest>,
) -> Response {
    let key = body.key;
    let work = async {
        let service = app.by(&caller);
        let store = service.store();
        let definition = store.definition(study).await?;
        let tell = body.value.check(&definition).map_err(Problem::invalid)?;
        let answer = |trial: &StoredTrial| json_answer(200, None, &Trial::from(trial));
        let keyed = key.as_ref().map(|key| Keyed { key, answer: &answer });
        let trial = store.tell(study, number, tell, keyed).await?;
        service.meters().told(trial.state);
        app.service.changed(study);
        Ok(answer(&trial))
    };
    once(&app, key.clone(), work).await
}

/// Attach trials evaluated elsewhere, or queue points of one's own
#[utoipa::path(post, path = "/v1/studies/{study}/trials", operation_id = "attach_trials", tag = "trials",
    params(("study" = Uuid, Path, description = "The study's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters")),
    request_body = AttachRequest,
    responses(
        (status = 201, description = "All are attached", body = AttachAnswer),
        (status = "4XX", description = "Refused; none is attached", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn attach_trials(
    State(app): State<App>,
    caller: Caller,
    StudyPath(study): StudyPath,
    body: Body<AttachRequest>,
) -> Response {
    let key = body.key;
    let work = async {
        let service = app.by(&caller);
        let store = service.store();
        let definition = store.definition(study).await?;
        let trials = body.value.check(&definition).map_err(Problem::invalid)?;
        let answer = |trials: &Vec<StoredTrial>| {
            let numbers = trials.iter().map(|trial| trial.number).collect();
            json_answer(201, None, &AttachAnswer { numbers })
        };
        let keyed = key.as_ref().map(|key| Keyed { key, answer: &answer });
        let trials = store.attach(study, trials, keyed).await?;
        app.service.changed(study);
        Ok(answer(&trials))
    };
    once(&app, key.clone(), work).await
}

/// List trials
#[utoipa::path(get, path = "/v1/studies/{study}/trials", operation_id = "list_trials", tag = "trials",
    params(("study" = Uuid, Path, description = "The study's id"), TrialsQuery),
    responses(
        (status = 200, description = "A page of trials", body = TrialList),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn list_trials(
    State(app): State<App>,
    StudyPath(study): StudyPath,
    Query(query): Query<TrialsQuery>,
) -> Result<axum::Json<TrialList>, Problem> {
    let cursor = match query.cursor {
        None => None,
        Some(text) => {
            let number = text.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok());
            Some(Cursor::Trial(number.ok_or_else(bad_cursor)?))
        }
    };
    let state = match query.state {
        None => None,
        Some(name) => Some(TrialState::from_name(&name).ok_or_else(|| {
            let names: Vec<&str> = TrialState::ALL.into_iter().map(TrialState::name).collect();
            Problem::new(Cause::Invalid, format!("state is one of {}", names.join(", ")))
        })?),
    };
    let page = page(cursor, query.limit, query.order.as_deref())?;
    let store = app.service.store();
    let trials = store.trials(study, state, &page).await?;
    if trials.is_empty() {
        // An empty page of a study, or no study?
        store.study(study).await?;
    }
    let is_full = trials.len() == page.limit as usize;
    let next_cursor = trials.last().filter(|_| is_full).map(|trial| trial.number.to_string());
    Ok(axum::Json(TrialList { trials: trials.iter().map(Trial::from).collect(), next_cursor }))
}

/// Read a trial
#[utoipa::path(get, path = "/v1/studies/{study}/trials/{number}", operation_id = "get_trial", tag = "trials",
    params(("study" = Uuid, Path, description = "The study's id"),
        ("number" = u64, Path, description = "The trial's number")),
    responses(
        (status = 200, description = "The trial", body = Trial),
        (status = 404, description = "There is no such trial", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn get_trial(State(app): State<App>, path: TrialPath) -> Result<axum::Json<Trial>, Problem> {
    let trial = app.service.store().trial(path.0, path.1).await?;
    Ok(axum::Json(Trial::from(&trial)))
}

/// Change a trial's note, tags or metadata
#[utoipa::path(patch, path = "/v1/studies/{study}/trials/{number}", operation_id = "change_trial", tag = "trials",
    params(("study" = Uuid, Path, description = "The study's id"),
        ("number" = u64, Path, description = "The trial's number")),
    request_body = TrialPatch,
    responses(
        (status = 200, description = "The changed trial", body = Trial),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn change_trial(
    State(app): State<App>,
    caller: Caller,
    TrialPath(study, number): TrialPath,
    body: Body<TrialPatch>,
) -> Result<axum::Json<Trial>, Problem> {
    let patch = body.value;
    let faults = patch.faults();
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let change = TrialChange { note: patch.note, tags: patch.tags, metadata: patch.metadata };
    let trial = app.by(&caller).store().change_trial(study, number, change).await?;
    app.service.changed(study);
    Ok(axum::Json(Trial::from(&trial)))
}

/// Say that a trial is still being evaluated: extends its lease by its length
#[utoipa::path(post, path = "/v1/studies/{study}/trials/{number}/heartbeat", operation_id = "heartbeat", tag = "trials",
    params(("study" = Uuid, Path, description = "The study's id"),
        ("number" = u64, Path, description = "The trial's number")),
    request_body = Option<HeartbeatRequest>,
    responses(
        (status = 200, description = "Whether to go on", body = HeartbeatAnswer),
        (status = "4XX", description = "Refused: `lease-lost`, `not-running` …", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn heartbeat(
    State(app): State<App>,
    TrialPath(study, number): TrialPath,
    body: Body<HeartbeatRequest>,
) -> Result<axum::Json<HeartbeatAnswer>, Problem> {
    let state = app.service.store().heartbeat(study, number, body.value.lease_token).await?;
    app.service.changed(study);
    Ok(axum::Json(HeartbeatAnswer { should_stop: state != StudyState::Active }))
}

/// Report an intermediate value of a running trial, which is a heartbeat too
///
/// `should_stop` says whether the trial is worth going on with, by the study's `early_stopping` rule; it is true also
/// when the study is not active. A trial that ends early is told as `{"stopped": true}`.
#[utoipa::path(post, path = "/v1/studies/{study}/trials/{number}/measurements", operation_id = "measure", tag = "trials",
    params(("study" = Uuid, Path, description = "The study's id"),
        ("number" = u64, Path, description = "The trial's number"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters")),
    request_body = MeasureRequest,
    responses(
        (status = 200, description = "Whether to go on", body = HeartbeatAnswer),
        (status = "4XX", description = "Refused: `lease-lost`, `not-running` …", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Try again later", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn measure(
    State(app): State<App>,
    caller: Caller,
    TrialPath(study, number): TrialPath,
    body: Body<MeasureRequest>,
) -> Response {
    let key = body.key;
    let work = async {
        let definition = app.service.store().study(study).await?.definition;
        let measure = body.value.check(&definition).map_err(Problem::invalid)?;
        let is_hopeless = app.service.is_hopeless(study, number, &measure.measurement).await?;
        let answer = |measured: &Measured| {
            let should_stop = is_hopeless || measured.state != StudyState::Active;
            json_answer(200, None, &HeartbeatAnswer { should_stop })
        };
        let keyed = key.as_ref().map(|key| Keyed { key, answer: &answer });
        let measured = app.by(&caller).store().measure(study, number, measure, keyed).await?;
        app.service.changed(study);
        Ok(answer(&measured))
    };
    once(&app, key.clone(), work).await
}
