//! The machine against a model: a queue and a function that fail at random, and a clock.

use std::time::Duration;

use proptest::prelude::*;

use super::case_tests::settings;
use super::model_for_tests::{QueueEnding, QueueEvent, QueueModel};
use super::*;

fn event() -> impl Strategy<Value = QueueEvent> {
    let how = prop_oneof![
        4 => Just(QueueEnding::Success),
        2 => Just(QueueEnding::Failed),
        1 => Just(QueueEnding::NotInvoked),
        4 => (0..6_usize).prop_map(QueueEnding::Partial),
    ];
    prop_oneof![
        6 => (0..4_usize, 0..=MAX_RECEIVED, size())
            .prop_map(|(which, messages, size)| QueueEvent::Answer { which, messages, size }),
        1 => (0..4_usize).prop_map(|which| QueueEvent::Fail { which }),
        3 => (0..4_usize).prop_map(|which| QueueEvent::Begin { which }),
        5 => (0..4_usize, how).prop_map(|(which, how)| QueueEvent::Finished { which, how }),
        3 => (0..3_000_i64).prop_map(|milliseconds| QueueEvent::Pass { milliseconds }),
    ]
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(10_usize), 1 => Just(300), 1 => Just(2_000)]
}

fn limits() -> impl Strategy<Value = QueueSettings> {
    let batch = prop_oneof![
        Just((1, 0)),
        Just((10, 0)),
        Just((10, 2)),
        Just((25, 1)),
        Just((200, 5))
    ];
    (batch, 1..4_usize, 1..5_usize).prop_map(|((batch_size, window), concurrency, max_receives)| {
        QueueSettings {
            batch_size,
            window: Duration::from_secs(window),
            concurrency,
            max_receives,
            ..settings()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn every_message_is_settled_once(
        limits in limits(), events in prop::collection::vec(event(), 1..120)
    ) {
        let mut model = QueueModel::new(limits, false);
        for event in &events {
            model.apply(event);
        }
        model.end();
    }

    #[test]
    fn a_fifo_queue_keeps_the_order_of_its_groups(
        concurrency in 1..4_usize, events in prop::collection::vec(event(), 1..120)
    ) {
        let mut model = QueueModel::new(QueueSettings { concurrency, ..settings() }, true);
        for event in &events {
            model.apply(event);
        }
        model.end();
    }
}
