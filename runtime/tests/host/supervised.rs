//! Components that panic are restarted, reported meanwhile, and stop no other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sam_template::model::{Function, Schedule, ScheduleKind};
use serde_json::{Value, json};
use testkit::eventually;
use testkit::net::free_address;
use tokio::sync::oneshot;
use usher::instances::{Pool, PoolOptions};
use usher::supervision::ComponentRegistry;
use usher::up;

use crate::http_fixture::{api, route};
use crate::kafka_fixture::{KafkaFixture, values};
use crate::sqs_fixture::SqsFixture;
use crate::support::{application, error, executables, function, invoke, options};
use crate::up::up_options;

/// Every kind of component.
const PARTS: [&str; 11] = [
    "API Api",
    "Invoke API",
    "asynchronous events",
    "function Echo",
    "function timers",
    "live page",
    "mapping EchoEvents",
    "mapping EchoMessages",
    "schedule Echo.Tick",
    "schedules",
    "settings of usher.toml",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_stops_no_other_component() {
    let fixture = KafkaFixture::new(1).await;
    let queue = SqsFixture::new().await;
    let control = free_address();
    let http = free_address();
    let mut app = application(crate::kafka_fixture::recording(&fixture.folder));
    app.kafka.push(fixture.mapping.clone());
    app.sqs.push(queue.mapping.clone());
    app.sqs_endpoint = Some(queue.endpoint.clone());
    app.apis.push(api(vec![route("GET /", "Echo")]));
    app.schedules.push(every_second());
    let settings = fixture.folder.path().join("usher.toml");
    std::fs::write(&settings, "").unwrap();
    let parts = ComponentRegistry::panicking(PARTS.map(str::to_owned));
    let options = up::HostOptions {
        pool: PoolOptions {
            parts,
            ..options().0
        },
        executables: executables(),
        http: BTreeMap::from([("Api".to_owned(), http)]),
        settings: Some((settings, Vec::new())),
        ..up_options(control)
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let host = tokio::spawn(up::run(app, options, async move { drop(stopped.await) }));

    let status = eventually("each part has started again", async || {
        let status: Value = reqwest::get(format!("http://{control}/_usher/status"))
            .await
            .ok()?
            .json()
            .await
            .ok()?;
        let again = |part: &Value| part["restarts"].as_u64() >= Some(1);
        let parts = status["parts"].as_array()?;
        PARTS
            .iter()
            .all(|name| {
                parts
                    .iter()
                    .any(|part| part["part"] == *name && again(part))
            })
            .then(|| status.clone())
    })
    .await;
    assert_eq!(
        status["parts"].as_array().unwrap().len(),
        PARTS.len(),
        "{status}"
    );
    let metrics = reqwest::get(format!("http://{control}/metrics"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for name in PARTS {
        let sample = format!("usher_part_restarts_total{{part=\"{name}\"}} ");
        assert!(
            metrics.contains(&sample) && !metrics.contains(&format!("{sample}0\n")),
            "{name}: {metrics}"
        );
    }

    // everything works
    fixture.produce(0, &values(0..10)).await;
    queue.send(&["message"]).await;
    let seen = || std::fs::read_to_string(fixture.folder.path().join("seen")).unwrap_or_default();
    eventually(
        "records, messages and schedules reach the function",
        async || {
            let (all, count) = (seen(), |what: &str| {
                seen().lines().filter(|line| line.contains(what)).count()
            });
            let done = count("value ") == 10 && all.contains("done message") && count("tick") >= 5;
            done.then_some(())
        },
    )
    .await;
    let answer = reqwest::get(format!("http://{http}/")).await.unwrap();
    assert_eq!(answer.status(), 200);
    eventually("/health is well again", async || {
        (reqwest::get(format!("http://{control}/health"))
            .await
            .ok()?
            .status()
            == 200)
            .then_some(())
    })
    .await;
    stop.send(()).unwrap();
    host.await.unwrap().unwrap();
}

#[tokio::test]
async fn deadlines_hold_after_the_timers_have_panicked() {
    const TIMERS: &str = "function timers";
    let parts = ComponentRegistry::panicking(vec![TIMERS.to_owned()]);
    let options = PoolOptions {
        parts: parts.clone(),
        ..options().0
    };
    let function = Function {
        timeout: Duration::from_secs(1),
        ..function(&[])
    };
    let pool = Pool::new(&application(function), &executables(), &options);
    eventually("the timers have started again", async || {
        let parts = parts.status(Instant::now());
        let timers = parts.iter().find(|part| part.part == TIMERS)?;
        (timers.restarts > 0).then_some(())
    })
    .await;
    let (kind, _) = error(&invoke(&pool, json!({"do": "hang"})).await);
    assert_eq!(kind, "Sandbox.Timedout");
}

fn every_second() -> Schedule {
    Schedule {
        id: "Echo.Tick".into(),
        function: "Echo".into(),
        expression: "rate(1 second)".into(),
        timezone: "UTC".into(),
        input: Some(json!({ "do": "record", "text": "tick" }).to_string()),
        kind: ScheduleKind::Rule,
        enabled: true,
        start: None,
        end: None,
        arn: "arn:rule".into(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_reports_an_ended_component() {
    let fixture = KafkaFixture::new(1).await;
    let control = free_address();
    let mut app = application(crate::kafka_fixture::recording(&fixture.folder));
    app.schedules.push(every_second());
    let parts = ComponentRegistry::panicking(["schedule Echo.Tick".to_owned()]);
    let options = up::HostOptions {
        pool: PoolOptions {
            parts,
            ..options().0
        },
        ..up_options(control)
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let host = tokio::spawn(up::run(app, options, async move { drop(stopped.await) }));
    let health: Value = eventually("/health is not well", async || {
        let answer = reqwest::get(format!("http://{control}/health"))
            .await
            .ok()?;
        if answer.status() == 503 {
            answer.json().await.ok()
        } else {
            None
        }
    })
    .await;
    let problem = &health["problems"][0];
    assert_eq!(problem["part"], "schedule Echo.Tick", "{health}");
    assert!(
        problem["problem"].as_str().unwrap().contains("on purpose"),
        "{health}"
    );
    stop.send(()).unwrap();
    host.await.unwrap().unwrap();
}
