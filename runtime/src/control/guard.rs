//! Which requests the control port answers.
//!
//! Any web page can make a browser send requests to loopback. So the Host must be a loopback name,
//! which a rebound DNS name is not; an Origin, where there is one, must be this very address; and a
//! change needs the token, which only this host's own page and programs other than browsers can
//! read.

use http::{HeaderMap, header};

use crate::listener::{same_secret, without_port};

/// The header that carries the token.
pub(crate) const TOKEN_HEADER: &str = "x-usher-token";

/// The request comes from a program on this machine, or from this host's own page.
pub(super) fn is_local(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let host = text(header::HOST).unwrap_or_default();
    let name = without_port(host);
    let own = |origin: &str| origin.strip_prefix("http://") == Some(host);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]") && text(header::ORIGIN).is_none_or(own)
}

/// The request has the token of this run.
pub(super) fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let given = headers
        .get(TOKEN_HEADER)
        .map_or(&[][..], |given| given.as_bytes());
    same_secret(given, token.as_bytes()) && !token.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                header::HeaderName::from_static(name),
                header::HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_local_programs_and_the_own_page_pass() {
        for host in ["127.0.0.1:18090", "localhost", "[::1]:9", "[::1]"] {
            assert!(is_local(&headers(&[("host", host)])), "{host}");
        }
        for host in ["evil.example:18090", "127.0.0.1.evil.example", ""] {
            assert!(!is_local(&headers(&[("host", host)])), "{host}");
        }
        assert!(is_local(&headers(&[
            ("host", "localhost:1"),
            ("origin", "http://localhost:1")
        ])));
        for origin in [
            "http://evil.example",
            "http://localhost:2",
            "https://localhost:1",
            "null",
            "",
        ] {
            assert!(
                !is_local(&headers(&[("host", "localhost:1"), ("origin", origin)])),
                "{origin}"
            );
        }
    }

    #[test]
    fn a_token_matches_as_a_whole() {
        assert!(has_token(&headers(&[(TOKEN_HEADER, "abc")]), "abc"));
        for wrong in ["", "ab", "abcd", "abd"] {
            assert!(
                !has_token(&headers(&[(TOKEN_HEADER, wrong)]), "abc"),
                "{wrong}"
            );
        }
        assert!(!has_token(&headers(&[]), ""));
    }
}
