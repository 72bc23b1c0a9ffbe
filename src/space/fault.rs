//! One fault of something a client sent: where it stands, and what to change.

/// A fault and its place. Checks gather all of them before they refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer (RFC 6901) to the faulty value, relative to the checked document.
    pub pointer: String,
    /// What is wrong and what would be right, as a sentence without a full stop.
    pub detail: String,
}

impl Fault {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }

    /// The same fault in a document that holds the checked one under `prefix`.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self
    }
}
