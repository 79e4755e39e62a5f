//! Moves and skips by an operator.

use super::case_tests::{assigned, offsets, partition, settings, slice};
use super::*;

#[test]
fn a_record_is_skipped_while_its_delivery_fails() {
    let (mut machine, mut out) = assigned(
        StreamSettings {
            max_retries: Some(0),
            has_destination: true,
            ..settings()
        },
        0..2,
    );
    machine.step(
        0,
        StreamInput::Finished(1, StreamBatchResult::Failed),
        &mut out,
    );
    machine.step(0, StreamInput::Delivered(partition(0), false), &mut out);
    out.clear();
    machine.step(0, StreamInput::Skip(partition(0), 0), &mut out);
    assert_eq!(
        out[..2],
        [
            StreamAction::Discard(slice(0, 0), DiscardReason::Skipped),
            StreamAction::Release(partition(0), 0)
        ]
    );
    assert!(
        matches!(&out[2..], [StreamAction::Invoke(_, slices), ..] if slices[..] == [slice(1, 1)]),
        "{out:?}"
    );
}

#[test]
fn a_moved_partition_ignores_earlier_results() {
    let (mut machine, mut out) = assigned(settings(), 5..8);
    out.clear();
    machine.step(0, StreamInput::Sought(partition(0), 2), &mut out);
    machine.step(
        0,
        StreamInput::Records(partition(0), &offsets(2..4)),
        &mut out,
    );
    assert!(
        !out.iter()
            .any(|action| matches!(action, StreamAction::Invoke(..))),
        "a slice is in flight yet: {out:?}"
    );
    machine.step(
        0,
        StreamInput::Finished(1, StreamBatchResult::Answered(Vec::new())),
        &mut out,
    );
    machine.step(0, StreamInput::Flush, &mut out);
    assert!(
        out.contains(&StreamAction::Commit(vec![(partition(0), 2)])),
        "{out:?}"
    );
    assert!(
        out.iter().any(
            |action| matches!(action, StreamAction::Invoke(_, slices) if slices[0].first == 2)
        ),
        "{out:?}"
    );
}
