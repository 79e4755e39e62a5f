//! Commands of the driver for the polling thread.

use std::sync::mpsc;
use std::thread::Thread;

use event_sources::stream::{Offset, Partition};

/// A command for the polling thread.
#[derive(Debug)]
pub(in crate::sources::kafka) enum PollerCommand {
    /// Reuse the memory of a chunk.
    Reuse(Vec<u8>),
    /// Stop reading a partition.
    Pause(Partition),
    /// Continue reading a partition.
    Resume(Partition),
    /// Read from this offset, and report the result with [`ConsumerEvent::Sought`].
    ///
    /// [`ConsumerEvent::Sought`]: crate::sources::kafka::consumer::ConsumerEvent::Sought
    Seek(Partition, Offset),
}

/// Sends commands to the polling thread.
#[derive(Debug)]
pub(in crate::sources::kafka) struct PollerCommands {
    pub(in crate::sources::kafka) commands: mpsc::Sender<PollerCommand>,
    pub(in crate::sources::kafka) thread: Thread,
}

impl PollerCommands {
    pub(in crate::sources::kafka) fn send(&self, command: PollerCommand) {
        let wakes = matches!(command, PollerCommand::Resume(_) | PollerCommand::Seek(..));
        // the thread ends before the driver only during a shutdown
        let _ = self.commands.send(command);
        if wakes {
            self.thread.unpark();
        }
    }
}
