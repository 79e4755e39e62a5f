//! How the address of a Postgres states whether connections use TLS. Pure.
//!
//! There is no mode that encrypts without verifying the server: every connection over TLS verifies
//! the chain, the name and the dates of its certificate.

/// What the parameter `sslmode` of an address requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// It is missing: TLS, except to a server on this machine.
    Unset,
    /// `disable`: no TLS.
    Disable,
    /// `verify-full`. `require` and `verify-ca` verify less elsewhere and mean the same here.
    VerifyFull,
}

/// A parameter of an address that would be ignored, or whose promise cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostgresUrlError {
    /// `sslmode` has a value that leaves TLS to chance, or is no mode.
    #[error("has an sslmode other than disable and verify-full")]
    SslMode,
    /// The driver binds no SCRAM exchange to its TLS channel.
    #[error("requires channel binding, which is not supported")]
    ChannelBinding,
    /// Certificates are settings of their own; what else begins with `ssl` is not read.
    #[error("has the parameter {0}, which is not read")]
    Parameter(String),
}

/// What `url` requires. Names of parameters are those of libpq.
pub fn ssl_mode(url: &str) -> Result<SslMode, PostgresUrlError> {
    let mut mode = SslMode::Unset;
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    let parameters = parameters.split(['&', '#']);
    for (name, value) in parameters.map(|one| one.split_once('=').unwrap_or((one, ""))) {
        match name {
            "sslmode" | "ssl-mode" => {
                mode = match value.to_ascii_lowercase().as_str() {
                    "disable" => SslMode::Disable,
                    "require" | "verify-ca" | "verify-full" => SslMode::VerifyFull,
                    _ => return Err(PostgresUrlError::SslMode),
                };
            }
            "channel_binding" if !matches!(value, "disable" | "prefer") => {
                return Err(PostgresUrlError::ChannelBinding);
            }
            _ if name.starts_with("ssl") || name == "requiressl" => {
                return Err(PostgresUrlError::Parameter(name.to_owned()));
            }
            _ => {}
        }
    }
    Ok(mode)
}

/// Whether a server at this host runs on this machine. `host` is a name, an IP address, or the
/// folder of a Unix socket.
pub fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |host: &str| {
        let address = host.parse::<core::net::IpAddr>();
        address.is_ok_and(|address| address.is_loopback())
    };
    host.starts_with('/') || host.eq_ignore_ascii_case("localhost") || is_loopback(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(parameters: &str) -> Result<SslMode, PostgresUrlError> {
        ssl_mode(&format!("postgres://u:hush@db/x{parameters}"))
    }

    #[test]
    fn every_mode_over_tls_verifies_fully() {
        assert_eq!(mode(""), Ok(SslMode::Unset));
        assert_eq!(mode("?application_name=a"), Ok(SslMode::Unset));
        assert_eq!(mode("?sslmode=disable"), Ok(SslMode::Disable));
        for full in ["require", "verify-ca", "verify-full", "Verify-Full"] {
            let parameters = format!("?a=b&sslmode={full}");
            assert_eq!(mode(&parameters), Ok(SslMode::VerifyFull), "{full}");
        }
    }

    #[test]
    fn parameters_without_effect_are_refused() {
        for chance in ["prefer", "allow", "on", ""] {
            let parameters = format!("?sslmode={chance}");
            assert_eq!(mode(&parameters), Err(PostgresUrlError::SslMode));
        }
        let binding = Err(PostgresUrlError::ChannelBinding);
        assert_eq!(mode("?channel_binding=require"), binding);
        for unread in ["ssl", "sslrootcert", "sslcert", "sslkey", "requiressl"] {
            let refused = Err(PostgresUrlError::Parameter(unread.to_owned()));
            assert_eq!(mode(&format!("?{unread}=1")), refused);
        }
    }

    #[test]
    fn loopback_addresses_are_of_this_machine() {
        for own in [
            "localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "[::1]",
            "/run",
        ] {
            assert!(is_this_machine(own), "{own}");
        }
        for other in ["db", "localhost.example", "10.0.0.1", "128.0.0.1"] {
            assert!(!is_this_machine(other), "{other}");
        }
    }
}
