//! `EventInvokeConfig` and `DeadLetterQueue` of a function, and `AWS::Lambda::EventInvokeConfig`.

use std::collections::BTreeSet;
use std::time::Duration;

use super::functions::{KIND, by_name, check_qualifier};
use super::queues;
use super::resources::Resource;
use super::scope::Scope;
use crate::document::Reader;
use crate::model::asynchronous::{MAX_EVENT_AGE, MAX_EVENT_RETRIES};
use crate::model::sqs::{is_fifo, name_of};
use crate::model::{Application, EventInvokeConfig, EventTarget};

/// Type of the resource.
const RESOURCE_TYPE: &str = "AWS::Lambda::EventInvokeConfig";

const SETTINGS: &str = "MaximumEventAgeInSeconds MaximumRetryAttempts DestinationConfig";

/// Reads every function's settings. Functions and queues must have been read.
pub(super) fn read(scope: &Scope<'_>, application: &mut Application) {
    for resource in scope.of_kind(KIND) {
        if !application.skipped.contains_key(&resource.id) {
            of_function(resource, scope, application);
        }
    }
    // Functions with a resource of their own.
    let mut configured = BTreeSet::new();
    for resource in scope.of_kind(RESOURCE_TYPE) {
        long_hand(resource, scope, &mut configured, application);
    }
}

fn of_function(resource: &Resource, scope: &Scope<'_>, application: &mut Application) {
    let Some(properties) = resource.resolved("EventInvokeConfig DeadLetterQueue", scope) else {
        return;
    };
    let reader = Reader::new(&properties, resource.what(), scope.problems);
    let before = scope.problems.failures();
    let dead_letters = dead_letters(&reader);
    let config = reader.child("EventInvokeConfig");
    if config.is_none() && dead_letters.is_none() {
        return;
    }
    let mut read = EventInvokeConfig::default();
    if let Some(config) = config {
        config.only(SETTINGS);
        read = settings(&config, &resource.id, true, scope, application);
    }
    read.dead_letters = dead_letters;
    if scope.problems.failures() == before {
        application.event_invoke.insert(resource.id.clone(), read);
    }
}

fn long_hand(
    resource: &Resource,
    scope: &Scope<'_>,
    configured: &mut BTreeSet<String>,
    application: &mut Application,
) {
    let known = format!("FunctionName Qualifier {SETTINGS}");
    resource.written(scope.problems).only(&known);
    let Some(properties) = resource.resolved(&known, scope) else {
        return;
    };
    let reader = Reader::new(&properties, resource.what(), scope.problems);
    let before = scope.problems.failures();
    let line = reader.line("FunctionName");
    let what = &reader.what;
    let Some(name) = reader.required("FunctionName", "Write `FunctionName: !Ref Function`.") else {
        return;
    };
    let Some(function) = by_name(name, scope) else {
        let message = format!(
            "{what} is for the function {name}, which is not one that runs here; it is left out."
        );
        scope.problems.warn(line, message);
        return;
    };
    if application.skipped.contains_key(&function) {
        let message =
            format!("{what} is left out: its function {function} is not run by this host.");
        scope.problems.warn(line, message);
        return;
    }
    // Every alias and version runs the same build, so the settings apply to all events.
    check_qualifier(name, &function, scope, what, line);
    if let Some(qualifier) = reader.text("Qualifier") {
        let named = format!("{function}:{qualifier}");
        check_qualifier(&named, &function, scope, what, reader.line("Qualifier"));
    }
    if !configured.insert(function.clone()) {
        let message = format!(
            "{function} has such settings already, for another version or alias. Here they are \
             one, and these hold."
        );
        reader.warn_on(reader.node.line, &message);
    }
    let mut read = settings(&reader, &function, false, scope, application);
    if scope.problems.failures() == before {
        let own = application.event_invoke.remove(&function);
        read.dead_letters = own.and_then(|own| own.dead_letters);
        application.event_invoke.insert(function, read);
    }
}

fn settings(
    reader: &Reader<'_>,
    function: &str,
    sam: bool,
    scope: &Scope<'_>,
    application: &mut Application,
) -> EventInvokeConfig {
    let oldest = MAX_EVENT_AGE.as_secs();
    let age = reader.number("MaximumEventAgeInSeconds", 60..=oldest as i64);
    let retries = reader.number("MaximumRetryAttempts", 0..=i64::from(MAX_EVENT_RETRIES));
    let destinations = reader.child("DestinationConfig");
    if let Some(destinations) = &destinations {
        destinations.only("OnSuccess OnFailure");
    }
    let mut target_of = |key: &str| {
        let destination = destinations.as_ref()?.child(key)?;
        target(&destination, key, function, sam, scope, application)
    };
    EventInvokeConfig {
        max_age: age.map_or(MAX_EVENT_AGE, |seconds| Duration::from_secs(seconds as u64)),
        max_retries: retries.map_or(MAX_EVENT_RETRIES, |n| n as u32),
        on_success: target_of("OnSuccess"),
        on_failure: target_of("OnFailure"),
        dead_letters: None,
    }
}

fn target(
    reader: &Reader<'_>,
    key: &str,
    function: &str,
    sam: bool,
    scope: &Scope<'_>,
    application: &mut Application,
) -> Option<EventTarget> {
    reader.only(if sam {
        "Destination Type"
    } else {
        "Destination"
    });
    let kind = reader.text("Type");
    if sam && kind == Some("SQS") && reader.get("Destination").is_none() {
        // The logical id that SAM generates, which references use.
        let id = format!("{function}EventInvokeConfig{key}Queue");
        let queue = queues::made_by_sam(&id, scope);
        let arn = queue.arn.clone();
        application.queues.push(queue);
        return Some(EventTarget::Queue(arn));
    }
    let remedy =
        "Write the ARN of a queue (`!GetAtt Failed.Arn`) or of a function of this template.";
    let target = reader.required("Destination", remedy)?;
    let arn = Some(target).filter(|target| target.starts_with("arn:"));
    let why = match arn.and_then(|arn| arn.split(':').nth(2)) {
        Some("sqs") if is_fifo(name_of(target)) => {
            format!("{target} is a FIFO queue, and Lambda sends records to standard queues only")
        }
        Some("sqs") => return Some(EventTarget::Queue(target.to_owned())),
        Some("lambda") => match by_name(target, scope) {
            Some(id) if id == function => {
                "it is the function itself, and would run without end".to_owned()
            }
            Some(id) if application.skipped.contains_key(&id) => {
                let message = format!(
                    "{key} is left out: {id} is not run by this host, and gets no records."
                );
                reader.warn("Destination", &message);
                return None;
            }
            Some(id) => return Some(EventTarget::Function(id)),
            None => format!("{target} is not a function of this template"),
        },
        Some(service @ ("sns" | "events" | "s3")) => format!(
            "records cannot be sent to {target} from here: there is no {service} on this machine"
        ),
        _ => format!("'{target}' is not the ARN of a queue or a function"),
    };
    reader.error("Destination", &format!("{why}. {remedy}"));
    None
}

/// `DeadLetterQueue: {Type: SQS, TargetArn: ...}`.
fn dead_letters(reader: &Reader<'_>) -> Option<String> {
    let reader = reader.child("DeadLetterQueue")?;
    reader.only("TargetArn Type");
    let remedy = "Write `DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt DeadLetters.Arn}`.";
    match reader.text("Type") {
        Some("SQS") | None => {}
        Some(other) => {
            let why = if other == "SNS" {
                "there is no SNS on this machine"
            } else {
                "Type is SQS or SNS"
            };
            reader.error("Type", &format!("{why}. {remedy}"));
            return None;
        }
    }
    let target = reader.required("TargetArn", remedy)?;
    if queues::is_queue_arn(target) && !is_fifo(name_of(target)) {
        return Some(target.to_owned());
    }
    let message = format!("'{target}' is not the ARN of a standard queue. {remedy}");
    reader.error("TargetArn", &message);
    None
}
