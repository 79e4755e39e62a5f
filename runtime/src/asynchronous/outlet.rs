//! Tells queues what became of events.

use std::collections::BTreeMap;

use super::entry::{Entry, Stage, Target};
use super::record;
use super::store::Stored;
use crate::model::sqs::name_of;
use crate::sqs::Sqs;

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

impl Outlet {
    /// The record of an event that has ended.
    pub(super) fn document(&self, entry: &Entry, stored: &Stored, most: usize) -> String {
        let Stage::Ended { condition, at, .. } = entry.stage else { return String::new() };
        let arn = self.arns.get(&entry.function).map_or("", String::as_str);
        record::document(entry, condition, at, stored, arn, most)
    }

    /// Puts the record, or for a dead-letter queue the event, into the queue.
    ///
    /// # Errors
    /// Why it was not taken.
    pub(super) async fn send(&self, target: &Target, entry: &Entry, stored: &Stored) -> Result<(), String> {
        let Stage::Ended { condition, .. } = entry.stage else { return Ok(()) };
        let sqs = self.sqs.as_ref().ok_or("nothing says where SQS answers; write into usher.toml: [endpoints] sqs")?;
        let sent = match target {
            Target::Queue(arn) => sqs.send(name_of(arn), self.document(entry, stored, MOST_MESSAGE)).await,
            Target::DeadLetters(arn) => {
                let body = String::from_utf8_lossy(&stored.payload).into_owned();
                let attributes = record::attributes(entry, condition, stored, MOST_MESSAGE.saturating_sub(body.len()));
                sqs.send_with(name_of(arn), body, &attributes).await
            }
            Target::Function(_) => return Err("a function is no queue".into()),
        };
        sent.map_err(|error| error.to_string())
    }
}

/// For messages.
pub(super) fn shown(target: &Target) -> String {
    match target {
        Target::Queue(arn) => format!("queue {}", name_of(arn)),
        Target::DeadLetters(arn) => format!("dead-letter queue {}", name_of(arn)),
        Target::Function(id) => format!("function {id}"),
    }
}
