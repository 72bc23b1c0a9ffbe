//! `tellus run` on a real command that crashes and hangs, is killed and interrupted: every trial is accounted for.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::Server;
use serde_json::Value as Json;

const STUDY: &str = r#"
name = "crashing"
seed = 1
default_lease_seconds = 60

[[parameters]]
name = "x"
type = "float"
low = -1
high = 1

[[parameters]]
name = "kind"
type = "categorical"
choices = ["a", "b"]

[[parameters]]
name = "power"
type = "int"
low = 1
high = 3
when.kind = ["b"]

[algorithm]
acquisition = "space_filling"

[[metrics]]
name = "loss"
goal = "minimize"
"#;

/// Every fifth trial crashes, one in twenty hangs together with a process that it starts; a `power` comes with kind b.
const PROGRAM: &str = r#"
number=$1; shift
echo "trial $number starts" >&2
case $((number % 20)) in 0|5|10|15) echo "out of memory" >&2; exit 3;; 7) sleep 60 & sleep 60;; esac
case "$*" in *"--kind a --power"*|*"--kind b") echo "wrong flags: $*" >&2; exit 4;; esac
echo '{"loss": 9}'
echo "{\"loss\": $number.5, \"seen\": \"$*\"}"
echo "that was trial $number"
"#;

fn tellus(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tellus"));
    command.current_dir(directory).env_remove("TELLUS_URL").env_remove("DATABASE_URL").stdin(Stdio::null());
    command
}

/// A directory with the study and the program in it.
fn place() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("study.toml"), STUDY).unwrap();
    std::fs::write(directory.path().join("program.sh"), PROGRAM).unwrap();
    directory
}

fn run(directory: &Path, options: &[&str], program: &[&str]) -> Command {
    let mut command = tellus(directory);
    command.args(["run", "study.toml"]).args(options).arg("--").args(program);
    command
}

const COMMAND: [&str; 7] = ["sh", "program.sh", "{trial}", "--kind", "{kind}", "--power", "{power}"];

fn output(mut command: Command) -> (bool, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn trials(directory: &Path) -> Vec<Json> {
    let mut command = tellus(directory);
    command.args(["trials", "crashing", "--json"]);
    let (is_well, lines, errors) = output(command);
    assert!(is_well, "{errors}");
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn states(trials: &[Json]) -> BTreeMap<String, usize> {
    let mut states = BTreeMap::new();
    for trial in trials {
        *states.entry(trial["state"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    states
}

#[test]
fn crashes_and_hangs_are_told_and_every_trial_is_accounted_for() {
    let directory = place();
    let here = directory.path();
    let began = Instant::now();
    let (is_well, lines, errors) =
        output(run(here, &["-n", "40", "-j", "4", "--timeout", "1.5", "--logs", "logs"], &COMMAND));
    assert!(is_well, "{lines}\n{errors}");
    assert!(began.elapsed() < Duration::from_secs(40), "what hangs is ended with what it started");
    let trials = trials(here);
    assert_eq!(trials.len(), 40);
    for trial in &trials {
        let number = trial["number"].as_u64().unwrap();
        let reason = trial["reason"].as_str().unwrap_or_default();
        match number % 20 {
            0 | 5 | 10 | 15 => {
                assert_eq!(trial["state"], "failed");
                assert!(reason.contains('3') && reason.contains("out of memory"), "{reason}");
            }
            7 => assert!(trial["state"] == "failed" && reason.contains("timed out"), "{trial}"),
            _ => assert_eq!(trial["metrics"]["loss"]["value"].as_f64(), Some(number as f64 + 0.5), "{trial}"),
        }
        let log = std::fs::read_to_string(here.join(format!("logs/{number}.log"))).unwrap();
        assert!(log.contains("starts"), "{log}");
    }
    assert!(lines.contains("best   1  completed  loss 1.5"), "{lines}");

    let mut best = tellus(here);
    best.args(["best", "crashing"]);
    assert!(output(best).1.contains("loss 1.5"));
    let mut csv = tellus(here);
    csv.args(["trials", "crashing", "--csv"]);
    let csv = output(csv).1;
    assert_eq!(csv.lines().count(), 41);
    assert!(csv.starts_with("number,state,reason,origin"), "{csv}");
    let mut plot = tellus(here);
    plot.args(["plot", "crashing", "--output", "picture.svg"]);
    assert!(output(plot).0);
    assert!(std::fs::read_to_string(here.join("picture.svg")).unwrap().matches("<circle").count() == 30);
    // The study has its trials: the same command has nothing left to do.
    assert!(output(run(here, &["-n", "40"], &COMMAND)).0);
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let directory = place();
    let here = directory.path();
    let slow = ["sh", "-c", "sleep 0.5; echo '{\"loss\": 1}'", "{x}"];
    let mut first = run(here, &["-n", "12", "-j", "2", "--lease", "3"], &slow);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    first.kill().unwrap();
    first.wait().unwrap();
    let before = states(&trials(here)).get("completed").copied().unwrap_or(0);
    assert!((1..12).contains(&before), "it was killed in the middle: {before}");
    let (is_well, lines, errors) = output(run(here, &["-n", "12", "-j", "2", "--lease", "3"], &slow));
    assert!(is_well, "{errors}");
    assert!(lines.contains(&format!("going on from {before} of 12 trials")), "{lines}");
    let states = states(&trials(here));
    assert_eq!(states["completed"], 12);
    let left = states.get("running").copied().unwrap_or(0) + states.get("expired").copied().unwrap_or(0);
    assert!(left <= 2 && states.len() <= 3, "{states:?}");
}

#[test]
fn an_interrupted_run_gives_its_trials_up() {
    let directory = place();
    let here = directory.path();
    let mut command = run(here, &["-n", "9", "-j", "2"], &["sleep", "60"]);
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert!(!running.wait().unwrap().success());
    let trials = trials(here);
    assert_eq!(states(&trials), BTreeMap::from([("abandoned".to_owned(), 2)]));
    assert_eq!(trials[0]["reason"], "interrupted");
}

#[test]
fn what_cannot_be_run_is_said() {
    let directory = place();
    let here = directory.path();
    let (is_well, _, errors) = output(run(here, &["-n", "1"], &["echo", "{rate}"]));
    assert!(!is_well && errors.contains("{rate}") && errors.contains("x, kind, power"), "{errors}");
    let (_, lines, _) = output(run(here, &["-n", "3"], &["./there-is-none"]));
    assert!(lines.contains("cannot be started"), "{lines}");
    assert_eq!(states(&trials(here)), BTreeMap::from([("abandoned".to_owned(), 1)]));
    let (is_well, _, errors) = output(run(here, &[], &["true"]));
    assert!(!is_well && errors.contains("--trials"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_elsewhere_is_used_and_watched() {
    let directory = place();
    let here = directory.path().to_owned();
    let server = Server::start(&format!("sqlite:{}", here.join("t.sqlite").display())).await;
    let url = server.url.clone();
    let lines = tokio::task::spawn_blocking(move || {
        let options = ["-n", "4", "--url", &url];
        let command = ["echo", "{\"loss\": {x}}"];
        let (is_well, _, errors) = output(run(&here, &options, &command));
        assert!(is_well, "{errors}");
        let mut watch = tellus(&here);
        watch.args(["watch", "crashing", "--after", "0", "--url", &url]).stdout(Stdio::piped());
        let watch = watch.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(500));
        (watch, url)
    });
    let (watch, _) = lines.await.unwrap();
    let (_, studies) = server.get("/v1/studies?name=crashing").await;
    let path = format!("/v1/studies/{}", studies["studies"][0]["id"].as_str().unwrap());
    assert_eq!(studies["studies"][0]["trial_counts"]["completed"], 4);
    server.patch(&path, serde_json::json!({"state": "completed"})).await;
    let watched = tokio::task::spawn_blocking(move || watch.wait_with_output().unwrap()).await.unwrap();
    let watched = String::from_utf8_lossy(&watched.stdout).into_owned();
    assert!(watched.contains("study_created") && watched.contains("trial_told  trial 3"), "{watched}");
}
