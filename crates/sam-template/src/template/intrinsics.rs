//! Evaluates the intrinsic functions of `CloudFormation` inside a value.
//!
//! `AWS::NoValue` and failures both yield [`Kind::Null`]; a failure is reported.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::calls::{FOR_EACH, call, for_each, unknown_function};
use super::dynamic_references;
use super::scope::Scope;
use super::usage::UsageError;
use crate::document::{Entry, Kind, Node, did_you_mean};

/// The value of a call, or what the function takes instead of its arguments.
type Evaluated = Result<Node, UsageError>;

/// The value with every function in it evaluated.
pub(super) fn resolve(node: &Node, scope: &Scope<'_>) -> Node {
    let line = node.line;
    match &node.kind {
        Kind::Null => Node::null(line),
        Kind::Scalar(text) => {
            dynamic_references::replace(text, line, scope.project, scope.problems)
        }
        Kind::List(items) => {
            let items = items.iter().map(|item| resolve(item, scope));
            Node::list(line, items.filter(|item| item.kind != Kind::Null).collect())
        }
        Kind::Map(entries) => {
            if let Some(entry) = call(node) {
                return evaluate(entry, scope).unwrap_or_else(|usage| {
                    scope.failed(entry.line, format!("{}: {usage}.", entry.key))
                });
            }
            if let Some(entry) = entries.iter().find(|entry| entry.key.starts_with(FOR_EACH)) {
                return for_each(entry, scope.problems);
            }
            if let Some(stray) = entries.iter().find(|entry| entry.key.starts_with("Fn::")) {
                let message = format!(
                    "{} stands beside other keys. A function must be the only key of its mapping.",
                    stray.key
                );
                return scope.failed(stray.line, message);
            }
            let entries = entries
                .iter()
                .map(|e| Entry::new(&e.key, e.line, resolve(&e.value, scope)))
                .filter(|e| e.value.kind != Kind::Null);
            Node::map(line, entries.collect())
        }
    }
}

fn evaluate(entry: &Entry, scope: &Scope<'_>) -> Evaluated {
    let line = entry.line;
    let argument = &entry.value;
    // The arguments of a function that takes a list.
    let arguments = || {
        let items = argument.items().iter();
        items.map(|item| resolve(item, scope)).collect::<Vec<_>>()
    };
    Ok(match entry.key.as_str() {
        "Ref" => {
            let name = argument.text().ok_or(UsageError::Ref)?;
            scope.reference(name, line)
        }
        "Fn::GetAtt" => get_att(entry, scope)?,
        "Fn::Sub" => sub(entry, scope)?,
        "Fn::If" => {
            let [condition, _, _] = argument.items() else {
                return Err(UsageError::If);
            };
            match scope.branch(entry) {
                Some(value) => resolve(value, scope),
                None => unknown_condition(condition, scope),
            }
        }
        "Fn::Join" => {
            let join = |given: &[Node]| match given {
                [
                    delimiter,
                    list @ Node {
                        kind: Kind::List(_),
                        ..
                    },
                ] => {
                    let texts: Option<Vec<&str>> = list.items().iter().map(Node::text).collect();
                    Some(texts?.join(delimiter.text()?))
                }
                _ => None,
            };
            let joined = join(&arguments()).ok_or(UsageError::Join)?;
            Node::scalar(line, joined)
        }
        "Fn::Split" => {
            let given = arguments();
            let texts: Vec<Option<&str>> = given.iter().map(Node::text).collect();
            let parts = match texts[..] {
                [Some(delimiter), Some(text)] if !delimiter.is_empty() => text.split(delimiter),
                _ => return Err(UsageError::Split),
            };
            let parts = parts.map(|part| Node::scalar(line, part));
            Node::list(line, parts.collect())
        }
        "Fn::Select" => {
            let given = arguments();
            let [
                index,
                Node {
                    kind: Kind::List(items),
                    ..
                },
            ] = &given[..]
            else {
                return Err(UsageError::Select);
            };
            let number = index.text().and_then(|i| i.parse::<usize>().ok());
            let item = number.and_then(|number| items.get(number));
            let found = item.map(|item| Node {
                line,
                kind: item.kind.clone(),
            });
            found.unwrap_or_else(|| {
                let message = format!(
                    "Fn::Select selects item {} of {} (the first is 0). Choose one that exists.",
                    index.describe(),
                    items.len()
                );
                scope.failed(line, message)
            })
        }
        "Fn::FindInMap" => find_in_map(entry, scope)?,
        "Fn::Base64" => {
            let given = resolve(argument, scope);
            Node::scalar(
                line,
                STANDARD.encode(given.text().ok_or(UsageError::Base64)?),
            )
        }
        "Fn::ImportValue" => {
            let given = resolve(argument, scope);
            let name = given.text().unwrap_or("value");
            let message = format!(
                "{name} is exported by another stack; a placeholder stands in for its value."
            );
            scope.problems.warn(line, message);
            Node::scalar(line, format!("import-{name}"))
        }
        "Fn::GetAZs" => {
            let given = resolve(argument, scope);
            let given = given.text().filter(|region| !region.is_empty());
            let region = given.unwrap_or(&scope.location.region);
            let zones = ["a", "b", "c"].map(|zone| Node::scalar(line, format!("{region}{zone}")));
            Node::list(line, zones.into())
        }
        "Fn::Length" | "Fn::ToJsonString" if !scope.extended => {
            return Err(UsageError::LanguageExtensions);
        }
        "Fn::Length" => match resolve(argument, scope).kind {
            Kind::List(items) => Node::scalar(line, items.len().to_string()),
            _ => return Err(UsageError::Length),
        },
        "Fn::ToJsonString" => match resolve(argument, scope) {
            value if matches!(value.kind, Kind::List(_) | Kind::Map(_)) => {
                Node::scalar(line, value.to_json().to_string())
            }
            _ => return Err(UsageError::ToJsonString),
        },
        "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => return Err(UsageError::Condition),
        "Fn::Transform" => return Err(UsageError::Macro),
        other if other.starts_with(FOR_EACH) => for_each(entry, scope.problems),
        _ => unknown_function(entry, scope.problems),
    })
}

fn get_att(entry: &Entry, scope: &Scope<'_>) -> Evaluated {
    match (&entry.value.kind, entry.value.items()) {
        (Kind::Scalar(text), _) => {
            let (name, attribute) = text.split_once('.').ok_or(UsageError::GetAtt)?;
            Ok(scope.attribute(name, attribute, entry.line))
        }
        (_, [name, attribute]) => {
            let attribute = resolve(attribute, scope);
            let (name, attribute) = name
                .text()
                .zip(attribute.text())
                .ok_or(UsageError::GetAtt)?;
            Ok(scope.attribute(name, attribute, entry.line))
        }
        _ => Err(UsageError::GetAtt),
    }
}

fn find_in_map(entry: &Entry, scope: &Scope<'_>) -> Evaluated {
    let (keys, default) = match entry.value.items() {
        [keys @ .., last] if keys.len() == 3 && scope.extended => (keys, last.get("DefaultValue")),
        keys => (keys, None),
    };
    let keys: Vec<Node> = keys.iter().map(|key| resolve(key, scope)).collect();
    let texts: Option<Vec<&str>> = keys.iter().map(Node::text).collect();
    let Some([map, top, second]) = texts.as_deref() else {
        return Err(if entry.value.items().len() > 3 {
            UsageError::FindInMapDefault
        } else {
            UsageError::FindInMap
        });
    };
    let mut at = scope.root.get("Mappings");
    for (key, inside) in [
        (*map, "Mappings".to_owned()),
        (*top, (*map).to_owned()),
        (*second, format!("{map}.{top}")),
    ] {
        let next = at.and_then(|node| node.get(key));
        if next.is_none() {
            if let Some(default) = default {
                return Ok(resolve(default, scope));
            }
            let keys = at.map_or_else(
                || "nothing".into(),
                |node| {
                    let keys: Vec<&str> = node.entries().iter().map(|e| e.key.as_str()).collect();
                    keys.join(", ")
                },
            );
            let message = format!(
                "Fn::FindInMap looks for {key}, but {inside} holds {keys}. Add it, or name one of \
                 those."
            );
            return Ok(scope.failed(entry.line, message));
        }
        at = next;
    }
    Ok(at.map_or(Node::null(entry.line), |node| resolve(node, scope)))
}

/// `${Name}`, `${Name.Attribute}`, `${!literal}`, with a mapping of extra names in the list form.
fn sub(entry: &Entry, scope: &Scope<'_>) -> Evaluated {
    let line = entry.line;
    let (text, own) = match entry.value.items() {
        [text, own] if matches!(own.kind, Kind::Map(_)) => (text.text(), Some(own)),
        _ => (entry.value.text(), None),
    };
    let mut rest = text.ok_or(UsageError::Sub)?;
    let own = own.map(|own| resolve(own, scope));
    let mut out = String::new();
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let (name, after) = after.split_once('}').ok_or(UsageError::SubWithoutEnd)?;
        rest = after;
        let name = name.trim();
        if let Some(literal) = name.strip_prefix('!') {
            out.extend(["${", literal, "}"]);
            continue;
        }
        let value = match own.as_ref().and_then(|own| own.get(name)) {
            Some(value) => value.clone(),
            None => match name.split_once('.') {
                Some((id, attribute)) => scope.attribute(id, attribute, line),
                None => scope.reference(name, line),
            },
        };
        match value.text() {
            Some(value) => out.push_str(value),
            None if value.kind == Kind::Null => {}
            None => return Err(UsageError::ListInSub(name.to_owned())),
        }
    }
    out.push_str(rest);
    Ok(dynamic_references::replace(
        &out,
        line,
        scope.project,
        scope.problems,
    ))
}

/// Reports the name of a condition that is not declared.
pub(super) fn unknown_condition(name: &Node, scope: &Scope<'_>) -> Node {
    let known = scope.conditions.keys().map(String::as_str);
    let hint = did_you_mean(name.text().unwrap_or(""), known)
        .unwrap_or_else(|| "Declare it under Conditions.".into());
    let message = format!("there is no condition {}. {hint}", name.describe());
    scope.failed(name.line, message)
}
