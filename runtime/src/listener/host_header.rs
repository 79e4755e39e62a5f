//! The host that a request names: exactly one, valid, and in the `Host` header for all later steps.
//!
//! RFC 9112, section 3.2: an HTTP/1.1 request without Host, and any request with several or an
//! invalid one, is answered 400. Where the target is in absolute form (`GET http://host/path`), its
//! host replaces that of the header.

use std::net::Ipv6Addr;

use http::header::{CONNECTION, HOST, HeaderValue};
use http::uri::{Authority, PathAndQuery, Uri};
use http::{Request, StatusCode, Version};

use super::reply::{Reply, json_reply, set_header};

/// Why a request names no valid host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum HostHeaderError {
    #[error("an HTTP/1.1 request needs a Host header")]
    Missing,
    #[error("a request has one Host header, not several")]
    Several,
    #[error("the Host header names no host")]
    Invalid,
    #[error(
        "the target is a path, or an HTTP URL with a host and without a user; CONNECT is not served"
    )]
    Target,
}

impl HostHeaderError {
    /// 400, after which the connection closes: the start of the next request may be unclear as
    /// well.
    pub(super) fn reply(self) -> Reply {
        let body = format!("{{\"message\":\"Bad Request: {self}\"}}");
        let mut reply = json_reply(StatusCode::BAD_REQUEST, body);
        set_header(&mut reply, CONNECTION, "close");
        reply
    }
}

/// The request with its target in origin form and its host in the Host header.
pub(super) fn normalize<B>(mut request: Request<B>) -> Result<Request<B>, HostHeaderError> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(HostHeaderError::Several);
    }
    match host {
        None if request.version() == Version::HTTP_11 => return Err(HostHeaderError::Missing),
        Some(host) if !is_host(host.as_bytes()) => return Err(HostHeaderError::Invalid),
        _ => {}
    }
    let Some(authority) = request.uri().authority().cloned() else {
        return Ok(request);
    };
    let scheme = request.uri().scheme_str().unwrap_or_default();
    if !matches!(scheme, "http" | "https") || !is_host(authority.as_str().as_bytes()) {
        return Err(HostHeaderError::Target);
    }
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| HostHeaderError::Target)?;
    let path = request
        .uri()
        .path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    request.headers_mut().insert(HOST, host);
    Ok(request)
}

/// The host of a `Host` header.
pub(crate) fn without_port(host: &str) -> &str {
    host.rsplit_once(':')
        .filter(|(_, port)| port.parse::<u16>().is_ok())
        .map_or(host, |(name, _)| name)
}

/// Whether two secrets are equal. The comparison takes the same time for any difference.
pub(crate) fn same_secret(a: &[u8], b: &[u8]) -> bool {
    let different = a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && different == 0
}

/// `host`, `host:port` or `[address]:port`, without a user.
fn is_host(text: &[u8]) -> bool {
    is_plain_host(text) || is_authority(text)
}

/// A name or an IPv4 address, with a port or without. Nearly every request has such a host, and an
/// authority is parsed from a copy.
fn is_plain_host(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let (host, port) = text.split_once(':').unwrap_or((text, ""));
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    !host.is_empty() && host.bytes().all(in_name) && is_port(port)
}

/// Empty, or a number that a port may have.
fn is_port(text: &str) -> bool {
    text.is_empty() || (text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok())
}

fn is_authority(text: &[u8]) -> bool {
    let Ok(authority) = Authority::try_from(text) else {
        return false;
    };
    let host = authority.host();
    let port = authority.as_str().strip_prefix(host);
    let port = port.and_then(|rest| rest.strip_prefix(':').or(rest.is_empty().then_some("")));
    let named = match host.strip_prefix('[') {
        Some(address) => address
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty(),
    };
    named && port.is_some_and(is_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, version: Version, hosts: &[&str]) -> Request<()> {
        let request = Request::builder().uri(target).version(version);
        hosts
            .iter()
            .fold(request, |request, host| request.header(HOST, *host))
            .body(())
            .unwrap()
    }

    #[test]
    fn a_request_names_exactly_one_host() {
        let check = |version, hosts: &[&str]| normalize(request("/a", version, hosts)).map(drop);
        for host in [
            "localhost",
            "127.0.0.1:80",
            "[::1]:8080",
            "[::1]",
            "shop.example",
            "a_b.c-d:",
            "x",
        ] {
            assert!(check(Version::HTTP_11, &[host]).is_ok(), "{host}");
        }
        assert!(check(Version::HTTP_10, &[]).is_ok(), "HTTP/1.0 has no Host");
        assert_eq!(check(Version::HTTP_11, &[]), Err(HostHeaderError::Missing));
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert_eq!(check(version, &["a", "a"]), Err(HostHeaderError::Several));
            for bad in [
                "",
                " ",
                "a b",
                "a:port",
                "a:70000",
                "a:1:2",
                "a:+80",
                "[]",
                "[zz]",
                "[::1",
                "[::1]x",
                "[127.0.0.1]",
                "user@a",
                "a/b",
                "http://a",
                "a,b c",
                ":80",
                "a?b",
            ] {
                assert_eq!(
                    check(version, &[bad]),
                    Err(HostHeaderError::Invalid),
                    "{bad}"
                );
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn a_plain_host_is_an_authority(text in "[a-zA-Z0-9.-]{1,20}(:[0-9]{0,6})?") {
            proptest::prop_assert_eq!(is_plain_host(text.as_bytes()), is_authority(text.as_bytes()));
        }
    }

    #[test]
    fn an_absolute_target_replaces_the_host_header() {
        let normalized = normalize(request(
            "http://shop.example:80/a?b=c",
            Version::HTTP_11,
            &["localhost"],
        ))
        .unwrap();
        assert_eq!(
            (
                normalized.headers()[HOST].to_str().unwrap(),
                normalized.uri().to_string()
            ),
            ("shop.example:80", "/a?b=c".into())
        );
        let normalized = normalize(request(
            "http://shop.example",
            Version::HTTP_11,
            &["localhost"],
        ))
        .unwrap();
        assert_eq!(normalized.uri().to_string(), "/");
        for bad in [
            "http://user@shop.example/",
            "shop.example:80",
            "ftp://shop.example/",
            "http://[zz]/",
        ] {
            assert!(
                normalize(request(bad, Version::HTTP_11, &["localhost"])).is_err(),
                "{bad}"
            );
        }
    }
}
