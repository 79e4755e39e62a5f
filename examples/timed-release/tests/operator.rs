//! The operator's commands.

use std::process::{Command, Output};
use std::time::Duration;

use delay_queue::{DelayQueue, Due, Link, Shard};

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

fn text_of(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn run_ok(prefix: &str, arguments: &[&str]) -> String {
    let output = run(prefix, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text_of(&output)
    );
    text_of(&output)
}

/// Schedules an entry and parks it.
async fn park(queue: &DelayQueue, body: &str) {
    queue
        .schedule(Shard::of_id("table-1"), "table-1", body, Due::At(1))
        .await
        .expect("Redis runs");
    let claimed = queue
        .claim(&[Shard::of_id("table-1")], 1, 60_000)
        .await
        .expect("Redis runs");
    queue
        .park(&claimed.claims[0], "illegible")
        .await
        .expect("Redis runs");
}

#[tokio::test]
async fn parked_entries_are_shown_replayed_and_dropped() {
    let prefix = format!("op-{:08x}", rand::random::<u32>());
    let link = Link::open(&redis_url(), Duration::from_secs(5)).expect("a usable address");
    let queue = DelayQueue::new(link, &prefix, "holds").expect("valid");
    park(&queue, "the first note").await;
    park(&queue, "the second note").await;
    let listed = run_ok(&prefix, &["list"]);
    assert!(
        listed.contains("the first note") && listed.contains("the second note"),
        "{listed}"
    );
    let shown = run_ok(&prefix, &["show", "table-1"]);
    assert!(
        shown.contains("reason: illegible") && shown.contains("body: the first note"),
        "{shown}"
    );
    let refused = run(&prefix, &["replay", "table-1"]);
    assert!(
        !refused.status.success() && text_of(&refused).contains("several entries"),
        "{}",
        text_of(&refused)
    );
    let parked = queue
        .parked_of(Shard::of_id("table-1"), "table-1")
        .await
        .expect("Redis runs");
    // Entries parked within one millisecond have no defined order.
    let mark_of = |body: &str| {
        parked
            .iter()
            .find(|entry| entry.body == body)
            .expect("it is parked")
            .mark
            .clone()
    };
    run_ok(&prefix, &["replay", "table-1", &mark_of("the first note")]);
    let pending = run_ok(&prefix, &["pending"]);
    assert!(
        pending.contains("1 waiting, 0 leased, 1 parked") && pending.contains("the first note"),
        "{pending}"
    );
    run_ok(&prefix, &["drop", "table-1", &mark_of("the second note")]);
    assert_eq!(run_ok(&prefix, &["list"]), "");
    let missing = run(&prefix, &["show", "table-1"]);
    assert!(
        !missing.status.success() && text_of(&missing).contains("no entry table-1 is parked"),
        "{}",
        text_of(&missing)
    );
    queue
        .cancel(Shard::of_id("table-1"), "table-1")
        .await
        .expect("Redis runs");
}

#[test]
fn an_unknown_command_shows_the_commands() {
    let output = run("demo", &["explode"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text_of(&output).contains("timed-release replay ID [MARK]"),
        "{}",
        text_of(&output)
    );
}
