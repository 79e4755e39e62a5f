//! A span: an operation, its times and its attributes. Pure: functions build spans, the exporter
//! sends them.

use std::borrow::Cow;
use std::time::SystemTime;

use super::TraceContext;

/// The ids of a span and of its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanPosition {
    /// The span.
    pub context: TraceContext,
    /// The span that caused it; `None` for the first span of a trace.
    pub parent: Option<TraceContext>,
}

/// The role of a span, as in OpenTelemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Handles a request of another process.
    Server,
    /// Sends a message, as part of another span of this process.
    Producer,
    /// Handles a message of another process.
    Consumer,
    /// An operation without a message, such as one that a schedule starts.
    Internal,
}

impl SpanKind {
    /// Whether its parent, if any, is a span of another process.
    pub const fn has_remote_parent(self) -> bool {
        !matches!(self, Self::Producer)
    }
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// A string.
    Text(Cow<'static, str>),
    /// An integer.
    Number(i64),
}

impl From<&'static str> for AttributeValue {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for AttributeValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// A finished span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its ids.
    pub position: SpanPosition,
    /// Its role.
    pub kind: SpanKind,
    /// The operation. Backends group by it, so there must be few different names.
    pub name: Cow<'static, str>,
    /// Begin and end.
    pub took: (SystemTime, SystemTime),
    /// Names and values.
    pub attributes: Vec<(&'static str, AttributeValue)>,
    /// A related span of another trace.
    pub link: Option<TraceContext>,
    /// The error, if it failed.
    pub error: Option<String>,
}

impl Span {
    /// A span without attributes.
    pub fn new(
        position: SpanPosition,
        kind: SpanKind,
        name: impl Into<Cow<'static, str>>,
        took: (SystemTime, SystemTime),
    ) -> Self {
        Self {
            position,
            kind,
            name: name.into(),
            took,
            attributes: Vec::new(),
            link: None,
            error: None,
        }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<AttributeValue>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// Adds an attribute if there is a value.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<impl Into<AttributeValue>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Marks the span as failed: `kind` is one word for programs, `why` a sentence for operators.
    #[must_use]
    pub fn failed(self, kind: impl Into<AttributeValue>, why: impl Into<String>) -> Self {
        Self {
            error: Some(why.into()),
            ..self
        }
        .with(super::attributes::ERROR_TYPE, kind)
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&AttributeValue> {
        self.attributes
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }
}
