//! The result of a run, as text, as JSON and as metrics. Pure.

mod explain;
mod json;
mod metrics;
mod text;

pub(crate) use explain::explain;
pub(crate) use json::json;
pub(crate) use metrics::metrics;
pub(crate) use text::text;

use crate::check::Check;

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Report {
    /// Environment prefix.
    pub env: String,
    /// Whether the run was declared to be over.
    pub over: bool,
    /// How often everything was read: 2 if the first pass over a running system found something.
    pub passes: u32,
    /// When the run began, ms since 1970 by this machine's clock.
    pub began_ms: u64,
    /// Its duration, ms; the pause between the passes included.
    pub took_ms: u64,
    /// The checks, in the order of their numbers.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether no check found a discrepancy.
    pub(crate) fn is_clean(&self) -> bool {
        self.checks.iter().all(|check| check.findings.is_empty())
    }
}

#[cfg(test)]
mod tests;
