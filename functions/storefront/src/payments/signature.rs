//! The payment provider's signature: `v1=` and the hex of HMAC-SHA256 over `timestamp.body`.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Why a notification is not believed. The same answer for all, so that a forger learns nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// A header is missing or cannot be read.
    #[error("X-Payment-Timestamp or X-Payment-Signature is missing or malformed")]
    Malformed,
    /// Signed too long ago, or in the future.
    #[error("the timestamp is outside of the tolerance")]
    Stale,
    /// Another key, or another text.
    #[error("the signature is not the text's")]
    Mismatch,
}

/// Checks one notification. `now`: seconds since 1970; the comparison takes the same time whatever differs.
pub fn check(
    secret: &[u8],
    timestamp: Option<&str>,
    signature: Option<&str>,
    body: &[u8],
    now: u64,
    tolerance: Duration,
) -> Result<(), Forged> {
    let (timestamp, signature) = timestamp.zip(signature).ok_or(Forged::Malformed)?;
    let signed_at: u64 = timestamp.parse().map_err(|_| Forged::Malformed)?;
    let signature = signature.strip_prefix("v1=").and_then(|s| hex::decode(s).ok()).ok_or(Forged::Malformed)?;
    mac(secret, timestamp, body).verify_slice(&signature).map_err(|_| Forged::Mismatch)?;
    // After the signature, so that the answer tells only the key's owner anything about clocks.
    if now.abs_diff(signed_at) > tolerance.as_secs() {
        return Err(Forged::Stale);
    }
    Ok(())
}

/// The signature of a notification, as the provider makes it.
pub fn sign(secret: &[u8], timestamp: u64, body: &[u8]) -> String {
    format!("v1={}", hex::encode(mac(secret, &timestamp.to_string(), body).finalize().into_bytes()))
}

fn mac(secret: &[u8], timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"a key of some length";
    const BODY: &[u8] = br#"{"reference":"r"}"#;
    const TOLERANCE: Duration = Duration::from_secs(300);

    fn checked(timestamp: &str, signature: &str, body: &[u8], now: u64) -> Result<(), Forged> {
        check(KEY, Some(timestamp), Some(signature), body, now, TOLERANCE)
    }

    #[test]
    fn only_the_key_the_time_and_the_text_that_were_signed_are_believed() {
        let good = sign(KEY, 1000, BODY);
        assert_eq!(checked("1000", &good, BODY, 1000), Ok(()));
        assert_eq!(checked("1001", &good, BODY, 1000), Err(Forged::Mismatch));
        assert_eq!(checked("1000", &good, b"{}", 1000), Err(Forged::Mismatch));
        assert_eq!(checked("1000", &sign(b"another", 1000, BODY), BODY, 1000), Err(Forged::Mismatch));
        assert_eq!(checked("1000", &good[..20], BODY, 1000), Err(Forged::Malformed));
        assert_eq!(checked("1000", "v1=00", BODY, 1000), Err(Forged::Mismatch));
        assert_eq!(checked("1000", good.trim_start_matches("v1="), BODY, 1000), Err(Forged::Malformed));
        assert_eq!(check(KEY, None, Some(&good), BODY, 1000, TOLERANCE), Err(Forged::Malformed));
    }

    #[test]
    fn the_tolerance_holds_both_ways_to_the_second() {
        let good = sign(KEY, 1000, BODY);
        for (now, expected) in [(1300, Ok(())), (700, Ok(())), (1301, Err(Forged::Stale)), (699, Err(Forged::Stale))] {
            assert_eq!(checked("1000", &good, BODY, now), expected, "{now}");
        }
    }
}
