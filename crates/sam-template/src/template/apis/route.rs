//! Methods and paths of routes, and the API that each belongs to.

use std::collections::BTreeMap;

use super::super::calls::call;
use super::super::function_event::FunctionEvent;
use super::super::functions;
use super::super::scope::Scope;
use crate::document::{Entry, Node, Reader, hint};
use crate::model::{Api, ApiKind, Application, Route};

const METHODS: &str = "ANY, GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS";

/// Why an API does not accept a path. The text follows the path.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum PathError {
    #[error("must begin with /.")]
    NotAbsolute,
    #[error("mixes text and a parameter in one segment. Write /{{name}}/.")]
    MixedSegment,
    #[error("has a parameter without a name. Write {{name}}.")]
    Unnamed,
    #[error("has something after {{name+}}, which takes all the rest. Put it last.")]
    AfterGreedy,
    #[error("names a parameter twice. Give each its own name.")]
    NamedTwice,
}

/// Adds a route, unless the API has one that matches the same requests.
pub(super) fn add(route: Route, api: &mut Api, reader: &Reader<'_>, line: usize) {
    let same = |r: &&Route| r.method == route.method && shape(&r.path) == shape(&route.path);
    if let Some(twin) = api.routes.iter().find(same) {
        let message = format!(
            "{} {} is already routed to {}. Change the path or the method.",
            route.method, route.path, twin.function
        );
        reader.error_on(line, &message);
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
pub(super) fn method(reader: &Reader<'_>) -> Option<String> {
    let method = match reader.text("Method")?.to_ascii_uppercase() {
        any if any == "X-AMAZON-APIGATEWAY-ANY-METHOD" => "ANY".to_owned(),
        method => method,
    };
    if !METHODS.split(", ").any(|known| known == method) {
        reader.error(
            "Method",
            &format!("Method is one of {METHODS}, not {method}."),
        );
    }
    Some(method)
}

/// Whether an API accepts the path; if not, reports it.
pub(super) fn check_path(path: &str, key: &str, reader: &Reader<'_>) -> bool {
    let valid = validate_path(path);
    if let Err(wrong) = valid {
        reader.error(key, &format!("the path {path} {wrong}"));
    }
    valid.is_ok()
}

fn validate_path(path: &str) -> Result<(), PathError> {
    if path == "$default" {
        return Ok(());
    }
    let Some(inner) = path.strip_prefix('/') else {
        return Err(PathError::NotAbsolute);
    };
    let segments: Vec<&str> = inner.split('/').collect();
    let mut names = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        if !segment.contains(['{', '}']) {
            continue;
        }
        let Some(name) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) else {
            return Err(PathError::MixedSegment);
        };
        let greedy = name.ends_with('+');
        let name = name.trim_end_matches('+');
        if name.is_empty() || name.contains(['{', '}']) {
            return Err(PathError::Unnamed);
        }
        if greedy && at + 1 < segments.len() {
            return Err(PathError::AfterGreedy);
        }
        if names.contains(&name) {
            return Err(PathError::NamedTwice);
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
    /// Properties of the resource that are read.
    pub(super) read: &'static str,
    /// An API without settings.
    pub(super) empty: fn() -> Api,
    pub(super) is_kind: fn(&ApiKind) -> bool,
}

/// Whether all routes of this API lead to functions that this host cannot run. Its settings then
/// protect nothing, so unsupported ones are no error.
pub(super) fn routes_only_skipped(
    owner: &Owner,
    api: &str,
    scope: &Scope<'_>,
    application: &Application,
) -> bool {
    let names = |event: &Entry| {
        let properties = event.value.get("Properties");
        let named = properties.and_then(|properties| properties.get(owner.key));
        let reference =
            named.and_then(|node| call(node).map_or(node.text(), |entry| entry.value.text()));
        event.value.get("Type").and_then(Node::text) == Some(owner.event)
            && named.map_or(owner.implicit == api, |_| reference == Some(api))
    };
    let mut by_skipped = false;
    for resource in scope.of_kind(functions::KIND) {
        let events = resource.properties.get("Events");
        if events.map_or(&[][..], Node::entries).iter().any(names) {
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
) -> Option<&'a mut Api> {
    let key = wanted.key;
    let named = event.properties.get(key).map(|node| match call(node) {
        Some(call) if call.key == "Ref" => (node, call.value.text()),
        Some(_) => (node, None),
        None => (node, node.text()),
    });
    let id = match named {
        None => wanted.implicit,
        Some((_, Some(id))) => id,
        Some((node, None)) => {
            let message = format!(
                "route {}: {key} must name an API of this template: `!Ref Api`.",
                event.id
            );
            scope.problems.error(node.line, message);
            return None;
        }
    };
    let of_kind = |api: &&Api| (wanted.is_kind)(&api.kind);
    let apis = &application.apis;
    if let Some(at) = apis.iter().position(|api| api.id == id && of_kind(&api)) {
        return application.apis.get_mut(at);
    }
    if let Some(kind) = scope.kind_of(id).filter(|kind| *kind != wanted.resource) {
        let message = format!(
            "route {} belongs to {id} ({kind}), which is not served; it is left out, and `usher \
             invoke {}` reaches the function.",
            event.id, event.function
        );
        scope.problems.warn(event.line, message);
        return None;
    }
    let hint = hint(id, apis.iter().filter(of_kind).map(|api| api.id.as_str()));
    let message = format!(
        "route {}: there is no {} {id}.{hint}",
        event.id, wanted.resource
    );
    scope.problems.error(event.line, message);
    None
}

/// Stage variables by name.
pub(super) fn variables(reader: &Reader<'_>, key: &str) -> BTreeMap<String, String> {
    let mut read = BTreeMap::new();
    for entry in reader.entries(key) {
        match entry.value.text() {
            Some(text) => {
                read.insert(entry.key.clone(), text.to_owned());
            }
            None => reader.wrong(&entry.value, &entry.key, "text"),
        }
    }
    read
}
