//! Addresses of HTTP services in settings.

use http::uri::{Authority, Uri};

/// Host, port and path of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub(crate) server: Authority,
    pub(crate) path: String,
    pub(crate) encrypted: bool,
    /// The variable that holds the address, for error texts.
    pub(crate) setting: &'static str,
}

/// Why an address is refused. It is not printed: it may contain a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no address of a service.
    #[error("is not such an address (not shown, it may contain a password)")]
    NoAddress,
    /// It contains a user.
    #[error("contains a user, which would not be sent")]
    User,
}

impl Address {
    /// The address as a text.
    pub fn url(&self) -> String {
        let scheme = if self.encrypted { "https" } else { "http" };
        format!("{scheme}://{}{}", self.server, self.path)
    }

    /// Reads `http://` or `https://`, a host, a port and a path, without a query. A `/` at the end
    /// is left out. `setting`: the variable that holds the text.
    ///
    /// # Errors
    /// It is none, or has a user.
    pub fn parse(text: &str, setting: &'static str) -> Result<Self, AddressError> {
        use AddressError::NoAddress;
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| NoAddress)?;
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(NoAddress),
        };
        if uri.query().is_some() {
            return Err(NoAddress);
        }
        let server = uri.authority().ok_or(NoAddress)?;
        if server.as_str().contains('@') {
            return Err(AddressError::User);
        }
        if server.host().is_empty() || !has_valid_port(server) {
            return Err(NoAddress);
        }
        Ok(Self {
            server: server.clone(),
            path: uri.path().trim_end_matches('/').to_owned(),
            encrypted,
            setting,
        })
    }
}

/// The library reads a port that is not a number as no port.
fn has_valid_port(authority: &Authority) -> bool {
    let after_host = authority.as_str().rsplit(']').next().unwrap_or_default();
    !after_host.contains(':') || authority.port_u16().is_some_and(|port| port > 0)
}
