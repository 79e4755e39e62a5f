//! Servers that answer but are not used: waiting does not help, a setting must change.

use super::options::SettingNames;

/// A server that is not used, why, and the setting that decides it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Redis at {server} cannot be used: {reason}; correct {setting}")]
pub struct Refusal {
    /// `host:port`.
    pub server: String,
    /// Why.
    pub reason: RefusalReason,
    /// What to change, by the names of [`SettingNames`].
    pub setting: &'static str,
}

/// Why a server is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The chain does not end at a trusted authority.
    #[error("an unknown authority signed its certificate")]
    UnknownAuthority,
    /// The certificate names other hosts.
    #[error("its certificate is not valid for this name")]
    OtherName,
    /// The certificate has expired.
    #[error("its certificate has expired")]
    Expired,
    /// The certificate is valid later.
    #[error("its certificate is not valid yet")]
    NotYetValid,
    /// Another fault of the certificate.
    #[error("its certificate is not accepted ({0})")]
    Certificate(String),
    /// The server requires a client certificate, or refuses the one it got.
    #[error("it does not accept this client's certificate ({0})")]
    ClientCertificate(String),
    /// Client and server have no TLS version or cipher in common, or TLS failed otherwise.
    #[error("TLS failed ({0})")]
    Handshake(String),
    /// The address says TLS; the port speaks plain Redis.
    #[error("TLS is required, but this port speaks Redis without TLS")]
    PlainServer,
    /// The address says plain Redis; the port speaks TLS.
    #[error("this port speaks TLS, and the address does not (rediss://)")]
    TlsServer,
    /// The server does not accept user and password.
    #[error("it refuses user and password")]
    Login,
    /// The server demands a login, and there is none.
    #[error("it requires user and password")]
    LoginRequired,
}

impl RefusalReason {
    /// The setting that decides it.
    pub(super) fn setting(&self, names: &SettingNames) -> &'static str {
        match self {
            Self::UnknownAuthority => names.authorities,
            Self::ClientCertificate(_) => names.client_certificate,
            Self::Login | Self::LoginRequired => names.login,
            Self::OtherName | Self::PlainServer | Self::TlsServer => names.url,
            Self::Expired | Self::NotYetValid | Self::Certificate(_) | Self::Handshake(_) => {
                "the server's certificate"
            }
        }
    }
}
