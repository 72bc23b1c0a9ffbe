//! What an ask is given: first the worker's own open trials (where the ask is sticky), then queued trials, then the
//! points of expired trials (where the study retries them), and new points for the rest.

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskRequest {
    /// How many trials, from 1 to 256.
    pub count: usize,
    /// Who will evaluate them.
    pub worker: Option<String>,
    /// Length of the lease in seconds, `Some(None)` for ever; where absent, the study's default.
    pub lease_seconds: Option<Option<u64>>,
    /// Return the worker's open trials first.
    pub sticky: bool,
}

/// The trials that an ask may be given, each list in the order in which they are handed out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Running trials of the worker that asks.
    pub open: Vec<u64>,
    /// Queued trials.
    pub queued: Vec<u64>,
    /// Expired trials to be retried: none where the study does not retry.
    pub expired: Vec<u64>,
}

/// How an ask is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The worker's own open trials.
    pub again: Vec<u64>,
    /// Queued trials to be handed out.
    pub queued: Vec<u64>,
    /// Expired trials whose points are handed out again as new trials.
    pub retried: Vec<u64>,
    /// How many new points are needed.
    pub fresh: usize,
}

/// Plans the answer to `request`. `budget_left`: how many trials may still be handed out; open trials were already.
pub fn plan_ask(request: &AskRequest, waiting: &Waiting, budget_left: u64) -> Plan {
    let mut wanted = request.count;
    let mut take = |from: &[u64], most: usize| -> Vec<u64> {
        let taken: Vec<u64> = from.iter().copied().take(most.min(wanted)).collect();
        wanted -= taken.len();
        taken
    };
    let again = if request.sticky { take(&waiting.open, usize::MAX) } else { Vec::new() };
    let left = usize::try_from(budget_left).unwrap_or(usize::MAX);
    let queued = take(&waiting.queued, left);
    let left = left - queued.len();
    let retried = take(&waiting.expired, left);
    let left = left - retried.len();
    Plan { again, queued, retried, fresh: wanted.min(left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(count: usize, sticky: bool) -> AskRequest {
        AskRequest { count, worker: Some("w".into()), lease_seconds: None, sticky }
    }

    fn waiting() -> Waiting {
        Waiting { open: vec![3, 5], queued: vec![7, 8], expired: vec![1] }
    }

    #[test]
    fn gives_what_waits_before_new_points() {
        let plan = plan_ask(&request(7, true), &waiting(), u64::MAX);
        let expected = Plan { again: vec![3, 5], queued: vec![7, 8], retried: vec![1], fresh: 2 };
        assert_eq!(plan, expected);
    }

    #[test]
    fn leaves_open_trials_alone_unless_sticky() {
        let plan = plan_ask(&request(2, false), &waiting(), u64::MAX);
        assert_eq!(plan, Plan { queued: vec![7, 8], ..Plan::default() });
    }

    #[test]
    fn stops_at_the_budget_but_returns_open_trials() {
        let plan = plan_ask(&request(9, true), &waiting(), 1);
        assert_eq!(plan, Plan { again: vec![3, 5], queued: vec![7], ..Plan::default() });
        assert_eq!(plan_ask(&request(4, false), &waiting(), 0), Plan::default());
    }
}
