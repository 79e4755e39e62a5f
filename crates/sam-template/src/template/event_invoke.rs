//! `EventInvokeConfig` and `DeadLetterQueue` of a function, and `AWS::Lambda::EventInvokeConfig`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use super::functions::{KIND, by_name, check_qualifier};
use super::queues;
use super::resources::Resource;
use super::scope::Scope;
use crate::document::{Problems, Reader};
use crate::model::asynchronous::{MAX_EVENT_AGE, MAX_EVENT_RETRIES};
use crate::model::sqs::{is_fifo, name_of};
use crate::model::{Application, EventInvokeConfig, EventTarget};

/// Type of the resource.
pub(super) const RESOURCE_TYPE: &str = "AWS::Lambda::EventInvokeConfig";

const SETTINGS: [&str; 3] = [
    "MaximumEventAgeInSeconds",
    "MaximumRetryAttempts",
    "DestinationConfig",
];

/// The template's resources and what they are resolved with.
struct Reading<'r, 's> {
    resources: &'r [Resource],
    scope: &'r Scope<'s>,
    /// Functions with a resource of type [`RESOURCE_TYPE`].
    configured: RefCell<BTreeSet<String>>,
}

/// Reads every function's settings. Functions and queues must have been read.
pub(super) fn read(
    resources: &[Resource],
    scope: &Scope<'_>,
    application: &mut Application,
    problems: &mut Problems,
) {
    let room = Reading {
        resources,
        scope,
        configured: RefCell::default(),
    };
    let run = |resource: &&Resource| {
        resource.kind == KIND && !application.skipped.contains_key(&resource.id)
    };
    let functions: Vec<&Resource> = resources.iter().filter(run).collect();
    for resource in functions {
        room.function(resource, application, problems);
    }
    for resource in resources.iter().filter(|r| r.kind == RESOURCE_TYPE) {
        room.long_hand(resource, application, problems);
    }
}

impl Reading<'_, '_> {
    fn function(
        &self,
        resource: &Resource,
        application: &mut Application,
        problems: &mut Problems,
    ) {
        let Some(properties) = resource.resolved(
            &["EventInvokeConfig", "DeadLetterQueue"],
            self.scope,
            problems,
        ) else {
            return;
        };
        let reader = Reader::new(&properties, format!("function {}", resource.id));
        let before = problems.failures();
        let dead_letters = dead_letters(&reader, problems);
        let config = reader.child("EventInvokeConfig", problems);
        if config.is_none() && dead_letters.is_none() {
            return;
        }
        let mut read = EventInvokeConfig::default();
        if let Some(config) = config {
            config.only(&SETTINGS, problems);
            read = self.settings(&config, &resource.id, true, application, problems);
        }
        if problems.failures() == before {
            application.event_invoke.insert(
                resource.id.clone(),
                EventInvokeConfig {
                    dead_letters,
                    ..read
                },
            );
        }
    }

    fn long_hand(
        &self,
        resource: &Resource,
        application: &mut Application,
        problems: &mut Problems,
    ) {
        let known = [
            "FunctionName",
            "Qualifier",
            SETTINGS[0],
            SETTINGS[1],
            SETTINGS[2],
        ];
        let what = format!("{} ({RESOURCE_TYPE})", resource.id);
        Reader::new(&resource.properties, what.clone()).only(&known, problems);
        let Some(properties) = resource.resolved(&known, self.scope, problems) else {
            return;
        };
        let reader = Reader::new(&properties, what);
        let before = problems.failures();
        let Some(name) = reader.required(
            "FunctionName",
            "Write `FunctionName: !Ref Function`.",
            problems,
        ) else {
            return;
        };
        let Some(function) = by_name(name, self.resources, self.scope) else {
            problems.warn(
                reader.line("FunctionName"),
                format!(
                    "{} is for the function {name}, which is not one that runs here; it is left \
                     out.",
                    reader.what
                ),
            );
            return;
        };
        if application.skipped.contains_key(&function) {
            let message = format!(
                "{} is left out: its function {function} is not run by this host.",
                reader.what
            );
            problems.warn(reader.line("FunctionName"), message);
            return;
        }
        // Every alias and version runs the same build, so the settings apply to all events.
        check_qualifier(
            name,
            &function,
            self.scope,
            &reader.what,
            reader.line("FunctionName"),
            problems,
        );
        if let Some(qualifier) = reader.text("Qualifier", problems) {
            let named = format!("{function}:{qualifier}");
            check_qualifier(
                &named,
                &function,
                self.scope,
                &reader.what,
                reader.line("Qualifier"),
                problems,
            );
        }
        if !self.configured.borrow_mut().insert(function.clone()) {
            let message = format!(
                "{}: {function} has such settings already, for another version or alias. Here \
                 they are one, and these hold.",
                reader.what
            );
            problems.warn(reader.node.line, message);
        }
        let read = self.settings(&reader, &function, false, application, problems);
        if problems.failures() == before {
            let dead_letters = application
                .event_invoke
                .remove(&function)
                .and_then(|own| own.dead_letters);
            application.event_invoke.insert(
                function,
                EventInvokeConfig {
                    dead_letters,
                    ..read
                },
            );
        }
    }

    fn settings(
        &self,
        reader: &Reader<'_>,
        function: &str,
        sam: bool,
        application: &mut Application,
        problems: &mut Problems,
    ) -> EventInvokeConfig {
        let oldest = MAX_EVENT_AGE.as_secs();
        let age = reader
            .number("MaximumEventAgeInSeconds", 60..=oldest as i64, problems)
            .map_or(oldest, |seconds| seconds as u64);
        let retries = reader.number(
            "MaximumRetryAttempts",
            0..=i64::from(MAX_EVENT_RETRIES),
            problems,
        );
        let mut read = EventInvokeConfig {
            max_age: Duration::from_secs(age),
            max_retries: retries.map_or(MAX_EVENT_RETRIES, |n| n as u32),
            ..EventInvokeConfig::default()
        };
        let Some(destinations) = reader.child("DestinationConfig", problems) else {
            return read;
        };
        destinations.only(&["OnSuccess", "OnFailure"], problems);
        read.on_success = self.destination(
            &destinations,
            "OnSuccess",
            function,
            sam,
            application,
            problems,
        );
        read.on_failure = self.destination(
            &destinations,
            "OnFailure",
            function,
            sam,
            application,
            problems,
        );
        read
    }

    fn destination(
        &self,
        reader: &Reader<'_>,
        key: &str,
        function: &str,
        sam: bool,
        application: &mut Application,
        problems: &mut Problems,
    ) -> Option<EventTarget> {
        let reader = reader.child(key, problems)?;
        reader.only(
            if sam {
                &["Destination", "Type"]
            } else {
                &["Destination"]
            },
            problems,
        );
        let kind = reader.text("Type", problems);
        if sam && kind == Some("SQS") && reader.get("Destination").is_none() {
            // The logical id that SAM generates, which references use.
            let queue = queues::made_by_sam(
                &format!("{function}EventInvokeConfig{key}Queue"),
                self.scope,
            );
            let arn = queue.arn.clone();
            application.queues.push(queue);
            return Some(EventTarget::Queue(arn));
        }
        let remedy =
            "Write the ARN of a queue (`!GetAtt Failed.Arn`) or of a function of this template.";
        let target = reader.required("Destination", remedy, problems)?;
        let line = reader.line("Destination");
        let service = target
            .split(':')
            .nth(2)
            .filter(|_| target.starts_with("arn:"));
        let why = match service {
            Some("sqs") if is_fifo(name_of(target)) => {
                format!(
                    "{target} is a FIFO queue, and Lambda sends records to standard queues only"
                )
            }
            Some("sqs") => return Some(EventTarget::Queue(target.to_owned())),
            Some("lambda") => match by_name(target, self.resources, self.scope) {
                Some(id) if id == function => {
                    "it is the function itself, and would run without end".to_owned()
                }
                Some(id) if application.skipped.contains_key(&id) => {
                    let message = format!(
                        "{}: {key} is left out: {id} is not run by this host, and gets no records.",
                        reader.what
                    );
                    problems.warn(line, message);
                    return None;
                }
                Some(id) => return Some(EventTarget::Function(id)),
                None => format!("{target} is not a function of this template"),
            },
            Some(service @ ("sns" | "events" | "s3")) => {
                format!(
                    "records cannot be sent to {target} from here: there is no {service} on this \
                     machine"
                )
            }
            _ => format!("'{target}' is not the ARN of a queue or a function"),
        };
        problems.error(line, format!("{}: {why}. {remedy}", reader.what));
        None
    }
}

/// `DeadLetterQueue: {Type: SQS, TargetArn: ...}`.
fn dead_letters(reader: &Reader<'_>, problems: &mut Problems) -> Option<String> {
    let reader = reader.child("DeadLetterQueue", problems)?;
    reader.only(&["TargetArn", "Type"], problems);
    let remedy = "Write `DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt DeadLetters.Arn}`.";
    match reader.text("Type", problems) {
        Some("SQS") | None => {}
        Some(other) => {
            let why = if other == "SNS" {
                "there is no SNS on this machine"
            } else {
                "Type is SQS or SNS"
            };
            problems.error(
                reader.line("Type"),
                format!("{}: {why}. {remedy}", reader.what),
            );
            return None;
        }
    }
    let target = reader.required("TargetArn", remedy, problems)?;
    if queues::is_queue_arn(target) && !is_fifo(name_of(target)) {
        return Some(target.to_owned());
    }
    problems.error(
        reader.line("TargetArn"),
        format!(
            "{}: '{target}' is not the ARN of a standard queue. {remedy}",
            reader.what
        ),
    );
    None
}
