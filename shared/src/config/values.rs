//! Values that must not appear in a log.

use std::fmt;

/// A secret: prints as `[secret]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Address of a server, `scheme://[user[:password]@]host...`. Prints without user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    /// `text` must begin with one of `schemes`, followed by `://` and a host.
    pub fn new(text: impl Into<String>, schemes: &[&str]) -> Option<Self> {
        let url = Self(text.into());
        let (scheme, rest) = url.0.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let readable =
            !host.is_empty() && !host.starts_with(':') && !url.0.contains(char::is_whitespace);
        (schemes.contains(&scheme) && readable).then_some(url)
    }

    /// Instead of an address that cannot be read.
    pub(super) const fn unknown() -> Self {
        Self(String::new())
    }

    /// Whether it contains a password.
    pub fn has_password(&self) -> bool {
        let authority = self.authority();
        let login = authority.rsplit_once('@').map_or("", |(login, _)| login);
        let password = login.split_once(':').map(|(_, password)| password);
        password.is_some_and(|password| !password.is_empty())
    }

    /// Host, without the brackets of an IPv6 address, and port.
    pub fn host_and_port(&self) -> (&str, Option<u16>) {
        let authority = self.authority();
        let server = authority
            .rsplit_once('@')
            .map_or(authority, |(_, server)| server);
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
            _ => (server, None),
        };
        (host.trim_start_matches('[').trim_end_matches(']'), port)
    }

    fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or_default()
    }

    /// The whole address, password included, for the driver.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The ARN of a secret or of another resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arn(String);

impl Arn {
    /// `arn:partition:service:region:account:resource`, of one of these services.
    pub fn new(text: impl Into<String>, services: &[&str]) -> Option<Self> {
        let text = text.into();
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let valid = parts.len() == 6
            && parts[0] == "arn"
            && services.contains(&parts[2])
            && parts.iter().all(|part| !part.is_empty())
            && text.bytes().all(|b| b.is_ascii_graphic());
        valid.then_some(Self(text))
    }

    /// The whole ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its service, such as `secretsmanager`.
    pub fn service(&self) -> &str {
        self.0.split(':').nth(2).unwrap_or_default()
    }

    /// Its resource: what follows the account.
    pub fn resource(&self) -> &str {
        self.0.splitn(6, ':').nth(5).unwrap_or_default()
    }
}

/// A secret, and the variable that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRef {
    /// The variable, for error texts.
    pub variable: String,
    /// The secret.
    pub arn: Arn,
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Without user, password and parameters. Only the scheme if an unescaped password makes its end
/// ambiguous.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if after.contains('@') {
            return write!(f, "{scheme}://[not shown]");
        }
        let host = authority.rsplit('@').next().unwrap_or_default();
        let path = after.split(['?', '#']).next().unwrap_or_default();
        write!(f, "{scheme}://{host}{path}")
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
