//! Derives the policies of asynchronous invocations from the application.

use std::collections::BTreeMap;

use event_sources::Millis;
use event_sources::asynchronous::{EventDestination, EventInvokePolicy, RetryTiming};

use crate::instances::arn;
use crate::sources::sqs::Sqs;
use sam_template::model::{Application, EventTarget};

/// Policies of all functions, and what deliveries need.
#[derive(Debug, Clone)]
pub struct AsyncSettings {
    pub(super) policies: BTreeMap<String, EventInvokePolicy>,
    pub(super) timing: RetryTiming,
    /// The SQS server; present if the template has queues.
    pub(super) sqs: Option<Sqs>,
    /// ARNs of the functions, by logical id.
    pub(super) arns: BTreeMap<String, String>,
}

impl AsyncSettings {
    /// `concurrency`: of a function that reserves none.
    pub fn of(app: &Application, concurrency: usize, aws_timing: bool) -> Self {
        let policies = app.functions.values().map(|function| {
            let config = app
                .event_invoke
                .get(&function.id)
                .cloned()
                .unwrap_or_default();
            let target = |target: EventTarget| match target {
                EventTarget::Queue(arn) => EventDestination::Queue(arn),
                EventTarget::Function(id) => EventDestination::Function(id),
            };
            let policy = EventInvokePolicy {
                max_retries: config.max_retries,
                max_age: config.max_age.as_millis() as Millis,
                concurrency: function.max_invocations(concurrency),
                on_success: config.on_success.map(target).into_iter().collect(),
                on_failure: config
                    .on_failure
                    .map(target)
                    .into_iter()
                    .chain(config.dead_letters.map(EventDestination::DeadLetters))
                    .collect(),
            };
            (function.id.clone(), policy)
        });
        Self {
            policies: policies.collect(),
            timing: if aws_timing {
                RetryTiming::AWS
            } else {
                RetryTiming::SHORT
            },
            sqs: Sqs::of(app),
            arns: app
                .functions
                .values()
                .map(|function| (function.id.clone(), arn(function)))
                .collect(),
        }
    }
}
