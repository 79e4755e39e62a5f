//! Evaluates the intrinsic functions of `CloudFormation` inside a value.
//!
//! `AWS::NoValue` and failures both yield [`Kind::Null`]; a failure is reported.

use base64::Engine as _;

use super::calls::{FOR_EACH, call, for_each, unknown_function, wrong};
use super::dynamic_references;
use super::scope::Scope;
use crate::document::{Entry, Kind, Node, Problems, nearest};

/// The value with every function in it evaluated.
pub(super) fn resolve(node: &Node, scope: &Scope<'_>, problems: &mut Problems) -> Node {
    let line = node.line;
    match &node.kind {
        Kind::Null => Node::null(line),
        Kind::Scalar(text) => dynamic_references::replace(text, line, scope.resolve, problems),
        Kind::List(items) => {
            let items = items.iter().map(|item| resolve(item, scope, problems));
            Node {
                line,
                kind: Kind::List(items.filter(|item| item.kind != Kind::Null).collect()),
            }
        }
        Kind::Map(entries) => {
            if let Some(entry) = call(node) {
                return evaluate(entry, scope, problems);
            }
            if let Some(entry) = entries.iter().find(|entry| entry.key.starts_with(FOR_EACH)) {
                for_each(entry, problems);
                return Node::null(line);
            }
            if let Some(stray) = entries.iter().find(|entry| entry.key.starts_with("Fn::")) {
                let message = format!(
                    "{} stands beside other keys. A function must be the only key of its mapping.",
                    stray.key
                );
                problems.error(stray.line, message);
                return Node::null(line);
            }
            let entries = entries
                .iter()
                .map(|e| Entry::new(&e.key, e.line, resolve(&e.value, scope, problems)));
            Node::map(
                line,
                entries.filter(|e| e.value.kind != Kind::Null).collect(),
            )
        }
    }
}

fn evaluate(entry: &Entry, scope: &Scope<'_>, problems: &mut Problems) -> Node {
    let line = entry.line;
    let argument = &entry.value;
    match entry.key.as_str() {
        "Ref" => match argument.text() {
            Some(name) => scope.reference(name, line, problems),
            None => wrong(entry, "Ref takes a name: `!Ref Name`", problems),
        },
        "Fn::GetAtt" => get_att(entry, scope, problems),
        "Fn::Sub" => sub(entry, scope, problems),
        "Fn::If" => match argument.items() {
            [condition, yes, no] => {
                match condition.text().and_then(|name| scope.conditions.get(name)) {
                    Some(true) => resolve(yes, scope, problems),
                    Some(false) => resolve(no, scope, problems),
                    None => unknown_condition(condition, scope, problems),
                }
            }
            _ => wrong(
                entry,
                "Fn::If takes [ConditionName, value if true, value if false]",
                problems,
            ),
        },
        "Fn::Join" => match arguments(argument, scope, problems).as_slice() {
            [
                delimiter,
                Node {
                    kind: Kind::List(items),
                    ..
                },
            ] if items.iter().all(|i| i.text().is_some()) => {
                let Some(delimiter) = delimiter.text() else {
                    return wrong(entry, "Fn::Join takes [delimiter, [values]]", problems);
                };
                let texts: Vec<&str> = items.iter().filter_map(Node::text).collect();
                Node::scalar(line, texts.join(delimiter))
            }
            _ => wrong(entry, "Fn::Join takes [delimiter, [values]]", problems),
        },
        "Fn::Split" => match arguments(argument, scope, problems).as_slice() {
            [delimiter, text]
                if delimiter.text().is_some_and(|d| !d.is_empty()) && text.text().is_some() =>
            {
                let parts = text
                    .text()
                    .unwrap_or("")
                    .split(delimiter.text().unwrap_or(","));
                Node {
                    line,
                    kind: Kind::List(parts.map(|part| Node::scalar(line, part)).collect()),
                }
            }
            _ => wrong(entry, "Fn::Split takes [delimiter, text]", problems),
        },
        "Fn::Select" => match arguments(argument, scope, problems).as_slice() {
            [
                index,
                Node {
                    kind: Kind::List(items),
                    ..
                },
            ] => match index.text().and_then(|i| i.parse::<usize>().ok()) {
                Some(index) if index < items.len() => Node {
                    line,
                    kind: items[index].kind.clone(),
                },
                _ => {
                    let message = format!(
                        "Fn::Select selects item {} of {} (the first is 0). Choose one that \
                         exists.",
                        index.describe(),
                        items.len()
                    );
                    problems.error(line, message);
                    Node::null(line)
                }
            },
            _ => wrong(entry, "Fn::Select takes [index, [values]]", problems),
        },
        "Fn::FindInMap" => find_in_map(entry, scope, problems),
        "Fn::Base64" => match resolve(argument, scope, problems).text() {
            Some(text) => {
                Node::scalar(line, base64::engine::general_purpose::STANDARD.encode(text))
            }
            None => wrong(entry, "Fn::Base64 takes text", problems),
        },
        "Fn::ImportValue" => {
            let name = resolve(argument, scope, problems)
                .text()
                .unwrap_or("value")
                .to_owned();
            problems.warn(
                line,
                format!(
                    "{name} is exported by another stack; a placeholder stands in for its value."
                ),
            );
            Node::scalar(line, format!("import-{name}"))
        }
        "Fn::GetAZs" => {
            let given = resolve(argument, scope, problems);
            let region = given
                .text()
                .filter(|region| !region.is_empty())
                .unwrap_or(&scope.location.region);
            let zones = ["a", "b", "c"].map(|zone| Node::scalar(line, format!("{region}{zone}")));
            Node {
                line,
                kind: Kind::List(zones.into()),
            }
        }
        "Fn::Length" | "Fn::ToJsonString" if !scope.extended => wrong(
            entry,
            "needs the transform AWS::LanguageExtensions. List it under Transform, before SAM's",
            problems,
        ),
        "Fn::Length" => match resolve(argument, scope, problems).kind {
            Kind::List(items) => Node::scalar(line, items.len().to_string()),
            _ => wrong(entry, "takes a list", problems),
        },
        "Fn::ToJsonString" => match resolve(argument, scope, problems) {
            Node {
                kind: Kind::Null | Kind::Scalar(_),
                ..
            } => wrong(entry, "takes a list or a mapping", problems),
            value => Node::scalar(line, value.to_json().to_string()),
        },
        "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => wrong(
            entry,
            "conditions are written under Conditions and used by name through Fn::If",
            problems,
        ),
        "Fn::Transform" => wrong(
            entry,
            "runs a macro that only the service has; write its result instead",
            problems,
        ),
        other if other.starts_with(FOR_EACH) => {
            for_each(entry, problems);
            Node::null(line)
        }
        _ => unknown_function(entry, problems),
    }
}

fn get_att(entry: &Entry, scope: &Scope<'_>, problems: &mut Problems) -> Node {
    let parts: Option<(String, String)> = match &entry.value.kind {
        Kind::Scalar(text) => text
            .split_once('.')
            .map(|(name, attribute)| (name.to_owned(), attribute.to_owned())),
        Kind::List(items) => match items.as_slice() {
            [name, attribute] => {
                let attribute = resolve(attribute, scope, problems);
                name.text()
                    .zip(attribute.text())
                    .map(|(n, a)| (n.to_owned(), a.to_owned()))
            }
            _ => None,
        },
        _ => None,
    };
    match parts {
        Some((name, attribute)) => scope.attribute(&name, &attribute, entry.line, problems),
        None => wrong(
            entry,
            "Fn::GetAtt takes a resource and its attribute: `!GetAtt Name.Arn`",
            problems,
        ),
    }
}

fn find_in_map(entry: &Entry, scope: &Scope<'_>, problems: &mut Problems) -> Node {
    let (keys, default) = match entry.value.items() {
        [keys @ .., last] if keys.len() == 3 && scope.extended => (keys, last.get("DefaultValue")),
        keys => (keys, None),
    };
    let keys: Vec<Node> = keys
        .iter()
        .map(|key| resolve(key, scope, problems))
        .collect();
    let texts: Option<Vec<&str>> = keys.iter().map(Node::text).collect();
    let Some([map, top, second]) = texts.as_deref() else {
        let more = if entry.value.items().len() > 3 {
            ". A DefaultValue needs the transform AWS::LanguageExtensions"
        } else {
            ""
        };
        return wrong(
            entry,
            &format!("takes [MapName, TopLevelKey, SecondLevelKey]{more}"),
            problems,
        );
    };
    let mut at = scope.mappings;
    for (key, inside) in [
        (*map, "Mappings".to_owned()),
        (*top, (*map).to_owned()),
        (*second, format!("{map}.{top}")),
    ] {
        let Some(next) = at.and_then(|node| node.get(key)) else {
            if let Some(default) = default {
                return resolve(default, scope, problems);
            }
            let keys = at.map_or_else(
                || "nothing".into(),
                |n| {
                    n.entries()
                        .iter()
                        .map(|e| e.key.as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                },
            );
            problems.error(
                entry.line,
                format!(
                    "Fn::FindInMap looks for {key}, but {inside} holds {keys}. Add it, or name \
                     one of those."
                ),
            );
            return Node::null(entry.line);
        };
        at = Some(next);
    }
    at.map_or(Node::null(entry.line), |node| {
        resolve(node, scope, problems)
    })
}

/// `${Name}`, `${Name.Attribute}`, `${!literal}`, with a mapping of extra names in the list form.
fn sub(entry: &Entry, scope: &Scope<'_>, problems: &mut Problems) -> Node {
    let line = entry.line;
    let (text, own) = match &entry.value.kind {
        Kind::Scalar(text) => (text.as_str(), None),
        Kind::List(items) => match items.as_slice() {
            [
                text,
                own @ Node {
                    kind: Kind::Map(_), ..
                },
            ] if text.text().is_some() => (
                text.text().unwrap_or(""),
                Some(resolve(own, scope, problems)),
            ),
            _ => {
                return wrong(
                    entry,
                    "Fn::Sub takes text, or [text, {Name: value}]",
                    problems,
                );
            }
        },
        _ => {
            return wrong(
                entry,
                "Fn::Sub takes text, or [text, {Name: value}]",
                problems,
            );
        }
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            return wrong(
                entry,
                "a ${ has no closing }; a literal one is written ${!Name}",
                problems,
            );
        };
        rest = after;
        let name = name.trim();
        if let Some(literal) = name.strip_prefix('!') {
            out.extend(["${", literal, "}"]);
            continue;
        }
        let value = match own.as_ref().and_then(|own| own.get(name)) {
            Some(value) => value.clone(),
            None => match name.split_once('.') {
                Some((id, attribute)) => scope.attribute(id, attribute, line, problems),
                None => scope.reference(name, line, problems),
            },
        };
        match value.text() {
            Some(value) => out.push_str(value),
            None if value.kind == Kind::Null => {}
            None => {
                return wrong(
                    entry,
                    &format!("${{{name}}} is a list; join it first with Fn::Join"),
                    problems,
                );
            }
        }
    }
    out.push_str(rest);
    dynamic_references::replace(&out, line, scope.resolve, problems)
}

/// The arguments of a function that takes a list, each resolved.
fn arguments(node: &Node, scope: &Scope<'_>, problems: &mut Problems) -> Vec<Node> {
    node.items()
        .iter()
        .map(|item| resolve(item, scope, problems))
        .collect()
}

/// Reports the name of a condition that is not declared.
pub(super) fn unknown_condition(name: &Node, scope: &Scope<'_>, problems: &mut Problems) -> Node {
    let text = name.text().unwrap_or("");
    let hint = match nearest(text, scope.conditions.keys().map(String::as_str)) {
        Some(near) => format!("Did you mean {near}?"),
        None => "Declare it under Conditions.".into(),
    };
    problems.error(
        name.line,
        format!("there is no condition {}. {hint}", name.describe()),
    );
    Node::null(name.line)
}
