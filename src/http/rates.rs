//! How many requests a minute a project may make of this server, by its quotas.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::{Cause, Problem};
use crate::store::access::Quotas;
use crate::store::{Store, StoreError};

/// How long a project's quotas are not looked up again.
const REMEMBERED: Duration = Duration::from_secs(5);
/// How many projects are remembered; those looked up longest ago go first.
const CAPACITY: usize = 4096;

/// The rates of projects.
#[derive(Default)]
pub(super) struct Rates(Mutex<HashMap<String, Arc<Limits>>>);

/// A project's limits, and when its quotas were looked up; `None`: they have changed since. A rate of zero has no limiter: it lets nothing through.
struct Limits {
    read_at: Option<Instant>,
    requests: Limit,
    asks: Limit,
}

/// So many a minute, and who counts them.
#[derive(Clone)]
struct Limit {
    a_minute: Option<u64>,
    limiter: Option<Arc<DefaultDirectRateLimiter>>,
}

impl Limit {
    fn new(a_minute: Option<u64>) -> Self {
        let rate = a_minute.and_then(|rate| NonZeroU32::new(u32::try_from(rate).unwrap_or(u32::MAX)));
        Self { a_minute, limiter: rate.map(|rate| Arc::new(RateLimiter::direct(Quota::per_minute(rate)))) }
    }

    /// The same limit goes on counting.
    fn renewed(&self, a_minute: Option<u64>) -> Self {
        if self.a_minute == a_minute { self.clone() } else { Self::new(a_minute) }
    }

    fn admit(&self, what: &str) -> Result<(), Problem> {
        let Some(a_minute) = self.a_minute else { return Ok(()) };
        let wait = match &self.limiter {
            None => Duration::from_secs(60),
            Some(limiter) => match limiter.check() {
                Ok(()) => return Ok(()),
                Err(refused) => refused.wait_time_from(DefaultClock::default().now()),
            },
        };
        let seconds = wait.as_secs_f64().ceil().max(1.0);
        let detail = format!("the project may make {a_minute} {what} a minute; try again in {seconds} s");
        Err(Problem::new(Cause::RateLimited, detail).after(seconds as u64))
    }
}

impl Rates {
    /// Counts a request of a project.
    ///
    /// # Errors
    /// [`Cause::RateLimited`] where there were too many, or that the database does not answer.
    pub(super) async fn admit(&self, store: &dyn Store, project: &str, is_ask: bool) -> Result<(), Problem> {
        let limits = self.limits(store, project).await?;
        limits.requests.admit("requests")?;
        if is_ask { limits.asks.admit("asks") } else { Ok(()) }
    }

    async fn limits(&self, store: &dyn Store, project: &str) -> Result<Arc<Limits>, Problem> {
        let known = self.locked().get(project).cloned();
        if let Some(known) = &known
            && known.read_at.is_some_and(|at| at.elapsed() < REMEMBERED)
        {
            return Ok(Arc::clone(known));
        }
        let quotas = match store.project(project).await {
            Ok(record) => record.quotas,
            Err(StoreError::NoProject(_)) => Quotas::default(),
            Err(error) => return Err(error.into()),
        };
        let limit = |known: Option<&Limit>, a_minute| {
            known.map_or_else(|| Limit::new(a_minute), |known| known.renewed(a_minute))
        };
        let limits = Arc::new(Limits {
            read_at: Some(Instant::now()),
            requests: limit(known.as_ref().map(|known| &known.requests), quotas.requests_a_minute),
            asks: limit(known.as_ref().map(|known| &known.asks), quotas.asks_a_minute),
        });
        let mut projects = self.locked();
        if projects.len() >= CAPACITY {
            let oldest =
                projects.iter().min_by_key(|(_, limits)| limits.read_at).map(|(name, _)| name.clone());
            oldest.map(|name| projects.remove(&name));
        }
        projects.insert(project.to_owned(), Arc::clone(&limits));
        Ok(limits)
    }

    /// The quotas of a project were changed through this server: they hold from now on, and what was counted counts.
    pub(super) fn changed(&self, project: &str) {
        if let Some(known) = self.locked().get_mut(project) {
            let (requests, asks) = (known.requests.clone(), known.asks.clone());
            *known = Arc::new(Limits { read_at: None, requests, asks });
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Limits>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_and_says_when_to_come_again() {
        let limit = Limit::new(Some(3));
        for _ in 0..3 {
            limit.admit("asks").unwrap();
        }
        assert_eq!(limit.admit("asks").unwrap_err().status(), 429);
        // What is looked up again counts on, and another rate begins anew.
        assert!(limit.renewed(Some(3)).admit("asks").is_err());
        assert!(limit.renewed(Some(4)).admit("asks").is_ok());
        assert!(Limit::new(Some(0)).admit("asks").is_err());
        assert!((0..10_000).all(|_| Limit::new(None).admit("asks").is_ok()));
    }
}
