//! How a link connects: certificates, login, and the names of the caller's settings.

use std::fmt;
use std::sync::Arc;

use super::login::LoginSource;

/// How a link connects, beyond its address.
#[derive(Clone, Default)]
pub struct LinkOptions {
    /// Certificates for `rediss://`.
    pub tls: TlsMaterial,
    /// The source of the login. `None`: user and password of the address, if it has any.
    pub login: Option<Arc<dyn LoginSource>>,
    /// How error texts call the settings that a user may have to change.
    pub names: SettingNames,
}

impl fmt::Debug for LinkOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkOptions")
            .field("tls", &self.tls)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// Certificates in PEM. A server's certificate is always verified: chain, name and dates.
#[derive(Clone, Default)]
pub struct TlsMaterial {
    /// Certificates of authorities that are trusted beside the built-in ones. May be empty.
    pub authorities: Vec<u8>,
    /// The certificate that this client shows, and its private key.
    pub client: Option<ClientCertificate>,
}

impl fmt::Debug for TlsMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsMaterial")
            .field("authorities", &!self.authorities.is_empty())
            .field("client", &self.client.is_some())
            .finish()
    }
}

/// A client's certificate chain and private key, in PEM.
#[derive(Clone)]
pub struct ClientCertificate {
    /// The chain, the client's own certificate first.
    pub chain: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

/// How the settings of a link are called where its user can change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingNames {
    /// Of the address.
    pub url: &'static str,
    /// Of user and password.
    pub login: &'static str,
    /// Of the trusted authorities.
    pub authorities: &'static str,
    /// Of the client's certificate and key.
    pub client_certificate: &'static str,
}

impl Default for SettingNames {
    fn default() -> Self {
        Self {
            url: "the address",
            login: "user and password",
            authorities: "the trusted authorities",
            client_certificate: "the client certificate",
        }
    }
}
