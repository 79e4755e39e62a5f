//! Recognises secrets by their shape, whatever the variable's name.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::HIDDEN;

/// `password=...`, `"password": "..."`, `sig=...`: the value is hidden. Without quotes it ends at a
/// blank, `;` or `&`.
static PAIR: LazyLock<Regex> = LazyLock::new(|| {
    let words = "password|passwd|passphrase|pwd|secret|token|credential";
    let keys = "api|access|account|shared|private|secret|signing|encryption";
    let names = format!(
        "(?:[a-z0-9]+[_.-])*(?:[a-z0-9]*(?:{words})|pass|signature|sig|\
         (?:{keys})[_ .-]?(?:access[_ .-]?)?key)"
    );
    let separators = r#"(?:["']?[ \t]*=[ \t]*|["'][ \t]*:[ \t]*|:[ \t]+)"#;
    let values = r#"(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s;&"']+)"#;
    compiled(&format!(r"(?i)(\b{names}{separators}){values}"))
});

/// `Bearer ...` and `Basic ...`.
static HEADER: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"(?i)\b(bearer|basic)([ \t]+)([A-Za-z0-9._~+/=-]{12,})"));

/// A private key, to its end marker or the end of the text.
static PRIVATE_KEY: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|$)",
    )
});

/// Access key ids of AWS, signed tokens (JWT), and tokens with a vendor's prefix.
static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    let forms = [
        "(?:AKIA|ASIA)[A-Z0-9]{16}",
        r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?",
        "gh[pousr]_[A-Za-z0-9]{20,}",
        "github_pat_[A-Za-z0-9_]{20,}",
        "glpat-[A-Za-z0-9_-]{16,}",
        "xox[abeprs]-[A-Za-z0-9-]{10,}",
        "[rs]k_(?:live|test)_[A-Za-z0-9]{10,}",
        "sk-[A-Za-z0-9_-]{20,}",
        "AIza[A-Za-z0-9_-]{30,}",
        "npm_[A-Za-z0-9]{30,}",
    ];
    compiled(&format!(r"\b(?:{})", forms.join("|")))
});

/// Base64, of which 40 characters are a secret access key of AWS.
static AWS_SECRET: LazyLock<Regex> = LazyLock::new(|| compiled(r"[A-Za-z0-9/+]+"));

/// A quoted value in a message.
static QUOTED: LazyLock<Regex> = LazyLock::new(|| compiled(r"'[^']*'"));

static SCHEME: LazyLock<Regex> = LazyLock::new(|| compiled(r"(?i)\b[a-z][a-z0-9+.-]*://"));

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant, and a test uses it")
}

type Step = for<'t> fn(&'t str) -> Cow<'t, str>;

/// Hides secrets in a value.
pub(super) fn hide(value: &str) -> Cow<'_, str> {
    apply(
        &[private_keys, logins, pairs, headers, tokens, aws_secrets],
        value,
    )
}

/// Hides secrets in a message. It may contain advice, so `password=...` is hidden in quotes only.
pub(super) fn hide_in_message(message: &str) -> Cow<'_, str> {
    apply(
        &[
            private_keys,
            logins,
            quoted_pairs,
            headers,
            tokens,
            aws_secrets,
        ],
        message,
    )
}

fn apply<'t>(steps: &[Step], text: &'t str) -> Cow<'t, str> {
    steps
        .iter()
        .fold(Cow::Borrowed(text), |text, step| match text {
            Cow::Borrowed(text) => step(text),
            Cow::Owned(text) => Cow::Owned(step(&text).into_owned()),
        })
}

fn private_keys(text: &str) -> Cow<'_, str> {
    PRIVATE_KEY.replace_all(text, HIDDEN)
}

fn pairs(text: &str) -> Cow<'_, str> {
    PAIR.replace_all(text, format!("${{1}}{HIDDEN}"))
}

fn quoted_pairs(text: &str) -> Cow<'_, str> {
    QUOTED.replace_all(text, |found: &Captures<'_>| pairs(&found[0]).into_owned())
}

/// The word after `Basic` must be encoded: `basic authentication` is no secret.
fn headers(text: &str) -> Cow<'_, str> {
    let encoded = |word: &str| {
        word.bytes()
            .any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase() || byte == b'=')
    };
    HEADER.replace_all(text, |found: &Captures<'_>| {
        let secret = found[1].eq_ignore_ascii_case("bearer") || encoded(&found[3]);
        if secret {
            format!("{}{}{HIDDEN}", &found[1], &found[2])
        } else {
            found[0].to_owned()
        }
    })
}

fn tokens(text: &str) -> Cow<'_, str> {
    TOKEN.replace_all(text, HIDDEN)
}

fn aws_secrets(text: &str) -> Cow<'_, str> {
    AWS_SECRET.replace_all(text, |found: &Captures<'_>| {
        if is_aws_secret(&found[0]) {
            HIDDEN
        } else {
            &found[0]
        }
        .to_owned()
    })
}

/// 40 characters that are neither a hexadecimal hash nor a path.
fn is_aws_secret(text: &str) -> bool {
    let any = |of: fn(&u8) -> bool| text.bytes().any(|byte| of(&byte));
    text.len() == 40
        && !text.starts_with('/')
        && text.matches('/').count() <= 3
        && any(u8::is_ascii_uppercase)
        && any(u8::is_ascii_lowercase)
        && any(u8::is_ascii_digit)
}

/// Hides user and password of every URL: `scheme://(hidden)@host`.
fn logins(text: &str) -> Cow<'_, str> {
    let begins: Vec<(usize, usize)> = SCHEME
        .find_iter(text)
        .map(|found| (found.start(), found.end()))
        .collect();
    let mut out = String::new();
    let mut done = 0;
    for (at, (_, rest)) in begins.iter().enumerate() {
        let next = begins.get(at + 1).map_or(text.len(), |(start, _)| *start);
        let url = &text[*rest..next];
        let url = &url[..url
            .find([' ', '\t', '\n', '"', '\'', '<', '>'])
            .unwrap_or(url.len())];
        if let Some(login) = login(url) {
            out.push_str(&text[done..*rest]);
            out.push_str(HIDDEN);
            done = rest + login;
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// Removes user and password from a URL without its `scheme://`.
pub(crate) fn without_login(url: &str) -> &str {
    login(url).map_or(url, |login| &url[login + 1..])
}

/// Position of the `@` that ends user and password. A password may contain an `@`, and a `/`, `?`
/// or `#` that should have been encoded.
fn login(url: &str) -> Option<usize> {
    let authority = &url[..url.find(['/', '?', '#']).unwrap_or(url.len())];
    let without_port = |text: &str| {
        text.rsplit_once(':')
            .is_some_and(|(_, port)| !port.bytes().all(|b| b.is_ascii_digit()))
    };
    authority.rfind('@').or_else(|| {
        if without_port(authority) {
            url.rfind('@')
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_of_urls_are_hidden_and_hosts_stay() {
        for (given, wanted) in [
            ("pg://u:p@127.0.0.1/x", "pg://(hidden)@127.0.0.1/x"),
            ("pg://u:p@ss@h/x", "pg://(hidden)@h/x"),
            ("pg://u:p/w@h/x", "pg://(hidden)@h/x"),
            (
                "redis://:a@h1:1,redis://:b@h2:2",
                "redis://(hidden)@h1:1,redis://(hidden)@h2:2",
            ),
            (
                "https://key@sentry.example/1",
                "https://(hidden)@sentry.example/1",
            ),
            (
                "say 'amqp://u:p@h' twice amqp://u:p@h",
                "say 'amqp://(hidden)@h' twice amqp://(hidden)@h",
            ),
            ("https://host/a@b", "https://host/a@b"),
            ("https://host:8080/a@b?c=d@e", "https://host:8080/a@b?c=d@e"),
            ("http://127.0.0.1:9324", "http://127.0.0.1:9324"),
        ] {
            assert_eq!(hide(given), wanted, "{given}");
        }
    }

    #[test]
    fn secrets_are_recognised_by_their_shape() {
        for (given, wanted) in [
            (
                "host=h user=u password=p;w dbname=d",
                "host=h user=u password=(hidden);w dbname=d",
            ),
            (
                "host=h password='a b' dbname=d",
                "host=h password=(hidden) dbname=d",
            ),
            (
                "Server=h;Pwd=x y;Timeout=3",
                "Server=h;Pwd=(hidden) y;Timeout=3",
            ),
            (
                r#"{"user":"u","password":"a\"b","n":1}"#,
                r#"{"user":"u","password":(hidden),"n":1}"#,
            ),
            ("https://h/x?sig=abc&n=1", "https://h/x?sig=(hidden)&n=1"),
            ("AccountKey=abc==;Suffix=x", "AccountKey=(hidden);Suffix=x"),
            (
                "sasl.jaas.config=x password=\"p w\";",
                "sasl.jaas.config=x password=(hidden);",
            ),
            (
                "Authorization: Basic dTpwYXNzd29yZA==",
                "Authorization: Basic (hidden)",
            ),
            (
                "Authorization: Bearer abcdefghijklmn",
                "Authorization: Bearer (hidden)",
            ),
            ("AKIAIOSFODNN7EXAMPLE", "(hidden)"),
            ("x wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "x (hidden)"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nx",
                "(hidden)\nx",
            ),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "(hidden)"),
            ("sk_live_abcdefghijkl", "(hidden)"),
        ] {
            assert_eq!(hide(given), wanted, "{given}");
        }
    }

    #[test]
    fn advice_in_messages_is_kept() {
        let advice = "Write servers = \"127.0.0.1:9094\", secret = \"login.json\" or [resolve] \
            \"a:password\" = \"...\".";
        assert_eq!(hide_in_message(advice), advice);
        let message = "parameter Size is 'host=h password=p', but its Type is Number";
        assert_eq!(
            hide_in_message(message),
            "parameter Size is 'host=h password=(hidden)', but its Type is Number"
        );
    }

    #[test]
    fn other_text_stays() {
        for text in [
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "the password in the address of Redis has a /, ? or # in it",
            "arn:aws:sqs:us-east-1:000000000000:orders",
            "b-1.kafka.example:9092,b-2.kafka.example:9092",
            "[secrets] \"login\" = \"secret.json\"",
            "basic authentication",
            "arn:aws:secretsmanager:us-east-1:000000000000:secret:login",
            "compass=north",
        ] {
            assert_eq!(hide(text), text);
        }
    }
}
