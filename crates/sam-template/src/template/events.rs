//! Triggers of the functions: their Events, APIs, and `AWS::Lambda::EventSourceMapping` resources.

use super::calls::{FOR_EACH, call, for_each};
use super::function_event::FunctionEvent;
use super::resources::{Resource, resolved};
use super::scope::Scope;
use super::{apis, functions, kafka, schedules, sqs};
use crate::document::{Entry, Kind, Node, Problems, Reader, nearest};
use crate::model::Application;
use crate::project::Project;

/// Event types of SAM that this host does not run. A test compares both lists with SAM's schema.
pub(super) const NOT_RUN: [&str; 12] = [
    "AlexaSkill",
    "CloudWatchEvent",
    "CloudWatchLogs",
    "Cognito",
    "DocumentDB",
    "DynamoDB",
    "EventBridgeRule",
    "IoTRule",
    "Kinesis",
    "MQ",
    "S3",
    "SNS",
];

pub(super) const RUN: [&str; 7] = [
    "Api",
    "HttpApi",
    "MSK",
    "Schedule",
    "ScheduleV2",
    "SelfManagedKafka",
    "SQS",
];

/// Reads every trigger into the application.
pub(super) fn read(
    resources: &[Resource],
    scope: &Scope<'_>,
    project: &Project,
    application: &mut Application,
    problems: &mut Problems,
) {
    apis::read(resources, scope, application, problems);
    for resource in resources
        .iter()
        .filter(|r| r.kind == "AWS::Serverless::Function")
    {
        // The check of shapes reports a list or a function call.
        let events = resource
            .properties
            .get("Events")
            .filter(|events| call(events).is_none());
        for entry in events.map_or(&[][..], Node::entries) {
            if application.skipped.contains_key(&resource.id) {
                route_of_skipped(resource, entry, scope, application);
            } else if entry.key.starts_with(FOR_EACH) {
                for_each(entry, problems);
            } else {
                one(resource, entry, scope, project, application, problems);
            }
        }
    }
    // An API without routes is not served.
    application.apis.retain(|api| !api.routes.is_empty());
    apis::read_function_urls(resources, scope, application, problems);
    for resource in resources
        .iter()
        .filter(|r| r.kind == "AWS::Lambda::EventSourceMapping")
    {
        mapping(resource, resources, scope, project, application, problems);
    }
}

/// Keeps the route of a function that is not run, which responds with an error: without it another
/// route of the API would receive its requests. Authorizers and mistakes in it are ignored.
fn route_of_skipped(
    resource: &Resource,
    entry: &Entry,
    scope: &Scope<'_>,
    application: &mut Application,
) {
    let properties = entry.value.get("Properties").map_or(&[][..], Node::entries);
    let properties = properties
        .iter()
        .filter(|property| property.key != "Auth")
        .cloned()
        .collect();
    let properties = Node::map(entry.line, properties);
    let id = format!("{}.{}", resource.id, entry.key);
    let event = FunctionEvent {
        function: &resource.id,
        id,
        line: entry.line,
        properties: &properties,
    };
    let mut ignored = Problems::new("");
    match entry.value.get("Type").and_then(Node::text) {
        Some("Api") => apis::read_rest_event(&event, scope, application, &mut ignored),
        Some("HttpApi") => apis::read_http_event(&event, scope, application, &mut ignored),
        _ => return,
    }
    // Only functions that run need keys for tokens.
    for route in application
        .apis
        .iter_mut()
        .flat_map(|api| &mut api.routes)
        .filter(|route| route.function == resource.id)
    {
        route.authorizer = None;
        route.scopes = Vec::new();
    }
}

/// Reads an `AWS::Lambda::EventSourceMapping`; the service in its source's ARN decides how.
fn mapping(
    resource: &Resource,
    resources: &[Resource],
    scope: &Scope<'_>,
    project: &Project,
    application: &mut Application,
    problems: &mut Problems,
) {
    let Some(source) = resolved(
        &resource.properties,
        &["EventSourceArn", "FunctionName"],
        scope,
        problems,
    ) else {
        return;
    };
    if let Some(named) = source.get("FunctionName")
        && let Some(id) = named
            .text()
            .and_then(|name| functions::by_name(name, resources, scope))
    {
        if application.skipped.contains_key(&id) {
            let message = format!(
                "mapping {} is left out: its function {id} is not run by this host.",
                resource.id
            );
            problems.warn(resource.line, message);
            return;
        }
        let what = format!("mapping {}", resource.id);
        functions::check_qualifier(
            named.text().unwrap_or_default(),
            &id,
            scope,
            &what,
            named.line,
            problems,
        );
    }
    let source = Reader::new(&source, format!("mapping {}", resource.id));
    let service = match source.text("EventSourceArn", problems) {
        None if source.has("EventSourceArn") => return,
        arn => arn.and_then(|arn| arn.split(':').nth(2)),
    };
    match service {
        None | Some("kafka") => {
            kafka::read_mapping(resource, resources, scope, project, application, problems);
        }
        Some("sqs") => sqs::read_mapping(resource, resources, scope, application, problems),
        Some(other) => {
            let message = format!(
                "mapping {} reads from {other}, which this host does not poll; it is left out, \
                 and `usher invoke` reaches the function.",
                resource.id
            );
            problems.warn(resource.line, message);
        }
    }
}

fn one(
    resource: &Resource,
    entry: &Entry,
    scope: &Scope<'_>,
    project: &Project,
    application: &mut Application,
    problems: &mut Problems,
) {
    let id = format!("{}.{}", resource.id, entry.key);
    if !matches!(entry.value.kind, Kind::Map(_)) {
        return;
    }
    let reader = Reader::at(&entry.value, entry.line, format!("event {id}"));
    let Some(kind) = reader.required(
        "Type",
        &format!("Write one of {}.", RUN.join(", ")),
        problems,
    ) else {
        return;
    };
    let nothing = Node::map(entry.line, Vec::new());
    let properties = entry.value.get("Properties").unwrap_or(&nothing);
    let event = FunctionEvent {
        function: &resource.id,
        id,
        line: entry.line,
        properties,
    };
    match kind {
        "SelfManagedKafka" | "MSK" => {
            kafka::read_event(&event, kind, scope, project, application, problems);
        }
        "SQS" => sqs::read_event(&event, scope, application, problems),
        "Schedule" | "ScheduleV2" => schedules::read(&event, kind, scope, application, problems),
        "Api" => apis::read_rest_event(&event, scope, application, problems),
        "HttpApi" => apis::read_http_event(&event, scope, application, problems),
        _ if NOT_RUN.contains(&kind) => {
            let message = format!(
                "event {} ({kind}) is not run by this host; the function runs without it, and \
                 `usher invoke {}` reaches it.",
                event.id, resource.id
            );
            problems.warn(entry.line, message);
        }
        _ => {
            let hint = nearest(kind, RUN.iter().chain(&NOT_RUN).copied()).map_or_else(
                || format!("Run here are {}.", RUN.join(", ")),
                |near| format!("Did you mean {near}?"),
            );
            problems.error(
                entry.line,
                format!("event {} is of the unknown type {kind}. {hint}", event.id),
            );
        }
    }
}
