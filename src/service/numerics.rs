//! The pool of threads that compute: bounded, so that numerics never starve the rest of the program.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{Instrument, info_span};

use super::lock;
use super::meters::NumericsMeters;
use crate::study::StudyId;

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
    meters: NumericsMeters,
    turns: Turns,
}

impl Numerics {
    pub(super) fn new(threads: usize, most_waiting: usize, meters: NumericsMeters) -> Self {
        let places = Arc::new(Semaphore::new(threads.max(1)));
        Self { places, waiting: AtomicUsize::new(0), most_waiting, meters, turns: Turns::default() }
    }

    /// Runs `compute` on a thread of its own once there is a place.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        compute: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let _waiting = self.enter()?;
        self.compute(compute).await
    }

    /// Runs `compute` for a study, one at a time: a study with much to compute waits for itself, and those with little take
    /// turns with it.
    pub(super) async fn run_for<T: Send + 'static>(
        &self,
        study: StudyId,
        compute: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let _waiting = self.enter()?;
        let turn = Turn::of(&self.turns, study);
        let mine = turn.places.acquire().instrument(info_span!("wait for the study's turn")).await;
        let Ok(_mine) = mine else { return Err(Overloaded) };
        self.compute(compute).await
    }

    /// Runs what takes microseconds where it is called.
    pub(super) fn in_place<T>(&self, compute: impl FnOnce() -> T) -> Result<T, Overloaded> {
        // Whoever calls goes on after a panic, as after one on a thread.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(compute));
        done.map_err(|_| {
            self.meters.panics.inc();
            Overloaded
        })
    }

    /// Counts one that waits, if there is room for it.
    fn enter(&self) -> Result<Leave<'_>, Overloaded> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.most_waiting {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.meters.overloads.inc();
            return Err(Overloaded);
        }
        self.meters.queue.inc();
        Ok(Leave(&self.waiting, &self.meters.queue))
    }

    async fn compute<T: Send + 'static>(
        &self,
        compute: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let place =
            Arc::clone(&self.places).acquire_owned().instrument(info_span!("wait for a thread")).await;
        let Ok(place) = place else { return Err(Overloaded) };
        // A panic in the numerics reaches the log by the panic hook; the client is asked to try again.
        on_a_thread(place, compute).await.ok_or_else(|| {
            self.meters.panics.inc();
            Overloaded
        })
    }

    /// Why computations would be refused now, where they would.
    pub(super) fn overload(&self) -> Option<String> {
        let waiting = self.waiting.load(Ordering::Relaxed);
        (waiting >= self.most_waiting).then(|| format!("{waiting} computations wait for a thread"))
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
    let span = info_span!("compute");
    let done = tokio::task::spawn_blocking(move || {
        let _place = place;
        let _within = span.entered();
        compute()
    });
    done.await.ok()
}

/// The turns of studies that compute something or wait for it.
type Turns = Mutex<HashMap<StudyId, Arc<Semaphore>>>;

/// A study's turn; forgotten with the last who waits for it.
struct Turn<'a> {
    turns: &'a Turns,
    study: StudyId,
    places: Arc<Semaphore>,
}

impl<'a> Turn<'a> {
    fn of(turns: &'a Turns, study: StudyId) -> Self {
        let places = Arc::clone(lock(turns).entry(study).or_insert_with(|| Arc::new(Semaphore::new(1))));
        Self { turns, study, places }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut turns = lock(self.turns);
        // This one's, and the map's.
        if Arc::strong_count(&self.places) <= 2 {
            turns.remove(&self.study);
        }
    }
}

/// Counts down when a computation ends or is cancelled.
struct Leave<'a>(&'a AtomicUsize, &'a Gauge);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        self.1.dec();
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_study_with_much_to_compute_does_not_keep_others_waiting() {
        let numerics = Arc::new(Numerics::new(2, 100, NumericsMeters::default()));
        let (heavy, light) = (StudyId(Uuid::from_u128(1)), StudyId(Uuid::from_u128(2)));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let (numerics, held) = (Arc::clone(&numerics), Arc::clone(&held));
                tokio::spawn(async move { numerics.run_for(heavy, move || lock(&held).recv()).await })
            })
            .collect();
        while numerics.waiting.load(Ordering::Relaxed) < 10 {
            tokio::task::yield_now().await;
        }
        // Before any of the heavy ones is done.
        assert_eq!(numerics.run_for(light, || 7).await.unwrap(), 7);
        // They take their turns in an order of their own.
        (0..10).for_each(|_| release.send(()).unwrap());
        for one in waiting {
            one.await.unwrap().unwrap().unwrap();
        }
        assert!(lock(&numerics.turns).is_empty());
        assert_eq!(numerics.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_panic_in_place_is_an_overload() {
        let numerics = Numerics::new(1, 1, NumericsMeters::default());
        assert_eq!(numerics.in_place(|| 3).ok(), Some(3));
        assert!(numerics.in_place(|| -> u8 { panic!("numerics") }).is_err());
        assert_eq!(numerics.meters.panics.get(), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn too_many_are_refused_and_a_panic_is_counted() {
        let numerics = Arc::new(Numerics::new(1, 1, NumericsMeters::default()));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let one = tokio::spawn({
            let numerics = Arc::clone(&numerics);
            async move { numerics.run(move || held.recv()).await }
        });
        while numerics.waiting.load(Ordering::Relaxed) < 1 {
            tokio::task::yield_now().await;
        }
        assert!(numerics.run(|| ()).await.is_err() && numerics.overload().is_some());
        release.send(()).unwrap();
        one.await.unwrap().unwrap().unwrap();
        assert!(numerics.run(|| panic!("a defect")).await.is_err());
        assert_eq!((numerics.meters.overloads.get(), numerics.meters.panics.get()), (1, 1));
        assert!(numerics.run(|| ()).await.is_ok() && numerics.overload().is_none());
    }
}
