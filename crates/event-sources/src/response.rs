//! Reads a partial batch response: `{"batchItemFailures":[{"itemIdentifier":..}]}`.

use serde::Deserialize;
use serde::de::DeserializeOwned;

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
    identifier: &str,
) -> Result<Vec<T>, String> {
    if answer.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    let answer: Option<Answer<T>> = strict_json::from_slice(answer).map_err(|error| {
        format!(
            "the partial batch response is malformed ({error}); expected \
             {{\"batchItemFailures\":[{{\"itemIdentifier\":{identifier}}}]}}"
        )
    })?;
    let items = answer.and_then(|answer| answer.batch_item_failures);
    let identifiers = items.into_iter().flatten().map(|item| item.item_identifier);
    Ok(identifiers.collect())
}
