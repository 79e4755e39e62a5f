//! A function for the host's own tests: it does what its event, or its environment, tells it to.
//!
//! `{"do": "echo" | "fail" | "exit" | "panic" | "hang" | "flood" | "big" | "environment" | "spawn", ...}` direct one invocation.
//! In a Kafka event each value is a text; `fail-once:NAME`, `partial-once:NAME`, `crash-once:NAME` and `hang-once:NAME`
//! misbehave until the file NAME exists, and create it. Every record that was processed is appended to the file
//! `RECORD_TO` as "topic-partition offset value". `ON_START` = `exit`, `hang`, `error` or `extension-error` breaks initialisation.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    match std::env::var("ON_START").as_deref() {
        Ok("exit") => std::process::exit(3),
        Ok("hang") => std::future::pending().await,
        Ok("error") => {
            runtime_api("POST", "2018-06-01/runtime/init/error", r#"{"errorType":"Config.Bad","errorMessage":"no table"}"#, None)
                .await?;
            std::process::exit(1);
        }
        Ok("extension-error") => {
            let id = runtime_api("POST", "2020-01-01/extension/register", r#"{"events":[]}"#, None).await?;
            let why = r#"{"errorType":"Extension.Bad","errorMessage":"no key"}"#;
            runtime_api("POST", "2020-01-01/extension/init/error", why, Some(&id)).await?;
            std::future::pending::<()>().await;
        }
        _ => {}
    }
    if std::env::var_os("EXTENSION").is_some() {
        internal_extension().await?;
    }
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = event.into_parts();
    if event.get("records").is_some() {
        return batch(&event).await;
    }
    match event["do"].as_str().unwrap_or_default() {
        "echo" => {
            println!("echo {}", event["text"]);
            Ok(json!({ "event": event, "request_id": context.request_id, "arn": context.invoked_function_arn,
                "pid": std::process::id(), "trace": context.xray_trace_id, "deadline": context.deadline }))
        }
        "fail" => Err("as told".into()),
        "exit" => std::process::exit(7),
        "panic" => panic!("as told"),
        "hang" => std::future::pending().await,
        "sleep" => {
            tokio::time::sleep(Duration::from_millis(event["ms"].as_u64().unwrap_or_default())).await;
            Ok(json!({ "pid": std::process::id() }))
        }
        "big" => Ok(Value::String("x".repeat(event["bytes"].as_u64().unwrap_or_default() as usize))),
        "environment" => Ok(json!(std::env::vars().collect::<std::collections::BTreeMap<_, _>>())),
        "spawn" => {
            let child = std::process::Command::new("sleep").arg("600").spawn()?;
            record(&child.id().to_string())?;
            std::future::pending().await
        }
        other => Err(format!("cannot do {other:?}").into()),
    }
}

async fn batch(event: &Value) -> Result<Value, Error> {
    let mut failures = Vec::new();
    let records = event["records"].as_object().into_iter().flatten();
    for (partition, records) in records {
        for one in records.as_array().into_iter().flatten() {
            let bytes = base64::engine::general_purpose::STANDARD.decode(one["value"].as_str().unwrap_or_default())?;
            let value = String::from_utf8(bytes)?;
            let offset = &one["offset"];
            if let Some((what, marker)) = value.split_once("-once:").filter(|(_, marker)| !Path::new(marker).exists()) {
                std::fs::write(marker, "")?;
                match what {
                    "fail" => return Err("as told".into()),
                    "crash" => std::process::exit(7),
                    "hang" => std::future::pending().await,
                    _ => failures.push(json!({ "itemIdentifier": { "partition": partition, "offset": offset } })),
                }
            } else {
                record(&format!("{partition} {offset} {value}"))?;
            }
        }
    }
    Ok(json!({ "batchItemFailures": failures }))
}

fn record(line: &str) -> Result<(), Error> {
    let path = std::env::var("RECORD_TO")?;
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
    // one write: lines of several processes do not mix
    Ok(file.write_all(format!("{line}\n").as_bytes())?)
}

/// What `lambda_runtime`'s graceful shutdown does: registers, asks for an event that never comes, and waits for SIGTERM.
async fn internal_extension() -> Result<(), Error> {
    let id = runtime_api("POST", "2020-01-01/extension/register", r#"{"events":[]}"#, None).await?;
    tokio::spawn(async move { runtime_api("GET", "2020-01-01/extension/event/next", "", Some(&id)).await.map(drop) });
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        terminate.recv().await;
        let _ = record("terminated");
        std::process::exit(0);
    });
    Ok(())
}

async fn runtime_api(method: &str, path: &str, body: &str, extension: Option<&str>) -> Result<String, Error> {
    let url = format!("http://{}/{path}", std::env::var("AWS_LAMBDA_RUNTIME_API")?);
    let mut request = reqwest::Client::new().request(method.parse()?, url).body(body.to_owned());
    if let Some(id) = extension {
        request = request.header("Lambda-Extension-Identifier", id);
    } else {
        request = request.header("Lambda-Extension-Name", "behave");
    }
    let response = request.send().await?;
    let id = response.headers().get("Lambda-Extension-Identifier").map(|id| id.to_str().map(str::to_owned));
    Ok(id.transpose()?.unwrap_or_default())
}
