//! W3C trace context: `00-{trace id}-{parent id}-{flags}`, the `traceparent` header.

use std::fmt;
use std::str::FromStr;

use crate::message::BadValue;

/// A span of a trace, by its ids, and whether the trace is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    sampled: bool,
}

impl TraceContext {
    /// The first span of a trace, from random bits. An id must not be zero; a zero becomes one.
    pub const fn begin(trace: u128, span: u64) -> Self {
        Self {
            trace: if trace == 0 { 1 } else { trace },
            span: if span == 0 { 1 } else { span },
            sampled: true,
        }
    }

    /// A new span of the same trace, from random bits.
    #[must_use]
    pub const fn child(self, span: u64) -> Self {
        Self {
            span: if span == 0 { 1 } else { span },
            ..self
        }
    }

    /// The trace id.
    pub const fn trace(&self) -> u128 {
        self.trace
    }

    /// The span id.
    pub const fn span(&self) -> u64 {
        self.span
    }

    /// Whether the spans of the trace are kept.
    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// Replaces the decision whether the trace is kept.
    #[must_use]
    pub const fn with_sampled(self, sampled: bool) -> Self {
        Self { sampled, ..self }
    }

    /// The trace id in 32 lower-case hex digits, as in log lines.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }
}

/// As the `traceparent` header.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace,
            self.span,
            u8::from(self.sampled)
        )
    }
}

impl FromStr for TraceContext {
    type Err = BadValue;

    /// Reads version 00 and, of later versions, the fields of version 00, as the standard requires.
    fn from_str(text: &str) -> Result<Self, BadValue> {
        parse(text).ok_or(BadValue {
            what: "traceparent",
            rule: "00-, 32 hex digits, -, 16 hex digits, -, 2 hex digits; not all zero",
        })
    }
}

fn parse(text: &str) -> Option<TraceContext> {
    let mut parts = text.split('-');
    let mut hex = |len: usize| {
        let part = parts.next()?;
        let lower = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (part.len() == len && lower).then(|| u128::from_str_radix(part, 16).ok())?
    };
    let version = hex(2)?;
    let trace = hex(32)?;
    let span = hex(16)?;
    let flags = hex(2)?;
    let more = parts.next().is_some();
    if version == 0xff || (version == 0 && more) || trace == 0 || span == 0 {
        return None;
    }
    Some(TraceContext {
        trace,
        span: span as u64,
        sampled: flags & 1 == 1,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Sampler;
    use super::*;
    use crate::config::Reader;

    const SAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    proptest! {
        #[test]
        fn a_context_reads_back_what_it_wrote(trace: u128, span: u64, next: u64) {
            let context = TraceContext::begin(trace, span).child(next);
            prop_assert_eq!(context.to_string().parse(), Ok(context));
        }

        #[test]
        fn any_text_is_parsed_or_refused_without_panic(text in ".{0,80}") {
            let _ = text.parse::<TraceContext>();
        }
    }

    #[test]
    fn a_child_keeps_its_trace_id() {
        let parent: TraceContext = SAMPLE.parse().expect("valid");
        let child = parent.child(0xab);
        assert_eq!(
            child.to_string(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000ab-01"
        );
        assert_eq!(child.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn a_later_version_is_read_as_version_00() {
        assert!(
            format!("cc{}-what-else", &SAMPLE[2..])
                .parse::<TraceContext>()
                .is_ok()
        );
    }

    #[test]
    fn an_invalid_header_begins_a_new_trace() {
        let sampler = Sampler::read(&Reader::new::<&str, &str>([]));
        for bad in [
            "",
            "00",
            &SAMPLE.to_uppercase(),
            &format!("ff{}", &SAMPLE[2..]),
            &format!("{SAMPLE}-more"),
            &SAMPLE.replace("00f067aa0ba902b7", "0000000000000000"),
            &SAMPLE.replace(
                "4bf92f3577b34da6a3ce929d0e0e4736",
                "00000000000000000000000000000000",
            ),
        ] {
            assert!(bad.parse::<TraceContext>().is_err(), "{bad:?} was accepted");
            let position = sampler.position(Some(bad), 7, 8);
            assert_eq!(
                (position.context, position.parent),
                (TraceContext::begin(7, 8), None)
            );
        }
    }
}
