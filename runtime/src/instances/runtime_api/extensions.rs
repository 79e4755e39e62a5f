//! The Extensions API (2020-01-01), as far as extensions within a function's own process need it.
//!
//! Checks and messages are those of AWS's own emulator (aws-lambda-runtime-interface-emulator,
//! `internal/lambda/rapi/handler/agent*.go`).

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;

use super::replies::{accepted, header, read, refuse};
use crate::instances::driver::Instance;
use crate::instances::failure;
use crate::instances::machine::NotRegistered;
use crate::listener::{ConnectionInfo, Reply};

const IDENTIFIER: &str = "lambda-extension-identifier";
const ERROR_TYPE: &str = "lambda-extension-function-error-type";

/// Why a call is refused: always 403.
#[derive(Debug)]
struct ExtensionError(&'static str, String);

impl From<NotRegistered> for ExtensionError {
    fn from(why: NotRegistered) -> Self {
        let kind = match why {
            NotRegistered::Closed => "Extension.RegistrationClosed",
            NotRegistered::NameTaken => "Extension.InvalidExtensionState",
            NotRegistered::TooMany => "Extension.TooManyExtensions",
        };
        Self(kind, why.to_string())
    }
}

impl From<ExtensionError> for Reply {
    fn from(ExtensionError(kind, message): ExtensionError) -> Self {
        refuse(StatusCode::FORBIDDEN, kind, &message)
    }
}

/// `POST /extension/register`
pub(super) async fn register(
    request: Request<Incoming>,
    instance: &Instance,
    connection: &ConnectionInfo,
) -> Reply {
    let (head, body) = request.into_parts();
    let body = read(body, connection).await.unwrap_or_default();
    registered(&head.headers, &body, instance, connection).unwrap_or_else(Reply::from)
}

fn registered(
    headers: &HeaderMap,
    body: &[u8],
    instance: &Instance,
    connection: &ConnectionInfo,
) -> Result<Reply, ExtensionError> {
    let name = header(headers, "lambda-extension-name").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| {
        ExtensionError(
            "Extension.InvalidExtensionName",
            "Empty extension name".to_owned(),
        )
    })?;
    check(body)?;
    // the first request of a connection that was open before may have been sent before
    // initialisation ended
    let sent_before = connection.is_first.then_some(connection.opened);
    let id = instance.register_extension(name, sent_before)?;
    let function = instance.function();
    let mut answer = json!({
        "functionName": function.name,
        "functionVersion": "$LATEST",
        "handler": function.handler,
    });
    let features = header(headers, "lambda-extension-accept-feature").unwrap_or_default();
    if features
        .split(',')
        .any(|feature| feature.trim() == "accountId")
    {
        answer["accountId"] = function.location.account.as_str().into();
    }
    let response = Response::builder()
        .header("Content-Type", "application/json")
        .header("Lambda-Extension-Identifier", id)
        .body(Full::new(Bytes::from(answer.to_string())));
    Ok(response.unwrap_or_else(|error| {
        refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "BadHeader",
            &error.to_string(),
        )
    }))
}

/// Checks the events of a registration: an extension within the process may name INVOKE only.
fn check(body: &[u8]) -> Result<(), ExtensionError> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Register {
        events: Option<Vec<String>>,
        configuration_keys: Option<Vec<String>>,
    }
    let format = |why: String| ExtensionError("InvalidRequestFormat", why);
    let register: Option<Register> =
        strict_json::from_slice(body).map_err(|error| format(error.to_string()))?;
    let Register {
        events,
        configuration_keys,
    } = register.unwrap_or_default();
    if configuration_keys.is_some_and(|keys| !keys.is_empty()) {
        return Err(format(
            "configurationKeys are deprecated; use environment variables instead".to_owned(),
        ));
    }
    let why = |event: &str| match event {
        "INVOKE" => None,
        "SHUTDOWN" => Some("ShutdownEventNotSupportedForInternalExtension"),
        _ => Some("ErrorInvalidEventType"),
    };
    match events
        .iter()
        .flatten()
        .find_map(|event| Some((event, why(event)?)))
    {
        Some((event, why)) => Err(ExtensionError(
            "Extension.InvalidEventType",
            format!("{event}: {why}"),
        )),
        None => Ok(()),
    }
}

/// `GET /extension/event/next`. Extensions within the process receive no events: the call waits
/// until the process ends. It marks the extension as ready, and has the process end with SIGTERM
/// first.
pub(super) async fn next(request: &Request<Incoming>, instance: &Instance) -> Reply {
    match identified(request.headers(), instance) {
        Ok((id, _)) => {
            instance.extension_next(id);
            std::future::pending().await
        }
        Err(refused) => refused.into(),
    }
}

/// `POST /extension/init/error` and `/extension/exit/error`. Before the process is ready it counts
/// as a failed initialisation and fails a waiting invocation; otherwise the process would be
/// restarted again and again.
pub(super) async fn error(
    request: Request<Incoming>,
    instance: &Instance,
    connection: &ConnectionInfo,
    phase: &str,
) -> Reply {
    let (head, body) = request.into_parts();
    let kind = match reported(&head.headers, instance, phase) {
        Ok(kind) => kind,
        Err(refused) => return refused.into(),
    };
    let body = read(body, connection).await.unwrap_or_default();
    if instance.is_ready() {
        instance.stop();
    } else {
        instance.init_failed(failure::reported(Some(&kind), body));
    }
    accepted()
}

/// The error's type.
fn reported(
    headers: &HeaderMap,
    instance: &Instance,
    phase: &str,
) -> Result<String, ExtensionError> {
    let (id, ready) = identified(headers, instance)?;
    let kind = header(headers, ERROR_TYPE).filter(|kind| !kind.is_empty());
    let kind = kind.ok_or_else(|| {
        ExtensionError(
            "Extension.MissingHeader",
            "Lambda-Extension-Function-Error-Type not found".to_owned(),
        )
    })?;
    if phase == "init" && ready {
        let why = format!(
            "State transition from Ready to InitError failed for extension {id}. Error: State \
             transition is not allowed"
        );
        return Err(ExtensionError("Extension.InvalidExtensionState", why));
    }
    Ok(kind)
}

/// The registered extension that calls, and whether it has requested its first event.
fn identified(headers: &HeaderMap, instance: &Instance) -> Result<(String, bool), ExtensionError> {
    let id = header(headers, IDENTIFIER)
        .filter(|id| !id.is_empty())
        .ok_or_else(|| {
            ExtensionError(
                "Extension.MissingExtensionIdentifier",
                "Missing Lambda-Extension-Identifier header".to_owned(),
            )
        })?;
    if !is_uuid(&id) {
        return Err(ExtensionError(
            "Extension.InvalidExtensionIdentifier",
            "Invalid Lambda-Extension-Identifier".to_owned(),
        ));
    }
    match instance.extension(&id) {
        Some(ready) => Ok((id, ready)),
        None => Err(ExtensionError(
            "Extension.UnknownExtensionIdentifier",
            format!("Unknown extension {id}"),
        )),
    }
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts
            .iter()
            .all(|part| part.chars().all(|c| c.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(body: &str) -> Option<(&'static str, String)> {
        check(body.as_bytes())
            .err()
            .map(|ExtensionError(kind, message)| (kind, message))
    }

    #[test]
    fn a_registration_names_invoke_alone() {
        for good in [
            r#"{"events":[]}"#,
            r#"{"events":["INVOKE"]}"#,
            "{}",
            "null",
            r#"{"events":null,"other":1}"#,
        ] {
            assert_eq!(kind(good), None, "{good}");
        }
        let wrong = |event: &str, why: &str| {
            Some(("Extension.InvalidEventType", format!("{event}: {why}")))
        };
        assert_eq!(
            kind(r#"{"events":["INVOKE","SHUTDOWN"]}"#),
            wrong("SHUTDOWN", "ShutdownEventNotSupportedForInternalExtension")
        );
        assert_eq!(
            kind(r#"{"events":["abcdef"]}"#),
            wrong("abcdef", "ErrorInvalidEventType")
        );
        for bad in [
            "",
            "events",
            "[]",
            r#"{"events":"INVOKE"}"#,
            r#"{"events":[1]}"#,
            r#"{"configurationKeys":["a"]}"#,
        ] {
            assert_eq!(
                kind(bad).map(|(kind, _)| kind),
                Some("InvalidRequestFormat"),
                "{bad}"
            );
        }
    }

    #[test]
    fn an_identifier_is_a_uuid() {
        assert!(is_uuid("0f0e0d0c-0b0a-4908-8706-050403020100"));
        for wrong in [
            "",
            "x",
            "0f0e0d0c0b0a49088706050403020100",
            "0f0e0d0c-0b0a-4908-8706-05040302010g",
        ] {
            assert!(!is_uuid(wrong), "{wrong}");
        }
    }
}
