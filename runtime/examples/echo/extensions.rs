//! Calls of the Extensions API and of the error reports of initialisation.

use lambda_runtime::Error;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::{record, text_or};

const INIT_ERROR: &str = "2020-01-01/extension/init/error";
const ID: &str = "Lambda-Extension-Identifier";
/// The header of an error report.
const BAD: (&str, &str) = ("Lambda-Extension-Function-Error-Type", "Extension.Bad");
const NO_EVENTS: &str = r#"{"events":[]}"#;
const NO_KEY: &str = r#"{"errorType":"Extension.Bad","errorMessage":"no key"}"#;

/// Reports that the runtime could not start.
pub(crate) async fn report_init_error() -> Result<(), Error> {
    let why = r#"{"errorType":"Config.Bad","errorMessage":"no table"}"#;
    call("POST", "2018-06-01/runtime/init/error", &[], why).await?;
    Ok(())
}

/// Registers an extension, which reports that it could not start. Does not return.
pub(crate) async fn fail_own_extension() -> Result<(), Error> {
    let (_, _, id) = register(Some("echo"), NO_EVENTS).await?;
    call("POST", INIT_ERROR, &[(ID, &id), BAD], NO_KEY).await?;
    std::future::pending().await
}

/// Registers while the runtime requests its first event, on a connection of its own, as
/// `lambda_runtime`'s graceful shutdown does.
pub(crate) async fn register_beside_runtime() {
    tokio::spawn(async {
        let (status, _, id) = register(Some("graceful"), NO_EVENTS).await?;
        record(&status.to_string())?;
        next_event(id).await
    });
    tokio::task::yield_now().await;
}

/// Registers without events, requests one, and records SIGTERM, as `lambda_runtime`'s graceful
/// shutdown does.
pub(crate) async fn record_sigterm() -> Result<(), Error> {
    let (_, _, id) = register(Some("echo"), NO_EVENTS).await?;
    tokio::spawn(next_event(id));
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        terminate.recv().await;
        let _ = record("terminated");
        std::process::exit(0);
    });
    Ok(())
}

/// Reports an error in four ways that the API refuses, then in the correct one, and records the
/// responses.
pub(crate) async fn misreport_errors() -> Result<(), Error> {
    let (_, _, own) = register(Some("own"), NO_EVENTS).await?;
    let unknown = "0f0e0d0c-0b0a-4908-8706-050403020100";
    for headers in [
        &[BAD][..],
        &[(ID, "x"), BAD],
        &[(ID, unknown), BAD],
        &[(ID, &own)],
        &[(ID, &own), BAD],
    ] {
        let (status, answer, _) = call("POST", INIT_ERROR, headers, NO_KEY).await?;
        record(&format!("{status} {}", text_or(&answer["errorType"], "-")))?;
    }
    std::future::pending().await
}

/// Registers the extensions of `EXTENSIONS`, a JSON list of `[name, body]`, and records status and
/// error type of each response. Accepted extensions request an event: initialisation waits for
/// that.
pub(crate) async fn register_all() -> Result<(), Error> {
    let all: Vec<(Option<String>, String)> = serde_json::from_str(&std::env::var("EXTENSIONS")?)?;
    for (name, body) in all {
        let (status, answer, id) = register(name.as_deref(), &body).await?;
        record(&format!("{status} {}", text_or(&answer["errorType"], "-")))?;
        if status == 200 {
            tokio::spawn(next_event(id));
        }
    }
    Ok(())
}

/// Registers an extension. Returns status, body and identifier of the response.
pub(crate) async fn register(
    name: Option<&str>,
    body: &str,
) -> Result<(u16, Value, String), Error> {
    let name = name.map(|name| ("Lambda-Extension-Name", name));
    call(
        "POST",
        "2020-01-01/extension/register",
        name.as_slice(),
        body,
    )
    .await
}

/// Requests the next event of an extension.
async fn next_event(id: String) -> Result<(), Error> {
    call("GET", "2020-01-01/extension/event/next", &[(ID, &id)], "").await?;
    Ok(())
}

/// A request to the Runtime API or the Extensions API. Returns status, body and identifier of the
/// response.
async fn call(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<(u16, Value, String), Error> {
    let url = format!("http://{}/{path}", std::env::var("AWS_LAMBDA_RUNTIME_API")?);
    let client = reqwest::Client::new();
    let mut request = client.request(method.parse()?, url).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await?;
    let status = response.status().as_u16();
    let id = response.headers().get(ID).map(|id| id.to_str());
    let id = id.transpose()?.unwrap_or_default().to_owned();
    let answer = serde_json::from_slice(&response.bytes().await?)?;
    Ok((status, answer, id))
}
