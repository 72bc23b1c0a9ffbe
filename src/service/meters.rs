//! What is counted and timed for whoever watches the service: how much was asked and told, how long each phase of an ask
//! took, what waits for a thread, and how often the numerics needed help.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::advisor::{Advisor, origin};
use crate::study::{Trial, TrialState};

type One = [(&'static str, &'static str); 1];
type Named = [(&'static str, String); 1];
type Route = [(&'static str, String); 3];

/// Bounds of the histograms of times: 0.5 ms to about a minute.
fn times() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 18))
}

/// The parts of an ask.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    /// Reading what changed of the study.
    Snapshot,
    /// Computing, or finding what was computed ahead.
    Suggest,
    /// Writing the trials.
    Commit,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Suggest => "suggest",
            Self::Commit => "commit",
        }
    }
}

/// What the pool of numerics counts.
#[derive(Clone, Default)]
pub(super) struct NumericsMeters {
    /// Computations that wait for a thread or have one.
    pub(super) queue: Gauge,
    /// Refused because too many waited.
    pub(super) overloads: Counter,
    /// Ended by a panic.
    pub(super) panics: Counter,
}

/// The counters and clocks of one service.
pub struct Meters {
    registry: Registry,
    requests: Family<Route, Counter>,
    request_times: Family<Named, Histogram, fn() -> Histogram>,
    handed_out: Family<Named, Counter>,
    told: Family<One, Counter>,
    phases: Family<One, Histogram, fn() -> Histogram>,
    failures: Counter,
    ahead: Family<One, Counter>,
    pub(super) numerics: NumericsMeters,
}

impl Meters {
    pub(super) fn new(advisor: Arc<Advisor>) -> Self {
        let mut registry = Registry::with_prefix("tellus");
        let requests = Family::default();
        registry.register("requests", "Requests, by route, method and status", requests.clone());
        let request_times = Family::new_with_constructor(times as fn() -> Histogram);
        let help = "How long requests took, by route";
        registry.register_with_unit("request", help, Unit::Seconds, request_times.clone());
        let handed_out = Family::default();
        registry.register("asks", "Trials handed out, by what proposed them", handed_out.clone());
        let told = Family::default();
        registry.register("tells", "Outcomes told, by the state they left the trial in", told.clone());
        let phases = Family::new_with_constructor(times as fn() -> Histogram);
        let help = "How long the phases of asks took: snapshot, suggest, commit";
        registry.register_with_unit("ask_phase", help, Unit::Seconds, phases.clone());
        let failures = Counter::default();
        let help = "Suggestions of the space-filling design in place of a model that failed";
        registry.register("model_failures", help, failures.clone());
        let ahead = Family::default();
        let help = "Asks whose points were computed before they were asked for (hit), or not (miss)";
        registry.register("ahead", help, ahead.clone());
        let numerics = NumericsMeters::default();
        let help = "Computations that have a thread or wait for one";
        registry.register("numerics_queue", help, numerics.queue.clone());
        let help = "Computations refused because too many waited";
        registry.register("numerics_overloads", help, numerics.overloads.clone());
        registry.register("numerics_panics", "Computations ended by a defect", numerics.panics.clone());
        registry.register_collector(Box::new(OfAdvisor(advisor)));
        Self { registry, requests, request_times, handed_out, told, phases, failures, ahead, numerics }
    }

    /// Counts a request that was answered. `route` and `method` are of a bounded number of names.
    pub fn request(&self, route: &str, method: &str, status: u16, took: Duration) {
        let labels =
            [("route", route.to_owned()), ("method", method.to_owned()), ("status", status.to_string())];
        self.requests.get_or_create(&labels).inc();
        self.request_times.get_or_create(&[("route", route.to_owned())]).observe(took.as_secs_f64());
    }

    /// Counts an outcome that was told.
    pub fn told(&self, state: TrialState) {
        self.told.get_or_create(&[("state", state.name())]).inc();
    }

    pub(super) fn handed_out(&self, trials: &[Trial]) {
        for trial in trials {
            self.handed_out.get_or_create(&[("origin", trial.origin.clone())]).inc();
            if trial.origin == origin::FALLBACK {
                self.failures.inc();
            }
        }
    }

    pub(super) fn phase(&self, phase: Phase, begin: Instant) {
        self.phases.get_or_create(&[("phase", phase.name())]).observe(begin.elapsed().as_secs_f64());
    }

    pub(super) fn looked_ahead(&self, is_known: bool) {
        let result = if is_known { "hit" } else { "miss" };
        self.ahead.get_or_create(&[("result", result)]).inc();
    }

    /// All of it, as OpenMetrics text.
    ///
    /// # Errors
    /// Never in practice: it is written to memory.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut written = String::new();
        text::encode(&mut written, &self.registry)?;
        Ok(written)
    }
}

/// What the advisor counts by itself: it knows nothing of who watches.
struct OfAdvisor(Arc<Advisor>);

impl fmt::Debug for OfAdvisor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OfAdvisor")
    }
}

impl Collector for OfAdvisor {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let counts = self.0.counts();
        for (name, help, count) in [
            ("memo_hits", "Fits that were remembered", counts.memo_hits),
            ("memo_misses", "Fits that were made", counts.memo_misses),
            ("jitter_escalations", "Factorizations that needed jitter on the diagonal", counts.jitters),
        ] {
            let counter = ConstCounter::new(count);
            let metric = encoder.encode_descriptor(
                name,
                help,
                None,
                prometheus_client::encoding::EncodeMetric::metric_type(&counter),
            )?;
            counter.encode(metric)?;
        }
        Ok(())
    }
}
