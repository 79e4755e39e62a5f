//! Events with a field `do`: one command an invocation.
//!
//! `echo`, `fail`, `print`, `record`, `context`, `register`, `exit`, `panic`, `hang`, `sleep`,
//! `big`, `environment`, `spawn` (a child process), `call` (another function, over the Invoke API).

use std::collections::BTreeMap;
use std::time::Duration;

use lambda_runtime::{Context, Error};
use serde_json::{Value, json};

use crate::{extensions, record};

pub(crate) async fn run(event: Value, context: Context) -> Result<Value, Error> {
    match event["do"].as_str().unwrap_or_default() {
        "echo" => {
            println!("echo {}", event["text"]);
            Ok(json!({
                "event": event,
                "request_id": context.request_id,
                "arn": context.invoked_function_arn,
                "pid": std::process::id(),
                "trace": context.xray_trace_id,
                "deadline": context.deadline,
            }))
        }
        "fail" => Err(event["message"]
            .as_str()
            .unwrap_or("failure requested")
            .into()),
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
                extensions::register(event["name"].as_str(), r#"{"events":["INVOKE"]}"#).await?;
            Ok(json!({ "status": status, "answer": answer }))
        }
        "exit" => std::process::exit(7),
        "panic" => panic!("panic requested"),
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
        "environment" => Ok(json!(std::env::vars().collect::<BTreeMap<_, _>>())),
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
        other => Err(format!("unknown command {other:?}").into()),
    }
}
