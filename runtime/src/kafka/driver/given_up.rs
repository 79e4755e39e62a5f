//! Records that are given up, on their way to the destination.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{Driver, Ended};
use crate::kafka::destination::{Delivered, GivenUp, Outlet, letters};
use event_sources::stream::{DiscardReason, Partition, Slice, StreamInput};

impl Driver {
    /// Tells the destination of records that are given up.
    pub(super) fn send_away(&mut self, slice: &Slice, reason: DiscardReason) {
        let Some(outlet) = self.outlet.clone() else {
            // the machine requests a delivery only where there is a destination
            return self.step(StreamInput::Delivered(slice.partition, false));
        };
        self.next_letter += 1;
        let letter = self.next_letter;
        let own_id = format!("{}-{letter}", self.mapping.id);
        let given_up = GivenUp {
            slice,
            reason,
            tried: self.history.of(slice),
            records: &self.buffer.records(slice),
            payload_size: self
                .buffer
                .event(&self.envelope, &self.mapping.topics, &[*slice])
                .len(),
            own_id: &own_id,
            now: jiff::Timestamp::from_millisecond(self.clock.now()).unwrap_or_default(),
        };
        let letters = letters(&self.context, &given_up, outlet.takes_each());
        tracing::error!(mapping = %self.mapping.id, topic = %self.mapping.topics[slice.partition.topic], partition = slice.partition.number,
            first = slice.first, last = slice.last, records = slice.records, ?reason, "ALARM: records given up; they go to {}", outlet.name());
        self.letters.insert(slice.partition, letter);
        let partition = slice.partition;
        self.tasks.spawn(async move {
            Ended::Delivery(partition, letter, outlet.deliver(letters).await)
        });
    }

    pub(super) fn delivered(
        &mut self,
        partition: Partition,
        letter: u64,
        result: &Result<Delivered, String>,
    ) {
        if self.letters.get(&partition) != Some(&letter) {
            return;
        }
        self.letters.remove(&partition);
        let name = self.outlet.as_ref().map(Outlet::name).unwrap_or_default();
        let (mapping, topic, number) = (
            &self.mapping.id,
            &self.mapping.topics[partition.topic],
            partition.number,
        );
        match result {
            Ok(delivered) => {
                self.undelivered.over(&partition);
                self.progress.waits(partition, None);
                if delivered.reduced > 0 {
                    self.progress
                        .reduced
                        .fetch_add(delivered.reduced, Ordering::Relaxed);
                    tracing::error!(%mapping, %topic, partition = number, failure_records = delivered.reduced,
                        "ALARM: failure records are larger than {name} takes; they went there without their payload or details");
                }
                for lost in &delivered.lost {
                    self.progress
                        .lost
                        .fetch_add(lost.records, Ordering::Relaxed);
                    tracing::error!(%mapping, %topic, partition = number, first = lost.about, records = lost.records,
                        "ALARM: records are given up and lost: {name} refuses their failure record in every form ({}). Raise its limit; \
                         the records stay in their topic as long as its retention says", lost.why);
                }
            }
            Err(why) => {
                self.progress.waits(
                    partition,
                    Some(format!("{name} takes no failure records ({why}); partition {number} of {topic} waits")),
                );
                if let Some(times) = self.undelivered.failed(Instant::now(), partition, why) {
                    tracing::error!(%mapping, %topic, partition = number, times,
                        "ALARM: {name} takes no records ({why}). The partition waits, and it is tried until it does");
                }
            }
        }
        self.step(StreamInput::Delivered(partition, result.is_ok()));
    }
}
