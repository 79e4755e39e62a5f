//! The host that a request is for: exactly one, readable, and in one place for all that comes after.
//!
//! RFC 9112, section 3.2: an HTTP/1.1 request without Host, and any request with several or an invalid one, is answered 400. Of a target in
//! absolute form (`GET http://host/path`) the host counts, and Host is ignored: here it takes Host's place.

use std::net::Ipv6Addr;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use http::uri::{Authority, PathAndQuery, Uri};
use http::{Request, Response, StatusCode, Version};
use http_body_util::Full;

/// Why it is unclear which host a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unclear {
    #[error("an HTTP/1.1 request needs a Host header")]
    Missing,
    #[error("a request has one Host header, not several")]
    Several,
    #[error("the Host header names no host")]
    Unreadable,
    #[error(
        "the target is a path, or an HTTP URL with a host and without a user; CONNECT is not served"
    )]
    Target,
}

impl Unclear {
    /// The answer, after which the connection closes: where the host is unclear, so may be where the next request begins.
    pub(super) fn answer(self) -> Response<Full<Bytes>> {
        let mut answer = Response::new(Full::new(Bytes::from(format!(
            "{{\"message\":\"Bad Request: {self}\"}}"
        ))));
        *answer.status_mut() = StatusCode::BAD_REQUEST;
        answer
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        answer
    }
}

/// The same request with its target in origin form and the host that counts in Host.
pub(super) fn settle<B>(mut request: Request<B>) -> Result<Request<B>, Unclear> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Unclear::Several);
    }
    match host {
        None if request.version() == Version::HTTP_11 => return Err(Unclear::Missing),
        Some(host) if !is_host(host.as_bytes()) => return Err(Unclear::Unreadable),
        _ => {}
    }
    let Some(authority) = request.uri().authority().cloned() else {
        return Ok(request);
    };
    let scheme = request.uri().scheme_str().unwrap_or_default();
    if !matches!(scheme, "http" | "https") || !is_host(authority.as_str().as_bytes()) {
        return Err(Unclear::Target);
    }
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Unclear::Target)?;
    let path = request
        .uri()
        .path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    request.headers_mut().insert(HOST, host);
    Ok(request)
}

/// `host`, `host:port` or `[address]:port`, without a user.
fn is_host(text: &[u8]) -> bool {
    let Ok(authority) = Authority::try_from(text) else {
        return false;
    };
    let port = authority.as_str().strip_prefix(authority.host());
    let port = port.and_then(|rest| rest.strip_prefix(':').or(rest.is_empty().then_some("")));
    let host = authority.host();
    let named = match host.strip_prefix('[') {
        Some(address) => address
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty(),
    };
    named
        && port.is_some_and(|port| {
            port.bytes().all(|b| b.is_ascii_digit())
                && (port.is_empty() || port.parse::<u16>().is_ok())
        })
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
    fn a_request_names_one_host() {
        let ask = |version, hosts: &[&str]| settle(request("/a", version, hosts)).map(drop);
        for host in [
            "localhost",
            "127.0.0.1:80",
            "[::1]:8080",
            "[::1]",
            "shop.example",
            "a_b.c-d:",
            "x",
        ] {
            assert!(ask(Version::HTTP_11, &[host]).is_ok(), "{host}");
        }
        assert!(ask(Version::HTTP_10, &[]).is_ok(), "HTTP/1.0 has no Host");
        assert_eq!(ask(Version::HTTP_11, &[]), Err(Unclear::Missing));
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert_eq!(ask(version, &["a", "a"]), Err(Unclear::Several));
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
                assert_eq!(ask(version, &[bad]), Err(Unclear::Unreadable), "{bad}");
            }
        }
    }

    #[test]
    fn the_host_of_an_absolute_target_counts() {
        let settled = settle(request(
            "http://shop.example:80/a?b=c",
            Version::HTTP_11,
            &["localhost"],
        ))
        .unwrap();
        assert_eq!(
            (
                settled.headers()[HOST].to_str().unwrap(),
                settled.uri().to_string()
            ),
            ("shop.example:80", "/a?b=c".into())
        );
        let settled = settle(request(
            "http://shop.example",
            Version::HTTP_11,
            &["localhost"],
        ))
        .unwrap();
        assert_eq!(settled.uri().to_string(), "/");
        for bad in [
            "http://user@shop.example/",
            "shop.example:80",
            "ftp://shop.example/",
            "http://[zz]/",
        ] {
            assert!(
                settle(request(bad, Version::HTTP_11, &["localhost"])).is_err(),
                "{bad}"
            );
        }
    }
}
