//! Fits that outlive the process: the advisor's [`KeptFits`] in the store, read by threads of numerics.
//!
//! A fit is only taken from numerics like these: of the same sources, on a processor that rounds alike.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::advisor::{FitKey, KeptFits};
use crate::store::Store;
use crate::surrogate::Fitted;

/// How long a computation waits for the store. A fit that takes longer to read is made instead.
const PATIENCE: Duration = Duration::from_millis(200);

/// Fits in a store.
pub(super) struct StoredFits {
    store: Arc<dyn Store>,
    made_by: Arc<str>,
    runtime: Handle,
}

impl StoredFits {
    /// Those of `store`, which is reached through the runtime that this is called in.
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, made_by: numerics().into(), runtime: Handle::current() }
    }
}

impl KeptFits for StoredFits {
    fn get(&self, key: &FitKey) -> Option<Fitted> {
        let (sender, receiver) = mpsc::channel();
        let (store, made_by, key) = (Arc::clone(&self.store), Arc::clone(&self.made_by), *key);
        self.runtime.spawn(async move {
            // Whoever waited has gone on where this fails.
            drop(sender.send(store.kept_fit(&key, &made_by).await));
        });
        match receiver.recv_timeout(PATIENCE) {
            Ok(Ok(kept)) => kept.and_then(|kept| serde_json::from_str(&kept).ok()),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a fit could not be read, and is made again");
                None
            }
            Err(_) => None,
        }
    }

    fn put(&self, key: &FitKey, fitted: &Fitted) {
        let Some(kept) = written(fitted) else { return };
        let (store, made_by, key) = (Arc::clone(&self.store), Arc::clone(&self.made_by), *key);
        self.runtime.spawn(async move {
            if let Err(error) = store.keep_fit(&key, &made_by, &kept).await {
                tracing::debug!(%error, "a fit could not be kept");
            }
        });
    }
}

/// A fit as it is kept; `None` where it would not be read back to the last bit.
fn written(fitted: &Fitted) -> Option<String> {
    let kept = serde_json::to_string(fitted).ok()?;
    let read: Fitted = serde_json::from_str(&kept).ok()?;
    (read == *fitted).then_some(kept)
}

/// What the numbers of a fit depend on beside what it was fitted to.
fn numerics() -> String {
    let release = concat!(env!("CARGO_PKG_VERSION"), "-", env!("TELLUS_NUMERICS"));
    format!("{release} {} {}", std::env::consts::ARCH, processor().join(" "))
}

#[cfg(target_arch = "x86_64")]
fn processor() -> Vec<&'static str> {
    let features = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    features.into_iter().filter_map(|(name, has)| has.then_some(name)).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn processor() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surrogate::{Distance, Matern52, Seen, Shaping};

    #[test]
    fn a_fit_is_read_back_to_the_last_bit() {
        let inputs: Vec<f64> = (0..30).map(|i| f64::from(i) * 0.618_034 % 1.0).collect();
        let values: Vec<f64> = inputs.iter().map(|x| (6.0 * x).sin().exp() / 3.0).collect();
        let shaping = Shaping::Transformed;
        let seen = Seen { errors: vec![0.0; 30], inputs, values, shaping, ..Seen::default() };
        let kernel = Matern52::new(&[Distance::Numeric], &[1.0], 1.0);
        let fitted = seen.fit(&kernel, -1.0, 1).unwrap();
        assert!(fitted.tried.len() > 1);
        let kept = written(&fitted).unwrap();
        assert_eq!(serde_json::from_str::<Fitted>(&kept).unwrap(), fitted);
        let unreadable = Fitted { tried: vec![("none".into(), f64::NEG_INFINITY)], ..fitted };
        assert!(written(&unreadable).is_none());
    }

    #[test]
    fn numerics_are_named_by_release_sources_and_processor() {
        let named = numerics();
        assert!(named.starts_with(env!("CARGO_PKG_VERSION")) && named.contains(std::env::consts::ARCH));
        assert_eq!(env!("TELLUS_NUMERICS").len(), 16);
    }
}
