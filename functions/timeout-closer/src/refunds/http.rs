//! Refunds over HTTP: one signed POST for each, with an Idempotency-Key.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use shared::access::{Access, Keys, SourceError};
use shared::config::{KeysSetting, Reader};
use shared::https::{Address, Client};
use shared::signature::sign;

use super::{ProviderAnswer, ProviderError, ProviderRefund, RefundProvider};

const URL: &str = "REFUND_URL";
const SECRET: &str = "REFUND_SECRET";
const ALLOWED: &str = "http://host:port/path or https://host/path of the payment provider; the \
                       request is signed, so it needs no user and no password";
/// Maximum length of texts of the provider that are stored, characters.
const MAX_TEXT: usize = 200;

/// Settings of the adapter.
#[derive(Debug, Clone)]
pub struct HttpProviderSettings {
    address: Address,
    /// Time limit of a request.
    timeout: Duration,
}

impl HttpProviderSettings {
    /// Reads `REFUND_URL`, and where it is given the other variables and the keys that sign the
    /// requests. Without it refunds are recorded by operators only. `tick`: time limit of a tick. A
    /// request takes at most a quarter of it, so that its answer is recorded.
    pub fn read(reader: &Reader, tick: Duration) -> Option<(Self, KeysSetting)> {
        let text = reader.optional_text(URL)?;
        let address = Address::parse(&text, URL);
        let address = address.map_err(|wrong| reader.refuse(URL, wrong, ALLOWED));
        let keys = reader.keys(SECRET, 16);
        let timeout = reader.milliseconds_or("REFUND_TIMEOUT_MS", 100..=60_000, 10_000);
        let timeout = timeout.min(tick / 4);
        let address = address.ok()?;
        Some((Self { address, timeout }, keys))
    }

    /// Time limit of a request.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// The provider's HTTP API for refunds.
pub struct HttpProvider {
    client: Client,
    keys: Keys,
}

impl HttpProvider {
    /// Connects when first used, with the certificates and keys of the process.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub fn open(settings: &HttpProviderSettings, access: &Access) -> Result<Self, SourceError> {
        Ok(Self {
            client: access.https_client(&settings.address, settings.timeout)?,
            keys: access.keys(),
        })
    }
}

#[async_trait]
impl RefundProvider for HttpProvider {
    async fn refund(&self, refund: &ProviderRefund<'_>) -> Result<ProviderAnswer, ProviderError> {
        let body = json!({
            "refund": refund.id.to_string(),
            "payment": refund.payment,
            "order": refund.order,
            "amount_cents": refund.amount,
        })
        .to_string();
        let keys = self.keys.current().await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let timestamp = now.map_or(0, |now| now.as_secs());
        // One signature by each key: the provider may have the current key only, or the next one.
        let signatures: Vec<_> = keys
            .iter()
            .map(|key| sign(key.expose().as_bytes(), timestamp, body.as_bytes()))
            .collect();
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", refund.idempotency_key),
            ("x-payment-timestamp", &timestamp.to_string()),
            ("x-payment-signature", &signatures.join(",")),
        ];
        let response = self.client.post(&headers, body.into_bytes()).await?;
        decision(response.status, &response.body)
    }
}

/// What an answer decides. Only an explicit refusal is one: an error of a proxy, or of this
/// system's settings, must not end a refund.
fn decision(status: u16, body: &[u8]) -> Result<ProviderAnswer, ProviderError> {
    #[derive(Deserialize)]
    #[serde(tag = "status", rename_all = "lowercase")]
    enum Body {
        Refunded { reference: String },
        Refused { reason: String },
        Pending {},
    }
    match (status, strict_json::from_slice(body)) {
        (200 | 201, Ok(Body::Refunded { reference })) => Ok(ProviderAnswer::Refunded {
            reference: line(&reference),
        }),
        (422, Ok(Body::Refused { reason })) => Ok(ProviderAnswer::Refused {
            reason: line(&reason),
        }),
        (202, Ok(Body::Pending {})) => Ok(ProviderAnswer::Pending),
        _ => Err(ProviderError::Undecided {
            status,
            body: line(&String::from_utf8_lossy(body)),
        }),
    }
}

/// One line of bounded length.
fn line(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_explicit_answer_decides() {
        let answer = |status, body: &str| decision(status, body.as_bytes()).ok();
        let refunded = r#"{"status":"refunded","reference":"re_1","more":1}"#;
        let refused = r#"{"status":"refused","reason":"the card\nis closed"}"#;
        let pending = r#"{"status":"pending"}"#;
        let reference = "re_1".to_owned();
        for status in [200, 201] {
            let expected = Some(ProviderAnswer::Refunded {
                reference: reference.clone(),
            });
            assert_eq!(answer(status, refunded), expected);
        }
        let reason = "the card is closed".to_owned();
        assert_eq!(
            answer(422, refused),
            Some(ProviderAnswer::Refused { reason })
        );
        assert_eq!(answer(202, pending), Some(ProviderAnswer::Pending));
        for (status, body) in [
            (422, refunded),
            (200, refused),
            (200, pending),
            (400, refused),
            (401, refused),
            (503, refused),
            (200, ""),
            (200, "[]"),
            (200, r#"{"status":"refunded"}"#),
            (302, refunded),
        ] {
            assert_eq!(answer(status, body), None, "{status} {body}");
        }
    }

    #[test]
    fn texts_of_the_provider_are_short_lines() {
        assert_eq!(line("a\r\nb"), "a  b");
        assert_eq!(line(&"x".repeat(10_000)).len(), MAX_TEXT);
    }

    #[test]
    fn without_an_address_nothing_else_is_read() {
        let read = |variables: &[(&str, &str)]| {
            let reader = Reader::new(variables.iter().copied());
            reader.finish(|| HttpProviderSettings::read(&reader, Duration::from_secs(8)))
        };
        assert!(matches!(read(&[(SECRET, "short")]), Ok(None)));
        let url = (URL, "https://provider.example/refunds");
        let problems = read(&[url]).expect_err("no key").to_string();
        assert!(problems.contains("REFUND_SECRET is missing"), "{problems}");
        let key = (SECRET, "at least sixteen bytes");
        let settings = read(&[url, key]).expect("valid");
        let (settings, _) = settings.expect("given");
        assert_eq!(
            settings.timeout(),
            Duration::from_secs(2),
            "a quarter of the tick"
        );
        for bad in ["provider.example", "ftp://a/b", "https://u:hunter2@a/b"] {
            let problems = read(&[(URL, bad), key]).expect_err(bad).to_string();
            assert!(
                problems.contains(URL) && !problems.contains("hunter2"),
                "{problems}"
            );
        }
    }
}
