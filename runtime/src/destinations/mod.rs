//! Delivery of failure records: what a destination (an SQS queue or a Kafka topic) receives about
//! records, messages and events that were discarded.
//!
//! `client` sends to the destination and classifies refusals; `forms` selects the next smaller form
//! of a record after a refusal (pure); `topic` sends to a topic, by a producer of its own.
//!
//! Guarantees: a delivery succeeds only after the destination has accepted every record or has
//! refused it in every form. A repeated delivery sends all of them again. Callers retry an
//! unavailable destination on their own schedule.

mod client;
mod forms;
mod topic;

pub(crate) use client::{DestinationClient, DestinationError};
pub(crate) use topic::{owned_headers, producer_config};

/// What a destination receives about discarded records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FailureRecord {
    /// The document, from the complete to the smallest version; at least one.
    pub(crate) bodies: Vec<Body>,
    /// What accompanies the document, until the destination refuses it.
    pub(crate) metadata: Metadata,
    /// Position of the discarded record, or of the first of several: the key in a topic that
    /// refuses the original one.
    pub(crate) position: String,
    /// Number of discarded records.
    pub(crate) records: u64,
}

/// Key, headers or attributes of a failure record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Metadata {
    None,
    /// Of the discarded Kafka record.
    KeyAndHeaders {
        key: Option<Vec<u8>>,
        headers: Vec<(String, Vec<u8>)>,
    },
    /// Message attributes of a queue.
    Attributes(Vec<MessageAttribute>),
}

/// Name, type and value of a message attribute.
pub(crate) type MessageAttribute = (&'static str, &'static str, String);

/// One version of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Body {
    /// Usually JSON; a dead-letter queue receives the event itself.
    pub(crate) text: String,
    /// Parts of the complete version are missing.
    pub(crate) reduced: bool,
}

impl Body {
    /// A complete document.
    pub(crate) fn complete(text: String) -> Self {
        Self {
            text,
            reduced: false,
        }
    }

    /// A document without some parts.
    pub(crate) fn reduced(text: String) -> Self {
        Self {
            text,
            reduced: true,
        }
    }
}

/// The result of a delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// Failure records that were accepted in a reduced form only.
    pub(crate) reduced: u64,
    /// Failure records that the destination refuses in every form.
    pub(crate) refused: Vec<RefusedRecord>,
}

/// A failure record that the destination refuses in every form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefusedRecord {
    /// [`FailureRecord::position`].
    pub(crate) position: String,
    /// Number of discarded records that it is about.
    pub(crate) records: u64,
    /// Error text of the destination.
    pub(crate) why: String,
}
