//! Sends records of events that have ended to queues.

use std::collections::BTreeMap;

use super::record;
use super::store::Stored;
use crate::model::sqs::name_of;
use crate::sqs::{Sqs, Wrong, text};
use event_sources::asynchronous::{AcceptedEvent, EventDestination, EventStage};

/// Most bytes of a message (SQS quota, 1 MiB).
const MOST_MESSAGE: usize = 1024 * 1024;

/// Where destinations are.
#[derive(Debug, Clone)]
pub(super) struct Outlet {
    /// Of the queues; there whenever the template has any.
    pub(super) sqs: Option<Sqs>,
    /// Of the functions whose events end, by logical id.
    pub(super) arns: BTreeMap<String, String>,
}

/// What became of a record that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sent {
    /// The destination has it.
    Taken,
    /// The destination refuses it in every form, in these words, and would again.
    Refused(String),
}

impl Outlet {
    /// The record of an event that has ended, in its forms, of at most `most` bytes.
    pub(super) fn documents(
        &self,
        entry: &AcceptedEvent,
        stored: &Stored,
        most: usize,
    ) -> Vec<String> {
        let EventStage::Ended { condition, at, .. } = entry.stage else {
            return Vec::new();
        };
        let arn = self.arns.get(&entry.function).map_or("", String::as_str);
        record::documents(entry, condition, at, stored, arn, most)
    }

    /// Puts the record, or for a dead-letter queue the event, into the queue: whole if the queue takes it so, else with less.
    ///
    /// # Errors
    /// Why the queue takes nothing at present.
    pub(super) async fn send(
        &self,
        target: &EventDestination,
        entry: &AcceptedEvent,
        stored: &Stored,
    ) -> Result<Sent, String> {
        let EventStage::Ended { condition, .. } = entry.stage else {
            return Ok(Sent::Taken);
        };
        let sqs = self
            .sqs
            .as_ref()
            .ok_or("nothing says where SQS answers; write into usher.toml: [endpoints] sqs")?;
        let (queue, forms) = match target {
            EventDestination::Queue(arn) => {
                let documents = self.documents(entry, stored, MOST_MESSAGE);
                (
                    arn,
                    documents
                        .into_iter()
                        .map(|body| (body, Vec::new()))
                        .collect::<Vec<_>>(),
                )
            }
            EventDestination::DeadLetters(arn) => {
                let body = String::from_utf8_lossy(&stored.payload).into_owned();
                let attributes = record::attributes(
                    entry,
                    condition,
                    stored,
                    MOST_MESSAGE.saturating_sub(body.len()),
                );
                // attributes count towards the size of a message
                (arn, vec![(body.clone(), attributes), (body, Vec::new())])
            }
            EventDestination::Function(_) => return Err("a function is no queue".into()),
        };
        let mut refused = String::new();
        for (at, (body, attributes)) in forms.into_iter().enumerate() {
            match sqs
                .send_with(name_of(queue), text::acceptable(body), &attributes)
                .await
            {
                Ok(()) => {
                    if at > 0 {
                        let request_id = &entry.request_id;
                        tracing::warn!(
                            request_id,
                            "{} takes the record of an event only with less in it",
                            shown(target)
                        );
                    }
                    return Ok(Sent::Taken);
                }
                Err(Wrong::Refused(why)) => refused = why,
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(Sent::Refused(refused))
    }
}

/// For messages.
pub(super) fn shown(target: &EventDestination) -> String {
    match target {
        EventDestination::Queue(arn) => format!("queue {}", name_of(arn)),
        EventDestination::DeadLetters(arn) => format!("dead-letter queue {}", name_of(arn)),
        EventDestination::Function(id) => format!("function {id}"),
    }
}
