//! Failures of the sandbox, with the messages of Lambda.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use crate::invocation::FunctionError;

/// Bytes of an answer at most: 6 MiB, and 100 bytes more as on the service.
pub(super) const MAX_RESPONSE: usize = 6 * 1024 * 1024 + 100;

/// Error type of an invocation whose deadline passed.
pub(super) const TIMED_OUT: &str = "Sandbox.Timedout";

/// Error type of an answer that the function sent and that is too large.
pub(super) const TOO_LARGE: &str = "Function.ResponseSizeTooLarge";

fn error(error_type: &str, message: String) -> FunctionError {
    let body = json!({ "errorType": error_type, "errorMessage": message }).to_string();
    FunctionError {
        error_type: error_type.to_owned(),
        message,
        body: Bytes::from(body),
    }
}

/// The deadline passed.
pub(super) fn timed_out(request_id: &str, timeout: Duration) -> FunctionError {
    error(
        TIMED_OUT,
        format!(
            "RequestId: {request_id} Error: Task timed out after {:.2} seconds",
            timeout.as_secs_f64()
        ),
    )
}

/// The process ended with an invocation in flight. `how`: "exit status 1", "signal: killed".
pub(super) fn exited(request_id: &str, how: &str) -> FunctionError {
    error(
        "Runtime.ExitError",
        format!("RequestId: {request_id} Error: Runtime exited with error: {how}"),
    )
}

/// The process ended with status 0 before it answered.
pub(super) fn exited_quietly(request_id: &str) -> FunctionError {
    error(
        "Runtime.ExitError",
        format!("RequestId: {request_id} Error: Runtime exited without providing a reason"),
    )
}

/// The executable could not be started.
pub(super) fn cannot_start(request_id: &str, why: &str) -> FunctionError {
    error(
        "Runtime.InvalidEntrypoint",
        format!("RequestId: {request_id} Error: {why}"),
    )
}

pub(super) fn response_too_large() -> FunctionError {
    error(
        TOO_LARGE,
        format!(
            "Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
        ),
    )
}

/// The drain is out of time.
pub(super) fn killed_by_shutdown(request_id: &str) -> FunctionError {
    exited(request_id, "signal: killed (the host shut down)")
}

/// The host lost the process by a fault of its own.
pub(super) fn broken_off(request_id: &str) -> FunctionError {
    exited(request_id, "signal: killed (a fault of the host)")
}

/// What the function reported over the Runtime API, with its body unchanged.
pub(super) fn reported(header: Option<&str>, body: Bytes) -> FunctionError {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reported {
        error_type: Option<String>,
        error_message: Option<String>,
    }
    // a message that is not UTF-8 is still mostly readable
    let parsed: Option<Reported> = strict_json::from_str(&String::from_utf8_lossy(&body)).ok();
    let (error_type, message) = parsed.map_or((None, None), |r| (r.error_type, r.error_message));
    FunctionError {
        error_type: error_type
            .or_else(|| header.map(str::to_owned))
            .unwrap_or_else(|| "Unhandled".to_owned()),
        message: message.unwrap_or_default(),
        body,
    }
}

/// "exit status 1" or "signal: killed".
pub(super) fn describe_exit(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => {
            let name = nix::sys::signal::Signal::try_from(signal).map_or_else(
                |_| signal.to_string(),
                |s| match s {
                    nix::sys::signal::Signal::SIGKILL => "killed".to_owned(),
                    nix::sys::signal::Signal::SIGSEGV => "segmentation fault".to_owned(),
                    nix::sys::signal::Signal::SIGABRT => "aborted".to_owned(),
                    other => other.as_str().to_owned(),
                },
            );
            format!("signal: {name}")
        }
        (None, None) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_lambdas_message() {
        let error = timed_out("8f5", Duration::from_secs(3));
        assert_eq!(
            error.message,
            "RequestId: 8f5 Error: Task timed out after 3.00 seconds"
        );
        assert_eq!(error.error_type, "Sandbox.Timedout");
    }

    #[test]
    fn a_reported_error_keeps_its_body_and_type() {
        let body = Bytes::from_static(br#"{"errorType":"Oops","errorMessage":"no"}"#);
        let error = reported(Some("unhandled"), body.clone());
        assert_eq!(
            (error.error_type.as_str(), error.message.as_str()),
            ("Oops", "no")
        );
        assert_eq!(error.body, body);
    }

    #[test]
    fn an_error_that_is_not_json_takes_its_type_from_the_header() {
        let error = reported(Some("Runtime.Odd"), Bytes::from_static(b"boom"));
        assert_eq!(error.error_type, "Runtime.Odd");
    }

    #[test]
    fn an_error_outside_utf8_keeps_type_and_message() {
        let error = reported(
            None,
            Bytes::from_static(b"{\"errorType\":\"Oops\",\"errorMessage\":\"M\xfcller\"}"),
        );
        assert_eq!(
            (error.error_type.as_str(), error.message.as_str()),
            ("Oops", "M\u{fffd}ller")
        );
    }
}
