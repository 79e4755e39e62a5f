//! Why a pattern is refused.

use serde_json::{Error, Value};

use super::MAX_PATTERN_BYTES;
use super::parse::{ELSEWHERE, OPERATORS, OR};
use crate::suggestion::nearest;

/// Why a pattern is refused. The text says what is wrong and what to write instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// The pattern is longer than [`MAX_PATTERN_BYTES`].
    #[error("the pattern has {0} bytes; at most {MAX_PATTERN_BYTES} are allowed")]
    TooLong(usize),
    /// The pattern is not JSON.
    #[error("the pattern is not JSON ({error}); {}", example(.field))]
    NotJson {
        /// The field of a record that the pattern is about.
        field: String,
        /// The position and the reason.
        #[source]
        error: Error,
    },
    /// An object of the pattern has one name twice.
    #[error("the pattern has two values under one name: {0}. Keep one")]
    NameTwice(#[source] Error),
    /// The pattern is JSON, but not an object.
    #[error("the pattern is {found}, not an object; {}", example(.field))]
    NotAnObject {
        /// The field of a record that the pattern is about.
        field: String,
        /// What the pattern is.
        found: &'static str,
    },
    /// The pattern names another field of a record than `field`.
    #[error(
        "the pattern names {name}, but a filter of this source looks into {field} only; {}",
        example(.field)
    )]
    OtherField {
        /// The field of a record that the pattern is about.
        field: String,
        /// The field that it names.
        name: String,
    },
    /// An object has no fields.
    #[error("{at} is empty, and would match everything or nothing; name a field")]
    EmptyObject {
        /// The field whose value it is, or `the pattern`.
        at: String,
    },
    /// An operator stands inside of `$or` where a field is expected.
    #[error(
        "{0} inside of {OR} is an operator, not a field; write it in a list: \
         \"field\": [{{\"{0}\": ..}}]"
    )]
    OperatorInOr(String),
    /// The value of `$or` is not a list of at least two objects.
    #[error(r#"{OR} in {at} takes a list of at least two objects: [{{"a": [1]}}, {{"b": [2]}}]"#)]
    Or {
        /// The object that holds it.
        at: String,
    },
    /// A field has an empty list of rules.
    #[error("{0} has an empty list, which matches nothing; name a value")]
    NoRule(String),
    /// A field's value is neither an object nor a list.
    #[error(
        "{name} is {}; what a field may be is written as a list: \"{name}\": [{value}]",
        kind(.value)
    )]
    NotAList {
        /// The field.
        name: String,
        /// Its value.
        value: Value,
    },
    /// A value in a field's list is no rule.
    #[error("{field}: {fault}")]
    Rule {
        /// The field.
        field: String,
        /// What is wrong with the rule.
        #[source]
        fault: RuleError,
    },
}

/// Why a rule about a field is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// Neither a value nor an object with one operator.
    #[error(
        "{0} is no rule; a rule is a value, or an object with one of {known}",
        known = OPERATORS.join(", ")
    )]
    NoRule(Value),
    /// The operator is unknown, or one that event source mappings do not support.
    #[error("{}", unknown(.0))]
    UnknownOperator(String),
    /// `exists` with something else than `true` or `false`.
    #[error("exists takes true or false, not {0}")]
    Exists(Value),
    /// `anything-but` with an operand of a wrong kind.
    #[error(
        "anything-but takes a text, a number, a list of texts, a list of numbers, or one of \
         prefix, suffix and equals-ignore-case with a text or a list of texts (not empty for \
         prefix and suffix), not {0}"
    )]
    AnythingBut(Value),
    /// `numeric` with something else than one comparison or a range.
    #[error(
        "numeric takes one comparison, such as [\"<\", 5], or a lower bound and then a greater \
         upper one, such as [\">\", 0, \"<=\", 5], not {0}"
    )]
    Numeric(Value),
    /// An operator of text with another operand.
    #[error("{operator} takes text, not {operand}")]
    NotText {
        /// The operator.
        operator: String,
        /// Its operand.
        operand: Value,
    },
}

fn example(field: &str) -> String {
    format!(r#"write for example '{{"{field}": {{"kind": ["order"]}}}}'"#)
}

fn unknown(operator: &str) -> String {
    let known = OPERATORS.join(", ");
    if ELSEWHERE.contains(&operator) {
        return format!("{operator} is for rules of EventBridge; a mapping's filter has {known}");
    }
    match nearest(operator, OPERATORS) {
        Some(near) => format!("there is no rule {operator}; did you mean {near}?"),
        None => format!("there is no rule {operator}; there are {known}"),
    }
}

/// The kind of a JSON value, for messages.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
