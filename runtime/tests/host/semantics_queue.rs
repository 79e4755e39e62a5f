//! Derives the cells of the tables about queues.

use std::time::Duration;

use event_sources::queue;

/// Four messages, 0 to 3; in a FIFO queue all but message 1 are of one group.
pub(crate) fn queue_cell(failure: &str, column: &str) -> String {
    let report = column.contains("Report");
    let settings = queue::QueueSettings {
        batch_size: 10,
        window: Duration::ZERO,
        max_payload: 10_000,
        envelope: 100,
        concurrency: 1,
        max_receives: 1,
        poll: Duration::from_secs(2),
        hidden: Duration::from_secs(30),
        timeout: Duration::from_secs(3),
        backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
    };
    let mut machine = queue::QueueMachine::new(settings);
    let mut out = Vec::new();
    machine.step(0, queue::QueueInput::Tick, &mut out);
    let queue::QueueAction::Receive { id, .. } = out.remove(0) else {
        panic!("{out:?}")
    };
    let group = |key: u64| {
        column
            .starts_with("FIFO")
            .then(|| if key == 1 { "b".into() } else { "a".into() })
    };
    let messages = (0..4)
        .map(|key| queue::QueueMessage {
            key,
            size: 10,
            group: group(key),
        })
        .collect();
    machine.step(0, queue::QueueInput::Received(id, messages), &mut out);
    let queue::QueueAction::Invoke { id, .. } = out.remove(0) else {
        panic!("{out:?}")
    };
    out.clear();
    let answer = match failure {
        "malformed response" => r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
        "partial response: 2 failed" => r#"{"batchItemFailures":[{"itemIdentifier":"2"}]}"#,
        _ => "{}",
    };
    let read = queue::failed_messages(answer.as_bytes(), |id| {
        id.parse::<u64>().is_ok_and(|key| key < 4)
    });
    let finish = match (failure, read) {
        ("throttled", _) => queue::QueueBatchResult::NotInvoked,
        (failure, _) if failure.starts_with("function error") => queue::QueueBatchResult::Failed,
        (_, _) if !report => queue::QueueBatchResult::Answered(Vec::new()),
        (_, Ok(failed)) => queue::QueueBatchResult::Answered(
            failed.iter().filter_map(|id| id.parse().ok()).collect(),
        ),
        (_, Err(_)) => queue::QueueBatchResult::Failed,
    };
    if failure == "drained meanwhile" {
        machine.step(0, queue::QueueInput::Drain, &mut out);
    }
    machine.step(0, queue::QueueInput::Finished(id, finish), &mut out);
    let keys = |keys: &[u64]| {
        keys.iter()
            .map(u64::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let said = out.iter().filter_map(|action| match action {
        queue::QueueAction::Delete(done) => Some(format!("{} deleted", keys(done))),
        queue::QueueAction::Leave(left) => {
            Some(format!("{} left to visibility and redrive", keys(left)))
        }
        queue::QueueAction::Release(back) => Some(format!("{} visible again at once", keys(back))),
        queue::QueueAction::Receive { .. }
        | queue::QueueAction::Invoke { .. }
        | queue::QueueAction::Extend(_) => None,
    });
    said.collect::<Vec<_>>().join("; ")
}
