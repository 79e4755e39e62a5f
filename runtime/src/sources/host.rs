//! What a host gives its sources.

use std::path::Path;
use std::time::Duration;

use sam_template::model::Application;

use super::asynchronous::{AsyncDriver, AsyncQueue, AsyncSettings};
use super::error::SourceError;
use crate::instances::arn;
use crate::invocation::Invoker;
use crate::supervision::ComponentRegistry;

/// What a host gives its sources.
pub struct SourceHost<'a> {
    /// The application.
    pub app: &'a Application,
    /// Runs its functions.
    pub invoker: Invoker,
    /// The asynchronous events of this host ([`open_events`]).
    pub events: AsyncDriver,
    /// The host's registry of components.
    pub parts: ComponentRegistry,
    /// The host's state folder. What a source writes there survives a restart of the host.
    pub state: &'a Path,
    /// Identifies this host, also after a restart.
    pub host_id: &'a str,
    /// Time limit of a drain.
    pub drain: Duration,
    /// Invocations at one time at most of a function that reserves no concurrency.
    pub concurrency: usize,
    /// Batching windows and retry delays of the service instead of the shortest ones.
    pub aws_timing: bool,
    /// False: schedules are left to another host.
    pub schedules: bool,
}

impl SourceHost<'_> {
    /// Invocations of a function at one time at most.
    pub fn concurrency(&self, function: &str) -> usize {
        let function = self.app.functions.get(function);
        let reserved = function.and_then(|function| function.concurrency);
        reserved.map_or(self.concurrency, |limit| limit as usize)
    }

    /// Timeout of a function; zero if there is no such function.
    pub fn timeout(&self, function: &str) -> Duration {
        let function = self.app.functions.get(function);
        function.map_or(Duration::ZERO, |function| function.timeout)
    }

    /// ARN of a function; empty if there is no such function.
    pub fn arn(&self, function: &str) -> String {
        self.app
            .functions
            .get(function)
            .map(arn)
            .unwrap_or_default()
    }

    /// Accepts asynchronous events.
    pub fn queue(&self) -> AsyncQueue {
        self.events.queue()
    }
}

/// Opens the asynchronous events of a state folder. `concurrency`: of a function that reserves none.
///
/// # Errors
/// The folder cannot be used, or another host uses it.
pub fn open_events(
    app: &Application,
    folder: &Path,
    concurrency: usize,
    aws_timing: bool,
) -> Result<AsyncDriver, SourceError> {
    let settings = AsyncSettings::of(app, concurrency, aws_timing);
    let opened = super::asynchronous::open(folder, &settings);
    let (_, driver) = opened.map_err(SourceError::not_prepared)?;
    Ok(driver)
}
