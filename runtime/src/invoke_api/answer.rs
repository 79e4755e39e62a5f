//! Responses as the service sends them, which SDKs parse ("Invoke" in Lambda's API reference).

use std::collections::BTreeMap;

use base64::Engine as _;
use bytes::Bytes;
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::admission::AdmissionError;
use crate::instances::arn;
use crate::invocation::{self, MAX_PAYLOAD, Outcome, Rejected};
use crate::listener::{Reply, empty_reply, json_reply, set_header};
use crate::sources::asynchronous::{MAX_EVENT, NotAccepted};
use sam_template::model::{Function, Location, SkippedFunction};

/// The service's errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApiError {
    /// The caller is not admitted.
    #[error(transparent)]
    Refused(#[from] AdmissionError),
    /// `usher invoke` named another run of the host.
    #[error("another usher was meant")]
    OtherHost,
    /// Not an operation of this API.
    #[error("there is POST /2015-03-31/functions/NAME/invocations and GET /2015-03-31/functions/")]
    NoSuchOperation,
    /// By name; the service reports the ARN.
    #[error("Function not found: {0}")]
    NoFunction(String),
    /// Why this host cannot run the template's function.
    #[error("{0}")]
    NotRun(String),
    #[error("{0}")]
    InvalidParameter(String),
    /// Why the body is not JSON.
    #[error("Could not parse request body into json: {0}")]
    NotJson(String),
    /// Bytes at most.
    #[error("Request must be smaller than {0} bytes for the InvokeFunction operation")]
    TooLarge(usize),
    /// The service's name of the reason, and the text.
    #[error("Rate Exceeded. {1}")]
    Throttled(&'static str, String),
    /// Why `X-Amz-Client-Context` cannot be passed on.
    #[error("{0}")]
    ClientContext(&'static str),
    /// A fault of the host.
    #[error("{0}")]
    Service(String),
}

impl From<Rejected> for ApiError {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::NotFound(name) => Self::NoFunction(name),
            Rejected::Throttled(limit) => {
                let reason = if limit.reserved {
                    "ReservedFunctionConcurrentInvocationLimitExceeded"
                } else {
                    "ConcurrentInvocationLimitExceeded"
                };
                Self::Throttled(reason, limit.to_string())
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
        let (status, name) = match self {
            Self::Refused(_) => (403, "AccessDeniedException"),
            Self::OtherHost => (421, "MisdirectedRequestException"),
            Self::NoSuchOperation => (404, "UnknownOperationException"),
            Self::NoFunction(_) => (404, "ResourceNotFoundException"),
            Self::NotRun(_) => (502, "InvalidRuntimeException"),
            Self::InvalidParameter(_) => (400, "InvalidParameterValueException"),
            Self::NotJson(_) | Self::ClientContext(_) => (400, "InvalidRequestContentException"),
            Self::TooLarge(_) => (413, "RequestTooLargeException"),
            Self::Throttled(..) => (429, "TooManyRequestsException"),
            Self::Service(_) => (500, "ServiceException"),
        };
        let message = match self {
            Self::NoFunction(name) => Self::NoFunction(function_arn(location, name)).to_string(),
            other => other.to_string(),
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
        set_header(&mut reply, "x-amzn-errortype", name);
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
    set_header(&mut reply, "x-amzn-requestid", &response.request_id);
    set_header(&mut reply, "x-amz-executed-version", version);
    if failed {
        set_header(&mut reply, "x-amz-function-error", "Unhandled");
    }
    if let Some(log) = log {
        let log = base64::engine::general_purpose::STANDARD.encode(log);
        set_header(&mut reply, "x-amz-log-result", &log);
    }
    reply
}

/// The response to an accepted event, or to a dry run.
pub(super) fn accepted(status: StatusCode, request_id: &str) -> Reply {
    let mut reply = empty_reply(status);
    set_header(&mut reply, "x-amzn-requestid", request_id);
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
            "FunctionArn": function_arn(location, &skipped.name),
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

fn function_arn(location: &Location, name: &str) -> String {
    location.arn("lambda", &format!("function:{name}"))
}

/// No browser may take the response for another type.
fn api_reply(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let mut reply = json_reply(status, body);
    set_header(&mut reply, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    reply
}
