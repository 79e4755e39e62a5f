//! Batches, retries, pauses and drain, one behaviour at a time.

use std::time::Duration;

use super::*;

pub(super) fn partition(number: i32) -> Partition {
    Partition { topic: 0, number }
}

pub(super) fn settings() -> StreamSettings {
    StreamSettings {
        batch_size: 4,
        window: Duration::ZERO,
        max_payload: 1_000,
        envelope: 100,
        partition_overhead: 20,
        bisect: false,
        max_retries: None,
        max_age: None,
        has_destination: false,
        max_in_flight: 2,
        buffer_bytes: 100_000,
        commit_interval: Duration::from_secs(1),
        backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
    }
}

pub(super) fn offsets(range: std::ops::Range<i64>) -> Vec<Record> {
    range
        .map(|offset| Record {
            offset,
            size: 10,
            time: 0,
        })
        .collect()
}

pub(super) fn assigned(
    limits: StreamSettings,
    records: std::ops::Range<i64>,
) -> (StreamMachine, Vec<StreamAction>) {
    let mut machine = StreamMachine::new(limits);
    let mut out = Vec::new();
    machine.step(0, StreamInput::Assigned(&[partition(0)]), &mut out);
    machine.step(
        0,
        StreamInput::Records(partition(0), &offsets(records)),
        &mut out,
    );
    (machine, out)
}

pub(super) fn slice(first: Offset, last: Offset) -> Slice {
    Slice {
        partition: partition(0),
        first,
        last,
        records: (last - first + 1) as usize,
    }
}

#[test]
fn bisecting_isolates_a_poison_record_without_using_retries() {
    let limits = StreamSettings {
        bisect: true,
        max_retries: Some(0),
        backoff: Duration::ZERO,
        ..settings()
    };
    let (mut machine, mut out) = assigned(limits, 0..4);
    let mut discarded = Vec::new();
    let mut batches = Vec::new();
    while let Some(action) = (!out.is_empty()).then(|| out.remove(0)) {
        match action {
            StreamAction::Invoke(id, slices) => {
                batches.push((slices[0].first, slices[0].last));
                let poisoned = (slices[0].first..=slices[0].last).contains(&2);
                let finish = if poisoned {
                    StreamBatchResult::Failed
                } else {
                    StreamBatchResult::Answered(Vec::new())
                };
                machine.step(0, StreamInput::Finished(id, finish), &mut out);
            }
            StreamAction::Discard(slice, reason) => discarded.push((slice, reason)),
            _ => {}
        }
    }
    assert_eq!(batches, [(0, 3), (0, 1), (2, 3), (2, 2), (3, 3)]);
    assert_eq!(discarded, [(slice(2, 2), DiscardReason::RetriesExhausted)]);
}

#[test]
fn a_partition_resumes_at_its_lowest_failed_offset() {
    let (mut machine, mut out) = assigned(settings(), 0..4);
    let failures = [3, 1]
        .map(|offset| FailedRecord {
            partition: partition(0),
            offset,
        })
        .to_vec();
    out.clear();
    machine.step(
        2_000,
        StreamInput::Finished(1, StreamBatchResult::Answered(failures)),
        &mut out,
    );
    assert_eq!(
        out,
        [
            StreamAction::Release(partition(0), 0),
            StreamAction::Commit(vec![(partition(0), 1)])
        ]
    );
    out.clear();
    machine.step(2_100, StreamInput::Tick, &mut out);
    assert_eq!(out, [StreamAction::Invoke(2, vec![slice(1, 3)])]);
}

#[test]
fn a_full_partition_pauses_until_half_empty() {
    let (mut machine, out) = assigned(settings(), 0..1_000);
    assert!(out.contains(&StreamAction::Pause(partition(0))));
    let mut resumed = false;
    let mut out = Vec::new();
    for id in 1..=250 {
        machine.step(
            0,
            StreamInput::Finished(id, StreamBatchResult::Answered(Vec::new())),
            &mut out,
        );
        resumed |= out.contains(&StreamAction::Resume(partition(0)));
    }
    assert!(resumed);
}

#[test]
fn a_reset_resumes_a_full_partition() {
    let (mut machine, mut out) = assigned(settings(), 0..1_000);
    assert!(out.contains(&StreamAction::Pause(partition(0))));
    out.clear();
    machine.step(0, StreamInput::Reset(partition(0)), &mut out);
    assert_eq!(out, [StreamAction::Resume(partition(0))]);
}

#[test]
fn a_drain_finishes_and_starts_nothing() {
    let (mut machine, mut out) = assigned(settings(), 0..8);
    out.clear();
    machine.step(0, StreamInput::Drain, &mut out);
    assert!(!machine.is_idle());
    machine.step(
        0,
        StreamInput::Finished(1, StreamBatchResult::Answered(Vec::new())),
        &mut out,
    );
    machine.step(0, StreamInput::Flush, &mut out);
    assert!(machine.is_idle());
    assert!(
        !out.iter()
            .any(|action| matches!(action, StreamAction::Invoke(..)))
    );
    assert!(
        out.contains(&StreamAction::Commit(vec![(partition(0), 4)])),
        "{out:?}"
    );
}

#[test]
fn a_paused_partition_does_not_stop_others() {
    let (mut machine, mut out) = assigned(settings(), 0..0);
    let held_back = SourceSettings {
        batch_size: 10,
        concurrency: 2,
        paused_partitions: [partition(0)].into(),
        ..SourceSettings::default()
    };
    machine.step(0, StreamInput::Tuned(held_back), &mut out);
    machine.step(0, StreamInput::Assigned(&[partition(1)]), &mut out);
    for number in [0, 1] {
        machine.step(
            0,
            StreamInput::Records(partition(number), &offsets(0..2)),
            &mut out,
        );
    }
    let invoked = |out: &[StreamAction]| {
        out.iter()
            .filter(|action| matches!(action, StreamAction::Invoke(..)))
            .count()
    };
    assert_eq!(invoked(&out), 1, "{out:?}");
    let Some(StreamAction::Invoke(_, slices)) = out.last() else {
        panic!("{out:?}");
    };
    assert_eq!(slices[0].partition, partition(1));
    assert_eq!(
        machine.wake(),
        None,
        "nothing is due for it while it is paused"
    );
    let all = SourceSettings {
        batch_size: 10,
        concurrency: 2,
        ..SourceSettings::default()
    };
    machine.step(0, StreamInput::Tuned(all), &mut out);
    assert_eq!(invoked(&out), 2);
}

#[test]
fn a_paused_mapping_keeps_its_records() {
    let (mut machine, mut out) = assigned(settings(), 0..2);
    let tuned = |paused, batch_size| {
        StreamInput::Tuned(SourceSettings {
            batch_size,
            window: Duration::ZERO,
            concurrency: 1,
            paused,
            ..SourceSettings::default()
        })
    };
    out.clear();
    machine.step(0, tuned(true, 3), &mut out);
    machine.step(
        0,
        StreamInput::Records(partition(0), &offsets(2..9)),
        &mut out,
    );
    machine.step(
        0,
        StreamInput::Finished(1, StreamBatchResult::Answered(Vec::new())),
        &mut out,
    );
    assert!(
        !out.iter()
            .any(|action| matches!(action, StreamAction::Invoke(..))),
        "{out:?}"
    );
    machine.step(2_000, StreamInput::Tick, &mut out);
    assert!(
        out.contains(&StreamAction::Commit(vec![(partition(0), 2)])),
        "what is done is committed: {out:?}"
    );
    assert_eq!(machine.wake(), None, "nothing is due while it is paused");
    out.clear();
    machine.step(2_000, tuned(false, 3), &mut out);
    assert_eq!(
        out,
        [StreamAction::Invoke(2, vec![slice(2, 4)])],
        "and the new size counts"
    );
}
