//! The spans of a batch: one per record, in the trace of its message. Pure.

use std::collections::HashMap;
use std::time::SystemTime;

use shared::message::OrderNumber;
use shared::store::{Arrival, Decision, StoredBatch};
use shared::telemetry::attributes::{
    KAFKA_OFFSET, MESSAGING_DESTINATION, MESSAGING_OPERATION_NAME, MESSAGING_OPERATION_TYPE,
    MESSAGING_PARTITION, MESSAGING_SYSTEM, ORDER, OUTCOME,
};
use shared::telemetry::{Span, SpanKind, SpanPosition};

/// The spans of a batch. All have the same times, because the records share a transaction.
///
/// `position` returns the ids of the span for a traceparent. A trace that is not kept has no span.
pub(crate) fn handled(
    arrivals: &[Arrival<'_>],
    stored: &StoredBatch<'_>,
    took: (SystemTime, SystemTime),
    position: impl Fn(Option<&str>) -> Option<SpanPosition>,
) -> Vec<Span> {
    let decisions: HashMap<OrderNumber, &Decision> = stored
        .orders
        .iter()
        .map(|order| (order.request.order, &order.decision))
        .collect();
    let parked: HashMap<usize, &str> = stored
        .parked
        .iter()
        .map(|(at, reason)| (*at, reason.as_str()))
        .collect();
    let rest = stored.unfinished.as_ref();
    let span = |(at, arrival): (usize, &Arrival<'_>)| {
        let message = arrival.message.as_ref().ok();
        let position = position(message.and_then(|message| message.trace.as_deref()))
            .filter(|position| position.context.is_sampled())?;
        let span = Span::new(
            position,
            SpanKind::Consumer,
            format!("process {}", arrival.topic),
            took,
        )
        .with(MESSAGING_SYSTEM, "kafka")
        .with(MESSAGING_DESTINATION, arrival.topic.to_owned())
        .with(MESSAGING_PARTITION, arrival.partition.to_string())
        .with(KAFKA_OFFSET, arrival.offset)
        .with(MESSAGING_OPERATION_TYPE, "process")
        .with(MESSAGING_OPERATION_NAME, "process")
        .with_some(ORDER, message.map(|message| message.order.to_string()));
        if let Some(why) = parked.get(&at) {
            return Some(span.with(OUTCOME, "parked").failed("parked", *why));
        }
        if let Some(rest) = rest.filter(|rest| at >= rest.from) {
            return Some(
                span.with(OUTCOME, "retry")
                    .failed("retry", rest.error.to_string()),
            );
        }
        let decision = message.and_then(|message| decisions.get(&message.order));
        Some(span.with_some(OUTCOME, decision.map(|decision| word(decision))))
    };
    arrivals.iter().enumerate().filter_map(span).collect()
}

/// The decision as one word.
const fn word(decision: &Decision) -> &'static str {
    match decision {
        Decision::Created => "created",
        Decision::AlreadyThere => "already_there",
        Decision::Void => "void",
        Decision::Rejected { .. } => "rejected",
        Decision::Conflict => "conflict",
    }
}

#[cfg(test)]
mod tests {
    use lambda_batch::{ErrorClass, Reason};
    use shared::message::{CategoryNo, Cents, Nonce, OrderRequested, ProgramId, Shard, UserId};
    use shared::sale::Status;
    use shared::store::{OrderRow, StoreError, StoredOrder, StoredRow, Unfinished};
    use shared::telemetry::attributes::ERROR_TYPE;
    use shared::telemetry::{AttributeValue, TraceContext};

    use super::*;

    const TOOK: (SystemTime, SystemTime) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH);

    fn request(n: u16, trace: &str) -> OrderRequested {
        OrderRequested {
            v: 1,
            order: OrderNumber::compose(1_800_000_000_000, Shard::new(3).expect("valid"), n)
                .expect("valid"),
            nonce: Nonce::new([1; 16]),
            user: UserId::new("ann").expect("valid"),
            program: ProgramId::new(5).expect("valid"),
            category: CategoryNo::new(0).expect("valid"),
            seats: vec![],
            unit_price_cents: Cents::new(50).expect("valid"),
            amount_cents: Cents::new(100).expect("valid"),
            idempotency_key: None,
            idempotency_hash: None,
            pay_by_ms: 1_800_000_900_000,
            trace: Some(trace.to_owned()),
        }
    }

    fn row(request: &OrderRequested) -> OrderRow {
        OrderRow {
            number: request.order,
            nonce: request.nonce,
            user: None,
            program: None,
            category: None,
            seats: vec![],
            unit_price: None,
            amount: None,
            idempotency_key: None,
            status: Status::Unpaid,
            reason: None,
            duplicate_of: None,
            pay_by_ms: None,
            remaining_ms: None,
            version: 1,
            created_at_ms: 0,
            trace: request.trace.clone(),
        }
    }

    fn arrival(offset: i64, message: Result<OrderRequested, Reason>) -> Arrival<'static> {
        Arrival {
            topic: "demo-order-create",
            partition: 2,
            offset,
            appended_ms: None,
            key: None,
            value: None,
            message,
        }
    }

    /// Of a message without a trace, one begins.
    fn place(traceparent: Option<&str>) -> SpanPosition {
        let parent = traceparent.and_then(|text| text.parse::<TraceContext>().ok());
        SpanPosition {
            context: parent.map_or(TraceContext::begin(99, 1), |parent| parent.child(7)),
            parent,
        }
    }

    fn word_of(span: &Span, name: &str) -> Option<AttributeValue> {
        span.attribute(name).cloned()
    }

    #[test]
    fn every_record_has_its_span_in_its_own_trace_with_what_became_of_it() {
        let traces: Vec<TraceContext> = (1..=3).map(|n| TraceContext::begin(n, 5)).collect();
        let requests: Vec<OrderRequested> = traces
            .iter()
            .zip(1..)
            .map(|(trace, n)| request(n, &trace.to_string()))
            .collect();
        let mut arrivals: Vec<Arrival> = requests
            .iter()
            .zip(10..)
            .map(|(r, offset)| arrival(offset, Ok(r.clone())))
            .collect();
        arrivals.insert(1, arrival(20, Err(Reason::new("no JSON"))));
        let error = StoreError {
            system: "postgres",
            class: ErrorClass::Unavailable,
            sqlstate: None,
            message: "away".into(),
            hint: "",
            connect: None,
        };
        let stored = StoredBatch {
            orders: vec![
                StoredOrder {
                    request: &requests[0],
                    decision: Decision::Created,
                    row: StoredRow::Other(Box::new(row(&requests[0]))),
                },
                StoredOrder {
                    request: &requests[1],
                    decision: Decision::Rejected { holders: vec![] },
                    row: StoredRow::Other(Box::new(row(&requests[1]))),
                },
            ],
            parked: vec![(1, Reason::new("no JSON"))],
            unfinished: Some(Unfinished { error, from: 3 }),
            ..StoredBatch::default()
        };
        let spans = handled(&arrivals, &stored, TOOK, |traceparent| {
            Some(place(traceparent))
        });
        let outcomes: Vec<_> = spans.iter().map(|span| word_of(span, OUTCOME)).collect();
        assert_eq!(
            outcomes,
            ["created", "parked", "rejected", "retry"].map(|word| Some(word.into()))
        );
        let errors: Vec<_> = spans
            .iter()
            .map(|span| (span.error.is_some(), word_of(span, ERROR_TYPE)))
            .collect();
        let (none, some) = ((false, None), |word: &'static str| {
            (true, Some(word.into()))
        });
        assert_eq!(errors, [none.clone(), some("parked"), none, some("retry")]);
        let parents: Vec<_> = spans.iter().map(|span| span.position.parent).collect();
        assert_eq!(
            parents,
            [Some(traces[0]), None, Some(traces[1]), Some(traces[2])]
        );
        let orders: Vec<_> = spans.iter().map(|span| word_of(span, ORDER)).collect();
        let number = |n: usize| Some(requests[n].order.to_string().into());
        assert_eq!(orders, [number(0), None, number(1), number(2)]);
        assert_eq!(
            (spans[0].kind, spans[0].name.as_ref()),
            (SpanKind::Consumer, "process demo-order-create")
        );
        assert_eq!(word_of(&spans[0], KAFKA_OFFSET), Some(10.into()));
    }

    #[test]
    fn a_trace_that_is_not_kept_leaves_no_span() {
        let not_kept = TraceContext::begin(1, 5).with_sampled(false).to_string();
        let arrivals = [arrival(1, Ok(request(1, &not_kept)))];
        assert_eq!(
            handled(
                &arrivals,
                &StoredBatch::default(),
                TOOK,
                |traceparent| Some(place(traceparent))
            ),
            []
        );
    }
}
