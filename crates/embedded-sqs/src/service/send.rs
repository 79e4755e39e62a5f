//! Accepts messages. Pure.

use std::sync::Arc;

use super::{Context, Queues, check_entries};
use crate::change::Deduplication;
use crate::digest;
use crate::error::{ApiError, ErrorKind, within};
use crate::limits::{DEDUPLICATION, DELAY, MAX_ID, MAX_MESSAGE};
use crate::message::{Attribute, Content, Delivery, check_attributes, check_characters};
use crate::queue::{Message, Queue};
use crate::request::{Batch, OutgoingMessage, SendMessage, SendMessageEntry};
use crate::response::{BatchResult, Response, SentEntry, SentMessage};

/// The only system attribute that a producer may send.
const TRACE: &str = "AWSTraceHeader";

impl Queues {
    pub(super) fn send(
        &mut self,
        send: &SendMessage,
        context: &mut Context<'_>,
    ) -> Result<Response, ApiError> {
        self.accept(&send.queue_url, &send.message, context)
            .map(Response::Sent)
    }

    pub(super) fn send_batch(
        &mut self,
        batch: &Batch<SendMessageEntry>,
        context: &mut Context<'_>,
    ) -> Result<Response, ApiError> {
        self.existing(&batch.queue_url)?;
        check_entries(batch.entries.iter().map(|entry| entry.id.as_str()))?;
        // an invalid attribute fails its entry only, and counts as nothing here
        let size = |entry: &SendMessageEntry| {
            let attributes = check_attributes(&entry.message.message_attributes);
            entry.message.message_body.len() + attributes.unwrap_or_default()
        };
        let total: usize = batch.entries.iter().map(size).sum();
        if total > MAX_MESSAGE {
            let message = format!(
                "Batch requests cannot be longer than {MAX_MESSAGE} bytes. You have sent {total} \
                 bytes."
            );
            return Err(ApiError::new(ErrorKind::BatchRequestTooLong, message));
        }
        let sent = batch.entries.iter().map(|entry| {
            let id = entry.id.clone();
            let sent = self.accept(&batch.queue_url, &entry.message, context);
            (id.clone(), sent.map(|sent| SentEntry { id, sent }))
        });
        Ok(Response::SentBatch(BatchResult::of(sent)))
    }

    fn accept(
        &mut self,
        url: &str,
        message: &OutgoingMessage,
        context: &mut Context<'_>,
    ) -> Result<SentMessage, ApiError> {
        let now = context.now;
        let (queue, changes) = self.queue(url)?;
        queue.expire(now, changes);
        check_content(queue, message)?;
        let trace = trace(message)?;
        let delay = delay(queue, message.delay_seconds)?;
        let deduplication_id = deduplication_id(queue, message)?;
        let fifo = queue.is_fifo();
        let key = deduplication_id.as_deref().filter(|_| fifo).map(|id| {
            let group = message.message_group_id.as_deref().unwrap_or_default();
            queue.deduplication_key(group, id)
        });
        let original = key.as_deref().and_then(|key| queue.original(key)).cloned();
        let (id, number) = if let Some(original) = original {
            (original.message_id, original.number)
        } else {
            let id = uuid((context.random)());
            let number = self.next_number(now);
            let (queue, changes) = self.queue(url)?;
            if let Some(key) = key {
                let by = Deduplication {
                    message_id: id.clone(),
                    number,
                    until: now + DEDUPLICATION,
                };
                queue.suppress(key, by, changes);
            }
            let content = Content {
                id: id.clone(),
                body: message.message_body.clone(),
                attributes: message.message_attributes.clone(),
                trace: trace.map(str::to_owned),
                group: message.message_group_id.clone(),
                deduplication_id,
                sent: now,
            };
            let message = Message {
                content: Arc::new(content),
                delivery: new_delivery(now, now + delay * 1000),
            };
            queue.add(number, message, changes);
            (id, number)
        };
        let system = &message.message_system_attributes;
        Ok(SentMessage {
            message_id: id,
            md5_of_body: digest::of_body(&message.message_body),
            md5_of_attributes: digest::of_attributes(&message.message_attributes),
            md5_of_system_attributes: digest::of_attributes(system),
            sequence_number: fifo.then(|| sequence_number(number)),
        })
    }
}

/// The state of a message that has not been received from its queue.
pub(super) fn new_delivery(retained_from: u64, visible_at: u64) -> Delivery {
    Delivery {
        visible_at,
        receives: 0,
        first_received: None,
        last_received: 0,
        receipt: 0,
        retained_from,
        dead_letter_source: None,
    }
}

/// `SequenceNumber`: 20 digits.
pub(super) fn sequence_number(number: u64) -> String {
    (10_000_000_000_000_000_000 + number).to_string()
}

fn check_content(queue: &Queue, message: &OutgoingMessage) -> Result<(), ApiError> {
    if message.message_body.is_empty() {
        return Err(ApiError::missing("MessageBody"));
    }
    check_characters(&message.message_body)?;
    let size = message.message_body.len() + check_attributes(&message.message_attributes)?;
    let max = queue.record.attributes.max_message;
    if size as u64 > max {
        let reason = format!("Message must be shorter than {max} bytes.");
        let message = format!("One or more parameters are invalid. Reason: {reason}");
        return Err(ApiError::new(ErrorKind::InvalidParameterValue, message));
    }
    Ok(())
}

fn trace(message: &OutgoingMessage) -> Result<Option<&str>, ApiError> {
    let system = &message.message_system_attributes;
    if let Some(other) = system.keys().find(|name| *name != TRACE) {
        let message =
            format!("Message system attribute name '{other}' is invalid. The only one is {TRACE}.");
        return Err(ApiError::new(ErrorKind::InvalidParameterValue, message));
    }
    let text = |attribute: &Attribute| attribute.data_type == "String";
    match system.get(TRACE) {
        None => Ok(None),
        Some(attribute) if text(attribute) && attribute.string_value.is_some() => {
            Ok(attribute.string_value.as_deref())
        }
        Some(_) => {
            let message = format!("The message system attribute '{TRACE}' must be a string.");
            Err(ApiError::new(ErrorKind::InvalidParameterValue, message))
        }
    }
}

/// Seconds. A FIFO queue has one delay for all messages.
fn delay(queue: &Queue, given: Option<i64>) -> Result<u64, ApiError> {
    let of_queue = queue.record.attributes.delay;
    let Some(given) = given else {
        return Ok(of_queue);
    };
    let delay = within("DelaySeconds", given, &DELAY)?;
    if !queue.is_fifo() {
        return Ok(delay);
    }
    if delay == 0 {
        return Ok(of_queue);
    }
    let reason = "The request include parameter that is not valid for this queue type.";
    Err(ApiError::value(given, "DelaySeconds", reason))
}

/// The deduplication id, given or derived. Also checks the group.
fn deduplication_id(queue: &Queue, message: &OutgoingMessage) -> Result<Option<String>, ApiError> {
    for (name, id) in [
        ("MessageGroupId", &message.message_group_id),
        ("MessageDeduplicationId", &message.message_deduplication_id),
    ] {
        let printable = |byte: u8| byte.is_ascii_graphic();
        let valid = |id: &String| !id.is_empty() && id.len() <= MAX_ID && id.bytes().all(printable);
        if let Some(id) = id.as_ref().filter(|id| !valid(id)) {
            let reason = "Can only include alphanumeric and punctuation characters. 1 to 128 in \
                length.";
            return Err(ApiError::value(id, name, reason));
        }
    }
    let given = message.message_deduplication_id.clone();
    if !queue.is_fifo() {
        return match given {
            None => Ok(None),
            Some(id) => {
                let reason = "The request includes a parameter that is not valid for this queue \
                    type.";
                Err(ApiError::value(id, "MessageDeduplicationId", reason))
            }
        };
    }
    if message.message_group_id.is_none() {
        return Err(ApiError::missing("MessageGroupId"));
    }
    if given.is_none() && !queue.record.attributes.content_based {
        let message = "The queue should either have ContentBasedDeduplication enabled or \
            MessageDeduplicationId provided explicitly";
        return Err(ApiError::new(ErrorKind::InvalidParameterValue, message));
    }
    Ok(Some(given.unwrap_or_else(|| {
        digest::of_content(&message.message_body)
    })))
}

/// A UUID, version 4.
fn uuid(random: u128) -> String {
    let bits = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let text = format!("{bits:032x}");
    let parts = [
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..],
    ];
    parts.join("-")
}
