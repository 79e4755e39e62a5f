//! Checks that a caller may call functions.
//!
//! Any web page can make a browser post to loopback. So the Host must be a loopback name, which a
//! rebound DNS name is not, and a request from a page (an Origin, or fetch metadata that name a
//! site) is refused. Callers on other machines need a token. An AWS client can send only the access
//! key id as the user chooses it: the token may be that id, or stand in `Authorization: Bearer`.

use core::net::IpAddr;

use http::{HeaderMap, HeaderName, header};

use crate::listener::{same_secret, without_port};

/// Characters of a token at least.
pub const MIN_TOKEN_LENGTH: usize = 16;

/// What callers of other machines must send. Never shown.
#[derive(Clone)]
pub struct InvokeToken(String);

impl std::fmt::Debug for InvokeToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl InvokeToken {
    /// `None` unless it has [`MIN_TOKEN_LENGTH`] characters that an access key id may have: ASCII
    /// letters, digits, `-` and `_`.
    pub fn new(text: &str) -> Option<Self> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let valid = text.len() >= MIN_TOKEN_LENGTH && text.chars().all(is_allowed);
        valid.then(|| Self(text.to_owned()))
    }
}

/// Why a caller is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum AdmissionError {
    #[error("a web page may not call functions: an Origin, or a Sec-Fetch-Site, is refused")]
    Page,
    /// It comes from another machine, or under another Host, and has no token.
    #[error(
        "only for programs on this machine under a loopback Host; from elsewhere the token of \
         --token is needed"
    )]
    NoToken,
}

/// Admits a request from `peer`, which connected to `local`.
pub(super) fn admit(
    peer: IpAddr,
    local: IpAddr,
    headers: &HeaderMap,
    token: Option<&InvokeToken>,
) -> Result<(), AdmissionError> {
    let text = |name: HeaderName| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or("unreadable"))
    };
    let site = text(HeaderName::from_static("sec-fetch-site"));
    if headers.contains_key(header::ORIGIN) || site.is_some_and(|site| site != "none") {
        return Err(AdmissionError::Page);
    }
    let peer = peer.to_canonical();
    let local = local.to_canonical();
    if (peer.is_loopback() || peer == local)
        && is_own(text(header::HOST).unwrap_or_default(), local)
    {
        return Ok(());
    }
    let given = text(header::AUTHORIZATION).and_then(bearer);
    match (token, given) {
        (Some(token), Some(given)) if same_secret(token.0.as_bytes(), given.as_bytes()) => Ok(()),
        _ => Err(AdmissionError::NoToken),
    }
}

/// A loopback name, or the very address that was connected to.
fn is_own(host: &str, local: IpAddr) -> bool {
    let name = without_port(host);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
        || name.trim_matches(['[', ']']).parse() == Ok(local)
}

/// The token of `Bearer TOKEN`, or the access key id of
/// `AWS4-HMAC-SHA256 Credential=ID/20260131/region/lambda/aws4_request, ...`.
fn bearer(authorization: &str) -> Option<&str> {
    authorization
        .strip_prefix("Bearer ")
        .or_else(|| authorization.split_once("Credential=")?.1.split('/').next())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::LOCALHOST);
    const ELSEWHERE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 168, 1, 7));

    const LOCAL: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 168, 1, 5));

    fn admitted(
        peer: IpAddr,
        headers: &[(&'static str, &'static str)],
        token: Option<&str>,
    ) -> Result<(), AdmissionError> {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        let token = token.map(|token| InvokeToken::new(token).expect("long enough"));
        admit(
            peer,
            LOCAL,
            &headers.iter().map(pair).collect(),
            token.as_ref(),
        )
    }

    #[test]
    fn local_programs_need_a_loopback_host() {
        for host in [
            "127.0.0.1:3001",
            "localhost:3001",
            "[::1]:3001",
            "localhost",
        ] {
            assert_eq!(admitted(HERE, &[("host", host)], None), Ok(()), "{host}");
        }
        assert_eq!(
            admitted(LOCAL, &[("host", "192.168.1.5:3001")], None),
            Ok(()),
            "this machine by its address"
        );
        assert_eq!(
            admitted(ELSEWHERE, &[("host", "192.168.1.5:3001")], None),
            Err(AdmissionError::NoToken)
        );
        for host in [
            "evil.example:3001",
            "127.0.0.1.evil.example",
            "localhost.evil.example:3001",
            "",
        ] {
            assert_eq!(
                admitted(HERE, &[("host", host)], None),
                Err(AdmissionError::NoToken),
                "{host}"
            );
        }
    }

    #[test]
    fn pages_are_always_refused() {
        let token = Some("0123456789abcdef");
        for page in [
            ("origin", "http://127.0.0.1:3001"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-origin"),
        ] {
            let headers = [
                ("host", "127.0.0.1:3001"),
                ("authorization", "Bearer 0123456789abcdef"),
                page,
            ];
            assert_eq!(
                admitted(HERE, &headers, token),
                Err(AdmissionError::Page),
                "{page:?}"
            );
        }
        assert_eq!(
            admitted(
                HERE,
                &[("host", "localhost"), ("sec-fetch-site", "none")],
                None
            ),
            Ok(()),
            "typed by a person"
        );
    }

    #[test]
    fn other_machines_need_the_token() {
        let token = Some("0123456789abcdef");
        let signed = "AWS4-HMAC-SHA256 \
                      Credential=0123456789abcdef/20260131/us-east-1/lambda/aws4_request, \
                      SignedHeaders=host, Signature=0";
        let host = ("host", "192.168.1.5:3001");
        for good in [signed, "Bearer 0123456789abcdef"] {
            assert_eq!(
                admitted(ELSEWHERE, &[host, ("authorization", good)], token),
                Ok(())
            );
            assert_eq!(
                admitted(ELSEWHERE, &[host, ("authorization", good)], None),
                Err(AdmissionError::NoToken),
                "no token is set"
            );
        }
        for bad in [
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcde",
            "Bearer ",
            "Basic eDp5",
        ] {
            assert_eq!(
                admitted(ELSEWHERE, &[host, ("authorization", bad)], token),
                Err(AdmissionError::NoToken),
                "{bad}"
            );
        }
        assert_eq!(
            admitted(ELSEWHERE, &[("host", "localhost")], token),
            Err(AdmissionError::NoToken),
            "any client can send this Host"
        );
    }

    #[test]
    fn a_token_is_long_and_fits_an_access_key_id() {
        for bad in ["short", "0123456789abcde/", "0123456789 abcdef"] {
            assert!(InvokeToken::new(bad).is_none(), "{bad}");
        }
    }
}
