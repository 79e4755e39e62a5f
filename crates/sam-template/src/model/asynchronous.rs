//! Asynchronous invocation: retries, age limit and destinations of a function's events.

use std::time::Duration;

/// `EventInvokeConfig` and `DeadLetterQueue` of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventInvokeConfig {
    /// `MaximumRetryAttempts`: retries after a function error, 0..=2. Default 2.
    pub max_retries: u32,
    /// `MaximumEventAgeInSeconds`: an older event is discarded, 60 s..=6 h. Default 6 h.
    pub max_age: Duration,
    /// `OnSuccess`: receives a record of each event that succeeded.
    pub on_success: Option<EventTarget>,
    /// `OnFailure`: receives a record of each event that was discarded.
    pub on_failure: Option<EventTarget>,
    /// `DeadLetterQueue`: ARN of the queue that receives the discarded events themselves.
    pub dead_letters: Option<String>,
}

/// Upper bound and default of [`EventInvokeConfig::max_age`].
pub const MAX_EVENT_AGE: Duration = Duration::from_hours(6);

/// Upper bound and default of [`EventInvokeConfig::max_retries`].
pub const MAX_EVENT_RETRIES: u32 = 2;

impl Default for EventInvokeConfig {
    fn default() -> Self {
        Self {
            max_retries: MAX_EVENT_RETRIES,
            max_age: MAX_EVENT_AGE,
            on_success: None,
            on_failure: None,
            dead_letters: None,
        }
    }
}

impl EventInvokeConfig {
    /// ARNs of the queues that records and dead letters are sent to.
    pub fn queues(&self) -> impl Iterator<Item = &str> {
        let targets = self
            .on_success
            .iter()
            .chain(&self.on_failure)
            .filter_map(|target| match target {
                EventTarget::Queue(arn) => Some(arn.as_str()),
                EventTarget::Function(_) => None,
            });
        targets.chain(self.dead_letters.as_deref())
    }
}

/// Receives the record of an event's outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventTarget {
    /// A standard queue, by ARN.
    Queue(String),
    /// A function of the template, by logical id, which is invoked asynchronously.
    Function(String),
}
