//! Servers away for a while: the bridge outlives it, and nothing is lost or set aside because of it.

use crate::cable::Cable;
use crate::stage::{endpoint, numbers, redis_url, with};

#[tokio::test]
async fn with_sqs_away_for_a_while_nothing_is_lost_or_set_aside_and_the_same_run_carries_on() {
    with(false, |stage| async move {
        let mut cable = Cable::to(endpoint().trim_start_matches("http://")).await;
        // A single delivery is all an entry is allowed: an outage must not use it up.
        let settings = [
            ("MAX_DELIVERIES", "1"),
            ("TAKE_OVER_IDLE_MS", "3600000"),
            ("STREAM_BATCH", "7"),
        ];
        let bridge = stage.bridge_to(&format!("http://{}", cable.address), &settings);
        let meanwhile = async {
            stage.publish_numbers(0..10).await;
            stage.all_dealt_with().await;
            cable.cut();
            stage.publish_numbers(10..40).await;
            cable.met().await;
            cable.mend();
            stage.all_dealt_with().await;
        };
        let report = stage.carry_while(&bridge, meanwhile).await;
        assert!(report.failed > 0, "it met the outage: {report:?}");
        assert_eq!(
            (report.parked, report.given_up, report.given_back),
            (0, 0, 0)
        );
        let mut arrived = numbers(&stage.drain().await);
        arrived.sort_unstable();
        arrived.dedup();
        assert_eq!(arrived, (0..40).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn runs_that_end_while_sqs_is_away_hand_their_entries_on_at_once_and_at_no_cost() {
    with(false, |stage| async move {
        let settings = [("MAX_DELIVERIES", "1"), ("TAKE_OVER_IDLE_MS", "3600000")];
        stage.publish_numbers(0..5).await;
        let mut cable = Cable::to(endpoint().trim_start_matches("http://")).await;
        cable.cut();
        for _ in 0..3 {
            let bridge = stage.bridge_to(&format!("http://{}", cable.address), &settings);
            let report = stage.carry_while(&bridge, cable.met()).await;
            assert_eq!((report.forwarded, report.given_back), (0, 5));
        }
        let report = stage.carry(&stage.bridge(&settings)).await;
        assert_eq!(
            (report.forwarded, report.given_up, report.taken_over),
            (5, 0, 5)
        );
        assert_eq!(stage.dead().await, []);
    })
    .await;
}

#[tokio::test]
async fn with_redis_away_for_a_while_nothing_is_lost_and_the_same_run_carries_on() {
    with(false, |stage| async move {
        let cable = Cable::to(redis_url().trim_start_matches("redis://")).await;
        let url = format!("redis://{}", cable.address);
        let bridge = stage.bridge(&[("REDIS_CACHE_URL", &url), ("STREAM_BATCH", "7")]);
        let meanwhile = async {
            for round in 0..5 {
                stage.publish_numbers(round * 20..round * 20 + 10).await;
                cable.cut();
                stage
                    .publish_numbers(round * 20 + 10..round * 20 + 20)
                    .await;
                cable.mend();
                stage.await_numbers(round * 20 + 19..round * 20 + 20).await;
            }
            stage.all_dealt_with().await;
        };
        let report = stage.carry_while(&bridge, meanwhile).await;
        assert_eq!((report.parked, report.given_up), (0, 0));
        assert!(report.forwarded >= 100, "each at least once: {report:?}");
        assert_eq!(stage.dead().await, []);
    })
    .await;
}
