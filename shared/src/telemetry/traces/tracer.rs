//! The tracer of a function: it creates span ids, takes spans, and waits for their export.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::backlog::{Backlog, CollectorChange, NextStep};
use super::export::{ExportError, OtlpExporter, SpanExporter};
use super::settings::TraceSettings;
use super::shutdown::ShutdownSignal;
use crate::naming::Names;
use crate::telemetry::{MetricLine, Sampler, Span, SpanPosition, TraceContext};

/// How long a process that received SIGTERM waits for its spans: after 500 ms it is killed.
const SHUTDOWN_FLUSH: Duration = Duration::from_millis(400);

/// Takes spans and exports them. Without settings it is off and does nothing.
#[derive(Default)]
pub struct Tracer(Option<ActiveTracer>);

struct ActiveTracer {
    state: Arc<TracerState>,
    /// The exporting task; it ends with the tracer.
    _task: JoinSet<()>,
}

struct TracerState {
    names: Names,
    sampler: Sampler,
    flush: Duration,
    every: Duration,
    runtime_api: Option<String>,
    backlog: Mutex<Backlog>,
    /// Wakes the task: there are spans, or a request waits for its spans.
    work: Notify,
    /// Notified by the task: an attempt has ended.
    ended: Notify,
}

impl Tracer {
    /// Off without settings. Else it needs a tokio runtime, in which its task runs beside requests.
    /// A response waits for its spans at most once within `every`.
    pub fn start(settings: Option<&TraceSettings>, names: &Names, every: Duration) -> Self {
        settings.map_or_else(Self::default, |settings| {
            Self::with(OtlpExporter::new(settings, names), settings, names, every)
        })
    }

    /// On, with the given exporter.
    pub(super) fn with(
        exporter: impl SpanExporter,
        settings: &TraceSettings,
        names: &Names,
        every: Duration,
    ) -> Self {
        let state = Arc::new(TracerState {
            names: names.clone(),
            sampler: settings.sampler,
            flush: settings.flush,
            every,
            runtime_api: settings.runtime_api.clone(),
            backlog: Mutex::default(),
            work: Notify::new(),
            ended: Notify::new(),
        });
        let mut task = JoinSet::new();
        let sender = state.clone();
        task.spawn(async move { match sender.send_all(exporter).await {} });
        Self(Some(ActiveTracer { state, _task: task }))
    }

    /// Whether spans are exported.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The position of a new span: a child of `traceparent`, or the first span of a new trace.
    /// `None` if the tracer is off.
    pub fn position(&self, traceparent: Option<&str>) -> Option<SpanPosition> {
        let on = self.0.as_ref()?;
        Some(
            on.state
                .sampler
                .position(traceparent, rand::random(), rand::random()),
        )
    }

    /// A child of this span.
    pub fn child(parent: TraceContext) -> TraceContext {
        parent.child(rand::random())
    }

    /// Takes the spans whose trace is kept. Never waits.
    pub fn record(&self, spans: impl IntoIterator<Item = Span>) {
        let Some(ActiveTracer { state, .. }) = &self.0 else {
            return;
        };
        let now = Instant::now();
        let mut backlog = state.backlog();
        let mut wake = false;
        for span in spans {
            wake |= span.position.context.is_sampled() && backlog.add(span, now);
        }
        drop(backlog);
        if wake {
            state.work.notify_one();
        }
    }

    /// Waits until the spans are exported, at most as long as the settings allow and only while the
    /// collector accepts spans. Called before a response, after which the process may be frozen.
    pub async fn flush(&self) {
        if let Some(ActiveTracer { state, .. }) = &self.0
            && !state.flush.is_zero()
        {
            state.settled(state.flush, state.every).await;
        }
    }

    /// Runs a function to its end, or until the process receives SIGTERM; then exports the rest.
    pub fn serve<E>(
        &self,
        run: impl Future<Output = Result<(), E>>,
    ) -> impl Future<Output = Result<(), E>> {
        // On the heap: it contains the whole state of a request.
        let run = Box::pin(run);
        async move {
            let Some(ActiveTracer { state, .. }) = &self.0 else {
                return run.await;
            };
            let signal = state.shutdown_signal().await;
            let shutdown = async {
                match signal {
                    Some(mut signal) => signal.received().await,
                    None => std::future::pending().await,
                }
                // While `run` continues: requests in flight may still finish.
                state.settled(SHUTDOWN_FLUSH, Duration::ZERO).await;
            };
            tokio::select! {
                ended = run => ended,
                () = shutdown => Ok(()),
            }
        }
    }
}

impl TracerState {
    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn shutdown_signal(&self) -> Option<ShutdownSignal> {
        let runtime_api = self.runtime_api.as_ref()?;
        let signal = ShutdownSignal::register(runtime_api).await;
        let warn = |error: &_| {
            tracing::warn!(%error, "no shutdown extension: the last spans may be lost");
        };
        signal.inspect_err(warn).ok()
    }

    async fn settled(&self, limit: Duration, every: Duration) {
        if !self.backlog().begin_wait(Instant::now(), every) {
            return;
        }
        self.work.notify_one();
        let settled = async {
            loop {
                // Enabled before the check, so that a notification in between is received.
                let mut ended = std::pin::pin!(self.ended.notified());
                ended.as_mut().enable();
                if self.backlog().is_settled() {
                    return;
                }
                ended.await;
            }
        };
        if tokio::time::timeout(limit, settled).await.is_err() {
            self.backlog().wait_failed();
        }
    }

    async fn send_all(&self, exporter: impl SpanExporter) -> Infallible {
        loop {
            let next = self.backlog().next(Instant::now());
            match next {
                NextStep::Idle => self.work.notified().await,
                NextStep::Wait(then) => tokio::select! {
                    () = self.work.notified() => {}
                    () = tokio::time::sleep_until(then.into()) => {}
                },
                NextStep::Send(spans) => {
                    let result = exporter.export(spans).await;
                    let mut backlog = self.backlog();
                    let now = Instant::now();
                    let change = backlog.sent(result.as_ref().ok().copied(), now, rand::random());
                    let report = backlog.due(now);
                    drop(backlog);
                    log_change(change, &result);
                    if let Some(counts) = report {
                        MetricLine::new(&self.names)
                            .count("SpansSent", counts.sent)
                            .count("SpansDropped", counts.dropped)
                            .emit();
                    }
                    self.ended.notify_waiters();
                }
            }
        }
    }
}

fn log_change(change: Option<CollectorChange>, result: &Result<u64, ExportError>) {
    match (change, result) {
        (Some(CollectorChange::Unavailable), Err(error)) => {
            tracing::warn!(
                %error,
                "spans are not exported; they are dropped until the collector accepts them again"
            );
        }
        (Some(CollectorChange::Available(dropped)), _) => {
            tracing::info!(dropped, "spans are exported again");
        }
        _ => {}
    }
}
