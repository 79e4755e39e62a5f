//! Why no connection to Postgres is opened, where another attempt alone does not help.

use std::io;

use lambda_batch::ErrorClass;
use rustls::CertificateError;
use rustls::pki_types::ServerName;

use super::login::LoginError;

/// A connection that cannot be opened with this configuration. `server` is `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No trusted authority has signed the certificate of the server.
    #[error("the certificate of {server} comes from an unknown authority")]
    UnknownAuthority {
        /// The server.
        server: String,
    },
    /// The certificate belongs to other names.
    #[error("the certificate of {server} belongs to another name ({names})")]
    WrongName {
        /// The server.
        server: String,
        /// The names in the certificate.
        names: String,
    },
    /// The certificate has expired.
    #[error("the certificate of {server} has expired")]
    Expired {
        /// The server.
        server: String,
    },
    /// The certificate is not valid yet, by the clock of this machine.
    #[error("the certificate of {server} is not valid yet")]
    NotYetValid {
        /// The server.
        server: String,
    },
    /// The certificate of the server is refused for another reason.
    #[error("the certificate of {server} is refused: {reason}")]
    Certificate {
        /// The server.
        server: String,
        /// What the verification found.
        reason: String,
    },
    /// The server does not offer TLS.
    #[error("{server} does not offer TLS")]
    NoTls {
        /// The server.
        server: String,
    },
    /// The server refuses the certificate of this client, or requires one.
    #[error("{server} refuses the client certificate: {reason}")]
    ClientCertificate {
        /// The server.
        server: String,
        /// The alert that it sent.
        reason: String,
    },
    /// Certificates or keys of this client cannot be read, or the handshake fails otherwise.
    #[error("TLS to {server} cannot begin: {reason}")]
    Tls {
        /// The server.
        server: String,
        /// What failed.
        reason: String,
    },
    /// The server takes no writes: it is a standby, or is being moved.
    #[error("{server} is read-only: a standby, or a primary that is being replaced")]
    ReadOnly {
        /// The server.
        server: String,
    },
    /// Unqualified names of tables lead elsewhere.
    #[error("sessions use the schema {found:?} instead of {expected:?}")]
    OtherSchema {
        /// The schema of the environment.
        expected: String,
        /// The schema found.
        found: String,
    },
    /// No login is known.
    #[error("no login for {server}: {reason}")]
    NoLogin {
        /// The server.
        server: String,
        /// The error of its source.
        reason: LoginError,
    },
}

impl ConnectError {
    /// Unavailable where time may help; else unknown, which raises an alarm.
    pub(super) fn class(&self) -> ErrorClass {
        match self {
            Self::ReadOnly { .. } => ErrorClass::Unavailable,
            Self::NoLogin { reason, .. } => reason.class,
            _ => ErrorClass::Unknown,
        }
    }

    /// The setting to change.
    pub(super) const fn hint(&self) -> &'static str {
        match self {
            Self::UnknownAuthority { .. } => {
                "; give the certificate of its authority in TLS_CA_FILE or TLS_CA_SECRET_ARN"
            }
            Self::WrongName { .. } => {
                "; the host in DATABASE_URL must be one of the names in the certificate"
            }
            Self::Expired { .. } => "; renew the certificate of the server",
            Self::NotYetValid { .. } => "; compare the clocks of this machine and the server",
            Self::Certificate { .. } => "; replace the certificate of the server",
            Self::NoTls { .. } => {
                "; switch TLS on at the server, or, within a trusted network, \
                 set sslmode=disable in DATABASE_URL"
            }
            Self::ClientCertificate { .. } => {
                "; give a certificate that it accepts in TLS_CERTIFICATE_FILE and TLS_KEY_FILE"
            }
            Self::Tls { .. } => "; check TLS_CA_FILE, TLS_CERTIFICATE_FILE and TLS_KEY_FILE",
            Self::ReadOnly { .. } => "; the host in DATABASE_URL must lead to the primary",
            Self::OtherSchema { .. } => {
                "; a pooler or a setting of the role changes search_path: \
                 see docs/reference/postgres.md, Poolers"
            }
            Self::NoLogin { .. } => "; check DATABASE_SECRET_ARN or DATABASE_AUTH",
        }
    }

    /// The certificate or handshake error in an error of the driver, if it is one.
    pub(super) fn of_tls(error: &sqlx::Error, server: &str) -> Option<Self> {
        let server = server.to_owned();
        match error {
            sqlx::Error::Io(error) => Some(Self::of_handshake(rustls_error(error)?, server)),
            // The driver has no type for it.
            sqlx::Error::Tls(error) if error.to_string() == "server does not support TLS" => {
                Some(Self::NoTls { server })
            }
            sqlx::Error::Tls(error) | sqlx::Error::Configuration(error) => {
                let reason = error.to_string();
                Some(Self::Tls { server, reason })
            }
            _ => None,
        }
    }

    fn of_handshake(error: &rustls::Error, server: String) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => Self::of_certificate(error, server),
            // Sent by the server about what this client presented, or failed to present.
            rustls::Error::AlertReceived(alert) => Self::ClientCertificate {
                server,
                reason: format!("alert {alert:?}"),
            },
            other => Self::Tls {
                server,
                reason: other.to_string(),
            },
        }
    }

    fn of_certificate(error: &CertificateError, server: String) -> Self {
        match error {
            // A trusted authority of the same name, with another key, has not issued it either.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Self::UnknownAuthority { server }
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Self::Expired { server }
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid { server }
            }
            CertificateError::NotValidForNameContext {
                expected,
                presented,
            } => Self::WrongName {
                server,
                names: names(expected, presented),
            },
            CertificateError::NotValidForName => Self::WrongName {
                server,
                names: "not listed".to_owned(),
            },
            other => Self::Certificate {
                server,
                reason: other.to_string(),
            },
        }
    }

    /// For the functions of the driver that return its error type.
    pub(super) fn into_driver(self) -> sqlx::Error {
        sqlx::Error::Configuration(Box::new(self))
    }

    /// The reverse of [`Self::into_driver`].
    pub(super) fn of_driver(error: &sqlx::Error) -> Option<&Self> {
        match error {
            sqlx::Error::Configuration(error) => error.downcast_ref(),
            _ => None,
        }
    }
}

fn names(expected: &ServerName<'_>, presented: &[String]) -> String {
    let presented = match presented {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    format!("it has {presented}, not {}", expected.to_str())
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
