//! Idempotency keys: a request that comes again is answered as it was the first time, and done once.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};

use super::problem::into_response;
use super::{App, Cause, Problem};
use crate::store::{Answer, IdempotencyKey};

/// Answers a request that may carry a key. `work` does it, and keeps its answer in the transaction that does it;
/// refusals are kept here.
pub(super) async fn once<F>(app: &App, key: Option<IdempotencyKey>, work: F) -> Response
where
    F: Future<Output = Result<Answer, Problem>>,
{
    let Some(key) = key else { return respond(work.await) };
    // Marked first: what another request keeps before it lets go of the mark is then found.
    let Some(_mark) = Mark::set(&app.in_progress, &key) else {
        return Problem::new(Cause::InProgress, "the first request with this key is not answered yet")
            .into_response();
    };
    match replay(app, &key).await {
        Ok(Some(replayed)) => return replayed,
        Ok(None) => {}
        Err(problem) => return problem.into_response(),
    }
    let done = work.await;
    if let Err(problem) = &done {
        // Another server may have answered the same key meanwhile: then that is the answer.
        match replay(app, &key).await {
            Ok(Some(replayed)) => return replayed,
            Ok(None) => {}
            Err(problem) => return problem.into_response(),
        }
        if problem.is_an_answer() {
            let kept = app.service.store().keep_answer(&key, &problem.answer()).await;
            if let Err(error) = kept {
                return Problem::from(error).into_response();
            }
        }
    }
    respond(done)
}

fn respond(done: Result<Answer, Problem>) -> Response {
    done.map_or_else(IntoResponse::into_response, into_response)
}

/// The answer that was kept for the key, if any.
async fn replay(app: &App, key: &IdempotencyKey) -> Result<Option<Response>, Problem> {
    let Some(kept) = app.service.store().kept_answer(key).await? else { return Ok(None) };
    if kept.body != key.body {
        return Err(Problem::new(
            Cause::KeyReused,
            "this Idempotency-Key came with another body before; use a new key for a new request",
        ));
    }
    let mut response = into_response(kept.answer);
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    Ok(Some(response))
}

/// Says that a key's request is being answered; removed when dropped, also when the client hangs up.
struct Mark {
    set: Arc<Mutex<HashSet<IdempotencyKey>>>,
    key: IdempotencyKey,
}

impl Mark {
    fn set(set: &Arc<Mutex<HashSet<IdempotencyKey>>>, key: &IdempotencyKey) -> Option<Self> {
        // The same key with another body is in progress all the same.
        let unbodied = IdempotencyKey { body: [0; 32], ..key.clone() };
        let is_new = lock(set).insert(unbodied.clone());
        is_new.then(|| Self { set: Arc::clone(set), key: unbodied })
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        lock(&self.set).remove(&self.key);
    }
}

fn lock(set: &Mutex<HashSet<IdempotencyKey>>) -> MutexGuard<'_, HashSet<IdempotencyKey>> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}
