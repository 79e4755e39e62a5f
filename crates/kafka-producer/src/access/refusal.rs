//! Errors that no retry mends: the brokers or this client refuse the other side.

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

/// Why a connection was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// What was refused.
    pub kind: RefusalKind,
    /// librdkafka's description. It names the broker, and contains no password.
    pub reason: String,
}

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The login or token, by the broker. Or there is none.
    Login,
    /// A certificate: the broker's by this client, or the client's by the broker.
    Certificate,
}

impl Refusal {
    /// From an error of [`rdkafka::ClientContext::error`]; `None` if it is of another kind.
    pub fn of(error: &KafkaError, reason: &str) -> Option<Self> {
        let kind = match error.rdkafka_error_code()? {
            RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => {
                RefusalKind::Login
            }
            // librdkafka has one code for all errors of TLS. A connection that ends during the
            // handshake is an outage: of a broker that starts, for example.
            RDKafkaErrorCode::SSL if !is_outage(reason) => RefusalKind::Certificate,
            // In TLS 1.3 the broker refuses a client's certificate after the handshake.
            RDKafkaErrorCode::BrokerTransportFailure if is_alert(reason) => {
                RefusalKind::Certificate
            }
            _ => return None,
        };
        Some(Self {
            kind,
            reason: reason.to_owned(),
        })
    }
}

/// The texts of librdkafka (`rd_kafka_transport_ssl_io_update`, `rd_kafka_transport_ssl_handshake`)
/// for a connection that ended.
fn is_outage(reason: &str) -> bool {
    [
        "Disconnected",
        "Connection reset",
        "Broken pipe",
        "unexpected eof",
        "timed out",
    ]
    .iter()
    .any(|text| reason.contains(text))
}

/// OpenSSL's text for an error that the other side has sent, such as "tlsv13 alert certificate
/// required".
fn is_alert(reason: &str) -> bool {
    reason.contains("SSL routines") && reason.contains("alert")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: RDKafkaErrorCode, reason: &str) -> Option<RefusalKind> {
        Refusal::of(&KafkaError::Global(code), reason).map(|refusal| refusal.kind)
    }

    #[test]
    fn an_outage_is_no_refusal() {
        use RDKafkaErrorCode::{AllBrokersDown, Authentication, BrokerTransportFailure, SSL};
        let verify = "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed";
        assert_eq!(kind(SSL, verify), Some(RefusalKind::Certificate));
        assert_eq!(
            kind(
                SSL,
                "SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?"
            ),
            None
        );
        assert_eq!(
            kind(Authentication, "invalid credentials"),
            Some(RefusalKind::Login)
        );
        assert_eq!(kind(BrokerTransportFailure, "Connection refused"), None);
        let alert =
            "Receive failed: error:0A00045C:SSL routines::tlsv13 alert certificate required";
        assert_eq!(
            kind(BrokerTransportFailure, alert),
            Some(RefusalKind::Certificate)
        );
        assert_eq!(kind(AllBrokersDown, "1/1 brokers are down"), None);
    }
}
