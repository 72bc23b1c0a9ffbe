//! The memo of fits: what was fitted, by the content of the data they were fitted to. Behind it there may be a place that
//! outlives the process, for the fits that take long.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::surrogate::Fitted;

/// How many fits are remembered; the oldest go first.
const CAPACITY: usize = 4096;

/// The digest of a fit's inputs.
pub type FitKey = [u8; 32];

/// Where fits are kept beyond this process. It may forget, and has nothing while it cannot be reached: the fit is made again.
pub trait KeptFits: Send + Sync {
    /// The fit under a key: as it was kept, to the last bit, or none.
    fn get(&self, key: &FitKey) -> Option<Fitted>;

    /// Keeps a fit. Does not wait for it to be kept.
    fn put(&self, key: &FitKey, fitted: &Fitted);
}

/// Whether a fit takes long enough to be kept beyond this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// It is made again sooner than it is read.
    Little,
    /// It is kept.
    Much,
}

/// Remembers fits. Forgetting one costs the time of the fit and changes nothing.
#[derive(Default)]
pub(super) struct FitMemo {
    fits: Mutex<Fits>,
    hits: AtomicU64,
    misses: AtomicU64,
    jitters: AtomicU64,
    kept: Option<Box<dyn KeptFits>>,
}

/// How often what happened, since the advisor was made. It bears on no suggestion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Fits that were remembered, here or beyond this process.
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
    /// With a place beyond this process.
    pub(super) fn beside(kept: Box<dyn KeptFits>) -> Self {
        Self { kept: Some(kept), ..Self::default() }
    }

    /// The fit under `key`, made by `fit` where it is not remembered, or what was kept does not suit.
    pub(super) fn get_or<E>(
        &self,
        key: FitKey,
        effort: Effort,
        suits: impl Fn(&Fitted) -> bool,
        fit: impl FnOnce() -> Result<Fitted, E>,
    ) -> Result<Fitted, E> {
        if let Some(known) = self.lock().by_key.get(&key) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(known.clone());
        }
        let kept = self.kept.as_ref().filter(|_| effort == Effort::Much);
        if let Some(known) = kept.and_then(|kept| kept.get(&key)).filter(suits) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            self.remember(key, &known);
            return Ok(known);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let made = fit()?;
        self.remember(key, &made);
        if let Some(kept) = kept {
            kept.put(&key, &made);
        }
        Ok(made)
    }

    fn remember(&self, key: FitKey, fitted: &Fitted) {
        let mut fits = self.lock();
        if fits.by_key.insert(key, fitted.clone()).is_none() {
            fits.order.push_back(key);
            if fits.order.len() > CAPACITY
                && let Some(oldest) = fits.order.pop_front()
            {
                fits.by_key.remove(&oldest);
            }
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::surrogate::{Hyperparameters, Noise, Output};

    /// Keeps fits in memory, where two memos find them.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<HashMap<FitKey, Fitted>>>);

    impl KeptFits for Shared {
        fn get(&self, key: &FitKey) -> Option<Fitted> {
            self.0.lock().unwrap().get(key).cloned()
        }

        fn put(&self, key: &FitKey, fitted: &Fitted) {
            self.0.lock().unwrap().insert(*key, fitted.clone());
        }
    }

    fn any(_: &Fitted) -> bool {
        true
    }

    fn fitted(mean: f64) -> Fitted {
        let hyperparameters = Hyperparameters { kernel: vec![0.3], noise: Noise::default(), mean };
        Fitted { output: Output::signed(1.0), hyperparameters, samples: Vec::new(), tried: Vec::new() }
    }

    #[test]
    fn what_took_long_is_found_by_another_memo_and_the_rest_is_made_again() {
        let shared = Shared::default();
        let [first, second] = [(); 2].map(|()| FitMemo::beside(Box::new(shared.clone())));
        let (dear, cheap) = (key(1, &[&[0.5]]), key(2, &[&[0.5]]));
        let make = |mean| move || Ok::<_, ()>(fitted(mean));
        assert_eq!(first.get_or(dear, Effort::Much, any, make(1.0)), Ok(fitted(1.0)));
        assert_eq!(first.get_or(cheap, Effort::Little, any, make(2.0)), Ok(fitted(2.0)));
        assert_eq!(second.get_or(dear, Effort::Much, any, make(3.0)), Ok(fitted(1.0)));
        assert_eq!(second.get_or(cheap, Effort::Little, any, make(4.0)), Ok(fitted(4.0)));
        // What does not suit is made again, and not remembered for another.
        let other = FitMemo::beside(Box::new(shared.clone()));
        let is_other = |kept: &Fitted| kept.hyperparameters.mean != 1.0;
        assert_eq!(other.get_or(dear, Effort::Much, is_other, make(5.0)), Ok(fitted(5.0)));
        // Once read, it is remembered here.
        shared.0.lock().unwrap().clear();
        assert_eq!(second.get_or(dear, Effort::Much, any, || Err(())), Ok(fitted(1.0)));
        assert_eq!(second.counts(), Counts { memo_hits: 2, memo_misses: 1, jitters: 0 });
        assert_eq!(first.counts(), Counts { memo_hits: 0, memo_misses: 2, jitters: 0 });
    }

    #[test]
    fn the_oldest_fits_are_forgotten_first() {
        let memo = FitMemo::default();
        let keys: Vec<FitKey> = (0..=CAPACITY as u64).map(|seed| key(seed, &[])).collect();
        for key in &keys {
            memo.get_or(*key, Effort::Little, any, || Ok::<_, ()>(fitted(0.0))).unwrap();
        }
        assert!(memo.get_or(keys[0], Effort::Little, any, || Err(())).is_err());
        assert!(memo.get_or(keys[CAPACITY], Effort::Little, any, || Err(())).is_ok());
    }
}
