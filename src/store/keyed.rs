//! Idempotency keys: the first answer to a request is kept in the transaction that does what was requested.

/// What a key belongs to. The same key elsewhere is another key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// The project of the request.
    pub project: String,
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// The key, 1 to 255 characters.
    pub key: String,
    /// SHA-256 of the request's body: the same key with another body is refused.
    pub body: [u8; 32],
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// `Location`, where there was one.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// SHA-256 of the body of the request it answered.
    pub body: [u8; 32],
    /// What was answered.
    pub answer: Answer,
}

/// A key with the means to make the answer that is kept, from what the transaction did.
#[derive(Clone, Copy)]
pub struct Keyed<'a, T> {
    /// The key.
    pub key: &'a IdempotencyKey,
    /// Makes the answer.
    pub answer: &'a (dyn Fn(&T) -> Answer + Send + Sync),
}
