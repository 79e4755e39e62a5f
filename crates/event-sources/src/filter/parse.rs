//! Parses the text of a pattern.

use serde_json::{Map, Value};

use super::MAX_PATTERN_BYTES;
use super::error::{PatternError, RuleError, kind};
use super::number::Number;
use super::pattern::{Clause, Node, Object, Pattern, Whole};
use super::rule::{Comparison, Rule};
use super::unique::UniqueNames;

pub(super) const OR: &str = "$or";

pub(super) const OPERATORS: [&str; 6] = [
    "anything-but",
    "equals-ignore-case",
    "exists",
    "numeric",
    "prefix",
    "suffix",
];

/// Operators of `EventBridge` that event source mappings do not support.
pub(super) const ELSEWHERE: [&str; 2] = ["cidr", "wildcard"];

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
pub(super) fn pattern(field: &str, source: &str) -> Result<Pattern, PatternError> {
    if source.len() > MAX_PATTERN_BYTES {
        return Err(PatternError::TooLong(source.len()));
    }
    let value: Value = strict_json::from_str(source).map_err(|error| PatternError::NotJson {
        field: field.to_owned(),
        error,
    })?;
    strict_json::from_str::<UniqueNames>(source).map_err(PatternError::NameTwice)?;
    let Value::Object(fields) = value else {
        return Err(PatternError::NotAnObject {
            field: field.to_owned(),
            found: kind(&value),
        });
    };
    let label = |name: &str| {
        if name == field {
            return Ok(Whole);
        }
        Err(PatternError::OtherField {
            field: field.to_owned(),
            name: name.to_owned(),
        })
    };
    object(&fields, &label, "the pattern", false).map(Pattern)
}

/// `in_or`: the object stands somewhere inside of `$or`.
fn object<L>(
    fields: &Map<String, Value>,
    label: &impl Fn(&str) -> Result<L, PatternError>,
    at: &str,
    in_or: bool,
) -> Result<Object<L>, PatternError> {
    if fields.is_empty() {
        return Err(PatternError::EmptyObject { at: at.to_owned() });
    }
    let clauses = fields.iter().map(|(name, value)| {
        if name == OR {
            return alternatives(value, label, at);
        }
        if in_or && RESERVED_IN_OR.contains(&name.as_str()) {
            return Err(PatternError::OperatorInOr(name.clone()));
        }
        Ok(Clause::Field(label(name)?, node(value, name, in_or)?))
    });
    clauses.collect::<Result<_, _>>().map(Object)
}

fn alternatives<L>(
    value: &Value,
    label: &impl Fn(&str) -> Result<L, PatternError>,
    at: &str,
) -> Result<Clause<L>, PatternError> {
    let shape = || PatternError::Or { at: at.to_owned() };
    let items = value
        .as_array()
        .filter(|items| items.len() > 1)
        .ok_or_else(shape)?;
    let objects = items
        .iter()
        .map(|item| object(item.as_object().ok_or_else(shape)?, label, OR, true));
    objects.collect::<Result<_, _>>().map(Clause::Any)
}

fn node(value: &Value, name: &str, in_or: bool) -> Result<Node, PatternError> {
    match value {
        Value::Object(fields) => {
            object(fields, &|name: &str| Ok(name.to_owned()), name, in_or).map(Node::Object)
        }
        Value::Array(rules) if rules.is_empty() => Err(PatternError::NoRule(name.to_owned())),
        Value::Array(rules) => rules
            .iter()
            .map(rule)
            .collect::<Result<_, _>>()
            .map(Node::Leaf)
            .map_err(|fault| PatternError::Rule {
                field: name.to_owned(),
                fault,
            }),
        other => Err(PatternError::NotAList {
            name: name.to_owned(),
            value: other.clone(),
        }),
    }
}

fn rule(value: &Value) -> Result<Rule, RuleError> {
    if let Some(literal) = literal(value) {
        return Ok(literal);
    }
    let Some((operator, operand)) = value
        .as_object()
        .filter(|fields| fields.len() == 1)
        .and_then(|fields| fields.iter().next())
    else {
        return Err(RuleError::NoRule(value.clone()));
    };
    match operator.as_str() {
        "anything-but" => anything_but(operand),
        "equals-ignore-case" => Ok(Rule::IgnoreCase(text(operand, operator)?.to_lowercase())),
        "exists" => operand
            .as_bool()
            .map(Rule::Exists)
            .ok_or_else(|| RuleError::Exists(operand.clone())),
        "numeric" => numeric(operand),
        "prefix" => Ok(match ignoring_case(operand) {
            Some(text) => Rule::PrefixIgnoreCase(text),
            None => Rule::Prefix(text(operand, operator)?.to_owned()),
        }),
        "suffix" => Ok(match ignoring_case(operand) {
            Some(text) => Rule::SuffixIgnoreCase(text),
            None => Rule::Suffix(text(operand, operator)?.to_owned()),
        }),
        other => Err(RuleError::UnknownOperator(other.to_owned())),
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
fn anything_but(operand: &Value) -> Result<Rule, RuleError> {
    let wrong = || RuleError::AnythingBut(operand.clone());
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
fn numeric(operand: &Value) -> Result<Rule, RuleError> {
    use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
    let wrong = || RuleError::Numeric(operand.clone());
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

fn text<'v>(operand: &'v Value, operator: &str) -> Result<&'v str, RuleError> {
    operand.as_str().ok_or_else(|| RuleError::NotText {
        operator: operator.to_owned(),
        operand: operand.clone(),
    })
}

fn ignoring_case(operand: &Value) -> Option<String> {
    let fields = operand.as_object().filter(|fields| fields.len() == 1)?;
    Some(fields.get("equals-ignore-case")?.as_str()?.to_lowercase())
}
