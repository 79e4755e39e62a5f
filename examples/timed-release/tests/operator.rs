//! An operator's commands, as an operator runs them.

use std::process::{Command, Output};
use std::time::Duration;

use shared::delay::{DelayQueue, Due, shard_of};
use shared::link::Link;
use shared::naming::Names;

fn redis_url() -> String {
    std::env::var("REDIS_GATE_URL").unwrap_or_else(|_| "redis://127.0.0.1:16379".to_owned())
}

fn run(prefix: &str, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_timed-release"));
    program
        .env("REDIS_URL", redis_url())
        .env("ENV_PREFIX", prefix)
        .env("QUEUE", "holds")
        .args(arguments);
    program.output().expect("the example starts")
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn does(prefix: &str, arguments: &[&str]) -> String {
    let output = run(prefix, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    said(&output)
}

/// Holds a table, and puts the end of its hold aside.
async fn put_aside(queue: &DelayQueue, body: &str) {
    queue
        .schedule(shard_of("table-1"), "table-1", body, Due::At(1))
        .await
        .expect("Redis runs");
    let claimed = queue
        .claim(&[shard_of("table-1")], 1, 60_000)
        .await
        .expect("Redis runs");
    queue
        .park(&claimed.claims[0], "illegible")
        .await
        .expect("Redis runs");
}

#[tokio::test]
async fn what_was_put_aside_is_shown_replayed_and_dropped() {
    let prefix = format!("op-{:08x}", rand::random::<u32>());
    let link = Link::open(&redis_url(), Duration::from_secs(5)).expect("a usable address");
    let queue = DelayQueue::new(link, Names::new(&prefix).expect("valid"), "holds").expect("valid");
    put_aside(&queue, "the first note").await;
    put_aside(&queue, "the second note").await;
    let listed = does(&prefix, &["list"]);
    assert!(
        listed.contains("the first note") && listed.contains("the second note"),
        "{listed}"
    );
    let shown = does(&prefix, &["show", "table-1"]);
    assert!(
        shown.contains("reason: illegible") && shown.contains("body: the first note"),
        "{shown}"
    );
    let refused = run(&prefix, &["replay", "table-1"]);
    assert!(
        !refused.status.success() && said(&refused).contains("more than once"),
        "{}",
        said(&refused)
    );
    let parked = queue
        .parked_of(shard_of("table-1"), "table-1")
        .await
        .expect("Redis runs");
    // Both may be parked within one millisecond, and then either is listed first.
    let mark_of = |body: &str| {
        parked
            .iter()
            .find(|entry| entry.body == body)
            .expect("it is parked")
            .mark
            .clone()
    };
    does(&prefix, &["replay", "table-1", &mark_of("the first note")]);
    let pending = does(&prefix, &["pending"]);
    assert!(
        pending.contains("1 waiting, 0 leased, 1 put aside") && pending.contains("the first note"),
        "{pending}"
    );
    does(&prefix, &["drop", "table-1", &mark_of("the second note")]);
    assert_eq!(does(&prefix, &["list"]), "");
    let nothing = run(&prefix, &["show", "table-1"]);
    assert!(
        !nothing.status.success() && said(&nothing).contains("nothing is put aside"),
        "{}",
        said(&nothing)
    );
    queue
        .cancel(shard_of("table-1"), "table-1")
        .await
        .expect("Redis runs");
}

#[test]
fn an_unknown_command_shows_the_commands() {
    let output = run("demo", &["explode"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("timed-release replay ID [MARK]"),
        "{}",
        said(&output)
    );
}
