//! Outages of the servers: nothing is lost or parked because of them.

use crate::environment::{endpoint, numbers, redis_url, with};
use crate::interruptible_relay::InterruptibleRelay;

#[tokio::test]
async fn a_run_survives_an_outage_of_sqs() {
    with(false, |environment| async move {
        let mut relay = InterruptibleRelay::to(endpoint().trim_start_matches("http://")).await;
        // One delivery is allowed: an outage must not use it up.
        let settings = [
            ("MAX_DELIVERIES", "1"),
            ("TAKE_OVER_IDLE_MS", "3600000"),
            ("STREAM_BATCH", "7"),
        ];
        let bridge = environment.bridge_to(&format!("http://{}", relay.address), &settings);
        let meanwhile = async {
            environment.publish_numbers(0..10).await;
            environment.all_acknowledged().await;
            relay.interrupt();
            environment.publish_numbers(10..40).await;
            relay.rejected_connection().await;
            relay.restore();
            environment.all_acknowledged().await;
        };
        let report = environment.run_while(&bridge, meanwhile).await;
        assert!(report.failed > 0, "the outage had no effect: {report:?}");
        assert_eq!(
            (report.parked, report.given_up, report.given_back),
            (0, 0, 0)
        );
        let mut arrived = numbers(&environment.drain().await);
        arrived.sort_unstable();
        arrived.dedup();
        assert_eq!(arrived, (0..40).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn a_run_that_ends_returns_its_entries() {
    with(false, |environment| async move {
        let settings = [("MAX_DELIVERIES", "1"), ("TAKE_OVER_IDLE_MS", "3600000")];
        environment.publish_numbers(0..5).await;
        let mut relay = InterruptibleRelay::to(endpoint().trim_start_matches("http://")).await;
        relay.interrupt();
        for _ in 0..3 {
            let bridge = environment.bridge_to(&format!("http://{}", relay.address), &settings);
            let report = environment
                .run_while(&bridge, relay.rejected_connection())
                .await;
            assert_eq!((report.forwarded, report.given_back), (0, 5));
        }
        let report = environment.run(&environment.bridge(&settings)).await;
        assert_eq!(
            (report.forwarded, report.given_up, report.taken_over),
            (5, 0, 5)
        );
        assert_eq!(environment.dead_letters().await, []);
    })
    .await;
}

#[tokio::test]
async fn a_run_survives_an_outage_of_redis() {
    with(false, |environment| async move {
        let relay = InterruptibleRelay::to(redis_url().trim_start_matches("redis://")).await;
        let url = format!("redis://{}", relay.address);
        let bridge = environment.bridge(&[("REDIS_CACHE_URL", &url), ("STREAM_BATCH", "7")]);
        let meanwhile = async {
            for round in 0..5 {
                environment
                    .publish_numbers(round * 20..round * 20 + 10)
                    .await;
                relay.interrupt();
                environment
                    .publish_numbers(round * 20 + 10..round * 20 + 20)
                    .await;
                relay.restore();
                environment
                    .await_numbers(round * 20 + 19..round * 20 + 20)
                    .await;
            }
            environment.all_acknowledged().await;
        };
        let report = environment.run_while(&bridge, meanwhile).await;
        assert_eq!((report.parked, report.given_up), (0, 0));
        assert!(
            report.forwarded >= 100,
            "every entry at least once: {report:?}"
        );
        assert_eq!(environment.dead_letters().await, []);
    })
    .await;
}
