//! Writing: lines in blocks, to whoever takes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::Utc;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};

use super::VERSION;
use super::lines::{End, EventLine, Header, Line, NetworkLine, ProjectLine, StudyEnd, StudyLine, TrialLine};
use crate::store::archive::Piece;
use crate::store::{Cursor, NetworkRecord, Page, Store, StoreError, StudyFilter};
use crate::study::StudyId;

/// How many bytes are sent at once, about.
const BLOCK: usize = 64 * 1024;
/// How many studies, networks or projects are listed at once.
const LISTED: u32 = 200;
/// How many pieces of a study wait to be written.
const PIECES: usize = 256;

/// What is exported.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// This study alone.
    pub study: Option<StudyId>,
    /// These projects alone.
    pub projects: Option<Vec<String>>,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody takes it any more.
    #[error("nobody takes the export any more")]
    Closed,
    /// Something cannot be written as JSON.
    #[error("it cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
}

struct Writer {
    to: mpsc::Sender<Vec<u8>>,
    block: Vec<u8>,
    digest: Sha256,
}

impl Writer {
    async fn line(&mut self, line: &impl Serialize) -> Result<(), ExportError> {
        let begin = self.block.len();
        serde_json::to_writer(&mut self.block, line)?;
        self.block.push(b'\n');
        self.digest.update(&self.block[begin..]);
        if self.block.len() >= BLOCK { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), ExportError> {
        let block = std::mem::take(&mut self.block);
        self.to.send(block).await.map_err(|_| ExportError::Closed)
    }

    /// The digest of all lines so far.
    fn sha256(&self) -> String {
        super::reader::hexadecimal(&self.digest.clone().finalize())
    }
}

/// Writes what is in scope, block by block.
///
/// # Errors
/// When the database does not answer, or nobody takes the blocks. The file then has no end, and is refused.
pub async fn export(store: &dyn Store, scope: &Scope, to: mpsc::Sender<Vec<u8>>) -> Result<(), ExportError> {
    let mut writer = Writer { to, block: Vec::new(), digest: Sha256::new() };
    let release = env!("CARGO_PKG_VERSION").to_owned();
    writer.line(&Line::Archive(Header { version: VERSION, release, made_at: Utc::now() })).await?;
    let mut end = End { projects: 0, networks: 0, studies: 0, trials: 0, sha256: String::new() };
    if let Some(id) = scope.study {
        let record = store.study(id).await?;
        let draft = record.definition.draft();
        let project = store.project(&draft.project).await?;
        writer.line(&Line::Project(ProjectLine::of(&project))).await?;
        end.projects = 1;
        for network in draft.network.iter().flat_map(|network| network.networks()) {
            write_network(&mut writer, store, &store.network(network).await?).await?;
            end.networks += 1;
        }
        write_study(&mut writer, store, id, &mut end).await?;
    } else {
        write_all(&mut writer, store, scope.projects.as_deref(), &mut end).await?;
    }
    end.sha256 = writer.sha256();
    writer.line(&Line::End(end)).await?;
    writer.flush().await
}

async fn write_all(
    writer: &mut Writer,
    store: &dyn Store,
    among: Option<&[String]>,
    end: &mut End,
) -> Result<(), ExportError> {
    let mut page = Page { after: None, limit: LISTED, descending: false };
    loop {
        let projects = store.projects(among, &page).await?;
        for project in &projects {
            writer.line(&Line::Project(ProjectLine::of(project))).await?;
            end.projects += 1;
        }
        let Some(last) = projects.last() else { break };
        page.after = Some(Cursor::Project(last.name.clone()));
    }
    page.after = None;
    loop {
        let networks = store.networks(among, &page).await?;
        for network in &networks {
            write_network(writer, store, network).await?;
            end.networks += 1;
        }
        let Some(last) = networks.last() else { break };
        page.after = Some(Cursor::Network(last.id));
    }
    page.after = None;
    let filter = StudyFilter { among: among.map(<[String]>::to_vec), ..StudyFilter::default() };
    loop {
        let studies = store.studies(&filter, &page).await?;
        for study in &studies {
            write_study(writer, store, study.id, end).await?;
        }
        let Some(last) = studies.last() else { break };
        page.after = Some(Cursor::Study(last.id));
    }
    Ok(())
}

async fn write_network(
    writer: &mut Writer,
    store: &dyn Store,
    network: &NetworkRecord,
) -> Result<(), ExportError> {
    let line = NetworkLine {
        id: network.id.0,
        project: network.project.clone(),
        name: network.name.clone(),
        description: network.description.clone(),
        created_at: network.created_at,
        onnx: BASE64.encode(store.network_onnx(network.id).await?),
    };
    writer.line(&Line::Network(line)).await
}

async fn write_study(
    writer: &mut Writer,
    store: &dyn Store,
    id: StudyId,
    end: &mut End,
) -> Result<(), ExportError> {
    let (study, record) = oneshot::channel();
    let (pieces, received) = mpsc::channel(PIECES);
    let write = async {
        // Gone with this block, so that the other side ends with it.
        let mut received = received;
        // Without a record there is an error, which the other side has.
        let Ok(record) = record.await else { return Ok(None) };
        writer.line(&Line::Study(Box::new(StudyLine::of(&record)))).await?;
        let (mut trials, mut events) = (0, 0);
        loop {
            match received.recv().await {
                None => return Ok(None),
                Some(Piece::Trial(kept)) => {
                    writer.line(&Line::Trial(Box::new(TrialLine::of(*kept)))).await?;
                    trials += 1;
                }
                Some(Piece::Event(event)) => {
                    writer.line(&Line::Event(EventLine::of(*event))).await?;
                    events += 1;
                }
                Some(Piece::Complete) => {
                    let sha256 = writer.sha256();
                    writer.line(&Line::StudyEnd(StudyEnd { trials, events, sha256 })).await?;
                    return Ok::<_, ExportError>(Some(trials));
                }
            }
        }
    };
    let (dumped, written) = tokio::join!(store.dump(id, study, pieces), write);
    match (written?, dumped) {
        (Some(trials), Ok(())) => {
            end.studies += 1;
            end.trials += trials;
            Ok(())
        }
        // It was deleted since it was listed.
        (None, Err(StoreError::NoStudy(_))) => Ok(()),
        (_, Err(error)) => Err(error.into()),
        (None, Ok(())) => Err(ExportError::Closed),
    }
}
