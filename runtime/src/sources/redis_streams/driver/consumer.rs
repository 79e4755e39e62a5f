//! The reading side of a source: one consumer of the group.

use std::time::Duration;

use redis_streams::{Delivery, GroupCounts, GroupReader, GroupState, LinkError};

/// A consumer that continues, at its first read, with what an earlier run of this host held.
pub(super) struct Consumer {
    reader: GroupReader,
    /// Whether the entries of an earlier run are available.
    prepared: bool,
    /// The progress of the group before the first read: what was removed while the host was down.
    state: Option<GroupState>,
    reported: GroupCounts,
}

impl Consumer {
    pub(super) fn new(reader: GroupReader) -> Self {
        Self {
            reader,
            prepared: false,
            state: None,
            reported: GroupCounts::default(),
        }
    }

    /// Reads at most `max` entries, and waits at most `wait` for the first.
    pub(super) async fn read(
        &mut self,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, LinkError> {
        if !self.prepared {
            self.state = Some(self.reader.state().await?);
            self.reader.return_earlier().await?;
            self.prepared = true;
        }
        self.reader.read_up_to(max, wait).await
    }

    /// The counts of the last call of this function, and of now.
    pub(super) fn new_counts(&mut self) -> (GroupCounts, GroupCounts) {
        let now = self.reader.counts();
        (std::mem::replace(&mut self.reported, now), now)
    }

    /// The progress of the group before the first read, once.
    pub(super) fn take_state(&mut self) -> Option<GroupState> {
        self.state.take()
    }
}
