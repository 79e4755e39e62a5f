//! Single cases, each with its exact actions.

use super::*;

pub(super) fn settings() -> RedisStreamSettings {
    RedisStreamSettings {
        batch_size: 3,
        window: Duration::ZERO,
        max_payload: 1_000,
        envelope: 10,
        concurrency: 2,
        bisect: false,
        max_retries: Some(1),
        max_age: None,
        max_read: 50,
        max_held: 100,
        max_held_bytes: 100_000,
        poll: Duration::from_millis(400),
        hold_interval: Duration::from_secs(1),
        backoff: Duration::from_millis(100),
        max_backoff: Duration::from_millis(1_600),
    }
}

const NOW: Millis = 10_000;

fn entry(number: u64) -> DeliveredEntry {
    DeliveredEntry {
        key: (9_000, number),
        deliveries: 1,
        content: EntryContent::Record(20),
    }
}

fn keys(numbers: &[u64]) -> Vec<EntryKey> {
    numbers.iter().map(|number| (9_000, *number)).collect()
}

/// These entries in this attempt.
fn attempts(numbers: &[u64], attempt: u32) -> Vec<(EntryKey, u32)> {
    keys(numbers)
        .into_iter()
        .map(|key| (key, attempt))
        .collect()
}

struct Case {
    machine: RedisStreamMachine,
    now: Millis,
}

impl Case {
    fn new(settings: RedisStreamSettings) -> Self {
        Self {
            machine: RedisStreamMachine::new(settings),
            now: NOW,
        }
    }

    /// A mapping whose first read returned these entries.
    fn with(settings: RedisStreamSettings, entries: &[DeliveredEntry]) -> Self {
        let mut case = Self::new(settings);
        case.step(RedisStreamInput::Tick);
        case.step(RedisStreamInput::Read(entries.to_vec()));
        case
    }

    /// The actions, reads left out.
    fn step(&mut self, input: RedisStreamInput) -> Vec<RedisStreamAction> {
        let mut actions = Vec::new();
        self.machine.step(self.now, input, &mut actions);
        actions.retain(|action| !matches!(action, RedisStreamAction::Read { .. }));
        actions
    }

    /// Steps at the next due time.
    fn wake(&mut self) -> Vec<RedisStreamAction> {
        self.now = self.machine.wake().expect("something is due");
        self.step(RedisStreamInput::Tick)
    }

    fn finish(&mut self, id: InvocationId, failed: &[u64]) -> Vec<RedisStreamAction> {
        let result = RedisStreamBatchResult::Answered(keys(failed));
        self.step(RedisStreamInput::Finished(id, result))
    }
}

#[test]
fn a_read_takes_as_many_as_permits_carry() {
    let mut machine = RedisStreamMachine::new(settings());
    let mut actions = Vec::new();
    machine.step(NOW, RedisStreamInput::Tick, &mut actions);
    let wait = Duration::from_millis(400);
    assert_eq!(actions, [RedisStreamAction::Read { max: 6, wait }]);
    actions.clear();
    let entries = (0..4).map(entry).collect();
    machine.step(NOW, RedisStreamInput::Read(entries), &mut actions);
    let expected = [
        RedisStreamAction::Invoke(1, attempts(&[0, 1, 2], 1)),
        RedisStreamAction::Invoke(2, attempts(&[3], 1)),
    ];
    assert_eq!(actions, expected, "no permit is left, so nothing is read");
}

#[test]
fn only_failed_entries_come_again_and_then_are_parked() {
    let mut case = Case::with(settings(), &[entry(0), entry(1), entry(2)]);
    let expected = [
        RedisStreamAction::Acknowledge(keys(&[0, 2])),
        RedisStreamAction::Count(attempts(&[1], 2)),
    ];
    assert_eq!(case.finish(1, &[1]), expected);
    assert_eq!(case.machine.wake(), Some(NOW + 100));
    assert_eq!(
        case.wake(),
        [RedisStreamAction::Invoke(2, attempts(&[1], 2))]
    );
    let parked = vec![((9_000, 1), ParkReason::RetriesExhausted(2))];
    assert_eq!(case.finish(2, &[1]), [RedisStreamAction::Park(parked)]);
    case.step(RedisStreamInput::Settled(keys(&[0, 1, 2])));
    assert_eq!(case.machine.overview(), RedisStreamOverview::default());
}

#[test]
fn deliveries_of_an_earlier_run_count() {
    let taken_over = DeliveredEntry {
        deliveries: 2,
        ..entry(0)
    };
    let mut case = Case::with(settings(), &[taken_over]);
    let parked = vec![((9_000, 0), ParkReason::RetriesExhausted(2))];
    assert_eq!(case.finish(1, &[0]), [RedisStreamAction::Park(parked)]);
}

#[test]
fn a_bisected_batch_uses_up_no_retry() {
    let bisecting = RedisStreamSettings {
        bisect: true,
        ..settings()
    };
    let mut case = Case::with(bisecting, &[entry(0), entry(1), entry(2)]);
    let failed = RedisStreamBatchResult::Failed;
    assert_eq!(case.step(RedisStreamInput::Finished(1, failed)), []);
    let halves = [
        RedisStreamAction::Invoke(2, attempts(&[0], 1)),
        RedisStreamAction::Invoke(3, attempts(&[1, 2], 1)),
    ];
    assert_eq!(case.wake(), halves);
}

#[test]
fn an_invocation_that_did_not_begin_uses_up_no_retry() {
    let mut case = Case::with(settings(), &[entry(0)]);
    let refused = RedisStreamBatchResult::NotInvoked;
    assert_eq!(case.step(RedisStreamInput::Finished(1, refused)), []);
    assert_eq!(
        case.wake(),
        [RedisStreamAction::Invoke(2, attempts(&[0], 1))]
    );
    assert_eq!(case.now, NOW + 100);
}

#[test]
fn a_failed_acknowledgement_is_repeated_without_an_invocation() {
    let mut case = Case::with(settings(), &[entry(0)]);
    let acknowledge = [RedisStreamAction::Acknowledge(keys(&[0]))];
    assert_eq!(case.finish(1, &[]), acknowledge);
    assert_eq!(case.step(RedisStreamInput::SettleFailed(keys(&[0]))), []);
    // Redis was away for longer than the idle time: the read returns the entry again
    assert_eq!(case.step(RedisStreamInput::Read(vec![entry(0)])), []);
    assert_eq!(case.wake(), acknowledge);
    assert!(!case.machine.is_idle());
    case.step(RedisStreamInput::Settled(keys(&[0])));
    assert!(case.machine.overview() == RedisStreamOverview::default());
}

#[test]
fn entries_are_held_before_they_can_be_taken_over() {
    let mut case = Case::with(settings(), &[entry(0), entry(1)]);
    assert_eq!(case.wake(), [RedisStreamAction::Hold(attempts(&[0, 1], 1))]);
    assert_eq!(case.now, NOW + 1_000);
    assert_eq!(case.step(RedisStreamInput::HoldFailed), []);
    assert_eq!(case.wake(), [RedisStreamAction::Hold(attempts(&[0, 1], 1))]);
    assert_eq!(case.now, NOW + 1_100, "a failed request is repeated soon");
}

#[test]
fn after_a_failed_read_entries_are_held_before_the_next_read() {
    let mut case = Case::with(settings(), &[entry(0)]);
    case.step(RedisStreamInput::ReadFailed);
    assert_eq!(case.wake(), [RedisStreamAction::Hold(attempts(&[0], 1))]);
    let mut actions = Vec::new();
    let held = RedisStreamInput::Held(Vec::new());
    case.machine.step(case.now, held, &mut actions);
    assert!(matches!(actions[..], [RedisStreamAction::Read { .. }]));
}

#[test]
fn an_entry_that_another_consumer_has_is_neither_retried_nor_parked() {
    let mut case = Case::with(settings(), &[entry(0), entry(1)]);
    case.wake();
    case.step(RedisStreamInput::Held(keys(&[1])));
    let expected = [RedisStreamAction::Count(attempts(&[0], 2))];
    assert_eq!(case.finish(1, &[0, 1]), expected);
    assert_eq!(
        case.wake(),
        [RedisStreamAction::Invoke(2, attempts(&[0], 2))]
    );
}

#[test]
fn filtered_and_unreadable_entries_are_settled_without_an_invocation() {
    let content = |number, content| DeliveredEntry {
        content,
        ..entry(number)
    };
    let mut case = Case::new(settings());
    case.step(RedisStreamInput::Tick);
    let entries = vec![
        content(0, EntryContent::Filtered),
        content(1, EntryContent::Unreadable),
    ];
    let expected = [
        RedisStreamAction::Acknowledge(keys(&[0])),
        RedisStreamAction::Park(vec![((9_000, 1), ParkReason::Unreadable)]),
    ];
    assert_eq!(case.step(RedisStreamInput::Read(entries)), expected);
}

#[test]
fn an_entry_beyond_the_maximum_age_is_parked() {
    let aged = RedisStreamSettings {
        max_age: Some(Duration::from_millis(999)),
        ..settings()
    };
    let young = DeliveredEntry {
        key: (9_001, 0),
        ..entry(0)
    };
    let mut case = Case::new(aged);
    case.step(RedisStreamInput::Tick);
    let expected = [
        RedisStreamAction::Park(vec![((9_000, 0), ParkReason::TooOld)]),
        RedisStreamAction::Invoke(1, vec![((9_001, 0), 1)]),
    ];
    let entries = vec![entry(0), young];
    assert_eq!(case.step(RedisStreamInput::Read(entries)), expected);
}

#[test]
fn a_window_gathers_entries_of_several_reads() {
    let gathering = RedisStreamSettings {
        window: Duration::from_millis(500),
        ..settings()
    };
    let mut case = Case::with(gathering, &[entry(0)]);
    case.now += 200;
    assert_eq!(case.step(RedisStreamInput::Read(vec![entry(1)])), []);
    assert_eq!(
        case.wake(),
        [RedisStreamAction::Invoke(1, attempts(&[0, 1], 1))]
    );
    assert_eq!(case.now, NOW + 500);
}

#[test]
fn the_payload_limit_cuts_a_batch_and_a_larger_entry_travels_alone() {
    let sized = |number, size| DeliveredEntry {
        content: EntryContent::Record(size),
        ..entry(number)
    };
    let entries = vec![sized(0, 500), sized(1, 600), sized(2, 5_000), sized(3, 1)];
    let mut case = Case::new(RedisStreamSettings {
        concurrency: 4,
        ..settings()
    });
    case.step(RedisStreamInput::Tick);
    let expected: Vec<RedisStreamAction> = (0..4)
        .map(|number| RedisStreamAction::Invoke(number + 1, attempts(&[number], 1)))
        .collect();
    assert_eq!(case.step(RedisStreamInput::Read(entries)), expected);
}

#[test]
fn a_paused_mapping_invokes_nothing_and_continues() {
    let mut case = Case::with(settings(), &[entry(0)]);
    case.finish(1, &[0]);
    let tuned = |paused| {
        RedisStreamInput::Tuned(SourceSettings {
            batch_size: 3,
            concurrency: 2,
            paused,
            ..SourceSettings::default()
        })
    };
    assert_eq!(case.step(tuned(true)), []);
    case.now += 500;
    assert_eq!(case.step(RedisStreamInput::Tick), []);
    assert_eq!(
        case.step(tuned(false)),
        [RedisStreamAction::Invoke(2, attempts(&[0], 2))]
    );
}

#[test]
fn a_drain_ends_what_has_begun_and_drops_the_rest() {
    let one = RedisStreamSettings {
        concurrency: 1,
        batch_size: 1,
        ..settings()
    };
    let mut case = Case::with(one, &[entry(0), entry(1)]);
    assert_eq!(case.step(RedisStreamInput::Drain), []);
    assert_eq!(case.machine.overview().held, 0);
    let acknowledge = [RedisStreamAction::Acknowledge(keys(&[0]))];
    assert_eq!(case.finish(1, &[]), acknowledge);
    assert!(!case.machine.is_idle());
    assert_eq!(case.step(RedisStreamInput::Settled(keys(&[0]))), []);
    assert!(case.machine.is_idle() && case.machine.wake().is_none());
}

#[test]
fn an_entry_that_comes_back_is_retried() {
    let mut case = Case::with(settings(), &[entry(0)]);
    case.wake();
    case.step(RedisStreamInput::Held(keys(&[0])));
    let back = DeliveredEntry {
        deliveries: 3,
        ..entry(0)
    };
    assert_eq!(case.step(RedisStreamInput::Read(vec![back])), []);
    let parked = vec![((9_000, 0), ParkReason::RetriesExhausted(3))];
    assert_eq!(case.finish(1, &[0]), [RedisStreamAction::Park(parked)]);
}
