//! Numbered items of any source, for the suite that every source passes: files in the folder
//! `ITEMS` select what happens to an item, and the file `log` in it says what did.
//!
//! An item is the value of a Kafka record, the body of a message, or the field `item` of an
//! entry or of another event. It reads `SOURCE-UNIT.NUMBER`: order is kept within a unit, if the source keeps any.
//!
//! | file | effect |
//! |---|---|
//! | `ITEM.hold`, `SOURCE.hold` | waits while it exists |
//! | `ITEM.fail`, `SOURCE.fail` | the item fails |
//! | `ITEM.fail-once` | the item fails, and the file is removed |
//! | `ITEM.stop-once` | the same; and what follows of its unit in the batch fails unseen |
//!
//! Lines of the log: `started ITEM`, then `done ITEM` or `failed ITEM`. A failed item of a batch is
//! reported by its identifier; an event with a single item fails.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_runtime::Error;
use serde_json::{Value, json};

use crate::text_or;

pub(crate) async fn handle(folder: &Path, event: &Value) -> Result<Value, Error> {
    let mut failures = Vec::new();
    let mut stopped = BTreeSet::new();
    for (identifier, item) in items(event)? {
        let unit = item.rsplit_once('.').map_or("", |(unit, _)| unit);
        if stopped.contains(unit) {
            failures.push(identifier);
            continue;
        }
        note(folder, "started", &item)?;
        while is_set(folder, &item, "hold") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if !fails(folder, &item) {
            note(folder, "done", &item)?;
            continue;
        }
        note(folder, "failed", &item)?;
        if fs::remove_file(folder.join(format!("{item}.stop-once"))).is_ok() {
            stopped.insert(unit.to_owned());
        }
        failures.push(identifier);
    }
    if failures.contains(&None) {
        return Err("failure requested".into());
    }
    let failures = failures.into_iter().flatten();
    let failures = failures.map(|identifier| json!({ "itemIdentifier": identifier }));
    Ok(json!({ "batchItemFailures": failures.collect::<Vec<_>>() }))
}

/// The items of an event, each with its identifier in a partial batch response. `None`: the source
/// has none.
fn items(event: &Value) -> Result<Vec<(Option<Value>, String)>, Error> {
    if let Some(partitions) = event["records"].as_object() {
        let records = partitions.iter().flat_map(|(partition, records)| {
            let records = records.as_array().into_iter().flatten();
            records.map(move |record| (partition, record))
        });
        return records
            .map(|(partition, record)| {
                let value = STANDARD.decode(text_or(&record["value"], ""))?;
                let identifier = json!({ "partition": partition, "offset": record["offset"] });
                Ok((Some(identifier), String::from_utf8(value)?))
            })
            .collect();
    }
    if let Some(messages) = event["Records"].as_array() {
        let item = |message: &Value| {
            let body = text_or(&message["body"], "");
            // an entry of a Redis stream has the item in a field
            let entry: Value = serde_json::from_str(body).unwrap_or_default();
            let item = text_or(&entry["fields"]["item"], body).to_owned();
            (Some(message["messageId"].clone()), item)
        };
        return Ok(messages.iter().map(item).collect());
    }
    Ok(vec![(None, text_or(&event["item"], "").to_owned())])
}

fn fails(folder: &Path, item: &str) -> bool {
    is_set(folder, item, "fail")
        || folder.join(format!("{item}.stop-once")).exists()
        || fs::remove_file(folder.join(format!("{item}.fail-once"))).is_ok()
}

/// Whether there is a file of this kind for the item, or for its source.
fn is_set(folder: &Path, item: &str, kind: &str) -> bool {
    let source = item.split('-').next().unwrap_or_default();
    [item, source]
        .iter()
        .any(|of| folder.join(format!("{of}.{kind}")).exists())
}

/// One write, so that lines of several processes do not mix.
fn note(folder: &Path, what: &str, item: &str) -> Result<(), Error> {
    let mut options = fs::OpenOptions::new();
    let mut log = options.append(true).create(true).open(folder.join("log"))?;
    Ok(log.write_all(format!("{what} {item}\n").as_bytes())?)
}
