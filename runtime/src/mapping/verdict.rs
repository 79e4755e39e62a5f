//! What the end of an invocation means for its batch.

use super::{Finish, Partition, failures};
use crate::invocation::{Outcome, Rejected, Response};

/// Reads an invocation's result. `partial`: the answer may name records that failed; `partition` knows those of the batch by
/// their name in the event. Beside the verdict: why an answer counts as a failure.
pub fn verdict(
    result: &Result<Response, Rejected>,
    partial: bool,
    partition: impl Fn(&str) -> Option<Partition>,
) -> (Finish, Option<String>) {
    match result {
        Ok(Response {
            outcome: Outcome::Answer(answer),
            ..
        }) if partial => match failures(answer, partition) {
            Ok(failures) => (Finish::Answered(failures), None),
            Err(why) => (Finish::Failed, Some(why)),
        },
        // whatever it says
        Ok(Response {
            outcome: Outcome::Answer(_),
            ..
        }) => (Finish::Answered(Vec::new()), None),
        Ok(Response {
            outcome: Outcome::Interrupted(_),
            ..
        })
        | Err(Rejected::Throttled(_) | Rejected::NoCapacity { .. } | Rejected::ShuttingDown) => {
            (Finish::NotInvoked, None)
        }
        Ok(Response {
            outcome: Outcome::Error(_),
            ..
        })
        | Err(Rejected::NotFound(_) | Rejected::TooLarge(_)) => (Finish::Failed, None),
    }
}
