//! Dead letters of an application's event sources: where they are, what they contain, and their
//! replay to the source.
//!
//! `stores` lists the queues, topics and streams that hold dead letters. `route` derives the source
//! of a dead letter in a queue (pure). `queue`, `topic` and `streams` (Redis) list and replay the
//! dead letters of one store. `records` reads records again that a failure record only refers to;
//! `failure_document` extracts a record from the document in an on-failure topic;
//! `partition_progress` is what a topic's consumer group remembers of a replay (pure).
//!
//! Guarantees:
//! - A dead letter is deleted, or a topic's progress committed, only after the source has accepted
//!   it. A crash in between replays it twice; a FIFO queue deduplicates for five minutes.
//! - A dead letter that cannot be replayed stays, with its reason, and blocks no other.
//! - A replay handles at most as many dead letters as the limit.
//! - Servers, topics and queues come from the template, never from a dead letter.

mod failure_document;
mod partition_progress;
mod queue;
mod records;
mod route;
mod store_list;
mod stores;
mod streams;
mod topic;

use sam_template::model::Application;
use serde::Serialize;

use crate::client::InvokeClient;
use crate::sources::sqs::Sqs;
pub use route::{RecordRange, ReturnRoute, reason, route};
pub use store_list::StoreList;
pub use stores::{DeadLetterStore, EventOrigin, QueueSources, StoreKind, stores};
use streams::Streams;

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
    fn new(store: String, from: String, counted: Result<u64, String>) -> Self {
        let (count, problem) = counted.map_or_else(|why| (0, Some(why)), |count| (count, None));
        Self {
            store,
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

/// Names of the dead-letter streams in the application's Redis; empty without a Redis. Scans all
/// keys of the database.
///
/// # Errors
/// Redis does not respond, or the scan exceeds its time limit.
pub async fn streams(app: &Application) -> Result<Vec<String>, String> {
    match &app.redis_endpoint {
        Some(url) => Streams::at(url).await?.found().await,
        None => Ok(Vec::new()),
    }
}

/// Counts every store of the template and these streams.
pub async fn counted(app: &Application, streams: &Result<Vec<String>, String>) -> Vec<StoreCount> {
    let mut all = Vec::new();
    for store in stores(app) {
        let count = match &store.kind {
            StoreKind::Queue(_) => count_queue(app, &store.name).await,
            StoreKind::Topic { mapping, .. } => topic::count(mapping, &store.name).await,
            // the template names no streams
            StoreKind::Stream { .. } => continue,
        };
        let from = store.from();
        all.push(StoreCount::new(store.name, from, count));
    }
    let streams = match streams {
        Ok(streams) => count_streams(app, streams).await,
        Err(why) => Err(why.clone()),
    };
    let failed = |why| StoreCount::new("streams".to_owned(), "Redis Streams".to_owned(), Err(why));
    all.extend(streams.unwrap_or_else(|why| vec![failed(why)]));
    all
}

async fn count_streams(app: &Application, streams: &[String]) -> Result<Vec<StoreCount>, String> {
    let Some(url) = app.redis_endpoint.as_ref().filter(|_| !streams.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut redis = Streams::at(url).await?;
    let mut all = Vec::new();
    for dead in streams {
        let count = redis.count(dead).await?;
        let from = format!("stream {}", streams::source(dead));
        all.push(StoreCount::new(dead.clone(), from, Ok(count)));
    }
    Ok(all)
}

/// The dead-letter stream of this name, if Redis has it.
///
/// # Errors
/// Redis does not respond.
pub async fn stream(app: &Application, name: &str) -> Result<Option<DeadLetterStore>, String> {
    let Some(url) = &app.redis_endpoint else {
        return Ok(None);
    };
    let exists = Streams::at(url).await?.has(name).await?;
    Ok(exists.then(|| DeadLetterStore {
        name: name.to_owned(),
        kind: StoreKind::Stream { url: url.clone() },
    }))
}

async fn count_queue(app: &Application, name: &str) -> Result<u64, String> {
    let count = sqs(app)?.count(name).await;
    count.map_err(|error| error.to_string())
}

/// Reads the oldest dead letters of a store and leaves them there.
///
/// # Errors
/// The store cannot be read.
pub async fn peek(
    app: &Application,
    store: &DeadLetterStore,
    limit: usize,
) -> Result<Vec<DeadLetterView>, String> {
    let name = &store.name;
    match &store.kind {
        StoreKind::Queue(sources) => queue::peek(&sqs(app)?, name, sources, limit).await,
        StoreKind::Topic { mapping, back_to } => topic::peek(mapping, name, back_to, limit).await,
        StoreKind::Stream { url } => Streams::at(url).await?.peek(name, limit).await,
    }
}

/// Replays at most `limit` dead letters to their source. `host`: the running host, which accepts
/// asynchronous events.
///
/// # Errors
/// The store cannot be read. What was replayed before the error stays replayed.
pub async fn replay(
    app: &Application,
    store: &DeadLetterStore,
    limit: usize,
    host: Option<&InvokeClient>,
) -> Result<ReplaySummary, String> {
    let name = &store.name;
    match &store.kind {
        StoreKind::Queue(sources) => queue::replay(&sqs(app)?, name, sources, limit, host).await,
        StoreKind::Topic { mapping, back_to } => topic::replay(mapping, name, back_to, limit).await,
        StoreKind::Stream { url } => Streams::at(url).await?.replay(name, limit).await,
    }
}

fn sqs(app: &Application) -> Result<Sqs, String> {
    Sqs::of(app).ok_or_else(|| {
        "no SQS endpoint is set: name one in usher.toml under [endpoints]".to_owned()
    })
}
