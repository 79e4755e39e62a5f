//! Events with a field `do`: one command an invocation.
//!
//! `echo`, `fail`, `print`, `record`, `record-later` (after the answer), `context`, `register`,
//! `exit`, `panic`, `hang`, `sleep`, `meet` (waits until so many invocations have begun), `big`,
//! `environment`, `spawn` (a child process), `call` (another function, over the Invoke API).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lambda_runtime::{Context, Error};
use serde_json::{Value, json};

use crate::{extensions, record, sleep, text_or};

pub(crate) async fn run(event: Value, context: Context) -> Result<Value, Error> {
    match text_or(&event["do"], "") {
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
        "fail" => Err(text_or(&event["message"], "failure requested").into()),
        "print" => {
            println!("{}", text_or(&event["line"], ""));
            Ok(Value::Null)
        }
        "record" => {
            record(text_or(&event["text"], ""))?;
            Ok(Value::Null)
        }
        "record-later" => {
            tokio::spawn(async move {
                sleep(&event).await;
                record(text_or(&event["text"], ""))
            });
            Ok(Value::Null)
        }
        "meet" => {
            meet(&event).await?;
            Ok(json!({ "pid": std::process::id() }))
        }
        "context" => {
            let custom = context.client_context.map(|context| context.custom);
            let custom = json!(custom.unwrap_or_default());
            record(&custom.to_string())?;
            Ok(custom)
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
            sleep(&event).await;
            Ok(json!({ "pid": std::process::id() }))
        }
        "big" => {
            let bytes = event["bytes"].as_u64().unwrap_or_default();
            Ok(Value::String("x".repeat(bytes as usize)))
        }
        "environment" => Ok(json!(std::env::vars().collect::<BTreeMap<_, _>>())),
        "spawn" => {
            let child = std::process::Command::new("sleep").arg("600").spawn()?;
            record(&child.id().to_string())?;
            std::future::pending().await
        }
        "call" => {
            let endpoint = std::env::var("AWS_ENDPOINT_URL_LAMBDA")?;
            let function = text_or(&event["function"], "");
            let url = format!("{endpoint}/2015-03-31/functions/{function}/invocations");
            let call = reqwest::Client::new().post(url);
            let answer = call.body(event["event"].to_string()).send().await?;
            Ok(serde_json::from_slice(&answer.bytes().await?)?)
        }
        other => Err(format!("unknown command {other:?}").into()),
    }
}

/// Records itself in a folder, and waits until `of` invocations have, and the file `until` exists.
async fn meet(event: &Value) -> Result<(), Error> {
    let folder = Path::new(text_or(&event["folder"], ""));
    std::fs::write(folder.join(event["id"].to_string()), "")?;
    let others = event["of"].as_u64().unwrap_or_default() as usize;
    let until = event["until"].as_str();
    while std::fs::read_dir(folder)?.count() < others
        || until.is_some_and(|file| !Path::new(file).exists())
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
