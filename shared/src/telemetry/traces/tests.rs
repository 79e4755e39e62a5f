//! A tracer over a test exporter.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;

use super::export::{ExportError, SpanExporter};
use super::{TraceSettings, Tracer};
use crate::config::Reader;
use crate::naming::Names;
use crate::telemetry::{Span, SpanKind, SpanPosition, TraceContext};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3_600);

#[derive(Clone, Copy)]
enum Collector {
    Accepts,
    Refuses,
    Hangs,
}

/// Counts the spans that the exporter received.
#[derive(Clone, Default)]
struct Received(Arc<AtomicUsize>);

impl Received {
    fn spans(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

struct TestExporter(Collector, Received);

impl SpanExporter for TestExporter {
    async fn export(&self, spans: Vec<Span>) -> Result<u64, ExportError> {
        self.1.0.fetch_add(spans.len(), Ordering::SeqCst);
        match self.0 {
            Collector::Accepts => Ok(0),
            Collector::Refuses => Err(ExportError::Refused(StatusCode::SERVICE_UNAVAILABLE)),
            Collector::Hangs => std::future::pending().await,
        }
    }
}

fn tracer(collector: Collector, flush_ms: u64, every: Duration) -> (Tracer, Received) {
    let flush = flush_ms.to_string();
    let reader = Reader::new([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector"),
        ("TRACE_FLUSH_MS", flush.as_str()),
    ]);
    let settings = reader.finish(|| TraceSettings::read(&reader, "test"));
    let settings = settings.expect("valid").expect("on");
    let names = Names::new("test").expect("valid");
    let received = Received::default();
    (
        Tracer::with(
            TestExporter(collector, received.clone()),
            &settings,
            &names,
            every,
        ),
        received,
    )
}

fn span(context: TraceContext) -> Span {
    let now = SystemTime::UNIX_EPOCH;
    Span::new(
        SpanPosition {
            context,
            parent: None,
        },
        SpanKind::Server,
        "GET /",
        (now, now),
    )
}

const KEPT: TraceContext = TraceContext::begin(1, 2);

#[tokio::test]
async fn a_tracer_that_is_off_never_waits() {
    let tracer = Tracer::default();
    assert!(!tracer.is_on() && tracer.position(Some(&KEPT.to_string())).is_none());
    tracer.record([span(KEPT)]);
    tracer.flush().await;
    assert_eq!(
        tracer.serve(async { Err::<(), _>("its end") }).await,
        Err("its end")
    );
}

/// Whether a response is sent without waiting.
async fn returns_immediately(tracer: &Tracer) -> bool {
    tokio::time::timeout(Duration::ZERO, tracer.flush())
        .await
        .is_ok()
}

#[tokio::test]
async fn a_response_waits_for_its_kept_spans() {
    let (tracer, received) = tracer(Collector::Accepts, 5_000, Duration::ZERO);
    tracer.record([span(KEPT), span(KEPT.with_sampled(false))]);
    tracer.flush().await;
    assert_eq!(received.spans(), 1);
    assert!(returns_immediately(&tracer).await, "nothing is left");
    let position = tracer.position(Some(&KEPT.to_string())).expect("on");
    assert_eq!((position.context.trace(), position.parent), (1, Some(KEPT)));
}

#[tokio::test]
async fn an_unavailable_collector_is_waited_for_once() {
    for (collector, flush_ms) in [(Collector::Hangs, 10), (Collector::Refuses, 5_000)] {
        let (tracer, received) = tracer(collector, flush_ms, Duration::ZERO);
        tracer.record([span(KEPT)]);
        tracer.flush().await;
        for _ in 0..3 {
            tracer.record([span(KEPT)]);
            assert!(returns_immediately(&tracer).await);
        }
        assert_eq!(received.spans(), 1);
    }
}

#[tokio::test]
async fn spans_are_exported_without_a_waiting_response() {
    let (tracer, received) = tracer(Collector::Accepts, 0, Duration::ZERO);
    tracer.record([span(KEPT)]);
    assert!(returns_immediately(&tracer).await);
    let until = Instant::now() + Duration::from_secs(20);
    while received.spans() == 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(received.spans(), 1);
    let (rare, received) = self::tracer(Collector::Accepts, 5_000, LONG);
    rare.record([span(KEPT)]);
    rare.flush().await;
    assert_eq!(received.spans(), 1);
    rare.record([span(KEPT)]);
    assert!(
        returns_immediately(&rare).await,
        "another response has waited recently"
    );
}
