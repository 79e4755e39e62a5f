//! Template parameters: type, bounds and value.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use crate::document::{Kind, Node, Problems, Reader, did_you_mean, listed};
use crate::project::{Project, SourcedValue};

/// A constraint that a value does not satisfy. The text follows "but".
#[derive(Debug, PartialEq, thiserror::Error)]
enum ConstraintError {
    #[error("its Type is Number. Give digits")]
    NotANumber,
    #[error("it must be {}", between(*.low, *.high, ""))]
    Value { low: Option<f64>, high: Option<f64> },
    #[error("it must be {} long", between(*.low, *.high, " characters"))]
    Length { low: Option<f64>, high: Option<f64> },
    #[error("allowed are {}", .0.join(", "))]
    NotAllowed(Vec<String>),
    /// The value is secret, and its allowed values with it.
    #[error("allowed are only its AllowedValues")]
    SecretNotAllowed,
    #[error("it must match {0}")]
    Pattern(String),
}

/// Parameters with their values.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    /// Value by name; a list for list types. `None`: declared without a valid value (reported).
    pub(super) values: BTreeMap<String, Option<Node>>,
    /// Values of `NoEcho` parameters.
    pub(super) secrets: BTreeSet<String>,
}

const KNOWN: &str = "Type Default Description AllowedValues AllowedPattern ConstraintDescription \
    MinLength MaxLength MinValue MaxValue NoEcho";

/// Evaluates every declared parameter: the project's value, else its Default.
pub(super) fn evaluate(root: &Node, project: &Project, problems: &Problems) -> Parameters {
    let mut parameters = Parameters::default();
    let section = root.get("Parameters");
    for entry in section.map_or(&[][..], Node::entries) {
        let reader = Reader::new(&entry.value, format!("parameter {}", entry.key), problems);
        if !matches!(entry.value.kind, Kind::Map(_)) {
            // The check of shapes reports it.
            problems.count_failure();
            parameters.values.insert(entry.key.clone(), None);
            continue;
        }
        reader.only(KNOWN);
        let no_echo = reader.flag("NoEcho");
        // A value that is not a flag counts as true, the safe side.
        let secret = no_echo.unwrap_or(reader.get("NoEcho").is_some());
        let value = one(&entry.key, entry.line, (&reader, secret), project);
        if secret {
            // Both the value as written, which may be invalid, and the value that results are
            // secret.
            let given = project
                .parameters
                .get(&entry.key)
                .map(|given| given.value.as_str());
            let given = given.or_else(|| reader.get("Default").and_then(Node::text));
            let made = value
                .iter()
                .flat_map(|value| value.items().iter().chain([value]));
            let texts = given.into_iter().chain(made.filter_map(Node::text));
            let texts = texts.filter(|text| !text.is_empty());
            parameters.secrets.extend(texts.map(str::to_owned));
        }
        parameters.values.insert(entry.key.clone(), value);
    }
    for (name, given) in &project.parameters {
        if !parameters.values.contains_key(name) {
            let known = parameters.values.keys().map(String::as_str);
            let hint = did_you_mean_or("Declared are", name, known);
            let message = format!(
                "{} gives a parameter {name} that the template does not declare. {hint}",
                given.source
            );
            problems.error(section.map_or(0, |s| s.line), message);
        }
    }
    parameters
}

/// With `secret`, messages contain neither the value nor the allowed values.
fn one(
    name: &str,
    line: usize,
    (reader, secret): (&Reader<'_>, bool),
    project: &Project,
) -> Option<Node> {
    let problems = reader.problems;
    let kind = reader.required("Type", "Write `Type: String`.")?;
    let default = reader.node.entry("Default").map(|entry| &entry.value);
    let (text, at, source) = match (project.parameters.get(name), default) {
        (Some(SourcedValue { value, source }), _) => {
            (value.clone(), line, format!(" (from {source})"))
        }
        // The check of shapes reports a Default of null.
        (None, Some(node)) if node.kind == Kind::Null => {
            problems.count_failure();
            return None;
        }
        (None, Some(node)) => (text_of(node, reader)?, node.line, String::new()),
        (None, None) => {
            let message = format!(
                "parameter {name} has no value. Give --parameter-overrides {name}=VALUE, write it \
                 under [parameters] in usher.toml, or add a Default."
            );
            problems.error(line, message);
            return None;
        }
    };
    let items: Vec<&str> = if is_list(kind) {
        text.split(',').map(str::trim).collect()
    } else {
        vec![text.as_str()]
    };
    let mut sound = true;
    for item in &items {
        if let Err(wrong) = check(kind, item, reader, secret) {
            let own = reader.get("ConstraintDescription").and_then(Node::text);
            let own = own.map(|own| format!(" ({own})")).unwrap_or_default();
            let is = if secret {
                "has a value that is not shown (NoEcho)".to_owned()
            } else {
                format!("is '{item}'")
            };
            problems.error(
                at,
                format!("parameter {name} {is}{source}, but {wrong}{own}."),
            );
            sound = false;
        }
    }
    if kind.starts_with("AWS::SSM::Parameter::Value") {
        return Some(stored_value(name, at, &text, project, problems));
    }
    if !sound {
        return stand_in(name, kind, reader).map(|text| Node::scalar(line, text));
    }
    if is_list(kind) {
        let items = items.into_iter().map(|item| Node::scalar(line, item));
        return Some(Node::list(line, items.collect()));
    }
    Some(Node::scalar(line, text))
}

/// A valid value in place of an invalid one, which has been reported and prevents a run. With it
/// the rest of the template can still be checked. `None` if no value is certainly valid.
fn stand_in(name: &str, kind: &str, reader: &Reader<'_>) -> Option<String> {
    if is_list(kind) {
        return None;
    }
    let text = |key: &str| reader.get(key).and_then(Node::text);
    let allowed = reader
        .get("AllowedValues")
        .and_then(|list| list.items().first()?.text());
    // Only with a pattern is any lower-case name plausible.
    let lower = name.to_lowercase();
    let named = reader.get("AllowedPattern").map(|_| lower.as_str());
    let candidates = [text("Default"), allowed, text("MinValue"), named];
    let valid = |text: &&str| check(kind, text, reader, false).is_ok();
    let find = || candidates.into_iter().flatten().find(valid);
    reader.problems.ignoring(find).map(str::to_owned)
}

/// The value of a parameter that is the name of one in Systems Manager, from usher.toml.
fn stored_value(
    name: &str,
    line: usize,
    key: &str,
    project: &Project,
    problems: &Problems,
) -> Node {
    if let Some(value) = project.resolve.get(&format!("ssm:{key}")) {
        return Node::scalar(line, value);
    }
    let message = format!(
        "parameter {name} is stored in Systems Manager as {key}, which this host does not call; \
         the name itself is used. Write its value into usher.toml: [resolve] \"ssm:{key}\" = \
         \"...\"."
    );
    problems.warn(line, message);
    Node::scalar(line, key)
}

fn check(
    kind: &str,
    value: &str,
    reader: &Reader<'_>,
    secret: bool,
) -> Result<(), ConstraintError> {
    if matches!(kind, "Number" | "List<Number>") {
        let number: f64 = value.parse().map_err(|_| ConstraintError::NotANumber)?;
        // The check of shapes reports a bound that is not a number.
        let bound = |key: &str| reader.get(key)?.text()?.parse::<f64>().ok();
        let (low, high) = (bound("MinValue"), bound("MaxValue"));
        if low.is_some_and(|low| number < low) || high.is_some_and(|high| number > high) {
            return Err(ConstraintError::Value { low, high });
        }
    }
    let length = value.chars().count() as f64;
    let bound = |key: &str| reader.number(key, 0..=4096).map(|n| n as f64);
    let (low, high) = (bound("MinLength"), bound("MaxLength"));
    if low.is_some_and(|low| length < low) || high.is_some_and(|high| length > high) {
        return Err(ConstraintError::Length { low, high });
    }
    let allowed = reader.texts("AllowedValues");
    if !allowed.is_empty() && !allowed.contains(&value) {
        return Err(if secret {
            ConstraintError::SecretNotAllowed
        } else {
            ConstraintError::NotAllowed(allowed.into_iter().map(str::to_owned).collect())
        });
    }
    let Some(pattern) = reader.text("AllowedPattern") else {
        return Ok(());
    };
    // CloudFormation matches the whole value, with Java's regular expressions, which have a few
    // features more.
    match Regex::new(&format!("^(?:{pattern})$")) {
        Ok(regex) if !regex.is_match(value) => Err(ConstraintError::Pattern(pattern.to_owned())),
        Ok(_) => Ok(()),
        Err(_) => {
            let message = "AllowedPattern uses a feature that is not checked here.";
            reader.warn("AllowedPattern", message);
            Ok(())
        }
    }
}

fn between(low: Option<f64>, high: Option<f64>, unit: &str) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!("from {low} to {high}{unit}"),
        (Some(low), None) => format!("at least {low}{unit}"),
        (None, Some(high)) => format!("at most {high}{unit}"),
        (None, None) => unit.trim().to_owned(),
    }
}

fn text_of(node: &Node, reader: &Reader<'_>) -> Option<String> {
    if node.text().is_none() {
        let message = format!(
            "Default must be text or a number, not {}. Lists are written 'a,b,c'.",
            node.describe()
        );
        let message = format!("{}: {message}", reader.what);
        reader.problems.wrong_kind(node.line, "Default", message);
    }
    node.text().map(str::to_owned)
}

fn is_list(kind: &str) -> bool {
    kind == "CommaDelimitedList" || kind.starts_with("List<")
}

/// The name that resembles a misspelt one, else all names after `listed_as`.
pub(super) fn did_you_mean_or<'a>(
    listed_as: &str,
    word: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> String {
    did_you_mean(word, known.clone()).unwrap_or_else(|| format!("{listed_as}: {}.", listed(known)))
}
