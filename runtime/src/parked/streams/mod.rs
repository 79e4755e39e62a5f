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
use sam_template::model::RedisEndpoint;

/// Suffix of a dead-letter stream.
const DEAD: &str = "-dead";

/// Finds the dead-letter streams of a Redis.
#[derive(Debug)]
pub(super) struct StreamSearch {
    endpoint: RedisEndpoint,
}

impl StreamSearch {
    pub(super) fn at(redis: &RedisEndpoint) -> Self {
        let endpoint = redis.clone();
        Self { endpoint }
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
            let redis = Streams::at(&self.endpoint)?;
            let found = redis.found().await?;
            let stores = found.into_iter().map(|name| store(&redis, name));
            Ok(stores.collect())
        }
        .boxed()
    }

    fn named<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<dyn DeadLetterStore>>, DeadLetterError>> {
        async move {
            let redis = Streams::at(&self.endpoint)?;
            let exists = redis.has(name).await?;
            Ok(exists.then(|| store(&redis, name.to_owned())))
        }
        .boxed()
    }
}

fn store(redis: &Streams, name: String) -> Arc<dyn DeadLetterStore> {
    let redis = redis.clone();
    Arc::new(StreamStore { redis, name })
}

/// A stream that holds the entries that the consumer groups of another stream parked.
#[derive(Debug)]
struct StreamStore {
    /// The connection that found it: many streams of a Redis share one.
    redis: Streams,
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
        async { Ok(self.redis.count(&self.name).await?) }.boxed()
    }

    fn peek(&self, limit: usize) -> BoxFuture<'_, Result<Vec<DeadLetterView>, DeadLetterError>> {
        async move { Ok(self.redis.peek(&self.name, limit).await?) }.boxed()
    }

    fn replay<'a>(
        &'a self,
        limit: usize,
        _host: Option<&'a InvokeClient>,
    ) -> BoxFuture<'a, Result<ReplaySummary, DeadLetterError>> {
        async move { Ok(self.redis.replay(&self.name, limit).await?) }.boxed()
    }
}
