//! One order is one trace through all functions, and no order depends on the collector of traces.

mod collector;

use std::time::Duration;

use anyhow::{Context, Result};
use journeys::{Settings, TestEnvironment, until};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::json;
use ticket_rush::api::SeatSelection;
use ticket_rush::host::free_address;

use collector::{Behavior, Collector, ReceivedSpan};

const LONG: Duration = Duration::from_mins(10);
/// Just above the publish window of the journeys.
const SHORT: Duration = Duration::from_secs(4);
/// How long an answer waits for the export of its spans, as on Lambda.
const FLUSH: &str = "500";

const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const CALLER: u64 = 0x00f0_67aa_0ba9_02b7;

fn caller(sampled: bool) -> String {
    format!("00-{TRACE:032x}-{CALLER:016x}-0{}", u8::from(sampled))
}

async fn env(endpoint: &str, flush: &str) -> Result<TestEnvironment> {
    let parameters = vec![
        ("OtlpEndpoint", endpoint.to_owned()),
        ("OtlpFlushMs", flush.to_owned()),
    ];
    TestEnvironment::with(Settings {
        parameters,
        ..Settings::default()
    })
    .await
}

/// Orders one seat with a traceparent; returns the order's number.
async fn order(
    env: &TestEnvironment,
    user: &str,
    program: &str,
    traceparent: &str,
) -> Result<String> {
    let buyer = env.buyer(user)?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let request = client
        .post(format!(
            "http://{}/programs/{program}/orders",
            env.environment.http
        ))
        .bearer_auth(buyer.token);
    let request = request
        .header("traceparent", traceparent)
        .header("idempotency-key", "k1");
    let answer = request
        .json(&json!({ "category": 0, "count": 1 }))
        .send()
        .await?
        .error_for_status()?;
    assert_eq!(answer.status(), 202);
    let body: serde_json::Value = answer.json().await?;
    Ok(body["order"]
        .as_str()
        .context("an answer without an order")?
        .to_owned())
}

fn of_kind(spans: &[ReceivedSpan], kind: SpanKind) -> Result<&ReceivedSpan> {
    let mut found = spans.iter().filter(|seen| seen.span.kind() == kind);
    let one = found
        .next()
        .with_context(|| format!("no span of kind {kind:?}"))?;
    assert!(
        found.next().is_none(),
        "two spans of kind {kind:?}: {spans:?}"
    );
    Ok(one)
}

#[tokio::test]
async fn an_order_is_one_trace_from_its_request_to_its_timeout() -> Result<()> {
    let collector = Collector::start(Behavior::Accept).await?;
    let env = env(&collector.endpoint, FLUSH).await?;
    let host = env.up().await?;
    let program = env.sale(1, 4, SHORT, 4).await?;
    let number = order(&env, "ann", &program, &caller(true)).await?;
    env.until_status(&env.buyer("ann")?, &number, "closed")
        .await?;
    let spans = until("four spans have come", async || {
        let spans = collector.trace(&TRACE.to_be_bytes())?;
        Ok((spans.len() >= 4).then_some(spans))
    })
    .await?;
    assert_eq!(spans.len(), 4, "{spans:?}");
    let request = of_kind(&spans, SpanKind::Server)?;
    let publish = of_kind(&spans, SpanKind::Producer)?;
    let create = of_kind(&spans, SpanKind::Consumer)?;
    let close = of_kind(&spans, SpanKind::Internal)?;

    assert_eq!(request.span.parent_span_id, CALLER.to_be_bytes());
    assert_eq!(publish.span.parent_span_id, request.span.span_id);
    assert_eq!(create.span.parent_span_id, publish.span.span_id);
    assert_eq!(close.span.parent_span_id, publish.span.span_id);
    let prefix = &env.environment.prefix;
    for (seen, service) in [
        (request, "storefront"),
        (publish, "storefront"),
        (create, "order-create"),
        (close, "timeout-closer"),
    ] {
        assert_eq!(seen.service, format!("{prefix}-{service}"));
        assert_eq!(
            seen.attribute("usher.order").as_ref(),
            Some(&number),
            "{seen:?}"
        );
        assert_eq!(
            seen.span.status.clone().unwrap_or_default().code(),
            StatusCode::Unset,
            "{seen:?}"
        );
        assert!(seen.span.start_time_unix_nano <= seen.span.end_time_unix_nano);
    }

    let topic = format!("{prefix}-order-create");
    assert_eq!(request.span.name, "POST /programs/{id}/orders");
    assert_eq!(
        request.attribute("http.route").as_deref(),
        Some("/programs/{id}/orders")
    );
    assert_eq!(
        request.attribute("http.request.method").as_deref(),
        Some("POST")
    );
    assert_eq!(
        request.attribute("http.response.status_code").as_deref(),
        Some("202")
    );
    assert_eq!(
        (&publish.span.name, &create.span.name),
        (&format!("send {topic}"), &format!("process {topic}"))
    );
    for seen in [publish, create] {
        assert_eq!(seen.attribute("messaging.system").as_deref(), Some("kafka"));
        assert_eq!(
            seen.attribute("messaging.destination.name").as_ref(),
            Some(&topic)
        );
    }
    assert_eq!(
        publish.attribute("messaging.operation.type").as_deref(),
        Some("send")
    );
    assert_eq!(
        create.attribute("messaging.operation.type").as_deref(),
        Some("process")
    );
    let place = |seen: &ReceivedSpan| {
        (
            seen.attribute("messaging.destination.partition.id"),
            seen.attribute("messaging.kafka.offset"),
        )
    };
    assert_eq!(
        place(publish),
        place(create),
        "the handled record is the published one"
    );
    assert!(place(create).0.is_some() && place(create).1.is_some());

    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn only_sampled_traces_leave_spans() -> Result<()> {
    let collector = Collector::start(Behavior::Accept).await?;
    // No answer waits: spans are exported in the background, or at the end of the process.
    let env = env(&collector.endpoint, "0").await?;
    let host = env.up().await?;
    let program = env.sale(1, 4, LONG, 4).await?;
    let unkept = order(&env, "bob", &program, &caller(false)).await?;
    env.until_status(&env.buyer("bob")?, &unkept, "unpaid")
        .await?;
    let kept = TRACE + 1;
    let number = order(
        &env,
        "ann",
        &program,
        &format!("00-{kept:032x}-{CALLER:016x}-01"),
    )
    .await?;
    host.stop().await?;
    let spans = collector.trace(&kept.to_be_bytes())?;
    for kind in [SpanKind::Server, SpanKind::Producer] {
        assert_eq!(
            of_kind(&spans, kind)?.attribute("usher.order").as_ref(),
            Some(&number)
        );
    }
    assert!(
        collector.trace(&TRACE.to_be_bytes())?.is_empty(),
        "spans of a trace that is not sampled"
    );
    env.remove().await
}

/// Checks that orders are accepted and stored; returns how often the log reports unexported spans.
async fn unexported_spans(endpoint: &str) -> Result<usize> {
    let env = env(endpoint, FLUSH).await?;
    let host = env.up().await?;
    let program = env.sale(2, 10, LONG, 4).await?;
    for n in 0..6 {
        let user = format!("buyer-{n}");
        let key = format!("k{n}");
        let buyer = env.buyer(&user)?;
        let placed = env
            .order(&buyer, &program, SeatSelection::Best(1), &key)
            .await?;
        env.until_status(&buyer, &placed.order, "unpaid").await?;
    }
    assert_eq!(env.count("SELECT count(*) FROM orders").await?, 6);
    host.stop().await?;
    env.audited(&[]).await?;
    let log = std::fs::read_to_string(&env.environment.log)?;
    env.remove().await?;
    Ok(log.matches("spans are not exported").count())
}

#[tokio::test]
async fn an_unreachable_collector_affects_no_order() -> Result<()> {
    let unused = free_address(([127, 0, 0, 1], 0).into())?;
    assert!(
        unexported_spans(&format!("http://{unused}")).await? > 0,
        "the log does not report it"
    );
    Ok(())
}

#[tokio::test]
async fn a_failing_collector_affects_no_order() -> Result<()> {
    let collector = Collector::start(Behavior::Fail).await?;
    assert!(
        unexported_spans(&collector.endpoint).await? > 0,
        "the log does not report it"
    );
    assert!(collector.requests() > 0);
    Ok(())
}

#[tokio::test]
async fn a_silent_collector_affects_no_order() -> Result<()> {
    let collector = Collector::start(Behavior::Hang).await?;
    unexported_spans(&collector.endpoint).await?;
    assert!(collector.requests() > 0);
    Ok(())
}
