//! Reads a partial batch response: `{"batchItemFailures":[{"itemIdentifier":"message id"}]}`.

use crate::response::{ResponseError, failed_items};

/// The message ids that an answer names as failed. An empty answer, `null`, `{}` and an empty list
/// mean success.
///
/// `known` returns whether the batch has a message of this id.
///
/// # Errors
/// What is malformed. The whole batch counts as failed, as in the service.
pub fn failed_messages(
    answer: &[u8],
    known: impl Fn(&str) -> bool,
) -> Result<Vec<String>, ResponseError> {
    let ids: Vec<String> = failed_items(answer, r#""message id""#)?;
    match ids.iter().find(|id| id.is_empty() || !known(id)) {
        None => Ok(ids),
        Some(id) if id.is_empty() => Err(ResponseError::EmptyIdentifier),
        Some(id) => Err(ResponseError::UnknownMessage(id.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str) -> Result<Vec<String>, ResponseError> {
        failed_messages(answer.as_bytes(), |id| id.starts_with("known"))
    }

    #[test]
    fn nothing_null_and_empty_mean_success() {
        for answer in [
            "",
            " ",
            "null",
            "{}",
            r#"{"batchItemFailures":[]}"#,
            r#"{"batchItemFailures":null}"#,
            r#"{"ok":true}"#,
        ] {
            assert_eq!(read(answer).unwrap(), Vec::<String>::new(), "{answer}");
        }
    }

    #[test]
    fn identifiers_are_message_ids() {
        let answer =
            r#"{"batchItemFailures":[{"itemIdentifier":"known-1"},{"itemIdentifier":"known-2"}]}"#;
        assert_eq!(read(answer).unwrap(), ["known-1", "known-2"]);
    }

    #[test]
    fn malformed_identifiers_are_errors_that_say_what_is_wrong() {
        let cases = [
            (
                r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
                "empty itemIdentifier",
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
                "malformed",
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":{"partition":"t-0","offset":1}}]}"#,
                "malformed",
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"other"}]}"#,
                "other",
            ),
            (
                r#"{"batchItemFailures":[{"id":"known-1"}]}"#,
                "itemIdentifier",
            ),
            (r#""done""#, "malformed"),
            // arrays that name the fields by their position
            (r#"[[["known-1"]]]"#, "malformed"),
            ("[]", "malformed"),
            ("[null]", "malformed"),
            (r#"{"batchItemFailures":[["known-1"]]}"#, "malformed"),
        ];
        for (answer, expected) in cases {
            let error = read(answer).unwrap_err().to_string();
            assert!(error.contains(expected), "{answer}: {error}");
        }
    }
}
