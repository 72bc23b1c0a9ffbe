//! Several objectives at once: the hypervolume that a point is expected to add to what the front dominates.
//!
//! | file | about | by |
//! | --- | --- | --- |
//! | `cells` | the part of the outcome space that the front does not dominate, as boxes; closed forms over them | Emmerich et al. 2011; Lacour, Klamroth & Fonseca 2017 |
//! | `expected` | EHVI over the front of posterior means, exact for any number of objectives | Emmerich et al. 2011; Yang et al. 2019 |
//! | `noisy` | EHVI integrated over what the front really is, by quasi Monte Carlo, with awaited points | Daulton, Balandat & Bakshy, arXiv 2006.05078, 2105.08195 |
//!
//! All in log space (Ament et al., arXiv 2310.20708). The number of boxes grows with the front's size to the power of the
//! objectives less one; with four objectives or more the front is thinned to keep it bounded.

mod cells;
mod expected;
mod noisy;

pub use cells::{Cells, inferred_reference};
pub use expected::ExpectedHypervolumeImprovement;
pub use noisy::NoisyExpectedHypervolumeImprovement;
