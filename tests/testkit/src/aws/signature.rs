//! Verifies signatures of version 4 in the header `authorization`.

use std::fmt::Write;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::AccessKey;

/// Headers that a signature must cover.
const REQUIRED: [&str; 3] = ["host", "x-amz-date", "x-amz-target"];

/// What is wrong with a signature.
#[derive(Debug)]
pub(super) struct Invalid(pub(super) String);

impl From<&str> for Invalid {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Whether a request is signed with this key for this service and region, or what is wrong.
pub(super) fn verify(
    head: &http::request::Parts,
    body: &Bytes,
    key: AccessKey,
    service: &str,
    region: &str,
) -> Result<(), Invalid> {
    let header = |name: &str| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.ok_or_else(|| Invalid(format!("no {name}")))
    };
    let authorization = header("authorization")?;
    let fields = authorization
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or("another algorithm")?;
    let field = |name: &str| {
        let field = fields
            .split(", ")
            .find_map(|field| field.strip_prefix(name));
        field.ok_or_else(|| Invalid(format!("no {name}")))
    };
    let date = header("x-amz-date")?;
    let day = date.get(..8).ok_or("a date that is none")?;
    let scope = format!("{day}/{region}/{service}/aws4_request");
    if field("Credential=")? != format!("{}/{scope}", key.id) {
        return Err("another key, day, region or service".into());
    }
    let session = head.headers.get("x-amz-security-token");
    if session.is_some_and(|token| token != key.session) {
        return Err("another session".into());
    }
    let signed = field("SignedHeaders=")?;
    let covers = |name: &str| signed.split(';').any(|one| one == name);
    if !REQUIRED.into_iter().all(covers) || session.is_some() && !covers("x-amz-security-token") {
        return Err(Invalid(format!(
            "a required header is not signed: {signed}"
        )));
    }
    let mut request = format!("{}\n{}\n\n", head.method, head.uri.path());
    for name in signed.split(';') {
        let _ = writeln!(request, "{name}:{}", header(name)?.trim());
    }
    let _ = write!(request, "\n{signed}\n{}", hex::encode(Sha256::digest(body)));
    let hash = hex::encode(Sha256::digest(request.as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hash}");
    let mut derived = format!("AWS4{}", key.secret).into_bytes();
    for part in [day, region, service, "aws4_request"] {
        derived = mac(&derived, part);
    }
    if hex::encode(mac(&derived, &text)) == field("Signature=")? {
        Ok(())
    } else {
        Err("the signature does not match".into())
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
