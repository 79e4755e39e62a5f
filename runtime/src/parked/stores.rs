//! The stores of an application: what its kinds of sources add, and what is searched for.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;

use super::queue::QueueStore;
use super::streams::StreamSearch;
use super::{DeadLetterError, DeadLetterStore, QueueOrigin, StoreCount, StoreSearch};
use crate::sources::sqs::client::Sqs;
use sam_template::model::RedisEndpoint;

/// Collects the places where the sources of an application leave dead letters.
#[derive(Debug, Default)]
pub struct StoreList {
    queues: BTreeMap<String, QueueSources>,
    stores: Vec<Arc<dyn DeadLetterStore>>,
    searches: Vec<Arc<dyn StoreSearch>>,
}

/// The sources whose dead letters a queue receives.
#[derive(Debug, Default)]
pub(super) struct QueueSources {
    /// Queues whose redrive policy targets it.
    pub(super) queues: Vec<String>,
    /// Sources that send failure records to it, one for each kind.
    pub(super) origins: Vec<Box<dyn QueueOrigin>>,
}

impl StoreList {
    /// Adds a store.
    pub fn add(&mut self, store: impl DeadLetterStore + 'static) {
        self.stores.push(Arc::new(store));
    }

    /// The queue `to` receives messages of the queue `from` by a redrive policy.
    pub fn add_redrive(&mut self, from: &str, to: &str) {
        let sources = self.queues.entry(to.to_owned()).or_default();
        sources.queues.push(from.to_owned());
    }

    /// A queue receives failure records, or dead letters, of these sources.
    pub fn add_origin(&mut self, queue: &str, origin: impl QueueOrigin + 'static) {
        let sources = self.queues.entry(queue.to_owned()).or_default();
        sources.origins.push(Box::new(origin));
    }

    /// Adds stores that are found at run time.
    pub fn add_search(&mut self, search: impl StoreSearch + 'static) {
        self.searches.push(Arc::new(search));
    }

    /// Adds the dead-letter streams of a Redis, which are found at run time.
    pub fn add_streams(&mut self, redis: &RedisEndpoint) {
        self.add_search(StreamSearch::at(redis));
    }

    /// `sqs`: the server of the queues.
    pub(crate) fn complete(self, sqs: Option<&Sqs>) -> DeadLetterStores {
        let queue = |(name, sources)| -> Arc<dyn DeadLetterStore> {
            Arc::new(QueueStore::new(name, sources, sqs.cloned()))
        };
        let queues = self.queues.into_iter().map(queue);
        DeadLetterStores {
            stores: queues.chain(self.stores).collect(),
            searches: self.searches,
        }
    }
}

/// The stores of an application.
#[derive(Debug)]
pub struct DeadLetterStores {
    /// Those that the template names: queues, then others.
    pub stores: Vec<Arc<dyn DeadLetterStore>>,
    searches: Vec<Arc<dyn StoreSearch>>,
}

/// The result of the searches.
#[derive(Debug, Default)]
pub struct SearchedStores {
    /// What was found.
    pub stores: Vec<Arc<dyn DeadLetterStore>>,
    /// Takes the place of stores that could not be found.
    pub failed: Vec<StoreCount>,
}

impl DeadLetterStores {
    /// Searches for the stores that the template does not name. May be slow.
    pub async fn search(&self) -> SearchedStores {
        let searched = join_all(self.searches.iter().map(|search| search.all())).await;
        let mut found = SearchedStores::default();
        for (search, result) in self.searches.iter().zip(searched) {
            match result {
                Ok(stores) => found.stores.extend(stores),
                Err(why) => {
                    let sources = search.sources().to_owned();
                    let failed = StoreCount::new(search.name(), sources, Err(why));
                    found.failed.push(failed);
                }
            }
        }
        found
    }

    /// The store of this name.
    ///
    /// # Errors
    /// The template names no such store, and a server that may have one does not respond.
    pub async fn find(
        &self,
        name: &str,
    ) -> Result<Option<Arc<dyn DeadLetterStore>>, DeadLetterError> {
        if let Some(store) = self.stores.iter().find(|store| store.name() == name) {
            return Ok(Some(store.clone()));
        }
        for search in &self.searches {
            if let Some(found) = search.named(name).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
