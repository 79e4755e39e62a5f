//! What becomes of events that nobody waits for.

use std::time::Duration;

/// `EventInvokeConfig` and `DeadLetterQueue` of a function: how often an event is tried, and who hears of its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventInvoke {
    /// `MaximumRetryAttempts`: tries after the first that ended in a function error, 0..=2. Default 2.
    pub max_retries: u32,
    /// `MaximumEventAgeInSeconds`: an event older than this is given up, 60 s..=6 h. Default 6 h.
    pub max_age: Duration,
    /// Who is told of an event that the function answered.
    pub on_success: Option<EventTarget>,
    /// Who is told of an event that is given up.
    pub on_failure: Option<EventTarget>,
    /// ARN of the queue that gets the events themselves that are given up.
    pub dead_letters: Option<String>,
}

/// The longest that Lambda keeps an event, and how long it keeps one unless told otherwise.
pub const MAX_EVENT_AGE: Duration = Duration::from_hours(6);

/// Most retries after function errors, and how many there are unless told otherwise.
pub const MAX_EVENT_RETRIES: u32 = 2;

impl Default for EventInvoke {
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

impl EventInvoke {
    /// ARNs of the queues that are told of ends.
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

/// Where a record of an event's end is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventTarget {
    /// A standard queue, by ARN.
    Queue(String),
    /// A function of the template, by logical id. It is invoked asynchronously in its turn.
    Function(String),
}
