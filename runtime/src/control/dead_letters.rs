//! Counts of dead letters for the page, cached: one request at a time counts them.

use std::time::{Duration, Instant};

use futures::future::join;
use tokio::sync::Mutex;

use crate::parked::{self, DeadLetterStores, SearchedStores, StoreCount};
use crate::sources;
use sam_template::model::Application;

/// Maximum age of the counts.
const COUNTS_MAX_AGE: Duration = Duration::from_secs(4);

/// Maximum age of a search for stores, such as a scan of a whole Redis.
const SEARCH_MAX_AGE: Duration = Duration::from_secs(60);

/// The cached counts.
#[derive(Debug)]
pub(super) struct DeadLetterCounts {
    stores: DeadLetterStores,
    cached: Mutex<Cached>,
}

#[derive(Debug, Default)]
struct Cached {
    counts: Option<(Instant, Vec<StoreCount>)>,
    searched: Option<(Instant, SearchedStores)>,
}

impl DeadLetterCounts {
    pub(super) fn of(app: &Application) -> Self {
        Self {
            stores: sources::dead_letter_stores(app),
            cached: Mutex::default(),
        }
    }

    /// The number of dead letters in each store.
    pub(super) async fn get(&self) -> Vec<StoreCount> {
        let mut cached = self.cached.lock().await;
        if let Some((at, counts)) = &cached.counts
            && at.elapsed() < COUNTS_MAX_AGE
        {
            return counts.clone();
        }
        let recent = cached.searched.take();
        let recent = recent.filter(|(at, _)| at.elapsed() < SEARCH_MAX_AGE);
        let (searched_at, searched) = match recent {
            Some(recent) => recent,
            None => (Instant::now(), self.stores.search().await),
        };
        let (mut counts, mut found) = join(
            parked::counted(&self.stores.stores),
            parked::counted(&searched.stores),
        )
        .await;
        found.extend(searched.failed.iter().cloned());
        // after a failure the next counts search again, with a new connection
        if found.iter().all(|store| store.problem.is_none()) {
            cached.searched = Some((searched_at, searched));
        }
        counts.extend(found);
        cached.counts = Some((Instant::now(), counts.clone()));
        counts
    }
}
