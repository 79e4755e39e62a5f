//! The spans of a request. Pure.
//!
//! Spans contain the order and the route, but no buyer, address or query.

use std::time::SystemTime;

use shared::message::OrderNumber;
use shared::telemetry::attributes::{
    HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, KAFKA_OFFSET,
    MESSAGING_DESTINATION, MESSAGING_OPERATION_NAME, MESSAGING_OPERATION_TYPE, MESSAGING_PARTITION,
    MESSAGING_SYSTEM, ORDER, URL_PATH, URL_SCHEME,
};
use shared::telemetry::{Span, SpanKind, SpanPosition};

use crate::http::{Call, Problem, Reply, Route};
use crate::kafka::Published;

/// Methods that appear in spans by name. All others share one name, which bounds their number.
const METHODS: [&str; 9] = [
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
];

/// The span of a request and its answer.
pub(crate) fn request(
    place: SpanPosition,
    call: &Call,
    answer: &Result<Reply, Problem>,
    took: (SystemTime, SystemTime),
) -> Span {
    let (route, template) = Route::find(&call.method, &call.path).ok().unzip();
    let method = METHODS.into_iter().find(|name| *name == call.method);
    let name = match (method.unwrap_or("HTTP"), template) {
        (method, Some(template)) => format!("{method} {template}"),
        (method, None) => method.to_owned(),
    };
    let scheme = match call.headers.get("x-forwarded-proto") {
        Ok(Some("http")) => "http",
        _ => "https",
    };
    let status = answer
        .as_ref()
        .map_or_else(|problem| problem.status, |reply| reply.status);
    let span = Span::new(place, SpanKind::Server, name, took)
        .with(HTTP_REQUEST_METHOD, method.unwrap_or("_OTHER"))
        .with_some(HTTP_ROUTE, template)
        .with(URL_PATH, call.path.clone())
        .with(URL_SCHEME, scheme)
        .with(HTTP_RESPONSE_STATUS_CODE, i64::from(status))
        .with_some(ORDER, order(route.as_ref(), answer));
    match answer {
        // A client error is no error of the server.
        Err(problem) if problem.status >= 500 => span.failed(problem.code, problem.title),
        _ => span,
    }
}

/// The order in the answer, else the one in the path.
fn order(route: Option<&Route>, answer: &Result<Reply, Problem>) -> Option<String> {
    let answered = match answer {
        Ok(reply) => reply.body.get("order"),
        Err(problem) => problem.extras.get("order"),
    };
    let requested = match route {
        Some(Route::Order(number) | Route::CancelOrder(number)) => Some(number.as_str()),
        _ => None,
    };
    let number = answered
        .and_then(|order| order.as_str())
        .or(requested)?
        .parse::<OrderNumber>()
        .ok()?;
    Some(number.to_string())
}

/// The span of a publish, whose place is chosen before it: the message carries its traceparent.
/// `carried`: the traceparent in the message. If it is from an earlier request, the span links to
/// that trace.
pub(crate) fn publish(
    place: SpanPosition,
    (order, carried): (OrderNumber, Option<&str>),
    topic: &str,
    outcome: &Published,
    took: (SystemTime, SystemTime),
) -> Span {
    let mut span = Span::new(place, SpanKind::Producer, format!("send {topic}"), took)
        .with(MESSAGING_SYSTEM, "kafka")
        .with(MESSAGING_DESTINATION, topic.to_owned())
        .with(MESSAGING_OPERATION_TYPE, "send")
        .with(MESSAGING_OPERATION_NAME, "send")
        .with(ORDER, order.to_string());
    span.link = carried
        .and_then(|text| text.parse().ok())
        .filter(|carried| *carried != place.context);
    match outcome {
        Published::Acknowledged {
            partition, offset, ..
        } => span
            .with(MESSAGING_PARTITION, partition.to_string())
            .with(KAFKA_OFFSET, *offset),
        Published::Refused(why) => span.failed("refused", why.as_str()),
        Published::Unknown(why) => span.failed("unknown", why.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::telemetry::attributes::ERROR_TYPE;
    use shared::telemetry::{AttributeValue, TraceContext};

    use super::*;

    const CALLER: TraceContext = TraceContext::begin(9, 1);
    const REQUEST: TraceContext = CALLER.child(2);
    const OWN: TraceContext = CALLER.child(3);
    const TOOK: (SystemTime, SystemTime) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH);
    const PUBLISH: SpanPosition = SpanPosition {
        context: OWN,
        parent: Some(REQUEST),
    };

    fn answered(method: &str, path: &str, answer: &Result<Reply, Problem>) -> Span {
        let call = Call {
            method: method.to_owned(),
            path: path.to_owned(),
            ..Call::default()
        };
        request(
            SpanPosition {
                context: REQUEST,
                parent: Some(CALLER),
            },
            &call,
            answer,
            TOOK,
        )
    }

    fn text(span: &Span, name: &str) -> Option<String> {
        match span.attribute(name)? {
            AttributeValue::Text(text) => Some(text.clone().into_owned()),
            AttributeValue::Number(number) => Some(number.to_string()),
        }
    }

    fn number() -> OrderNumber {
        OrderNumber::new(4_611_686_018_427_387_905).expect("an order number")
    }

    #[test]
    fn a_span_has_the_route_and_the_order() {
        let order = number().to_string();
        let span = answered(
            "POST",
            "/programs/7/orders",
            &Ok(Reply::at(202, String::new(), json!({ "order": order }))),
        );
        assert_eq!(
            (span.name.as_ref(), span.kind, span.error.as_deref()),
            ("POST /programs/{id}/orders", SpanKind::Server, None)
        );
        assert_eq!(
            span.position,
            SpanPosition {
                context: REQUEST,
                parent: Some(CALLER)
            }
        );
        let value = |name| text(&span, name);
        assert_eq!(value(HTTP_REQUEST_METHOD).as_deref(), Some("POST"));
        assert_eq!(value(HTTP_ROUTE).as_deref(), Some("/programs/{id}/orders"));
        assert_eq!(value(HTTP_RESPONSE_STATUS_CODE).as_deref(), Some("202"));
        assert_eq!(value(URL_PATH).as_deref(), Some("/programs/7/orders"));
        assert_eq!(value(ORDER), Some(order));
    }

    #[test]
    fn only_server_errors_mark_a_span_as_failed() {
        let order = number().to_string();
        let path = format!("/orders/{order}");
        let failed = answered("GET", &path, &Err(Problem::unavailable("away")));
        assert_eq!(
            (
                failed.error.as_deref(),
                text(&failed, ERROR_TYPE).as_deref()
            ),
            (Some("Temporarily unavailable"), Some("unavailable"))
        );
        assert_eq!(text(&failed, ORDER), Some(order));
        let unknown = answered(
            "GET",
            "/orders/x",
            &Err(Problem::not_found("no_such_order", "")),
        );
        assert_eq!(
            (unknown.error.as_deref(), text(&unknown, ORDER)),
            (None, None)
        );
    }

    #[test]
    fn unknown_methods_and_paths_create_no_names() {
        let span = answered(
            "BREW",
            "/tea/4711",
            &Err(Problem::not_found("no_such_route", "")),
        );
        assert_eq!(
            (span.name.as_ref(), text(&span, HTTP_ROUTE)),
            ("HTTP", None)
        );
        assert_eq!(text(&span, HTTP_REQUEST_METHOD).as_deref(), Some("_OTHER"));
    }

    #[test]
    fn a_publish_is_a_child_of_its_request() {
        let acknowledged = Published::Acknowledged {
            partition: 2,
            offset: 17,
            appended_ms: 0,
        };
        let span = publish(
            PUBLISH,
            (number(), Some(&OWN.to_string())),
            "demo-order-create",
            &acknowledged,
            TOOK,
        );
        assert_eq!(
            (span.name.as_ref(), span.kind),
            ("send demo-order-create", SpanKind::Producer)
        );
        assert_eq!(
            (span.position, span.link),
            (
                SpanPosition {
                    context: OWN,
                    parent: Some(REQUEST)
                },
                None
            )
        );
        assert_eq!(text(&span, MESSAGING_PARTITION).as_deref(), Some("2"));
        assert_eq!(text(&span, KAFKA_OFFSET).as_deref(), Some("17"));
        assert_eq!(text(&span, ORDER), Some(number().to_string()));
    }

    #[test]
    fn a_repeated_publish_links_to_the_earlier_trace() {
        let earlier = TraceContext::begin(5, 5);
        let lost = Published::Unknown("timeout".to_owned());
        let span = publish(
            PUBLISH,
            (number(), Some(&earlier.to_string())),
            "t",
            &lost,
            TOOK,
        );
        assert_eq!(
            (span.link, span.error.as_deref()),
            (Some(earlier), Some("timeout"))
        );
        assert_eq!(text(&span, ERROR_TYPE).as_deref(), Some("unknown"));
        assert_eq!(
            publish(PUBLISH, (number(), Some("none")), "t", &lost, TOOK).link,
            None
        );
    }
}
