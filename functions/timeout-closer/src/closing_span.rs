//! The span of an order's closing, in the trace that its row carries. Pure.

use std::time::SystemTime;

use shared::store::OrderRow;
use shared::telemetry::attributes::{ORDER, OUTCOME};
use shared::telemetry::{Span, SpanKind, SpanPosition};

/// Which job closed the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClosedBy {
    /// The due timeout entry.
    Entry,
    /// The sweep, because the entry was lost or late.
    Sweep,
}

/// The span of a closed order; `None` if its trace is not sampled. `gate_error` is why the gate was
/// not settled.
pub(crate) fn closing_span(
    row: &OrderRow,
    by: ClosedBy,
    gate_error: Option<&str>,
    took: (SystemTime, SystemTime),
    place: impl Fn(Option<&str>) -> Option<SpanPosition>,
) -> Option<Span> {
    let place = place(row.trace.as_deref()).filter(|place| place.context.is_sampled())?;
    let outcome = match by {
        ClosedBy::Entry => "closed",
        ClosedBy::Sweep => "closed_by_sweep",
    };
    let span = Span::new(place, SpanKind::Internal, "close order", took)
        .with(ORDER, row.number.to_string())
        .with(OUTCOME, outcome);
    Some(match gate_error {
        Some(error) => span.failed("gate", error),
        None => span,
    })
}

#[cfg(test)]
mod tests {
    use shared::message::{Nonce, OrderNumber};
    use shared::sale::Status;
    use shared::telemetry::TraceContext;

    use super::*;

    const STORED: TraceContext = TraceContext::begin(3, 4);
    const TOOK: (SystemTime, SystemTime) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH);

    fn row(trace: TraceContext) -> OrderRow {
        OrderRow {
            number: OrderNumber::new(4_611_686_018_427_387_905).expect("valid"),
            nonce: Nonce::new([1; 16]),
            user: None,
            program: None,
            category: None,
            seats: vec![],
            unit_price: None,
            amount: None,
            idempotency_key: None,
            status: Status::Closed,
            reason: None,
            duplicate_of: None,
            pay_by_ms: None,
            remaining_ms: None,
            version: 2,
            created_at_ms: 0,
            trace: Some(trace.to_string()),
        }
    }

    fn place(traceparent: Option<&str>) -> Option<SpanPosition> {
        let parent = traceparent?.parse::<TraceContext>().ok()?;
        Some(SpanPosition {
            context: parent.child(8),
            parent: Some(parent),
        })
    }

    #[test]
    fn a_closing_belongs_to_the_orders_trace() {
        let span = closing_span(&row(STORED), ClosedBy::Entry, None, TOOK, place).expect("kept");
        assert_eq!(
            span.position,
            SpanPosition {
                context: STORED.child(8),
                parent: Some(STORED)
            }
        );
        assert_eq!(
            (span.name.as_ref(), span.error.as_deref()),
            ("close order", None)
        );
        assert_eq!(span.attribute(ORDER), Some(&"4611686018427387905".into()));
        assert_eq!(span.attribute(OUTCOME), Some(&"closed".into()));
        assert_eq!(
            closing_span(
                &row(STORED.with_sampled(false)),
                ClosedBy::Entry,
                None,
                TOOK,
                place
            ),
            None
        );
    }

    #[test]
    fn an_unsettled_gate_fails_the_span() {
        let span =
            closing_span(&row(STORED), ClosedBy::Sweep, Some("away"), TOOK, place).expect("kept");
        assert_eq!(
            (span.error.as_deref(), span.attribute(OUTCOME)),
            (Some("away"), Some(&"closed_by_sweep".into()))
        );
    }
}
