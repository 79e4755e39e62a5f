//! The end of the process: Lambda and `usher` send SIGTERM, but only to functions with an
//! extension.
//!
//! An internal extension is enough. It subscribes to no events, so it is never called.

use std::io;

use bytes::Bytes;
use http::uri::InvalidUri;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use crate::https::{BoxError, Connection};

const NAME: HeaderName = HeaderName::from_static("lambda-extension-name");
const IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");
const REGISTER: &str = "/2020-01-01/extension/register";
const NEXT: &str = "/2020-01-01/extension/event/next";

/// Why the extension is not registered.
#[derive(Debug, thiserror::Error)]
pub(super) enum RegisterError {
    /// SIGTERM cannot be received.
    #[error(transparent)]
    Signal(#[from] io::Error),
    /// The address of the Runtime API is invalid.
    #[error(transparent)]
    Address(#[from] InvalidUri),
    /// The connection failed.
    #[error("{0}")]
    Connection(#[from] BoxError),
    /// The response has another status than success.
    #[error("the Runtime API responded with {0}")]
    Refused(StatusCode),
    /// The response does not identify the extension.
    #[error("the response of the Runtime API has no extension identifier")]
    NoIdentifier,
}

/// An internal extension, by which the process receives SIGTERM before it ends.
pub(super) struct ShutdownSignal {
    terminate: Signal,
    /// The extension's request for its next event, which is never answered.
    _next_event: JoinSet<()>,
}

impl ShutdownSignal {
    /// Registers with the Runtime API at `host:port`, before the function requests its first event.
    pub(super) async fn register(runtime_api: &str) -> Result<Self, RegisterError> {
        let terminate = signal(SignalKind::terminate())?;
        let mut connection = Connection::to(runtime_api.parse()?, None, "AWS_LAMBDA_RUNTIME_API");
        // Extensions of a function have different names.
        let name = HeaderMap::from_iter([(NAME, HeaderValue::from_static("usher-traces"))]);
        let mut response = connection
            .send(
                Method::POST,
                REGISTER,
                &name,
                Bytes::from_static(br#"{"events":[]}"#),
            )
            .await?;
        if !response.status().is_success() {
            return Err(RegisterError::Refused(response.status()));
        }
        let identifier = response
            .headers_mut()
            .remove(IDENTIFIER)
            .ok_or(RegisterError::NoIdentifier)?;
        response
            .into_body()
            .collect()
            .await
            .map_err(BoxError::from)?;
        let identifier = HeaderMap::from_iter([(IDENTIFIER, identifier)]);
        let mut next_event = JoinSet::new();
        next_event.spawn(async move {
            if let Err(error) = connection
                .send(Method::GET, NEXT, &identifier, Bytes::new())
                .await
            {
                tracing::debug!(error, "the extension's request for its next event failed");
            }
        });
        Ok(Self {
            terminate,
            _next_event: next_event,
        })
    }

    /// Waits for SIGTERM.
    pub(super) async fn received(&mut self) {
        self.terminate.recv().await;
    }
}
