//! A tracer with an exporter that does as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::export::Export;
use super::{TraceSettings, Tracer};
use crate::config::Reader;
use crate::naming::Names;
use crate::telemetry::{Kind, Place, Span, TraceContext};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3_600);

#[derive(Clone, Copy)]
enum Collector {
    Takes,
    Refuses,
    Hangs,
}

/// What came to it.
#[derive(Clone, Default)]
struct Seen(Arc<AtomicUsize>);

impl Seen {
    fn spans(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

struct Told(Collector, Seen);

impl Export for Told {
    async fn export(&self, spans: Vec<Span>) -> Result<u64, String> {
        self.1.0.fetch_add(spans.len(), Ordering::SeqCst);
        match self.0 {
            Collector::Takes => Ok(0),
            Collector::Refuses => Err("as told".to_owned()),
            Collector::Hangs => std::future::pending().await,
        }
    }
}

fn tracer(collector: Collector, flush_ms: u64, every: Duration) -> (Tracer, Seen) {
    let flush = flush_ms.to_string();
    let reader = Reader::new([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector"),
        ("TRACE_FLUSH_MS", flush.as_str()),
    ]);
    let settings = TraceSettings::read(&reader, "test")
        .flatten()
        .expect("valid and on");
    let names = Names::new("test").expect("valid");
    let seen = Seen::default();
    (
        Tracer::with(Told(collector, seen.clone()), &settings, &names, every),
        seen,
    )
}

fn span(context: TraceContext) -> Span {
    let now = SystemTime::UNIX_EPOCH;
    Span::new(
        Place {
            context,
            parent: None,
        },
        Kind::Server,
        "GET /",
        (now, now),
    )
}

const KEPT: TraceContext = TraceContext::begin(1, 2);

#[tokio::test]
async fn a_tracer_that_is_off_has_no_places_and_waits_for_nothing() {
    let tracer = Tracer::default();
    assert!(!tracer.is_on() && tracer.place(Some(&KEPT.to_string())).is_none());
    tracer.record([span(KEPT)]);
    tracer.settle().await;
    assert_eq!(
        tracer.serve(async { Err::<(), _>("its end") }).await,
        Err("its end")
    );
}

/// Whether an answer goes out without a moment's wait.
async fn at_once(tracer: &Tracer) -> bool {
    tokio::time::timeout(Duration::ZERO, tracer.settle())
        .await
        .is_ok()
}

#[tokio::test]
async fn an_answer_waits_until_its_spans_are_taken_and_traces_not_kept_leave_none() {
    let (tracer, seen) = tracer(Collector::Takes, 5_000, Duration::ZERO);
    tracer.record([span(KEPT), span(KEPT.with_sampled(false))]);
    tracer.settle().await;
    assert_eq!(seen.spans(), 1);
    assert!(at_once(&tracer).await, "nothing is left");
    let place = tracer.place(Some(&KEPT.to_string())).expect("on");
    assert_eq!((place.context.trace(), place.parent), (1, Some(KEPT)));
}

#[tokio::test]
async fn a_collector_that_hangs_is_waited_for_once_and_one_that_refuses_until_it_has() {
    for (collector, flush_ms) in [(Collector::Hangs, 10), (Collector::Refuses, 5_000)] {
        let (tracer, seen) = tracer(collector, flush_ms, Duration::ZERO);
        tracer.record([span(KEPT)]);
        tracer.settle().await;
        for _ in 0..3 {
            tracer.record([span(KEPT)]);
            assert!(at_once(&tracer).await);
        }
        assert_eq!(seen.spans(), 1);
    }
}

#[tokio::test]
async fn where_no_answer_waits_spans_go_by_themselves_and_where_few_do_the_others_do_not() {
    let (tracer, seen) = tracer(Collector::Takes, 0, Duration::ZERO);
    tracer.record([span(KEPT)]);
    assert!(at_once(&tracer).await);
    let until = Instant::now() + Duration::from_secs(20);
    while seen.spans() == 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(seen.spans(), 1);
    let (rare, seen) = self::tracer(Collector::Takes, 5_000, LONG);
    rare.record([span(KEPT)]);
    rare.settle().await;
    assert_eq!(seen.spans(), 1);
    rare.record([span(KEPT)]);
    assert!(at_once(&rare).await, "another has waited lately");
}
