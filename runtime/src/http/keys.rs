//! The public keys of a JWKS document.

use std::collections::BTreeMap;

use jsonwebtoken::jwk::{AlgorithmParameters, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::verified::VerifiedTokens;

/// Why a document has no usable keys. The text follows the source's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not a JWKS document, for this reason.
    #[error("is not a JWKS document: {0}.")]
    NotJwks(String),
    /// The numbers of this key are no RSA key, for this reason.
    #[error("holds a broken key {kid}: {reason}.")]
    BrokenKey {
        /// Key id.
        kid: String,
        /// What the library reports.
        reason: String,
    },
    /// The document has no key that can verify a token.
    #[error("holds no RSA signing key with a kid, and HTTP APIs take no others.")]
    NoKey,
}

/// RSA keys by key id. HTTP APIs accept RSA signatures only.
pub(super) struct KeySet {
    keys: BTreeMap<String, VerificationKey>,
    verified: VerifiedTokens,
}

pub(super) struct VerificationKey {
    pub(super) decoding: DecodingKey,
    /// The only algorithm that the key allows; `None`: any.
    pub(super) algorithm: Option<Algorithm>,
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet")
            .field("kids", &self.keys.keys())
            .finish_non_exhaustive()
    }
}

impl KeySet {
    /// Reads the text of a JWKS document.
    ///
    /// # Errors
    /// The document is not a JWKS document, or has no usable key.
    pub(super) fn parse(text: &str) -> Result<Self, KeySetError> {
        let set: JwkSet =
            strict_json::from_str(text).map_err(|error| KeySetError::NotJwks(error.to_string()))?;
        let mut keys = BTreeMap::new();
        for jwk in &set.keys {
            let signs = !matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption));
            let (AlgorithmParameters::RSA(rsa), Some(kid), true) =
                (&jwk.algorithm, &jwk.common.key_id, signs)
            else {
                continue;
            };
            let decoding = DecodingKey::from_rsa_components(&rsa.n, &rsa.e).map_err(|error| {
                KeySetError::BrokenKey {
                    kid: kid.clone(),
                    reason: error.to_string(),
                }
            })?;
            let algorithm = match jwk.common.key_algorithm {
                None => None,
                Some(KeyAlgorithm::RS256) => Some(Algorithm::RS256),
                Some(KeyAlgorithm::RS384) => Some(Algorithm::RS384),
                Some(KeyAlgorithm::RS512) => Some(Algorithm::RS512),
                Some(_) => continue,
            };
            keys.insert(
                kid.clone(),
                VerificationKey {
                    decoding,
                    algorithm,
                },
            );
        }
        if keys.is_empty() {
            return Err(KeySetError::NoKey);
        }
        Ok(Self {
            keys,
            verified: VerifiedTokens::default(),
        })
    }

    /// Key ids, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        self.keys.keys().cloned().collect()
    }

    /// Tokens that these keys verified.
    pub(super) fn verified_tokens(&self) -> &VerifiedTokens {
        &self.verified
    }

    pub(super) fn find(&self, kid: &str) -> Option<&VerificationKey> {
        self.keys.get(kid)
    }
}
