//! Queues that the host serves itself, for an application with queues and without an SQS endpoint.
//!
//! The rules are those of the crate [`embedded_sqs`]. A request passes through these files in this
//! order: `handler` reads it and sends the answer; `service` applies it, waits for messages, and
//! answers once `store` has written the changes, if they are kept on disk.
//!
//! - Programs of this machine only can call it, and no page of a browser.
//! - An answered call is on disk, if messages are kept there.

mod error;
mod handler;
mod service;
mod store;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use embedded_sqs::{Location, Queues};
use sam_template::model::{Application, EmbeddedQueues};
use tokio::task::JoinSet;

use self::service::Service;
use self::store::Store;
use crate::listener::{Endpoint, Listener, ListenerClosed};
use crate::supervision::{ComponentRegistry, supervise};

pub use error::QueueFileError;

/// Name of the component in status and logs.
const COMPONENT: &str = "embedded queues";

/// Where the embedded queues of an application listen.
pub fn endpoint(queues: &EmbeddedQueues) -> Endpoint {
    Endpoint {
        address: queues.address,
        purpose: "embedded queues",
        setting: "[embedded-queues] address in usher.toml; or name an SQS server: [endpoints] sqs",
    }
}

/// Embedded queues that answer until this value is dropped.
#[derive(Debug)]
pub struct EmbeddedServer {
    _serving: JoinSet<()>,
    /// `None`: messages are in memory.
    file: Option<PathBuf>,
}

impl EmbeddedServer {
    /// Serves the queues of an application. `folder` holds the file of messages, if they are kept on
    /// disk.
    ///
    /// # Errors
    /// The file that cannot be used.
    pub fn start(
        app: &Application,
        queues: &EmbeddedQueues,
        listener: Listener,
        folder: &Path,
        registry: &ComponentRegistry,
    ) -> Result<Self, QueueFileError> {
        let location = Location {
            url: format!("http://{}", listener.address()),
            region: app.location.region.clone(),
            account: app.location.account.clone(),
        };
        let (state, store, file) = if queues.on_disk {
            let (store, stored) = Store::open(folder)?;
            let file = store::file(folder);
            (Queues::restore(location, stored), store, Some(file))
        } else {
            (Queues::new(location), Store::Memory, None)
        };
        let service = Arc::new(Service::new(state, store));
        let part = registry.component(COMPONENT);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            // never turns true: the queues serve until the functions have ended
            let (_serves, stopping) = tokio::sync::watch::channel(false);
            let run = supervise(part, stopping, move || {
                serve(service.clone(), listener.clone())
            });
            if let Err(error) = run.await {
                tracing::error!("{error}");
            }
        });
        Ok(Self {
            _serving: serving,
            file,
        })
    }

    /// One line for the user of an application with these queues.
    pub fn describe(&self, queues: &EmbeddedQueues) -> String {
        let messages = match &self.file {
            Some(file) => format!("messages are in {}", file.display()),
            None => "messages are in memory and end with this host".to_owned(),
        };
        format!(
            "queues are embedded in this host, for this machine only: {}; {messages}. Another \
             server: [endpoints] sqs in usher.toml",
            queues.url()
        )
    }
}

async fn serve(service: Arc<Service>, listener: Listener) -> Result<(), ListenerClosed> {
    let handle = move |request, connection| handler::handle(service.clone(), request, connection);
    listener.serve_until_dropped(handle).await
}
