//! The cache state of this process, shared by its requests and its follower.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::freshness::DualInstant;
use super::rules::{ChangeFeed, Rules};
use crate::message::ProgramChanged;

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

    /// See [`Rules::begin`].
    pub fn begin(&self, at: DualInstant) {
        self.rules().begin(at);
    }

    /// See [`Rules::apply`].
    pub fn apply(&self, changes: impl IntoIterator<Item = ProgramChanged>, at: DualInstant) {
        self.rules().apply(changes, at);
    }

    /// See [`Rules::apply_partial`].
    pub fn apply_partial(&self, changes: impl IntoIterator<Item = ProgramChanged>) {
        self.rules().apply_partial(changes);
    }

    /// See [`Rules::fail`].
    pub fn fail(&self) {
        self.rules().fail();
    }

    /// See [`Rules::raise`].
    pub fn raise(&self, change: ProgramChanged) {
        self.rules().raise(change);
    }

    /// See [`Rules::is_fresh`].
    pub fn is_fresh(&self) -> bool {
        self.rules().is_fresh(DualInstant::now())
    }
}
