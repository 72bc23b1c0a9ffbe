//! The memo of fits: what was fitted, by the content of the data they were fitted to.

use std::collections::{HashMap, VecDeque};
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
            return Ok(known.clone());
        }
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
