//! Typed reading of a script's reply.

use std::fmt::Display;
use std::str::FromStr;

use redis::Value;

use super::LinkError;

/// The flat list of words that a script or a command returned. Reading past its end, or a word of
/// another type than expected, is a [`LinkError::Protocol`] with the name of the script.
#[derive(Debug)]
pub struct Reply {
    script: &'static str,
    words: std::vec::IntoIter<Value>,
}

impl Reply {
    /// `script` names the origin in errors. A single value becomes a list of one, nil an empty
    /// list.
    pub fn new(script: &'static str, value: Value) -> Result<Self, LinkError> {
        let words = match value.extract_error()? {
            Value::Array(words) => words,
            Value::Nil => Vec::new(),
            single => vec![single],
        };
        Ok(Self {
            script,
            words: words.into_iter(),
        })
    }

    /// A list without words.
    pub(super) fn empty(script: &'static str) -> Self {
        Self {
            script,
            words: Vec::new().into_iter(),
        }
    }

    /// The next word, `None` at the end. A nil inside the list is an empty word.
    pub fn next_word(&mut self) -> Result<Option<String>, LinkError> {
        match self.words.next() {
            None => Ok(None),
            Some(Value::BulkString(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(self.unexpected("a word that is not UTF-8")),
            },
            Some(Value::SimpleString(text)) => Ok(Some(text)),
            Some(Value::Okay) => Ok(Some("OK".into())),
            Some(Value::Int(n)) => Ok(Some(n.to_string())),
            Some(Value::Nil) => Ok(Some(String::new())),
            Some(other) => Err(self.unexpected(&format!("{other:?}"))),
        }
    }

    /// The next word; the end of the list is an error.
    pub fn word(&mut self) -> Result<String, LinkError> {
        match self.next_word()? {
            Some(word) => Ok(word),
            None => Err(self.unexpected("fewer words than expected")),
        }
    }

    /// Parses the next word.
    pub fn parse<T: FromStr>(&mut self) -> Result<T, LinkError>
    where
        T::Err: Display,
    {
        let word = self.word()?;
        self.parsed(&word)
    }

    /// Parses the next word; `None` if it is empty.
    pub fn parse_optional<T: FromStr>(&mut self) -> Result<Option<T>, LinkError>
    where
        T::Err: Display,
    {
        let word = self.word()?;
        if word.is_empty() {
            return Ok(None);
        }
        self.parsed(&word).map(Some)
    }

    fn parsed<T: FromStr>(&self, word: &str) -> Result<T, LinkError>
    where
        T::Err: Display,
    {
        word.parse()
            .map_err(|e| self.unexpected(&format!("{word:?}: {e}")))
    }

    /// The next word as bytes; `None` for nil, another type, or the end.
    pub fn bytes(&mut self) -> Option<Vec<u8>> {
        match self.words.next() {
            Some(Value::BulkString(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// The next element, a list; the end is an error.
    pub fn nested(&mut self) -> Result<Self, LinkError> {
        match self.words.next() {
            Some(value) => Self::new(self.script, value),
            None => Err(self.unexpected("fewer words than expected")),
        }
    }

    /// Reads items up to the end of the list.
    pub fn rest<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, LinkError>,
    ) -> Result<Vec<T>, LinkError> {
        let mut items = Vec::new();
        while self.remaining() > 0 {
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// How many elements are left.
    pub fn remaining(&self) -> usize {
        self.words.len()
    }

    /// The error for a reply that violates the script's contract.
    pub fn unexpected(&self, what: &str) -> LinkError {
        LinkError::Protocol(format!("{} answered {what}", self.script))
    }
}
