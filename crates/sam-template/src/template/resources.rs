//! The Resources section: which resources exist, with the globals merged in.

use super::calls::{FOR_EACH, call, for_each};
use super::globals::merge;
use super::intrinsics::{resolve, unknown_condition};
pub(super) use super::resource::Resource;
use super::scope::Scope;
use super::shapes;
use crate::document::{Entry, Kind, Node, Reader, hint};

/// The API that SAM creates for `HttpApi` events without one; its only settings are the globals.
pub(super) const IMPLICIT_HTTP_API: &str = "ServerlessHttpApi";
/// As [`IMPLICIT_HTTP_API`], for `Api` events.
pub(super) const IMPLICIT_REST_API: &str = "ServerlessRestApi";

/// SAM's types. A test compares them with the schema of aws-sam-translator.
pub(super) const SERVERLESS: &str = include_str!("serverless_types.txt");

/// Resources that run or route something on AWS and have no effect here: a line is a type and why.
const NOT_RUN: &str = include_str!("types_not_run.txt");

/// Keys of the Globals section. A test compares them with the schema of aws-sam-translator.
pub(super) const GLOBALS: &str = "Api CapacityProvider Function HttpApi LayerVersion MicrovmImage \
    NetworkConnector SimpleTable StateMachine WebSocketApi";

/// Every resource whose condition holds.
pub(super) fn read(scope: &Scope<'_>) -> Vec<Resource> {
    let globals = scope.root.get("Globals");
    if let Some(globals) = globals {
        Reader::new(globals, "Globals", scope.problems).only(GLOBALS);
    }
    let section = scope.root.get("Resources").map_or(&[][..], Node::entries);
    let mut resources: Vec<Resource> = section
        .iter()
        .filter_map(|entry| one(entry, globals, scope))
        .collect();
    for (implicit, kind) in [(IMPLICIT_HTTP_API, "HttpApi"), (IMPLICIT_REST_API, "Api")] {
        if !section.iter().any(|entry| entry.key == implicit) {
            let empty = Node::map(scope.root.line, Vec::new());
            let settings = globals.and_then(|globals| globals.get(kind));
            resources.push(Resource {
                id: implicit.to_owned(),
                line: scope.root.line,
                kind: format!("AWS::Serverless::{kind}"),
                properties: settings.unwrap_or(&empty).clone(),
                metadata: empty,
            });
        }
    }
    resources
}

fn one(entry: &Entry, globals: Option<&Node>, scope: &Scope<'_>) -> Option<Resource> {
    let id = &entry.key;
    if id.starts_with(FOR_EACH) {
        for_each(entry, scope.problems);
        return None;
    }
    if id == "Fn::Transform" {
        let message = "the Resources come from a macro that only the service can run. Write its \
            result instead.";
        scope.problems.error(entry.line, message);
        return None;
    }
    let what = format!("resource {id}");
    let reader = Reader::at(&entry.value, entry.line, what, scope.problems);
    let remedy = "Write for example `Type: AWS::Serverless::Function`.";
    let kind = reader.required("Type", remedy)?;
    if !exists(&reader, scope) {
        return None;
    }
    if kind.starts_with("AWS::Serverless::") && !SERVERLESS.lines().any(|known| known == kind) {
        let hint = hint(kind, SERVERLESS.lines());
        let message = format!("resource {id}: {kind} is not a type of SAM.{hint}");
        scope.problems.error(entry.line, message);
        return None;
    }
    let not_run = NOT_RUN.lines().filter_map(|line| line.split_once(' '));
    for (_, why) in not_run.filter(|(name, _)| *name == kind) {
        let message = format!("{id} ({kind}) is left out: {why}.");
        scope.problems.warn(entry.line, message);
    }
    let empty = Node::map(entry.line, Vec::new());
    let own = entry.value.get("Properties").unwrap_or(&empty);
    let section = kind
        .strip_prefix("AWS::Serverless::")
        .and_then(|short| globals?.get(short));
    let ignored = reader.texts_or_one("IgnoreGlobals");
    let section = section.map(|globals| without(globals, &ignored));
    Some(Resource {
        id: id.clone(),
        line: entry.line,
        kind: kind.to_owned(),
        properties: section.map_or_else(|| own.clone(), |global| merge(&global, own)),
        metadata: entry.value.get("Metadata").cloned().unwrap_or(empty),
    })
}

/// The globals without the properties that a resource's `IgnoreGlobals` names; `*` names all.
fn without(globals: &Node, ignored: &[&str]) -> Node {
    let kept = globals
        .entries()
        .iter()
        .filter(|entry| !ignored.contains(&"*") && !ignored.contains(&entry.key.as_str()));
    match globals.kind {
        Kind::Map(_) => Node::map(globals.line, kept.cloned().collect()),
        _ => globals.clone(),
    }
}

fn exists(resource: &Reader<'_>, scope: &Scope<'_>) -> bool {
    let Some(condition) = resource.get("Condition") else {
        return true;
    };
    let Some(name) = resource.text("Condition") else {
        return false;
    };
    scope.conditions.get(name).copied().unwrap_or_else(|| {
        unknown_condition(condition, scope);
        false
    })
}

impl Resource {
    /// Whether a property is written, without evaluating it.
    pub(super) fn has(&self, key: &str, scope: &Scope<'_>) -> bool {
        self.properties
            .get(key)
            .is_some_and(|node| is_written(node, scope))
    }

    /// Line of a property, or of the resource if the property is not written.
    pub(super) fn line_of(&self, key: &str) -> usize {
        self.properties.line_of(key).unwrap_or(self.line)
    }

    /// Evaluates the named properties only. `None`: evaluation failed, and the reasons are
    /// reported.
    pub(super) fn resolved(&self, wanted: &str, scope: &Scope<'_>) -> Option<Node> {
        resolved(&self.properties, wanted, scope)
    }

    /// Reports properties that the type does not have.
    pub(super) fn check_names(&self, read: &str, scope: &Scope<'_>) {
        let known = shapes::properties(&self.kind, read);
        self.written(scope.problems).only(&known);
    }
}

/// Whether a value remains after `Fn::If` and `AWS::NoValue`.
fn is_written(node: &Node, scope: &Scope<'_>) -> bool {
    let Some(function) = call(node) else {
        return node.kind != Kind::Null;
    };
    match function.key.as_str() {
        "Ref" => function.value.text() != Some("AWS::NoValue"),
        "Fn::If" => scope
            .branch(function)
            .is_none_or(|value| is_written(value, scope)),
        _ => true,
    }
}

/// As [`Resource::resolved`], for any mapping. Blanks separate the names. A value of another kind
/// yields `None`, which [`super::shapes`] reports.
pub(super) fn resolved(node: &Node, wanted: &str, scope: &Scope<'_>) -> Option<Node> {
    let before = scope.problems.failures();
    let whole;
    let entries = if call(node).is_some() {
        whole = resolve(node, scope);
        match &whole.kind {
            Kind::Map(entries) => entries,
            Kind::Null => &Vec::new(),
            _ => {
                let found = whole.describe();
                let message = format!("the function here yields {found}, not a mapping.");
                scope.problems.error(node.line, message);
                return None;
            }
        }
    } else if let Kind::Map(entries) = &node.kind {
        entries
    } else {
        scope.problems.count_failure();
        return None;
    };
    let entries: Vec<Entry> = entries
        .iter()
        .filter(|entry| wanted.split_whitespace().any(|name| name == entry.key))
        .map(|entry| Entry::new(&entry.key, entry.line, resolve(&entry.value, scope)))
        .filter(|entry| entry.value.kind != Kind::Null)
        .collect();
    (scope.problems.failures() == before).then(|| Node::map(node.line, entries))
}
