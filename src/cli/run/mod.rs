//! `tellus run study.toml -- command {parameter}`: any command as an objective.
//!
//! Each of `-j` threads asks for a trial, runs the command, and tells what it printed. A trial is held by a short lease
//! that is extended while its command runs: what a killed `tellus run` was doing expires by itself, and the same command
//! goes on from what the service knows. Ctrl-C ends the commands and tells their trials as abandoned.

pub(crate) mod output;
mod plan;
mod process;
mod progress;
pub(crate) mod template;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value as Json, json};

use super::Failure;
use super::client::{CallError, Client};
use super::place::Place;
use output::{Reading, Wanted};
use plan::Plan;
use process::{Ended, Start};
use progress::Progress;
use template::Template;

/// States of trials that count towards how many a study is to have.
const COUNTED: [&str; 3] = ["completed", "failed", "stopped"];

/// Optimize a command.
#[derive(Args)]
pub(crate) struct Run {
    /// The study, as `POST /v1/studies` takes it, in TOML; its table `run` says how the command is run.
    plan: PathBuf,
    #[command(flatten)]
    place: Place,
    /// How many trials the study is to have in the end; `run.trials` or `budget.trials` of the file where absent.
    #[arg(long, short = 'n')]
    trials: Option<u64>,
    /// How many commands run at once.
    #[arg(long, short, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Longest run of a command, in seconds; it is then ended, and its trial told as failed.
    #[arg(long, value_parser = seconds)]
    timeout: Option<Duration>,
    /// How long a trial stays this worker's without a sign of life, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(3..=86_400))]
    lease: u64,
    /// What this worker calls itself.
    #[arg(long, env = "HOSTNAME", default_value = "tellus-run")]
    worker: String,
    /// Keep the output of each trial's command in this directory.
    #[arg(long)]
    logs: Option<PathBuf>,
    /// The command; `{name}` is the parameter of that name, `{trial}` the trial's number.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Runs trials until the study has as many as it is to have.
///
/// # Errors
/// When the plan, the command or the service is at fault, and when interrupted.
pub(crate) async fn run(arguments: Run) -> Result<(), Failure> {
    let plan = Plan::read(&arguments.plan)?;
    let opened = arguments.place.open().await?;
    let interrupted = Arc::new(AtomicBool::new(false));
    let signal = Arc::clone(&interrupted);
    tokio::spawn(async move {
        super::serve::wait_for_signal().await;
        signal.store(true, Ordering::SeqCst);
    });
    let client = opened.client.clone();
    tokio::task::spawn_blocking(move || work(&client, &plan, &arguments, &interrupted)).await?
}

/// What the threads share.
struct Job<'a> {
    client: &'a Client,
    /// The study's path.
    path: String,
    template: Template,
    wanted: Vec<Wanted>,
    reading: &'a Reading,
    timeout: Option<Duration>,
    arguments: &'a Run,
    interrupted: &'a AtomicBool,
    /// No more trials are to be asked for.
    is_over: AtomicBool,
    /// How many trials are to be handed out yet.
    left: Mutex<u64>,
    progress: Mutex<Progress>,
}

fn work(client: &Client, plan: &Plan, arguments: &Run, interrupted: &AtomicBool) -> Result<(), Failure> {
    let study = client.post("/v1/studies", &plan.study)?;
    let path = format!("/v1/studies/{}", study["id"].as_str().unwrap_or_default());
    let names: Vec<String> = study["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|parameter| Some(parameter["name"].as_str()?.to_owned()))
        .collect();
    let template = Template::read(&arguments.command, &names)?;
    if let Some(directory) = &arguments.logs {
        std::fs::create_dir_all(directory)
            .map_err(|source| Failure::File { path: directory.clone(), source })?;
    }
    let done: u64 = COUNTED.iter().filter_map(|state| study["trial_counts"][state].as_u64()).sum();
    let Some(total) = arguments.trials.or(plan.trials) else {
        let reason = "say how many trials: run.trials here, or --trials".to_owned();
        return Err(Failure::Plan { path: arguments.plan.clone(), reason });
    };
    let mut progress = Progress::new(&study, total, done);
    if done > 0 {
        progress.resume(&client.get(&format!("{path}/best"))?);
    }
    let job = Job {
        client,
        path,
        template,
        wanted: plan::wanted(&study),
        reading: &plan.reading,
        timeout: arguments.timeout.or(plan.timeout),
        arguments,
        interrupted,
        is_over: AtomicBool::new(false),
        left: Mutex::new(total.saturating_sub(done)),
        progress: Mutex::new(progress),
    };
    let results: Vec<Result<(), CallError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.jobs).map(|_| scope.spawn(|| job.thread())).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    lock(&job.progress).finish();
    if interrupted.load(Ordering::SeqCst) {
        return Err(Failure::Interrupted);
    }
    results.into_iter().collect::<Result<(), CallError>>()?;
    let best = client.get(&format!("{}/best", job.path))?;
    super::look::print_best(&best);
    Ok(())
}

impl Job<'_> {
    /// Asks, runs and tells until there is nothing left to do.
    fn thread(&self) -> Result<(), CallError> {
        while !self.interrupted.load(Ordering::SeqCst) && !self.is_over.load(Ordering::SeqCst) && self.take()
        {
            let asked = match self.ask() {
                Ok(Some(trial)) => trial,
                Ok(None) => break,
                Err(error) => {
                    self.is_over.store(true, Ordering::SeqCst);
                    return Err(error);
                }
            };
            if let Err(error) = self.trial(&asked) {
                self.is_over.store(true, Ordering::SeqCst);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes one of the trials that are left.
    fn take(&self) -> bool {
        let mut left = lock(&self.left);
        let is_one_left = *left > 0;
        *left = left.saturating_sub(1);
        is_one_left
    }

    /// One trial; none where the study hands out no more.
    fn ask(&self) -> Result<Option<Json>, CallError> {
        let request = json!({"worker": self.arguments.worker, "lease_seconds": self.arguments.lease});
        match self.client.post(&format!("{}/ask", self.path), &request) {
            Ok(answer) => Ok(answer["trials"].get(0).cloned()),
            Err(refused)
                if ["budget-spent", "space-exhausted", "study-not-active"]
                    .iter()
                    .any(|cause| refused.is(cause)) =>
            {
                self.is_over.store(true, Ordering::SeqCst);
                lock(&self.progress).remark(&refused.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Runs one trial, and tells what became of it.
    fn trial(&self, trial: &Json) -> Result<(), CallError> {
        let number = trial["number"].as_u64().unwrap_or_default();
        let point = trial["parameters"].as_object().cloned().unwrap_or_default();
        let command = self.template.fill(number, &point);
        let environment = [
            ("TELLUS_URL", self.client.url().to_owned()),
            ("TELLUS_STUDY", self.path.rsplit('/').next().unwrap_or_default().to_owned()),
            ("TELLUS_TRIAL", number.to_string()),
            ("TELLUS_PARAMETERS", trial["parameters"].to_string()),
        ];
        let log = self
            .arguments
            .logs
            .as_ref()
            .and_then(|directory| std::fs::File::create(directory.join(format!("{number}.log"))).ok());
        let start = Start {
            command: &command,
            environment: &environment,
            reading: self.reading,
            timeout: self.timeout,
            log,
        };
        let path = format!("{}/trials/{number}", self.path);
        let token = &trial["lease_token"];
        let began = Instant::now();
        let mut heartbeat = Heartbeat { job: self, path: &path, token, last: began, should_stop: false };
        let (ended, seen) = process::run(start, || heartbeat.is_wanted());
        let mut outcome = match ended {
            Ended::Exited(status) if status.success() => match seen.metrics(&self.wanted) {
                Ok(metrics) => json!({"metrics": metrics}),
                Err(reason) => json!({"failed": reason}),
            },
            Ended::Exited(status) => {
                let colon = if seen.last_error().is_empty() { "" } else { ": " };
                json!({"failed": format!("{status}{colon}{}", seen.last_error())})
            }
            Ended::TimedOut => {
                let limit = self.timeout.unwrap_or_default().as_secs_f64();
                json!({"failed": format!("timed out after {limit} s")})
            }
            Ended::Cancelled if heartbeat.should_stop => json!({"stopped": true}),
            Ended::Cancelled => json!({"abandoned": "interrupted"}),
            Ended::NotStarted(error) => {
                json!({"abandoned": format!("{:?} cannot be started: {error}", command.first())})
            }
        };
        let is_not_startable = outcome["abandoned"].as_str().is_some_and(|why| why != "interrupted");
        let reason = outcome["abandoned"].as_str().map(ToOwned::to_owned);
        outcome["lease_token"] = token.clone();
        let told = match self.client.post(&format!("{path}/tell"), &outcome) {
            // A metric of another shape than the study takes: the program's fault, and the trial's end.
            Err(refused) if refused.is("invalid") => {
                let failed = json!({"failed": refused.to_string(), "lease_token": token});
                self.client.post(&format!("{path}/tell"), &failed)?
            }
            // Another holds it now, or has told it: what was found here is not wanted.
            Err(refused) if refused.is("lease-lost") || refused.is("already-told") => {
                lock(&self.progress).remark(&refused.to_string());
                return Ok(());
            }
            told => told?,
        };
        lock(&self.progress).trial(&told, began.elapsed());
        if is_not_startable {
            self.is_over.store(true, Ordering::SeqCst);
            lock(&self.progress).remark(&reason.unwrap_or_default());
        }
        Ok(())
    }
}

/// Says that a trial's command still runs, and learns whether it should.
struct Heartbeat<'a> {
    job: &'a Job<'a>,
    path: &'a str,
    token: &'a Json,
    last: Instant,
    should_stop: bool,
}

impl Heartbeat<'_> {
    fn is_wanted(&mut self) -> bool {
        if self.job.interrupted.load(Ordering::SeqCst) {
            return false;
        }
        if self.last.elapsed() >= Duration::from_secs(self.job.arguments.lease) / 3 {
            self.last = Instant::now();
            let answer = self
                .job
                .client
                .post(&format!("{}/heartbeat", self.path), &json!({"lease_token": self.token}));
            // Without an answer the command goes on: its result may still be welcome.
            self.should_stop = answer.is_ok_and(|answer| answer["should_stop"] == true);
        }
        !self.should_stop
    }
}

/// Locks what is whole at every moment.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
