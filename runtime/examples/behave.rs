//! A function for the host's own tests: it does what its event, or its environment, tells it to.
//!
//! `{"do": "echo" | "fail" | "exit" | "panic" | "hang" | "flood" | "big" | "environment" | "spawn" | "record" | "call" | "context" | "register", ...}` direct one invocation.
//! A request to an API is answered with 200 and its own body. In a Kafka event each value is a text; `fail-once:NAME`, `partial-once:NAME`, `crash-once:NAME` and `hang-once:NAME`
//! misbehave until the file NAME exists, and create it; what begins with `always-fail` or `always-partial` does every time, `fail-with:MESSAGE` fails with this message, and `wait-for:FILE` waits until the file exists; for `dump` the record's JSON stands in place of the value. Every record that was processed is appended to the file
//! `RECORD_TO` as "topic-partition offset value"; of an SQS event, whose bodies say the same, as "id receives batch done|failed body", where
//! `dump` appends the record's JSON, and `busy:FOLDER` the number of messages that are
//! at work with it, after one other was. `START_MS` is how long initialisation takes; `ON_START` = `exit`, `hang`, `error` or `extension-error` breaks initialisation; `ON_START` = `register` registers the extensions of
//! `EXTENSIONS`, a JSON list of `[name, body]`, and records status and error type of each answer; `extension-calls` records those of
//! errors that it reports in wrong ways; `graceful` registers an extension while the runtime requests its first event;
//! `ALWAYS` = `hang`, `exit` or `flood` is what it does in every invocation;
//! `two-at-a-time` takes two events at a time, each of which says how many `ms` it takes.

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
            runtime_api(
                "POST",
                "2018-06-01/runtime/init/error",
                r#"{"errorType":"Config.Bad","errorMessage":"no table"}"#,
                None,
            )
            .await?;
            std::process::exit(1);
        }
        Ok("extension-error") => {
            let id = runtime_api(
                "POST",
                "2020-01-01/extension/register",
                r#"{"events":[]}"#,
                None,
            )
            .await?;
            let why = r#"{"errorType":"Extension.Bad","errorMessage":"no key"}"#;
            runtime_api("POST", "2020-01-01/extension/init/error", why, Some(&id)).await?;
            std::future::pending::<()>().await;
        }
        Ok("register") => register_all().await?,
        Ok("extension-calls") => return extension_calls().await,
        Ok("graceful") => {
            // as lambda_runtime's graceful shutdown: beside the runtime's own first request, on a connection of its own
            tokio::spawn(async {
                let (status, _, id) = register(Some("graceful"), r#"{"events":[]}"#).await?;
                record(&status.to_string())?;
                runtime_api("GET", "2020-01-01/extension/event/next", "", Some(&id)).await
            });
            tokio::task::yield_now().await;
        }
        Ok("two-at-a-time") => {
            return tokio::try_join!(events_by_hand(), events_by_hand()).map(drop);
        }
        _ => {}
    }
    if let Some(ms) = std::env::var("START_MS")
        .ok()
        .and_then(|ms| ms.parse().ok())
    {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    if std::env::var_os("EXTENSION").is_some() {
        internal_extension().await?;
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
    if event.get("records").is_some() {
        return batch(&event).await;
    }
    if let Some(records) = event["Records"].as_array() {
        return messages(records).await;
    }
    if event["requestContext"]["http"].is_object() {
        return Ok(json!({ "statusCode": 200, "body": event["body"] }));
    }
    match event["do"].as_str().unwrap_or_default() {
        "echo" => {
            println!("echo {}", event["text"]);
            Ok(
                json!({ "event": event, "request_id": context.request_id, "arn": context.invoked_function_arn,
                "pid": std::process::id(), "trace": context.xray_trace_id, "deadline": context.deadline }),
            )
        }
        "fail" => Err(event["message"].as_str().unwrap_or("as told").into()),
        "print" => {
            println!("{}", event["line"].as_str().unwrap_or_default());
            Ok(Value::Null)
        }
        "record" => {
            record(event["text"].as_str().unwrap_or_default())?;
            Ok(Value::Null)
        }
        "context" => {
            let custom = context
                .client_context
                .map(|context| context.custom)
                .unwrap_or_default();
            record(&json!(custom).to_string())?;
            Ok(json!(custom))
        }
        "register" => {
            let (status, answer, _) =
                register(event["name"].as_str(), r#"{"events":["INVOKE"]}"#).await?;
            Ok(json!({ "status": status, "answer": answer }))
        }
        "exit" => std::process::exit(7),
        "panic" => panic!("as told"),
        "hang" => std::future::pending().await,
        "sleep" => {
            tokio::time::sleep(Duration::from_millis(
                event["ms"].as_u64().unwrap_or_default(),
            ))
            .await;
            Ok(json!({ "pid": std::process::id() }))
        }
        "big" => Ok(Value::String(
            "x".repeat(event["bytes"].as_u64().unwrap_or_default() as usize),
        )),
        "environment" => Ok(json!(
            std::env::vars().collect::<std::collections::BTreeMap<_, _>>()
        )),
        "spawn" => {
            let child = std::process::Command::new("sleep").arg("600").spawn()?;
            record(&child.id().to_string())?;
            std::future::pending().await
        }
        "call" => {
            let endpoint = std::env::var("AWS_ENDPOINT_URL_LAMBDA")?;
            let url = format!(
                "{endpoint}/2015-03-31/functions/{}/invocations",
                event["function"].as_str().unwrap_or_default()
            );
            let answer = reqwest::Client::new()
                .post(url)
                .body(event["event"].to_string())
                .send()
                .await?;
            Ok(serde_json::from_slice(&answer.bytes().await?)?)
        }
        other => Err(format!("cannot do {other:?}").into()),
    }
}

async fn batch(event: &Value) -> Result<Value, Error> {
    let mut failures = Vec::new();
    let records = event["records"].as_object().into_iter().flatten();
    for (partition, records) in records {
        for one in records.as_array().into_iter().flatten() {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(one["value"].as_str().unwrap_or_default())?;
            let value = String::from_utf8(bytes)?;
            let offset = &one["offset"];
            if value.starts_with("always-fail") {
                return Err("as told".into());
            }
            if let Some(message) = value.strip_prefix("fail-with:") {
                return Err(message.into());
            }
            while value
                .strip_prefix("wait-for:")
                .is_some_and(|file| !Path::new(file).exists())
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if value.starts_with("always-partial") || misbehaves(&value).await? {
                failures.push(
                    json!({ "itemIdentifier": { "partition": partition, "offset": offset } }),
                );
            } else {
                let said = if value == "dump" {
                    one.to_string()
                } else {
                    value
                };
                record(&format!("{partition} {offset} {said}"))?;
            }
        }
    }
    Ok(json!({ "batchItemFailures": failures }))
}

async fn messages(records: &[Value]) -> Result<Value, Error> {
    let mut failures = Vec::new();
    for message in records {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let id = text(&message["messageId"]);
        let body = text(&message["body"]);
        let receives = text(&message["attributes"]["ApproximateReceiveCount"]);
        if let Some(message) = body.strip_prefix("fail-with:") {
            return Err(message.into());
        }
        if body == "always-partial" || misbehaves(&body).await? {
            failures.push(json!({ "itemIdentifier": id }));
        }
        let said = match body.split_once(':') {
            Some(("busy", folder)) => busy(Path::new(folder), &id).await?.to_string(),
            _ if body == "dump" => message.to_string(),
            _ => body,
        };
        let done = failures
            .last()
            .is_none_or(|failure| failure["itemIdentifier"] != *id);
        record(&format!(
            "{id} {receives} {} {} {said}",
            records.len(),
            if done { "done" } else { "failed" }
        ))?;
    }
    Ok(json!({ "batchItemFailures": failures }))
}

/// Whether the record is to be reported as failed; other misbehaviour does not return.
async fn misbehaves(value: &str) -> Result<bool, Error> {
    let Some((what, marker)) = value
        .split_once("-once:")
        .filter(|(_, marker)| !Path::new(marker).exists())
    else {
        return Ok(false);
    };
    std::fs::write(marker, "")?;
    match what {
        "fail" => Err("as told".into()),
        "crash" => std::process::exit(7),
        "hang" => std::future::pending().await,
        _ => Ok(true),
    }
}

/// How many are at work in this folder at the moment. Works until another has been there, too.
async fn busy(folder: &Path, id: &str) -> Result<usize, Error> {
    let been = folder.join("been");
    let here = folder.join("here");
    let count = |folder: &Path| std::fs::read_dir(folder).map(Iterator::count);
    std::fs::write(here.join(id), "")?;
    std::fs::write(been.join(id), "")?;
    while count(&been)? < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let most = count(&here)?;
    // long enough for others to come, if they may
    tokio::time::sleep(Duration::from_millis(30)).await;
    let most = most.max(count(&here)?);
    std::fs::remove_file(here.join(id))?;
    Ok(most)
}

fn record(line: &str) -> Result<(), Error> {
    let path = std::env::var("RECORD_TO")?;
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)?;
    // one write: lines of several processes do not mix
    Ok(file.write_all(format!("{line}\n").as_bytes())?)
}

/// Takes events without the runtime library: waits as many milliseconds as each says, answers, and records how that was taken.
async fn events_by_hand() -> Result<(), Error> {
    let client = reqwest::Client::new();
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API")?;
    let base = format!("http://{api}/2018-06-01/runtime/invocation");
    loop {
        let next = client.get(format!("{base}/next")).send().await?;
        let header = |name: &str| {
            next.headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let request = header("lambda-runtime-aws-request-id");
        let invocation = header("lambda-runtime-invocation-id");
        let event: Value = serde_json::from_slice(&next.bytes().await?)?;
        tokio::time::sleep(Duration::from_millis(
            event["ms"].as_u64().unwrap_or_default(),
        ))
        .await;
        let answer = json!({ "pid": std::process::id() }).to_string();
        let answer = client
            .post(format!("{base}/{request}/response"))
            .header("Lambda-Runtime-Invocation-Id", invocation)
            .body(answer);
        record(&format!(
            "{} {}",
            event["ms"],
            answer.send().await?.status().as_u16()
        ))?;
    }
}

/// What `lambda_runtime`'s graceful shutdown does: registers, asks for an event that never comes, and waits for SIGTERM.
async fn internal_extension() -> Result<(), Error> {
    let id = runtime_api(
        "POST",
        "2020-01-01/extension/register",
        r#"{"events":[]}"#,
        None,
    )
    .await?;
    tokio::spawn(async move {
        runtime_api("GET", "2020-01-01/extension/event/next", "", Some(&id))
            .await
            .map(drop)
    });
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        terminate.recv().await;
        let _ = record("terminated");
        std::process::exit(0);
    });
    Ok(())
}

/// Registers an extension. Status, body and identifier of the answer.
async fn register(name: Option<&str>, body: &str) -> Result<(u16, Value, String), Error> {
    let url = format!(
        "http://{}/2020-01-01/extension/register",
        std::env::var("AWS_LAMBDA_RUNTIME_API")?
    );
    let mut request = reqwest::Client::new().post(url).body(body.to_owned());
    if let Some(name) = name {
        request = request.header("Lambda-Extension-Name", name);
    }
    let response = request.send().await?;
    let id = response
        .headers()
        .get("Lambda-Extension-Identifier")
        .map(|id| id.to_str().map(str::to_owned))
        .transpose()?;
    Ok((
        response.status().as_u16(),
        serde_json::from_slice(&response.bytes().await?)?,
        id.unwrap_or_default(),
    ))
}

/// Reports an error in ways that are refused, then as it should be.
async fn extension_calls() -> Result<(), Error> {
    let url = format!(
        "http://{}/2020-01-01/extension/init/error",
        std::env::var("AWS_LAMBDA_RUNTIME_API")?
    );
    let (_, _, own) = register(Some("own"), r#"{"events":[]}"#).await?;
    let unknown = "0f0e0d0c-0b0a-4908-8706-050403020100";
    let why = r#"{"errorType":"Extension.Bad","errorMessage":"no key"}"#;
    for (id, kind) in [
        (None, Some("Extension.Bad")),
        (Some("x"), Some("Extension.Bad")),
        (Some(unknown), Some("Extension.Bad")),
        (Some(own.as_str()), None),
        (Some(own.as_str()), Some("Extension.Bad")),
    ] {
        let mut request = reqwest::Client::new().post(&url).body(why);
        if let Some(id) = id {
            request = request.header("Lambda-Extension-Identifier", id);
        }
        if let Some(kind) = kind {
            request = request.header("Lambda-Extension-Function-Error-Type", kind);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let answer: Value = serde_json::from_slice(&response.bytes().await?)?;
        record(&format!(
            "{status} {}",
            answer["errorType"].as_str().unwrap_or("-")
        ))?;
    }
    std::future::pending().await
}

/// Registers what `EXTENSIONS` says. Those that are accepted request their first event, or initialisation would never end.
async fn register_all() -> Result<(), Error> {
    let all: Vec<(Option<String>, String)> = serde_json::from_str(&std::env::var("EXTENSIONS")?)?;
    for (name, body) in all {
        let (status, answer, id) = register(name.as_deref(), &body).await?;
        record(&format!(
            "{status} {}",
            answer["errorType"].as_str().unwrap_or("-")
        ))?;
        if status == 200 {
            tokio::spawn(async move {
                runtime_api("GET", "2020-01-01/extension/event/next", "", Some(&id))
                    .await
                    .map(drop)
            });
        }
    }
    Ok(())
}

async fn runtime_api(
    method: &str,
    path: &str,
    body: &str,
    extension: Option<&str>,
) -> Result<String, Error> {
    let url = format!("http://{}/{path}", std::env::var("AWS_LAMBDA_RUNTIME_API")?);
    let mut request = reqwest::Client::new()
        .request(method.parse()?, url)
        .body(body.to_owned());
    if let Some(id) = extension {
        request = request.header("Lambda-Extension-Identifier", id);
        if path.ends_with("/error") {
            request = request.header("Lambda-Extension-Function-Error-Type", "Extension.Bad");
        }
    } else {
        request = request.header("Lambda-Extension-Name", "behave");
    }
    let response = request.send().await?;
    let id = response
        .headers()
        .get("Lambda-Extension-Identifier")
        .map(|id| id.to_str().map(str::to_owned));
    Ok(id.transpose()?.unwrap_or_default())
}
