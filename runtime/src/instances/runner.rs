//! What the instances of one function share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use super::dispatch::Dispatcher;
use super::logs::FunctionLog;
use super::process_limit::ProcessLimit;
use super::reaper::Reaper;
use crate::clock::epoch_ms;
use crate::invocation::{ConcurrencyLimit, FunctionError};
use crate::observation::{Ended, Failure, FunctionObserver};
use crate::supervision::{Backoff, Component};
use sam_template::model::Function;

/// One function with all that its instances use.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) function: Function,
    pub(super) executable: PathBuf,
    /// An instance idle for so long is stopped.
    pub(super) idle: Duration,
    /// Open files that a process may have; `None`: as many as the host.
    pub(super) open_files: Option<u64>,
    /// Shared by all functions.
    pub(super) processes: Arc<ProcessLimit>,
    /// Stop processes (SIGSTOP) between invocations.
    pub(super) freeze: bool,
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) log: FunctionLog,
    pub(super) observer: FunctionObserver,
    pub(super) counters: Counters,
    pub(super) reaper: Arc<Reaper>,
    /// The supervisors of its processes, as a component of the host.
    pub(super) part: Component,
    pub(super) backoff: Mutex<Backoff>,
    /// Notified when an instance ended.
    pub(super) ended: Notify,
}

impl Runner {
    /// The concurrency limit in force.
    pub(super) fn limit(&self) -> ConcurrencyLimit {
        let limit = self.dispatcher.limit();
        let reserved = self
            .function
            .concurrency
            .is_some_and(|reserved| reserved as usize == limit);
        ConcurrencyLimit {
            function: self.function.id.clone(),
            limit,
            reserved,
        }
    }

    /// Reports the end of an invocation to the observer.
    pub(super) fn observe_end(
        &self,
        request_id: &str,
        records: usize,
        duration: Duration,
        init: Option<Duration>,
        error: Option<&FunctionError>,
    ) {
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        self.observer.ended(Ended {
            at_ms: epoch_ms(SystemTime::now()),
            function: String::new(),
            request_id: request_id.to_owned(),
            records,
            duration_ms: ms(duration),
            init_ms: init.map(ms),
            error: error.map(|error| Failure::new(&error.error_type, &error.message)),
        });
    }
}

/// Counts since the host started.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) invocations: Counter,
    pub(super) errors: Counter,
    pub(super) throttles: Counter,
    pub(super) cold_starts: Counter,
}

/// A count that tasks increment.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
