//! Studies, networks and projects as a file: what leaves one database and comes into another, of the same kind or not.
//!
//! A file is lines of JSON, each an object with one member that names what it is:
//!
//! 1. `archive`: the version of the format, the release that wrote it, and when;
//! 2. `project` and `network` lines, before the studies that refer to them;
//! 3. for each study, one `study`, its `trial`s by number, the `event`s that are kept, and `study_end`, which says how
//!    many there are of each;
//! 4. `end`: how many projects, networks and studies there are.
//!
//! `study_end` and `end` carry the SHA-256 of all bytes before their own line, so that a file that was cut or changed is
//! refused. A study is one snapshot of it; each is taken in whole or not at all. Ids are kept. What is not in a file:
//! tokens, the log of changes, answers kept for idempotency keys, and how solves stand.

mod lines;
mod load;
mod reader;
mod writer;

pub use load::{Existing, ImportError, Imported, load};
pub use reader::{ArchiveFault, Contents, Reader, verify};
pub use writer::{ExportError, Scope, export};

/// The version of the format that is written, and the only one that is read.
pub const VERSION: u64 = 1;
/// Longest line that is read: a network's file in base 64, and something around it.
pub const MAX_LINE_BYTES: usize = 96 << 20;
