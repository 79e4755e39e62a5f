//! The cache state of this process, shared by its requests and its follower.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::freshness::DualInstant;
use super::rules::{ChangeFeed, Rules};

/// [`Rules`] behind a lock that is never held across an await.
#[derive(Debug)]
pub struct LocalState(Mutex<Rules>);

impl LocalState {
    pub(super) fn new(feed: ChangeFeed) -> Self {
        Self(Mutex::new(Rules::new(feed)))
    }

    pub(super) fn rules(&self) -> MutexGuard<'_, Rules> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`Rules::is_fresh`].
    pub fn is_fresh(&self) -> bool {
        self.rules().is_fresh(DualInstant::now())
    }
}
