//! Which spans a request leaves, and what they say. Pure.
//!
//! They name the order and the route, never the buyer, an address or a query.

use std::time::SystemTime;

use shared::message::OrderNumber;
use shared::telemetry::attributes::{
    HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, KAFKA_OFFSET,
    MESSAGING_DESTINATION, MESSAGING_OPERATION_NAME, MESSAGING_OPERATION_TYPE, MESSAGING_PARTITION,
    MESSAGING_SYSTEM, ORDER, URL_PATH, URL_SCHEME,
};
use shared::telemetry::{Kind, Place, Span, TraceContext};

use crate::http::{Call, Problem, Reply, Route};
use crate::kafka::Published;

/// Methods that have a name of their own in traces; others could be of any number.
const METHODS: [&str; 9] = [
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
];

/// The span of a request and its answer.
pub(crate) fn request(
    place: Place,
    call: &Call,
    answer: &Result<Reply, Problem>,
    took: (SystemTime, SystemTime),
) -> Span {
    let route = Route::of(&call.method, &call.path).ok();
    let template = route.as_ref().map(Route::template);
    let method = METHODS.into_iter().find(|known| *known == call.method);
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
    let span = Span::new(place, Kind::Server, name, took)
        .with(HTTP_REQUEST_METHOD, method.unwrap_or("_OTHER"))
        .with_some(HTTP_ROUTE, template)
        .with(URL_PATH, call.path.clone())
        .with(URL_SCHEME, scheme)
        .with(HTTP_RESPONSE_STATUS_CODE, i64::from(status))
        .with_some(ORDER, order(route.as_ref(), answer));
    match answer {
        // Of what is the caller's fault the server knows no error.
        Err(problem) if problem.status >= 500 => span.failed(problem.code, problem.title),
        _ => span,
    }
}

/// The order that an answer is about, else the one that was asked for.
fn order(route: Option<&Route>, answer: &Result<Reply, Problem>) -> Option<String> {
    let told = match answer {
        Ok(reply) => reply.body.get("order"),
        Err(problem) => problem.extras.get("order"),
    };
    let asked = match route {
        Some(Route::Order(number) | Route::CancelOrder(number)) => Some(number.as_str()),
        _ => None,
    };
    // A path may say anything.
    let number = told
        .and_then(|order| order.as_str())
        .or(asked)?
        .parse::<OrderNumber>()
        .ok()?;
    Some(number.to_string())
}

/// The places of a request and of what it sends, known before it is sent: the message names the one that causes its handling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    /// The request's span.
    pub request: TraceContext,
    /// The sending's own.
    pub own: TraceContext,
}

/// The span of a publish. `carried`: the traceparent inside the message. It is an earlier request's where this one repeats it, and then
/// the two traces are linked.
pub(crate) fn publish(
    sending: Sending,
    (order, carried): (OrderNumber, Option<&str>),
    topic: &str,
    outcome: &Published,
    took: (SystemTime, SystemTime),
) -> Span {
    let place = Place {
        context: sending.own,
        parent: Some(sending.request),
    };
    let mut span = Span::new(place, Kind::Producer, format!("send {topic}"), took)
        .with(MESSAGING_SYSTEM, "kafka")
        .with(MESSAGING_DESTINATION, topic.to_owned())
        .with(MESSAGING_OPERATION_TYPE, "send")
        .with(MESSAGING_OPERATION_NAME, "send")
        .with(ORDER, order.to_string());
    span.link = carried
        .and_then(|text| text.parse().ok())
        .filter(|carried| *carried != sending.own);
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
    use shared::telemetry::Value;
    use shared::telemetry::attributes::ERROR_TYPE;

    use super::*;

    const CALLER: TraceContext = TraceContext::begin(9, 1);
    const REQUEST: TraceContext = CALLER.child(2);
    const OWN: TraceContext = CALLER.child(3);
    const TOOK: (SystemTime, SystemTime) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH);
    const SENDING: Sending = Sending {
        request: REQUEST,
        own: OWN,
    };

    fn asked(method: &str, path: &str, answer: &Result<Reply, Problem>) -> Span {
        let call = Call {
            method: method.to_owned(),
            path: path.to_owned(),
            ..Call::default()
        };
        request(
            Place {
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
            Value::Text(text) => Some(text.clone().into_owned()),
            Value::Number(number) => Some(number.to_string()),
        }
    }

    fn number() -> OrderNumber {
        OrderNumber::new(4_611_686_018_427_387_905).expect("an order number")
    }

    #[test]
    fn a_request_is_named_by_its_route_and_tells_of_its_order() {
        let order = number().to_string();
        let span = asked(
            "POST",
            "/programs/7/orders",
            &Ok(Reply::at(202, String::new(), json!({ "order": order }))),
        );
        assert_eq!(
            (span.name.as_ref(), span.kind, span.error.as_deref()),
            ("POST /programs/{id}/orders", Kind::Server, None)
        );
        assert_eq!(
            span.place,
            Place {
                context: REQUEST,
                parent: Some(CALLER)
            }
        );
        let told = |name| text(&span, name);
        assert_eq!(told(HTTP_REQUEST_METHOD).as_deref(), Some("POST"));
        assert_eq!(told(HTTP_ROUTE).as_deref(), Some("/programs/{id}/orders"));
        assert_eq!(told(HTTP_RESPONSE_STATUS_CODE).as_deref(), Some("202"));
        assert_eq!(told(URL_PATH).as_deref(), Some("/programs/7/orders"));
        assert_eq!(told(ORDER), Some(order));
    }

    #[test]
    fn what_the_server_could_not_do_is_an_error_and_what_the_caller_did_wrong_is_none() {
        let order = number().to_string();
        let path = format!("/orders/{order}");
        let failed = asked("GET", &path, &Err(Problem::unavailable("away")));
        assert_eq!(
            (
                failed.error.as_deref(),
                text(&failed, ERROR_TYPE).as_deref()
            ),
            (Some("Temporarily unavailable"), Some("unavailable"))
        );
        assert_eq!(text(&failed, ORDER), Some(order));
        let unknown = asked(
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
    fn what_anybody_can_make_up_makes_no_new_names() {
        let span = asked(
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
    fn a_publish_is_the_requests_child_and_the_messages_parent() {
        let taken = Published::Acknowledged {
            partition: 2,
            offset: 17,
            appended_ms: 0,
        };
        let span = publish(
            SENDING,
            (number(), Some(&OWN.to_string())),
            "demo-order-create",
            &taken,
            TOOK,
        );
        assert_eq!(
            (span.name.as_ref(), span.kind),
            ("send demo-order-create", Kind::Producer)
        );
        assert_eq!(
            (span.place, span.link),
            (
                Place {
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
    fn a_repeated_publish_is_linked_to_the_trace_that_its_message_carries() {
        let earlier = TraceContext::begin(5, 5);
        let lost = Published::Unknown("no word".to_owned());
        let span = publish(
            SENDING,
            (number(), Some(&earlier.to_string())),
            "t",
            &lost,
            TOOK,
        );
        assert_eq!(
            (span.link, span.error.as_deref()),
            (Some(earlier), Some("no word"))
        );
        assert_eq!(text(&span, ERROR_TYPE).as_deref(), Some("unknown"));
        assert_eq!(
            publish(SENDING, (number(), Some("none")), "t", &lost, TOOK).link,
            None
        );
    }
}
