//! Why the service could not do what was asked.

use crate::store::StoreError;
use crate::study::StudyState;

/// Why there is no trial to hand out.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The database refused or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The study is paused or completed.
    #[error("the study is {}; set its state to active to go on", .0.name())]
    NotActive(StudyState),
    /// The study's budget is spent.
    #[error("the study's budget is spent; raise it to go on")]
    BudgetSpent,
    /// Every point of the space was tried or is being tried.
    #[error("every point of the search space was handed out")]
    SpaceExhausted,
    /// Too much waits already.
    #[error("the server is overloaded; try again in {retry_after_seconds} s")]
    Overloaded {
        /// When to try again.
        retry_after_seconds: u64,
    },
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Cancelled,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The database refused or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too much waits already.
    #[error("the server is overloaded; try again in {retry_after_seconds} s")]
    Overloaded {
        /// When to try again.
        retry_after_seconds: u64,
    },
}
