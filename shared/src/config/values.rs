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

    /// The whole address, password included, for the driver.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The parameter of a Postgres address that requires TLS. Given certificates but no mode, the
/// driver would connect without TLS.
pub(super) fn tls_of_postgres(url: &str) -> Option<&str> {
    let (_, parameters) = url.split_once('?')?;
    let parameters = parameters
        .split(['&', '#'])
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")));
    let requires_tls = |&(name, value): &(&str, &str)| {
        let plain = ["disable", "allow", "prefer"]
            .iter()
            .any(|mode| value.eq_ignore_ascii_case(mode));
        match name {
            "sslmode" | "ssl-mode" | "channel_binding" => !plain,
            name => name.starts_with("ssl") || name == "requiressl",
        }
    };
    parameters.filter(requires_tls).map(|(name, _)| name).next()
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
