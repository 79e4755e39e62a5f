//! Bounded text from outside: buyers, their keys, and properties of API calls.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use super::{BadValue, bad};

/// Texts of at most so many bytes, all of which are allowed.
macro_rules! text_values {
    ($(
        $(#[$doc:meta])*
        $name:ident, $what:literal, $max:literal, $of:literal, $pattern:literal, $allowed:expr;
    )*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Refuses text that is empty, too long or has other characters.
            pub fn new(s: impl Into<String>) -> Result<Self, BadValue> {
                let s = s.into();
                let allowed: fn(u8) -> bool = $allowed;
                if s.is_empty() || s.len() > $max || !s.bytes().all(allowed) {
                    return bad($what, concat!("1 to ", $max, " ", $of));
                }
                Ok(Self(s))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadValue;

            fn try_from(s: String) -> Result<Self, BadValue> {
                Self::new(s)
            }
        }

        impl From<$name> for String {
            fn from(v: $name) -> Self {
                v.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        schema!($name, {
            "type": "string", "minLength": 1, "maxLength": $max, "pattern": $pattern
        });
    )*};
}

const fn visible(b: u8) -> bool {
    b.is_ascii_graphic()
}

const fn of_client(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-')
}

text_values! {
    /// A buyer: the `sub` claim of a token. 1 to 128 visible ASCII characters (so no NUL, no
    /// space).
    UserId, "user id", 128, "visible ASCII characters", "^[!-~]+$", visible;

    /// The client's Idempotency-Key, scoped to user and program. 1 to 64 visible ASCII characters.
    IdempotencyKey, "idempotency key", 64, "visible ASCII characters", "^[!-~]+$", visible;

    /// HTTP method of a call. 1 to 16 upper-case letters.
    CallMethod, "method", 16, "upper-case letters", "^[A-Z]+$", |b| b.is_ascii_uppercase();

    /// Route template of a call, such as `/orders/{number}`. 1 to 128 visible ASCII characters.
    CallRoute, "route", 128, "visible ASCII characters", "^[!-~]+$", visible;

    /// Path and query of a call. 1 to 512 visible ASCII characters.
    CallUrl, "url", 512, "visible ASCII characters", "^[!-~]+$", visible;

    /// Kind of client that called, such as `chrome` or `curl`. 1 to 32 of a-z, 0-9, `.`, `_` and
    /// `-`.
    CallClient, "client", 32, "of a-z, 0-9, '.', '_' and '-'", "^[a-z0-9._-]+$", of_client;

    /// Process that answered a call. 1 to 64 visible ASCII characters.
    CallInstance, "instance", 64, "visible ASCII characters", "^[!-~]+$", visible;
}

impl CallUrl {
    /// Maximum length, characters.
    pub const MAX_LEN: usize = 512;

    /// Converts any text: percent-encodes what is not visible ASCII, cuts what is too long, turns
    /// empty text into `/`.
    pub fn fit(text: &str) -> Self {
        let mut url = String::with_capacity(text.len().min(Self::MAX_LEN));
        for byte in text.bytes() {
            let room = Self::MAX_LEN - url.len();
            if byte.is_ascii_graphic() && room >= 1 {
                url.push(char::from(byte));
            } else if !byte.is_ascii_graphic() && room >= 3 {
                let _ = write!(url, "%{byte:02X}");
            } else {
                break;
            }
        }
        if url.is_empty() {
            url.push('/');
        }
        Self(url)
    }
}
