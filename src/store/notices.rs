//! What servers on one database tell each other: that a study changed. It is said after the change was committed, and may
//! be lost with a server; who must not miss anything reads the events.

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::Result;
use crate::study::StudyId;

/// How changes become known to other servers.
#[async_trait]
pub trait Notices: Send + Sync {
    /// Says that these studies changed.
    async fn announce(&self, studies: &[StudyId]) -> Result<()>;

    /// Passes on what any server announces, until nobody takes it. Ends at once where servers cannot tell each other:
    /// with SQLite there is one, and through a pooler nothing is heard.
    async fn listen(&self, to: mpsc::Sender<StudyId>) -> Result<()>;
}
