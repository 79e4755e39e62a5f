//! The key set that signs buyers' tokens: an identity provider in two files.
//!
//! `private.pem` signs; the authorizer of the API reads `jwks.json`. Every request needs the
//! authorizer.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rsa::RsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use rsa::traits::PublicKeyParts;
use serde::Serialize;
use serde_json::json;

/// `iss` of every token.
pub const ISSUER: &str = "https://auth.example.test/";
/// `aud` of every token.
pub const AUDIENCE: &str = "ticket-sale";
/// `kid` of the key.
const KEY_ID: &str = "local-1";

/// Signs tokens.
#[derive(Clone)]
pub struct Keys(EncodingKey);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys") // never the key itself
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

impl Keys {
    /// Reads the key set of `dir`, or creates one (RSA, 2048 bits).
    pub fn at(dir: &Path) -> Result<Self> {
        let private = dir.join("private.pem");
        if !private.exists() {
            create(dir).with_context(|| format!("cannot create a key set in {}", dir.display()))?;
        }
        let pem = fs::read_to_string(&private)
            .with_context(|| format!("{} cannot be read", private.display()))?;
        let key = EncodingKey::from_rsa_pem(pem.as_bytes());
        let key = key.with_context(|| {
            format!(
                "{} is not an RSA key; delete {} to create a new set",
                private.display(),
                dir.display()
            )
        })?;
        let path = dir.join("jwks.json");
        if !path.exists() {
            fs::write(&path, jwks(&RsaPrivateKey::from_pkcs8_pem(&pem)?))
                .context("jwks.json cannot be written")?;
        }
        Ok(Self(key))
    }

    /// A token for `subject`, valid for `lifetime`; `scope` is a list separated by spaces.
    pub fn token(&self, subject: &str, scope: Option<&str>, lifetime: Duration) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let claims = Claims {
            iss: ISSUER,
            aud: AUDIENCE,
            sub: subject,
            iat: now,
            exp: now + lifetime.as_secs(),
            scope,
        };
        let header = Header {
            kid: Some(KEY_ID.to_owned()),
            ..Header::new(Algorithm::RS256)
        };
        Ok(encode(&header, &claims, &self.0)?)
    }
}

fn create(dir: &Path) -> Result<()> {
    let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048)?;
    fs::create_dir_all(dir)?;
    fs::write(dir.join("jwks.json"), jwks(&key))?;
    // The private key is written last: an interrupted set is created again.
    let part = dir.join(format!("private.pem.{}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(key.to_pkcs8_pem(LineEnding::LF)?.as_bytes())?;
    fs::rename(part, dir.join("private.pem"))?;
    Ok(())
}

fn jwks(key: &RsaPrivateKey) -> String {
    let number = |n: &rsa::BigUint| base64_url(&n.to_bytes_be());
    let key = json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID,
        "n": number(key.n()), "e": number(key.e()),
    });
    json!({ "keys": [key] }).to_string()
}

/// Base64 with the URL alphabet and without padding, as JWKs write numbers.
fn base64_url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for i in 0..=group.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * i) & 63) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{DecodingKey, Validation, decode};

    #[test]
    fn published_keys_verify_tokens_and_remain() {
        let dir = tempfile::tempdir().expect("a folder");
        let token = Keys::at(dir.path())
            .and_then(|k| k.token("ann", Some("programs:write"), Duration::from_mins(1)))
            .expect("a token");
        let jwks = fs::read_to_string(dir.path().join("jwks.json")).expect("public keys");
        let again = Keys::at(dir.path()).expect("the same keys");
        assert_eq!(
            jwks,
            fs::read_to_string(dir.path().join("jwks.json")).expect("public keys")
        );
        assert!(again.token("bob", None, Duration::from_mins(1)).is_ok());
        let set: JwkSet = serde_json::from_str(&jwks).expect("a key set");
        let key = DecodingKey::from_jwk(set.find(KEY_ID).expect("the key")).expect("an RSA key");
        let mut rules = Validation::new(Algorithm::RS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        let claims = decode::<serde_json::Value>(&token, &key, &rules)
            .expect("a valid token")
            .claims;
        assert_eq!(
            (claims["sub"].as_str(), claims["scope"].as_str()),
            (Some("ann"), Some("programs:write"))
        );
    }

    #[test]
    fn base64_url_follows_the_standard() {
        let expected = [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("\u{3ff}\u{3ff}", "z7_Pvw"),
        ];
        for (plain, encoded) in expected {
            assert_eq!(base64_url(plain.as_bytes()), encoded);
        }
    }
}
