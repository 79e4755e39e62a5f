//! How a process learns of its end: Lambda, and `usher` as it does, sends SIGTERM, but only where an extension is registered.
//!
//! One inside the process counts; it asks for no events, and so is never called.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::BodyExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use super::connection::{BoxError, Connection};

const NAME: HeaderName = HeaderName::from_static("lambda-extension-name");
const IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");
const REGISTER: &str = "/2020-01-01/extension/register";
const NEXT: &str = "/2020-01-01/extension/event/next";

/// Something that is told of the end of its process, as long as it lives.
pub(super) struct Farewell {
    terminate: Signal,
    /// The extension's question for its next event, which never comes.
    _question: JoinSet<()>,
}

impl Farewell {
    /// Registers with the Runtime API at `host:port`. Has to be done before the process says that it is ready.
    pub(super) async fn register(runtime_api: &str) -> Result<Self, BoxError> {
        let terminate = signal(SignalKind::terminate())?;
        let mut connection = Connection::to(runtime_api.parse()?);
        // A name that no other extension of the function has.
        let name = HeaderMap::from_iter([(NAME, HeaderValue::from_static("usher-traces"))]);
        let mut answer = connection
            .send(
                Method::POST,
                REGISTER,
                &name,
                Bytes::from_static(br#"{"events":[]}"#),
            )
            .await?;
        if !answer.status().is_success() {
            return Err(format!("the Runtime API answered {}", answer.status()).into());
        }
        let identifier = answer
            .headers_mut()
            .remove(IDENTIFIER)
            .ok_or("the Runtime API gave no identifier")?;
        answer.into_body().collect().await?;
        let identifier = HeaderMap::from_iter([(IDENTIFIER, identifier)]);
        let mut question = JoinSet::new();
        question.spawn(async move {
            if let Err(error) = connection
                .send(Method::GET, NEXT, &identifier, Bytes::new())
                .await
            {
                tracing::debug!(error, "the extension that waits for the end");
            }
        });
        Ok(Self {
            terminate,
            _question: question,
        })
    }

    /// Waits for the end.
    pub(super) async fn told(&mut self) {
        self.terminate.recv().await;
    }
}
