//! Reads a partial batch response: `{"batchItemFailures":[{"itemIdentifier":..}]}`.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Why a partial batch response is malformed. The whole batch then counts as failed.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// The answer is not JSON of this form.
    #[error(
        "the partial batch response is malformed ({error}); expected \
         {{\"batchItemFailures\":[{{\"itemIdentifier\":{identifier}}}]}}"
    )]
    Malformed {
        /// An example of an identifier, as JSON.
        identifier: &'static str,
        /// The position and the reason.
        #[source]
        error: serde_json::Error,
    },
    /// An identifier of a message is empty.
    #[error(
        "the partial batch response names an empty itemIdentifier; it must be a messageId of the \
         batch"
    )]
    EmptyIdentifier,
    /// The batch does not have this message.
    #[error("the partial batch response names message {0:?}, which the batch does not have")]
    UnknownMessage(String),
    /// The batch does not have this partition.
    #[error("the partial batch response names partition {0:?}, which the batch does not have")]
    UnknownPartition(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<T> {
    batch_item_failures: Option<Vec<Item<T>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<T> {
    item_identifier: T,
}

/// The identifiers that an answer names as failed. An empty answer, `null`, `{}` and an empty list
/// mean success. `identifier`: an example of one, as JSON.
pub(crate) fn failed_items<T: DeserializeOwned>(
    answer: &[u8],
    identifier: &'static str,
) -> Result<Vec<T>, ResponseError> {
    if answer.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    let answer: Option<Answer<T>> = strict_json::from_slice(answer)
        .map_err(|error| ResponseError::Malformed { identifier, error })?;
    let items = answer.and_then(|answer| answer.batch_item_failures);
    let identifiers = items.into_iter().flatten().map(|item| item.item_identifier);
    Ok(identifiers.collect())
}
