//! Dead letters of an application's event sources: where they are, what they contain, and their
//! replay to the source.
//!
//! Each kind of source adds the places where its dead letters are left to a [`StoreList`]: a
//! [`DeadLetterStore`] of its own, or a [`QueueOrigin`] for a queue that several kinds share. Here
//! stand the stores that belong to no single kind: `queue`, with `route`, which derives the source
//! of a message (pure), and `streams` (Redis), whose names no template contains ([`StoreSearch`]).
//!
//! Guarantees:
//! - A dead letter is deleted, or the progress of its store committed, only after the source has
//!   accepted it. A crash in between replays it twice; a FIFO queue deduplicates for five minutes.
//! - A dead letter that cannot be replayed stays, with its reason, and blocks no other.
//! - A replay handles at most as many dead letters as the limit.
//! - Servers, topics and queues come from the template, never from a dead letter.

mod queue;
mod route;
mod stores;
mod streams;

use std::fmt;
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use serde::Serialize;

use crate::client::InvokeClient;
pub use route::{QueueOrigin, SourceReturn, reason};
pub use stores::{DeadLetterStores, SearchedStores, StoreList};

/// Why a store cannot be read, or a dead letter not be replayed. Each kind of source has errors of
/// its own, which are shown to the operator and not matched.
pub type DeadLetterError = Box<dyn std::error::Error + Send + Sync>;

/// A place that holds dead letters.
pub trait DeadLetterStore: fmt::Debug + Send + Sync {
    /// Its name, as the command line takes it.
    fn name(&self) -> &str;

    /// The sources whose dead letters it holds, as text.
    fn sources(&self) -> String;

    /// Logical ids of the functions to which it replays events through the running host.
    fn functions(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The number of its dead letters, or an estimate.
    ///
    /// # Errors
    /// The store cannot be read.
    fn count(&self) -> BoxFuture<'_, Result<u64, DeadLetterError>>;

    /// Reads the oldest dead letters, at most `limit`, and leaves them there.
    ///
    /// # Errors
    /// The store cannot be read.
    fn peek(&self, limit: usize) -> BoxFuture<'_, Result<Vec<DeadLetterView>, DeadLetterError>>;

    /// Replays at most `limit` dead letters to their source. `host`: the running host, which
    /// accepts asynchronous events.
    ///
    /// # Errors
    /// The store cannot be read. What was replayed before the error stays replayed.
    fn replay<'a>(
        &'a self,
        limit: usize,
        host: Option<&'a InvokeClient>,
    ) -> BoxFuture<'a, Result<ReplaySummary, DeadLetterError>>;
}

/// Finds stores that the template does not name.
pub trait StoreSearch: fmt::Debug + Send + Sync {
    /// What takes the place of the stores if they cannot be found, such as `streams`.
    fn name(&self) -> &'static str;

    /// What takes the place of their sources then.
    fn sources(&self) -> &'static str;

    /// All of them. May be slow.
    ///
    /// # Errors
    /// The server does not respond, or the search exceeds its time limit.
    fn all(&self) -> BoxFuture<'_, Result<Vec<Arc<dyn DeadLetterStore>>, DeadLetterError>>;

    /// The one of this name, if there is one.
    ///
    /// # Errors
    /// The server does not respond.
    fn named<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<dyn DeadLetterStore>>, DeadLetterError>>;
}

/// The number of dead letters in a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoreCount {
    /// Name of the queue, topic or stream, as the command line takes it.
    #[serde(rename = "place")]
    pub store: String,
    /// The sources whose dead letters it holds.
    pub from: String,
    /// An estimate, as queues report it.
    pub count: u64,
    /// Why counting failed.
    pub problem: Option<String>,
}

impl StoreCount {
    fn new(store: &str, from: String, counted: Result<u64, DeadLetterError>) -> Self {
        let (count, problem) =
            counted.map_or_else(|why| (0, Some(why.to_string())), |count| (count, None));
        Self {
            store: store.to_owned(),
            from,
            count,
            problem,
        }
    }
}

/// A dead letter, as the command line shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterView {
    /// Message id, or partition and offset.
    pub id: String,
    /// When it was sent, milliseconds since 1970.
    pub sent_ms: Option<u64>,
    /// Why it was parked or discarded, if it contains that.
    pub reason: String,
    /// Where a replay sends it, or why a replay is not possible.
    pub back_to: String,
    /// The message, record or entry.
    pub body: String,
}

/// The result of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplaySummary {
    /// Dead letters that their source accepted.
    pub dead_letters: u64,
    /// Records that the sources accepted; a failure record may refer to several.
    pub records: u64,
    /// Dead letters that stay, each with its reason.
    pub stayed: Vec<String>,
}

/// Counts these stores, all at the same time.
pub async fn counted(
    stores: impl IntoIterator<Item = &Arc<dyn DeadLetterStore>>,
) -> Vec<StoreCount> {
    let count = async |store: &Arc<dyn DeadLetterStore>| {
        StoreCount::new(store.name(), store.sources(), store.count().await)
    };
    join_all(stores.into_iter().map(count)).await
}
