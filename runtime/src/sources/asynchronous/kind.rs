//! The asynchronous events of all functions as one source.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sam_template::model::Application;
use tokio::sync::watch;

use super::dead_letters;
use super::driver::AsyncDriver;
use super::stats::AsyncStats;
use crate::invocation::Invoker;
use crate::parked::StoreList;
use crate::sources::error::SourceError;
use crate::sources::host::SourceHost;
use crate::sources::kind::{OpenedSources, PlannedSource, SourceKind};
use crate::sources::source::EventSource;
use crate::sources::status::SourceStatus;
use crate::supervision::DrainStage;

/// Asynchronous events. Every function has some; none is planned by the application.
#[derive(Debug)]
pub struct AsyncSourceKind;

impl SourceKind for AsyncSourceKind {
    fn name(&self) -> &'static str {
        "events"
    }

    fn section(&self) -> &'static str {
        "events"
    }

    fn planned(&self, _: &Application) -> Vec<PlannedSource> {
        Vec::new()
    }

    fn dead_letters(&self, app: &Application, stores: &mut StoreList) {
        dead_letters::add(app, stores);
    }

    fn open<'a>(&'a self, host: &'a SourceHost<'a>) -> BoxFuture<'a, OpenedSources> {
        let source = AsyncEventSource {
            driver: host.events.clone(),
            invoker: host.invoker.clone(),
            drain: host.drain,
        };
        let opened: Vec<Arc<dyn EventSource>> = vec![Arc::new(source)];
        async move { Ok(opened) }.boxed()
    }
}

/// The asynchronous events of all functions.
pub struct AsyncEventSource {
    driver: AsyncDriver,
    invoker: Invoker,
    drain: Duration,
}

impl AsyncEventSource {
    /// Numbers and health of the events of every function.
    pub fn stats(&self) -> Vec<AsyncStats> {
        self.driver.queue().stats()
    }
}

impl EventSource for AsyncEventSource {
    fn component(&self) -> String {
        "asynchronous events".to_owned()
    }

    fn run(&self, stopping: watch::Receiver<bool>) -> BoxFuture<'static, Result<(), SourceError>> {
        let run = self
            .driver
            .clone()
            .run(self.invoker.clone(), stopping, self.drain);
        async move { run.await.map_err(SourceError::ended) }.boxed()
    }

    fn drain(&self) -> DrainStage {
        DrainStage::WithFunctions
    }

    fn status(&self) -> Vec<SourceStatus> {
        self.stats().into_iter().map(SourceStatus::from).collect()
    }

    fn limit(&self, function: &str, limit: NonZeroUsize) {
        self.driver.queue().limit(function, limit);
    }
}
