//! The events of a study, as a stream (server-sent events) or in pages. An event's id is the study's revision, so that
//! a listener who names the last one it saw misses nothing.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event as ServerSentEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::watch;

use super::extract::{Query, StudyPath};
use super::problem::ProblemDocument;
use super::types::{EventAnswer, EventList, EventsQuery};
use super::{App, Cause, Problem};
use crate::study::StudyId;

/// How many events are read at once.
const BATCH: u32 = 100;
const MAX_LIMIT: u32 = 1000;
/// How often another server's changes are looked for.
const POLL: Duration = Duration::from_secs(1);
/// How often an idle stream says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Follow the changes of a study and its trials
///
/// Server-sent events, resumed behind `Last-Event-ID` (or `after`); where the events behind it are no longer kept, a
/// `reset` event comes first. With `Accept: application/json` a page instead.
#[utoipa::path(get, path = "/v1/studies/{study}/events", operation_id = "list_events", tag = "studies",
    params(("study" = Uuid, Path, description = "The study's id"), EventsQuery,
        ("Last-Event-ID" = Option<u64>, Header, description = "The last event seen")),
    responses(
        (status = 200, description = "Events", content(
            (EventList = "application/json"), (String = "text/event-stream"))),
        (status = "4XX", description = "Refused", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn list_events(
    State(app): State<App>,
    StudyPath(study): StudyPath,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last_seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let after = last_seen.or(query.after).unwrap_or(0).min(i64::MAX as u64);
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("application/json") {
        let limit = query.limit.unwrap_or(BATCH);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Problem::new(Cause::Invalid, format!("limit is from 1 to {MAX_LIMIT}")));
        }
        let page = app.service.store().events(study, after, limit).await?;
        let next_after = page.events.last().map_or(after, |event| event.revision);
        let events = page.events.iter().map(EventAnswer::from).collect();
        return Ok(axum::Json(EventList { events, reset: page.reset, next_after }).into_response());
    }
    // A study that is not there is a 404, not an empty stream.
    app.service.store().study(study).await?;
    let follower =
        Follower { changes: app.service.changes(study), study, after, ready: VecDeque::new(), app };
    let events = stream::unfold(follower, Follower::next);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// One listener.
struct Follower {
    app: App,
    study: StudyId,
    after: u64,
    ready: VecDeque<ServerSentEvent>,
    changes: watch::Receiver<u64>,
}

impl Follower {
    /// The next event, when there is one; ends when the server stops or the study is deleted.
    async fn next(mut self) -> Option<(Result<ServerSentEvent, Infallible>, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((Ok(event), self));
            }
            self.changes.mark_unchanged();
            match self.app.service.store().events(self.study, self.after, BATCH).await {
                Ok(page) => {
                    if page.reset {
                        let revision = page.revision.to_string();
                        self.ready.push_back(ServerSentEvent::default().event("reset").data(revision));
                    }
                    for event in &page.events {
                        self.after = event.revision;
                        let answer = EventAnswer::from(event);
                        let sent = ServerSentEvent::default()
                            .id(answer.id.to_string())
                            .event(answer.kind.clone())
                            .json_data(&answer);
                        self.ready.extend(sent);
                    }
                }
                Err(crate::store::StoreError::NoStudy(_)) => return None,
                Err(error) => tracing::warn!(%error, "events could not be read"),
            }
            if self.ready.is_empty() {
                let stop = self.app.stop.clone();
                tokio::select! {
                    () = stop.cancelled() => return None,
                    _ = self.changes.changed() => {}
                    () = tokio::time::sleep(POLL) => {}
                }
            }
        }
    }
}
