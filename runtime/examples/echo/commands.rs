//! Events with a field `do`: one command an invocation.
//!
//! `echo`, `fail`, `print`, `record`, `context`, `register`, `exit`, `panic`, `hang`, `sleep`,
//! `big`, `environment`, `spawn` (a child process), `call` (another function, over the Invoke API).

use std::collections::BTreeMap;

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
