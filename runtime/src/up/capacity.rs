//! Divides the host's limit of open files between connections and processes.

use super::options::HostOptions;
use crate::descriptors::{self, Needs};
use crate::instances::PoolOptions;
use crate::listener::budget::ConnectionBudget;
use sam_template::model::Application;

/// Bytes of request bodies that the HTTP APIs and the Invoke API hold at one time.
const PUBLIC_BODY_BYTES: usize = 64 * 1024 * 1024;
/// The same for the control port.
const CONTROL_BODY_BYTES: usize = 1024 * 1024;
/// The limit that is assumed where the system reports none.
const DEFAULT_LIMIT: u64 = 1024;

/// What this host may open.
#[derive(Debug)]
pub(super) struct Capacity {
    /// Of the HTTP APIs and the Invoke API together.
    pub(super) public: ConnectionBudget,
    /// Of the control port.
    pub(super) control: ConnectionBudget,
    processes: usize,
}

impl Capacity {
    /// Divides the limit of this process; warns where the application may need more.
    pub(super) fn of(app: &Application, options: &HostOptions) -> Self {
        let needs = Needs::of(app, options.pool.default_concurrency);
        let plan = descriptors::plan(descriptors::allowed().unwrap_or(DEFAULT_LIMIT), &needs);
        if (plan.processes as u64) < needs.processes {
            tracing::warn!(
                "{} open files allow {} of {} processes, and {} connections; events and requests \
                 above that are throttled. Raise the hard limit to {} (ulimit -Hn), or lower \
                 concurrency",
                plan.limit,
                plan.processes,
                needs.processes,
                plan.connections,
                needs.sufficient_limit()
            );
        }
        Self {
            public: ConnectionBudget::new("API", plan.connections, PUBLIC_BODY_BYTES),
            control: ConnectionBudget::new("control", plan.control, CONTROL_BODY_BYTES),
            processes: plan.processes,
        }
    }

    /// The pool's options, within this capacity.
    pub(super) fn pool(&self, options: &PoolOptions) -> PoolOptions {
        PoolOptions {
            processes: options.processes.min(self.processes),
            ..options.clone()
        }
    }
}
