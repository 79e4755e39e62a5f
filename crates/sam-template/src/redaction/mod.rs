//! Hides secrets in text: values of `NoEcho` parameters, resolved secrets, variables named like
//! secrets, and secrets that are recognised by their shape.
//!
//! In doubt a value is hidden.

mod shapes;

pub(crate) use shapes::without_login;

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::document::MAX_SHOWN_CHARS;

/// Replaces a secret.
pub const HIDDEN: &str = "(hidden)";

/// Shorter secrets are hidden in messages only if quoted, as many words would contain them. Bytes.
const MIN_SECRET_IN_TEXT: usize = 4;

/// Shortest part of a secret that is hidden as a value, bytes.
const MIN_SECRET_PART: usize = 6;

/// Parts of a name without its separators.
const ANYWHERE: &str = "SECRET PASSWORD PASSWD PASSPHRASE PASSCODE TOKEN CREDENTIAL PRIVATEKEY \
    APIKEY ACCESSKEY CONNECTIONSTRING";

/// Whole words of a name.
const WORDS: &str = "AUTH AUTHORIZATION BASICAUTH BEARER CONNSTR COOKIE COOKIES CRED CREDS HMAC \
    JWT PEM PEPPER PIN PW SALT WEBHOOK";

/// Ends of words: `APIKEYS`, `DBPASS`, `SENTRYDSN`.
const ENDINGS: &str = "KEY KEYS PASS PWD DSN SIGNATURE";

/// Last words of names of quantities, whose values are numbers.
const QUANTITIES: &str = "AGE BYTES COUNT DAYS EXPIRY HOURS LENGTH LIMIT MAX MIN MINUTES MS PORT \
    SECONDS SIZE TTL";

/// A variable's value with secrets hidden. `secrets`: values that must never be printed.
pub fn variable<'v>(name: &str, value: &'v str, secrets: &BTreeSet<String>) -> Cow<'v, str> {
    if value.is_empty() {
        return Cow::Borrowed(value);
    }
    if names_a_secret(name, value) || holds_a_secret(value, secrets) {
        return Cow::Borrowed(HIDDEN);
    }
    shapes::hide(value)
}

/// A message with secrets hidden. `secrets`: values that must never be printed. Those shorter than
/// 4 bytes are hidden only in quotes; of long ones the start is hidden, to which messages cut
/// values.
pub fn text<'t>(text: &'t str, secrets: &BTreeSet<String>) -> Cow<'t, str> {
    let mut forms: Vec<String> = secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .flat_map(|secret| forms(secret))
        .collect();
    // Longer forms first: a form may contain another one.
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    let found = forms.iter().filter(|form| text.contains(form.as_str()));
    let without = found.fold(Cow::Borrowed(text), |text, form| {
        Cow::Owned(text.replace(form.as_str(), HIDDEN))
    });
    match without {
        Cow::Borrowed(text) => shapes::hide_in_message(text),
        Cow::Owned(text) => Cow::Owned(shapes::hide_in_message(&text).into_owned()),
    }
}

/// Forms in which a message may contain a secret.
fn forms(secret: &str) -> Vec<String> {
    if secret.len() < MIN_SECRET_IN_TEXT {
        return vec![format!("'{secret}'")];
    }
    let cut: String = secret.chars().take(MAX_SHOWN_CHARS).collect();
    let mut forms = vec![secret.to_owned()];
    if cut.len() < secret.len() {
        forms.push(cut);
    }
    forms
}

/// Whether the value is a secret, base64 of one, or part of one.
fn holds_a_secret(value: &str, secrets: &BTreeSet<String>) -> bool {
    let decoded = STANDARD
        .decode(value)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let is_part = |secret: &String| value.len() >= MIN_SECRET_PART && secret.contains(value);
    let mut all = secrets.iter().filter(|secret| !secret.is_empty());
    all.any(|secret| {
        value.contains(secret)
            || is_part(secret)
            || decoded
                .as_ref()
                .is_some_and(|text| text.contains(secret.as_str()))
    })
}

/// Whether the variable's name is that of a secret and its value is no boolean, ARN, or number of a
/// quantity.
fn names_a_secret(name: &str, value: &str) -> bool {
    let is_arn = value.starts_with("arn:aws") && !value.contains(char::is_whitespace);
    if is_arn || matches!(value, "true" | "false") {
        return false;
    }
    let words = words(name);
    let is_quantity = |last: &String| QUANTITIES.split(' ').any(|name| name == last);
    let quantity = words.last().is_some_and(is_quantity);
    if quantity && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let whole = words.concat();
    let public = whole.contains("PUBLICKEY");
    let named = |word: &String| {
        let word = word.trim_end_matches(|last: char| last.is_ascii_digit());
        WORDS.split(' ').any(|name| name == word)
            || (!public && ENDINGS.split(' ').any(|ending| word.ends_with(ending)))
    };
    ANYWHERE.split(' ').any(|part| whole.contains(part)) || words.iter().any(named)
}

/// The words of a name in upper case: `dbPassword`, `DB_PASSWORD` and `db-password` are DB and
/// PASSWORD.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for character in name.chars() {
        let begins = !character.is_ascii_alphanumeric()
            || (character.is_ascii_uppercase() && before.is_ascii_lowercase());
        if begins && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words
            .last_mut()
            .filter(|_| character.is_ascii_alphanumeric())
        {
            word.push(character.to_ascii_uppercase());
        }
        before = character;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, value: &str) -> String {
        variable(name, value, &BTreeSet::from(["hush-hush".to_owned()])).into_owned()
    }

    #[test]
    fn variables_named_like_secrets_are_hidden() {
        for name in [
            "STRIPE_APIKEY",
            "stripeApiKey",
            "SIGNING_KEY_2",
            "KEY",
            "DBPASS",
            "DB_PASS",
            "PGPASSWORD",
            "SENTRY_DSN",
            "MyDsn",
            "API_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "GITHUB_PAT_TOKEN",
            "HTTP_AUTH",
            "db-credentials",
            "ConnectionString",
            "MASTER_KEYS",
            "SESSION_COOKIE",
            "ADMIN_PIN",
            "SLACK_WEBHOOK",
        ] {
            assert_eq!(shown(name, "abc 1"), HIDDEN, "{name}");
            assert_eq!(shown(name, ""), "", "{name}");
        }
    }

    #[test]
    fn other_variables_are_shown() {
        let pairs = [
            ("SIZE", "3"),
            ("TOKEN_TTL", "300"),
            ("MAX_TOKEN_LENGTH", "64"),
            ("USE_AUTH", "true"),
            ("KEY", "arn:aws:kms:us-east-1:000000000000:key/media-Key"),
            (
                "SECRET_ARN",
                "arn:aws:secretsmanager:us-east-1:000000000000:secret:login",
            ),
            ("PUBLIC_KEY", "ssh-ed25519 AAAA"),
            ("AUTHOR", "x"),
            ("PASSENGERS", "4"),
            ("OPINION", "x"),
            ("PAGE", "https://host/a@b"),
            ("TABLE", "orders"),
        ];
        for (name, value) in pairs {
            assert_eq!(shown(name, value), value, "{name}");
        }
    }

    #[test]
    fn secrets_are_found_whole_in_part_and_encoded() {
        for value in ["x-hush-hush-y", "hush-h", "aHVzaC1odXNo"] {
            assert_eq!(shown("URL", value), HIDDEN, "{value}");
        }
        assert_eq!(shown("URL", "hush"), "hush", "short parts are words");
        let long = "0123456789".repeat(9);
        let secrets = ["hush-hush", "hush", "ab", &long].map(str::to_owned).into();
        assert_eq!(
            text("T is 'hush-hush' and hush; about", &secrets),
            "T is '(hidden)' and (hidden); about"
        );
        assert_eq!(text("T is 'ab'", &secrets), "T is (hidden)");
        assert_eq!(
            text(&format!("T is '{}...'", &long[..MAX_SHOWN_CHARS]), &secrets),
            "T is '(hidden)...'"
        );
    }
}
