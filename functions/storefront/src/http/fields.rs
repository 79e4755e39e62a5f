//! Named values of a request: its headers, or its query parameters.

use std::collections::BTreeMap;

/// Why a value that is there cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A header outside of visible ASCII, blanks and tabs.
    #[error("holds characters outside of visible ASCII")]
    NotAscii,
    /// A query parameter whose percent-encoding is not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
    /// Several values where one is read: which of them counts is unknown.
    #[error("is given more than once")]
    Repeated,
}

/// Values by name. A value that is there and cannot be read is kept as such: it is never absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<String, Result<String, Unreadable>>);

impl Fields {
    /// The value of a name; nothing where the request has none.
    pub fn get(&self, name: &str) -> Result<Option<&str>, Unreadable> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(why)) => Err(*why),
        }
    }

    /// Whether the request has this name, readable or not.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Every name, readable or not, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Sets the value of a name, in place of what there was.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), Ok(value.into()));
    }

    /// Adds one value as the request has it; a second one of the same name makes both unreadable.
    pub(super) fn add(&mut self, name: &str, value: Result<String, Unreadable>) {
        let value = if self.contains(name) {
            Err(Unreadable::Repeated)
        } else {
            value
        };
        self.0.insert(name.to_owned(), value);
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(values: I) -> Self {
        let mut fields = Self::default();
        for (name, value) in values {
            fields.add(name.as_ref(), Ok(value.into()));
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_given_twice_is_neither_of_both() {
        let fields: Fields = [("a", "1"), ("b", "2"), ("a", "1")].into_iter().collect();
        assert_eq!(fields.get("a"), Err(Unreadable::Repeated));
        assert_eq!(fields.get("b"), Ok(Some("2")));
        assert_eq!(fields.get("c"), Ok(None));
    }
}
