//! The queues of one server, and the actions on them. Pure: time and random numbers are parameters.
//!
//! `queues` creates, changes and lists queues; `send`, `receive` and `settle` move messages;
//! `handle` writes and reads receipt handles.

mod handle;
mod queues;
mod receive;
mod send;
mod settle;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::change::{Change, QueueId, Stored};
use crate::error::{ApiError, ErrorKind};
use crate::limits::{MAX_ENTRIES, MAX_NAME};
use crate::message::MessageNumber;
use crate::queue::{Message, Queue};
use crate::{Millis, Request, Response};

/// Where the queues are, for their URLs and ARNs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Begins the URLs of queues: `http://127.0.0.1:18324`.
    pub url: String,
    /// Region of ARNs.
    pub region: String,
    /// Account of URLs and ARNs.
    pub account: String,
}

/// What differs between two calls of the same action.
pub struct Context<'a> {
    /// The time.
    pub now: Millis,
    /// Returns another random number at each call.
    pub random: &'a mut dyn FnMut() -> u128,
}

/// The queues of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queues {
    location: Location,
    by_name: BTreeMap<String, Queue>,
    last_queue: QueueId,
    last_message: MessageNumber,
    changes: Vec<Change>,
}

impl Queues {
    /// A server without queues.
    pub fn new(location: Location) -> Self {
        Self {
            location,
            by_name: BTreeMap::new(),
            last_queue: 0,
            last_message: 0,
            changes: Vec::new(),
        }
    }

    /// Continues with what a store holds. Messages of queues that it does not hold are left out.
    pub fn restore(location: Location, stored: Stored) -> Self {
        let mut all = Self::new(location);
        let mut by_id: BTreeMap<QueueId, Queue> = BTreeMap::new();
        for (id, record) in stored.queues {
            all.last_queue = all.last_queue.max(id);
            by_id.insert(id, Queue::new(id, record));
        }
        for (id, number, content, delivery) in stored.messages {
            all.last_message = all.last_message.max(number);
            let content = Arc::new(content);
            if let Some(queue) = by_id.get_mut(&id) {
                queue.insert(number, Message { content, delivery });
            }
        }
        for (id, key, deduplication) in stored.deduplications {
            all.last_message = all.last_message.max(deduplication.number);
            if let Some(queue) = by_id.get_mut(&id) {
                queue.insert_deduplication(key, deduplication);
            }
        }
        let by_name = by_id.into_values();
        all.by_name = by_name
            .map(|queue| (queue.record.name.clone(), queue))
            .collect();
        all
    }

    /// Applies a call. A `ReceiveMessage` does not wait: see [`Self::wait_time`].
    ///
    /// # Errors
    /// What the service would answer.
    pub fn call(
        &mut self,
        request: &Request,
        context: &mut Context<'_>,
    ) -> Result<Response, ApiError> {
        match request {
            Request::ChangeMessageVisibility(change) => self.change_visibility(change, context.now),
            Request::ChangeMessageVisibilityBatch(batch) => {
                self.change_visibility_batch(batch, context.now)
            }
            Request::CreateQueue(create) => self.create(create, context.now),
            Request::DeleteMessage(delete) => self.delete_message(delete, context.now),
            Request::DeleteMessageBatch(batch) => self.delete_message_batch(batch, context.now),
            Request::DeleteQueue(of) => self.delete_queue(&of.queue_url),
            Request::GetQueueAttributes(get) => self.attributes(get, context.now),
            Request::GetQueueUrl(get) => self.url(get),
            Request::ListDeadLetterSourceQueues(of) => self.dead_letter_sources(&of.queue_url),
            Request::ListQueues(list) => self.list(list),
            Request::PurgeQueue(of) => self.purge(&of.queue_url),
            Request::ReceiveMessage(receive) => self.receive(receive, context),
            Request::SendMessage(send) => self.send(send, context),
            Request::SendMessageBatch(batch) => self.send_batch(batch, context),
            Request::SetQueueAttributes(set) => self.set_attributes(set, context.now),
            Request::StartMessageMoveTask(start) => self.move_messages(start, context),
        }
    }

    /// The changes since the last call of this function, in their order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// The queue of a URL.
    pub fn id_of(&self, queue_url: &str) -> Option<QueueId> {
        self.existing(queue_url).ok().map(|queue| queue.id)
    }

    /// The name in the URL of a queue, whether or not the queue exists.
    pub fn name_of(url: &str) -> &str {
        url.rsplit_once('/').map_or(url, |(_, name)| name)
    }

    fn queue_url(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.location.url, self.location.account)
    }

    fn arn(&self, name: &str) -> String {
        let Location {
            region, account, ..
        } = &self.location;
        format!("arn:aws:sqs:{region}:{account}:{name}")
    }

    /// The queue of a URL, and where its changes are recorded.
    fn queue(&mut self, url: &str) -> Result<(&mut Queue, &mut Vec<Change>), ApiError> {
        let queue = self.by_name.get_mut(Self::name_of(url));
        let queue = queue.ok_or_else(ApiError::no_queue)?;
        Ok((queue, &mut self.changes))
    }

    fn existing(&self, url: &str) -> Result<&Queue, ApiError> {
        let queue = self.by_name.get(Self::name_of(url));
        queue.ok_or_else(ApiError::no_queue)
    }

    /// A number higher than all before, also after a restart that lost the highest ones.
    fn next_number(&mut self, now: Millis) -> MessageNumber {
        self.last_message = (self.last_message + 1).max(now * 1000);
        self.last_message
    }
}

/// The name in an ARN.
fn name_in_arn(arn: &str) -> &str {
    arn.rsplit_once(':').map_or(arn, |(_, name)| name)
}

/// Checks the entries of a batch as a whole.
fn check_entries<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Result<(), ApiError> {
    let count = ids.len();
    if count == 0 {
        let message = "There should be at least one entry in the request.";
        return Err(ApiError::new(ErrorKind::EmptyBatchRequest, message));
    }
    if count > MAX_ENTRIES {
        let message = format!(
            "Maximum number of entries per request are {MAX_ENTRIES}. You have sent {count}."
        );
        return Err(ApiError::new(
            ErrorKind::TooManyEntriesInBatchRequest,
            message,
        ));
    }
    let mut seen = std::collections::BTreeSet::new();
    for id in ids {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if id.is_empty() || id.len() > MAX_NAME || !id.bytes().all(valid) {
            let message = "A batch entry id can only contain alphanumeric characters, hyphens and \
                underscores. It can be at most 80 characters long.";
            return Err(ApiError::new(ErrorKind::InvalidBatchEntryId, message));
        }
        if !seen.insert(id) {
            let message = format!("Id {id} repeated.");
            return Err(ApiError::new(ErrorKind::BatchEntryIdsNotDistinct, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod case_tests;
#[cfg(test)]
mod fifo_tests;
#[cfg(test)]
mod model_tests;
