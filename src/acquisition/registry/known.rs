//! What there is to set of the algorithms.

use crate::acquisition::settings::{Range, Setting};

const fn integer(name: &'static str, purpose: &'static str, default: u32, high: u32) -> Setting {
    Setting { name, purpose, range: Range::Integer { default, low: 1, high } }
}

pub(super) const MARGIN: Setting = Setting {
    name: "margin",
    purpose: "by how much to improve, in standard deviations of the objective's values",
    range: Range::Number { default: 0.01, low: 0.0, high: 10.0 },
};
pub(super) const SCHEDULE: Setting = Setting {
    name: "schedule",
    purpose: "whether beta grows with the trials or is fixed",
    range: Range::Choice(&["growing", "fixed"]),
};
pub(super) const BETA: Setting = Setting {
    name: "beta",
    purpose: "the fixed weight of the variance: the bound is mean + sqrt(beta) sd",
    range: Range::Number { default: 4.0, low: 0.0, high: 1e4 },
};
pub(super) const DOMAIN: Setting = Setting {
    name: "domain",
    purpose: "where the drawn function is maximized: the continuum, or exactly on points spread over it",
    range: Range::Choice(&["continuum", "grid"]),
};
pub(super) const SAMPLES: Setting =
    integer("samples", "quasi-random samples of what the evaluated points are worth", 64, 1024);
pub(super) const FRONTS: Setting = integer("samples", "quasi-random samples of the front", 16, 256);
pub(super) const OUTCOMES: Setting = integer("outcomes", "quantiles of the imagined outcome", 8, 128);
pub(super) const STARTS: Setting = integer("starts", "places to ascend from", 4, 64);
pub(super) const STEPS: Setting = integer("steps", "steps from each start", 30, 1000);
pub(super) const DRAWS: Setting = integer("draws", "draws of the outcome for a gradient", 4, 256);
pub(super) const DECAY: Setting = Setting {
    name: "decay",
    purpose: "a in the length a/(a + t) of step t",
    range: Range::Number { default: 4.0, low: 0.1, high: 1e3 },
};
pub(super) const MAXIMA: Setting = integer("maxima", "drawn maxima to average over", 16, 256);
pub(super) const CONDITIONED: Setting = integer("maxima", "drawn maxima to average over", 8, 128);
pub(super) const DRAWN_BY: Setting = Setting {
    name: "drawn_by",
    purpose: "how maxima are drawn: from a Gumbel distribution or as those of drawn functions",
    range: Range::Choice(&["gumbel", "paths"]),
};
pub(super) const POINTS: Setting = Setting {
    name: "points",
    purpose: "points that stand for the domain",
    range: Range::Integer { default: 150, low: 2, high: 1000 },
};
pub(super) const DRAWN: Setting = integer("samples", "joint samples at the points", 256, 4096);
