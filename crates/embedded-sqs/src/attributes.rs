//! Attributes of a queue: their bounds, defaults and texts. Pure.
//!
//! Source: "`CreateQueue`" and "`SetQueueAttributes`", Amazon SQS API Reference.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{ApiError, ErrorKind, within};
use crate::limits::{DELAY, MESSAGE_SIZE, RECEIVES, RETENTION, VISIBILITY, WAIT};

/// Attributes of access and encryption: they are stored and have no effect.
pub(crate) const WITHOUT_EFFECT: [&str; 5] = [
    "Policy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
];

/// When a message becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedrivePolicy {
    /// ARN of the dead-letter queue.
    pub target: String,
    /// Receives of a message before it moves there.
    pub max_receives: u32,
}

/// The attributes of a queue.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an attribute of the API with the values true and false"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueAttributes {
    /// Seconds.
    pub visibility_timeout: u64,
    /// Seconds.
    pub retention: u64,
    /// Seconds.
    pub delay: u64,
    /// Seconds.
    pub wait: u64,
    /// Bytes.
    pub max_message: u64,
    /// The redrive policy.
    pub redrive: Option<RedrivePolicy>,
    /// Messages are ordered within their group.
    pub fifo: bool,
    /// The body of a message is its deduplication id.
    pub content_based: bool,
    /// A deduplication id is unique within its group only.
    pub deduplicates_groups: bool,
    /// The throughput limit is that of a group. Without effect.
    pub limit_of_groups: bool,
    /// Attributes without effect.
    pub other: BTreeMap<String, String>,
}

impl Default for QueueAttributes {
    fn default() -> Self {
        Self {
            visibility_timeout: 30,
            retention: 345_600,
            delay: 0,
            wait: 0,
            max_message: 1_048_576,
            redrive: None,
            fifo: false,
            content_based: false,
            deduplicates_groups: false,
            limit_of_groups: false,
            other: BTreeMap::new(),
        }
    }
}

impl QueueAttributes {
    /// Changes these attributes, or none of them if one is invalid.
    pub(crate) fn set(&mut self, values: &BTreeMap<String, String>) -> Result<(), ApiError> {
        let mut changed = self.clone();
        // the other ones of FIFO queues depend on it
        if let Some(value) = values.get("FifoQueue") {
            changed.fifo = flag("FifoQueue", value)?;
        }
        for (name, value) in values {
            changed.set_one(name, value)?;
        }
        *self = changed;
        Ok(())
    }

    fn set_one(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        match name {
            "VisibilityTimeout" => self.visibility_timeout = number(name, value, &VISIBILITY)?,
            "MessageRetentionPeriod" => self.retention = number(name, value, &RETENTION)?,
            "DelaySeconds" => self.delay = number(name, value, &DELAY)?,
            "ReceiveMessageWaitTimeSeconds" => self.wait = number(name, value, &WAIT)?,
            "MaximumMessageSize" => self.max_message = number(name, value, &MESSAGE_SIZE)?,
            "RedrivePolicy" => self.redrive = redrive(value)?,
            "FifoQueue" => self.fifo = flag(name, value)?,
            "ContentBasedDeduplication" => {
                self.of_fifo(name)?;
                self.content_based = flag(name, value)?;
            }
            "DeduplicationScope" => {
                self.of_fifo(name)?;
                self.deduplicates_groups = choice(name, value, ["queue", "messageGroup"])?;
            }
            "FifoThroughputLimit" => {
                self.of_fifo(name)?;
                self.limit_of_groups = choice(name, value, ["perQueue", "perMessageGroupId"])?;
            }
            _ if WITHOUT_EFFECT.contains(&name) => {
                if value.is_empty() {
                    self.other.remove(name);
                } else {
                    self.other.insert(name.to_owned(), value.to_owned());
                }
            }
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    fn of_fifo(&self, name: &str) -> Result<(), ApiError> {
        if self.fifo {
            return Ok(());
        }
        let message = format!(
            "You can specify the {name} only when FifoQueue is set to true (Unknown Attribute \
             {name}.)"
        );
        Err(ApiError::new(ErrorKind::InvalidAttributeName, message))
    }

    /// Every attribute that has a value, as text.
    pub(crate) fn texts(&self) -> BTreeMap<String, String> {
        let choose =
            |other: bool, [first, second]: [&str; 2]| if other { second } else { first }.to_owned();
        let mut texts = self.other.clone();
        let mut put = |name: &str, value: String| texts.insert(name.to_owned(), value);
        put("VisibilityTimeout", self.visibility_timeout.to_string());
        put("MessageRetentionPeriod", self.retention.to_string());
        put("DelaySeconds", self.delay.to_string());
        put("ReceiveMessageWaitTimeSeconds", self.wait.to_string());
        put("MaximumMessageSize", self.max_message.to_string());
        if let Some(RedrivePolicy {
            target,
            max_receives,
        }) = &self.redrive
        {
            let policy = serde_json::json!({
                "deadLetterTargetArn": target, "maxReceiveCount": max_receives,
            });
            put("RedrivePolicy", policy.to_string());
        }
        if self.fifo {
            put("FifoQueue", "true".to_owned());
            put("ContentBasedDeduplication", self.content_based.to_string());
            let scope = choose(self.deduplicates_groups, ["queue", "messageGroup"]);
            put("DeduplicationScope", scope);
            let limit = choose(self.limit_of_groups, ["perQueue", "perMessageGroupId"]);
            put("FifoThroughputLimit", limit);
        }
        texts
    }
}

/// The error of a name that no attribute has.
pub(crate) fn unknown(name: &str) -> ApiError {
    ApiError::new(
        ErrorKind::InvalidAttributeName,
        format!("Unknown Attribute {name}."),
    )
}

fn invalid(name: &str) -> ApiError {
    let message = format!("Invalid value for the parameter {name}.");
    ApiError::new(ErrorKind::InvalidAttributeValue, message)
}

fn number(
    name: &str,
    value: &str,
    bounds: &std::ops::RangeInclusive<i64>,
) -> Result<u64, ApiError> {
    let value = value.parse().map_err(|_| invalid(name))?;
    within(name, value, bounds).map_err(|_| invalid(name))
}

fn flag(name: &str, value: &str) -> Result<bool, ApiError> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(name)),
    }
}

/// Whether the value is the second choice.
fn choice(name: &str, value: &str, choices: [&str; 2]) -> Result<bool, ApiError> {
    let at = choices.iter().position(|choice| *choice == value);
    at.map(|at| at == 1).ok_or_else(|| invalid(name))
}

/// An empty text removes the policy. The number may be a text, as `CloudFormation` writes it.
fn redrive(value: &str) -> Result<Option<RedrivePolicy>, ApiError> {
    if value.is_empty() {
        return Ok(None);
    }
    let wrong = |reason: &str| ApiError::value(value, "RedrivePolicy", reason);
    let policy: BTreeMap<String, Value> = strict_json::from_str(value)
        .map_err(|_| wrong("Redrive policy is not a valid JSON map."))?;
    let target = policy.get("deadLetterTargetArn").and_then(Value::as_str);
    let target = target.ok_or_else(|| {
        wrong("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
    })?;
    let count = policy.get("maxReceiveCount").ok_or_else(|| {
        wrong("Redrive policy does not contain mandatory attribute: maxReceiveCount.")
    })?;
    let count = count
        .as_i64()
        .or_else(|| count.as_str()?.parse().ok())
        .filter(|count| RECEIVES.contains(count))
        .ok_or_else(|| wrong("Invalid value for maxReceiveCount. Must be between 1 and 1000."))?;
    Ok(Some(RedrivePolicy {
        target: target.to_owned(),
        max_receives: count as u32,
    }))
}
