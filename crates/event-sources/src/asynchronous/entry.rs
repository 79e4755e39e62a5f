//! The state of an accepted event, in the form in which a host stores it beside the payload.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// Number of an event in the store; later events have higher numbers.
pub type EventId = u64;

/// An accepted event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedEvent {
    /// Function's logical id.
    pub function: String,
    /// The request id of every attempt.
    pub request_id: String,
    /// `X-Amzn-Trace-Id` to pass on.
    pub trace_id: Option<String>,
    /// When it was accepted.
    pub accepted: Millis,
    /// Invocations that ended. One that was cut off by the end of the host is not counted.
    pub invoked: u32,
    /// The next thing to do.
    pub stage: EventStage,
}

/// What an event waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventStage {
    /// The next attempt.
    Waiting {
        /// Attempts that ended in a function error.
        failed: u32,
        /// Consecutive attempts that did not begin.
        delayed: u32,
        /// Earliest time of the next attempt.
        due: Millis,
    },
    /// Delivery to its destinations, after the last attempt.
    Ended {
        /// How the event ended.
        condition: Condition,
        /// When it ended.
        at: Millis,
        /// Destinations that have not received it yet.
        targets: Vec<EventDestination>,
    },
}

/// How an event ended: `condition` of the record that destinations receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// The function answered.
    Success,
    /// The last retry failed, or the function may not run.
    RetriesExhausted,
    /// The event exceeded its maximum age.
    EventAgeExceeded,
}

impl Condition {
    /// The value in the record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
        }
    }
}

/// Receives an event that has ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventDestination {
    /// A queue, by ARN: receives the record.
    Queue(String),
    /// A function, by logical id: receives the record as its event.
    Function(String),
    /// A dead-letter queue, by ARN: receives the event itself.
    DeadLetters(String),
}
