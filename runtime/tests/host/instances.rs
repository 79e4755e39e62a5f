//! Real processes over the Runtime API: responses, deadlines, crashes, limits, shutdown.

use std::time::Duration;

use sam_template::model::Function;
use serde_json::json;
use testkit::eventually;
use testkit::process::is_running;
use usher::instances::{InstanceState, Pool, PoolOptions};
use usher::invocation::{ConcurrencyLimit, Invoke, MAX_PAYLOAD, Rejected, Request};

use crate::support::{
    answer, application, error, executables, function, invoke, options, pool, request,
};

#[tokio::test]
async fn an_invocations_log_has_its_request_id() {
    let (options, printed) = options();
    let pool = Pool::new(&application(function(&[])), &executables(), &options);
    let response = invoke(&pool, json!({"do": "echo", "text": "hello"})).await;
    let answer = answer(&response);
    assert_eq!(answer["event"]["text"], "hello");
    assert_eq!(answer["request_id"], response.request_id);
    assert_eq!(
        answer["arn"],
        "arn:aws:lambda:us-east-1:000000000000:function:stack-Echo"
    );
    assert!(
        answer["trace"].as_str().unwrap().starts_with("Root=1-"),
        "{answer}"
    );
    assert!(answer["deadline"].as_u64().unwrap() > 0);
    let id = &response.request_id;
    // what the function printed travels by another way than its answer: either may come first
    let text = eventually("report and output are written", async || {
        let text = printed.text();
        (text.contains("Init Duration") && text.contains("echo")).then_some(text)
    })
    .await;
    assert!(
        text.contains(&format!("Echo {id} | START RequestId: {id}")),
        "{text}"
    );
    assert!(
        text.contains(&format!("Echo {id} | echo \"hello\"")),
        "{text}"
    );
    assert!(text.contains(&format!("END RequestId: {id}")), "{text}");
    assert!(text.contains("Max Memory Used: "), "{text}");
}

#[tokio::test]
async fn a_warm_process_takes_the_next_event() {
    let pool = pool(function(&[]));
    let first = answer(&invoke(&pool, json!({"do": "echo"})).await)["pid"].clone();
    let second = answer(&invoke(&pool, json!({"do": "echo"})).await)["pid"].clone();
    assert_eq!(first, second);
    let stats = &pool.stats().functions[0];
    assert_eq!(
        (stats.invocations, stats.cold_starts, stats.errors),
        (2, 1, 0)
    );
}

/// The refusal at this reserved limit.
fn throttled(limit: usize) -> Rejected {
    Rejected::Throttled(ConcurrencyLimit {
        function: "Echo".into(),
        limit,
        per_instance: 1,
        reserved: true,
    })
}

#[tokio::test]
async fn at_the_limit_callers_fail_and_pollers_wait() {
    let pool = pool(Function {
        concurrency: Some(1),
        ..function(&[])
    });
    let slow = json!({"do": "sleep", "ms": 300});
    let (first, (second, refused)) = tokio::join!(invoke(&pool, slow.clone()), async {
        eventually("the first is in flight", async || {
            let stats = pool.stats();
            stats.functions[0]
                .instances
                .iter()
                .any(|i| i.state == InstanceState::Busy)
                .then_some(())
        })
        .await;
        let refused = pool.invoke(request(&slow), false).await;
        (invoke(&pool, slow.clone()).await, refused)
    });
    assert_eq!(refused.unwrap_err(), throttled(1));
    assert_eq!(answer(&first)["pid"], answer(&second)["pid"]);
    assert_eq!(pool.stats().functions[0].throttles, 1);
}

#[tokio::test]
async fn zero_concurrency_refuses_waiting_callers_too() {
    let pool = pool(Function {
        concurrency: Some(0),
        ..function(&[])
    });
    let refused = pool.invoke(request(&json!({"do": "echo"})), true).await;
    assert_eq!(refused.unwrap_err(), throttled(0));
}

#[tokio::test]
async fn a_failed_extension_fails_the_waiting_invocation() {
    let pool = pool(function(&[("ON_START", "extension-error")]));
    let response = invoke(&pool, json!({"do": "echo"})).await;
    assert_eq!(
        error(&response),
        ("Extension.Bad".to_owned(), "no key".to_owned())
    );
}

#[tokio::test]
async fn a_timeout_kills_the_whole_process_group() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("child");
    let environment = [("RECORD_TO", file.to_str().unwrap())];
    let pool = pool(Function {
        timeout: Duration::from_secs(1),
        ..function(&environment)
    });
    let before = answer(&invoke(&pool, json!({"do": "echo"})).await)["pid"]
        .as_u64()
        .unwrap();
    let response = invoke(&pool, json!({"do": "spawn"})).await;
    let (kind, message) = error(&response);
    assert_eq!(kind, "Sandbox.Timedout");
    assert_eq!(
        message,
        format!(
            "RequestId: {} Error: Task timed out after 1.00 seconds",
            response.request_id
        )
    );
    let grandchild: u64 = std::fs::read_to_string(&file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    eventually("process and grandchild are gone", async || {
        (!is_running(before) && !is_running(grandchild)).then_some(())
    })
    .await;
    let after = answer(&invoke(&pool, json!({"do": "echo"})).await)["pid"]
        .as_u64()
        .unwrap();
    assert_ne!(before, after);
}

#[tokio::test]
async fn a_deadline_fails_one_of_several_concurrent_events() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answers");
    let environment = [
        ("ON_START", "two-at-a-time"),
        ("RECORD_TO", file.to_str().unwrap()),
    ];
    let pool = pool(Function {
        timeout: Duration::from_secs(1),
        ..function(&environment)
    });
    let pid = answer(&invoke(&pool, json!({"ms": 0})).await)["pid"].clone();
    let (late, other) = tokio::join!(
        invoke(&pool, json!({"ms": 1_700})),
        invoke(&pool, json!({"ms": 300}))
    );
    assert_eq!(error(&late).0, "Sandbox.Timedout");
    assert_eq!(answer(&other)["pid"], pid);
    let answers = eventually("the late answer was made", async || {
        std::fs::read_to_string(&file)
            .ok()
            .filter(|answers| answers.contains("1700"))
    })
    .await;
    assert!(
        answers.contains("300 202\n") && answers.contains("1700 400\n"),
        "{answers}"
    );
    assert_eq!(
        answer(&invoke(&pool, json!({"ms": 0})).await)["pid"],
        pid,
        "the process lives"
    );
    assert_eq!(pool.stats().functions[0].cold_starts, 1);
}

#[tokio::test]
async fn a_crash_fails_only_its_own_invocation() {
    let pool = pool(function(&[]));
    let response = invoke(&pool, json!({"do": "exit"})).await;
    let (kind, message) = error(&response);
    assert_eq!(kind, "Runtime.ExitError");
    assert_eq!(
        message,
        format!(
            "RequestId: {} Error: Runtime exited with error: exit status 7",
            response.request_id
        )
    );
    answer(&invoke(&pool, json!({"do": "echo"})).await);
    assert_eq!(pool.stats().functions[0].errors, 1);
}

#[tokio::test]
async fn an_external_kill_fails_only_that_processs_invocation() {
    let pool = pool(function(&[]));
    let short = json!({"do": "sleep", "ms": 1_500});
    let long = json!({"do": "hang"});
    let ((), doomed, spared) = tokio::join!(
        async {
            let pid = eventually("both are in flight", async || {
                let stats = pool.stats();
                let busy: Vec<_> = stats.functions[0]
                    .instances
                    .iter()
                    .filter(|i| i.state == InstanceState::Busy)
                    .collect();
                (busy.len() == 2).then(|| busy[0].pid.unwrap())
            })
            .await;
            // the first instance was given the first request
            nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid.cast_signed()),
                nix::sys::signal::Signal::SIGKILL,
            )
            .unwrap();
        },
        invoke(&pool, long),
        async {
            eventually("the first has an instance", async || {
                pool.stats().functions[0]
                    .instances
                    .iter()
                    .any(|i| i.state == InstanceState::Busy)
                    .then_some(())
            })
            .await;
            invoke(&pool, short).await
        },
    );
    let (kind, message) = error(&doomed);
    assert_eq!(kind, "Runtime.ExitError");
    assert!(
        message.ends_with("Runtime exited with error: signal: killed"),
        "{message}"
    );
    answer(&spared);
}

#[tokio::test]
async fn a_function_error_keeps_type_message_and_process() {
    let pool = pool(function(&[]));
    let (_, message) = error(&invoke(&pool, json!({"do": "fail"})).await);
    assert_eq!(message, "failure requested");
    answer(&invoke(&pool, json!({"do": "echo"})).await);
    assert_eq!(pool.stats().functions[0].cold_starts, 1);
}

#[tokio::test]
async fn a_response_over_six_megabytes_is_an_error() {
    let pool = pool(function(&[]));
    let fits = invoke(&pool, json!({"do": "big", "bytes": MAX_PAYLOAD - 2})).await;
    assert_eq!(answer(&fits).as_str().unwrap().len(), MAX_PAYLOAD - 2);
    let (kind, message) =
        error(&invoke(&pool, json!({"do": "big", "bytes": MAX_PAYLOAD + 200})).await);
    assert_eq!(kind, "Function.ResponseSizeTooLarge");
    assert!(message.contains("6291556"), "{message}");
    answer(&invoke(&pool, json!({"do": "echo"})).await);
    assert_eq!(pool.stats().functions[0].cold_starts, 2);
}

#[tokio::test]
async fn a_failed_start_fails_only_its_invocation() {
    let exits = pool(function(&[("ON_START", "exit")]));
    let (kind, message) = error(&invoke(&exits, json!({"do": "echo"})).await);
    assert_eq!(kind, "Runtime.ExitError");
    assert!(message.contains("exit status 3"), "{message}");
    assert_eq!(exits.stats().functions[0].cold_starts, 1);

    let says_why = pool(function(&[("ON_START", "error")]));
    assert_eq!(
        error(&invoke(&says_why, json!({"do": "echo"})).await),
        ("Config.Bad".to_owned(), "no table".to_owned())
    );
}

#[tokio::test]
async fn a_missing_executable_is_named_in_the_error() {
    let nowhere = [("Echo".to_owned(), "/nonexistent/bootstrap".into())].into();
    let pool = Pool::new(&application(function(&[])), &nowhere, &options().0);
    let (kind, message) = error(&invoke(&pool, json!({"do": "echo"})).await);
    assert_eq!(kind, "Runtime.InvalidEntrypoint");
    assert!(message.contains("/nonexistent/bootstrap"), "{message}");
}

#[tokio::test]
async fn an_endless_initialisation_is_retried_then_fails() {
    let hangs = Function {
        timeout: Duration::from_secs(1),
        ..function(&[("ON_START", "hang")])
    };
    let pool = pool(hangs);
    let (kind, _) = error(&invoke(&pool, json!({"do": "echo"})).await);
    assert_eq!(kind, "Sandbox.Timedout");
    eventually("its process is gone", async || {
        pool.stats().functions[0].instances.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_function_has_only_its_own_environment() {
    let pool = pool(function(&[("TABLE", "orders")]));
    let seen = answer(&invoke(&pool, json!({"do": "environment"})).await);
    assert_eq!(seen["TABLE"], "orders");
    assert_eq!(seen["AWS_LAMBDA_FUNCTION_NAME"], "stack-Echo");
    assert!(
        seen.get("HOME").is_none() && seen.get("CARGO_MANIFEST_DIR").is_none(),
        "{seen}"
    );
}

#[tokio::test]
async fn an_idle_process_is_retired() {
    let (options, _) = options();
    let options = PoolOptions {
        idle: Duration::from_millis(50),
        ..options
    };
    let pool = Pool::new(&application(function(&[])), &executables(), &options);
    let pid = answer(&invoke(&pool, json!({"do": "echo"})).await)["pid"]
        .as_u64()
        .unwrap();
    eventually("the process is retired", async || {
        (!is_running(pid)).then_some(())
    })
    .await;
    answer(&invoke(&pool, json!({"do": "echo"})).await);
}

#[tokio::test]
async fn a_shutdown_completes_invocations_and_notifies_extensions() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words");
    let pool = pool(function(&[
        ("EXTENSION", "1"),
        ("RECORD_TO", file.to_str().unwrap()),
    ]));
    let running = async {
        eventually("an invocation is in flight", async || {
            pool.stats().functions[0]
                .instances
                .iter()
                .any(|i| i.state == InstanceState::Busy)
                .then_some(())
        })
        .await;
        pool.shutdown().await;
    };
    let (response, ()) = tokio::join!(invoke(&pool, json!({"do": "sleep", "ms": 500})), running);
    let pid = answer(&response)["pid"].as_u64().unwrap();
    assert!(!is_running(pid));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "terminated\n");
    let refused = pool.invoke(request(&json!({"do": "echo"})), true).await;
    assert_eq!(refused.unwrap_err(), Rejected::ShuttingDown);
}

#[tokio::test]
async fn an_impossible_invocation_is_refused_with_a_reason() {
    let pool = pool(function(&[]));
    let unknown = pool
        .invoke(Request::new("Nobody", "{}"), false)
        .await
        .unwrap_err();
    assert_eq!(unknown.to_string(), "no function Nobody runs here");
    let large = pool
        .invoke(Request::new("Echo", vec![b' '; MAX_PAYLOAD + 1]), false)
        .await
        .unwrap_err();
    assert_eq!(large, Rejected::TooLarge(MAX_PAYLOAD + 1));
}
