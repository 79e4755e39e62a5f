//! What a function reads: names, bounds and defaults of its variables.

use std::collections::BTreeMap;

use serde::Serialize;

/// What the readers of a variable accept. A reader that knows less leaves the fields of another
/// one as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// The lower bound of a whole number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<String>,
    /// The upper bound of a whole number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<String>,
    /// The value without a variable, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Whether the value must not appear in a log.
    #[serde(rename = "secret", skip_serializing_if = "std::ops::Not::not")]
    pub is_secret: bool,
}

/// The variables that a [`Reader`](super::Reader) was asked for, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Inventory(BTreeMap<String, Variable>);

impl Inventory {
    pub(super) fn entry(&mut self, name: &str) -> &mut Variable {
        self.0.entry(name.to_owned()).or_default()
    }

    /// The variables, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Variable)> {
        self.0
            .iter()
            .map(|(name, variable)| (name.as_str(), variable))
    }

    /// What is read of a variable; `None` if it is not read.
    pub fn get(&self, name: &str) -> Option<&Variable> {
        self.0.get(name)
    }

    /// Adds what another process of the same function reads, under other settings.
    pub fn extend(&mut self, other: Self) {
        for (name, variable) in other.0 {
            let known = self.0.entry(name).or_default();
            *known = Variable {
                minimum: variable.minimum.or(known.minimum.take()),
                maximum: variable.maximum.or(known.maximum.take()),
                default: variable.default.or(known.default.take()),
                is_secret: variable.is_secret || known.is_secret,
            };
        }
    }
}
