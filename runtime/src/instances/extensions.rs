//! The Extensions API (2020-01-01), as far as extensions within a function's own process need it. Checks and words are those of
//! AWS's own emulator (aws-lambda-runtime-interface-emulator, `internal/lambda/rapi/handler/agent*.go`).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;

use super::failure;
use super::instance::{Extension, Instance, NotRegistered};
use super::runtime_api::{Reply, accepted, header, read, refuse};
use crate::connections::Peers;

const IDENTIFIER: &str = "lambda-extension-identifier";
const ERROR_TYPE: &str = "lambda-extension-function-error-type";

/// Why a call is refused: always 403.
#[derive(Debug)]
struct Refused(&'static str, String);

impl From<NotRegistered> for Refused {
    fn from(why: NotRegistered) -> Self {
        let kind = match why {
            NotRegistered::Closed => "Extension.RegistrationClosed",
            NotRegistered::NameTaken => "Extension.InvalidExtensionState",
            NotRegistered::TooMany => "Extension.TooManyExtensions",
        };
        Self(kind, why.to_string())
    }
}

impl From<Refused> for Reply {
    fn from(Refused(kind, message): Refused) -> Self {
        refuse(StatusCode::FORBIDDEN, kind, &message)
    }
}

/// `POST /extension/register`
pub(super) async fn register(
    request: Request<Incoming>,
    instance: &Instance,
    peers: &Peers,
) -> Reply {
    let (head, body) = request.into_parts();
    let body = read(body).await.unwrap_or_default();
    registered(&head.headers, &body, instance, peers).unwrap_or_else(Reply::from)
}

fn registered(
    headers: &HeaderMap,
    body: &[u8],
    instance: &Instance,
    peers: &Peers,
) -> Result<Reply, Refused> {
    let name = header(headers, "lambda-extension-name").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| {
        Refused(
            "Extension.InvalidExtensionName",
            "Empty extension name".to_owned(),
        )
    })?;
    check(body)?;
    // the first request of a connection that was open before: it was on its way when initialisation ended
    let sent_before = peers.first.then_some(peers.opened);
    let id = instance.register_extension(name, sent_before)?;
    let function = &instance.runner.function;
    let mut answer = json!({ "functionName": function.name, "functionVersion": "$LATEST", "handler": function.handler });
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

/// The events that a registration names: an extension within the process may name INVOKE alone.
fn check(body: &[u8]) -> Result<(), Refused> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Register {
        events: Option<Vec<String>>,
        configuration_keys: Option<Vec<String>>,
    }
    let format = |why: String| Refused("InvalidRequestFormat", why);
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
        Some((event, why)) => Err(Refused(
            "Extension.InvalidEventType",
            format!("{event}: {why}"),
        )),
        None => Ok(()),
    }
}

/// `GET /extension/event/next`. Extensions within the process receive no events: the call waits until the process ends. It says
/// that the extension is ready, and that the process wants SIGTERM first.
pub(super) async fn next(request: &Request<Incoming>, instance: &Arc<Instance>) -> Reply {
    match identified(request.headers(), instance) {
        Ok((id, _)) => {
            instance.extension_next(&id);
            std::future::pending().await
        }
        Err(refused) => refused.into(),
    }
}

/// `POST /extension/init/error` and `/extension/exit/error`. Before the process is ready it counts as a failed initialisation,
/// which fails an invocation that waits: without that, the process would be started again and again.
pub(super) async fn error(request: Request<Incoming>, instance: &Instance, phase: &str) -> Reply {
    let (head, body) = request.into_parts();
    let kind = match reported(&head.headers, instance, phase) {
        Ok(kind) => kind,
        Err(refused) => return refused.into(),
    };
    let body = read(body).await.unwrap_or_default();
    if !instance.is_ready() {
        instance.report_init_error(failure::reported(Some(&kind), body));
    }
    instance.condemn();
    accepted()
}

/// The error's type.
fn reported(headers: &HeaderMap, instance: &Instance, phase: &str) -> Result<String, Refused> {
    let (id, extension) = identified(headers, instance)?;
    let kind = header(headers, ERROR_TYPE).filter(|kind| !kind.is_empty());
    let kind = kind.ok_or_else(|| {
        Refused(
            "Extension.MissingHeader",
            "Lambda-Extension-Function-Error-Type not found".to_owned(),
        )
    })?;
    if phase == "init" && extension.ready {
        let why = format!(
            "State transition from Ready to InitError failed for extension {id}. Error: State transition is not allowed"
        );
        return Err(Refused("Extension.InvalidExtensionState", why));
    }
    Ok(kind)
}

/// The registered extension that calls.
fn identified(headers: &HeaderMap, instance: &Instance) -> Result<(String, Extension), Refused> {
    let id = header(headers, IDENTIFIER)
        .filter(|id| !id.is_empty())
        .ok_or_else(|| {
            Refused(
                "Extension.MissingExtensionIdentifier",
                "Missing Lambda-Extension-Identifier header".to_owned(),
            )
        })?;
    if !is_uuid(&id) {
        return Err(Refused(
            "Extension.InvalidExtensionIdentifier",
            "Invalid Lambda-Extension-Identifier".to_owned(),
        ));
    }
    match instance.extension(&id) {
        Some(extension) => Ok((id, extension)),
        None => Err(Refused(
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
            .map(|Refused(kind, message)| (kind, message))
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
