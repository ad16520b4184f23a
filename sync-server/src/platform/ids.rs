//! The one place that draws random numbers: ids that must not be guessed, tokens, nonces.
//!
//! Invariant: rules take ids as arguments. The seeded source exists for tests and never reaches `main`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A source of random bytes. Cheap to clone; clones of a seeded source share their sequence.
#[derive(Debug, Clone)]
pub struct Random(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Seeded { seed: u64, drawn: Arc<AtomicU64> },
}

impl Random {
    /// The operating system's generator.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A reproducible sequence, for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded { seed, drawn: Arc::new(AtomicU64::new(0)) })
    }

    /// `N` random bytes.
    ///
    /// # Panics
    /// When the operating system has no randomness to give. No request can be served safely then.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System => {
                let filled = getrandom::fill(&mut bytes);
                assert!(filled.is_ok(), "the operating system gives no random bytes");
            }
            Source::Seeded { seed, drawn } => {
                for chunk in bytes.chunks_mut(32) {
                    let number = drawn.fetch_add(1, Ordering::Relaxed);
                    let block =
                        Sha256::new().chain_update(seed.to_be_bytes()).chain_update(number.to_be_bytes()).finalize();
                    chunk.copy_from_slice(&block[..chunk.len()]);
                }
            }
        }
        bytes
    }

    /// A random 64-bit id that is not zero.
    #[must_use]
    pub fn id64(&self) -> u64 {
        u64::from_be_bytes(self.bytes()).max(1)
    }

    /// A secret of 256 bits as text, behind a prefix that says what it is.
    #[must_use]
    pub fn token(&self, prefix: &str) -> String {
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(self.bytes::<32>()))
    }
}

/// A 64-bit id as people and JSON see it: 16 lower-case hex digits.
#[must_use]
pub fn hex16(id: u64) -> String {
    format!("{id:016x}")
}

/// Reads what [`hex16`] wrote; only that one spelling.
#[must_use]
pub fn parse_hex16(text: &str) -> Option<u64> {
    let digits = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    digits.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

/// Bytes as base64url without padding, the project's spelling of bytes in JSON.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what [`base64url`] wrote; only that one spelling.
#[must_use]
pub fn parse_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
