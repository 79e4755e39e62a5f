//! Text from outside, bounded: buyers and their keys.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{BadValue, bad};

macro_rules! text_value {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $rule:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checked; refuses what is empty, too long or has other characters.
            pub fn new(s: impl Into<String>) -> Result<Self, BadValue> {
                let s = s.into();
                let allowed: fn(u8) -> bool = $allowed;
                if s.is_empty() || s.len() > $max || !s.bytes().all(allowed) { bad($what, $rule) } else { Ok(Self(s)) }
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
    };
}

text_value!(
    /// A buyer: the `sub` claim of a token. 1 to 128 visible ASCII characters (so no NUL, no space).
    UserId, "user id", 128, "1 to 128 visible ASCII characters", |b| b.is_ascii_graphic()
);

text_value!(
    /// The client's Idempotency-Key, scoped to user and program. 1 to 64 visible ASCII characters.
    IdempotencyKey, "idempotency key", 64, "1 to 64 visible ASCII characters", |b| b.is_ascii_graphic()
);

schema!(UserId, { "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$" });
schema!(IdempotencyKey, { "type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-~]+$" });
