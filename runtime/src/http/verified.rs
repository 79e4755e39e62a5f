//! Claims of tokens whose signature was verified, so that a token is verified once and not with
//! every request. Bounded; no clock: who uses claims checks their times.
//!
//! The entries belong to one key set ([`super::keys`]): keys that are read again begin with none,
//! so a key that was removed ends the tokens that it had verified.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::lock::lock;

/// Bytes of tokens in one generation at most; two are kept. Claims take a few times as many.
const GENERATION_BYTES: usize = 4 * 1024 * 1024;

/// The claims of a token.
pub(super) type Claims = Arc<Map<String, Value>>;

/// A token, by its SHA-256: all of it, signature included.
type TokenHash = [u8; 32];

/// Verified tokens.
#[derive(Default)]
pub(super) struct VerifiedTokens(Mutex<Generations>);

/// When the young generation is full it becomes the old one, and what was not used since is
/// dropped: a token in use is kept without an order of all tokens.
#[derive(Default)]
struct Generations {
    young: HashMap<TokenHash, (usize, Claims)>,
    young_bytes: usize,
    old: HashMap<TokenHash, (usize, Claims)>,
}

impl VerifiedTokens {
    /// The claims of a token: verified earlier, or now by `verify`.
    ///
    /// # Errors
    /// Those of `verify`; a token that is not valid is not kept.
    pub(super) fn get_or_verify<E>(
        &self,
        token: &str,
        verify: impl FnOnce() -> Result<Map<String, Value>, E>,
    ) -> Result<Claims, E> {
        let hash: TokenHash = Sha256::digest(token).into();
        let known = lock(&self.0).find(&hash);
        if let Some(claims) = known {
            return Ok(claims);
        }
        let claims = Arc::new(verify()?);
        lock(&self.0).insert(hash, token.len(), claims.clone());
        Ok(claims)
    }
}

impl Generations {
    fn find(&mut self, hash: &TokenHash) -> Option<Claims> {
        if let Some((_, claims)) = self.young.get(hash) {
            return Some(claims.clone());
        }
        let (bytes, claims) = self.old.remove(hash)?;
        self.insert(*hash, bytes, claims.clone());
        Some(claims)
    }

    fn insert(&mut self, hash: TokenHash, bytes: usize, claims: Claims) {
        if self.young_bytes + bytes > GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(hash, (bytes, claims)).is_none() {
            self.young_bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const TOKEN_BYTES: usize = 1024;

    fn token(n: usize) -> String {
        format!("{n:0TOKEN_BYTES$}")
    }

    fn verify(tokens: &VerifiedTokens, token: &str, times: &Cell<usize>) {
        let claims = tokens.get_or_verify(token, || {
            times.set(times.get() + 1);
            Ok::<_, ()>(Map::new())
        });
        assert!(claims.is_ok());
    }

    #[test]
    fn a_token_is_verified_once_and_a_bad_one_each_time() {
        let tokens = VerifiedTokens::default();
        let times = Cell::new(0);
        verify(&tokens, "good", &times);
        verify(&tokens, "good", &times);
        assert_eq!(times.get(), 1);
        for _ in 0..2 {
            assert_eq!(tokens.get_or_verify("bad", || Err(7)), Err(7));
        }
    }

    #[test]
    fn many_tokens_are_bounded_and_one_in_use_stays() {
        let tokens = VerifiedTokens::default();
        let times = Cell::new(0);
        let in_use = token(0);
        verify(&tokens, &in_use, &times);
        for n in 1..20_000 {
            verify(&tokens, &token(n), &times);
            verify(&tokens, &in_use, &times);
        }
        assert_eq!(times.get(), 20_000, "each once");
        let held = lock(&tokens.0);
        let kept = held.young.len() + held.old.len();
        assert!(kept * TOKEN_BYTES <= 2 * GENERATION_BYTES, "{kept}");
    }
}
