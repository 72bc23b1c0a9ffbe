//! The pool of threads that compute: bounded, so that numerics never starve the rest of the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// When a client should try again.
pub(super) const RETRY_AFTER_SECONDS: u64 = 2;

/// Too much waits already.
#[derive(Debug)]
pub(super) struct Overloaded;

/// A bounded number of computations at once, and a bounded number that waits.
pub(super) struct Numerics {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    most_waiting: usize,
}

impl Numerics {
    pub(super) fn new(threads: usize, most_waiting: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(threads.max(1))), waiting: AtomicUsize::new(0), most_waiting }
    }

    /// Runs `compute` on a thread of its own once there is a place.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        compute: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.most_waiting {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Overloaded);
        }
        let _waiting = Leave(&self.waiting);
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return Err(Overloaded) };
        // A panic in the numerics reaches the log by the panic hook; the client is asked to try again.
        on_a_thread(place, compute).await.ok_or(Overloaded)
    }

    /// Runs `compute` if a place is free at once; `None` where none is.
    pub(super) async fn run_if_idle<T: Send + 'static>(
        &self,
        compute: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        on_a_thread(place, compute).await
    }
}

/// Runs `compute` on a thread that may block, and gives the place back after it; `None` where it panicked.
async fn on_a_thread<T: Send + 'static>(
    place: OwnedSemaphorePermit,
    compute: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let done = tokio::task::spawn_blocking(move || {
        let _place = place;
        compute()
    });
    done.await.ok()
}

/// Counts down when a computation ends or is cancelled.
struct Leave<'a>(&'a AtomicUsize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
