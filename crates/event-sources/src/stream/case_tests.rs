//! The machine, one behaviour at a time.

use std::time::Duration;

use super::*;

pub(super) fn partition(number: i32) -> Partition {
    Partition { topic: 0, number }
}

pub(super) fn settings() -> Settings {
    Settings {
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

fn offsets(range: std::ops::Range<i64>) -> Vec<Record> {
    range
        .map(|offset| Record {
            offset,
            size: 10,
            time: 0,
        })
        .collect()
}

fn assigned(limits: Settings, records: std::ops::Range<i64>) -> (Machine, Vec<Action>) {
    let mut machine = Machine::new(limits);
    let mut out = Vec::new();
    machine.step(0, Input::Assigned(&[partition(0)]), &mut out);
    machine.step(0, Input::Records(partition(0), &offsets(records)), &mut out);
    (machine, out)
}

fn slice(first: Offset, last: Offset) -> Slice {
    Slice {
        partition: partition(0),
        first,
        last,
        records: (last - first + 1) as usize,
    }
}

#[test]
fn bisecting_narrows_a_poisoned_batch_down_to_its_record_without_using_retries() {
    let limits = Settings {
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
            Action::Invoke(id, slices) => {
                batches.push((slices[0].first, slices[0].last));
                let poisoned = (slices[0].first..=slices[0].last).contains(&2);
                let finish = if poisoned {
                    Finish::Failed
                } else {
                    Finish::Answered(Vec::new())
                };
                machine.step(0, Input::Finished(id, finish), &mut out);
            }
            Action::Discard(slice, reason) => discarded.push((slice, reason)),
            _ => {}
        }
    }
    assert_eq!(batches, [(0, 3), (0, 1), (2, 3), (2, 2), (3, 3)]);
    assert_eq!(discarded, [(slice(2, 2), Reason::RetriesExhausted)]);
}

#[test]
fn a_partition_resumes_at_its_lowest_failed_offset_and_commits_up_to_it() {
    let (mut machine, mut out) = assigned(settings(), 0..4);
    let failures = [3, 1]
        .map(|offset| Failure {
            partition: partition(0),
            offset,
        })
        .to_vec();
    out.clear();
    machine.step(
        2_000,
        Input::Finished(1, Finish::Answered(failures)),
        &mut out,
    );
    assert_eq!(
        out,
        [
            Action::Release(partition(0), 0),
            Action::Commit(vec![(partition(0), 1)])
        ]
    );
    out.clear();
    machine.step(2_100, Input::Tick, &mut out);
    assert_eq!(out, [Action::Invoke(2, vec![slice(1, 3)])]);
}

#[test]
fn a_destination_that_is_down_holds_the_partition_until_it_takes_the_records() {
    let limits = Settings {
        max_retries: Some(0),
        has_destination: true,
        ..settings()
    };
    let (mut machine, mut out) = assigned(limits, 0..2);
    let first = slice(0, 0);
    let send = Action::SendToDestination(slice(0, 0), Reason::RetriesExhausted);
    assert_eq!(
        out,
        [Action::Invoke(
            1,
            vec![Slice {
                last: 1,
                records: 2,
                ..first
            }]
        )]
    );
    out.clear();
    machine.step(0, Input::Finished(1, Finish::Failed), &mut out);
    let Action::SendToDestination(held, _) = out[0] else {
        panic!("{out:?}")
    };
    assert_eq!((held.first, held.last, out.len()), (0, 1, 1));
    out.clear();
    machine.step(0, Input::Delivered(partition(0), false), &mut out);
    machine.step(50, Input::Records(partition(0), &offsets(2..3)), &mut out);
    assert_eq!(out, [], "waits: {send:?} comes again after the backoff");
    machine.step(100, Input::Tick, &mut out);
    assert!(matches!(out[..], [Action::SendToDestination(..)]));
    out.clear();
    machine.step(100, Input::Delivered(partition(0), true), &mut out);
    assert!(
        out.contains(&Action::Invoke(2, vec![slice(2, 2)])),
        "{out:?}"
    );
    assert!(
        out.contains(&Action::Commit(vec![(partition(0), 2)])),
        "{out:?}"
    );
}

#[test]
fn a_full_partition_is_paused_and_resumed_once_there_is_room() {
    let (mut machine, out) = assigned(settings(), 0..1_000);
    assert!(out.contains(&Action::Pause(partition(0))));
    let mut resumed = false;
    let mut out = Vec::new();
    for id in 1..=250 {
        machine.step(
            0,
            Input::Finished(id, Finish::Answered(Vec::new())),
            &mut out,
        );
        resumed |= out.contains(&Action::Resume(partition(0)));
    }
    assert!(resumed);
}

#[test]
fn a_partition_that_begins_anew_while_it_is_paused_is_read_again() {
    let (mut machine, mut out) = assigned(settings(), 0..1_000);
    assert!(out.contains(&Action::Pause(partition(0))));
    out.clear();
    machine.step(0, Input::Reset(partition(0)), &mut out);
    assert_eq!(out, [Action::Resume(partition(0))]);
}

#[test]
fn a_drain_lets_what_flies_land_and_starts_nothing() {
    let (mut machine, mut out) = assigned(settings(), 0..8);
    out.clear();
    machine.step(0, Input::Drain, &mut out);
    assert!(!machine.is_idle());
    machine.step(
        0,
        Input::Finished(1, Finish::Answered(Vec::new())),
        &mut out,
    );
    machine.step(0, Input::Flush, &mut out);
    assert!(machine.is_idle());
    assert!(
        !out.iter()
            .any(|action| matches!(action, Action::Invoke(..)))
    );
    assert!(
        out.contains(&Action::Commit(vec![(partition(0), 4)])),
        "{out:?}"
    );
}

#[test]
fn a_paused_partition_holds_its_records_and_others_go_on() {
    let (mut machine, mut out) = assigned(settings(), 0..0);
    let held_back = SourceSettings {
        batch_size: 10,
        concurrency: 2,
        paused_partitions: [partition(0)].into(),
        ..SourceSettings::default()
    };
    machine.step(0, Input::Tuned(held_back), &mut out);
    machine.step(0, Input::Assigned(&[partition(1)]), &mut out);
    for number in [0, 1] {
        machine.step(
            0,
            Input::Records(partition(number), &offsets(0..2)),
            &mut out,
        );
    }
    let invoked = |out: &[Action]| {
        out.iter()
            .filter(|action| matches!(action, Action::Invoke(..)))
            .count()
    };
    assert!(
        invoked(&out) == 1
            && matches!(&out[..], [.., Action::Invoke(_, slices)] if slices[0].partition == partition(1)),
        "{out:?}"
    );
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
    machine.step(0, Input::Tuned(all), &mut out);
    assert_eq!(invoked(&out), 2);
}

#[test]
fn a_record_is_skipped_while_it_waits_for_a_destination_that_takes_nothing() {
    let (mut machine, mut out) = assigned(
        Settings {
            max_retries: Some(0),
            has_destination: true,
            ..settings()
        },
        0..2,
    );
    machine.step(0, Input::Finished(1, Finish::Failed), &mut out);
    machine.step(0, Input::Delivered(partition(0), false), &mut out);
    out.clear();
    machine.step(0, Input::Skip(partition(0), 0), &mut out);
    assert_eq!(
        out[..2],
        [
            Action::Discard(slice(0, 0), Reason::Skipped),
            Action::Release(partition(0), 0)
        ]
    );
    assert!(
        matches!(&out[2..], [Action::Invoke(_, slices), ..] if slices[..] == [slice(1, 1)]),
        "{out:?}"
    );
}

#[test]
fn a_partition_that_is_put_back_is_committed_and_takes_no_result_from_before() {
    let (mut machine, mut out) = assigned(settings(), 5..8);
    out.clear();
    machine.step(0, Input::Sought(partition(0), 2), &mut out);
    machine.step(0, Input::Records(partition(0), &offsets(2..4)), &mut out);
    assert!(
        !out.iter()
            .any(|action| matches!(action, Action::Invoke(..))),
        "a slice is in flight yet: {out:?}"
    );
    machine.step(
        0,
        Input::Finished(1, Finish::Answered(Vec::new())),
        &mut out,
    );
    machine.step(0, Input::Flush, &mut out);
    assert!(
        out.contains(&Action::Commit(vec![(partition(0), 2)])),
        "{out:?}"
    );
    assert!(
        out.iter()
            .any(|action| matches!(action, Action::Invoke(_, slices) if slices[0].first == 2)),
        "{out:?}"
    );
}

#[test]
fn a_paused_mapping_holds_its_records_and_goes_on_with_them() {
    let (mut machine, mut out) = assigned(settings(), 0..2);
    let tuned = |paused, batch_size| {
        Input::Tuned(SourceSettings {
            batch_size,
            window: Duration::ZERO,
            concurrency: 1,
            paused,
            ..SourceSettings::default()
        })
    };
    out.clear();
    machine.step(0, tuned(true, 3), &mut out);
    machine.step(0, Input::Records(partition(0), &offsets(2..9)), &mut out);
    machine.step(
        0,
        Input::Finished(1, Finish::Answered(Vec::new())),
        &mut out,
    );
    assert!(
        !out.iter()
            .any(|action| matches!(action, Action::Invoke(..))),
        "{out:?}"
    );
    machine.step(2_000, Input::Tick, &mut out);
    assert!(
        out.contains(&Action::Commit(vec![(partition(0), 2)])),
        "what is done is committed: {out:?}"
    );
    assert_eq!(machine.wake(), None, "nothing is due while it is paused");
    out.clear();
    machine.step(2_000, tuned(false, 3), &mut out);
    assert_eq!(
        out,
        [Action::Invoke(2, vec![slice(2, 4)])],
        "and the new size counts"
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
fn each_record_is_judged_by_its_own_age() {
    let now = 100_000;
    let mut machine = Machine::new(Settings {
        max_age: Some(Duration::from_secs(60)),
        ..settings()
    });
    let mut out = Vec::new();
    machine.step(now, Input::Assigned(&[partition(0)]), &mut out);
    // young, old, without a time, old, old, young
    machine.step(
        now,
        Input::Records(partition(0), &aged(&[now, 1_000, -1, 2_000, 3_000, now])),
        &mut out,
    );
    let mut seen = Vec::new();
    let mut given_up = Vec::new();
    while let Some(action) = (!out.is_empty()).then(|| out.remove(0)) {
        match action {
            Action::Invoke(id, slices) => {
                seen.extend(slices.iter().map(|slice| (slice.first, slice.last)));
                machine.step(
                    now,
                    Input::Finished(id, Finish::Answered(Vec::new())),
                    &mut out,
                );
            }
            Action::Discard(slice, reason) => given_up.push((slice.first, slice.last, reason)),
            _ => {}
        }
    }
    assert_eq!(seen, [(0, 0), (2, 2), (5, 5)]);
    assert_eq!(given_up, [(1, 1, Reason::TooOld), (3, 4, Reason::TooOld)]);
}

#[test]
fn a_record_that_ages_during_retries_is_given_up_alone() {
    let limits = Settings {
        max_age: Some(Duration::from_secs(60)),
        max_retries: Some(1),
        has_destination: true,
        ..settings()
    };
    let mut machine = Machine::new(limits);
    let mut out = Vec::new();
    machine.step(60_000, Input::Assigned(&[partition(0)]), &mut out);
    machine.step(
        60_000,
        Input::Records(partition(0), &aged(&[60_000, 1_000, 60_000])),
        &mut out,
    );
    assert_eq!(out, [Action::Invoke(1, vec![slice(0, 2)])]);
    out.clear();
    machine.step(60_000, Input::Finished(1, Finish::Failed), &mut out);
    machine.step(62_000, Input::Tick, &mut out);
    assert_eq!(
        out,
        [Action::Invoke(2, vec![slice(0, 0)])],
        "the second is too old by now"
    );
    out.clear();
    machine.step(
        62_000,
        Input::Finished(2, Finish::Answered(Vec::new())),
        &mut out,
    );
    assert!(
        out.contains(&Action::SendToDestination(slice(1, 1), Reason::TooOld)),
        "{out:?}"
    );
    machine.step(62_000, Input::Delivered(partition(0), true), &mut out);
    assert!(
        out.contains(&Action::Invoke(3, vec![slice(2, 2)])),
        "{out:?}"
    );
    out.clear();
    machine.step(62_000, Input::Finished(3, Finish::Failed), &mut out);
    assert!(
        out.contains(&Action::SendToDestination(
            slice(2, 2),
            Reason::RetriesExhausted
        )),
        "its attempts count on: {out:?}"
    );
}
