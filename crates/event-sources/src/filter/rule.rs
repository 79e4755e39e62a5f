//! Rules about a single value.

use serde_json::Value;

use super::number::Number;

/// One alternative of a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// `"text"`, compared exactly.
    Text(String),
    /// A number, however written.
    Number(Number),
    /// `{"equals-ignore-case": ..}`, in lower case.
    IgnoreCase(String),
    /// `{"prefix": ..}`
    Prefix(String),
    /// `{"prefix": {"equals-ignore-case": ..}}`, in lower case.
    PrefixIgnoreCase(String),
    /// `{"suffix": ..}`
    Suffix(String),
    /// `{"suffix": {"equals-ignore-case": ..}}`, in lower case.
    SuffixIgnoreCase(String),
    /// `{"numeric": ["<", 3, ..]}`: every comparison holds.
    Numeric(Vec<(Comparison, Number)>),
    /// `{"anything-but": ..}`: none of these holds.
    AnythingBut(Vec<Rule>),
    /// `{"exists": ..}`: applies to the field, not to a value.
    Exists(bool),
}

/// An operator of `numeric`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Comparison {
    pub(super) fn read(text: &str) -> Option<Self> {
        Some(match text {
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            "=" => Self::Equal,
            ">=" => Self::GreaterOrEqual,
            ">" => Self::Greater,
            _ => return None,
        })
    }

    fn holds(self, value: Number, bound: Number) -> bool {
        let order = value.compare(bound);
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }
}

impl Rule {
    /// Whether the rule holds for one scalar. [`Rule::Exists`] does not apply to values.
    pub(super) fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(wanted), Value::Bool(found)) => wanted == found,
            (Self::Text(wanted), Value::String(found)) => wanted == found,
            (Self::Number(wanted), Value::Number(found)) => {
                Number::read(found).is_some_and(|found| found == *wanted)
            }
            (Self::IgnoreCase(wanted), Value::String(found)) => found.to_lowercase() == *wanted,
            (Self::Prefix(wanted), Value::String(found)) => found.starts_with(wanted),
            (Self::PrefixIgnoreCase(wanted), Value::String(found)) => {
                found.to_lowercase().starts_with(wanted)
            }
            (Self::Suffix(wanted), Value::String(found)) => found.ends_with(wanted),
            (Self::SuffixIgnoreCase(wanted), Value::String(found)) => {
                found.to_lowercase().ends_with(wanted)
            }
            (Self::Numeric(bounds), Value::Number(found)) => {
                Number::read(found).is_some_and(|found| {
                    bounds
                        .iter()
                        .all(|(comparison, bound)| comparison.holds(found, *bound))
                })
            }
            (Self::AnythingBut(unwanted), value) => !unwanted.iter().any(|rule| rule.holds(value)),
            _ => false,
        }
    }
}
