//! Discarded records and the delivery of their failure records.

use std::time::Instant;

use event_sources::stream::{DiscardReason, Partition, Slice, StreamInput};

use super::{Completion, KafkaDriver};
use crate::destinations::{Delivered, DestinationError};
use crate::sources::kafka::discards::{Discarded, FailureContext, failure_records};

impl KafkaDriver {
    /// Starts the delivery of failure records for discarded records.
    pub(super) fn deliver(&mut self, slice: &Slice, reason: DiscardReason) {
        let Some(destination) = self.source.destination.clone() else {
            // the machine requests a delivery only for a mapping with a destination
            return self.step(StreamInput::Delivered(slice.partition, false));
        };
        self.next_delivery += 1;
        let delivery = self.next_delivery;
        let own_id = format!("{}-{delivery}", self.source.mapping.id);
        let context = FailureContext {
            mapping: &self.source.mapping,
            function_arn: &self.source.limits.function_arn,
        };
        let discarded = Discarded {
            slice,
            reason,
            attempts: self.history.of(slice),
            records: &self.buffer.records(slice),
            payload_size: self
                .buffer
                .event(&self.envelope, &self.source.mapping.topics, &[*slice])
                .len(),
            own_id: &own_id,
            now: jiff::Timestamp::from_millisecond(self.clock.now()).unwrap_or_default(),
        };
        let records = failure_records(context, &discarded, destination.is_topic());
        let partition = slice.partition;
        tracing::error!(
            alarm = "records_discarded",
            mapping = self.source.mapping.id,
            topic = self.source.mapping.topics[partition.topic],
            partition = partition.number,
            first = slice.first,
            last = slice.last,
            records = slice.records,
            ?reason,
            "the mapping discards records; their failure records go to {destination}"
        );
        self.deliveries.insert(partition, delivery);
        self.tasks.spawn(async move {
            Completion::Delivery(partition, delivery, destination.deliver(records).await)
        });
    }

    pub(super) fn delivered(
        &mut self,
        partition: Partition,
        delivery: u64,
        result: &Result<Delivered, DestinationError>,
    ) {
        if self.deliveries.get(&partition) != Some(&delivery) {
            return;
        }
        self.deliveries.remove(&partition);
        let destination = self.source.destination.as_ref();
        let name = destination.map(ToString::to_string).unwrap_or_default();
        let mapping = &self.source.mapping.id;
        let topic = &self.source.mapping.topics[partition.topic];
        let number = partition.number;
        match result {
            Ok(delivered) => {
                self.undelivered.over(&partition);
                self.progress.set_destination_problem(partition, None);
                if delivered.reduced > 0 {
                    self.progress
                        .count(|status| status.failure_records_reduced += delivered.reduced);
                    tracing::error!(
                        alarm = "failure_records_reduced",
                        mapping,
                        topic,
                        partition = number,
                        failure_records = delivered.reduced,
                        "failure records exceed the limit of {name}; it received them without \
                         their payload or details"
                    );
                }
                for refused in &delivered.refused {
                    self.progress
                        .count(|status| status.records_lost += refused.records);
                    tracing::error!(
                        alarm = "records_lost",
                        mapping,
                        topic,
                        partition = number,
                        first = refused.position,
                        records = refused.records,
                        "records are discarded and lost: {name} refuses their failure record in \
                         every form ({}). Raise its limit; the records stay in their topic until \
                         its retention deletes them",
                        refused.why
                    );
                }
            }
            Err(why) => {
                let waits = format!(
                    "{name} takes no failure records ({why}); partition {number} of {topic} waits"
                );
                self.progress
                    .set_destination_problem(partition, Some(waits));
                let why = why.to_string();
                if let Some(times) = self.undelivered.failed(Instant::now(), partition, &why) {
                    tracing::error!(
                        alarm = "destination_refuses",
                        mapping,
                        topic,
                        partition = number,
                        times,
                        "{name} takes no failure records ({why}). The partition waits; the host \
                         retries until the destination accepts them"
                    );
                }
            }
        }
        self.step(StreamInput::Delivered(partition, result.is_ok()));
    }
}
