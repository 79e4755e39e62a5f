//! Macros of value types: each type with its bounds, its text and its JSON, declared once.

/// The JSON Schema of a value. It must match the bounds that the constructor checks.
macro_rules! schema {
    ($name:ident, $schema:tt) => {
        #[cfg(test)]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}

/// A JSON string by `Display` and `FromStr`, as for numbers that would lose digits; with a schema
/// if a pattern is given.
macro_rules! as_string {
    ($name:ident, $pattern:expr) => {
        as_string!($name);
        schema!($name, { "type": "string", "pattern": $pattern });
    };
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::message::Parsed::new())
            }
        }
    };
}

/// A JSON number that `new` checks.
macro_rules! as_number {
    ($name:ident($number:ty), $schema:tt) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = <$number>::deserialize(deserializer)?;
                Self::new(number).map_err(serde::de::Error::custom)
            }
        }

        schema!($name, $schema);
    };
}

/// Numbers within bounds.
macro_rules! number_values {
    ($(
        $(#[$doc:meta])*
        $name:ident($number:ty), $range:expr, $what:literal, $rule:literal;
    )*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($number);

        impl $name {
            /// Refuses a number that is out of bounds.
            pub fn new(n: $number) -> Result<Self, $crate::message::BadValue> {
                if ($range).contains(&n) {
                    Ok(Self(n))
                } else {
                    Err($crate::message::BadValue { what: $what, rule: $rule })
                }
            }

            /// The number.
            pub const fn get(self) -> $number {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

/// `FromStr` of a number: at most so many decimal digits, without leading zeros.
macro_rules! from_digits {
    ($name:ident, $max:literal, $what:literal, $rule:literal) => {
        impl std::str::FromStr for $name {
            type Err = $crate::message::BadValue;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                let digits =
                    s.len() <= $max && !s.starts_with('0') && s.bytes().all(|b| b.is_ascii_digit());
                match s.parse() {
                    Ok(n) if digits => Self::new(n),
                    _ => Err($crate::message::BadValue {
                        what: $what,
                        rule: $rule,
                    }),
                }
            }
        }
    };
}

/// An enum whose values are words in Postgres and in JSON.
macro_rules! word_value {
    (
        $(#[$doc:meta])*
        $name:ident, $what:literal, $rule:literal;
        $($(#[$value_doc:meta])* $value:ident = $word:literal,)*
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$value_doc])* $value,)*
        }

        impl $name {
            /// All values.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$value),*];

            /// As Postgres and the API write it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::message::BadValue;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.into_iter().find(|value| value.as_str() == s);
                found.ok_or($crate::message::BadValue { what: $what, rule: $rule })
            }
        }
    };
}

/// JSON of a type with `#[serde(remote = "Self")]`: the derived functions, which such a type has
/// as its own, and `check` after decoding.
macro_rules! checked_json {
    ($name:ident) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = Self::deserialize(deserializer)?;
                value.check().map_err(serde::de::Error::custom)?;
                Ok(value)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }
    };
}

pub(crate) use {as_string, checked_json, word_value};
#[cfg(feature = "postgres")]
pub(crate) use {from_digits, number_values};
