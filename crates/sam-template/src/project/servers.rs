//! Finds the servers of this machine that a variable's value names.

use super::is_this_machine;
use crate::redaction::without_login;

/// The text in place of a port is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("the port '{written}' is no port. Write a number from 1 to 65535")]
pub struct InvalidPort {
    /// The text.
    pub written: String,
}

/// A server that a value names: in a URL, or as `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalServer {
    /// One of this machine's names, as written.
    pub host: String,
    /// The port, written or the scheme's default.
    pub port: Result<u16, InvalidPort>,
    /// The scheme is that of HTTP or a web socket.
    pub is_http: bool,
}

/// Default ports of schemes.
const PORTS: [(&str, u16); 14] = [
    ("amqp", 5672),
    ("amqps", 5671),
    ("http", 80),
    ("https", 443),
    ("kafka", 9092),
    ("mariadb", 3306),
    ("mongodb", 27017),
    ("mysql", 3306),
    ("nats", 4222),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("redis", 6379),
    ("rediss", 6379),
    ("ws", 80),
];

/// The servers of this machine in a variable's value, from URLs and lists of `host:port`. Anything
/// less certain is left out.
pub fn local_servers(value: &str) -> Vec<LocalServer> {
    let mut scheme: Option<&str> = None;
    let mut servers = Vec::new();
    // A list may follow one scheme: `kafka://a:1,b:2`.
    for part in value.split([',', ' ', ';']).filter(|part| !part.is_empty()) {
        let rest = match part.split_once("://") {
            Some((name, rest)) => {
                // A name may precede it: `home=http://...`
                scheme = name.rsplit(|c: char| !c.is_ascii_alphanumeric()).next();
                rest
            }
            None => part,
        };
        let host = without_login(rest)
            .split(['/', '?', '#'])
            .next()
            .unwrap_or("");
        servers.extend(server(host, scheme));
    }
    servers
}

fn server(text: &str, scheme: Option<&str>) -> Option<LocalServer> {
    let (host, port) = match text.rsplit_once(':') {
        // The last colon of an IPv6 address is inside its brackets.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    if !is_this_machine(host) {
        return None;
    }
    let port = match (port, scheme) {
        (Some(port), Some(_)) => {
            port.parse::<u16>()
                .ok()
                .filter(|n| *n > 0)
                .ok_or_else(|| InvalidPort {
                    written: port.to_owned(),
                })
        }
        // Without a scheme, only a numeric port makes it a server.
        (Some(port), None) => Ok(port.parse::<u16>().ok().filter(|n| *n > 0)?),
        (None, scheme) => Ok(PORTS.iter().find(|(name, _)| Some(*name) == scheme)?.1),
    };
    let is_http = matches!(scheme, Some("http" | "https" | "ws" | "wss"));
    Some(LocalServer {
        host: host.to_owned(),
        port,
        is_http,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(value: &str) -> Vec<(String, Result<u16, InvalidPort>)> {
        local_servers(value)
            .into_iter()
            .map(|server| (server.host, server.port))
            .collect()
    }

    #[test]
    fn servers_of_this_machine_are_found_in_urls_and_lists() {
        assert_eq!(
            found("postgres://u:p@127.0.0.1:15432/x?a=b"),
            [("127.0.0.1".to_owned(), Ok(15432))]
        );
        assert_eq!(
            found("redis://localhost/0"),
            [("localhost".to_owned(), Ok(6379))]
        );
        assert_eq!(
            found("postgres://u:p@[::1]:5/x"),
            [("[::1]".to_owned(), Ok(5))]
        );
        assert_eq!(
            found("127.0.0.1:1,b.corp.net:2,127.0.0.1:3"),
            [("127.0.0.1".into(), Ok(1)), ("127.0.0.1".into(), Ok(3))]
        );
        assert_eq!(found("kafka://localhost:1,localhost:2").len(), 2);
    }

    #[test]
    fn an_invalid_port_is_kept_as_written() {
        assert_eq!(
            found("redis://127.0.0.1:99999"),
            [(
                "127.0.0.1".to_owned(),
                Err(InvalidPort {
                    written: "99999".to_owned()
                })
            )]
        );
    }

    #[test]
    fn other_values_name_no_server() {
        for other in [
            "",
            "info",
            "12:30",
            "arn:aws:sqs:us-east-1:000000000000:q",
            "https://auth.example.test/",
            "localhost",
            "127.0.0.1",
        ] {
            assert_eq!(found(other), [], "{other}");
        }
    }

    #[test]
    fn http_schemes_are_recognised() {
        assert!(local_servers("http://127.0.0.1:8080/hook")[0].is_http);
        assert!(!local_servers("redis://127.0.0.1:8080")[0].is_http);
        assert!(
            local_servers("home=http://127.0.0.1:1/ docs=http://127.0.0.1:2/")
                .iter()
                .all(|server| server.is_http)
        );
    }
}
