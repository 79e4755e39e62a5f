//! Protects other machines: which hosts a value names, and whether each is this machine.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::error::AddressError;
use crate::redaction::without_login;

/// Whether a host name or address is this machine. Names are not resolved.
pub fn is_this_machine(host: &str) -> bool {
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .trim_end_matches('.');
    if let Ok(address) = host.parse::<IpAddr>() {
        let address = match address {
            IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        return address.is_loopback() || address.is_unspecified();
    }
    host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost")
}

/// Checks that `host:port,host:port` is well-formed and every host is this machine or allowed.
///
/// # Errors
/// Which server is wrong, why, and what to write.
pub fn broker_list(servers: &str, allowed: &BTreeSet<String>) -> Result<(), AddressError> {
    let mut any = false;
    for server in servers.split(',').map(str::trim).filter(|s| !s.is_empty()) {
        any = true;
        let bare = server.rsplit_once("://").map_or(server, |(_, rest)| rest);
        let Some((host, port)) = bare.rsplit_once(':').filter(|(host, _)| !host.is_empty()) else {
            return Err(AddressError::BrokerWithoutPort(server.to_owned()));
        };
        if !port.parse::<u16>().is_ok_and(|port| port > 0) {
            return Err(AddressError::BrokerPort {
                server: server.to_owned(),
                port: port.to_owned(),
            });
        }
        if !is_this_machine(host) && !allowed.contains(host) {
            return Err(AddressError::RemoteBroker(host.to_owned()));
        }
    }
    if any {
        Ok(())
    } else {
        Err(AddressError::NoBroker)
    }
}

/// Checks that the URL of a service is on this machine or an allowed host. Returns it without a
/// trailing slash.
///
/// # Errors
/// What is wrong and what to write.
pub(super) fn endpoint(url: &str, allowed: &BTreeSet<String>) -> Result<String, AddressError> {
    let url = url.trim_end_matches('/');
    let authority = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    let Some(authority) = authority.filter(|rest| !rest.contains(['/', '?', '#', '@', ' '])) else {
        return Err(AddressError::Endpoint(url.to_owned()));
    };
    let host = without_port(authority);
    let port = authority.strip_prefix(host).unwrap_or_default();
    if host.is_empty() || !(port.is_empty() || port[1..].parse::<u16>().is_ok_and(|port| port > 0))
    {
        return Err(AddressError::EndpointPort(url.to_owned()));
    }
    if !is_this_machine(host) && !allowed.contains(host) {
        return Err(AddressError::RemoteEndpoint(host.to_owned()));
    }
    Ok(url.to_owned())
}

/// Checks that the URL of a key set is on this machine, or on an allowed host with HTTPS.
///
/// # Errors
/// What is wrong and what to write.
pub(super) fn key_set(url: &str, allowed: &BTreeSet<String>) -> Result<(), AddressError> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = without_port(authority);
    if host.is_empty() || authority.contains(['@', ' ']) || url.parse::<http::Uri>().is_err() {
        return Err(AddressError::Keys(url.to_owned()));
    }
    if is_this_machine(host) {
        return Ok(());
    }
    if !allowed.contains(host) {
        return Err(AddressError::RemoteKeys(host.to_owned()));
    }
    if url.starts_with("http://") {
        return Err(AddressError::PlainKeys(host.to_owned()));
    }
    Ok(())
}

/// Checks that the URL of a Redis is on this machine or an allowed host.
///
/// # Errors
/// What is wrong and what to write, without the URL, which may contain a password.
pub(super) fn redis(url: &str, allowed: &BTreeSet<String>) -> Result<String, AddressError> {
    let rest = url
        .strip_prefix("redis://")
        .or_else(|| url.strip_prefix("rediss://"))
        .unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if rest.contains('@') && !authority.contains('@') {
        return Err(AddressError::RedisPassword);
    }
    let hosts = authority
        .rsplit_once('@')
        .map_or(authority, |(_, hosts)| hosts);
    // nodes of a cluster, or Sentinels
    for host in hosts.split(',').map(without_port) {
        if host.is_empty() {
            return Err(AddressError::Redis);
        }
        if !is_this_machine(host) && !allowed.contains(host) {
            return Err(AddressError::RemoteRedis(host.to_owned()));
        }
    }
    Ok(url.to_owned())
}

/// Other machines that a variable's value names, in URLs and in lists of `host:port`. Names
/// reserved for documentation and tests (`.test`, `.example`, `.invalid`) are left out.
pub fn remote_hosts(value: &str) -> BTreeSet<String> {
    let parts = value.split([',', ' ', ';']).filter(|part| !part.is_empty());
    let hosts = parts.filter_map(|part| match part.split_once("://") {
        Some((_, rest)) => {
            let authority = without_login(rest)
                .split(['/', '?', '#'])
                .next()
                .unwrap_or("");
            Some(without_port(authority))
        }
        None => host_and_port(part),
    });
    // A host with a colon that is not an IPv6 address may be part of a password.
    let named = hosts.filter(|host| host.starts_with('[') || !host.contains(':'));
    named
        .filter(|host| !host.is_empty() && !is_this_machine(host) && !reserved(host))
        .map(str::to_owned)
        .collect()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    }
}

/// The host of `name.with.dots:port`; anything less certain is no host.
fn host_and_port(part: &str) -> Option<&str> {
    let (host, port) = part.rsplit_once(':')?;
    let port = port.split('/').next()?.parse::<u16>().is_ok();
    let name = host.contains('.')
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    (port && name).then_some(host)
}

fn reserved(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    [".test", ".example", ".invalid", ".localhost"]
        .iter()
        .any(|end| host.ends_with(end))
        || ["example.com", "example.org", "example.net"]
            .iter()
            .any(|name| host == *name || host.ends_with(&format!(".{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_recognised_by_every_name() {
        for host in [
            "localhost",
            "127.0.0.1",
            "127.8.0.3",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
            "db.localhost",
            "LOCALHOST.",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "localhost.corp.net",
            "10.0.0.1",
            "128.0.0.1",
            "kafka",
            "127.0.0.1.nip.io",
            "",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn remote_hosts_are_found_in_urls_and_lists() {
        let found = |value: &str| remote_hosts(value).into_iter().collect::<Vec<_>>();
        assert_eq!(found("postgres://u:p@db.corp.net:5432/x"), ["db.corp.net"]);
        assert_eq!(
            found("b-1.kafka.net:9092,127.0.0.1:9092"),
            ["b-1.kafka.net"]
        );
        assert_eq!(found("redis://cache/0"), ["cache"]);
        assert_eq!(
            found("postgres://u:pass/word@db.corp.net/x"),
            ["db.corp.net"],
            "and never a part of the password"
        );
        for harmless in [
            "redis://127.0.0.1:6379",
            "12:30",
            "a:b",
            "arn:aws:sqs:us-east-1:000000000000:q",
            "https://auth.example.test/",
            "info",
            "postgres://u:p@[::1]:5432/x",
            "redis://:pass,word@127.0.0.1",
        ] {
            assert!(
                remote_hosts(harmless).is_empty(),
                "{harmless}: {:?}",
                remote_hosts(harmless)
            );
        }
    }

    #[test]
    fn a_remote_endpoint_must_be_allowed() {
        let allowed = BTreeSet::from(["sqs.corp.net".to_owned()]);
        for (url, expected) in [
            ("http://127.0.0.1:9324", "http://127.0.0.1:9324"),
            ("http://localhost:9324/", "http://localhost:9324"),
            ("http://[::1]:9324", "http://[::1]:9324"),
            ("https://sqs.corp.net", "https://sqs.corp.net"),
        ] {
            assert_eq!(endpoint(url, &allowed).as_deref(), Ok(expected), "{url}");
        }
        for wrong in [
            "https://sqs.us-east-1.amazonaws.com",
            "127.0.0.1:9324",
            "http://",
            "http://127.0.0.1:0",
            "http://127.0.0.1:99999",
            "http://:9324",
            "http://127.0.0.1:9324/queue",
            "http://user:pw@127.0.0.1:9324",
        ] {
            assert!(endpoint(wrong, &allowed).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_remote_broker_must_be_allowed() {
        let allowed = BTreeSet::from(["kafka.corp.net".to_owned()]);
        assert!(broker_list("127.0.0.1:9092, kafka.corp.net:9092", &allowed).is_ok());
        for wrong in [
            "kafka.other.net:9092",
            "127.0.0.1",
            "127.0.0.1:x",
            "127.0.0.1:0",
            "",
            ",",
        ] {
            assert!(broker_list(wrong, &allowed).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_remote_redis_is_refused_without_its_password() {
        let allowed = BTreeSet::from(["cache.corp.net".to_owned()]);
        for good in [
            "redis://127.0.0.1:6379",
            "redis://user:word@localhost/3",
            "rediss://user:word@localhost:6380",
            "redis://cache.corp.net:1",
            "redis://localhost:1,127.0.0.1:2,cache.corp.net?cluster=true",
        ] {
            assert_eq!(redis(good, &allowed).as_deref(), Ok(good));
        }
        let bad = [
            "http://127.0.0.1",
            "redis://",
            "127.0.0.1:6379",
            "redis://user:sesame@prod.corp.net:6379",
            "redis://user:ses/ame@localhost",
            "redis://user:ses?ame@localhost",
            "rediss://user:sesame@prod.corp.net:6379",
        ];
        for bad in bad {
            let why = redis(bad, &allowed).unwrap_err();
            assert!(
                !["user", "ses", "ame@"]
                    .iter()
                    .any(|piece| why.to_string().contains(piece)),
                "{why}"
            );
        }
    }
}
