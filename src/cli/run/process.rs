//! One run of a command: started in a process group of its own, watched, and ended with all it started when its time is
//! over or nobody wants its result any more.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::output::{Reading, Seen};

/// How often a running command is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How long the output of an ended command may stay open in the hands of what it left behind.
const OUTPUT_GRACE: Duration = Duration::from_secs(2);

/// How a run ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By itself.
    Exited(ExitStatus),
    /// Its time was over.
    TimedOut,
    /// It was no longer wanted.
    Cancelled,
    /// It could not be started.
    NotStarted(std::io::Error),
}

/// What a run is started with.
pub(crate) struct Start<'a> {
    /// The program and its arguments.
    pub(crate) command: &'a [String],
    /// What is added to its environment.
    pub(crate) environment: &'a [(&'static str, String)],
    /// How its metrics are read.
    pub(crate) reading: &'a Reading,
    /// How long it may take.
    pub(crate) timeout: Option<Duration>,
    /// Where its output is kept too.
    pub(crate) log: Option<std::fs::File>,
}

/// Runs a command until it ends, its time is over, or `is_wanted`, which is asked again and again, says no.
pub(crate) fn run(start: Start<'_>, mut is_wanted: impl FnMut() -> bool) -> (Ended, Seen) {
    let Some((program, arguments)) = start.command.split_first() else {
        let empty = std::io::Error::new(std::io::ErrorKind::InvalidInput, "there is no command");
        return (Ended::NotStarted(empty), Seen::default());
    };
    let mut command = Command::new(program);
    command.args(arguments).envs(start.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return (Ended::NotStarted(error), Seen::default()),
    };
    let seen = Arc::new(Mutex::new(Seen::default()));
    let log = Arc::new(Mutex::new(start.log));
    let readers: Vec<_> = [
        child.stdout.take().map(|output| Box::new(output) as Box<dyn Read + Send>),
        child.stderr.take().map(|output| Box::new(output) as Box<dyn Read + Send>),
    ]
    .into_iter()
    .enumerate()
    .filter_map(|(i, output)| {
        let (seen, log, reading) = (Arc::clone(&seen), Arc::clone(&log), start.reading.clone());
        let output = output?;
        Some(std::thread::spawn(move || read(output, i == 1, &reading, &seen, &log)))
    })
    .collect();
    let began = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ended::Exited(status),
            Ok(None) => {}
            Err(error) => break Ended::NotStarted(error),
        }
        if start.timeout.is_some_and(|timeout| began.elapsed() >= timeout) {
            break Ended::TimedOut;
        }
        if !is_wanted() {
            break Ended::Cancelled;
        }
        std::thread::sleep(POLL);
    };
    // What it started ends with it: its output is then complete, and nothing is left to compete with the next run.
    end(&mut child);
    let ended_at = Instant::now();
    while readers.iter().any(|reader| !reader.is_finished()) && ended_at.elapsed() < OUTPUT_GRACE {
        std::thread::sleep(Duration::from_millis(2));
    }
    let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    (ended, seen)
}

/// Ends the whole process group.
fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    drop(child.kill());
    drop(child.wait());
}

fn read(
    output: Box<dyn Read + Send>,
    is_error_output: bool,
    reading: &Reading,
    seen: &Mutex<Seen>,
    log: &Mutex<Option<std::fs::File>>,
) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match output.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if let Some(log) = log.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            drop(log.write_all(&line));
        }
        let text = String::from_utf8_lossy(&line);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.line(text.trim_end_matches(['\r', '\n']), reading, is_error_output);
    }
}
