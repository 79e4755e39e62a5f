//! Settings that change while the host runs: by a command, or by an edit of usher.toml.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use testkit::eventually;
use usher::invocation::{Invoke, Rejected, Request, Response};
use usher::sources::EventSource as _;
use usher::tuning::SourceSettings;

use crate::kafka_fixture;
use crate::operations_fixture::Application;
use crate::sqs_fixture::SqsFixture;

fn tune(running: &kafka_fixture::Running, paused: bool) {
    let settings = SourceSettings {
        batch_size: 50,
        window: Duration::ZERO,
        concurrency: 4,
        paused,
        ..SourceSettings::default()
    };
    running.source.tune(&settings);
}

fn held(running: &kafka_fixture::Running) -> usize {
    running
        .source
        .snapshot()
        .partitions
        .iter()
        .map(|partition| partition.held)
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_usher_toml_apply_unless_invalid() {
    let mut application = Application::new();
    application.settings("[settings.Echo]\nconcurrency = 3");
    application.up().await;
    let limit = async || application.get("/_usher/status").await["functions"][0]["limit"].as_u64();
    assert_eq!(limit().await, Some(3));
    application.settings(
        "[settings.Echo]\nconcurrency = 5\n[settings.Echo.Jobs]\nbatching-window = 1\nbatch-size = 500",
    );
    eventually("the file is followed", async || {
        (limit().await == Some(5)).then_some(())
    })
    .await;
    let told = application.said(&["settings"]);
    assert!(
        told.contains("batch-size: 10 -> 500  (usher.toml)"),
        "{told}"
    );
    application.settings(
        "[settings.Echo]\nconcurrency = 0\n[settings.Echo.Jobs]\nbatching-window = 1\nbatch-size = 400",
    );
    let told = eventually("the sound part is followed", async || {
        let told = application.said(&["settings"]);
        told.contains("batch-size: 500 -> 400").then_some(told)
    })
    .await;
    assert!(told.contains("concurrency      5"), "{told}");
    let log = std::fs::read_to_string(application.path().join("log")).unwrap();
    assert!(
        log.contains("from 1 to 1000"),
        "the log has the refusal: {log}"
    );
    application.settings("");
    eventually("what is gone goes back", async || {
        (limit().await == Some(16)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_change_is_refused_with_a_reason() {
    let mut application = Application::new();
    let alone = application.usher(&["set", "Echo", "concurrency=3"]);
    assert_eq!(alone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&alone.stderr).contains("no host responds"));
    application.up().await;
    for (arguments, words) in [
        (&["set", "Ech", "concurrency=3"][..], "Did you mean Echo?"),
        (&["set", "Echo", "concurrency=0"], "from 1 to 1000"),
        (
            &["set", "Echo.Jobs", "batch-size=500"],
            "Set batching-window first",
        ),
        (&["set", "log=[x"], "such as info or debug"),
        (&["pause", "Echo"], "has no setting paused"),
    ] {
        let output = application.usher(arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(
            message.contains(words),
            "{arguments:?}: {words} is missing from {message}"
        );
    }
    assert!(!application.said(&["settings"]).contains("changes"));
    application.said(&["set", "log=debug"]);
    eventually("more is logged", async || {
        std::fs::read_to_string(application.path().join("log"))
            .unwrap()
            .contains("DEBUG")
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumed_kafka_mapping_continues_at_its_position() {
    let fixture = kafka_fixture::KafkaFixture::new(1).await;
    let running = fixture.start();
    fixture.produce(0, &kafka_fixture::values(0..5)).await;
    fixture.eventually_seen(5).await;
    tune(&running, true);
    fixture.produce(0, &kafka_fixture::values(5..10)).await;
    // what is held shows that it still polls; nothing of it is invoked
    testkit::eventually("the records are held", async || {
        (held(&running) == 5).then_some(())
    })
    .await;
    assert_eq!(fixture.eventually_seen(5).await.len(), 5);
    tune(&running, false);
    fixture.eventually_seen(10).await;
    running.drain().await;
    assert_eq!(fixture.committed(0).await, Some(10));
}

/// A function that is never free.
#[derive(Default)]
struct Busy {
    /// Callers that wait for it now.
    waiting: Arc<AtomicUsize>,
}

/// Counts one caller until it is dropped.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl Invoke for Busy {
    async fn invoke(&self, _request: Request, _wait_for_slot: bool) -> Result<Response, Rejected> {
        Err(Rejected::ShuttingDown)
    }

    async fn ready(&self, _function: &str) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(self.waiting.clone());
        std::future::pending::<()>().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_paused_while_busy_requests_nothing() {
    let fixture = SqsFixture::new().await;
    let busy = Arc::new(Busy::default());
    let waiting = busy.waiting.clone();
    let running = fixture.start_with(busy);
    let callers = async |count: usize| {
        eventually("so many requests wait for the function", async || {
            (waiting.load(Ordering::SeqCst) == count).then_some(())
        })
        .await;
    };
    let pause = |paused: bool| {
        let settings = SourceSettings {
            batch_size: 10,
            concurrency: 4,
            paused,
            ..SourceSettings::default()
        };
        running.source.tune(&settings);
    };
    callers(1).await;
    pause(true);
    callers(0).await;
    pause(false);
    callers(1).await;
    running.drain().await;
}
