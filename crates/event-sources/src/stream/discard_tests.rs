//! Records that are discarded: by retries and by age, with and without a destination.

use super::case_tests::{assigned, offsets, partition, settings, slice};
use super::*;

#[test]
fn a_partition_waits_for_its_destination() {
    let limits = StreamSettings {
        max_retries: Some(0),
        has_destination: true,
        ..settings()
    };
    let (mut machine, mut out) = assigned(limits, 0..2);
    let first = slice(0, 0);
    let send = StreamAction::SendToDestination(slice(0, 0), DiscardReason::RetriesExhausted);
    assert_eq!(
        out,
        [StreamAction::Invoke(
            1,
            vec![Slice {
                last: 1,
                records: 2,
                ..first
            }]
        )]
    );
    out.clear();
    machine.step(
        0,
        StreamInput::Finished(1, StreamBatchResult::Failed),
        &mut out,
    );
    let StreamAction::SendToDestination(held, _) = out[0] else {
        panic!("{out:?}")
    };
    assert_eq!((held.first, held.last, out.len()), (0, 1, 1));
    out.clear();
    machine.step(0, StreamInput::Delivered(partition(0), false), &mut out);
    machine.step(
        50,
        StreamInput::Records(partition(0), &offsets(2..3)),
        &mut out,
    );
    assert_eq!(out, [], "waits: {send:?} comes again after the backoff");
    machine.step(100, StreamInput::Tick, &mut out);
    assert!(matches!(out[..], [StreamAction::SendToDestination(..)]));
    out.clear();
    machine.step(100, StreamInput::Delivered(partition(0), true), &mut out);
    assert!(
        out.contains(&StreamAction::Invoke(2, vec![slice(2, 2)])),
        "{out:?}"
    );
    assert!(
        out.contains(&StreamAction::Commit(vec![(partition(0), 2)])),
        "{out:?}"
    );
}

fn aged(times: &[Millis]) -> Vec<Record> {
    times
        .iter()
        .zip(0..)
        .map(|(time, offset)| Record {
            offset,
            size: 10,
            time: *time,
        })
        .collect()
}

#[test]
fn each_record_has_its_own_age() {
    let now = 100_000;
    let mut machine = StreamMachine::new(StreamSettings {
        max_age: Some(Duration::from_secs(60)),
        ..settings()
    });
    let mut out = Vec::new();
    machine.step(now, StreamInput::Assigned(&[partition(0)]), &mut out);
    // young, old, without a time, old, old, young
    machine.step(
        now,
        StreamInput::Records(partition(0), &aged(&[now, 1_000, -1, 2_000, 3_000, now])),
        &mut out,
    );
    let mut seen = Vec::new();
    let mut given_up = Vec::new();
    while let Some(action) = (!out.is_empty()).then(|| out.remove(0)) {
        match action {
            StreamAction::Invoke(id, slices) => {
                seen.extend(slices.iter().map(|slice| (slice.first, slice.last)));
                machine.step(
                    now,
                    StreamInput::Finished(id, StreamBatchResult::Answered(Vec::new())),
                    &mut out,
                );
            }
            StreamAction::Discard(slice, reason) => {
                given_up.push((slice.first, slice.last, reason));
            }
            _ => {}
        }
    }
    assert_eq!(seen, [(0, 0), (2, 2), (5, 5)]);
    assert_eq!(
        given_up,
        [(1, 1, DiscardReason::TooOld), (3, 4, DiscardReason::TooOld)]
    );
}

#[test]
fn a_record_ageing_during_retries_is_discarded_alone() {
    let limits = StreamSettings {
        max_age: Some(Duration::from_secs(60)),
        max_retries: Some(1),
        has_destination: true,
        ..settings()
    };
    let mut machine = StreamMachine::new(limits);
    let mut out = Vec::new();
    machine.step(60_000, StreamInput::Assigned(&[partition(0)]), &mut out);
    machine.step(
        60_000,
        StreamInput::Records(partition(0), &aged(&[60_000, 1_000, 60_000])),
        &mut out,
    );
    assert_eq!(out, [StreamAction::Invoke(1, vec![slice(0, 2)])]);
    out.clear();
    machine.step(
        60_000,
        StreamInput::Finished(1, StreamBatchResult::Failed),
        &mut out,
    );
    machine.step(62_000, StreamInput::Tick, &mut out);
    assert_eq!(
        out,
        [StreamAction::Invoke(2, vec![slice(0, 0)])],
        "the second is too old by now"
    );
    out.clear();
    machine.step(
        62_000,
        StreamInput::Finished(2, StreamBatchResult::Answered(Vec::new())),
        &mut out,
    );
    assert!(
        out.contains(&StreamAction::SendToDestination(
            slice(1, 1),
            DiscardReason::TooOld
        )),
        "{out:?}"
    );
    machine.step(62_000, StreamInput::Delivered(partition(0), true), &mut out);
    assert!(
        out.contains(&StreamAction::Invoke(3, vec![slice(2, 2)])),
        "{out:?}"
    );
    out.clear();
    machine.step(
        62_000,
        StreamInput::Finished(3, StreamBatchResult::Failed),
        &mut out,
    );
    assert!(
        out.contains(&StreamAction::SendToDestination(
            slice(2, 2),
            DiscardReason::RetriesExhausted
        )),
        "its attempts count on: {out:?}"
    );
}
