//! Counts of dead letters for the page. One request at a time counts; the others get its result.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::model::Application;
use crate::parked::{self, Counted};

/// How long counts are reused.
const COUNTS_TTL: Duration = Duration::from_secs(4);

/// How long the list of streams is reused: finding them scans a whole Redis.
const STREAMS_TTL: Duration = Duration::from_secs(60);

/// The last counts, with their age.
#[derive(Debug, Default)]
pub(super) struct DeadLetterCounts(Mutex<Cached>);

#[derive(Debug, Default)]
struct Cached {
    counted: Option<(Instant, Vec<Counted>)>,
    streams: Option<(Instant, Result<Vec<String>, String>)>,
}

impl DeadLetterCounts {
    /// Every store of dead letters with its count.
    pub(super) async fn counted(&self, app: &Application) -> Vec<Counted> {
        let mut cached = self.0.lock().await;
        if let Some((at, counted)) = &cached.counted
            && at.elapsed() < COUNTS_TTL
        {
            return counted.clone();
        }
        // a Redis that did not answer may be back soon
        let ttl = |streams: &Result<_, _>| {
            if streams.is_ok() {
                STREAMS_TTL
            } else {
                COUNTS_TTL
            }
        };
        let streams = match cached
            .streams
            .take()
            .filter(|(at, streams)| at.elapsed() < ttl(streams))
        {
            Some(known) => known,
            None => (Instant::now(), parked::streams(app).await),
        };
        let counted = parked::counted(app, &streams.1).await;
        cached.streams = Some(streams);
        cached.counted = Some((Instant::now(), counted.clone()));
        counted
    }
}
