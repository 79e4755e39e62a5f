//! Who may call functions.
//!
//! Any web page can make a browser post to loopback. So the Host has to be a loopback name, which a rebound DNS name is not,
//! and a request that comes from a page (an Origin, or fetch metadata that name a site) is refused. From other machines a
//! token is needed. AWS clients can send one thing of the user's choice only, the access key id: that is where it may stand, or
//! in `Authorization: Bearer`.

use core::net::IpAddr;

use http::{HeaderMap, HeaderName, header};

/// A token has at least so many characters.
pub const MIN_TOKEN_LENGTH: usize = 16;

/// What callers of other machines must bring. Never shown.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// `None` unless it has [`MIN_TOKEN_LENGTH`] characters that can stand in an access key id: letters, digits, `-` and `_`.
    pub fn new(text: &str) -> Option<Self> {
        let sound = text.len() >= MIN_TOKEN_LENGTH
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        sound.then(|| Self(text.to_owned()))
    }

    /// Compared without a shortcut, so that time tells nothing.
    fn is(&self, given: &str) -> bool {
        let different = given
            .bytes()
            .zip(self.0.bytes())
            .fold(0, |sum, (a, b)| sum | (a ^ b));
        given.len() == self.0.len() && different == 0
    }
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It comes from a web page.
    Page,
    /// It comes from elsewhere, or under another name, and has no token.
    NoToken,
}

/// Whether a request from `peer`, which connected to `local`, is admitted.
pub(super) fn admit(
    peer: IpAddr,
    local: IpAddr,
    headers: &HeaderMap,
    token: Option<&Token>,
) -> Result<(), Refused> {
    let text = |name: HeaderName| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or("unreadable"))
    };
    let site = text(HeaderName::from_static("sec-fetch-site"));
    if headers.contains_key(header::ORIGIN) || site.is_some_and(|site| site != "none") {
        return Err(Refused::Page);
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
        (Some(token), Some(given)) if token.is(given) => Ok(()),
        _ => Err(Refused::NoToken),
    }
}

/// A loopback name, or the very address that was connected to.
fn is_own(host: &str, local: IpAddr) -> bool {
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.parse::<u16>().is_ok())
        .map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
        || name.trim_matches(['[', ']']).parse() == Ok(local)
}

/// The token of `Bearer TOKEN`, or the access key id of `AWS4-HMAC-SHA256 Credential=ID/20260131/region/lambda/aws4_request, ...`.
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
    ) -> Result<(), Refused> {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        let token = token.map(|token| Token::new(token).expect("long enough"));
        admit(
            peer,
            LOCAL,
            &headers.iter().map(pair).collect(),
            token.as_ref(),
        )
    }

    #[test]
    fn programs_on_this_machine_are_admitted_under_a_loopback_name_only() {
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
            Err(Refused::NoToken)
        );
        for host in [
            "evil.example:3001",
            "127.0.0.1.evil.example",
            "localhost.evil.example:3001",
            "",
        ] {
            assert_eq!(
                admitted(HERE, &[("host", host)], None),
                Err(Refused::NoToken),
                "{host}"
            );
        }
    }

    #[test]
    fn pages_are_refused_whatever_they_bring() {
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
                Err(Refused::Page),
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
    fn other_machines_need_the_token_which_may_be_an_access_key_id() {
        let token = Some("0123456789abcdef");
        let signed = "AWS4-HMAC-SHA256 Credential=0123456789abcdef/20260131/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0";
        let host = ("host", "192.168.1.5:3001");
        for good in [signed, "Bearer 0123456789abcdef"] {
            assert_eq!(
                admitted(ELSEWHERE, &[host, ("authorization", good)], token),
                Ok(())
            );
            assert_eq!(
                admitted(ELSEWHERE, &[host, ("authorization", good)], None),
                Err(Refused::NoToken),
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
                Err(Refused::NoToken),
                "{bad}"
            );
        }
        assert_eq!(
            admitted(ELSEWHERE, &[("host", "localhost")], token),
            Err(Refused::NoToken),
            "a Host is easily said"
        );
    }

    #[test]
    fn a_token_is_long_and_fits_an_access_key_id() {
        for bad in ["short", "0123456789abcde/", "0123456789 abcdef"] {
            assert!(Token::new(bad).is_none(), "{bad}");
        }
    }
}
