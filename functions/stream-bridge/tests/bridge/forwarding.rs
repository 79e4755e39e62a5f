//! What is published arrives; what cannot is set aside.

use std::time::{Duration, Instant};

use lambda_batch::Tick;
use shared::sqs::MAX_BYTES;

use crate::stage::{body, numbers, with};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn every_entry_arrives_once_and_nothing_of_it_is_left_in_the_group() {
    with(false, |stage| async move {
        stage.publish_numbers(0..137).await;
        let report = stage.carry(&stage.bridge(&[])).await;
        assert_eq!(
            (
                report.forwarded,
                report.parked,
                report.failed,
                report.given_back
            ),
            (137, 0, 0, 0)
        );
        let mut arrived = numbers(&stage.drain().await);
        arrived.sort_unstable();
        assert_eq!(arrived, (0..137).collect::<Vec<_>>());
        assert_eq!(stage.consumers().await, 0, "the run has left the group");
    })
    .await;
}

#[tokio::test]
async fn a_message_says_where_its_entry_stood_and_carries_its_trace() {
    with(false, |stage| async move {
        let id = stage
            .publish(&[("id", "17"), ("version", "4"), ("traceparent", TRACE)])
            .await;
        stage.carry(&stage.bridge(&[])).await;
        let messages = stage.receive(10).await;
        let entry = body(&messages[0]);
        assert_eq!((entry.stream.as_str(), entry.id), ("program-changed", id));
        assert_eq!(
            (
                entry.fields["id"].as_str(),
                entry.fields["version"].as_str()
            ),
            ("17", "4")
        );
        let attributes = messages[0].message_attributes().expect("attributes");
        assert_eq!(attributes["traceparent"].string_value(), Some(TRACE));
    })
    .await;
}

#[tokio::test]
async fn what_is_published_while_the_bridge_waits_arrives_though_the_bridge_would_wait_longer() {
    with(false, |stage| async move {
        let bridge = stage.bridge(&[
            ("STREAM_BLOCK_MS", "60000"),
            ("TAKE_OVER_IDLE_MS", "3600000"),
        ]);
        let meanwhile = async {
            for n in 0..5 {
                stage.publish_numbers(n..n + 1).await;
                stage.await_numbers(n..n + 1).await;
            }
            stage.all_dealt_with().await;
        };
        assert_eq!(stage.carry_while(&bridge, meanwhile).await.forwarded, 5);
    })
    .await;
}

#[tokio::test]
async fn what_no_message_can_carry_is_set_aside_with_its_reason_and_the_rest_goes_on() {
    with(false, |stage| async move {
        let key = stage.key();
        stage.publish_numbers(0..3).await;
        stage.publish(&[("n", &"x".repeat(MAX_BYTES))]).await;
        stage.publish_numbers(3..5).await;
        let _: String = stage
            .redis(&[b"XADD", key.as_bytes(), b"*", b"n", b"\xff\xfe"])
            .await;
        let _: String = stage
            .redis(&[b"XADD", key.as_bytes(), b"*", b"n", b"1", b"n", b"2"])
            .await;
        stage.publish_numbers(5..8).await;
        let report = stage.carry(&stage.bridge(&[])).await;
        assert_eq!((report.forwarded, report.parked), (8, 3));
        let mut arrived = numbers(&stage.drain().await);
        arrived.sort_unstable();
        assert_eq!(arrived, (0..8).collect::<Vec<_>>());
        let dead = stage.dead().await;
        let reasons: Vec<&str> = dead.iter().map(|(reason, _)| reason.as_str()).collect();
        assert!(reasons[0].ends_with("SQS takes 1048576"), "{reasons:?}");
        assert!(
            reasons[1].starts_with("field \"n\" is not UTF-8"),
            "{reasons:?}"
        );
        assert_eq!(reasons[2], "field \"n\" stands there twice");
        assert_eq!(dead[0].1[1].len(), MAX_BYTES, "kept whole");
        assert_eq!(dead[1].1, [b"n".to_vec(), b"\xff\xfe".to_vec()]);
    })
    .await;
}

#[tokio::test]
async fn more_than_one_request_may_carry_is_sent_in_several() {
    with(false, |stage| async move {
        for n in 0..24 {
            stage
                .publish(&[("n", &n.to_string()), ("load", &"x".repeat(300_000))])
                .await;
        }
        let report = stage.carry(&stage.bridge(&[])).await;
        assert_eq!((report.forwarded, report.failed), (24, 0));
        let mut arrived = numbers(&stage.drain().await);
        arrived.sort_unstable();
        assert_eq!(arrived, (0..24).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn runs_that_overlap_share_the_stream() {
    with(false, |stage| async move {
        let patient = [("TAKE_OVER_IDLE_MS", "3600000"), ("STREAM_BATCH", "5")];
        let one = stage.bridge(&patient);
        let other = stage.bridge(&patient);
        let all = async {
            stage.publish_numbers(0..200).await;
            stage.all_dealt_with().await;
        };
        let (tell, told) = tokio::sync::watch::channel(false);
        let stop = stream_bridge::Stop::when(told);
        let (a, b, ()) = tokio::join!(one.run(&stop), other.run(&stop), async {
            all.await;
            tell.send_replace(true);
        });
        assert_eq!(a.forwarded + b.forwarded, 200);
        let mut arrived = numbers(&stage.drain().await);
        arrived.sort_unstable();
        assert_eq!(arrived, (0..200).collect::<Vec<_>>(), "each once");
    })
    .await;
}

#[tokio::test]
async fn the_run_of_a_tick_ends_before_its_process_is_taken_away() {
    with(false, |stage| async move {
        stage.publish_numbers(0..3).await;
        let bridge = stage.bridge(&[("STOP_MARGIN_MS", "7000"), ("STREAM_BLOCK_MS", "60000")]);
        let began = Instant::now();
        let time = Duration::from_secs(10);
        let report = bridge
            .tick(
                &Tick {
                    at_ms: Some(1),
                    id: None,
                },
                time,
            )
            .await
            .expect("a tick");
        assert_eq!(report.forwarded, 3);
        assert!(began.elapsed() < time);
        let refused = bridge
            .tick(&Tick::default(), time)
            .await
            .expect_err("no tick");
        assert!(refused.to_string().contains("no tick"), "{refused}");
    })
    .await;
}
