//! Parses the text of a pattern.

use serde_json::{Map, Value};

use super::MAX_PATTERN_BYTES;
use super::number::Number;
use super::pattern::{Clause, Node, Object, Pattern, Whole};
use super::rule::{Comparison, Rule};
use super::unique::UniqueNames;
use crate::suggestion::nearest;

const OR: &str = "$or";

const OPERATORS: [&str; 6] = [
    "anything-but",
    "equals-ignore-case",
    "exists",
    "numeric",
    "prefix",
    "suffix",
];

/// Operators of `EventBridge` that event source mappings do not support.
const ELSEWHERE: [&str; 2] = ["cidr", "wildcard"];

/// Names that event-ruler reserves for operators inside of `$or`.
const RESERVED_IN_OR: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// Parses a pattern about `field`.
///
/// # Errors
/// What is wrong, and what to write instead.
pub(super) fn pattern(field: &str, source: &str) -> Result<Pattern, String> {
    if source.len() > MAX_PATTERN_BYTES {
        return Err(format!(
            "the pattern has {} bytes; at most {MAX_PATTERN_BYTES} are allowed",
            source.len()
        ));
    }
    let example = format!(r#"write for example '{{"{field}": {{"kind": ["order"]}}}}'"#);
    let value: Value = strict_json::from_str(source)
        .map_err(|error| format!("the pattern is not JSON ({error}); {example}"))?;
    strict_json::from_str::<UniqueNames>(source)
        .map_err(|error| format!("the pattern has two values under one name: {error}. Keep one"))?;
    let Value::Object(fields) = value else {
        return Err(format!(
            "the pattern is {}, not an object; {example}",
            kind(&value)
        ));
    };
    let label = |name: &str| {
        if name == field {
            return Ok(Whole);
        }
        Err(format!(
            "the pattern names {name}, but a filter of this source looks into {field} only; \
             {example}"
        ))
    };
    object(&fields, &label, "the pattern", false).map(Pattern)
}

/// `in_or`: the object stands somewhere inside of `$or`.
fn object<L>(
    fields: &Map<String, Value>,
    label: &impl Fn(&str) -> Result<L, String>,
    at: &str,
    in_or: bool,
) -> Result<Object<L>, String> {
    if fields.is_empty() {
        return Err(format!(
            "{at} is empty, and would match everything or nothing; name a field"
        ));
    }
    let clauses = fields.iter().map(|(name, value)| {
        if name == OR {
            return alternatives(value, label, at);
        }
        if in_or && RESERVED_IN_OR.contains(&name.as_str()) {
            return Err(format!(
                "{name} inside of {OR} is an operator, not a field; write it in a list: \
                 \"field\": [{{\"{name}\": ..}}]"
            ));
        }
        Ok(Clause::Field(label(name)?, node(value, name, in_or)?))
    });
    clauses.collect::<Result<_, String>>().map(Object)
}

fn alternatives<L>(
    value: &Value,
    label: &impl Fn(&str) -> Result<L, String>,
    at: &str,
) -> Result<Clause<L>, String> {
    let shape = || {
        format!(
            r#"{OR} in {at} takes a list of at least two objects: [{{"a": [1]}}, {{"b": [2]}}]"#
        )
    };
    let items = value
        .as_array()
        .filter(|items| items.len() > 1)
        .ok_or_else(shape)?;
    let objects = items
        .iter()
        .map(|item| object(item.as_object().ok_or_else(shape)?, label, OR, true));
    objects.collect::<Result<_, String>>().map(Clause::Any)
}

fn node(value: &Value, name: &str, in_or: bool) -> Result<Node, String> {
    match value {
        Value::Object(fields) => {
            object(fields, &|name: &str| Ok(name.to_owned()), name, in_or).map(Node::Object)
        }
        Value::Array(rules) if rules.is_empty() => Err(format!(
            "{name} has an empty list, which matches nothing; name a value"
        )),
        Value::Array(rules) => rules
            .iter()
            .map(|value| rule(value, name))
            .collect::<Result<_, String>>()
            .map(Node::Leaf),
        other => Err(format!(
            "{name} is {}; what a field may be is written as a list: \"{name}\": [{other}]",
            kind(other)
        )),
    }
}

fn rule(value: &Value, name: &str) -> Result<Rule, String> {
    if let Some(literal) = literal(value) {
        return Ok(literal);
    }
    let Some((operator, operand)) = value
        .as_object()
        .filter(|fields| fields.len() == 1)
        .and_then(|fields| fields.iter().next())
    else {
        return Err(format!(
            "{name}: {value} is no rule; a rule is a value, or an object with one of {}",
            OPERATORS.join(", ")
        ));
    };
    match operator.as_str() {
        "anything-but" => anything_but(operand, name),
        "equals-ignore-case" => Ok(Rule::IgnoreCase(
            text(operand, operator, name)?.to_lowercase(),
        )),
        "exists" => operand
            .as_bool()
            .map(Rule::Exists)
            .ok_or_else(|| format!("{name}: exists takes true or false, not {operand}")),
        "numeric" => numeric(operand, name),
        "prefix" => Ok(match ignoring_case(operand) {
            Some(text) => Rule::PrefixIgnoreCase(text),
            None => Rule::Prefix(text(operand, operator, name)?.to_owned()),
        }),
        "suffix" => Ok(match ignoring_case(operand) {
            Some(text) => Rule::SuffixIgnoreCase(text),
            None => Rule::Suffix(text(operand, operator, name)?.to_owned()),
        }),
        other if ELSEWHERE.contains(&other) => Err(format!(
            "{name}: {other} is for rules of EventBridge; a mapping's filter has {}",
            OPERATORS.join(", ")
        )),
        other => {
            let hint = nearest(other, OPERATORS).map_or_else(
                || format!("there are {}", OPERATORS.join(", ")),
                |near| format!("did you mean {near}?"),
            );
            Err(format!("{name}: there is no rule {other}; {hint}"))
        }
    }
}

fn literal(value: &Value) -> Option<Rule> {
    Some(match value {
        Value::Null => Rule::Null,
        Value::Bool(truth) => Rule::Bool(*truth),
        Value::String(text) => Rule::Text(text.clone()),
        Value::Number(number) => Rule::Number(Number::read(number)?),
        Value::Array(_) | Value::Object(_) => return None,
    })
}

/// A text or number, a list of texts or of numbers, or one of the rules about text with a text or a
/// list of them.
fn anything_but(operand: &Value, name: &str) -> Result<Rule, String> {
    let wrong = || {
        format!(
            "{name}: anything-but takes a text, a number, a list of texts, a list of numbers, or \
             one of prefix, suffix and \
             equals-ignore-case with a text or a list of texts (not empty for prefix and suffix), \
             not {operand}"
        )
    };
    let several = |value: &Value| match value {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    };
    let rules: Option<Vec<Rule>> = match operand {
        Value::Object(fields) => {
            let (operator, operand) = fields
                .iter()
                .next()
                .filter(|_| fields.len() == 1)
                .ok_or_else(wrong)?;
            let (make, may_be_empty): (fn(&str) -> Rule, bool) = match operator.as_str() {
                "prefix" => (|text| Rule::Prefix(text.to_owned()), false),
                "suffix" => (|text| Rule::Suffix(text.to_owned()), false),
                "equals-ignore-case" => (|text| Rule::IgnoreCase(text.to_lowercase()), true),
                _ => return Err(wrong()),
            };
            let texts = several(operand);
            let text = |item: &Value| {
                item.as_str()
                    .filter(|text| may_be_empty || !text.is_empty())
                    .map(make)
            };
            texts.iter().map(text).collect()
        }
        other => {
            let values = several(other);
            let alike = values.iter().all(Value::is_string) || values.iter().all(Value::is_number);
            if alike {
                values.iter().map(literal).collect()
            } else {
                None
            }
        }
    };
    rules
        .filter(|rules| !rules.is_empty())
        .map(Rule::AnythingBut)
        .ok_or_else(wrong)
}

/// One comparison, or a lower bound followed by a greater upper one.
fn numeric(operand: &Value, name: &str) -> Result<Rule, String> {
    use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
    let wrong = || {
        format!(
            "{name}: numeric takes one comparison, such as [\"<\", 5], or a lower bound and then a \
             greater upper one, such as [\">\", 0, \"<=\", 5], not {operand}"
        )
    };
    let items = operand
        .as_array()
        .filter(|items| matches!(items.len(), 2 | 4))
        .ok_or_else(wrong)?;
    let bounds = items.chunks(2).map(|pair| {
        let comparison = pair[0].as_str().and_then(Comparison::read)?;
        Some((comparison, pair[1].as_number().and_then(Number::read)?))
    });
    let bounds: Vec<(Comparison, Number)> = bounds.collect::<Option<_>>().ok_or_else(wrong)?;
    match bounds[..] {
        [(Greater | GreaterOrEqual, low), (Less | LessOrEqual, high)]
            if low.compare(high).is_lt() => {}
        [_] => {}
        _ => return Err(wrong()),
    }
    Ok(Rule::Numeric(bounds))
}

fn text<'v>(operand: &'v Value, operator: &str, name: &str) -> Result<&'v str, String> {
    operand
        .as_str()
        .ok_or_else(|| format!("{name}: {operator} takes text, not {operand}"))
}

fn ignoring_case(operand: &Value) -> Option<String> {
    let fields = operand.as_object().filter(|fields| fields.len() == 1)?;
    Some(fields.get("equals-ignore-case")?.as_str()?.to_lowercase())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
