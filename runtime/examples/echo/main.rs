//! The echo function of the host's tests: its environment and its events select what it does.
//!
//! | variable | effect |
//! |---|---|
//! | `START_MS` | milliseconds that initialisation takes |
//! | `ON_START` | `exit`, `hang`, `error`, `extension-error`: initialisation fails in this way |
//! | | `register`, `extension-calls`, `graceful`: calls of the Extensions API (`extensions`) |
//! | | `two-at-a-time`: two invocations at once, without the runtime library (`by_hand`) |
//! | `EXTENSION` | registers an internal extension, which records SIGTERM |
//! | `ALWAYS` | `hang`, `exit`, `flood`: every invocation does this |
//! | `RECORD_TO` | the file to which lines are appended |
//! | `ITEMS` | every event holds numbered items (`items`); this folder says what happens to them |
//!
//! Events: `commands` lists those with a field `do`; `records` lists the values of Kafka records
//! and the bodies of SQS messages. A request to an HTTP API is answered with 200 and its own body.

mod by_hand;
mod commands;
mod extensions;
mod items;
mod records;

use std::io::Write;
use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    match std::env::var("ON_START").as_deref() {
        Ok("exit") => std::process::exit(3),
        Ok("hang") => std::future::pending().await,
        Ok("error") => {
            extensions::report_init_error().await?;
            std::process::exit(1);
        }
        Ok("extension-error") => extensions::fail_own_extension().await?,
        Ok("register") => extensions::register_all().await?,
        Ok("extension-calls") => return extensions::misreport_errors().await,
        Ok("graceful") => extensions::register_beside_runtime().await,
        Ok("two-at-a-time") => {
            return tokio::try_join!(by_hand::serve(), by_hand::serve()).map(drop);
        }
        _ => {}
    }
    if let Ok(ms) = std::env::var("START_MS") {
        tokio::time::sleep(Duration::from_millis(ms.parse()?)).await;
    }
    if std::env::var_os("EXTENSION").is_some() {
        extensions::record_sigterm().await?;
    }
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = event.into_parts();
    match std::env::var("ALWAYS").as_deref() {
        Ok("hang") => std::future::pending().await,
        Ok("exit") => std::process::exit(7),
        Ok("flood") => loop {
            println!("{}", "flood ".repeat(100));
        },
        _ => {}
    }
    if let Some(folder) = std::env::var_os("ITEMS") {
        return items::handle(folder.as_ref(), &event).await;
    }
    if event.get("records").is_some() {
        return records::kafka(&event).await;
    }
    if let Some(messages) = event["Records"].as_array() {
        return records::sqs(messages).await;
    }
    if event["requestContext"]["http"].is_object() {
        return Ok(json!({ "statusCode": 200, "body": event["body"] }));
    }
    commands::run(event, context).await
}

/// Appends a line to the file `RECORD_TO`.
fn record(line: &str) -> Result<(), Error> {
    let path = std::env::var("RECORD_TO")?;
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)?;
    // one write, so that lines of several processes do not mix
    Ok(file.write_all(format!("{line}\n").as_bytes())?)
}

/// The text of a field of an event, or this one.
fn text_or<'v>(field: &'v Value, otherwise: &'v str) -> &'v str {
    field.as_str().unwrap_or(otherwise)
}

/// Waits for the `ms` of an event.
async fn sleep(event: &Value) {
    let ms = event["ms"].as_u64().unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
