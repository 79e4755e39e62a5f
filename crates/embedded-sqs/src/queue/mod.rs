//! One queue and its messages. Every change is also recorded for the store. Pure.
//!
//! `receive` selects messages; `deduplication` suppresses repeated ones.

mod deduplication;
mod receive;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::Millis;
use crate::change::{Change, Deduplication, QueueId, QueueRecord};
use crate::message::{Content, Delivery, MessageNumber};

/// A message and the state of its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) content: Arc<Content>,
    pub(crate) delivery: Delivery,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) id: QueueId,
    pub(crate) record: QueueRecord,
    messages: BTreeMap<MessageNumber, Message>,
    /// By the time at which they can be received.
    by_visibility: BTreeSet<(Millis, MessageNumber)>,
    /// By the begin of their retention.
    by_age: BTreeSet<(Millis, MessageNumber)>,
    /// FIFO: messages of each group.
    groups: BTreeMap<String, BTreeSet<MessageNumber>>,
    deduplications: BTreeMap<String, Deduplication>,
    /// By the time at which they end.
    deduplication_ends: BTreeSet<(Millis, String)>,
}

/// Numbers of messages in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Messages that can be received.
    pub(crate) visible: usize,
    /// Messages that were received, and are neither deleted nor visible again.
    pub(crate) in_flight: usize,
    /// Messages whose delay has not passed.
    pub(crate) delayed: usize,
}

impl Message {
    /// Received, and neither deleted nor visible again.
    pub(crate) fn is_in_flight(&self, now: Millis) -> bool {
        self.delivery.receives > 0 && self.delivery.visible_at > now
    }
}

impl Queue {
    pub(crate) fn new(id: QueueId, record: QueueRecord) -> Self {
        Self {
            id,
            record,
            messages: BTreeMap::new(),
            by_visibility: BTreeSet::new(),
            by_age: BTreeSet::new(),
            groups: BTreeMap::new(),
            deduplications: BTreeMap::new(),
            deduplication_ends: BTreeSet::new(),
        }
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.record.attributes.fifo
    }

    pub(crate) fn get(&self, number: MessageNumber) -> Option<&Message> {
        self.messages.get(&number)
    }

    pub(crate) fn numbers(&self) -> Vec<MessageNumber> {
        self.messages.keys().copied().collect()
    }

    /// Adds a message.
    pub(crate) fn add(
        &mut self,
        number: MessageNumber,
        message: Message,
        changes: &mut Vec<Change>,
    ) {
        let Message { content, delivery } = message.clone();
        changes.push(Change::AddMessage(self.id, number, content, delivery));
        self.insert(number, message);
    }

    /// As [`Self::add`], for a message that is stored.
    pub(crate) fn insert(&mut self, number: MessageNumber, message: Message) {
        let delivery = &message.delivery;
        self.by_visibility.insert((delivery.visible_at, number));
        self.by_age.insert((delivery.retained_from, number));
        if self.is_fifo()
            && let Some(group) = &message.content.group
        {
            let group = self.groups.entry(group.clone()).or_default();
            group.insert(number);
        }
        self.messages.insert(number, message);
    }

    /// Removes a message.
    pub(crate) fn remove(
        &mut self,
        number: MessageNumber,
        changes: &mut Vec<Change>,
    ) -> Option<Message> {
        let message = self.messages.remove(&number)?;
        let delivery = &message.delivery;
        self.by_visibility.remove(&(delivery.visible_at, number));
        self.by_age.remove(&(delivery.retained_from, number));
        if let Some(group) = &message.content.group
            && let Some(numbers) = self.groups.get_mut(group)
        {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.groups.remove(group);
            }
        }
        changes.push(Change::RemoveMessage(self.id, number));
        Some(message)
    }

    /// Changes the delivery of a message.
    pub(crate) fn deliver(
        &mut self,
        number: MessageNumber,
        changes: &mut Vec<Change>,
        change: impl FnOnce(&mut Delivery),
    ) {
        let Some(message) = self.messages.get_mut(&number) else {
            return;
        };
        let before = message.delivery.visible_at;
        change(&mut message.delivery);
        let delivery = message.delivery.clone();
        self.by_visibility.remove(&(before, number));
        self.by_visibility.insert((delivery.visible_at, number));
        changes.push(Change::PutDelivery(self.id, number, delivery));
    }

    /// Removes all messages. Deduplication ids stay, as on the service.
    pub(crate) fn clear(&mut self, changes: &mut Vec<Change>) {
        self.messages.clear();
        self.by_visibility.clear();
        self.by_age.clear();
        self.groups.clear();
        changes.push(Change::ClearQueue(self.id));
    }

    /// Removes messages beyond the retention period, and deduplication ids that may be used again.
    pub(crate) fn expire(&mut self, now: Millis, changes: &mut Vec<Change>) {
        let retention = self.record.attributes.retention * 1000;
        while let Some(&(from, number)) = self.by_age.first()
            && from + retention <= now
        {
            self.remove(number, changes);
        }
        self.end_deduplications(now, changes);
    }

    pub(crate) fn counts(&self, now: Millis) -> Counts {
        let hidden = self.by_visibility.range((now + 1, 0)..).count();
        let in_flight = self.in_flight(now);
        Counts {
            visible: self.messages.len() - hidden,
            in_flight,
            delayed: hidden - in_flight,
        }
    }

    /// Messages that were received, and are neither deleted nor visible again.
    pub(crate) fn in_flight(&self, now: Millis) -> usize {
        let hidden = self.by_visibility.range((now + 1, 0)..);
        hidden
            .filter(|(_, number)| self.get(*number).is_some_and(|one| one.is_in_flight(now)))
            .count()
    }

    /// The next time after `now` at which a message can be received that cannot be now.
    pub(crate) fn next_visible(&self, now: Millis) -> Option<Millis> {
        let later = self.by_visibility.range((now + 1, 0)..).next();
        later.map(|(at, _)| *at)
    }
}
