//! The Extensions API (2020-01-01), as far as extensions within a function's own process need it.
//!
//! Checks and messages are those of AWS's own emulator (aws-lambda-runtime-interface-emulator,
//! `internal/lambda/rapi/handler/agent*.go`).

use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::call::{Call, accepted, json_answer, refuse};
use crate::instances::failure;
use crate::instances::machine::{Input, Machine, NotRegistered};
use crate::listener::Reply;

const IDENTIFIER: &str = "lambda-extension-identifier";
const ERROR_TYPE: &str = "lambda-extension-function-error-type";

/// Why a call is refused, always 403: type and message.
#[derive(Debug)]
struct ExtensionError(&'static str, String);

impl ExtensionError {
    fn new(kind: &'static str, message: &str) -> Self {
        Self(kind, message.to_owned())
    }
}

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
pub(super) async fn register(call: Call<'_>) -> Reply {
    registered(call).await.unwrap_or_else(Reply::from)
}

async fn registered(call: Call<'_>) -> Result<Reply, ExtensionError> {
    let name = call.header("lambda-extension-name");
    let name = name.filter(|name| !name.is_empty());
    let features = call.header("lambda-extension-accept-feature");
    let (instance, connection) = (call.instance, call.connection);
    let body = call.body().await.unwrap_or_default();
    let name = name.ok_or_else(|| {
        ExtensionError::new("Extension.InvalidExtensionName", "Empty extension name")
    })?;
    check(&body, instance.function().managed.is_some())?;
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
    let features = features.unwrap_or_default();
    let mut features = features.split(',').map(str::trim);
    if features.any(|feature| feature == "accountId") {
        answer["accountId"] = function.location.account.as_str().into();
    }
    let response = Response::builder().header("Lambda-Extension-Identifier", id);
    Ok(json_answer(response, answer.to_string().into()))
}

/// Checks the events of a registration: an extension within the process may name INVOKE only, and
/// none on managed instances, where several invocations run at one time.
fn check(body: &[u8], is_managed: bool) -> Result<(), ExtensionError> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Register {
        events: Option<Vec<String>>,
        configuration_keys: Option<Vec<String>>,
    }
    const FORMAT: &str = "InvalidRequestFormat";
    let register: Option<Register> =
        strict_json::from_slice(body).map_err(|error| ExtensionError(FORMAT, error.to_string()))?;
    let Register {
        events,
        configuration_keys,
    } = register.unwrap_or_default();
    if configuration_keys.is_some_and(|keys| !keys.is_empty()) {
        let why = "configurationKeys are deprecated; use environment variables instead";
        return Err(ExtensionError::new(FORMAT, why));
    }
    let events = events.unwrap_or_default();
    if is_managed && !events.is_empty() {
        let why = "No events allowed for internal extensions";
        return Err(ExtensionError::new("Extension.InvalidEventType", why));
    }
    for event in events {
        let why = match event.as_str() {
            "INVOKE" => continue,
            "SHUTDOWN" => "ShutdownEventNotSupportedForInternalExtension",
            _ => "ErrorInvalidEventType",
        };
        let message = format!("{event}: {why}");
        return Err(ExtensionError("Extension.InvalidEventType", message));
    }
    Ok(())
}

/// `GET /extension/event/next`. Extensions within the process receive no events: the call waits
/// until the process ends. It marks the extension as ready, and has the process end with SIGTERM
/// first.
pub(super) async fn next(call: Call<'_>) -> Reply {
    match identified(&call) {
        Ok((id, _)) => {
            let input = |process| Input::ExtensionReady(process, id);
            call.instance.apply(input);
            std::future::pending().await
        }
        Err(refused) => refused.into(),
    }
}

/// `POST /extension/init/error` and `/extension/exit/error`. Before the process is ready it counts
/// as a failed initialisation and fails a waiting invocation; otherwise the process would be
/// restarted again and again.
pub(super) async fn error(call: Call<'_>, is_init: bool) -> Reply {
    let kind = match reported(&call, is_init) {
        Ok(kind) => kind,
        Err(refused) => return refused.into(),
    };
    let instance = call.instance;
    let body = call.body().await.unwrap_or_default();
    let error = failure::reported(Some(&kind), body);
    instance.apply(|id| Input::ExtensionFailed(id, error));
    accepted()
}

/// The error's type.
fn reported(call: &Call<'_>, is_init: bool) -> Result<String, ExtensionError> {
    let (id, ready) = identified(call)?;
    let kind = call.header(ERROR_TYPE).filter(|kind| !kind.is_empty());
    let kind = kind.ok_or_else(|| {
        let why = "Lambda-Extension-Function-Error-Type not found";
        ExtensionError::new("Extension.MissingHeader", why)
    })?;
    if is_init && ready {
        let why = format!(
            "State transition from Ready to InitError failed for extension {id}. Error: State \
             transition is not allowed"
        );
        return Err(ExtensionError("Extension.InvalidExtensionState", why));
    }
    Ok(kind)
}

/// The registered extension that calls, and whether it has requested its first event.
fn identified(call: &Call<'_>) -> Result<(String, bool), ExtensionError> {
    let id = call
        .header(IDENTIFIER)
        .filter(|id| !id.is_empty())
        .ok_or_else(|| {
            let why = "Missing Lambda-Extension-Identifier header";
            ExtensionError::new("Extension.MissingExtensionIdentifier", why)
        })?;
    if !is_uuid(&id) {
        let why = "Invalid Lambda-Extension-Identifier";
        return Err(ExtensionError::new(
            "Extension.InvalidExtensionIdentifier",
            why,
        ));
    }
    let extension = |machine: &Machine, process| machine.extension(process, &id);
    let Some(ready) = call.instance.read(extension) else {
        let why = format!("Unknown extension {id}");
        return Err(ExtensionError("Extension.UnknownExtensionIdentifier", why));
    };
    Ok((id, ready))
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
        check(body.as_bytes(), false)
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
    fn on_managed_instances_a_registration_names_no_event() {
        let refused = |body: &str| check(body.as_bytes(), true).is_err();
        assert!(!refused(r#"{"events":[]}"#) && !refused("{}"));
        assert!(refused(r#"{"events":["INVOKE"]}"#) && refused(r#"{"events":["SHUTDOWN"]}"#));
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
