//! What functions hold: places in traces, spans handed over, and waits that are bounded.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::backlog::{Backlog, News, Next};
use super::export::{Export, Otlp};
use super::farewell::Farewell;
use super::settings::TraceSettings;
use crate::naming::Names;
use crate::telemetry::{MetricLine, Place, Sampler, Span, TraceContext};

/// How long the end of a process waits for its spans: after 500 ms it is killed.
const LAST: Duration = Duration::from_millis(400);

/// Takes spans and has them exported; does nothing at all where it is off.
#[derive(Default)]
pub struct Tracer(Option<On>);

struct On {
    inner: Arc<Inner>,
    /// Sends them; ends with the tracer.
    _task: JoinSet<()>,
}

struct Inner {
    names: Names,
    sampler: Sampler,
    flush: Duration,
    every: Duration,
    runtime_api: Option<String>,
    backlog: Mutex<Backlog>,
    /// Rung for the task: there are spans, or somebody is in a hurry.
    work: Notify,
    /// Rung by the task: an attempt has ended.
    ended: Notify,
}

impl Tracer {
    /// Off without settings. Else needs a tokio runtime, in which its task runs beside requests. An answer waits for spans at most
    /// once in `every`.
    pub fn start(settings: Option<&TraceSettings>, names: &Names, every: Duration) -> Self {
        settings.map_or_else(Self::default, |settings| {
            Self::with(Otlp::new(settings, names), settings, names, every)
        })
    }

    /// On, with an exporter of the caller's.
    pub(super) fn with(
        exporter: impl Export,
        settings: &TraceSettings,
        names: &Names,
        every: Duration,
    ) -> Self {
        let inner = Arc::new(Inner {
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
        let sender = inner.clone();
        task.spawn(async move { match sender.send_all(exporter).await {} });
        Self(Some(On { inner, _task: task }))
    }

    /// Whether spans go anywhere.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The place of a span that `traceparent` caused, or one at the beginning of a new trace; nothing where the tracer is off.
    pub fn place(&self, traceparent: Option<&str>) -> Option<Place> {
        let on = self.0.as_ref()?;
        Some(
            on.inner
                .sampler
                .place(traceparent, rand::random(), rand::random()),
        )
    }

    /// Another span of the same trace, caused by this one.
    pub fn child(parent: TraceContext) -> TraceContext {
        parent.child(rand::random())
    }

    /// Takes those spans whose trace is kept. Never waits.
    pub fn record(&self, spans: impl IntoIterator<Item = Span>) {
        let Some(On { inner, .. }) = &self.0 else {
            return;
        };
        let now = Instant::now();
        let mut backlog = inner.backlog();
        let mut is_news = false;
        for span in spans {
            is_news |= span.place.context.is_sampled() && backlog.add(span, now);
        }
        drop(backlog);
        if is_news {
            inner.work.notify_one();
        }
    }

    /// Waits until the spans are exported, as long as the settings say and there is hope: before an answer, after which the process may be
    /// frozen.
    pub async fn settle(&self) {
        if let Some(On { inner, .. }) = &self.0
            && !inner.flush.is_zero()
        {
            inner.settled(inner.flush, inner.every).await;
        }
    }

    /// Runs a function to its end, or until its process is told to end; then exports what is left.
    pub fn serve<E>(
        &self,
        run: impl Future<Output = Result<(), E>>,
    ) -> impl Future<Output = Result<(), E>> {
        // On the heap: it holds whatever a request is at work on.
        let run = Box::pin(run);
        async move {
            let Some(On { inner, .. }) = &self.0 else {
                return run.await;
            };
            let farewell = inner.farewell().await;
            let told = async {
                match farewell {
                    Some(mut farewell) => farewell.told().await,
                    None => std::future::pending().await,
                }
                // While `run` goes on: what is at work may still finish.
                inner.settled(LAST, Duration::ZERO).await;
            };
            tokio::select! {
                ended = run => ended,
                () = told => Ok(()),
            }
        }
    }
}

impl Inner {
    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn farewell(&self) -> Option<Farewell> {
        let runtime_api = self.runtime_api.as_ref()?;
        let farewell = Farewell::register(runtime_api).await;
        let unheard = |error: &_| tracing::warn!(%error, "nobody will tell of the end: the last spans may be lost");
        farewell.inspect_err(unheard).ok()
    }

    async fn settled(&self, at_most: Duration, every: Duration) {
        if !self.backlog().hurry(Instant::now(), every) {
            return;
        }
        self.work.notify_one();
        let over = async {
            loop {
                // Before the look, so that what is rung in between is heard.
                let mut ended = std::pin::pin!(self.ended.notified());
                ended.as_mut().enable();
                if self.backlog().is_over() {
                    return;
                }
                ended.await;
            }
        };
        if tokio::time::timeout(at_most, over).await.is_err() {
            self.backlog().waited_in_vain();
        }
    }

    async fn send_all(&self, exporter: impl Export) -> Infallible {
        loop {
            let next = self.backlog().next(Instant::now());
            match next {
                Next::Nothing => self.work.notified().await,
                Next::Wait(then) => tokio::select! {
                    () = self.work.notified() => {}
                    () = tokio::time::sleep_until(then.into()) => {}
                },
                Next::Send(spans) => {
                    let result = exporter.export(spans).await;
                    let mut backlog = self.backlog();
                    let now = Instant::now();
                    let news = backlog.ended(result.as_ref().ok().copied(), now, rand::random());
                    let report = backlog.due(now);
                    drop(backlog);
                    tell(news, &result);
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

fn tell(news: Option<News>, result: &Result<u64, String>) {
    match (news, result) {
        (Some(News::Away), Err(error)) => {
            tracing::warn!(
                error,
                "spans are not exported; they are dropped until the collector takes them again"
            );
        }
        (Some(News::Back(dropped)), _) => tracing::info!(dropped, "spans are exported again"),
        _ => {}
    }
}
