//! Methods and paths of routes, and the API that each belongs to.

use super::super::calls::call;
use super::super::function_event::FunctionEvent;
use super::super::resources::Resource;
use super::super::scope::Scope;
use crate::document::{Entry, Kind, Node, Problems, Reader, nearest};
use crate::model::{Api, ApiKind, Application, Route};

const METHODS: [&str; 8] = [
    "ANY", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS",
];

/// Adds a route, unless the API has one that matches the same requests.
pub(super) fn add(route: Route, api: &mut Api, what: &str, line: usize, problems: &mut Problems) {
    if let Some(twin) = api
        .routes
        .iter()
        .find(|r| r.method == route.method && shape(&r.path) == shape(&route.path))
    {
        problems.error(
            line,
            format!(
                "{what}: {} {} is already routed to {}. Change the path or the method.",
                route.method, route.path, twin.function
            ),
        );
        return;
    }
    api.routes.push(route);
}

/// A path without its parameters' names. Two paths with one shape match the same requests.
fn shape(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        p if p.starts_with('{') && p.ends_with("+}") => "{+}",
        p if p.starts_with('{') => "{}",
        p => p,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// The method in capitals. `any`, also in the form of `OpenAPI`, means all.
pub(super) fn method(reader: &Reader<'_>, problems: &mut Problems) -> Option<String> {
    let method = match reader.text("Method", problems)?.to_ascii_uppercase() {
        any if any == "X-AMAZON-APIGATEWAY-ANY-METHOD" => "ANY".to_owned(),
        method => method,
    };
    if !METHODS.contains(&method.as_str()) {
        problems.error(
            reader.line("Method"),
            format!(
                "{}: Method is one of {}, not {method}.",
                reader.what,
                METHODS.join(", ")
            ),
        );
    }
    Some(method)
}

/// Whether the service accepts the name of a stage other than `$default`.
pub(super) fn is_stage_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// Reports a path that no API accepts.
pub(super) fn check_path(path: &str, reader: &Reader<'_>, problems: &mut Problems) {
    if let Err(wrong) = validate_path(path) {
        problems.error(
            reader.line("Path"),
            format!("{}: the path {path} {wrong}", reader.what),
        );
    }
}

pub(super) fn validate_path(path: &str) -> Result<(), &'static str> {
    if path == "$default" {
        return Ok(());
    }
    let Some(inner) = path.strip_prefix('/') else {
        return Err("must begin with /.");
    };
    let segments: Vec<&str> = inner.split('/').collect();
    let mut names = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        if !segment.contains(['{', '}']) {
            continue;
        }
        let Some(name) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) else {
            return Err("mixes text and a parameter in one segment. Write /{name}/.");
        };
        let greedy = name.ends_with('+');
        let name = name.trim_end_matches('+');
        if name.is_empty() || name.contains(['{', '}']) {
            return Err("has a parameter without a name. Write {name}.");
        }
        if greedy && at + 1 < segments.len() {
            return Err("has something after {name+}, which takes all the rest. Put it last.");
        }
        if names.contains(&name) {
            return Err("names a parameter twice. Give each its own name.");
        }
        names.push(name);
    }
    Ok(())
}

/// How an event names its API, and which kind of API it must be.
pub(super) struct Owner {
    /// `ApiId` or `RestApiId`.
    pub(super) key: &'static str,
    /// The API that SAM creates if none is named.
    pub(super) implicit: &'static str,
    /// Type of the events that add routes to it.
    pub(super) event: &'static str,
    /// Type of the resource, for messages.
    pub(super) resource: &'static str,
    pub(super) is_kind: fn(&ApiKind) -> bool,
}

/// Whether all routes of this API lead to functions that this host cannot run. Its settings then
/// protect nothing, so unsupported ones are no error.
pub(super) fn routes_only_skipped(
    owner: &Owner,
    api: &str,
    resources: &[Resource],
    application: &Application,
) -> bool {
    let mut by_skipped = false;
    for resource in resources
        .iter()
        .filter(|resource| resource.kind == "AWS::Serverless::Function")
    {
        let events = resource
            .properties
            .get("Events")
            .map_or(&[][..], Node::entries);
        let of_kind = events
            .iter()
            .filter(|event| event.value.get("Type").and_then(Node::text) == Some(owner.event));
        let names = |event: &Entry| {
            let named = event
                .value
                .get("Properties")
                .and_then(|properties| properties.get(owner.key));
            let reference =
                named.and_then(|node| call(node).map_or(node.text(), |entry| entry.value.text()));
            named.map_or(owner.implicit == api, |_| reference == Some(api))
        };
        if of_kind.into_iter().any(names) {
            if !application.skipped.contains_key(&resource.id) {
                return false;
            }
            by_skipped = true;
        }
    }
    by_skipped
}

/// The API that an event names, else the implicit one.
pub(super) fn owner<'a>(
    event: &FunctionEvent<'_>,
    wanted: &Owner,
    scope: &Scope<'_>,
    application: &'a mut Application,
    problems: &mut Problems,
) -> Option<&'a mut Api> {
    let key = wanted.key;
    let id = match event.properties.get(key) {
        None => wanted.implicit,
        Some(node) => match (call(node), &node.kind) {
            (
                Some(Entry {
                    key,
                    value:
                        Node {
                            kind: Kind::Scalar(text),
                            ..
                        },
                    ..
                }),
                _,
            ) if key == "Ref" => text,
            (None, Kind::Scalar(text)) => text,
            _ => {
                problems.error(
                    node.line,
                    format!(
                        "route {}: {key} must name an API of this template: `!Ref Api`.",
                        event.id
                    ),
                );
                return None;
            }
        },
    };
    if let Some(at) = application
        .apis
        .iter()
        .position(|api| api.id == id && (wanted.is_kind)(&api.kind))
    {
        return application.apis.get_mut(at);
    }
    if let Some(kind) = scope.kind_of(id).filter(|kind| *kind != wanted.resource) {
        let message = format!(
            "route {} belongs to {id} ({kind}), which is not served; it is left out, and `usher \
             invoke {}` reaches the function.",
            event.id, event.function
        );
        problems.warn(event.line, message);
        return None;
    }
    let known = application
        .apis
        .iter()
        .filter(|api| (wanted.is_kind)(&api.kind))
        .map(|api| api.id.as_str());
    let hint = nearest(id, known)
        .map(|near| format!(" Did you mean {near}?"))
        .unwrap_or_default();
    problems.error(
        event.line,
        format!(
            "route {}: there is no {} {id}.{hint}",
            event.id, wanted.resource
        ),
    );
    None
}

/// Stage variables by name.
pub(super) fn variables(
    reader: &Reader<'_>,
    key: &str,
    problems: &mut Problems,
) -> std::collections::BTreeMap<String, String> {
    let section = reader.child(key, problems);
    let entries = section
        .as_ref()
        .map_or(&[][..], |section| section.node.entries());
    let mut read = std::collections::BTreeMap::new();
    for entry in entries {
        match entry.value.text() {
            Some(text) => {
                read.insert(entry.key.clone(), text.to_owned());
            }
            None => reader.wrong(&entry.value, &entry.key, "text", problems),
        }
    }
    read
}
