//! Dead letters of an application's sources: where they are, what they say, and their way back.
//!
//! `places` lists where a source's failures go: queues named in redrive policies, queues and topics named as on-failure
//! destinations or dead-letter queues of asynchronous events. `route` reads one letter and says where it came from (pure). `queue`,
//! `topic` and `streams` (Redis) look at a place and bring its letters back; `records` reads again, from the source topic, what a
//! letter only names; `wrapped` takes a record out of a document.
//!
//! Each letter is brought back by itself: one that cannot be stays with its reason, and keeps no other back (`progress` remembers which
//! stay in a topic).
//!
//! Promises: a letter is deleted, or a topic's progress committed, only after the source has taken it, so nothing is lost and a crash in between
//! brings it twice (a FIFO queue recognises it for five minutes); never more than the limit; servers are those of the template, whatever a
//! letter says.

mod places;
mod progress;
mod queue;
mod records;
mod route;
mod streams;
mod topic;
mod wrapped;

use serde::Serialize;

use crate::client::InvokeClient;
use crate::model::Application;
use crate::sqs::Sqs;
pub use places::{Origin, Place, Store, places};
pub use route::{Range, Route, reason, route};
use streams::Streams;

/// A place, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Its name: what the command line calls it.
    pub place: String,
    /// Whose failures go there.
    pub from: String,
    /// Letters there, about.
    pub count: u64,
    /// Why they cannot be counted.
    pub problem: Option<String>,
}

/// A letter, as a person sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Message id, or partition and offset.
    pub id: String,
    /// When it was sent, milliseconds since 1970.
    pub sent_ms: Option<u64>,
    /// Why it is there, as far as it says.
    pub reason: String,
    /// Where a replay would bring it, or why it cannot.
    pub back_to: String,
    /// What it says.
    pub body: String,
}

/// What a replay came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Letters that are back at their source, and gone from here.
    pub letters: u64,
    /// Records that this made, where a letter names several.
    pub records: u64,
    /// Those that stay, each with the reason.
    pub stayed: Vec<String>,
}

/// Streams of dead letters in the application's Redis, by name; none where it has none. Looks through the whole database, so ask
/// seldom.
///
/// # Errors
/// It cannot be asked, or takes too long.
pub async fn streams(app: &Application) -> Result<Vec<String>, String> {
    match &app.redis_endpoint {
        Some(url) => Streams::at(url).await?.found().await,
        None => Ok(Vec::new()),
    }
}

/// Every place of the template, and these streams, with its count.
pub async fn counted(app: &Application, streams: &Result<Vec<String>, String>) -> Vec<Counted> {
    let mut all = Vec::new();
    for place in places(app) {
        let count = match &place.store {
            Store::Queue { .. } => count_queue(app, &place).await,
            Store::Topic { mapping, .. } => topic::count(mapping, &place.name).await,
            // not the template's
            Store::Stream { .. } => continue,
        };
        let (count, problem) = count.map_or_else(|why| (0, Some(why)), |count| (count, None));
        all.push(Counted {
            from: place.from(),
            place: place.name,
            count,
            problem,
        });
    }
    let streams = match streams {
        Ok(streams) => count_streams(app, streams).await,
        Err(why) => Err(why.clone()),
    };
    all.extend(streams.unwrap_or_else(|why| {
        vec![Counted {
            place: "streams".to_owned(),
            from: "Redis Streams".to_owned(),
            count: 0,
            problem: Some(why),
        }]
    }));
    all
}

async fn count_streams(app: &Application, streams: &[String]) -> Result<Vec<Counted>, String> {
    let Some(url) = app.redis_endpoint.as_ref().filter(|_| !streams.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut redis = Streams::at(url).await?;
    let mut all = Vec::new();
    for dead in streams {
        let count = redis.count(dead).await?;
        all.push(Counted {
            from: format!("stream {}", streams::source(dead)),
            place: dead.clone(),
            count,
            problem: None,
        });
    }
    Ok(all)
}

/// The stream of dead letters of this name, if there is one.
///
/// # Errors
/// Redis cannot be asked.
pub async fn stream(app: &Application, name: &str) -> Result<Option<Place>, String> {
    let Some(url) = &app.redis_endpoint else {
        return Ok(None);
    };
    let there = Streams::at(url).await?.has(name).await?;
    Ok(there.then(|| Place {
        name: name.to_owned(),
        store: Store::Stream { url: url.clone() },
    }))
}

async fn count_queue(app: &Application, place: &Place) -> Result<u64, String> {
    sqs(app)?
        .count(&place.name)
        .await
        .map_err(|error| error.to_string())
}

/// The first letters of a place; all of them stay.
///
/// # Errors
/// The place cannot be read.
pub async fn peek(app: &Application, place: &Place, limit: usize) -> Result<Vec<Seen>, String> {
    match &place.store {
        Store::Queue { .. } => queue::peek(&sqs(app)?, place, limit).await,
        Store::Topic { mapping, back_to } => {
            topic::peek(mapping, &place.name, back_to, limit).await
        }
        Store::Stream { url } => Streams::at(url).await?.peek(&place.name, limit).await,
    }
}

/// Brings at most `limit` letters back to their source. `host`: the running one, which takes events over.
///
/// # Errors
/// The place cannot be read; what came back until then is back.
pub async fn replay(
    app: &Application,
    place: &Place,
    limit: usize,
    host: Option<&InvokeClient>,
) -> Result<Replayed, String> {
    match &place.store {
        Store::Queue { .. } => queue::replay(&sqs(app)?, place, limit, host).await,
        Store::Topic { mapping, back_to } => {
            topic::replay(mapping, &place.name, back_to, limit).await
        }
        Store::Stream { url } => Streams::at(url).await?.replay(&place.name, limit).await,
    }
}

fn sqs(app: &Application) -> Result<Sqs, String> {
    Sqs::of(app).ok_or_else(|| {
        "no SQS endpoint is set: name one in usher.toml under [endpoints]".to_owned()
    })
}
