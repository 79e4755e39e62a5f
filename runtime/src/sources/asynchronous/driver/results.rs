//! Classifies the results of attempts and deliveries.

use std::time::Instant;

use event_sources::asynchronous::{AcceptedEvent, AttemptResult, EventDestination, EventId};

use super::{DeliveryError, Run};
use crate::destinations::Delivered;
use crate::invocation::{Outcome, Rejected, Response};
use crate::sources::asynchronous::deliveries::describe;
use crate::sources::asynchronous::store::Answered;

impl Run {
    /// Reports the end of a delivery to the health of the function. Raises an alarm if the
    /// destination accepts no records at present, or refuses every version of this one.
    pub(super) fn report_delivery(
        &mut self,
        id: EventId,
        target: &EventDestination,
        sent: &Result<Delivered, DeliveryError>,
    ) {
        let Some(entry) = self.entry(id) else {
            return;
        };
        let to = describe(target);
        let refused = sent.as_ref().err().map(|why| {
            format!(
                "{to} does not accept the records of events ({why}); they are kept and sent again \
                 until it does. Repair or create {to}"
            )
        });
        self.queue.delivered(&entry.function, target, refused);
        match sent {
            Ok(delivered) => {
                self.refused.over(target);
                for refused in &delivered.refused {
                    tracing::error!(
                        alarm = "event_lost",
                        function = entry.function,
                        request_id = entry.request_id,
                        "the record of an event is lost: {to} refuses every version of it ({}). \
                         Raise MaximumMessageSize of the queue",
                        refused.why
                    );
                    self.queue.lost(entry.function.clone());
                }
            }
            Err(why) => {
                let text = why.to_string();
                if let Some(times) = self.refused.failed(Instant::now(), target.clone(), &text) {
                    tracing::error!(
                        alarm = "destination_refuses",
                        times,
                        "{to} does not accept the record of an event ({why}); the record is kept \
                         and sent again until it does"
                    );
                }
            }
        }
    }

    /// Classifies the end of an attempt, and keeps its answer for the record.
    pub(super) fn classify(
        &mut self,
        id: EventId,
        result: Result<Response, Rejected>,
    ) -> AttemptResult {
        let Some(AcceptedEvent { function, .. }) = self.entry(id) else {
            return AttemptResult::Never;
        };
        let policy = self.queue.0.settings.policies.get(&function);
        let may_run = policy.is_some_and(|policy| policy.concurrency > 0);
        match result {
            Ok(Response {
                outcome: Outcome::Answer(body),
                ..
            }) => {
                self.keep_answer(id, None, &body);
                AttemptResult::Answered
            }
            Ok(Response {
                outcome: Outcome::Interrupted(_),
                ..
            })
            | Err(Rejected::ShuttingDown) => AttemptResult::Stopped,
            Ok(Response {
                outcome: Outcome::Error(error),
                request_id,
            }) => {
                tracing::warn!(
                    function,
                    request_id,
                    error_type = error.error_type,
                    "an asynchronous event failed: {}",
                    error.message
                );
                self.keep_answer(id, Some(error.message), &error.body);
                AttemptResult::Failed
            }
            Err(Rejected::NoCapacity { .. }) => AttemptResult::NotBegun,
            Err(Rejected::Throttled(_)) if may_run => AttemptResult::NotBegun,
            Err(rejected) => {
                tracing::error!(function, %rejected, "an asynchronous event cannot run");
                AttemptResult::Never
            }
        }
    }

    fn keep_answer(&mut self, id: EventId, error: Option<String>, body: &[u8]) {
        let body = String::from_utf8_lossy(body).into_owned();
        self.answers.insert(id, Answered { error, body });
    }
}
