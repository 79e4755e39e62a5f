//! How a process learns of its end: Lambda, and `usher` as it does, sends SIGTERM, but only where an extension is registered.
//!
//! One inside the process counts; it asks for no events, and so is never called.

use std::error::Error;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::Full;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use super::export::client;

/// Unique among the extensions of a function.
const NAME: &str = "usher-traces";
const IDENTIFIER: &str = "lambda-extension-identifier";

/// Something that is told of the end of its process, as long as it lives.
pub(super) struct Farewell {
    terminate: Signal,
    /// The extension's question for its next event, which never comes.
    _question: JoinSet<()>,
}

impl Farewell {
    /// Registers with the Runtime API at `host:port`. Has to be done before the process says that it is ready.
    pub(super) async fn register(runtime_api: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let terminate = signal(SignalKind::terminate())?;
        let base = format!("http://{runtime_api}/2020-01-01/extension");
        let client = client();
        let request = Request::post(format!("{base}/register")).header("lambda-extension-name", NAME);
        let answer = client.request(request.body(Full::from(r#"{"events":[]}"#))?).await?;
        if !answer.status().is_success() {
            return Err(format!("the Runtime API answered {}", answer.status()).into());
        }
        let identifier = identifier(answer.headers()).ok_or("the Runtime API gave no identifier")?;
        let next = Request::get(format!("{base}/event/next")).header(IDENTIFIER, identifier).body(Full::<Bytes>::default())?;
        let mut question = JoinSet::new();
        question.spawn(async move {
            if let Err(error) = client.request(next).await {
                tracing::debug!(%error, "the extension that waits for the end");
            }
        });
        Ok(Self { terminate, _question: question })
    }

    /// Waits for the end.
    pub(super) async fn told(&mut self) {
        self.terminate.recv().await;
    }
}

fn identifier(headers: &HeaderMap) -> Option<String> {
    headers.get(IDENTIFIER)?.to_str().ok().map(str::to_owned)
}
