//! How long messages stay hidden.

use super::case_tests::{invoked, messages, requesting, settings, step};
use super::*;

#[test]
fn a_batch_cut_by_size_stays_hidden() {
    let (mut machine, id) = requesting(QueueSettings {
        concurrency: 1,
        ..settings()
    });
    let mut some = messages(0..3, 400);
    some.push(QueueMessage {
        key: 3,
        size: 5_000,
        group: None,
    });
    let out = step(&mut machine, 0, QueueInput::Received(id, some));
    assert_eq!(invoked(&out), [(2, vec![0, 1])]);
    let out = step(
        &mut machine,
        1_000,
        QueueInput::Finished(2, QueueBatchResult::Failed),
    );
    assert_eq!(out[0], QueueAction::Leave(vec![0, 1]));
    assert_eq!(invoked(&out), [(3, vec![2])]);
    step(&mut machine, 1_000, QueueInput::Begun(3));
    assert_eq!(machine.wake(), Some(10_000));
    assert_eq!(
        step(&mut machine, 10_000, QueueInput::Tick),
        [QueueAction::Extend(vec![3])]
    );
    assert_eq!(machine.wake(), Some(20_000));
}

#[test]
fn a_message_stays_hidden_while_its_function_starts() {
    let hidden = Duration::from_secs(6);
    let (mut machine, id) = requesting(QueueSettings {
        concurrency: 1,
        hidden,
        ..settings()
    });
    let invocation = invoked(&step(
        &mut machine,
        0,
        QueueInput::Received(id, messages(0..2, 10)),
    ))[0]
        .0;
    for at in [2_000, 4_000, 6_000, 8_000] {
        assert_eq!(machine.wake(), Some(at));
        assert_eq!(
            step(&mut machine, at, QueueInput::Tick),
            [QueueAction::Extend(vec![0, 1])]
        );
    }
    assert_eq!(
        step(&mut machine, 9_000, QueueInput::Begun(invocation)),
        [],
        "5 s are left of the 3 s that it may run"
    );
    assert_eq!(
        machine.wake(),
        None,
        "the queue's own visibility counts from here on"
    );
    assert_eq!(step(&mut machine, 99_000, QueueInput::Tick), []);
}

#[test]
fn a_message_is_hidden_until_the_timeout() {
    let (mut machine, id) = requesting(QueueSettings {
        concurrency: 1,
        timeout: Duration::from_secs(25),
        ..settings()
    });
    let invocation = invoked(&step(
        &mut machine,
        0,
        QueueInput::Received(id, messages(0..1, 10)),
    ))[0]
        .0;
    assert_eq!(
        step(&mut machine, 9_000, QueueInput::Begun(invocation)),
        [QueueAction::Extend(vec![0])],
        "21 s were left"
    );
    let (mut machine, id) = requesting(QueueSettings {
        concurrency: 1,
        timeout: Duration::from_secs(30),
        ..settings()
    });
    let invocation = invoked(&step(
        &mut machine,
        0,
        QueueInput::Received(id, messages(0..1, 10)),
    ))[0]
        .0;
    assert_eq!(
        step(&mut machine, 20, QueueInput::Begun(invocation)),
        [],
        "one that is begun at once costs no request"
    );
}
