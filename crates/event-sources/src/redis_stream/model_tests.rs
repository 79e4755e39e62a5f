//! The machine against a model: a group, another consumer, a function that fails at random, and a
//! clock.

use proptest::prelude::*;

use super::case_tests::settings;
use super::model_for_tests::{Ending, GroupEvent, GroupModel};
use super::*;

fn event() -> impl Strategy<Value = GroupEvent> {
    let how = prop_oneof![
        4 => Just(Ending::Success),
        3 => Just(Ending::Failed),
        1 => Just(Ending::NotInvoked),
        4 => (0..6_usize).prop_map(Ending::Partial),
    ];
    let content = prop_oneof![
        6 => Just(EntryContent::Record(10)),
        2 => Just(EntryContent::Record(300)),
        1 => Just(EntryContent::Record(2_000)),
        1 => Just(EntryContent::Filtered),
        1 => Just(EntryContent::Unreadable),
    ];
    let fails = || prop::bool::weighted(0.2);
    prop_oneof![
        6 => (1..12_usize, content)
            .prop_map(|(entries, content)| GroupEvent::Add { entries, content }),
        8 => fails().prop_map(|fails| GroupEvent::Read { fails }),
        8 => (0..3_usize, fails())
            .prop_map(|(which, fails)| GroupEvent::Answer { which, fails }),
        6 => (0..3_usize, how).prop_map(|(which, how)| GroupEvent::Finished { which, how }),
        2 => Just(GroupEvent::TakenOver),
        1 => any::<bool>().prop_map(|processed| GroupEvent::OtherEnds { processed }),
        1 => Just(GroupEvent::Crash),
        1 => any::<bool>().prop_map(GroupEvent::Pause),
        1 => Just(GroupEvent::Recreated),
        5 => (0..2_500_i64).prop_map(|milliseconds| GroupEvent::Pass { milliseconds }),
    ]
}

fn any_settings() -> impl Strategy<Value = RedisStreamSettings> {
    let batches = prop_oneof![
        Just((1, 0)),
        Just((5, 0)),
        Just((10, 200)),
        Just((25, 1_000))
    ];
    let retries = prop_oneof![Just(None), (0..4_u32).prop_map(Some)];
    let age = prop_oneof![3 => Just(None), 1 => Just(Some(Duration::from_secs(5)))];
    (
        batches,
        1..4_usize,
        any::<bool>(),
        retries,
        age,
        5..60_usize,
    )
        .prop_map(
            |((batch_size, window), concurrency, bisect, max_retries, max_age, max_held)| {
                RedisStreamSettings {
                    batch_size,
                    window: Duration::from_millis(window),
                    concurrency,
                    bisect,
                    max_retries,
                    max_age,
                    max_held,
                    ..settings()
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_ends_early(
        settings in any_settings(),
        events in prop::collection::vec(event(), 0..120),
    ) {
        let mut model = GroupModel::new(settings);
        for event in &events {
            model.apply(event);
        }
        model.end();
    }

    #[test]
    fn a_drain_leaves_the_rest_to_the_group(
        settings in any_settings(),
        events in prop::collection::vec(event(), 0..60),
    ) {
        let mut model = GroupModel::new(settings);
        for event in &events {
            model.apply(event);
        }
        model.drain();
    }
}
