//! The Runtime API without the runtime library.

use lambda_runtime::Error;
use serde_json::{Value, json};

use crate::{record, sleep};

/// Waits for the `ms` of each event, responds, and records the status of the response.
pub(crate) async fn serve() -> Result<(), Error> {
    let client = reqwest::Client::new();
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API")?;
    let base = format!("http://{api}/2018-06-01/runtime/invocation");
    loop {
        let next = client.get(format!("{base}/next")).send().await?;
        let header = |name: &str| {
            let value = next
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let request = header("lambda-runtime-aws-request-id");
        let invocation = header("lambda-runtime-invocation-id");
        let event: Value = serde_json::from_slice(&next.bytes().await?)?;
        sleep(&event).await;
        let answer = json!({ "pid": std::process::id() }).to_string();
        let answer = client
            .post(format!("{base}/{request}/response"))
            .header("Lambda-Runtime-Invocation-Id", invocation)
            .body(answer);
        let status = answer.send().await?.status().as_u16();
        record(&format!("{} {status}", event["ms"]))?;
    }
}
