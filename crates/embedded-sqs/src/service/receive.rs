//! Returns messages to consumers, and moves those that were received too often to their dead-letter
//! queue. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::handle::Handle;
use super::send::{new_delivery, sequence_number};
use super::{Context, Queues, name_in_arn};
use crate::Millis;
use crate::digest;
use crate::error::{ApiError, ErrorKind, within};
use crate::limits::{MAX_IN_FLIGHT, RECEIVE, VISIBILITY, WAIT};
use crate::message::{Attribute, MessageNumber};
use crate::queue::{Message, Queue};
use crate::request::{ReceiveMessage, Request};
use crate::response::{Messages, ReceivedMessage, Response};

const ALL: &str = "All";

impl Queues {
    /// How long a call waits for a first message: zero for other actions than `ReceiveMessage`, and
    /// for calls that fail.
    pub fn wait_time(&self, request: &Request) -> Duration {
        let Request::ReceiveMessage(receive) = request else {
            return Duration::ZERO;
        };
        let of_queue = self.by_name.get(Self::name_of(&receive.queue_url));
        let of_queue = of_queue.map_or(0, |queue| queue.record.attributes.wait);
        let seconds = match receive.wait_time_seconds {
            None => of_queue,
            Some(given) => within("WaitTimeSeconds", given, &WAIT).unwrap_or_default(),
        };
        Duration::from_secs(seconds)
    }

    /// The next time after `now` at which a message of this queue may become visible.
    pub fn next_visible(&self, queue_url: &str, now: Millis) -> Option<Millis> {
        self.existing(queue_url).ok()?.next_visible(now)
    }

    pub(super) fn receive(
        &mut self,
        receive: &ReceiveMessage,
        context: &mut Context<'_>,
    ) -> Result<Response, ApiError> {
        let now = context.now;
        let url = &receive.queue_url;
        let (queue, changes) = self.queue(url)?;
        queue.expire(now, changes);
        let max = receive.max_number_of_messages.unwrap_or(1);
        let max = within("MaxNumberOfMessages", max, &RECEIVE)? as usize;
        if let Some(wait) = receive.wait_time_seconds {
            within("WaitTimeSeconds", wait, &WAIT)?;
        }
        let hidden = match receive.visibility_timeout {
            Some(seconds) => within("VisibilityTimeout", seconds, &VISIBILITY)?,
            None => queue.record.attributes.visibility_timeout,
        };
        if queue.in_flight(now) >= MAX_IN_FLIGHT {
            let message = format!("Too many messages in flight: {MAX_IN_FLIGHT}.");
            return Err(ApiError::new(ErrorKind::OverLimit, message));
        }
        self.bury(url, max, now);
        let (queue, changes) = self.queue(url)?;
        let mut messages = Vec::new();
        for number in queue.receivable(max, now) {
            let receipt = (context.random)() as u64;
            queue.deliver(number, changes, |delivery| {
                delivery.receives += 1;
                delivery.first_received.get_or_insert(now);
                delivery.last_received = now;
                delivery.visible_at = now + hidden * 1000;
                delivery.receipt = receipt;
            });
            let handle = Handle {
                queue: queue.id,
                message: number,
                receipt,
            };
            if let Some(message) = queue.get(number) {
                messages.push(received(message, number, handle, queue, receive));
            }
        }
        Ok(Response::Received(Messages { messages }))
    }

    /// Moves messages that this receive would return once too often. If the dead-letter queue is
    /// deleted, they stay.
    fn bury(&mut self, url: &str, max: usize, now: Millis) {
        let from = Self::name_of(url).to_owned();
        loop {
            let Some(queue) = self.by_name.get(&from) else {
                return;
            };
            let Some(redrive) = &queue.record.attributes.redrive else {
                return;
            };
            let target = name_in_arn(&redrive.target).to_owned();
            let spent = |number: &MessageNumber| {
                let message = queue.get(*number);
                message.is_some_and(|message| message.delivery.receives >= redrive.max_receives)
            };
            let found = queue.receivable(max, now).into_iter().find(spent);
            let Some(number) = found.filter(|_| self.by_name.contains_key(&target)) else {
                return;
            };
            let source = self.arn(&from);
            self.transfer(&from, number, &target, Some(source), now);
        }
    }

    /// Moves a message to another queue, where its receives count from zero. Both exist. A FIFO
    /// queue retains it from now on, a standard queue from when it was sent.
    pub(super) fn transfer(
        &mut self,
        from: &str,
        number: MessageNumber,
        to: &str,
        dead_letter_source: Option<String>,
        now: Millis,
    ) {
        let new_number = self.next_number(now);
        let source = self.by_name.get_mut(from);
        let removed = source.and_then(|queue| queue.remove(number, &mut self.changes));
        let Some((Message { content, .. }, target)) = removed.zip(self.by_name.get_mut(to)) else {
            return;
        };
        let retained_from = if target.is_fifo() { now } else { content.sent };
        let mut delivery = new_delivery(retained_from, now);
        delivery.dead_letter_source = dead_letter_source;
        let message = Message { content, delivery };
        target.add(new_number, message, &mut self.changes);
    }
}

fn received(
    message: &Message,
    number: MessageNumber,
    handle: Handle,
    queue: &Queue,
    receive: &ReceiveMessage,
) -> ReceivedMessage {
    let content = &message.content;
    let names = [
        &receive.attribute_names[..],
        &receive.message_system_attribute_names[..],
    ]
    .concat();
    let mut attributes = system_attributes(message, number, queue.is_fifo());
    let every = names.iter().any(|name| name == ALL);
    attributes.retain(|name, _| every || names.contains(name));
    let selected = |name: &str| {
        let mut patterns = receive.message_attribute_names.iter();
        patterns.any(|pattern| matches(pattern, name))
    };
    let message_attributes: BTreeMap<String, Attribute> = content
        .attributes
        .iter()
        .filter(|(name, _)| selected(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    ReceivedMessage {
        message_id: content.id.clone(),
        receipt_handle: handle.write(),
        md5_of_body: digest::of_body(&content.body),
        body: content.body.clone(),
        attributes,
        md5_of_attributes: digest::of_attributes(&message_attributes),
        message_attributes,
    }
}

fn system_attributes(
    message: &Message,
    number: MessageNumber,
    fifo: bool,
) -> BTreeMap<String, String> {
    let (content, delivery) = (&message.content, &message.delivery);
    let first = delivery.first_received.unwrap_or(delivery.last_received);
    let all = [
        ("SenderId", Some("usher".to_owned())),
        ("SentTimestamp", Some(content.sent.to_string())),
        (
            "ApproximateReceiveCount",
            Some(delivery.receives.to_string()),
        ),
        ("ApproximateFirstReceiveTimestamp", Some(first.to_string())),
        ("AWSTraceHeader", content.trace.clone()),
        ("MessageGroupId", content.group.clone()),
        ("MessageDeduplicationId", content.deduplication_id.clone()),
        ("SequenceNumber", fifo.then(|| sequence_number(number))),
        (
            "DeadLetterQueueSourceArn",
            delivery.dead_letter_source.clone(),
        ),
    ];
    let present = all
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    present.collect()
}

/// `All`, `.*`, a name, or a prefix that ends with `.*`.
fn matches(pattern: &str, name: &str) -> bool {
    if pattern == ALL {
        return true;
    }
    match pattern.strip_suffix(".*") {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}
