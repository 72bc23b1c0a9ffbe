//! What can go wrong in a store. Whatever a client can cause has its own variant; the rest is the database's.

use uuid::Uuid;

use crate::study::{NetworkId, Refusal, StudyId, StudyState};

/// Why an operation was not done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such study.
    #[error("there is no study {0}")]
    NoStudy(StudyId),
    /// There is no such trial.
    #[error("the study has no trial {0}")]
    NoTrial(u64),
    /// There is no such network.
    #[error("there is no network {0}")]
    NoNetwork(NetworkId),
    /// A study refers to the network.
    #[error("a study uses network {0}; delete the study first")]
    NetworkInUse(NetworkId),
    /// There is no such project.
    #[error("there is no project {0:?}")]
    NoProject(String),
    /// There is one of that name.
    #[error("there is a project {0:?} already")]
    ProjectTaken(String),
    /// It has studies or networks.
    #[error("project {0:?} has studies or networks; delete them first")]
    ProjectInUse(String),
    /// There is no such token.
    #[error("there is no token {0}")]
    NoToken(Uuid),
    /// The project has as much as it may.
    #[error(
        "project {project:?} may have {limit} {what}, and has no room for more; delete some, or have its quota raised"
    )]
    QuotaSpent {
        /// The project.
        project: String,
        /// What it has enough of.
        what: &'static str,
        /// How much it may have.
        limit: u64,
    },
    /// The study was never solved.
    #[error("study {0} has no solve")]
    NoSolve(StudyId),
    /// A solve of the study runs.
    #[error("a solve of this study is running; cancel it or wait for it")]
    AlreadySolving,
    /// The study hands out nothing.
    #[error("the study is {}; set its state to active to go on", .0.name())]
    NotActive(StudyState),
    /// A study of that name is there with another definition.
    #[error("the project has a study of this name with another definition")]
    NameTaken {
        /// That study.
        existing: StudyId,
    },
    /// A study of this id is there.
    #[error("study {0} is there already")]
    StudyThere(StudyId),
    /// Not all of a study arrived.
    #[error("not all of study {0} arrived")]
    Incomplete(StudyId),
    /// The trial cannot make this change from the state it is in.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What was planned no longer fits what is stored: read and plan again.
    #[error("the plan is outdated")]
    Outdated,
    /// Another request with this idempotency key was answered meanwhile: its answer is kept.
    #[error("the idempotency key was used meanwhile")]
    KeyUsed,
    /// The schema was made by a newer release.
    #[error(
        "the database has schema version {found}, newer than the {known} that this release knows; start a newer release"
    )]
    NewerSchema {
        /// Its version.
        found: i64,
        /// The newest one known.
        known: i64,
    },
    /// What is stored cannot be read.
    #[error("the database holds {what} that this release cannot read: {reason}")]
    Unreadable {
        /// What it is.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// A migration failed.
    #[error("the schema could not be brought up to date: {0}")]
    Migration(String),
    /// The database is away, busy, full or read-only: try again later.
    #[error("the database did not do it: {0}")]
    Unavailable(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { index, source } => {
                Self::Unreadable { what: "a value", reason: format!("{index}: {source}") }
            }
            other => Self::Unavailable(other),
        }
    }
}
