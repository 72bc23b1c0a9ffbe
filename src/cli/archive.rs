//! `tellus export` and `tellus import`: a database, or a study, as a file, and back; with the database itself, so that
//! no server need run.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tellus::archive::{Existing, Scope, export, load, verify};
use tellus::store::access::{Actor, is_project_name};
use tellus::store::{Page, Store, StoreError, StudyFilter};
use tellus::study::StudyId;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Failure;
use super::serve::Database;

/// How many blocks wait to be written.
const BLOCKS: usize = 4;

/// Write studies to a file.
#[derive(Args)]
pub(crate) struct Export {
    /// This study alone, by its id, or its name where no other project has one of that name.
    #[arg(long, conflicts_with = "project")]
    study: Option<String>,
    /// This project alone.
    #[arg(long)]
    project: Option<String>,
    /// The file; standard output where absent.
    #[arg(long, short)]
    output: Option<PathBuf>,
    #[command(flatten)]
    database: Database,
}

/// Take in studies from a file.
#[derive(Args)]
pub(crate) struct Import {
    /// The file; standard input where it is `-`.
    file: PathBuf,
    /// Leave studies that are there already as they are, rather than end.
    #[arg(long)]
    skip_existing: bool,
    #[command(flatten)]
    database: Database,
}

/// Writes what is wanted.
///
/// # Errors
/// When the database or the file cannot be used.
pub(crate) async fn export_studies(arguments: Export) -> Result<(), Failure> {
    let store = arguments.database.connect().await?;
    let scope = scope(store.as_ref(), &arguments).await?;
    let (sender, mut blocks) = mpsc::channel::<Vec<u8>>(BLOCKS);
    let exporting = tokio::spawn(async move { export(store.as_ref(), &scope, sender).await });
    let failed = |source| Failure::File {
        path: arguments.output.clone().unwrap_or_else(|| "standard output".into()),
        source,
    };
    let mut output: Box<dyn Write + Send> = match &arguments.output {
        Some(path) => Box::new(File::create_new(path).map_err(failed)?),
        None => Box::new(std::io::stdout()),
    };
    while let Some(block) = blocks.recv().await {
        output.write_all(&block).map_err(failed)?;
    }
    output.flush().map_err(failed)?;
    exporting.await?.map_err(|error| Failure::Argument(format!("the export ended early: {error}")))
}

async fn scope(store: &dyn Store, arguments: &Export) -> Result<Scope, Failure> {
    if let Some(project) = &arguments.project {
        store.project(project).await?;
        return Ok(Scope { study: None, projects: Some(vec![project.clone()]) });
    }
    let Some(study) = &arguments.study else { return Ok(Scope::default()) };
    if let Ok(id) = Uuid::try_parse(study) {
        return Ok(Scope { study: Some(StudyId(id)), projects: None });
    }
    let filter = StudyFilter { name: Some(study.clone()), ..StudyFilter::default() };
    let named = store.studies(&filter, &Page { after: None, limit: 2, descending: false }).await?;
    match named.as_slice() {
        [one] => Ok(Scope { study: Some(one.id), projects: None }),
        [] => Err(Failure::NoStudy(study.clone())),
        _ => Err(Failure::Argument(format!("several projects have a study {study:?}; name it by its id"))),
    }
}

/// Takes in what is in the file, which is checked to its end before anything is.
///
/// # Errors
/// When the file is not what was exported, or the database does not take it.
pub(crate) async fn import_studies(arguments: Import) -> Result<(), Failure> {
    // Standard input is read twice too.
    let spooled;
    let path: &Path = if arguments.file.as_os_str() == "-" {
        let failed = |source| Failure::File { path: "standard input".into(), source };
        let mut file = tempfile::NamedTempFile::new().map_err(failed)?;
        std::io::copy(&mut std::io::stdin().lock(), &mut file).map_err(failed)?;
        spooled = file;
        spooled.path()
    } else {
        &arguments.file
    };
    let failed = |source| Failure::File { path: arguments.file.clone(), source };
    let file = File::open(path).map_err(failed)?;
    let faulty = |detail: String| Failure::Plan { path: arguments.file.clone(), reason: detail };
    let contents = verify(BufReader::new(file)).map_err(|fault| faulty(fault.to_string()))?;
    if let Some(project) = contents.projects.iter().find(|project| !is_project_name(project)) {
        return Err(StoreError::NoProject(project.clone()).into());
    }
    let actor = Actor { token: None, who: "tellus import".to_owned(), address: None, request_id: None };
    let store = arguments.database.connect().await?.by(Arc::new(actor));
    let existing = if arguments.skip_existing { Existing::Skip } else { Existing::Refuse };
    let imported = load(store, path, existing).await.map_err(|error| faulty(error.to_string()))?;
    eprintln!(
        "imported {} studies with {} trials, {} networks and {} projects; {} studies were there already",
        imported.studies, imported.trials, imported.networks, imported.projects, imported.skipped
    );
    Ok(())
}
