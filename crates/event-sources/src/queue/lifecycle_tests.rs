//! Drain and pause.

use super::case_tests::{invoked, messages, receives, requesting, settings, step};
use super::*;

#[test]
fn a_drain_invokes_and_receives_nothing_more() {
    let window = Duration::from_secs(100);
    let (mut machine, id) = requesting(QueueSettings {
        batch_size: 5,
        window,
        ..settings()
    });
    let out = step(
        &mut machine,
        0,
        QueueInput::Received(id, messages(0..5, 10)),
    );
    let invocation = invoked(&out)[0].0;
    let next = receives(&out);
    let more = receives(&step(
        &mut machine,
        0,
        QueueInput::Received(next[0], messages(5..7, 10)),
    ));
    let [(second, batch)] = &invoked(&step(&mut machine, 0, QueueInput::Drain))[..] else {
        panic!()
    };
    assert!(*batch == [5, 6] && !machine.is_idle());
    for id in next[1..].iter().chain(&more) {
        assert_eq!(
            step(
                &mut machine,
                9,
                QueueInput::Received(*id, messages(7..8, 10))
            ),
            [],
            "both permits are in use"
        );
    }
    let out = step(
        &mut machine,
        9,
        QueueInput::Finished(invocation, QueueBatchResult::Answered(vec![4])),
    );
    assert_eq!(
        out[..2],
        [
            QueueAction::Delete(vec![0, 1, 2, 3]),
            QueueAction::Leave(vec![4])
        ]
    );
    let mut left = vec![*second];
    left.extend(invoked(&out).iter().map(|(id, _)| *id));
    while let Some(id) = left.pop() {
        let out = step(
            &mut machine,
            9,
            QueueInput::Finished(id, QueueBatchResult::Answered(Vec::new())),
        );
        assert!(receives(&out).is_empty(), "{out:?}");
        left.extend(invoked(&out).iter().map(|(id, _)| *id));
    }
    assert!(machine.is_idle() && machine.overview().held == 0 && machine.wake().is_none());
}

#[test]
fn a_paused_mapping_requests_nothing_more() {
    let (mut machine, id) = requesting(settings());
    let tuned = |paused| {
        QueueInput::Tuned(SourceSettings {
            batch_size: 10,
            window: Duration::ZERO,
            concurrency: 2,
            paused,
            ..SourceSettings::default()
        })
    };
    assert_eq!(step(&mut machine, 0, tuned(true)), []);
    let out = step(
        &mut machine,
        5,
        QueueInput::Received(id, messages(0..2, 10)),
    );
    assert_eq!((invoked(&out).len(), receives(&out).len()), (1, 0));
    let out = step(
        &mut machine,
        9,
        QueueInput::Finished(invoked(&out)[0].0, QueueBatchResult::Answered(Vec::new())),
    );
    assert_eq!(out, [QueueAction::Delete(vec![0, 1])]);
    assert_eq!(machine.wake(), None, "nothing is due while it is paused");
    assert_eq!(receives(&step(&mut machine, 9, tuned(false))).len(), 1);
}
