//! Calls of the Extensions API and of the error reports of initialisation.

use lambda_runtime::Error;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::record;

const REGISTER: &str = "2020-01-01/extension/register";
const NEXT: &str = "2020-01-01/extension/event/next";
const NO_EVENTS: &str = r#"{"events":[]}"#;
const NO_KEY: &str = r#"{"errorType":"Extension.Bad","errorMessage":"no key"}"#;

/// Reports that the runtime could not start.
pub(crate) async fn report_init_error() -> Result<(), Error> {
    let why = r#"{"errorType":"Config.Bad","errorMessage":"no table"}"#;
    runtime_api("POST", "2018-06-01/runtime/init/error", why, None).await?;
    Ok(())
}

/// Registers an extension, which reports that it could not start. Does not return.
pub(crate) async fn fail_own_extension() -> Result<(), Error> {
    let id = runtime_api("POST", REGISTER, NO_EVENTS, None).await?;
    runtime_api("POST", "2020-01-01/extension/init/error", NO_KEY, Some(&id)).await?;
    std::future::pending().await
}

/// Registers while the runtime requests its first event, on a connection of its own, as
/// `lambda_runtime`'s graceful shutdown does.
pub(crate) async fn register_beside_runtime() {
    tokio::spawn(async {
        let (status, _, id) = register(Some("graceful"), NO_EVENTS).await?;
        record(&status.to_string())?;
        runtime_api("GET", NEXT, "", Some(&id)).await
    });
    tokio::task::yield_now().await;
}

/// Registers without events, requests one, and records SIGTERM, as `lambda_runtime`'s graceful
/// shutdown does.
pub(crate) async fn record_sigterm() -> Result<(), Error> {
    let id = runtime_api("POST", REGISTER, NO_EVENTS, None).await?;
    tokio::spawn(async move { runtime_api("GET", NEXT, "", Some(&id)).await.map(drop) });
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        terminate.recv().await;
        let _ = record("terminated");
        std::process::exit(0);
    });
    Ok(())
}

/// Registers an extension. Returns status, body and identifier of the response.
pub(crate) async fn register(
    name: Option<&str>,
    body: &str,
) -> Result<(u16, Value, String), Error> {
    let url = format!(
        "http://{}/{REGISTER}",
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

/// Reports an error in four ways that the API refuses, then in the correct one, and records the
/// responses.
pub(crate) async fn misreport_errors() -> Result<(), Error> {
    let url = format!(
        "http://{}/2020-01-01/extension/init/error",
        std::env::var("AWS_LAMBDA_RUNTIME_API")?
    );
    let (_, _, own) = register(Some("own"), NO_EVENTS).await?;
    let unknown = "0f0e0d0c-0b0a-4908-8706-050403020100";
    for (id, kind) in [
        (None, Some("Extension.Bad")),
        (Some("x"), Some("Extension.Bad")),
        (Some(unknown), Some("Extension.Bad")),
        (Some(own.as_str()), None),
        (Some(own.as_str()), Some("Extension.Bad")),
    ] {
        let mut request = reqwest::Client::new().post(&url).body(NO_KEY);
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

/// Registers the extensions of `EXTENSIONS`, a JSON list of `[name, body]`, and records status and
/// error type of each response. Accepted extensions request an event: initialisation waits for
/// that.
pub(crate) async fn register_all() -> Result<(), Error> {
    let all: Vec<(Option<String>, String)> = serde_json::from_str(&std::env::var("EXTENSIONS")?)?;
    for (name, body) in all {
        let (status, answer, id) = register(name.as_deref(), &body).await?;
        record(&format!(
            "{status} {}",
            answer["errorType"].as_str().unwrap_or("-")
        ))?;
        if status == 200 {
            tokio::spawn(async move { runtime_api("GET", NEXT, "", Some(&id)).await.map(drop) });
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
        request = request.header("Lambda-Extension-Name", "echo");
    }
    let response = request.send().await?;
    let id = response
        .headers()
        .get("Lambda-Extension-Identifier")
        .map(|id| id.to_str().map(str::to_owned));
    Ok(id.transpose()?.unwrap_or_default())
}
