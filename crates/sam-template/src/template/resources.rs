//! The Resources section: which resources exist, with the globals merged in.

use super::calls::{FOR_EACH, call, for_each};
use super::globals::merge;
use super::intrinsics::{resolve, unknown_condition};
pub(super) use super::resource::Resource;
use super::scope::Scope;
use crate::document::{Entry, Kind, Node, Problems, Reader, nearest};

/// The API that SAM creates for `HttpApi` events without one; its only settings are the globals.
pub(super) const IMPLICIT_HTTP_API: &str = "ServerlessHttpApi";
/// As [`IMPLICIT_HTTP_API`], for `Api` events.
pub(super) const IMPLICIT_REST_API: &str = "ServerlessRestApi";

/// SAM's types. A test compares them with the schema of aws-sam-translator.
pub(super) const SERVERLESS: [&str; 14] = [
    "AWS::Serverless::Api",
    "AWS::Serverless::Application",
    "AWS::Serverless::CapacityProvider",
    "AWS::Serverless::Connector",
    "AWS::Serverless::Function",
    "AWS::Serverless::GraphQLApi",
    "AWS::Serverless::HttpApi",
    "AWS::Serverless::LayerVersion",
    "AWS::Serverless::MicrovmImage",
    "AWS::Serverless::NetworkConnector",
    "AWS::Serverless::SimpleTable",
    "AWS::Serverless::StateMachine",
    "AWS::Serverless::WebFunction",
    "AWS::Serverless::WebSocketApi",
];

/// Resources that run or route something on AWS and have no effect here.
const NOT_RUN: [(&str, &str); 11] = [
    (
        "AWS::Lambda::Function",
        "write it as AWS::Serverless::Function to have it run",
    ),
    (
        "AWS::Serverless::StateMachine",
        "state machines are not run",
    ),
    (
        "AWS::Serverless::Application",
        "nested applications are not run",
    ),
    (
        "AWS::Serverless::MicrovmImage",
        "images of virtual machines are not built or run",
    ),
    (
        "AWS::Serverless::WebFunction",
        "it runs in a virtual machine of the service; write AWS::Serverless::Function to have it \
         run",
    ),
    ("AWS::Serverless::WebSocketApi", "its routes are not served"),
    (
        "AWS::ApiGateway::RestApi",
        "its routes are not served; write AWS::Serverless::Api",
    ),
    (
        "AWS::Scheduler::Schedule",
        "it does not fire; write it as a ScheduleV2 event of the function",
    ),
    (
        "AWS::Events::Rule",
        "it does not fire; write it as a Schedule event of the function",
    ),
    (
        "AWS::Lambda::Url",
        "write it as FunctionUrlConfig of the function to have it served",
    ),
    ("AWS::Pipes::Pipe", "pipes are not run"),
];

/// Keys of the Globals section. A test compares them with the schema of aws-sam-translator.
pub(super) const GLOBALS: [&str; 10] = [
    "Api",
    "CapacityProvider",
    "Function",
    "HttpApi",
    "LayerVersion",
    "MicrovmImage",
    "NetworkConnector",
    "SimpleTable",
    "StateMachine",
    "WebSocketApi",
];

/// Every resource whose condition holds.
pub(super) fn read(root: &Node, scope: &Scope<'_>, problems: &mut Problems) -> Vec<Resource> {
    let globals = root.get("Globals");
    if let Some(globals) = globals {
        Reader::new(globals, "Globals").only(&GLOBALS, problems);
    }
    let section = root.get("Resources").map_or(&[][..], Node::entries);
    let mut resources: Vec<Resource> = section
        .iter()
        .filter_map(|entry| one(entry, globals, scope, problems))
        .collect();
    for (implicit, kind) in [(IMPLICIT_HTTP_API, "HttpApi"), (IMPLICIT_REST_API, "Api")] {
        if !section.iter().any(|entry| entry.key == implicit) {
            let empty = Node::map(root.line, Vec::new());
            resources.push(Resource {
                id: implicit.to_owned(),
                line: root.line,
                kind: format!("AWS::Serverless::{kind}"),
                properties: globals
                    .and_then(|globals| globals.get(kind))
                    .unwrap_or(&empty)
                    .clone(),
                metadata: empty,
            });
        }
    }
    resources
}

fn one(
    entry: &Entry,
    globals: Option<&Node>,
    scope: &Scope<'_>,
    problems: &mut Problems,
) -> Option<Resource> {
    let id = &entry.key;
    if id.starts_with(FOR_EACH) {
        for_each(entry, problems);
        return None;
    }
    if id == "Fn::Transform" {
        problems.error(
            entry.line,
            "the Resources come from a macro that only the service can run. Write its result \
             instead.",
        );
        return None;
    }
    let reader = Reader::at(&entry.value, entry.line, format!("resource {id}"));
    let kind = reader.required(
        "Type",
        "Write for example `Type: AWS::Serverless::Function`.",
        problems,
    )?;
    if !exists(&reader, scope, problems) {
        return None;
    }
    if kind.starts_with("AWS::Serverless::") && !SERVERLESS.contains(&kind) {
        let hint = nearest(kind, SERVERLESS)
            .map(|near| format!(" Did you mean {near}?"))
            .unwrap_or_default();
        problems.error(
            entry.line,
            format!("resource {id}: {kind} is not a type of SAM.{hint}"),
        );
        return None;
    }
    if let Some((_, why)) = NOT_RUN.iter().find(|(name, _)| *name == kind) {
        problems.warn(entry.line, format!("{id} ({kind}) is left out: {why}."));
    }
    let empty = Node::map(entry.line, Vec::new());
    let own = entry.value.get("Properties").unwrap_or(&empty);
    let section = kind
        .strip_prefix("AWS::Serverless::")
        .and_then(|short| globals?.get(short));
    let ignored = reader.texts_or_one("IgnoreGlobals", problems);
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

fn exists(resource: &Reader<'_>, scope: &Scope<'_>, problems: &mut Problems) -> bool {
    let Some(condition) = resource.get("Condition") else {
        return true;
    };
    let Some(name) = resource.text("Condition", problems) else {
        return false;
    };
    scope.conditions.get(name).copied().unwrap_or_else(|| {
        unknown_condition(condition, scope, problems);
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
        let entry = self
            .properties
            .entries()
            .iter()
            .find(|entry| entry.key == key);
        entry.map_or(self.line, |entry| entry.line)
    }

    /// Evaluates the named properties only. `None`: evaluation failed, and the reasons are
    /// reported.
    pub(super) fn resolved(
        &self,
        wanted: &[&str],
        scope: &Scope<'_>,
        problems: &mut Problems,
    ) -> Option<Node> {
        resolved(&self.properties, wanted, scope, problems)
    }
}

/// Whether a value remains after `Fn::If` and `AWS::NoValue`.
fn is_written(node: &Node, scope: &Scope<'_>) -> bool {
    let Some(function) = call(node) else {
        return node.kind != Kind::Null;
    };
    match (function.key.as_str(), function.value.items()) {
        ("Ref", _) => function.value.text() != Some("AWS::NoValue"),
        ("Fn::If", [condition, yes, no]) => {
            match condition.text().and_then(|name| scope.conditions.get(name)) {
                Some(true) => is_written(yes, scope),
                Some(false) => is_written(no, scope),
                None => true,
            }
        }
        _ => true,
    }
}

/// As [`Resource::resolved`], for any mapping. A value of another kind yields `None`, which
/// [`super::shapes`] reports.
pub(super) fn resolved(
    node: &Node,
    wanted: &[&str],
    scope: &Scope<'_>,
    problems: &mut Problems,
) -> Option<Node> {
    let before = problems.failures();
    let whole;
    let entries = if call(node).is_some() {
        whole = resolve(node, scope, problems);
        match &whole.kind {
            Kind::Map(entries) => entries,
            Kind::Null => &Vec::new(),
            _ => {
                problems.error(
                    node.line,
                    format!(
                        "the function here yields {}, not a mapping.",
                        whole.describe()
                    ),
                );
                return None;
            }
        }
    } else if let Kind::Map(entries) = &node.kind {
        entries
    } else {
        problems.count_failure();
        return None;
    };
    let entries: Vec<Entry> = entries
        .iter()
        .filter(|entry| wanted.contains(&entry.key.as_str()))
        .map(|entry| {
            Entry::new(
                &entry.key,
                entry.line,
                resolve(&entry.value, scope, problems),
            )
        })
        .filter(|entry| entry.value.kind != Kind::Null)
        .collect();
    (problems.failures() == before).then(|| Node::map(node.line, entries))
}
