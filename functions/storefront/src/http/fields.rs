//! Headers or query parameters of a request.

use std::collections::BTreeMap;

/// Why a value is unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// A header has bytes other than visible ASCII, blanks and tabs.
    #[error("holds characters outside of visible ASCII")]
    NotAscii,
    /// The percent-encoding of a query parameter is not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
    /// Several values for one name; none of them takes precedence.
    #[error("is given more than once")]
    Repeated,
}

/// Values by name. An unreadable value is kept as an error, so that it never counts as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<String, Result<String, FieldError>>);

impl Fields {
    /// The value of a name; `None` if the request has none.
    pub fn get(&self, name: &str) -> Result<Option<&str>, FieldError> {
        let value = self.0.get(name).map(Result::as_deref);
        value.transpose().map_err(|why| *why)
    }

    /// Whether the request has this name, readable or not.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Every name, readable or not, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Sets or replaces the value of a name.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), Ok(value.into()));
    }

    /// Adds one value of the request; a second value of the same name makes both unreadable.
    pub(super) fn add(&mut self, name: String, value: Result<String, FieldError>) {
        self.0
            .entry(name)
            .and_modify(|first| *first = Err(FieldError::Repeated))
            .or_insert(value);
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(values: I) -> Self {
        let mut fields = Self::default();
        for (name, value) in values {
            fields.add(name.as_ref().to_owned(), Ok(value.into()));
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_name_is_unreadable() {
        let fields: Fields = [("a", "1"), ("b", "2"), ("a", "1")].into_iter().collect();
        assert_eq!(fields.get("a"), Err(FieldError::Repeated));
        assert_eq!(fields.get("b"), Ok(Some("2")));
        assert_eq!(fields.get("c"), Ok(None));
    }
}
