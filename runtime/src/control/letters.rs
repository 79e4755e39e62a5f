//! Dead letters, counted for whoever looks at the page: one look at a time, and no oftener than anything can have changed.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::model::Application;
use crate::parked::{self, Counted};

/// Counts are this fresh.
const COUNTED: Duration = Duration::from_secs(4);

/// Streams are looked for this often: it means going through a whole Redis.
const FOUND: Duration = Duration::from_secs(60);

/// The last look.
#[derive(Debug, Default)]
pub(super) struct Letters(Mutex<Last>);

#[derive(Debug, Default)]
struct Last {
    counted: Option<(Instant, Vec<Counted>)>,
    streams: Option<(Instant, Result<Vec<String>, String>)>,
}

impl Letters {
    /// Every place with its count.
    pub(super) async fn counted(&self, app: &Application) -> Vec<Counted> {
        let mut last = self.0.lock().await;
        if let Some((at, counted)) = &last.counted
            && at.elapsed() < COUNTED
        {
            return counted.clone();
        }
        // one that was away may be back at once
        let holds = |streams: &Result<_, _>| if streams.is_ok() { FOUND } else { COUNTED };
        let streams = match last
            .streams
            .take()
            .filter(|(at, streams)| at.elapsed() < holds(streams))
        {
            Some(known) => known,
            None => (Instant::now(), parked::streams(app).await),
        };
        let counted = parked::counted(app, &streams.1).await;
        last.streams = Some(streams);
        last.counted = Some((Instant::now(), counted.clone()));
        counted
    }
}
