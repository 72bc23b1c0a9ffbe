//! The memo of fits: what was fitted, by the content of the data they were fitted to.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::surrogate::Fitted;

/// How many fits are remembered; the oldest go first.
const CAPACITY: usize = 4096;

/// The digest of a fit's inputs.
pub(super) type FitKey = [u8; 32];

/// Remembers fits. Forgetting one costs the time of the fit and changes nothing.
#[derive(Default)]
pub(super) struct FitMemo {
    fits: Mutex<Fits>,
    hits: AtomicU64,
    misses: AtomicU64,
    jitters: AtomicU64,
}

/// How often what happened, since the advisor was made. It bears on no suggestion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Fits that were remembered.
    pub memo_hits: u64,
    /// Fits that were made.
    pub memo_misses: u64,
    /// Factorizations that needed jitter.
    pub jitters: u64,
}

#[derive(Default)]
struct Fits {
    by_key: HashMap<FitKey, Fitted>,
    order: VecDeque<FitKey>,
}

impl FitMemo {
    /// The fit under `key`, made by `fit` where it is not remembered.
    pub(super) fn get_or<E>(
        &self,
        key: FitKey,
        fit: impl FnOnce() -> Result<Fitted, E>,
    ) -> Result<Fitted, E> {
        if let Some(known) = self.lock().by_key.get(&key) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(known.clone());
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let made = fit()?;
        let mut fits = self.lock();
        if fits.by_key.insert(key, made.clone()).is_none() {
            fits.order.push_back(key);
            if fits.order.len() > CAPACITY
                && let Some(oldest) = fits.order.pop_front()
            {
                fits.by_key.remove(&oldest);
            }
        }
        Ok(made)
    }

    /// A factorization needed this much jitter.
    pub(super) fn saw_jitter(&self, jitter: f64) {
        if jitter > 0.0 {
            self.jitters.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts { memo_hits: read(&self.hits), memo_misses: read(&self.misses), jitters: read(&self.jitters) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Fits> {
        // A panic elsewhere leaves the map as it was: it is only ever inserted into whole.
        self.fits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of a fit to these numbers.
pub(super) fn key(seed: u64, parts: &[&[f64]]) -> FitKey {
    let mut digest = Sha256::new();
    digest.update(seed.to_le_bytes());
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        for number in *part {
            digest.update(number.to_bits().to_le_bytes());
        }
    }
    digest.finalize().into()
}
