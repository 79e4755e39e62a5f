//! How a Kafka cluster is reached: in the open, or with a login, certificates, or both.

use std::fmt;

/// What a client shows a cluster, and what it believes of it. By default neither: plaintext.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// The connection is encrypted, and the broker's certificate checked. A login implies it.
    pub tls: bool,
    /// Certificates (PEM) of those who may vouch for a broker, instead of the system's.
    pub ca: Option<String>,
    /// SASL login.
    pub login: Option<Login>,
    /// The client's own certificate (mTLS).
    pub certificate: Option<Certificate>,
}

/// A SASL login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: &'static str,
    /// Name.
    pub username: String,
    /// Password.
    pub password: Hidden,
}

/// A client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// PEM, with its chain.
    pub certificate: String,
    /// PEM.
    pub key: Hidden,
    /// Of an encrypted key.
    pub key_password: Option<Hidden>,
}

/// A value that no message, log or debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Hides a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for whoever it was meant for.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Security {
    /// Every value of it that must never be printed.
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
            .map(Hidden::reveal);
        [login, key, password].into_iter().flatten()
    }
}
