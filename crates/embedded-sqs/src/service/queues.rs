//! Creates, changes, lists and deletes queues. Pure.

use std::collections::BTreeMap;

use super::{Context, Queues, name_in_arn};
use crate::Millis;
use crate::attributes::{QueueAttributes, unknown};
use crate::change::{Change, QueueRecord};
use crate::error::{ApiError, ErrorKind, within};
use crate::limits::{MAX_NAME, PAGE};
use crate::message::MessageNumber;
use crate::queue::Queue;
use crate::request::{
    CreateQueue, GetQueueAttributes, GetQueueUrl, ListQueues, SetQueueAttributes,
    StartMessageMoveTask,
};
use crate::response::{Attributes, MoveTask, QueueUrl, QueueUrls, Response, SourceQueueUrls};

const ALL: &str = "All";

impl Queues {
    pub(super) fn create(
        &mut self,
        create: &CreateQueue,
        now: Millis,
    ) -> Result<Response, ApiError> {
        let name = &create.queue_name;
        check_name(name)?;
        let queue_url = self.queue_url(name);
        let mut attributes = QueueAttributes::default();
        attributes.set(&create.attributes)?;
        if attributes.fifo != name.strip_suffix(".fifo").is_some() {
            let reason = "The name of a FIFO queue can only include alphanumeric characters, \
                hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length, and \
                FifoQueue must be true.";
            return Err(ApiError::value(name, "QueueName", reason));
        }
        if let Some(queue) = self.by_name.get(name) {
            let found = queue.record.attributes.texts();
            let given = attributes.texts();
            let differs = |name: &&String| given.get(*name) != found.get(*name);
            if let Some(name) = create.attributes.keys().find(differs) {
                let message = format!(
                    "A queue already exists with the same name and a different value for \
                     attribute {name}"
                );
                return Err(ApiError::new(ErrorKind::QueueNameExists, message));
            }
            return Ok(Response::Queue(QueueUrl { queue_url }));
        }
        self.check_redrive(&attributes, name)?;
        self.last_queue += 1;
        let record = QueueRecord {
            name: name.clone(),
            attributes,
            created: now,
            modified: now,
        };
        let stored = Change::PutQueue(self.last_queue, record.clone());
        self.changes.push(stored);
        let queue = Queue::new(self.last_queue, record);
        self.by_name.insert(name.clone(), queue);
        Ok(Response::Queue(QueueUrl { queue_url }))
    }

    /// The target of a redrive policy exists and is of the same kind.
    fn check_redrive(&self, attributes: &QueueAttributes, name: &str) -> Result<(), ApiError> {
        let Some(redrive) = &attributes.redrive else {
            return Ok(());
        };
        let reason = match self.by_name.get(name_in_arn(&redrive.target)) {
            _ if name_in_arn(&redrive.target) == name => {
                "A queue cannot be its own dead letter target."
            }
            None => "Dead letter target does not exist.",
            Some(target) if target.is_fifo() != attributes.fifo => {
                "Dead-letter queue must be same type of queue as the source."
            }
            Some(_) => return Ok(()),
        };
        Err(ApiError::value(&redrive.target, "RedrivePolicy", reason))
    }

    pub(super) fn set_attributes(
        &mut self,
        set: &SetQueueAttributes,
        now: Millis,
    ) -> Result<Response, ApiError> {
        let queue = self.existing(&set.queue_url)?;
        let mut attributes = queue.record.attributes.clone();
        attributes.set(&set.attributes)?;
        if attributes.fifo != queue.is_fifo() {
            let message = "Invalid value for the parameter FifoQueue. Reason: Modifying queue type \
                is not supported.";
            return Err(ApiError::new(ErrorKind::InvalidAttributeValue, message));
        }
        self.check_redrive(&attributes, &queue.record.name)?;
        let (queue, changes) = self.queue(&set.queue_url)?;
        queue.record.attributes = attributes;
        queue.record.modified = now;
        changes.push(Change::PutQueue(queue.id, queue.record.clone()));
        Ok(Response::DONE)
    }

    pub(super) fn delete_queue(&mut self, url: &str) -> Result<Response, ApiError> {
        let id = self.existing(url)?.id;
        self.by_name.remove(Self::name_of(url));
        self.changes.push(Change::RemoveQueue(id));
        Ok(Response::DONE)
    }

    pub(super) fn purge(&mut self, url: &str) -> Result<Response, ApiError> {
        let (queue, changes) = self.queue(url)?;
        queue.clear(changes);
        Ok(Response::DONE)
    }

    pub(super) fn url(&self, get: &GetQueueUrl) -> Result<Response, ApiError> {
        self.existing(&get.queue_name)?;
        let queue_url = self.queue_url(&get.queue_name);
        Ok(Response::Queue(QueueUrl { queue_url }))
    }

    pub(super) fn list(&self, list: &ListQueues) -> Result<Response, ApiError> {
        let prefix = list.queue_name_prefix.as_deref().unwrap_or_default();
        let max = list.max_results.unwrap_or(*PAGE.end());
        let max = within("MaxResults", max, &PAGE)? as usize;
        let after = list.next_token.as_deref().unwrap_or_default();
        let names = self.by_name.keys().map(String::as_str);
        let mut names = names.filter(|name| name.starts_with(prefix) && *name > after);
        let page: Vec<&str> = names.by_ref().take(max).collect();
        // without MaxResults the service returns 1,000 queues and no token
        let more = list.max_results.is_some() && names.next().is_some();
        Ok(Response::Queues(QueueUrls {
            next_token: page.last().filter(|_| more).map(|name| (*name).to_owned()),
            queue_urls: page.into_iter().map(|name| self.queue_url(name)).collect(),
        }))
    }

    pub(super) fn dead_letter_sources(&self, url: &str) -> Result<Response, ApiError> {
        let target = &self.existing(url)?.record.name;
        let sources = self.by_name.values().filter(|queue| {
            let redrive = queue.record.attributes.redrive.as_ref();
            redrive.is_some_and(|redrive| name_in_arn(&redrive.target) == target)
        });
        let queue_urls = sources.map(|queue| self.queue_url(&queue.record.name));
        Ok(Response::SourceQueues(SourceQueueUrls {
            queue_urls: queue_urls.collect(),
        }))
    }

    pub(super) fn attributes(
        &mut self,
        get: &GetQueueAttributes,
        now: Millis,
    ) -> Result<Response, ApiError> {
        let (queue, changes) = self.queue(&get.queue_url)?;
        queue.expire(now, changes);
        let queue = self.existing(&get.queue_url)?;
        let record = &queue.record;
        let counts = queue.counts(now);
        let mut all = record.attributes.texts();
        let mut put = |name: &str, value: String| all.insert(name.to_owned(), value);
        put("QueueArn", self.arn(&record.name));
        put("CreatedTimestamp", (record.created / 1000).to_string());
        put(
            "LastModifiedTimestamp",
            (record.modified / 1000).to_string(),
        );
        put("ApproximateNumberOfMessages", counts.visible.to_string());
        let hidden = counts.in_flight.to_string();
        put("ApproximateNumberOfMessagesNotVisible", hidden);
        let delayed = counts.delayed.to_string();
        put("ApproximateNumberOfMessagesDelayed", delayed);
        let names = &get.attribute_names;
        if let Some(other) = names.iter().find(|name| !is_attribute(name)) {
            return Err(unknown(other));
        }
        let every = names.iter().any(|name| name == ALL);
        all.retain(|name, _| every || names.contains(name));
        Ok(Response::Attributes(Attributes { attributes: all }))
    }

    /// Moves all messages of a dead-letter queue back to their sources, or to one queue, at once.
    pub(super) fn move_messages(
        &mut self,
        start: &StartMessageMoveTask,
        context: &mut Context<'_>,
    ) -> Result<Response, ApiError> {
        let missing = |arn: &str| {
            let message =
                format!("The resource that you specified for the ARN {arn} doesn't exist.");
            ApiError::new(ErrorKind::ResourceNotFound, message)
        };
        let source = name_in_arn(&start.source_arn);
        let numbers: Vec<MessageNumber> = match self.by_name.get(source) {
            Some(queue) => queue.numbers(),
            None => return Err(missing(&start.source_arn)),
        };
        let is_target = self.by_name.values().any(|queue| {
            let redrive = queue.record.attributes.redrive.as_ref();
            redrive.is_some_and(|redrive| name_in_arn(&redrive.target) == source)
        });
        if !is_target {
            let reason = "Source queue must be configured as a Dead Letter Queue.";
            return Err(ApiError::value(&start.source_arn, "SourceArn", reason));
        }
        if let Some(arn) = &start.destination_arn
            && !self.by_name.contains_key(name_in_arn(arn))
        {
            return Err(missing(arn));
        }
        for number in numbers {
            self.move_back(
                source,
                number,
                start.destination_arn.as_deref(),
                context.now,
            );
        }
        let task_handle = format!("{:032x}", (context.random)());
        Ok(Response::MoveTask(MoveTask { task_handle }))
    }

    /// A message without a queue to go to stays, and so does one in flight.
    fn move_back(&mut self, from: &str, number: MessageNumber, to: Option<&str>, now: Millis) {
        let message = self.by_name.get(from).and_then(|queue| queue.get(number));
        let Some(message) = message.filter(|message| !message.is_in_flight(now)) else {
            return;
        };
        let source = message.delivery.dead_letter_source.as_deref();
        let Some(name) = to.or(source).map(|arn| name_in_arn(arn).to_owned()) else {
            return;
        };
        if self.by_name.contains_key(&name) {
            self.transfer(from, number, &name, None, now);
        }
    }
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let bare = name.strip_suffix(".fifo").unwrap_or(name);
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !bare.is_empty() && name.len() <= MAX_NAME && bare.bytes().all(valid) {
        return Ok(());
    }
    let message = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in \
        length";
    Err(ApiError::new(ErrorKind::InvalidParameterValue, message))
}

/// Whether a queue may have an attribute of this name, or it is `All`.
fn is_attribute(name: &str) -> bool {
    let of_all = [
        ALL,
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesDelayed",
        "ApproximateNumberOfMessagesNotVisible",
        "CreatedTimestamp",
        "LastModifiedTimestamp",
        "QueueArn",
        "RedrivePolicy",
    ];
    let fifo = BTreeMap::from([("FifoQueue".to_owned(), "true".to_owned())]);
    let mut attributes = QueueAttributes::default();
    let settable = attributes.set(&fifo).is_ok() && attributes.texts().contains_key(name);
    settable || of_all.contains(&name) || crate::attributes::WITHOUT_EFFECT.contains(&name)
}
