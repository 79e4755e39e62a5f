//! The payment provider's signature: `v1=` and the hex of HMAC-SHA256 over `timestamp.body`.
//!
//! During a rotation of keys the header may carry several signatures (`v1=A,v1=B`), and the
//! storefront may have several keys. One signature by one key is sufficient. Elements of another
//! scheme, such as `v0=` or `v2=`, are skipped.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Maximum number of signatures in one header.
const MAX_SIGNATURES: usize = 8;

/// Why a notification is refused. The answer does not contain it, so that it cannot help a forger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing or malformed.
    #[error("X-Payment-Timestamp or X-Payment-Signature is missing or malformed")]
    Malformed,
    /// The timestamp is too old, or in the future.
    #[error("the timestamp is outside of the tolerance")]
    Stale,
    /// Signed with another key, or over another body.
    #[error("no signature matches the body under any of the keys")]
    Mismatch,
}

/// Checks one notification. `now`: seconds since 1970. The comparison takes the same time whichever
/// key or signature matches.
pub fn check(
    keys: &[&[u8]],
    timestamp: Option<&str>,
    signatures: Option<&str>,
    body: &[u8],
    now: u64,
    tolerance: Duration,
) -> Result<(), SignatureError> {
    let (timestamp, signatures) = timestamp.zip(signatures).ok_or(SignatureError::Malformed)?;
    let signed_at: u64 = timestamp.parse().map_err(|_| SignatureError::Malformed)?;
    let signatures = read(signatures).ok_or(SignatureError::Malformed)?;
    let mut matches = false;
    for key in keys {
        let mac = mac(key, timestamp, body);
        for signature in &signatures {
            matches |= mac.clone().verify_slice(signature).is_ok();
        }
    }
    if !matches {
        return Err(SignatureError::Mismatch);
    }
    // Checked last, so that only the owner of a key receives an answer that depends on the clock.
    if now.abs_diff(signed_at) > tolerance.as_secs() {
        return Err(SignatureError::Stale);
    }
    Ok(())
}

/// The signatures of scheme `v1`, at least one. `None` if any element of the header is malformed.
fn read(header: &str) -> Option<Vec<Vec<u8>>> {
    let mut signatures = Vec::new();
    for (count, element) in header.split(',').enumerate() {
        let (scheme, value) = element.trim_matches([' ', '\t']).split_once('=')?;
        let version = scheme
            .strip_prefix('v')
            .filter(|v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit()))?;
        if count == MAX_SIGNATURES || value.is_empty() {
            return None;
        }
        if version == "1" {
            signatures.push(hex::decode(value).ok()?);
        }
    }
    (!signatures.is_empty()).then_some(signatures)
}

/// Signs a notification as the provider does.
pub fn sign(key: &[u8], timestamp: u64, body: &[u8]) -> String {
    format!(
        "v1={}",
        hex::encode(
            mac(key, &timestamp.to_string(), body)
                .finalize()
                .into_bytes()
        )
    )
}

fn mac(key: &[u8], timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"a key of some length";
    const NEXT: &[u8] = b"the key after that one";
    const BODY: &[u8] = br#"{"reference":"r"}"#;
    const TOLERANCE: Duration = Duration::from_secs(300);

    fn checked(
        timestamp: &str,
        signature: &str,
        body: &[u8],
        now: u64,
    ) -> Result<(), SignatureError> {
        check(
            &[KEY],
            Some(timestamp),
            Some(signature),
            body,
            now,
            TOLERANCE,
        )
    }

    #[test]
    fn only_the_signed_key_time_and_body_are_accepted() {
        let good = sign(KEY, 1000, BODY);
        assert_eq!(checked("1000", &good, BODY, 1000), Ok(()));
        assert_eq!(
            checked("1001", &good, BODY, 1000),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            checked("1000", &good, b"{}", 1000),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            checked("1000", &sign(b"another", 1000, BODY), BODY, 1000),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            checked("1000", &good[..20], BODY, 1000),
            Err(SignatureError::Malformed)
        );
        assert_eq!(
            checked("1000", "v1=00", BODY, 1000),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            checked("1000", good.trim_start_matches("v1="), BODY, 1000),
            Err(SignatureError::Malformed)
        );
        assert_eq!(
            check(&[KEY], None, Some(&good), BODY, 1000, TOLERANCE),
            Err(SignatureError::Malformed)
        );
    }

    #[test]
    fn one_signature_by_one_key_is_enough() {
        let good = sign(KEY, 1000, BODY);
        let next = sign(NEXT, 1000, BODY);
        let forged = sign(b"another", 1000, BODY);
        for header in [
            format!("{good},{forged}"),
            format!("{forged},{good}"),
            format!("{forged}, {good}"),
            format!("v0=abc,{good},v2=xyz"),
        ] {
            assert_eq!(checked("1000", &header, BODY, 1000), Ok(()), "{header}");
        }
        let both = |header: &str| {
            check(
                &[KEY, NEXT],
                Some("1000"),
                Some(header),
                BODY,
                1000,
                TOLERANCE,
            )
        };
        assert_eq!(
            (both(&good), both(&next), both(&format!("{forged},{next}"))),
            (Ok(()), Ok(()), Ok(()))
        );
        assert_eq!(
            (both(&forged), both(&format!("{forged},{forged}"))),
            (Err(SignatureError::Mismatch), Err(SignatureError::Mismatch))
        );
        assert_eq!(
            checked("1000", &next, BODY, 1000),
            Err(SignatureError::Mismatch),
            "a key that is not configured yet"
        );
    }

    #[test]
    fn a_malformed_element_refuses_the_whole_header() {
        let good = sign(KEY, 1000, BODY);
        let many = [good.as_str(); MAX_SIGNATURES + 1].join(",");
        for header in [
            "",
            ",",
            &format!("{good},"),
            &format!(",{good}"),
            &format!("{good},v1="),
            &format!("{good},v1=0g"),
            &format!("{good},{}", &good[3..]),
            &format!("{good};{good}"),
            &format!("{good},t=1000"),
            "v2=abc",
            &many,
        ] {
            assert_eq!(
                checked("1000", header, BODY, 1000),
                Err(SignatureError::Malformed),
                "{header}"
            );
        }
    }

    #[test]
    fn the_tolerance_is_exact_in_both_directions() {
        let good = sign(KEY, 1000, BODY);
        for (now, expected) in [
            (1300, Ok(())),
            (700, Ok(())),
            (1301, Err(SignatureError::Stale)),
            (699, Err(SignatureError::Stale)),
        ] {
            assert_eq!(checked("1000", &good, BODY, now), expected, "{now}");
        }
    }
}
