//! An answer of Redis, read word by word.

use std::fmt::Display;
use std::str::FromStr;

use redis::Value;

use super::LinkError;

/// The flat list of words that a script or a command answered. Reading past its end, or a word of another kind than expected, is
/// a [`LinkError::Protocol`] that names the script.
#[derive(Debug)]
pub(crate) struct Reply {
    from: &'static str,
    words: std::vec::IntoIter<Value>,
}

impl Reply {
    pub(crate) fn new(from: &'static str, value: Value) -> Result<Self, LinkError> {
        let words = match value.extract_error()? {
            Value::Array(words) => words,
            Value::Nil => Vec::new(),
            single => vec![single],
        };
        Ok(Self {
            from,
            words: words.into_iter(),
        })
    }

    /// The next word; nothing at the end.
    pub(crate) fn next_word(&mut self) -> Result<Option<String>, LinkError> {
        match self.words.next() {
            None => Ok(None),
            Some(Value::BulkString(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(self.odd("a word that is not UTF-8")),
            },
            Some(Value::SimpleString(text)) => Ok(Some(text)),
            Some(Value::Okay) => Ok(Some("OK".into())),
            Some(Value::Int(n)) => Ok(Some(n.to_string())),
            Some(Value::Nil) => Ok(Some(String::new())),
            Some(other) => Err(self.odd(&format!("{other:?}"))),
        }
    }

    /// The next word, which must be there.
    pub(crate) fn word(&mut self) -> Result<String, LinkError> {
        match self.next_word()? {
            Some(word) => Ok(word),
            None => Err(self.odd("fewer words than expected")),
        }
    }

    /// The next word as a number, an identity, ...
    pub(crate) fn parse<T: FromStr>(&mut self) -> Result<T, LinkError>
    where
        T::Err: Display,
    {
        let word = self.word()?;
        word.parse()
            .map_err(|e| self.odd(&format!("{word:?}: {e}")))
    }

    /// The next word parsed; nothing where it is empty.
    pub(crate) fn parse_some<T: FromStr>(&mut self) -> Result<Option<T>, LinkError>
    where
        T::Err: Display,
    {
        let word = self.word()?;
        if word.is_empty() {
            return Ok(None);
        }
        word.parse()
            .map(Some)
            .map_err(|e| self.odd(&format!("{word:?}: {e}")))
    }

    /// The next word as it is: bytes of a seat map, or nothing where the key does not exist.
    pub(crate) fn bytes(&mut self) -> Option<Vec<u8>> {
        match self.words.next() {
            Some(Value::BulkString(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// A list within the list.
    pub(crate) fn nested(&mut self) -> Result<Self, LinkError> {
        match self.words.next() {
            Some(value) => Self::new(self.from, value),
            None => Err(self.odd("fewer words than expected")),
        }
    }

    /// The next list within the list; nothing at the end.
    pub(crate) fn next_nested(&mut self) -> Result<Option<Self>, LinkError> {
        self.words
            .next()
            .map(|value| Self::new(self.from, value))
            .transpose()
    }

    /// How many words are left.
    pub(crate) fn left(&self) -> usize {
        self.words.len()
    }

    /// The error for an answer that makes no sense.
    pub(crate) fn odd(&self, what: &str) -> LinkError {
        LinkError::Protocol(format!("{} answered {what}", self.from))
    }
}
