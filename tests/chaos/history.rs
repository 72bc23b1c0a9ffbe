//! What was asked, told and answered, and whether it fits what is stored in the end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;

use serde::Serialize;
use serde_json::Value as Json;

use crate::servers::Found;

/// The last word on a request.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) replayed: bool,
    pub(crate) body: Json,
}

#[derive(Default)]
pub(crate) struct History {
    asked: Mutex<Vec<Asked>>,
    told: Mutex<Vec<Told>>,
}

struct Asked {
    study: String,
    worker: String,
    trial: Json,
    sticky: bool,
}

struct Told {
    study: String,
    number: u64,
    worker: String,
    body: Json,
    /// The status and the trial; `None` where it is not known whether it was heard.
    answer: Option<(u16, Json)>,
}

/// How much of it there was.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Counted {
    pub(crate) handed_out: usize,
    pub(crate) tells: usize,
    pub(crate) refused: usize,
    pub(crate) unknown: usize,
    pub(crate) trials: usize,
    pub(crate) events: usize,
    pub(crate) expired: usize,
    pub(crate) retried: usize,
}

impl History {
    pub(crate) fn asked(&self, study: &str, worker: &str, trials: &[Json], sticky: bool) {
        let of = |trial: &Json| Asked {
            study: study.to_owned(),
            worker: worker.to_owned(),
            trial: trial.clone(),
            sticky,
        };
        self.asked.lock().unwrap().extend(trials.iter().map(of));
    }

    pub(crate) fn told(&self, study: &str, number: u64, worker: &str, body: &Json, answer: Option<&Answer>) {
        let (study, worker) = (study.to_owned(), worker.to_owned());
        let answer = answer.map(|answer| (answer.status, answer.body.clone()));
        self.told.lock().unwrap().push(Told { study, number, worker, body: body.clone(), answer });
    }

    /// Checks everything.
    pub(crate) fn check(&self, found: &[Found]) -> Counted {
        let mut counted = Counted::default();
        for found in found {
            check_stored(found, &mut counted);
            self.check_asked(found, &mut counted);
            self.check_told(found, &mut counted);
        }
        counted
    }

    /// Whoever was given a trial was the only one, and it is there.
    fn check_asked(&self, found: &Found, counted: &mut Counted) {
        let mut holders: HashMap<(u64, String), String> = HashMap::new();
        let asked = self.asked.lock().unwrap();
        for asked in asked.iter().filter(|asked| asked.study == found.path) {
            let number = asked.trial["number"].as_u64().unwrap();
            let stored = usize::try_from(number).ok().and_then(|number| found.trials.get(number));
            let stored = stored.unwrap_or_else(|| panic!("trial {number} was handed out and is lost"));
            assert_eq!(stored["parameters"], asked.trial["parameters"], "trial {number}");
            assert_eq!(asked.trial["worker"], asked.worker, "trial {number}");
            let lease = (number, asked.trial["lease_token"].as_str().unwrap().to_owned());
            let before = holders.insert(lease, asked.worker.clone());
            // A worker that asks stickily is given again what it holds.
            let is_again = asked.sticky && before.as_ref() == Some(&asked.worker);
            assert!(before.is_none() || is_again, "a lease of trial {number} has two holders");
            counted.handed_out += 1;
        }
        let numbers: HashSet<u64> = holders.keys().map(|(number, _)| *number).collect();
        assert_eq!(numbers.len(), holders.len(), "a trial was handed out twice");
    }

    /// Every acknowledged tell is there, as it was told.
    fn check_told(&self, found: &Found, counted: &mut Counted) {
        let told = self.told.lock().unwrap();
        let mut heard: BTreeMap<u64, &Told> = BTreeMap::new();
        for told in told.iter().filter(|told| told.study == found.path) {
            match &told.answer {
                Some((200, trial)) => {
                    assert_eq!(trial["number"], told.number);
                    let first = heard.insert(told.number, told);
                    let same = first.is_none_or(|first| outcome(&first.body) == outcome(&told.body));
                    assert!(same, "two outcomes of trial {} were acknowledged", told.number);
                    counted.tells += 1;
                }
                Some(_) => counted.refused += 1,
                None => counted.unknown += 1,
            }
        }
        for (number, told) in heard {
            let stored = &found.trials[usize::try_from(number).unwrap()];
            let kept = outcome_of_trial(stored);
            assert_eq!(kept, outcome(&told.body), "what {} told of trial {number} is lost", told.worker);
        }
    }
}

/// What was told, in the words of a trial.
fn outcome(body: &Json) -> (String, Json) {
    if let Some(value) = body["metrics"]["loss"].as_f64() {
        return ("completed".to_owned(), value.into());
    }
    let state = if body["failed"].is_string() { "failed" } else { "abandoned" };
    (state.to_owned(), body[state].clone())
}

fn outcome_of_trial(trial: &Json) -> (String, Json) {
    let state = trial["state"].as_str().unwrap().to_owned();
    let said = match state.as_str() {
        "completed" => trial["metrics"]["loss"]["value"].clone(),
        _ => trial["reason"].clone(),
    };
    (state, said)
}

/// What is stored fits itself: numbers without gaps, each point once a replicate or as a retry of one trial, events one
/// behind the other, and only the changes of state that there are.
fn check_stored(found: &Found, counted: &mut Counted) {
    let mut points = HashSet::new();
    let mut retried = HashSet::new();
    let mut states: HashMap<&str, u64> = HashMap::new();
    for (at, trial) in found.trials.iter().enumerate() {
        assert_eq!(trial["number"], at, "numbers have no gaps");
        *states.entry(trial["state"].as_str().unwrap()).or_default() += 1;
        match trial["retry_of"].as_u64() {
            None => {
                let point = (trial["parameters"].to_string(), trial["replicate"].to_string());
                assert!(points.insert(point), "trial {at} has a point that was handed out before");
            }
            Some(of) => {
                let original = &found.trials[usize::try_from(of).unwrap()];
                assert_eq!(original["parameters"], trial["parameters"], "trial {at} retries another point");
                assert!(retried.insert(of), "trial {of} was retried twice");
                counted.retried += 1;
            }
        }
    }
    for (state, count) in found.study["trial_counts"].as_object().unwrap() {
        assert_eq!(states.get(state.as_str()).copied().unwrap_or(0), count.as_u64().unwrap(), "{state}");
    }
    let mut now: HashMap<u64, &str> = HashMap::new();
    for (at, event) in found.events.iter().enumerate() {
        assert_eq!(event["id"], at + 1, "revisions have no gaps");
        let Some(number) = event["number"].as_u64() else { continue };
        let kind = event["type"].as_str().unwrap();
        let before = now.get(&number).copied();
        let after = match (kind, before) {
            ("trial_created", None) => "running",
            ("trial_expired", Some("running")) => "expired",
            ("trial_revived", Some("expired")) => "running",
            ("trial_told", Some("running" | "expired")) => event["data"]["state"].as_str().unwrap(),
            ("trial_changed", Some(same)) => same,
            other => panic!("trial {number} made the change {other:?}: {event}"),
        };
        now.insert(number, after);
    }
    assert_eq!(found.study["revision"], found.events.len());
    for trial in &found.trials {
        let number = trial["number"].as_u64().unwrap();
        assert_eq!(now.get(&number).copied(), trial["state"].as_str(), "trial {number}");
    }
    counted.trials += found.trials.len();
    counted.events += found.events.len();
    counted.expired += states.get("expired").map_or(0, |count| usize::try_from(*count).unwrap());
}
