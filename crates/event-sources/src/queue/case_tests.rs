//! Receives, batches, groups, pauses and drain, one behaviour at a time.

use std::time::Duration;

use super::*;
use crate::Millis;

pub(super) fn settings() -> QueueSettings {
    QueueSettings {
        batch_size: 10,
        window: Duration::ZERO,
        max_payload: 1_000,
        envelope: 20,
        concurrency: 2,
        max_receives: 4,
        poll: Duration::from_secs(2),
        hidden: Duration::from_secs(30),
        timeout: Duration::from_secs(3),
        backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
    }
}

pub(super) fn messages(keys: std::ops::Range<MessageKey>, size: usize) -> Vec<QueueMessage> {
    keys.map(|key| QueueMessage {
        key,
        size,
        group: None,
    })
    .collect()
}

pub(super) fn grouped(groups: &[&str]) -> Vec<QueueMessage> {
    groups
        .iter()
        .zip(0..)
        .map(|(group, key)| QueueMessage {
            key,
            size: 10,
            group: Some((*group).into()),
        })
        .collect()
}

/// The machine after its first step, and its first request.
pub(super) fn requesting(limits: QueueSettings) -> (QueueMachine, ReceiveId) {
    let mut machine = QueueMachine::new(limits);
    let out = step(&mut machine, 0, QueueInput::Tick);
    let [QueueAction::Receive { id, .. }] = out[..] else {
        panic!("{out:?}")
    };
    (machine, id)
}

pub(super) fn step(machine: &mut QueueMachine, now: Millis, input: QueueInput) -> Vec<QueueAction> {
    let mut out = Vec::new();
    machine.step(now, input, &mut out);
    out
}

pub(super) fn receives(out: &[QueueAction]) -> Vec<ReceiveId> {
    out.iter()
        .filter_map(|action| {
            if let QueueAction::Receive { id, .. } = action {
                Some(*id)
            } else {
                None
            }
        })
        .collect()
}

pub(super) fn invoked(out: &[QueueAction]) -> Vec<(InvocationId, Vec<MessageKey>)> {
    let invoke = |action: &QueueAction| match action {
        QueueAction::Invoke { id, batch, .. } => Some((*id, batch.clone())),
        _ => None,
    };
    out.iter().filter_map(invoke).collect()
}

#[test]
fn an_idle_mapping_invokes_at_once() {
    let (mut machine, id) = requesting(settings());
    let out = step(
        &mut machine,
        5,
        QueueInput::Received(id, messages(0..1, 10)),
    );
    assert_eq!(invoked(&out)[0].1, [0]);
    assert_eq!(receives(&out).len(), 1, "the other permit keeps requesting");
}

#[test]
fn without_a_free_permit_nothing_is_requested() {
    let (mut machine, id) = requesting(QueueSettings {
        concurrency: 1,
        ..settings()
    });
    let out = step(
        &mut machine,
        0,
        QueueInput::Received(id, messages(0..10, 10)),
    );
    let [(invocation, _)] = invoked(&out)[..] else {
        panic!("{out:?}")
    };
    assert!(receives(&out).is_empty());
    let out = step(
        &mut machine,
        9,
        QueueInput::Finished(invocation, QueueBatchResult::Answered(Vec::new())),
    );
    assert_eq!(out[0], QueueAction::Delete((0..10).collect()));
    assert_eq!(receives(&out).len(), 1);
    let off = QueueMachine::new(QueueSettings {
        concurrency: 0,
        ..settings()
    });
    assert!(off.wake().is_none() && off.is_idle());
}

#[test]
fn requests_grow_while_they_return_full() {
    let (mut machine, first) = requesting(QueueSettings {
        concurrency: 10,
        ..settings()
    });
    let second = receives(&step(
        &mut machine,
        0,
        QueueInput::Received(first, messages(0..10, 10)),
    ));
    assert_eq!(second.len(), 2);
    let third = receives(&step(
        &mut machine,
        0,
        QueueInput::Received(second[0], messages(10..20, 10)),
    ));
    assert_eq!(third.len(), 2, "three are out");
    assert!(
        receives(&step(
            &mut machine,
            0,
            QueueInput::Received(third[0], Vec::new())
        ))
        .is_empty()
    );
    assert!(
        receives(&step(
            &mut machine,
            0,
            QueueInput::Received(third[1], Vec::new())
        ))
        .is_empty()
    );
    assert_eq!(
        receives(&step(
            &mut machine,
            0,
            QueueInput::Received(second[1], Vec::new())
        ))
        .len(),
        1
    );
}

#[test]
fn a_window_gathers_until_its_end() {
    let window = Duration::from_secs(3);
    let (mut machine, id) = requesting(QueueSettings {
        batch_size: 100,
        window,
        concurrency: 1,
        ..settings()
    });
    let out = step(
        &mut machine,
        0,
        QueueInput::Received(id, messages(0..4, 10)),
    );
    let [QueueAction::Receive { id, max: 10, wait }] = out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(
        wait,
        Duration::from_secs(2),
        "the longest wait of one request"
    );
    let out = step(
        &mut machine,
        1_200,
        QueueInput::Received(id, messages(4..5, 10)),
    );
    let [QueueAction::Receive { id, wait, .. }] = out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(wait, Duration::from_secs(1));
    assert_eq!(
        step(&mut machine, 2_200, QueueInput::Received(id, Vec::new())),
        []
    );
    assert_eq!(machine.wake(), Some(2_300));
    let out = step(&mut machine, 2_300, QueueInput::Tick);
    let [
        QueueAction::Receive {
            id,
            wait: Duration::ZERO,
            ..
        },
    ] = out[..]
    else {
        panic!("{out:?}")
    };
    step(&mut machine, 2_950, QueueInput::Received(id, Vec::new()));
    assert_eq!(machine.wake(), Some(3_000));
    let out = step(&mut machine, 3_000, QueueInput::Tick);
    assert_eq!(invoked(&out)[0].1, (0..5).collect::<Vec<_>>());
}

#[test]
fn a_full_batch_does_not_wait_for_its_window() {
    let window = Duration::from_secs(300);
    let (mut machine, mut id) = requesting(QueueSettings {
        batch_size: 25,
        window,
        concurrency: 1,
        max_receives: 1,
        ..settings()
    });
    for (first, most) in [(0, 10), (10, 10), (20, 5)] {
        let out = step(
            &mut machine,
            10,
            QueueInput::Received(id, messages(first..first + most, 10)),
        );
        match receives(&out)[..] {
            [next] => id = next,
            _ => assert_eq!(invoked(&out)[0].1, (0..25).collect::<Vec<_>>()),
        }
    }
    let overview = machine.overview();
    assert_eq!((overview.in_flight, overview.held), (25, 0));
}

#[test]
fn a_queue_with_more_fills_a_short_window_at_once() {
    let (mut machine, mut id) = requesting(QueueSettings {
        batch_size: 40,
        window: Duration::from_secs(1),
        concurrency: 1,
        max_receives: 1,
        ..settings()
    });
    for first in [0, 10, 20] {
        let full = messages(first..first + 10, 10);
        let out = step(&mut machine, 1, QueueInput::Received(id, full));
        let [next] = receives(&out)[..] else {
            panic!("the next request waits: {out:?}")
        };
        id = next;
    }
    let out = step(
        &mut machine,
        2,
        QueueInput::Received(id, messages(30..39, 10)),
    );
    assert_eq!(out, [], "the queue held no more a moment ago");
    assert_eq!(machine.wake(), Some(102));
}

#[test]
fn a_group_stops_at_its_first_failure() {
    let (mut machine, id) = requesting(settings());
    let out = step(
        &mut machine,
        0,
        QueueInput::Received(id, grouped(&["a", "b", "a", "b", "a"])),
    );
    let invocation = invoked(&out)[0].0;
    let out = step(
        &mut machine,
        0,
        QueueInput::Finished(invocation, QueueBatchResult::Answered(vec![2])),
    );
    assert_eq!(
        out[..2],
        [
            QueueAction::Delete(vec![0, 1, 3]),
            QueueAction::Leave(vec![2, 4])
        ]
    );
}

#[test]
fn a_group_is_in_one_batch_only() {
    let (mut machine, id) = requesting(settings());
    let mut some = grouped(&["a", "a", "a"]);
    some[1].size = 975;
    let out = step(&mut machine, 0, QueueInput::Received(id, some));
    assert_eq!(out[0], QueueAction::Release(vec![1]));
    assert_eq!(out[1], QueueAction::Release(vec![2]));
    assert_eq!(invoked(&out)[0].1, [0]);
}

#[test]
fn failed_requests_are_repeated_after_growing_pauses() {
    let (mut machine, id) = requesting(settings());
    assert_eq!(step(&mut machine, 0, QueueInput::ReceiveFailed(id)), []);
    assert_eq!(machine.wake(), Some(100));
    let [id] = receives(&step(&mut machine, 100, QueueInput::Tick))[..] else {
        panic!()
    };
    step(&mut machine, 100, QueueInput::ReceiveFailed(id));
    assert_eq!(machine.wake(), Some(300));
    let [id] = receives(&step(&mut machine, 300, QueueInput::Tick))[..] else {
        panic!()
    };
    let [id] = receives(&step(
        &mut machine,
        300,
        QueueInput::Received(id, Vec::new()),
    ))[..] else {
        panic!()
    };
    step(&mut machine, 400, QueueInput::ReceiveFailed(id));
    assert_eq!(machine.wake(), Some(500), "an answer ends the row");
}

#[test]
fn a_batch_not_invoked_is_released() {
    let (mut machine, id) = requesting(QueueSettings {
        concurrency: 1,
        ..settings()
    });
    let invocation = invoked(&step(
        &mut machine,
        0,
        QueueInput::Received(id, messages(0..2, 10)),
    ))[0]
        .0;
    assert_eq!(
        step(
            &mut machine,
            7,
            QueueInput::Finished(invocation, QueueBatchResult::NotInvoked)
        ),
        [QueueAction::Release(vec![0, 1])]
    );
    assert_eq!(machine.wake(), Some(107));
}
