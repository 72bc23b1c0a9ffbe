//! Reading: lines with everything checked, so that what comes out may be taken in as it is.

use std::collections::BTreeSet;
use std::io::BufRead;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

use super::lines::Line;
use super::{MAX_LINE_BYTES, VERSION};
use crate::store::NetworkRecord;
use crate::store::access::Quotas;
use crate::store::archive::KeptTrial;
use crate::study::{Event, StudyRecord};

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {detail}")]
pub struct ArchiveFault {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong.
    pub detail: String,
}

/// What is in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The projects that its lines belong to.
    pub projects: BTreeSet<String>,
    /// Networks.
    pub networks: u64,
    /// Studies.
    pub studies: u64,
    /// Trials of all of them.
    pub trials: u64,
}

/// One thing that a file holds.
pub(super) enum Item {
    Project(String, Quotas),
    Network(Box<NetworkRecord>, Vec<u8>),
    Study(Box<StudyRecord>),
    Trial(Box<KeptTrial>),
    Event(Box<Event>),
    StudyEnd,
    End,
}

/// The study whose lines are being read.
struct Open {
    record: StudyRecord,
    trials: u64,
    events: u64,
    last_event: u64,
}

/// Reads a file.
pub struct Reader<R> {
    from: R,
    line: u64,
    digest: Sha256,
    is_begun: bool,
    is_over: bool,
    open: Option<Open>,
    projects: u64,
    contents: Contents,
}

pub(super) fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a file to its end.
///
/// # Errors
/// The first fault.
pub fn verify(from: impl BufRead) -> Result<Contents, ArchiveFault> {
    let mut reader = Reader::new(from);
    while reader.next()?.is_some() {}
    Ok(reader.contents)
}

impl<R: BufRead> Reader<R> {
    /// A reader of a file from its beginning.
    pub fn new(from: R) -> Self {
        Self {
            from,
            line: 0,
            digest: Sha256::new(),
            is_begun: false,
            is_over: false,
            open: None,
            projects: 0,
            contents: Contents::default(),
        }
    }

    fn fault(&self, detail: impl Into<String>) -> ArchiveFault {
        ArchiveFault { line: self.line, detail: detail.into() }
    }

    /// The next thing; `None` at the end of a whole file.
    pub(super) fn next(&mut self) -> Result<Option<Item>, ArchiveFault> {
        loop {
            let before = hexadecimal(&self.digest.clone().finalize());
            let bytes = self.read_line()?;
            self.line += 1;
            if bytes.is_empty() {
                return if self.is_over {
                    Ok(None)
                } else {
                    Err(self.fault("the file ends before its end: it was cut"))
                };
            }
            if self.is_over {
                return Err(self.fault("there is something behind the end"));
            }
            let line: Line = serde_json::from_slice(&bytes).map_err(|error| self.fault(error.to_string()))?;
            drop(bytes);
            if let Some(item) = self.take(line, &before)? {
                return Ok(Some(item));
            }
        }
    }

    /// The next line with its end, empty behind the last; no longer than a line may be.
    fn read_line(&mut self) -> Result<Vec<u8>, ArchiveFault> {
        let mut bytes = Vec::new();
        let mut limited = std::io::Read::take(&mut self.from, MAX_LINE_BYTES as u64 + 1);
        let read = limited.read_until(b'\n', &mut bytes);
        read.map_err(|error| self.fault(format!("it cannot be read: {error}")))?;
        if bytes.len() > MAX_LINE_BYTES {
            return Err(self.fault("the line is too long"));
        }
        // Postgres has no text with a NUL in it; SQLite would, and the stores shall not differ.
        if bytes.windows(6).any(|window| window == b"\\u0000") {
            return Err(self.fault("a string has no NUL character (\\u0000)"));
        }
        self.digest.update(&bytes);
        Ok(bytes)
    }

    fn take(&mut self, line: Line, before: &str) -> Result<Option<Item>, ArchiveFault> {
        match (line, self.is_begun, self.open.take()) {
            (Line::Archive(header), false, _) => {
                if header.version != VERSION {
                    let version = header.version;
                    let detail = format!("it has version {version}; this release reads version {VERSION}");
                    return Err(self.fault(detail));
                }
                self.is_begun = true;
                Ok(None)
            }
            (_, false, _) => Err(self.fault("it does not begin as an export of Tellus does")),
            (Line::Project(project), _, None) => {
                self.projects += 1;
                self.contents.projects.insert(project.name.clone());
                let quotas = project.quotas();
                Ok(Some(Item::Project(project.name, quotas)))
            }
            (Line::Network(line), _, None) => {
                let onnx = BASE64.decode(&line.onnx);
                let onnx = onnx.map_err(|error| self.fault(format!("the network's file: {error}")))?;
                self.contents.networks += 1;
                self.contents.projects.insert(line.project.clone());
                Ok(Some(Item::Network(Box::new(line.record(onnx.len() as u64)), onnx)))
            }
            (Line::Study(line), _, None) => {
                let record = line.record().map_err(|detail| self.fault(detail))?;
                self.contents.projects.insert(record.definition.draft().project.clone());
                self.open = Some(Open { record: record.clone(), trials: 0, events: 0, last_event: 0 });
                Ok(Some(Item::Study(Box::new(record))))
            }
            (Line::Trial(line), _, Some(mut open)) if open.events == 0 => {
                let kept = line.kept(&open.record, open.trials).map_err(|detail| self.fault(detail))?;
                open.trials += 1;
                self.open = Some(open);
                Ok(Some(Item::Trial(Box::new(kept))))
            }
            (Line::Event(line), _, Some(mut open)) => {
                let event = line.kept(&open.record, open.last_event).map_err(|detail| self.fault(detail))?;
                open.events += 1;
                open.last_event = event.revision;
                self.open = Some(open);
                Ok(Some(Item::Event(Box::new(event))))
            }
            (Line::StudyEnd(end), _, Some(open)) => {
                self.compare(&end.sha256, before)?;
                let expected = (open.record.next_number, open.trials, open.events);
                if (end.trials, end.trials, end.events) != expected {
                    return Err(self.fault("the study has another number of trials or events"));
                }
                self.contents.studies += 1;
                self.contents.trials += open.trials;
                Ok(Some(Item::StudyEnd))
            }
            (Line::End(end), _, None) => {
                self.compare(&end.sha256, before)?;
                let found =
                    (self.projects, self.contents.networks, self.contents.studies, self.contents.trials);
                if found != (end.projects, end.networks, end.studies, end.trials) {
                    return Err(
                        self.fault("the file has another number of projects, networks, studies or trials")
                    );
                }
                self.is_over = true;
                Ok(Some(Item::End))
            }
            _ => Err(self.fault("the line is not where it belongs")),
        }
    }

    fn compare(&self, said: &str, found: &str) -> Result<(), ArchiveFault> {
        if said == found {
            return Ok(());
        }
        Err(self.fault("the lines before are not those that were written: their SHA-256 differs"))
    }
}
