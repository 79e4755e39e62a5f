//! Addresses of the command line: `127.0.0.1:18080`, `localhost:18080` and `:18080`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};

/// Why an address of the command line is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    #[error(
        "{option} {written} is no address. Write host address and port, such as 127.0.0.1:18080; \
         localhost:18080 and :18080 mean this machine only"
    )]
    Malformed {
        option: &'static str,
        written: String,
    },
    #[error(
        "{option} {written}: the name {name} cannot be resolved ({reason}). Write localhost or an \
         IP address"
    )]
    Unresolved {
        option: &'static str,
        written: String,
        name: String,
        reason: String,
    },
    #[error(
        "{option} {written}: the name {name} belongs to {found}, which is no loopback address. \
         Names are taken for this machine only: write localhost, or the IP address itself"
    )]
    NotLoopback {
        option: &'static str,
        written: String,
        name: String,
        found: IpAddr,
    },
}

/// Parses the value of `option`. An empty host is 127.0.0.1. A name is resolved, and only loopback
/// addresses are accepted, IPv4 first: a changed name server must not open a port to others.
///
/// # Errors
/// It is no address, or its name is not this machine's.
pub(super) fn parse(option: &'static str, written: &str) -> Result<SocketAddr, AddressError> {
    if let Ok(address) = written.parse() {
        return Ok(address);
    }
    let malformed = || AddressError::Malformed {
        option,
        written: written.to_owned(),
    };
    let (name, port) = written.rsplit_once(':').ok_or_else(malformed)?;
    // u16's own parser accepts a sign
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|_| digits).ok_or_else(malformed)?;
    if name.is_empty() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !name.bytes().all(plain) {
        return Err(malformed());
    }
    let found = (name, port).to_socket_addrs();
    let found = found.map_err(|error| AddressError::Unresolved {
        option,
        written: written.to_owned(),
        name: name.to_owned(),
        reason: error.to_string(),
    })?;
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    if let Some(other) = found.iter().find(|one| !one.ip().is_loopback()) {
        return Err(AddressError::NotLoopback {
            option,
            written: written.to_owned(),
            name: name.to_owned(),
            found: other.ip(),
        });
    }
    found.first().copied().ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(written: &str) -> Result<String, AddressError> {
        parse("--http", written).map(|address| address.to_string())
    }

    #[test]
    fn a_port_alone_is_of_loopback() {
        assert_eq!(parsed(":8080"), Ok("127.0.0.1:8080".to_owned()));
    }

    #[test]
    fn localhost_is_a_loopback_address() {
        let address = parse("--http", "localhost:8080").unwrap();
        assert!(address.ip().is_loopback() && address.port() == 8080);
    }

    #[test]
    fn written_addresses_stay_as_they_are() {
        for written in ["127.0.0.1:1", "0.0.0.0:80", "[::1]:8080"] {
            assert_eq!(parsed(written), Ok(written.to_owned()));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for written in [
            "",
            ":",
            "8080",
            "localhost",
            "localhost:",
            ":x",
            ":+80",
            ":65536",
            "::1:80",
            "http://localhost:80",
            "a b:80",
        ] {
            let refused = parsed(written).unwrap_err().to_string();
            assert!(
                refused.starts_with(&format!("--http {written} is no address")),
                "{refused}"
            );
        }
    }
}
