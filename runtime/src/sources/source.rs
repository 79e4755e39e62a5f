//! One opened source of events, and how the host runs it.

use std::num::NonZeroUsize;

use futures::future::BoxFuture;
use tokio::sync::watch;

use super::error::{PositionError, SourceError};
use super::position::PositionChange;
use super::status::SourceStatus;
use crate::supervision::DrainStage;
use crate::tuning::SourceSettings;

/// A source of events that was opened: it reads from somewhere and invokes functions.
///
/// The host runs it as a component ([`crate::supervision`]): [`EventSource::run`] is called again
/// after an error or a panic, and continues with what the run before had not finished. No two runs
/// overlap.
pub trait EventSource: Send + Sync {
    /// Name of the component, such as `mapping Worker.Orders`. Unique in the host.
    fn component(&self) -> String;

    /// The id by which [`EventSource::tune`] and [`EventSource::change_position`] are called: the
    /// logical id of a mapping. `None`: the source has neither settings nor positions.
    fn id(&self) -> Option<&str> {
        None
    }

    /// Reads and invokes until `stopping` turns true or its sender is dropped, then finishes what
    /// is in flight within the host's drain time, and gives back or keeps the rest.
    ///
    /// # Errors
    /// Why this run ended, or could not drain.
    fn run(&self, stopping: watch::Receiver<bool>) -> BoxFuture<'static, Result<(), SourceError>>;

    /// When the source drains.
    fn drain(&self) -> DrainStage;

    /// Snapshots for status, metrics and health.
    fn status(&self) -> Vec<SourceStatus>;

    /// Applies settings that an operator changed; they apply to later runs as well. A source without
    /// settings ignores them.
    fn tune(&self, settings: &SourceSettings) {
        let _ = settings;
    }

    /// The instances of `function` are limited to `limit`. A source that is not this function's
    /// ignores it; so does one whose [`SourceSettings::concurrency`] has the limit already.
    fn limit(&self, function: &str, limit: NonZeroUsize) {
        let _ = (function, limit);
    }

    /// Moves the position from which the source reads. Returns what became of it.
    ///
    /// # Errors
    /// The source has no positions, or why nothing changed.
    fn change_position(
        &self,
        change: PositionChange,
    ) -> BoxFuture<'_, Result<String, PositionError>> {
        Box::pin(async move { Err(PositionError::NoPositions(change.mapping)) })
    }
}
