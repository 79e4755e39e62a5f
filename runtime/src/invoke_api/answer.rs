//! Responses as the service sends them, which SDKs parse ("Invoke" in Lambda's API reference).

use std::collections::BTreeMap;

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::admission::AdmissionError;
use crate::asynchronous::{MAX_EVENT, NotAccepted};
use crate::instances::arn;
use crate::invocation::{self, MAX_PAYLOAD, Outcome, Rejected};
use crate::listener::{Reply, empty_reply, json_reply};
use sam_template::model::{Function, Location, SkippedFunction};

/// The service's errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ApiError {
    /// The caller is not admitted.
    Refused(AdmissionError),
    /// `usher invoke` named another run of the host.
    OtherHost,
    /// Not an operation of this API.
    NoSuchOperation,
    /// By name.
    NoFunction(String),
    /// Why this host cannot run the template's function.
    NotRun(String),
    InvalidParameter(String),
    /// Why the body is not JSON.
    NotJson(String),
    /// Bytes at most.
    TooLarge(usize),
    /// The service's name of the reason, and the text after its "Rate Exceeded.".
    Throttled(&'static str, String),
    /// Why `X-Amz-Client-Context` cannot be passed on.
    ClientContext(&'static str),
    /// A fault of the host.
    Service(String),
}

impl From<Rejected> for ApiError {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::NotFound(name) => Self::NoFunction(name),
            Rejected::Throttled(limit) if limit.reserved => Self::Throttled(
                "ReservedFunctionConcurrentInvocationLimitExceeded",
                limit.to_string(),
            ),
            Rejected::Throttled(limit) => {
                Self::Throttled("ConcurrentInvocationLimitExceeded", limit.to_string())
            }
            Rejected::NoCapacity { .. } => {
                Self::Throttled("ConcurrentInvocationLimitExceeded", rejected.to_string())
            }
            Rejected::TooLarge(_) => Self::TooLarge(MAX_PAYLOAD),
            Rejected::ShuttingDown => Self::Service(rejected.to_string()),
        }
    }
}

impl From<NotAccepted> for ApiError {
    fn from(wrong: NotAccepted) -> Self {
        match wrong {
            NotAccepted::NotFound(name) => Self::NoFunction(name),
            NotAccepted::TooLarge(_) => Self::TooLarge(MAX_EVENT),
            NotAccepted::Full => Self::Throttled("CallerRateLimitExceeded", wrong.to_string()),
            NotAccepted::Store(_) => Self::Service(wrong.to_string()),
        }
    }
}

impl ApiError {
    pub(super) fn reply(&self, location: &Location) -> Reply {
        let (status, name, message) = match self {
            Self::Refused(AdmissionError::Page) => (
                403,
                "AccessDeniedException",
                "a web page may not call functions: an Origin, or a Sec-Fetch-Site, is refused"
                    .to_owned(),
            ),
            Self::Refused(AdmissionError::NoToken) => (
                403,
                "AccessDeniedException",
                "only for programs on this machine under a loopback Host; from elsewhere the \
                 token of --token is needed"
                    .to_owned(),
            ),
            Self::OtherHost => (
                421,
                "MisdirectedRequestException",
                "another usher was meant".to_owned(),
            ),
            Self::NoSuchOperation => (
                404,
                "UnknownOperationException",
                "there is POST /2015-03-31/functions/NAME/invocations and GET \
                 /2015-03-31/functions/"
                    .to_owned(),
            ),
            Self::NoFunction(name) => (
                404,
                "ResourceNotFoundException",
                format!(
                    "Function not found: {}",
                    location.arn("lambda", &format!("function:{name}"))
                ),
            ),
            Self::NotRun(why) => (502, "InvalidRuntimeException", why.clone()),
            Self::InvalidParameter(why) => (400, "InvalidParameterValueException", why.clone()),
            Self::NotJson(why) => (
                400,
                "InvalidRequestContentException",
                format!("Could not parse request body into json: {why}"),
            ),
            Self::TooLarge(max) => (
                413,
                "RequestTooLargeException",
                format!(
                    "Request must be smaller than {max} bytes for the InvokeFunction operation"
                ),
            ),
            Self::Throttled(_, why) => (
                429,
                "TooManyRequestsException",
                format!("Rate Exceeded. {why}"),
            ),
            Self::ClientContext(why) => (400, "InvalidRequestContentException", (*why).to_owned()),
            Self::Service(why) => (500, "ServiceException", why.clone()),
        };
        let side = if status < 500 { "User" } else { "Service" };
        let mut body = json!({ "Type": side, "Message": message });
        if let Self::Throttled(reason, _) = self {
            body["Reason"] = Value::from(*reason);
        }
        let mut reply = api_reply(
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            body.to_string(),
        );
        set(&mut reply, "x-amzn-errortype", name);
        reply
    }
}

/// The response to a synchronous invocation. `log`: the last lines that the function printed, if
/// requested.
pub(super) fn completed(
    response: invocation::Response,
    version: &'static str,
    log: Option<&str>,
) -> Reply {
    let (body, failed) = match response.outcome {
        Outcome::Answer(body) => (body, false),
        Outcome::Error(error) | Outcome::Interrupted(error) => (error.body, true),
    };
    let mut reply = api_reply(StatusCode::OK, body);
    set(&mut reply, "x-amzn-requestid", &response.request_id);
    set(&mut reply, "x-amz-executed-version", version);
    if failed {
        set(&mut reply, "x-amz-function-error", "Unhandled");
    }
    if let Some(log) = log {
        set(
            &mut reply,
            "x-amz-log-result",
            &base64::engine::general_purpose::STANDARD.encode(log),
        );
    }
    reply
}

/// The response to an accepted event, or to a dry run.
pub(super) fn accepted(status: StatusCode, request_id: &str) -> Reply {
    let mut reply = empty_reply(status);
    set(&mut reply, "x-amzn-requestid", request_id);
    reply
}

/// `ListFunctions`: the functions that run, then those that this host cannot run.
pub(super) fn list(
    functions: &BTreeMap<String, Function>,
    skipped: &BTreeMap<String, SkippedFunction>,
    location: &Location,
) -> Reply {
    let not_run = skipped.values().map(|skipped| {
        let image = skipped.runtime == "image";
        let mut listed = json!({
            "FunctionName": skipped.name,
            "FunctionArn": location.arn("lambda", &format!("function:{}", skipped.name)),
            "Version": "$LATEST",
            "PackageType": if image { "Image" } else { "Zip" },
            "State": "Inactive",
            "StateReason": skipped.reason,
        });
        if !image {
            listed["Runtime"] = Value::from(skipped.runtime.as_str());
        }
        listed
    });
    let functions: Vec<Value> = functions
        .values()
        .map(|function| {
            json!({
                "FunctionName": function.name,
                "FunctionArn": arn(function),
                "Runtime": "provided.al2023",
                "Handler": function.handler,
                "Timeout": function.timeout.as_secs(),
                "MemorySize": function.memory_mb,
                "Version": "$LATEST",
                "PackageType": "Zip",
            })
        })
        .chain(not_run)
        .collect();
    api_reply(
        StatusCode::OK,
        json!({ "Functions": functions }).to_string(),
    )
}

/// No browser may take the response for another type.
fn api_reply(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let mut reply = json_reply(status, body);
    reply.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    reply
}

/// A value that is invalid in a header is left out.
fn set(reply: &mut Reply, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
}
