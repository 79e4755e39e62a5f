//! The machine against a model: logs with gaps, a function that fails at random, a group that
//! rebalances.

use std::time::Duration;

use proptest::prelude::*;

use super::case_tests::settings;
use super::model_for_tests::{PARTITIONS, StreamEnding, StreamEvent, StreamModel};
use super::*;

fn event() -> impl Strategy<Value = StreamEvent> {
    let how = prop_oneof![
        4 => Just(StreamEnding::Success),
        2 => Just(StreamEnding::Failed),
        1 => Just(StreamEnding::NotInvoked),
        3 => (0..5_usize).prop_map(StreamEnding::Partial),
        1 => Just(StreamEnding::Nonsense),
    ];
    prop_oneof![
        4 => (0..PARTITIONS, 1..6_usize, prop_oneof![Just(10_usize), Just(300), Just(2_000)])
            .prop_map(|(partition, records, size)| {
                StreamEvent::Deliver { partition, records, size }
            }),
        5 => (0..3_usize, how).prop_map(|(which, how)| StreamEvent::Finished { which, how }),
        2 => any::<bool>().prop_map(|taken| StreamEvent::Post { taken }),
        1 => (0..PARTITIONS, any::<bool>())
            .prop_map(|(partition, lost)| StreamEvent::Rebalance { partition, lost }),
        1 => (0..PARTITIONS).prop_map(|partition| StreamEvent::CommitFails { partition }),
        3 => (0..1_500_i64).prop_map(|milliseconds| StreamEvent::Pass { milliseconds }),
        1 => (0..PARTITIONS, 0..=10_i64)
            .prop_map(|(partition, tenths)| StreamEvent::Seek { partition, tenths }),
        1 => (0..PARTITIONS).prop_map(|partition| StreamEvent::Skip { partition }),
    ]
}

fn events() -> impl Strategy<Value = Vec<StreamEvent>> {
    prop::collection::vec(event(), 1..80)
}

fn run(limits: StreamSettings, events: &[StreamEvent]) {
    let mut model = StreamModel::new(limits);
    for event in events {
        model.apply(event);
    }
    model.settle();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn without_limits_every_record_is_done_in_order(events in events()) {
        run(settings(), &events);
    }

    #[test]
    fn only_the_retry_limit_discards_records(events in events(), retries in 0..3_u32) {
        run(StreamSettings { bisect: true, max_retries: Some(retries), ..settings() }, &events);
    }

    #[test]
    fn nothing_is_discarded_before_its_delivery(
        events in events(), retries in 0..3_u32, bisect in any::<bool>()
    ) {
        let max_age = Some(Duration::from_secs(4));
        let limits = StreamSettings {
            bisect,
            max_retries: Some(retries),
            max_age,
            has_destination: true,
            ..settings()
        };
        run(limits, &events);
    }

    #[test]
    fn a_window_with_an_age_limit_never_blocks(events in events()) {
        let limits = StreamSettings {
            window: Duration::from_millis(500),
            max_age: Some(Duration::from_secs(2)),
            ..settings()
        };
        run(limits, &events);
    }
}
