//! Batches of Kafka records and SQS messages: the value or body of each selects what happens.
//!
//! | value or body | effect |
//! |---|---|
//! | `fail-once:F`, `partial-once:F`, `crash-once:F`, `hang-once:F` | until the file F exists |
//! | `always-fail...` (Kafka) | the invocation fails |
//! | `always-partial...` | the record is reported as failed |
//! | `fail-with:M` | the invocation fails with the message M |
//! | `wait-for:F` | waits until the file F exists |
//! | `busy:F` (SQS) | waits for a second message, then records how many were in progress |
//! | `dump` | records the JSON of the record in place of its value |
//!
//! In an entry of a Redis stream, the field `body` takes the place of the message's body.
//!
//! Each processed Kafka record appends `topic-partition offset value` to `RECORD_TO`, each SQS
//! message `id receives batch-size done|failed body`.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_runtime::Error;
use serde_json::{Value, json};

use crate::{record, text_or};

pub(crate) async fn kafka(event: &Value) -> Result<Value, Error> {
    let mut failures = Vec::new();
    let records = event["records"].as_object().into_iter().flatten();
    for (partition, records) in records {
        for one in records.as_array().into_iter().flatten() {
            let value = STANDARD.decode(text_or(&one["value"], ""))?;
            let value = String::from_utf8(value)?;
            let offset = &one["offset"];
            if value.starts_with("always-fail") {
                return Err("failure requested".into());
            }
            if let Some(message) = value.strip_prefix("fail-with:") {
                return Err(message.into());
            }
            wait_for(&value).await;
            if value.starts_with("always-partial") || misbehaves(&value).await? {
                let item = json!({ "partition": partition, "offset": offset });
                failures.push(json!({ "itemIdentifier": item }));
            } else {
                let line = if value == "dump" {
                    one.to_string()
                } else {
                    value
                };
                record(&format!("{partition} {offset} {line}"))?;
            }
        }
    }
    Ok(json!({ "batchItemFailures": failures }))
}

pub(crate) async fn sqs(messages: &[Value]) -> Result<Value, Error> {
    let mut failures = Vec::new();
    for message in messages {
        let id = text_or(&message["messageId"], "");
        let body = text_or(&message["body"], "");
        let entry: Value = serde_json::from_str(body).unwrap_or_default();
        let body = text_or(&entry["fields"]["body"], body);
        wait_for(body).await;
        let receives = text_or(&message["attributes"]["ApproximateReceiveCount"], "");
        if let Some(message) = body.strip_prefix("fail-with:") {
            return Err(message.into());
        }
        let failed = body == "always-partial" || misbehaves(body).await?;
        if failed {
            failures.push(json!({ "itemIdentifier": id }));
        }
        let line = match body.split_once(':') {
            Some(("busy", folder)) => busy(Path::new(folder), id).await?.to_string(),
            _ if body == "dump" => message.to_string(),
            _ => body.to_owned(),
        };
        let end = if failed { "failed" } else { "done" };
        record(&format!("{id} {receives} {} {end} {line}", messages.len()))?;
    }
    Ok(json!({ "batchItemFailures": failures }))
}

/// Waits for the file that the value names, if it does.
async fn wait_for(value: &str) {
    while value
        .strip_prefix("wait-for:")
        .is_some_and(|file| !Path::new(file).exists())
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// True: the record is reported as failed. `crash` and `hang` do not return.
async fn misbehaves(value: &str) -> Result<bool, Error> {
    let Some((what, marker)) = value
        .split_once("-once:")
        .filter(|(_, marker)| !Path::new(marker).exists())
    else {
        return Ok(false);
    };
    std::fs::write(marker, "")?;
    match what {
        "fail" => Err("failure requested".into()),
        "crash" => std::process::exit(7),
        "hang" => std::future::pending().await,
        _ => Ok(true),
    }
}

/// The number of messages in progress in this folder. Returns after a second message has started.
async fn busy(folder: &Path, id: &str) -> Result<usize, Error> {
    let started = folder.join("started");
    let active = folder.join("active");
    let count = |folder: &Path| std::fs::read_dir(folder).map(Iterator::count);
    std::fs::write(active.join(id), "")?;
    std::fs::write(started.join(id), "")?;
    while count(&started)? < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = count(&active)?;
    // long enough for further messages to start, where concurrency allows it
    tokio::time::sleep(Duration::from_millis(30)).await;
    let after = count(&active)?;
    std::fs::remove_file(active.join(id))?;
    Ok(before.max(after))
}
