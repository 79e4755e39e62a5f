//! What a queue requires of batch size and window: the template's rules, for changes while the host
//! runs. Pure.

use crate::tuning::{BatchRefusal, BatchRule, BatchSettings, Setting};

/// Messages that one receive returns at most, which bounds a batch without a window.
const ONE_RECEIVE: u32 = 10;

#[derive(Debug, thiserror::Error)]
enum BatchError {
    #[error("a FIFO queue gives at most {ONE_RECEIVE} messages to a batch, not {0}")]
    FifoSize(u32),
    #[error("batches of a FIFO queue are not gathered over time")]
    FifoWindow,
    #[error("a batch of more than {ONE_RECEIVE} messages needs time to gather. {0}")]
    NoWindow(&'static str),
}

/// The rule of a queue.
pub(super) fn rule(fifo: bool) -> BatchRule {
    if fifo { fifo_batches } else { batches }
}

fn fifo_batches(settings: BatchSettings) -> Result<(), BatchRefusal> {
    if settings.size > ONE_RECEIVE {
        return Err(BatchError::FifoSize(settings.size).into());
    }
    if !settings.window.is_zero() {
        return Err(BatchError::FifoWindow.into());
    }
    Ok(())
}

fn batches(settings: BatchSettings) -> Result<(), BatchRefusal> {
    if settings.size <= ONE_RECEIVE || !settings.window.is_zero() {
        return Ok(());
    }
    let first = if settings.changed == Setting::BatchSize {
        "Set batching-window first, to more than 0"
    } else {
        "Set batch-size first, to 10 or less"
    };
    Err(BatchError::NoWindow(first).into())
}
