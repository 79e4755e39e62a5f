//! `DestinationConfig` of a mapping.

use super::super::queues::is_queue_arn;
use super::topics::{self, is_topic};
use crate::document::Reader;
use crate::model::Destination;
use crate::model::sqs::{is_fifo, name_of};

pub(super) fn read(reader: &Reader<'_>) -> Option<Destination> {
    let on_failure = reader.child("DestinationConfig")?.child("OnFailure")?;
    on_failure.only("Destination Type");
    let remedy = "Write the ARN of a queue (`!GetAtt Failed.Arn`), or kafka://topic. For an event \
        source SAM creates no queue of its own.";
    let target = on_failure.required("Destination", remedy)?;
    let line = on_failure.line("Destination");
    if let Some(topic) = target.strip_prefix("kafka://") {
        if !is_topic(topic) {
            let message = format!("'{topic}' is not a topic's name. {}", topics::REMEDY);
            reader.error_on(line, &message);
        }
        return Some(Destination::KafkaTopic(topic.to_owned()));
    }
    if is_queue_arn(target) && !is_fifo(name_of(target)) {
        return Some(Destination::Sqs(target.to_owned()));
    }
    let why = match target.split(':').nth(2) {
        Some("sqs") => format!(
            "{target} is not a standard queue, and only a standard queue can be the destination \
             of a mapping"
        ),
        Some(service @ ("s3" | "sns")) => format!(
            "records cannot be sent to {target} from here: there is no {} on this machine",
            service.to_uppercase()
        ),
        _ => format!("records cannot be sent to {target} from here"),
    };
    reader.error_on(line, &format!("{why}. {remedy}"));
    None
}
