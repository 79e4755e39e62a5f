//! The processor acknowledges nothing that is not done or parked, keeps order, and stops in time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures::executor::block_on;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::{BatchProcessor, Parker};
use crate::{
    BadContent, EventBatch, HandlerError, KafkaBatch, KafkaRecord, Outcome, Reason, SqsBatch,
    SqsMessage,
};

const DEADLINE: SystemTime = SystemTime::UNIX_EPOCH;

/// A processor whose clock stands an hour before [`DEADLINE`].
fn processor<H>(handler: H) -> BatchProcessor<H> {
    BatchProcessor::new(handler).clock(|| DEADLINE - Duration::from_secs(3600))
}

fn kafka(partitions: &[usize]) -> KafkaBatch {
    let mut records = serde_json::Map::new();
    for (partition, count) in partitions.iter().enumerate() {
        let record = |offset| json!({ "topic": "t", "partition": partition, "offset": offset });
        records.insert(
            format!("t-{partition}"),
            (0..*count).map(record).collect::<Vec<_>>().into(),
        );
    }
    serde_json::from_str(&json!({ "records": records }).to_string()).expect("an event")
}

/// Group 0 stands for none.
fn sqs(groups: &[u8]) -> SqsBatch {
    let message = |(n, group): (usize, &u8)| {
        let group = (*group > 0).then(|| group.to_string());
        json!({ "messageId": n.to_string(), "body": "", "attributes": { "MessageGroupId": group } })
    };
    let records: Vec<_> = groups.iter().enumerate().map(message).collect();
    serde_json::from_value(json!({ "Records": records })).expect("an event")
}

/// What the handler of a test does with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Done,
    Retry,
    Park,
    Panic,
}

impl Act {
    fn outcome(self) -> Outcome {
        match self {
            Self::Done => Outcome::Done,
            Self::Retry => Outcome::retry("later"),
            Self::Park => Outcome::park("never"),
            Self::Panic => panic!("as the test wants it"),
        }
    }
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => Just(Act::Done),
        1 => Just(Act::Retry),
        1 => Just(Act::Park),
        1 => Just(Act::Panic),
    ];
    vec(act, 40)
}

/// Notes what it parks, or refuses to.
#[derive(Debug, Default)]
struct TestParker {
    refuses: bool,
    parked: std::sync::Mutex<Vec<usize>>,
}

impl<B: EventBatch> Parker<B> for &TestParker {
    type Error = &'static str;

    async fn park(&self, _: &B, index: usize, _: &Reason) -> Result<(), &'static str> {
        if self.refuses {
            return Err("the disk is full");
        }
        self.parked.lock().expect("no panic holds it").push(index);
        Ok(())
    }
}

/// Gives the other handlers a turn.
async fn pause() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

proptest! {
    #[test]
    fn kafka_acknowledges_only_done_or_parked(
        partitions in vec(0..8_usize, 1..5), acts in acts(), concurrency in 1..6_usize, refuses: bool,
    ) {
        let batch = kafka(&partitions);
        let at = |record: &KafkaRecord<'_>| record.partition as usize * 8 + record.offset as usize;
        let parker = TestParker { refuses, ..TestParker::default() };
        let handled: RefCell<BTreeMap<i32, Vec<i64>>> = RefCell::default();
        let handler = async |record: KafkaRecord<'_>| {
            pause().await;
            handled.borrow_mut().entry(record.partition).or_default().push(record.offset);
            acts[at(&record)].outcome()
        };
        let processor = processor(handler).concurrency(concurrency).parker(&parker);
        let response = block_on(processor.process(&batch, DEADLINE));
        drop(processor);
        let handled = handled.into_inner();
        for (partition, count) in partitions.iter().enumerate() {
            let fails = |offset: &usize| match acts[partition * 8 + offset] {
                Act::Done => false,
                Act::Park => refuses,
                Act::Retry | Act::Panic => true,
            };
            let first = (0..*count).find(fails);
            let name = format!("t-{partition}");
            let named = response.items.iter().find(|item| item.identifier.partition == name);
            prop_assert_eq!(named.map(|item| item.identifier.offset as usize), first);
            // In order, and nothing behind the record that failed.
            let tried = first.map_or(*count, |first| first + 1);
            let expected: Vec<i64> = (0..tried as i64).collect();
            prop_assert_eq!(
                handled.get(&(partition as i32)).cloned().unwrap_or_default(),
                expected,
            );
        }
    }

    #[test]
    fn sqs_names_failures_and_the_rest_of_their_groups(
        groups in vec(0..4_u8, 0..30), acts in acts(), concurrency in 1..6_usize,
    ) {
        let batch = sqs(&groups);
        let parker = TestParker::default();
        let handler = async |message: &SqsMessage| {
            pause().await;
            acts[message.id.parse::<usize>().expect("an index")].outcome()
        };
        let processor = processor(handler).concurrency(concurrency).parker(&parker);
        let response = block_on(processor.process(&batch, DEADLINE));
        let failed = |n: usize| matches!(acts[n], Act::Retry | Act::Panic);
        let expected: Vec<String> = (0..groups.len())
            .filter(|n| {
                failed(*n) || groups[*n] != 0 && (0..*n).any(|m| groups[m] == groups[*n] && failed(m))
            })
            .map(|n| n.to_string())
            .collect();
        let named: Vec<String> = response.items.into_iter().map(|item| item.identifier).collect();
        prop_assert_eq!(named, expected);
    }

    #[test]
    fn never_more_at_the_same_time_than_allowed(count in 0..30_usize, concurrency in 1..6_usize) {
        let running = RefCell::new((0, 0));
        let handler = async |_: &SqsMessage| {
            {
                let (now, max) = &mut *running.borrow_mut();
                *now += 1;
                *max = (*max).max(*now);
            }
            pause().await;
            running.borrow_mut().0 -= 1;
            Outcome::Done
        };
        let batch = sqs(&vec![0; count]);
        let processor = processor(handler).concurrency(concurrency);
        prop_assert!(block_on(processor.process(&batch, DEADLINE)).is_empty());
        drop(processor);
        prop_assert_eq!(running.into_inner().1, count.min(concurrency));
    }
}

#[test]
fn no_record_is_started_within_the_margin() {
    let seconds = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&seconds);
    let processor = BatchProcessor::new(async |_: KafkaRecord<'_>| {
        seconds.fetch_add(10, Ordering::Relaxed);
        Outcome::Done
    })
    .margin(Duration::from_secs(15))
    .clock(move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::Relaxed)));
    let batch = kafka(&[9]);
    let deadline = SystemTime::UNIX_EPOCH + Duration::from_secs(50);
    let response = block_on(processor.process(&batch, deadline));
    assert_eq!(
        seconds.load(Ordering::Relaxed),
        40,
        "four records were handled"
    );
    assert_eq!(response.items[0].identifier.offset, 4);
    let late = block_on(processor.process(&batch, SystemTime::UNIX_EPOCH));
    assert_eq!(
        late.items[0].identifier.offset, 0,
        "the deadline has passed"
    );
}

#[test]
fn without_a_parker_a_refused_record_is_delivered_again() {
    let processor = processor(async |_: &SqsMessage| Outcome::park("not an order"));
    let batch = sqs(&[0]);
    let ledger = block_on(processor.ledger(&batch, DEADLINE));
    assert_eq!(ledger.counts().failed, 1);
}

#[test]
fn a_parker_receives_the_record_and_the_batch_goes_on() {
    let parker = TestParker::default();
    let handler = async |record: KafkaRecord<'_>| match record.offset {
        1 => Outcome::park("not an order"),
        _ => Outcome::Done,
    };
    let batch = kafka(&[3]);
    let processor = processor(handler).parker(&parker);
    let ledger = block_on(processor.ledger(&batch, DEADLINE));
    assert!(ledger.response().is_empty());
    assert_eq!((ledger.counts().done, ledger.counts().parked), (2, 1));
    assert_eq!(*parker.parked.lock().expect("no panic holds it"), [1]);
}

#[test]
fn errors_become_outcomes_by_the_question_mark() {
    let of = |result: Result<(), HandlerError>| Outcome::from(result);
    let unreadable = || -> Result<(), HandlerError> { Err(BadContent::Nul)? };
    assert_eq!(of(unreadable()), Outcome::park(BadContent::Nul));
    assert_eq!(
        of(Err(HandlerError::retry("later"))),
        Outcome::retry("later")
    );
    assert_eq!(of(Ok(())), Outcome::Done);
}

/// The future of a processor can be spawned on a runtime with several threads.
#[test]
fn processing_is_send() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    async fn handle(_: KafkaRecord<'_>) -> Outcome {
        Outcome::Done
    }
    let batch = kafka(&[1]);
    let processor = processor(handle);
    assert!(block_on(send(processor.process(&batch, DEADLINE))).is_empty());
    let shared = Arc::new(AtomicU64::new(0));
    let processor = self::processor(async move |_: KafkaRecord<'_>| {
        shared.fetch_add(1, Ordering::Relaxed);
        pause().await;
        Outcome::Done
    });
    assert!(block_on(send(processor.process(&batch, DEADLINE))).is_empty());
}
