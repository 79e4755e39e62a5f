//! Security of a connection to a Kafka cluster (plaintext, or TLS, SASL, or both) and to Redis.

use std::fmt;

/// Encryption and credentials of a connection. The default is plaintext.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KafkaSecurity {
    /// TLS: the connection is encrypted, and the broker's certificate verified. A login implies it.
    pub tls: bool,
    /// CA certificates (PEM) to trust instead of the system's.
    pub ca: Option<String>,
    /// SASL login.
    pub login: Option<SaslLogin>,
    /// Region of an MSK cluster whose logins are tokens of IAM. Implies TLS; there is no other
    /// login.
    pub iam: Option<String>,
    /// Client certificate (mTLS).
    pub certificate: Option<ClientCertificate>,
}

/// A Redis.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisEndpoint {
    /// Its URL, `redis://` or `rediss://` (TLS). It may contain a user and a password, and names
    /// several hosts for a cluster or for Sentinels.
    pub url: String,
    /// CA certificates (PEM) to trust beside those built in.
    pub ca: Option<String>,
}

impl fmt::Debug for RedisEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisEndpoint(hidden)")
    }
}

/// A SASL login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslLogin {
    /// SASL mechanism: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: &'static str,
    /// Name.
    pub username: String,
    /// Password.
    pub password: SecretText,
}

/// A client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Chain, PEM.
    pub certificate: String,
    /// Private key, PEM.
    pub key: SecretText,
    /// Password of an encrypted private key.
    pub key_password: Option<SecretText>,
}

/// A value that no message, log or debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value in plain text, for the client that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl KafkaSecurity {
    /// Every value that must never be printed.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let login = self.login.as_ref().map(|login| login.password.reveal());
        let key = self
            .certificate
            .as_ref()
            .map(|certificate| certificate.key.reveal());
        let password = self
            .certificate
            .as_ref()
            .and_then(|certificate| certificate.key_password.as_ref())
            .map(SecretText::reveal);
        [login, key, password].into_iter().flatten()
    }
}
