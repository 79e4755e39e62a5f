//! Mutexes of shared state. A panic in a thread that holds one does not end the others: each change
//! leaves the state valid.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks the mutex.
pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
