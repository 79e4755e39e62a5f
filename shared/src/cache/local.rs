//! The knowledge of this process, shared by its requests and its follower.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::moment::Moment;
use super::rules::{Hearing, Rules};
use crate::message::ProgramChanged;

/// [`Rules`] behind a lock that is never held across a wait.
#[derive(Debug)]
pub struct Local(Mutex<Rules>);

impl Local {
    pub(super) fn new(hearing: Hearing) -> Self {
        Self(Mutex::new(Rules::new(hearing)))
    }

    pub(super) fn rules(&self) -> MutexGuard<'_, Rules> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reader's position is fixed, or fixed anew after a gap, by a read that began at `at`.
    pub fn begin(&self, at: Moment) {
        self.rules().begin(at);
    }

    /// A read that began at `at` brought these changes.
    pub fn hear(&self, changes: impl IntoIterator<Item = ProgramChanged>, at: Moment) {
        self.rules().hear(changes, at);
    }

    /// A read brought these changes, and more are left.
    pub fn hear_in_part(&self, changes: impl IntoIterator<Item = ProgramChanged>) {
        self.rules().hear_in_part(changes);
    }

    /// A read failed.
    pub fn fail(&self) {
        self.rules().fail();
    }

    /// A change that this process made, or knows of otherwise.
    pub fn raise(&self, change: ProgramChanged) {
        self.rules().raise(change);
    }

    /// Whether everything published until a moment ago is known.
    pub fn is_fresh(&self) -> bool {
        self.rules().is_fresh(Moment::now())
    }
}
