//! The key set that signs buyers' tokens: a local identity provider in two files.
//!
//! `private.pem` signs; the API's authorizer reads the public keys from `jwks.json`.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::RsaKeyPair;
use base64_simd::STANDARD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use crate::api::Buyer;

/// `iss` of every token.
pub const ISSUER: &str = "https://auth.example.test/";
/// `aud` of every token.
pub const AUDIENCE: &str = "ticket-sale";
/// `kid` of the one key.
const KEY_ID: &str = "local-1";

/// Signs tokens.
#[derive(Debug, Clone)]
pub struct Keys(EncodingKey);

impl Keys {
    /// Reads the key set of `dir`, or makes one (RSA, 2048 bits) where there is none.
    pub fn at(dir: &Path) -> Result<Self> {
        let private = dir.join("private.pem");
        if !private.exists() || !dir.join("jwks.json").exists() {
            generate(dir)
                .with_context(|| format!("no key set could be made in {}", dir.display()))?;
        }
        let pem =
            fs::read(&private).with_context(|| format!("{} cannot be read", private.display()))?;
        let key = EncodingKey::from_rsa_pem(&pem);
        Ok(Self(key.with_context(|| {
            let (file, dir) = (private.display(), dir.display());
            format!("{file} is no RSA key; delete {dir} to make a new set")
        })?))
    }

    /// A token for `subject`, valid for `lifetime`; `scope` is a list separated by spaces.
    pub fn token(&self, subject: &str, scope: Option<&str>, lifetime: Duration) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let mut claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": subject,
            "iat": now, "exp": now + lifetime.as_secs(),
        });
        if let Some(scope) = scope {
            claims["scope"] = json!(scope);
        }
        let header = Header {
            kid: Some(KEY_ID.to_owned()),
            ..Header::new(Algorithm::RS256)
        };
        Ok(encode(&header, &claims, &self.0)?)
    }

    /// A user with a [`token`](Self::token).
    pub fn buyer(&self, user: &str, scope: Option<&str>, lifetime: Duration) -> Result<Buyer> {
        Ok(Buyer {
            user: user.to_owned(),
            token: self.token(user, scope, lifetime)?,
        })
    }
}

fn generate(dir: &Path) -> Result<()> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("no random numbers"))?;
    let der = pair.as_der();
    let der = der.map_err(|_| anyhow!("the key has no PKCS #8 form"))?;
    // RFC 7468: lines of 64 characters, 48 bytes each.
    let line = |bytes| STANDARD.encode_to_string(bytes) + "\n";
    let lines: String = der.as_ref().chunks(48).map(line).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{lines}-----END PRIVATE KEY-----\n");
    let key = EncodingKey::from_rsa_pem(pem.as_bytes())?;
    let mut public = Jwk::from_encoding_key(&key, Algorithm::RS256)?;
    public.common.public_key_use = Some(PublicKeyUse::Signature);
    public.common.key_id = Some(KEY_ID.to_owned());
    fs::create_dir_all(dir)?;
    let set = json!({ "keys": [public] }).to_string();
    fs::write(dir.join("jwks.json"), set)?;
    // The private key is written last and by rename: an interrupted set is generated again.
    let part = dir.join(format!("private.pem.{}", std::process::id()));
    let mut options = File::options();
    options.create(true).truncate(true).write(true).mode(0o600);
    options.open(&part)?.write_all(pem.as_bytes())?;
    Ok(fs::rename(part, dir.join("private.pem"))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{DecodingKey, Validation, decode};

    #[test]
    fn published_keys_verify_a_token_and_stay() {
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
}
