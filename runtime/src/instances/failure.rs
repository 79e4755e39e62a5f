//! Failures of the sandbox, with the messages of Lambda.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use nix::sys::signal::Signal;
use serde::Deserialize;
use serde_json::json;

use crate::invocation::{FunctionError, Outcome};

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

/// Why a process ended. The text is Lambda's.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// `exit status 1`, `signal: killed`.
    #[error("Runtime exited with error: {0}")]
    Exited(String),
    /// With status 0.
    #[error("Runtime exited without providing a reason")]
    ExitedQuietly,
    /// On purpose, by the plan of faults.
    #[error("Runtime exited with error: signal: killed")]
    Killed,
    /// Of the function, which its initialisation or an invocation exceeded.
    #[error("Task timed out after {:.2} seconds", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The drain is out of time, or the process was idle.
    #[error("Runtime exited with error: signal: killed (the host shut down)")]
    Stopped,
    #[error("cannot run {}: {error}", executable.display())]
    CannotRun {
        executable: PathBuf,
        error: io::Error,
    },
    /// The host has lost the process: whether the function failed is unknown.
    #[error("cannot wait for the process: {0}")]
    CannotWait(io::Error),
    /// The host is short of something that the start needs.
    #[error("{0}")]
    Shortage(io::Error),
    #[error("all processes that the limit of open files allows are busy; raise it (ulimit -Hn)")]
    OutOfProcesses,
    /// The task of the process panicked after this time.
    #[error("Runtime exited with error: signal: killed (a fault of the host)")]
    HostFault { why: String, ran: Duration },
}

impl End {
    /// "exit status 1" or "signal: killed".
    pub(super) fn of(status: ExitStatus) -> Self {
        let signal_name = |signal: Signal| match signal {
            Signal::SIGKILL => "killed",
            Signal::SIGSEGV => "segmentation fault",
            Signal::SIGABRT => "aborted",
            other => other.as_str(),
        };
        match (status.code(), status.signal()) {
            (Some(0), _) => Self::ExitedQuietly,
            (Some(code), _) => Self::Exited(format!("exit status {code}")),
            (None, Some(signal)) => Self::Exited(match Signal::try_from(signal) {
                Ok(signal) => format!("signal: {}", signal_name(signal)),
                Err(_) => format!("signal: {signal}"),
            }),
            (None, None) => Self::Exited("unknown".to_owned()),
        }
    }

    /// The host has lost the process, or could not start it. The function did not fail.
    pub(super) fn is_of_host(&self) -> bool {
        matches!(self, Self::Shortage(_) | Self::HostFault { .. })
    }

    /// The outcome of an invocation that this end left unanswered.
    pub(super) fn outcome(&self, request_id: &str) -> Outcome {
        let error_type = match self {
            Self::TimedOut(_) => TIMED_OUT,
            Self::CannotRun { .. } | Self::CannotWait(_) => "Runtime.InvalidEntrypoint",
            _ => "Runtime.ExitError",
        };
        let error = error(error_type, format!("RequestId: {request_id} Error: {self}"));
        match self {
            Self::Stopped | Self::HostFault { .. } | Self::CannotWait(_) => {
                Outcome::Interrupted(error)
            }
            _ => Outcome::Error(error),
        }
    }
}

pub(super) fn response_too_large() -> FunctionError {
    error(
        TOO_LARGE,
        format!(
            "Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
        ),
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_lambdas_message() {
        let outcome = End::TimedOut(Duration::from_secs(3)).outcome("8f5");
        let error = outcome.error().unwrap();
        assert_eq!(
            error.message,
            "RequestId: 8f5 Error: Task timed out after 3.00 seconds"
        );
        assert_eq!(error.error_type, "Sandbox.Timedout");
    }

    #[test]
    fn a_process_that_the_host_lost_is_no_function_error() {
        let ended = End::CannotWait(io::Error::other("no child"));
        let lost = End::HostFault {
            why: "it panicked".to_owned(),
            ran: Duration::ZERO,
        };
        for end in [ended, lost, End::Stopped] {
            assert!(
                matches!(end.outcome("8f5"), Outcome::Interrupted(_)),
                "{end}"
            );
        }
        for end in [End::Killed, End::ExitedQuietly] {
            assert!(matches!(end.outcome("8f5"), Outcome::Error(_)), "{end}");
        }
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
