//! Counts of dead letters for the page, cached: one request at a time counts them.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::parked::{self, StoreCount};
use sam_template::model::Application;

/// Maximum age of the counts.
const COUNTS_MAX_AGE: Duration = Duration::from_secs(4);

/// Maximum age of the list of streams, which takes a scan of the whole Redis.
const STREAMS_MAX_AGE: Duration = Duration::from_secs(60);

/// The cached counts.
#[derive(Debug, Default)]
pub(super) struct DeadLetterCounts(Mutex<Cached>);

#[derive(Debug, Default)]
struct Cached {
    counts: Option<(Instant, Vec<StoreCount>)>,
    streams: Option<(Instant, Result<Vec<String>, String>)>,
}

impl DeadLetterCounts {
    /// The number of dead letters in each queue, topic and stream.
    pub(super) async fn get(&self, app: &Application) -> Vec<StoreCount> {
        let mut cached = self.0.lock().await;
        if let Some((at, counts)) = &cached.counts
            && at.elapsed() < COUNTS_MAX_AGE
        {
            return counts.clone();
        }
        // a Redis that was unavailable is tried again soon
        let max_age = |streams: &Result<_, _>| match streams {
            Ok(_) => STREAMS_MAX_AGE,
            Err(_) => COUNTS_MAX_AGE,
        };
        let streams = match cached
            .streams
            .take()
            .filter(|(at, streams)| at.elapsed() < max_age(streams))
        {
            Some(recent) => recent,
            None => (Instant::now(), parked::streams(app).await),
        };
        let counts = parked::counted(app, &streams.1).await;
        cached.streams = Some(streams);
        cached.counts = Some((Instant::now(), counts.clone()));
        counts
    }
}
