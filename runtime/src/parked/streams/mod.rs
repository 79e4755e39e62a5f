//! Dead letters of Redis Streams: the stream `X-dead` holds the entries that the consumer groups of
//! the stream `X` parked. `client` reads and replays them, `entry` is one of them.

mod client;
mod entry;

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{DeadLetterError, DeadLetterStore, DeadLetterView, ReplaySummary, StoreSearch};
use crate::client::InvokeClient;
use client::Streams;
use entry::source;

/// Suffix of a dead-letter stream.
const DEAD: &str = "-dead";

/// Finds the dead-letter streams of a Redis.
#[derive(Debug)]
pub(super) struct StreamSearch {
    url: String,
}

impl StreamSearch {
    pub(super) fn at(url: &str) -> Self {
        let url = url.to_owned();
        Self { url }
    }

    fn store(&self, name: String) -> Arc<dyn DeadLetterStore> {
        let url = self.url.clone();
        Arc::new(StreamStore { url, name })
    }
}

impl StoreSearch for StreamSearch {
    fn name(&self) -> &'static str {
        "streams"
    }

    fn sources(&self) -> &'static str {
        "Redis Streams"
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<Arc<dyn DeadLetterStore>>, DeadLetterError>> {
        async {
            let found = Streams::at(&self.url).await?.found().await?;
            Ok(found.into_iter().map(|name| self.store(name)).collect())
        }
        .boxed()
    }

    fn named<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<dyn DeadLetterStore>>, DeadLetterError>> {
        async move {
            let exists = Streams::at(&self.url).await?.has(name).await?;
            Ok(exists.then(|| self.store(name.to_owned())))
        }
        .boxed()
    }
}

/// A stream that holds the entries that the consumer groups of another stream parked.
#[derive(Debug)]
struct StreamStore {
    url: String,
    name: String,
}

impl DeadLetterStore for StreamStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn sources(&self) -> String {
        format!("stream {}", source(&self.name))
    }

    fn count(&self) -> BoxFuture<'_, Result<u64, DeadLetterError>> {
        async { Ok(Streams::at(&self.url).await?.count(&self.name).await?) }.boxed()
    }

    fn peek(&self, limit: usize) -> BoxFuture<'_, Result<Vec<DeadLetterView>, DeadLetterError>> {
        async move {
            let mut redis = Streams::at(&self.url).await?;
            Ok(redis.peek(&self.name, limit).await?)
        }
        .boxed()
    }

    fn replay<'a>(
        &'a self,
        limit: usize,
        _host: Option<&'a InvokeClient>,
    ) -> BoxFuture<'a, Result<ReplaySummary, DeadLetterError>> {
        async move {
            let mut redis = Streams::at(&self.url).await?;
            Ok(redis.replay(&self.name, limit).await?)
        }
        .boxed()
    }
}
