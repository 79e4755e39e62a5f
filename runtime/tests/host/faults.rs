//! Faults on purpose in real processes.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::eventually;
use usher::faults::{FaultPlan, Kill};
use usher::instances::{Pool, PoolOptions};

use crate::support::{answer, application, error, executables, function, invoke, options};

fn pool(faults: FaultPlan, environment: &[(&str, &str)]) -> std::sync::Arc<Pool> {
    Pool::new(
        &application(function(environment)),
        &executables(),
        &PoolOptions {
            faults,
            ..options().0
        },
    )
}

/// A plan whose first invocation has its process killed so.
fn kills(how: Kill) -> FaultPlan {
    let plans = (0..).map(|seed| FaultPlan {
        seed,
        kill: 0.5,
        ..FaultPlan::default()
    });
    plans
        .into_iter()
        .find(|plan| plan.of(0).kill == Some(how) && plan.of(1).kill.is_none())
        .unwrap()
}

#[tokio::test]
async fn a_killed_process_fails_only_its_invocation() {
    for (how, works) in [(Kill::Early, false), (Kill::Late, true)] {
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("seen");
        let pool = pool(kills(how), &[("RECORD_TO", record.to_str().unwrap())]);
        let event = json!({ "Records": [{ "messageId": "m", "body": "b", "attributes": {} }] });
        let response = invoke(&pool, event).await;
        let (kind, message) = error(&response);
        assert_eq!(kind, "Runtime.ExitError");
        assert_eq!(
            message,
            format!(
                "RequestId: {} Error: Runtime exited with error: signal: killed",
                response.request_id
            )
        );
        if works {
            assert!(
                record.exists(),
                "killed when it answered, its work was done"
            );
        }
        answer(&invoke(&pool, json!({"do": "echo"})).await);
        assert_eq!(pool.stats().functions[0].cold_starts, 2);
    }
}

#[tokio::test]
async fn a_duplicated_event_runs_twice_under_one_id() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("seen");
    let pool = pool(
        FaultPlan {
            duplicate: 1.0,
            ..FaultPlan::default()
        },
        &[("RECORD_TO", record.to_str().unwrap())],
    );
    let event = json!({ "Records": [{ "messageId": "m", "body": "b", "attributes": {} }] });
    answer(&invoke(&pool, event).await);
    assert_eq!(std::fs::read_to_string(&record).unwrap().lines().count(), 2);
    assert_eq!(pool.stats().functions[0].invocations, 2);
}

#[tokio::test]
async fn a_delayed_invocation_waits_for_the_planned_time() {
    let plan = FaultPlan {
        delay: Duration::from_millis(400),
        ..FaultPlan::default()
    };
    let pool = pool(plan, &[]);
    let before = Instant::now();
    answer(&invoke(&pool, json!({"do": "echo"})).await);
    assert!(
        before.elapsed() >= plan.of(0).delay,
        "{:?}",
        plan.of(0).delay
    );
}

/// `T` in /proc: stopped.
fn is_stopped(pid: u64) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "))
}

#[tokio::test]
async fn a_process_is_frozen_between_invocations() {
    let pool = pool(
        FaultPlan {
            freeze: true,
            ..FaultPlan::default()
        },
        &[],
    );
    let pid = answer(&invoke(&pool, json!({"do": "echo"})).await)["pid"]
        .as_u64()
        .unwrap();
    for _ in 0..3 {
        eventually("it is stopped", async || is_stopped(pid).then_some(())).await;
        assert_eq!(
            answer(&invoke(&pool, json!({"do": "sleep", "ms": 20})).await)["pid"],
            pid
        );
    }
    eventually("it is stopped", async || is_stopped(pid).then_some(())).await;
    pool.shutdown().await;
    assert!(!testkit::process::is_running(pid));
}
