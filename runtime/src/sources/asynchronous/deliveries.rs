//! Records of completed events for their destinations.

use event_sources::asynchronous::{AcceptedEvent, EventDestination, EventStage};
use sam_template::model::sqs::name_of;

use super::record;
use super::settings::AsyncSettings;
use super::store::Stored;
use crate::destinations::{
    Body, Delivered, DestinationClient, DestinationError, FailureRecord, Metadata,
};

/// Maximum size of a message in bytes (SQS quota, 1 MiB).
const MAX_MESSAGE: usize = 1024 * 1024;

impl AsyncSettings {
    /// The documents about a completed event, from the complete to the smallest one, each of at
    /// most `max` bytes.
    pub(super) fn documents(
        &self,
        event: &AcceptedEvent,
        stored: &Stored,
        max: usize,
    ) -> Vec<String> {
        let EventStage::Ended { condition, at, .. } = event.stage else {
            return Vec::new();
        };
        let arn = self.arns.get(&event.function).map_or("", String::as_str);
        record::documents(event, condition, at, stored, arn, max)
    }

    /// Sends the record of a completed event to a queue, or the event itself to a dead-letter
    /// queue.
    ///
    /// # Errors
    /// The queue cannot be used at present, or the destination is a function.
    pub(super) async fn send(
        &self,
        destination: &EventDestination,
        event: &AcceptedEvent,
        stored: &Stored,
    ) -> Result<Delivered, DestinationError> {
        let EventStage::Ended { condition, .. } = event.stage else {
            return Ok(Delivered::default());
        };
        let (queue, bodies, metadata) = match destination {
            EventDestination::Queue(arn) => {
                let documents = self.documents(event, stored, MAX_MESSAGE).into_iter();
                let body = |(index, text)| Body {
                    text,
                    reduced: index > 0,
                };
                (
                    arn,
                    documents.enumerate().map(body).collect(),
                    Metadata::None,
                )
            }
            EventDestination::DeadLetters(arn) => {
                let payload = String::from_utf8_lossy(&stored.payload).into_owned();
                // attributes count towards the size of the message
                let room = MAX_MESSAGE.saturating_sub(payload.len());
                let attributes = record::attributes(event, condition, stored, room);
                (
                    arn,
                    vec![Body::complete(payload)],
                    Metadata::Attributes(attributes),
                )
            }
            EventDestination::Function(id) => {
                return Err(DestinationError::NotAQueue(id.clone()));
            }
        };
        let failure_record = FailureRecord {
            bodies,
            metadata,
            position: event.request_id.clone(),
            records: 1,
        };
        let client = DestinationClient::queue(queue, self.sqs.as_ref())?;
        let delivered = client.deliver(vec![failure_record]).await?;
        if delivered.reduced > 0 {
            tracing::warn!(
                request_id = event.request_id,
                "{} accepts the record of an event only without some of its parts",
                describe(destination)
            );
        }
        Ok(delivered)
    }
}

/// Kind and name, for messages.
pub(super) fn describe(destination: &EventDestination) -> String {
    match destination {
        EventDestination::Queue(arn) => format!("queue {}", name_of(arn)),
        EventDestination::DeadLetters(arn) => format!("dead-letter queue {}", name_of(arn)),
        EventDestination::Function(id) => format!("function {id}"),
    }
}
