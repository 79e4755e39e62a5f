//! The form of a token: a header without unknown extensions, and JSON objects without repeated
//! names.
//!
//! Another reader of the same token could interpret such a header or object in another way.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::invalid_token::InvalidToken;

/// The members of a JSON object, each name once.
#[derive(Debug)]
pub(super) struct Members(pub(super) Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if members.contains_key(&name) {
                        return Err(A::Error::custom(format_args!(
                            "{name} is given more than once"
                        )));
                    }
                    members.insert(name, value);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Checks the header of a token.
///
/// `crit` names extensions that a reader must implement (RFC 7515, section 4.1.11). This one
/// implements none, and `crit` may not be empty: a token with `crit` is rejected, whatever its
/// value.
///
/// # Errors
/// The reason, for the client.
pub(super) fn check_header(token: &str) -> Result<(), InvalidToken> {
    let header = token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD
        .decode(header)
        .map_err(|_| InvalidToken::NotJwt)?;
    let Members(header) = strict_json::from_slice(&header).map_err(|_| InvalidToken::NotJwt)?;
    if header.contains_key("crit") {
        Err(InvalidToken::Extensions)
    } else {
        Ok(())
    }
}

/// The texts of a claim that is text or a list of texts; `None` for any other value.
pub(super) fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        other => Some(vec![other.as_str()?]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn header(text: &str) -> Result<(), InvalidToken> {
        check_header(&format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(text)))
    }

    #[test]
    fn a_header_with_an_extension_is_rejected() {
        assert_eq!(header(r#"{"alg":"RS256","kid":"k"}"#), Ok(()));
        for crit in ["[\"exp\"]", "[\"b64\"]", "[]", "null", "\"exp\"", "{}"] {
            assert!(
                header(&format!(r#"{{"alg":"RS256","crit":{crit}}}"#)).is_err(),
                "{crit}"
            );
        }
    }

    #[test]
    fn an_object_with_a_repeated_name_is_rejected() {
        assert!(header(r#"{"alg":"RS256","kid":"a","kid":"b"}"#).is_err());
        assert!(
            header(r#"{"alg":"RS256","\u0063rit":["x"]}"#).is_err(),
            "an escaped name"
        );
        for bad in ["[]", "7", "", "{\"alg\":\"RS256\"} x"] {
            assert!(header(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Members>(r#"{"sub":"alice","exp":1,"sub":"bob"}"#).is_err());
        assert!(serde_json::from_str::<Members>(r#"{"sub":"alice","exp":1}"#).is_ok());
    }

    #[test]
    fn a_list_of_texts_has_texts_only() {
        assert_eq!(texts(&json!(["a", "b"])), Some(vec!["a", "b"]));
        assert_eq!(texts(&json!("a")), Some(vec!["a"]));
        for other in [
            json!(["a", 7]),
            json!([null]),
            json!(7),
            json!(null),
            json!({"a": 1}),
            json!(true),
        ] {
            assert_eq!(texts(&other), None, "{other}");
        }
    }
}
