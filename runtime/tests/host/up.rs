//! The whole host: its status, its drain, and its error messages.

use sam_template::model::KafkaMapping;
use testkit::eventually;
use testkit::net::free_address;
use tokio::sync::oneshot;
use usher::state::StateFolder;
use usher::up;

use crate::kafka_fixture::{KafkaFixture, recording, values};
use crate::support::{application, claimed, executables, options, state};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_serves_its_status_and_drains_when_told() {
    let fixture = KafkaFixture::new(2).await;
    fixture.produce(1, &values(0..25)).await;
    let mut app = application(recording(&fixture.folder));
    app.kafka.push(fixture.mapping.clone());
    let control = free_address();
    let (stop, stopped) = oneshot::channel::<()>();
    let host = tokio::spawn(up::run(app, up_options(control), async move {
        drop(stopped.await);
    }));
    let url = format!("http://{control}/_usher/status");
    let status: serde_json::Value = eventually("the status shows that all is done", async || {
        let status: serde_json::Value = reqwest::get(&url).await.ok()?.json().await.ok()?;
        (status["mappings"][0]["records_done"] == 25).then_some(status)
    })
    .await;
    assert_eq!(status["functions"][0]["function"], "Echo");
    assert!(
        status["functions"][0]["instances"][0]["pid"].is_u64(),
        "{status}"
    );
    let partitions = status["mappings"][0]["partitions"].as_array().unwrap();
    assert!(
        partitions
            .iter()
            .any(|p| p["partition"] == 1 && p["position"] == 25),
        "{status}"
    );
    let foreign = reqwest::Client::new()
        .get(&url)
        .header("Origin", "http://evil.example")
        .send()
        .await
        .unwrap();
    assert_eq!(foreign.status(), 403);
    stop.send(()).unwrap();
    host.await.unwrap().unwrap();
    assert_eq!(fixture.committed(1).await, Some(25));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_missing_servers_are_reported_in_one_message() {
    let fixture = KafkaFixture::new(1).await;
    let mut app = application(recording(&fixture.folder));
    let nowhere = free_address();
    app.kafka.push(KafkaMapping {
        bootstrap_servers: nowhere.to_string(),
        ..fixture.mapping.clone()
    });
    app.kafka.push(KafkaMapping {
        id: "Other".into(),
        function: "Absent".into(),
        ..fixture.mapping.clone()
    });
    let options = up::HostOptions {
        executables: [].into(),
        ..up_options(free_address())
    };
    let message = up::run(app, options, std::future::pending())
        .await
        .unwrap_err()
        .to_string();
    for part in [
        format!("Kafka at {nowhere} does not answer"),
        "there is no function Absent".into(),
        "function Echo has no executable".into(),
    ] {
        assert!(
            message.contains(&part),
            "{part:?} is missing from: {message}"
        );
    }
}

/// The host file is written after everything else was opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_start_leaves_nothing_running() {
    let fixture = KafkaFixture::new(1).await;
    let mut app = application(recording(&fixture.folder));
    app.kafka.push(fixture.mapping.clone());
    let control = free_address();
    let folder = state();
    let options = || up::HostOptions {
        state: StateFolder::claim(&folder).unwrap(),
        ..up_options(control)
    };
    let first = options();
    let host_file = folder.join("host.json");
    std::fs::create_dir(&host_file).unwrap();
    let refused = up::run(app.clone(), first, std::future::pending()).await;
    assert!(
        matches!(refused, Err(up::StartError::HostFile { .. })),
        "{refused:?}"
    );
    std::fs::remove_dir(&host_file).unwrap();
    fixture.produce(0, &values(0..5)).await;
    // ports, stored events and the member of the group are free for the same host
    let (stop, stopped) = oneshot::channel::<()>();
    let host = tokio::spawn(up::run(app, options(), async move { drop(stopped.await) }));
    fixture.eventually_seen(5).await;
    let url = format!("http://{control}/_usher/status");
    let status: serde_json::Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
    let parts = status["parts"].as_array().unwrap();
    assert!(
        parts.iter().all(|part| part["restarts"] == 0),
        "no orphan took the place of a part: {parts:?}"
    );
    stop.send(()).unwrap();
    host.await.unwrap().unwrap();
}

pub(crate) fn up_options(control: std::net::SocketAddr) -> up::HostOptions {
    up::HostOptions {
        executables: executables(),
        pool: options().0,
        control: Some(control),
        http: [].into(),
        keys: None,
        settings: None,
        log: None,
        schedules: true,
        aws_timing: false,
        state: claimed(),
        invoke: up::InvokeAt::Given(([127, 0, 0, 1], 0).into()),
        token: None,
    }
}
