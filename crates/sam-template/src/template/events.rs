//! Triggers of the functions: their Events, APIs, and `AWS::Lambda::EventSourceMapping` resources.

use super::calls::{FOR_EACH, call, for_each};
use super::function_event::FunctionEvent;
use super::resource::MAPPING;
use super::resources::Resource;
use super::scope::Scope;
use super::shapes::table;
use super::{apis, functions, kafka, schedules, sqs};
use crate::document::{Entry, Kind, Node, Reader, did_you_mean};
use crate::model::Application;

/// Event types of SAM that this host runs.
pub(super) const RUN: &str = "Api, HttpApi, MSK, Schedule, ScheduleV2, SelfManagedKafka, SQS";

/// Event types that become sources of events: all that run, except those of APIs.
pub fn source_events() -> impl Iterator<Item = &'static str> {
    let is_api = |kind: &&str| matches!(*kind, "Api" | "HttpApi");
    RUN.split(", ").filter(move |kind| !is_api(kind))
}

/// Reads every trigger into the application.
pub(super) fn read(scope: &Scope<'_>, application: &mut Application) {
    apis::read(scope, application);
    for resource in scope.of_kind(functions::KIND) {
        // The check of shapes reports a list or a function call.
        let events = resource.properties.get("Events");
        let events = events.filter(|events| call(events).is_none());
        for entry in events.map_or(&[][..], Node::entries) {
            if application.skipped.contains_key(&resource.id) {
                route_of_skipped(resource, entry, scope, application);
            } else if entry.key.starts_with(FOR_EACH) {
                for_each(entry, scope.problems);
            } else {
                one(resource, entry, scope, application);
            }
        }
    }
    // An API without routes is not served.
    application.apis.retain(|api| !api.routes.is_empty());
    apis::read_function_urls(scope, application);
    for resource in scope.of_kind(MAPPING) {
        mapping(resource, scope, application);
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
    let unprotected = properties.iter().filter(|property| property.key != "Auth");
    let properties = Node::map(entry.line, unprotected.cloned().collect());
    let Some(kind) = entry.value.get("Type").and_then(Node::text) else {
        return;
    };
    let event = FunctionEvent {
        function: &resource.id,
        id: format!("{}.{}", resource.id, entry.key),
        kind,
        line: entry.line,
        properties: &properties,
    };
    scope.problems.ignoring(|| match kind {
        "Api" => apis::read_rest_event(&event, scope, application),
        "HttpApi" => apis::read_http_event(&event, scope, application),
        _ => {}
    });
    // Only functions that run need keys for tokens.
    let routes = application.apis.iter_mut().flat_map(|api| &mut api.routes);
    for route in routes.filter(|route| route.function == resource.id) {
        route.authorizer = None;
        route.scopes = Vec::new();
    }
}

/// Reads an `AWS::Lambda::EventSourceMapping`; the service in its source's ARN decides how.
fn mapping(resource: &Resource, scope: &Scope<'_>, application: &mut Application) {
    let Some(source) = resource.resolved("EventSourceArn FunctionName", scope) else {
        return;
    };
    let what = resource.what();
    if let Some(named) = source.get("FunctionName")
        && let Some(name) = named.text()
        && let Some(id) = functions::by_name(name, scope)
    {
        if application.skipped.contains_key(&id) {
            let message = format!("{what} is left out: its function {id} is not run by this host.");
            scope.problems.warn(resource.line, message);
            return;
        }
        functions::check_qualifier(name, &id, scope, &what, named.line);
    }
    let source = Reader::new(&source, what, scope.problems);
    let service = match source.text("EventSourceArn") {
        None if source.has("EventSourceArn") => return,
        arn => arn.and_then(|arn| arn.split(':').nth(2)),
    };
    match service {
        None | Some("kafka") => kafka::read_mapping(resource, scope, application),
        Some("sqs") => sqs::read_mapping(resource, scope, application),
        Some(other) => {
            let message = format!(
                "{} reads from {other}, which this host does not poll; it is left out, and `usher \
                 invoke` reaches the function.",
                source.what
            );
            scope.problems.warn(resource.line, message);
        }
    }
}

fn one(resource: &Resource, entry: &Entry, scope: &Scope<'_>, application: &mut Application) {
    let id = format!("{}.{}", resource.id, entry.key);
    if !matches!(entry.value.kind, Kind::Map(_)) {
        return;
    }
    let what = format!("event {id}");
    let reader = Reader::at(&entry.value, entry.line, what, scope.problems);
    let Some(kind) = reader.required("Type", &format!("Write one of {RUN}.")) else {
        return;
    };
    let nothing = Node::map(entry.line, Vec::new());
    let event = FunctionEvent {
        function: &resource.id,
        id,
        kind,
        line: entry.line,
        properties: entry.value.get("Properties").unwrap_or(&nothing),
    };
    match kind {
        "SelfManagedKafka" | "MSK" => kafka::read_event(&event, scope, application),
        "SQS" => sqs::read_event(&event, scope, application),
        "Schedule" | "ScheduleV2" => schedules::read(&event, scope, application),
        "Api" => apis::read_rest_event(&event, scope, application),
        "HttpApi" => apis::read_http_event(&event, scope, application),
        _ if table::names("event:").any(|known| known == kind) => {
            let message = format!(
                "{} ({kind}) is not run by this host; the function runs without it, and `usher \
                 invoke {}` reaches it.",
                reader.what, resource.id
            );
            scope.problems.warn(entry.line, message);
        }
        _ => {
            let hint = did_you_mean(kind, RUN.split(", ").chain(table::names("event:")))
                .unwrap_or_else(|| format!("Run here are {RUN}."));
            let message = format!("{} is of the unknown type {kind}. {hint}", reader.what);
            scope.problems.error(entry.line, message);
        }
    }
}
