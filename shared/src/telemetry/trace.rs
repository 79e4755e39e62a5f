//! W3C trace context: `00-{trace id}-{parent id}-{flags}`, the `traceparent` header.

use std::fmt;
use std::str::FromStr;

use crate::message::BadValue;

/// Which trace something belongs to, and which span it was caused by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    sampled: bool,
}

impl TraceContext {
    /// Begins a trace from random bits. Neither identity may be zero, so a zero becomes one.
    pub const fn begin(trace: u128, span: u64) -> Self {
        Self {
            trace: if trace == 0 { 1 } else { trace },
            span: if span == 0 { 1 } else { span },
            sampled: true,
        }
    }

    /// The same trace with a span of its own, from random bits.
    #[must_use]
    pub const fn child(self, span: u64) -> Self {
        Self {
            span: if span == 0 { 1 } else { span },
            ..self
        }
    }

    /// The trace's identity.
    pub const fn trace(&self) -> u128 {
        self.trace
    }

    /// The span's identity.
    pub const fn span(&self) -> u64 {
        self.span
    }

    /// Whether the trace's spans are kept.
    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// The same, kept or not.
    #[must_use]
    pub const fn with_sampled(self, sampled: bool) -> Self {
        Self { sampled, ..self }
    }

    /// The caller's trace if it sent a valid one, else a new one; the span is new either way. An invalid header is never an error.
    pub fn continue_or_begin(
        traceparent: Option<&str>,
        random_trace: u128,
        random_span: u64,
    ) -> Self {
        match traceparent.and_then(|text| text.parse::<Self>().ok()) {
            Some(parent) => parent.child(random_span),
            None => Self::begin(random_trace, random_span),
        }
    }

    /// The trace's identity, 32 lower-case hex digits: what log lines carry.
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

    /// Reads version 00, and of later versions the part that version 00 knows, as the standard asks.
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

    use super::*;

    const SAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    proptest! {
        #[test]
        fn a_context_reads_back_what_it_wrote(trace: u128, span: u64, next: u64) {
            let context = TraceContext::begin(trace, span).child(next);
            prop_assert_eq!(context.to_string().parse(), Ok(context));
        }

        #[test]
        fn any_text_is_read_or_refused_and_never_panics(text in ".{0,80}") {
            let _ = text.parse::<TraceContext>();
        }
    }

    #[test]
    fn the_standards_sample_keeps_its_trace_under_a_new_span() {
        let child = TraceContext::continue_or_begin(Some(SAMPLE), 7, 0xab);
        assert_eq!(
            child.to_string(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000ab-01"
        );
        assert_eq!(child.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        assert!(
            format!("cc{}-what-else", &SAMPLE[2..])
                .parse::<TraceContext>()
                .is_ok()
        );
    }

    #[test]
    fn what_the_standard_forbids_begins_a_new_trace() {
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
            assert!(bad.parse::<TraceContext>().is_err(), "{bad:?} was taken");
            assert_eq!(
                TraceContext::continue_or_begin(Some(bad), 7, 8),
                TraceContext::begin(7, 8)
            );
        }
    }
}
