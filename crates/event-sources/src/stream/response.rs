//! Reads a partial batch response:
//! `{"batchItemFailures":[{"itemIdentifier":{"partition":"topic-0","offset":42}}]}`.

use serde::Deserialize;

use super::{Offset, Partition};
use crate::response::{ResponseError, failed_items};

/// A record that the function could not process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedRecord {
    /// Its partition.
    pub partition: Partition,
    /// Its offset.
    pub offset: Offset,
}

#[derive(Deserialize)]
struct Identifier {
    partition: String,
    offset: Offset,
}

/// The records that an answer names as failed. An empty answer, `null`, `{}` and an empty list mean
/// success.
///
/// `partition` finds a partition of the batch by its name in the event ("topic-0").
///
/// # Errors
/// What is malformed. The whole batch counts as failed, as in the service.
pub fn failed_records(
    answer: &[u8],
    partition: impl Fn(&str) -> Option<Partition>,
) -> Result<Vec<FailedRecord>, ResponseError> {
    let failed: Vec<Identifier> = failed_items(answer, r#"{"partition":"topic-0","offset":42}"#)?;
    let record = |Identifier {
                      partition: name,
                      offset,
                  }| {
        let partition = partition(&name).ok_or(ResponseError::UnknownPartition(name))?;
        Ok(FailedRecord { partition, offset })
    };
    failed.into_iter().map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str) -> Result<Vec<FailedRecord>, ResponseError> {
        failed_records(answer.as_bytes(), |name| {
            let number = name.strip_prefix("orders-")?.parse().ok()?;
            Some(Partition { topic: 0, number })
        })
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
            assert_eq!(read(answer).unwrap(), [], "{answer}");
        }
    }

    #[test]
    fn identifiers_name_partition_and_offset() {
        let answer =
            r#"{"batchItemFailures":[{"itemIdentifier":{"partition":"orders-3","offset":42}}]}"#;
        let partition = Partition {
            topic: 0,
            number: 3,
        };
        assert_eq!(
            read(answer).unwrap(),
            [FailedRecord {
                partition,
                offset: 42
            }]
        );
    }

    #[test]
    fn malformed_identifiers_are_errors_that_say_what_is_wrong() {
        let cases = [
            (
                r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
                "malformed",
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":{"partition":"orders-3"}}]}"#,
                "offset",
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":{"partition":"other-3","offset":1}}]}"#,
                "other-3",
            ),
            (r#"{"batchItemFailures":[{}]}"#, "itemIdentifier"),
            (r#""done""#, "malformed"),
            // arrays that name the fields by their position
            (r#"[[[["orders-3",42]]]]"#, "malformed"),
            ("[]", "malformed"),
            ("[null]", "malformed"),
            (
                r#"{"batchItemFailures":[[{"partition":"orders-3","offset":42}]]}"#,
                "malformed",
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":["orders-3",42]}]}"#,
                "malformed",
            ),
        ];
        for (answer, expected) in cases {
            let error = read(answer).unwrap_err().to_string();
            assert!(error.contains(expected), "{answer}: {error}");
        }
    }
}
