//! What is known of an event besides its payload; as it stands on disk.

use crate::Millis;
use serde::{Deserialize, Serialize};

/// Number of an event in the store, in the order of acceptance.
pub type EventId = u64;

/// An accepted event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedEvent {
    /// Function's logical id.
    pub function: String,
    /// The same for every try.
    pub request_id: String,
    /// `X-Amzn-Trace-Id` to pass on.
    pub trace_id: Option<String>,
    /// When it was accepted.
    pub accepted: Millis,
    /// Invocations that ran to an end. One that the host's death cut off is not among them.
    pub invoked: u32,
    /// How far it is.
    pub stage: EventStage,
}

/// Where an event is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventStage {
    /// It has to run.
    Waiting {
        /// Tries that ended in a function error.
        failed: u32,
        /// Tries in a row that did not begin.
        delayed: u32,
        /// Not before this time.
        due: Millis,
    },
    /// It has ended, and these have to be told.
    Ended {
        /// How.
        condition: Condition,
        /// When.
        at: Millis,
        /// Who has not been told yet.
        targets: Vec<EventDestination>,
    },
}

/// How an event ended, in the words of the destinations' records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// The function answered.
    Success,
    /// It failed more often than it is tried again, or it may never run.
    RetriesExhausted,
    /// The event grew too old.
    EventAgeExceeded,
}

impl Condition {
    /// The word of the record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
        }
    }
}

/// Who is told of the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventDestination {
    /// A queue, by ARN: gets the record.
    Queue(String),
    /// A function, by logical id: gets the record as an event.
    Function(String),
    /// A dead-letter queue, by ARN: gets the event itself.
    DeadLetters(String),
}
