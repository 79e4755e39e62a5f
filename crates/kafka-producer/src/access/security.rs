//! Encryption and authentication towards brokers.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use rdkafka::client::OAuthToken;
use rdkafka::config::ClientConfig;

/// Why a source has no login or token.
pub type SourceError = Box<dyn Error + Send + Sync>;

/// How clients are encrypted and authenticated. Certificates are always verified: chain, name and
/// date.
#[derive(Debug, Clone)]
pub enum Security {
    /// Neither, for brokers on the same machine.
    Plaintext,
    /// TLS. A client certificate is the only authentication.
    Tls(TlsMaterial),
    /// TLS, with a user name and a password.
    Login {
        /// Authorities and certificate.
        tls: TlsMaterial,
        /// How the password is proven.
        mechanism: Mechanism,
        /// Where the login comes from.
        source: Arc<dyn LoginSource>,
    },
    /// TLS, with tokens that expire (OAUTHBEARER).
    Token {
        /// Authorities and certificate.
        tls: TlsMaterial,
        /// Where the tokens come from.
        source: Arc<dyn TokenSource>,
    },
}

/// Certificates in PEM.
#[derive(Clone, Default)]
pub struct TlsMaterial {
    /// Certificates of authorities that are trusted beside those of the system.
    pub authorities: Option<String>,
    /// The client's own certificate.
    pub identity: Option<TlsIdentity>,
}

impl fmt::Debug for TlsMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsMaterial")
            .field("authorities", &self.authorities.is_some())
            .field("identity", &self.identity)
            .finish()
    }
}

/// A certificate with its private key, in PEM.
#[derive(Clone)]
pub struct TlsIdentity {
    /// The certificate, followed by those of intermediate authorities.
    pub certificate: String,
    /// The private key, not encrypted.
    pub key: String,
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").finish_non_exhaustive()
    }
}

/// How a password is proven to the broker (`sasl.mechanisms`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// The password is sent, within TLS.
    Plain,
    /// SCRAM-SHA-256 (RFC 7677).
    ScramSha256,
    /// SCRAM-SHA-512.
    ScramSha512,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::ScramSha256, Self::ScramSha512];

    /// The name in SASL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// A user name with its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Login");
        shown
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Source of the current login. A [`Login`] is one that never changes.
#[async_trait]
pub trait LoginSource: fmt::Debug + Send + Sync + 'static {
    /// The current login. `refused`: the brokers have refused the last one that this returned, so a
    /// cached one may be out of date.
    ///
    /// # Errors
    /// The login cannot be read. Running clients keep the one that they have.
    async fn login(&self, refused: bool) -> Result<Login, SourceError>;
}

#[async_trait]
impl LoginSource for Login {
    async fn login(&self, _refused: bool) -> Result<Login, SourceError> {
        Ok(self.clone())
    }
}

/// A token for OAUTHBEARER.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The token as it is sent.
    pub value: String,
    /// The principal that the token identifies. Brokers ignore it where the token says so itself, as in IAM's.
    pub principal: String,
    /// When it expires, milliseconds since 1970. librdkafka requests the next one after 80 % of the
    /// time until then.
    pub expires_ms: i64,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Token");
        shown
            .field("principal", &self.principal)
            .field("expires_ms", &self.expires_ms)
            .finish_non_exhaustive()
    }
}

/// Source of tokens.
#[async_trait]
pub trait TokenSource: fmt::Debug + Send + Sync + 'static {
    /// A token that is valid now.
    ///
    /// # Errors
    /// None can be made. librdkafka asks again after ten seconds.
    async fn token(&self) -> Result<Token, SourceError>;
}

impl From<Token> for OAuthToken {
    fn from(token: Token) -> Self {
        Self {
            token: token.value,
            principal_name: token.principal,
            lifetime_ms: token.expires_ms,
        }
    }
}

impl Security {
    /// Whether connections are encrypted.
    pub const fn is_encrypted(&self) -> bool {
        !matches!(self, Self::Plaintext)
    }

    /// Writes the settings of librdkafka, except for the login itself.
    pub(super) fn configure(&self, config: &mut ClientConfig) {
        match self {
            Self::Plaintext => {}
            Self::Tls(tls) => {
                config.set("security.protocol", "ssl");
                tls.configure(config);
            }
            Self::Login { tls, mechanism, .. } => {
                config
                    .set("security.protocol", "sasl_ssl")
                    .set("sasl.mechanisms", mechanism.name());
                tls.configure(config);
            }
            Self::Token { tls, .. } => {
                config
                    .set("security.protocol", "sasl_ssl")
                    .set("sasl.mechanisms", "OAUTHBEARER");
                tls.configure(config);
            }
        }
    }
}

impl TlsMaterial {
    fn configure(&self, config: &mut ClientConfig) {
        config.set("ssl.endpoint.identification.algorithm", "https");
        match &self.authorities {
            // librdkafka searches the places where systems keep their authorities: a statically
            // linked OpenSSL has a default of its own, which exists on no system.
            None => {
                config.set("ssl.ca.location", "probe");
            }
            // With certificates of its own librdkafka does not search.
            Some(authorities) => {
                config.set("ssl.ca.pem", authorities);
                if let Some(system) = system_authorities() {
                    config.set("ssl.ca.location", system);
                }
            }
        }
        if let Some(own) = &self.identity {
            config
                .set("ssl.certificate.pem", &own.certificate)
                .set("ssl.key.pem", &own.key);
        }
    }
}

/// The file with the system's authorities: of Amazon Linux and Fedora, Debian, SUSE, Alpine.
fn system_authorities() -> Option<&'static str> {
    const FILES: [&str; 4] = [
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ];
    FILES
        .into_iter()
        .find(|file| std::fs::metadata(file).is_ok_and(|found| found.len() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(security: &Security) -> ClientConfig {
        let mut config = ClientConfig::new();
        security.configure(&mut config);
        config
    }

    fn login() -> Arc<Login> {
        Arc::new(Login {
            username: "alice".to_owned(),
            password: "hunter2".to_owned(),
        })
    }

    #[test]
    fn encrypted_clients_verify_names() {
        let config = configured(&Security::Plaintext);
        assert_eq!(config.get("security.protocol"), None);
        let tls = TlsMaterial::default();
        let mechanism = Mechanism::ScramSha512;
        let source = login();
        for security in [
            Security::Tls(tls.clone()),
            Security::Login {
                tls,
                mechanism,
                source,
            },
        ] {
            let config = configured(&security);
            let algorithm = config.get("ssl.endpoint.identification.algorithm");
            assert_eq!(algorithm, Some("https"));
            assert_eq!(config.get("ssl.ca.location"), Some("probe"));
        }
    }

    #[test]
    fn private_authorities_join_those_of_the_system() {
        let tls = TlsMaterial {
            authorities: Some("PEM".to_owned()),
            identity: None,
        };
        let config = configured(&Security::Tls(tls));
        assert_eq!(config.get("ssl.ca.pem"), Some("PEM"));
        assert_eq!(config.get("ssl.ca.location"), system_authorities());
    }

    #[test]
    fn secrets_are_not_printed() {
        let tls = TlsMaterial {
            authorities: None,
            identity: Some(TlsIdentity {
                certificate: "certificate".to_owned(),
                key: "hunter2".to_owned(),
            }),
        };
        let token = Token {
            value: "hunter2".to_owned(),
            principal: "alice".to_owned(),
            expires_ms: 1,
        };
        let printed = format!("{tls:?} {:?} {token:?}", login());
        assert!(
            printed.contains("alice") && !printed.contains("hunter2"),
            "{printed}"
        );
    }
}
