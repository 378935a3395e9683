//! Names and secrets that cannot be guessed from outside the process.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use s3s::crypto::{Checksum, Sha256};

/// SHA-256 over a counter and a seed, which comes from the operating system by way of the standard library's hash keys.
#[derive(Debug)]
pub(super) struct Randomness {
    seed: [u64; 4],
    drawn: AtomicU64,
}

impl Randomness {
    /// Letters of an access key id: base 32, as AWS has it.
    const KEY_LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    /// `ASIA` marks the key of a session, `AKIA` that of a user; both have 16 letters more.
    const SESSION_KEY_PREFIX: &str = "ASIA";
    const SESSION_KEY_LETTERS: usize = 16;
    /// 30 bytes are 40 letters of base 64, the length of every AWS secret.
    const SECRET_BYTES: usize = 30;
    /// Real tokens have several hundred letters; four draws are 172, more than any field that is too short would hold.
    const TOKEN_DRAWS: usize = 4;

    pub(super) fn new() -> Self {
        let keys = RandomState::new();
        Self { seed: [0_u8, 1, 2, 3].map(|part| keys.hash_one(part)), drawn: AtomicU64::new(0) }
    }

    /// 32 bytes, other ones at each call.
    pub(super) fn draw(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for word in self.seed {
            hash.update(&word.to_le_bytes());
        }
        hash.update(&self.drawn.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        hash.finalize()
    }

    /// The access key of a session.
    pub(super) fn access_key_id(&self) -> String {
        let letters = self.draw().into_iter().take(Self::SESSION_KEY_LETTERS);
        let letters = letters.map(|byte| char::from(Self::KEY_LETTERS[usize::from(byte % 32)]));
        Self::SESSION_KEY_PREFIX.chars().chain(letters).collect()
    }

    pub(super) fn secret_access_key(&self) -> String {
        BASE64.encode(&self.draw()[..Self::SECRET_BYTES])
    }

    pub(super) fn session_token(&self) -> String {
        BASE64.encode((0..Self::TOKEN_DRAWS).flat_map(|_| self.draw()).collect::<Vec<u8>>())
    }
}
