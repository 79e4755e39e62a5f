//! What the host's limit of open files is divided into.

use super::Options;
use crate::connections::places::Places;
use crate::descriptors::{self, Needs};
use crate::instances::PoolOptions;
use crate::model::Application;

/// Bytes of request bodies that the HTTP APIs and the Invoke API hold at one time.
const BODIES: usize = 64 * 1024 * 1024;
/// The same for changes that the control port takes.
const CONTROL_BODIES: usize = 1024 * 1024;
/// Where the system does not say its limit.
const USUAL: u64 = 1024;

/// Room for connections and processes.
#[derive(Debug)]
pub(super) struct Division {
    /// For the HTTP APIs and the Invoke API together.
    pub(super) public: Places,
    /// For the control port alone.
    pub(super) control: Places,
    processes: usize,
}

impl Division {
    /// Divides the limit that this process has now; warns where the application may need more.
    pub(super) fn of(app: &Application, options: &Options) -> Self {
        let needs = Needs::of(app, options.pool.default_concurrency);
        let plan = descriptors::plan(descriptors::allowed().unwrap_or(USUAL), &needs);
        if (plan.processes as u64) < needs.processes {
            tracing::warn!(
                "{} open files allow {} of {} processes, and {} connections: what is beyond is throttled. Raise the hard limit to {} \
                 (ulimit -Hn), or lower concurrency",
                plan.limit,
                plan.processes,
                needs.processes,
                plan.connections,
                needs.wanted()
            );
        }
        Self {
            public: Places::new("API", plan.connections, BODIES),
            control: Places::new("control", plan.control, CONTROL_BODIES),
            processes: plan.processes,
        }
    }

    /// The pool's limits, within this division.
    pub(super) fn pool(&self, options: &PoolOptions) -> PoolOptions {
        PoolOptions {
            processes: options.processes.min(self.processes),
            ..options.clone()
        }
    }
}
