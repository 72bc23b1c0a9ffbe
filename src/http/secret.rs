//! Tokens: how they are drawn, what is kept of them, and those that were looked up a moment ago.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::store::access::TokenRecord;

/// What every token begins with, so that scanners of code and logs find those that leaked.
const TOKEN_PREFIX: &str = "tellus_";
/// How many characters of a token are kept and shown.
const SHOWN: usize = TOKEN_PREFIX.len() + 8;
/// Hexadecimal digits behind the prefix: 256 bits.
const DIGITS: usize = 64;
/// How long a token that was looked up is not looked up again, so that it takes so long until all servers refuse one
/// that was revoked through another.
const REMEMBERED: Duration = Duration::from_secs(2);
/// How many tokens are remembered.
const CAPACITY: usize = 4096;

/// A new token: what its owner is told once, and what is kept of it.
pub struct Secret {
    /// The token.
    pub token: String,
    /// Its first characters.
    pub prefix: String,
    /// SHA-256 of the whole. It has 256 random bits, so that nothing slower is needed.
    pub hash: [u8; 32],
}

impl Secret {
    /// Draws one from the operating system's randomness.
    ///
    /// # Errors
    /// Where the operating system has none.
    pub fn draw() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; DIGITS / 2];
        getrandom::fill(&mut bytes)?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let token = format!("{TOKEN_PREFIX}{digits}");
        let prefix = token.chars().take(SHOWN).collect();
        let hash = Sha256::digest(&token).into();
        Ok(Self { token, prefix, hash })
    }
}

/// Tokens that were looked up a moment ago.
#[derive(Default)]
pub(super) struct Remembered(Mutex<Recent>);

/// By what is kept of a token: when it was looked up, and what was found.
type Recent = HashMap<[u8; 32], (Instant, Arc<TokenRecord>)>;

impl Remembered {
    pub(super) fn get(&self, hash: &[u8; 32]) -> Option<Arc<TokenRecord>> {
        let tokens = self.locked();
        let (at, token) = tokens.get(hash)?;
        (at.elapsed() < REMEMBERED).then(|| Arc::clone(token))
    }

    pub(super) fn put(&self, hash: [u8; 32], token: Arc<TokenRecord>) {
        let mut tokens = self.locked();
        if tokens.len() >= CAPACITY {
            tokens.retain(|_, (at, _)| at.elapsed() < REMEMBERED);
        }
        if tokens.len() < CAPACITY {
            tokens.insert(hash, (Instant::now(), token));
        }
    }

    /// A token that was revoked here is refused here at once.
    pub(super) fn forget(&self, id: Uuid) {
        self.locked().retain(|_, (_, token)| token.id != id && token.parent != Some(id));
    }

    fn locked(&self) -> MutexGuard<'_, Recent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this has the form of a token.
pub(super) fn is_token(token: &str) -> bool {
    token.strip_prefix(TOKEN_PREFIX).is_some_and(|digits| digits.len() == DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_are_recognized_by_what_is_kept() {
        let [one, two] = [(); 2].map(|()| Secret::draw().unwrap());
        assert_ne!(one.token, two.token);
        assert_eq!(one.token.len(), TOKEN_PREFIX.len() + DIGITS);
        assert!(one.token.starts_with(&one.prefix) && one.prefix.len() == SHOWN);
        assert_eq!(one.hash, <[u8; 32]>::from(Sha256::digest(&one.token)));
    }
}
