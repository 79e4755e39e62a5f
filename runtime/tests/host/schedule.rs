//! Schedules in real time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sam_template::model::{Function, Schedule, ScheduleKind};
use serde_json::Value;
use testkit::eventually;
use tokio::sync::{mpsc, oneshot, watch};
use usher::instances::PoolOptions;
use usher::invocation::{FunctionError, Invoke, Outcome, Rejected, Request, Response};
use usher::sources::asynchronous;
use usher::sources::schedule::ScheduleEventSource;
use usher::supervision::ComponentRegistry;
use usher::up;

use crate::support::{application, claimed, executables, function, options, state};

/// Fails the first invocation; records all.
struct FailsOnce(mpsc::UnboundedSender<Value>, std::sync::atomic::AtomicBool);

#[async_trait::async_trait]
impl Invoke for FailsOnce {
    async fn invoke(&self, request: Request, wait_for_slot: bool) -> Result<Response, Rejected> {
        assert!(wait_for_slot, "an asynchronous event waits for an instance");
        let _ = self
            .0
            .send(serde_json::from_slice(&request.payload).unwrap());
        let outcome = if self.1.swap(true, std::sync::atomic::Ordering::SeqCst) {
            Outcome::Answer(Bytes::from_static(b"null"))
        } else {
            Outcome::Error(FunctionError {
                error_type: "E".into(),
                message: "m".into(),
                body: Bytes::new(),
            })
        };
        Ok(Response {
            request_id: "r".into(),
            outcome,
        })
    }
}

/// The events of a function `F`, run by this invoker.
fn queue(invoker: FailsOnce, stopping: &watch::Receiver<bool>) -> asynchronous::AsyncQueue {
    let app = application(Function {
        id: "F".into(),
        ..function(&[])
    });
    let (queue, driver) =
        asynchronous::open(&state(), &asynchronous::AsyncSettings::of(&app, 16, false)).unwrap();
    tokio::spawn(driver.run(Arc::new(invoker), stopping.clone(), Duration::ZERO));
    queue
}

/// Fires these schedules until none fires again.
fn fire(
    schedules: Vec<Schedule>,
    queue: &asynchronous::AsyncQueue,
    last_run_file: Option<&Path>,
    stopping: &watch::Receiver<bool>,
) -> impl Future<Output = ()> + use<> {
    ScheduleEventSource::new(
        schedules,
        queue,
        last_run_file,
        &ComponentRegistry::default(),
    )
    .fire(stopping)
}

fn every_second(arn: &str) -> Schedule {
    Schedule {
        id: "F.Tick".into(),
        function: "F".into(),
        expression: "rate(1 second)".into(),
        timezone: "UTC".into(),
        input: None,
        kind: ScheduleKind::Rule,
        enabled: true,
        start: None,
        end: None,
        arn: arn.into(),
    }
}

#[tokio::test]
async fn a_failed_run_is_retried_without_delaying_others() {
    let schedule = every_second("arn:rule");
    let disabled = Schedule {
        id: "F.Off".into(),
        arn: "arn:off".into(),
        enabled: false,
        ..schedule.clone()
    };
    let (sent, mut seen) = mpsc::unbounded_channel();
    let (stop, stopping) = watch::channel(false);
    let events = queue(FailsOnce(sent, false.into()), &stopping);
    let running = tokio::spawn(fire(vec![schedule, disabled], &events, None, &stopping));

    let mut events = Vec::new();
    while events.len() < 4 {
        events.push(seen.recv().await.unwrap());
    }
    let again = events[1..]
        .iter()
        .filter(|event| event["id"] == events[0]["id"])
        .count();
    assert_eq!(again, 1, "{events:?}");
    assert!(
        events
            .iter()
            .all(|event| event["resources"][0] == "arn:rule")
    );
    stop.send(true).unwrap();
    running.await.unwrap();
}

#[tokio::test]
async fn context_attributes_reach_the_function_replaced() {
    let input = r#"{"at": "<aws.scheduler.scheduled-time>", "arn": "<aws.scheduler.schedule-arn>",
        "try": <aws.scheduler.attempt-number>, "id": "<aws.scheduler.execution-id>"}"#;
    let schedule = Schedule {
        kind: ScheduleKind::Scheduler,
        input: Some(input.into()),
        ..every_second("arn:of:schedule")
    };
    let (sent, mut seen) = mpsc::unbounded_channel();
    let (stop, stopping) = watch::channel(false);
    let events = queue(FailsOnce(sent, true.into()), &stopping);
    let before = jiff::Timestamp::now();
    let running = tokio::spawn(fire(vec![schedule], &events, None, &stopping));
    let first = seen.recv().await.unwrap();
    let second = seen.recv().await.unwrap();
    assert_eq!(
        (&first["arn"], &first["try"]),
        (&"arn:of:schedule".into(), &1.into())
    );
    let time = |event: &Value| {
        event["at"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    assert!(
        time(&first) >= before - jiff::SignedDuration::from_secs(1) && time(&second) > time(&first),
        "{first} {second}"
    );
    assert_ne!(first["id"], second["id"]);
    stop.send(true).unwrap();
    running.await.unwrap();
}

#[tokio::test]
async fn nothing_fires_before_the_start_date_or_after_the_end_date() {
    let now = jiff::Timestamp::now();
    let second = jiff::SignedDuration::from_secs(1);
    let start = now + second;
    let end = now + second * 3;
    let kind = ScheduleKind::Scheduler;
    let start_at = Some(start);
    let end_at = Some(end);
    let schedule = Schedule {
        kind,
        start: start_at,
        end: end_at,
        ..every_second("arn:schedule")
    };
    let (sent, mut seen) = mpsc::unbounded_channel();
    let folder = tempfile::tempdir().unwrap();
    let memory = folder.path().join("deep/seen");
    let (_stop, stopping) = watch::channel(false);
    let events = queue(FailsOnce(sent, true.into()), &stopping);
    // ends without a drain: no firing is left
    fire(vec![schedule], &events, Some(&memory), &stopping).await;
    eventually("what was fired has run", async || {
        events
            .stats()
            .iter()
            .all(|of| of.unfinished() == 0)
            .then_some(())
    })
    .await;
    let mut times = Vec::new();
    while let Ok(event) = seen.try_recv() {
        times.push(
            event["time"]
                .as_str()
                .unwrap()
                .parse::<jiff::Timestamp>()
                .unwrap(),
        );
    }
    // the time in the event has whole seconds
    assert_eq!(times.len(), 3, "{times:?} between {start} and {end}");
    assert!(
        times[0] >= start - second && times[2] <= end + second,
        "{times:?}"
    );
    let remembered: jiff::Timestamp = std::fs::read_to_string(&memory).unwrap().parse().unwrap();
    assert!(remembered >= now);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_does_not_wait_for_hanging_runs() {
    let mut app = application(Function {
        concurrency: Some(1),
        ..function(&[])
    });
    app.schedules.push(Schedule {
        id: "Echo.Tick".into(),
        function: "Echo".into(),
        input: Some(r#"{"do":"hang"}"#.into()),
        ..every_second("arn:rule")
    });
    let control = testkit::net::free_address();
    let options = up::HostOptions {
        executables: executables(),
        pool: PoolOptions {
            drain: Duration::from_millis(50),
            ..options().0
        },
        control: Some(control),
        http: [].into(),
        keys: None,
        aws_timing: false,
        settings: None,
        log: None,
        schedules: true,
        state: claimed(),
        invoke: up::InvokeAt::Given(([127, 0, 0, 1], 0).into()),
        token: None,
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let host = tokio::spawn(up::run(app, options, async move { drop(stopped.await) }));
    eventually("one run hangs and two wait", async || {
        let status: Value = reqwest::get(format!("http://{control}/_usher/status"))
            .await
            .ok()?
            .json()
            .await
            .ok()?;
        (status["events"][0]["running"] == 1 && status["events"][0]["waiting"].as_u64()? >= 2)
            .then_some(())
    })
    .await;
    stop.send(()).unwrap();
    // far less than the timeouts of three runs, far more than a drain
    tokio::time::timeout(Duration::from_secs(25), host)
        .await
        .expect("the drain ends")
        .unwrap()
        .unwrap();
}
