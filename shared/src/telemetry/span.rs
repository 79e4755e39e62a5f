//! A span: what was done for whom, from when to when. Pure: functions decide what their spans say, the exporter only carries them.

use std::borrow::Cow;
use std::time::SystemTime;

use super::TraceContext;

/// Where a span stands in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The span itself.
    pub context: TraceContext,
    /// What caused it; nothing where the trace begins.
    pub parent: Option<TraceContext>,
}

/// Which part a span has in what passes between programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Answers a request from elsewhere.
    Server,
    /// Hands a message over, as part of something else in this process.
    Producer,
    /// Handles a message from elsewhere.
    Consumer,
    /// Works on what was left to be done later.
    Later,
}

impl Kind {
    /// Whether its parent, if it has one, belongs to another process.
    pub const fn enters(self) -> bool {
        !matches!(self, Self::Producer)
    }
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(Cow<'static, str>),
    /// A whole number.
    Number(i64),
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// A finished span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Where it stands.
    pub place: Place,
    /// Its part.
    pub kind: Kind,
    /// What was done; of few different names, since backends group by it.
    pub name: Cow<'static, str>,
    /// When it began and ended.
    pub took: (SystemTime, SystemTime),
    /// What is known of it.
    pub attributes: Vec<(&'static str, Value)>,
    /// A span of another trace that has to do with it.
    pub link: Option<TraceContext>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl Span {
    /// A span of which nothing more is known.
    pub fn new(
        place: Place,
        kind: Kind,
        name: impl Into<Cow<'static, str>>,
        took: (SystemTime, SystemTime),
    ) -> Self {
        Self {
            place,
            kind,
            name: name.into(),
            took,
            attributes: Vec::new(),
            link: None,
            error: None,
        }
    }

    /// The same with one more attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// The same with one more attribute, if there is a value.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The same, failed: `kind` is a word for programs, `why` a sentence for people.
    #[must_use]
    pub fn failed(self, kind: impl Into<Value>, why: impl Into<String>) -> Self {
        Self {
            error: Some(why.into()),
            ..self
        }
        .with(super::attributes::ERROR_TYPE, kind)
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }
}
