//! Forwarding and parking.

use std::time::{Duration, Instant};

use lambda_batch::Tick;
use shared::sqs::MAX_BYTES;

use crate::environment::{body, numbers, with};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn every_entry_arrives_once_and_is_acknowledged() {
    with(false, |environment| async move {
        environment.publish_numbers(0..137).await;
        let report = environment.run(&environment.bridge(&[])).await;
        assert_eq!(
            (
                report.forwarded,
                report.parked,
                report.failed,
                report.given_back
            ),
            (137, 0, 0, 0)
        );
        let mut arrived = numbers(&environment.drain().await);
        arrived.sort_unstable();
        assert_eq!(arrived, (0..137).collect::<Vec<_>>());
        assert_eq!(
            environment.consumers().await,
            0,
            "the consumer has left the group"
        );
    })
    .await;
}

#[tokio::test]
async fn a_message_has_the_entrys_origin_and_trace() {
    with(false, |environment| async move {
        let id = environment
            .publish(&[("id", "17"), ("version", "4"), ("traceparent", TRACE)])
            .await;
        environment.run(&environment.bridge(&[])).await;
        let messages = environment.receive(10).await;
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
async fn a_new_entry_wakes_the_waiting_bridge() {
    with(false, |environment| async move {
        let bridge = environment.bridge(&[
            ("STREAM_BLOCK_MS", "60000"),
            ("TAKE_OVER_IDLE_MS", "3600000"),
        ]);
        let meanwhile = async {
            for n in 0..5 {
                environment.publish_numbers(n..n + 1).await;
                environment.await_numbers(n..n + 1).await;
            }
            environment.all_acknowledged().await;
        };
        assert_eq!(environment.run_while(&bridge, meanwhile).await.forwarded, 5);
    })
    .await;
}

#[tokio::test]
async fn an_entry_without_a_message_is_parked() {
    with(false, |environment| async move {
        let key = environment.key();
        environment.publish_numbers(0..3).await;
        environment.publish(&[("n", &"x".repeat(MAX_BYTES))]).await;
        environment.publish_numbers(3..5).await;
        let _: String = environment
            .redis(&[b"XADD", key.as_bytes(), b"*", b"n", b"\xff\xfe"])
            .await;
        let _: String = environment
            .redis(&[b"XADD", key.as_bytes(), b"*", b"n", b"1", b"n", b"2"])
            .await;
        environment.publish_numbers(5..8).await;
        let report = environment.run(&environment.bridge(&[])).await;
        assert_eq!((report.forwarded, report.parked), (8, 3));
        let mut arrived = numbers(&environment.drain().await);
        arrived.sort_unstable();
        assert_eq!(arrived, (0..8).collect::<Vec<_>>());
        let dead = environment.dead_letters().await;
        let reasons: Vec<&str> = dead.iter().map(|(reason, _)| reason.as_str()).collect();
        assert!(reasons[0].ends_with("SQS takes 1048576"), "{reasons:?}");
        assert!(
            reasons[1].starts_with("field \"n\" is not UTF-8"),
            "{reasons:?}"
        );
        assert_eq!(reasons[2], "field \"n\" occurs twice");
        assert_eq!(dead[0].1[1].len(), MAX_BYTES, "the whole value");
        assert_eq!(dead[1].1, [b"n".to_vec(), b"\xff\xfe".to_vec()]);
    })
    .await;
}

#[tokio::test]
async fn many_messages_are_sent_in_several_requests() {
    with(false, |environment| async move {
        for n in 0..24 {
            environment
                .publish(&[("n", &n.to_string()), ("load", &"x".repeat(300_000))])
                .await;
        }
        let report = environment.run(&environment.bridge(&[])).await;
        assert_eq!((report.forwarded, report.failed), (24, 0));
        let mut arrived = numbers(&environment.drain().await);
        arrived.sort_unstable();
        assert_eq!(arrived, (0..24).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn overlapping_runs_share_the_stream() {
    with(false, |environment| async move {
        let patient = [("TAKE_OVER_IDLE_MS", "3600000"), ("STREAM_BATCH", "5")];
        let one = environment.bridge(&patient);
        let other = environment.bridge(&patient);
        let all = async {
            environment.publish_numbers(0..200).await;
            environment.all_acknowledged().await;
        };
        let (tell, told) = tokio::sync::watch::channel(false);
        let stop = stream_bridge::Stop::when(told);
        let (a, b, ()) = tokio::join!(one.run(&stop), other.run(&stop), async {
            all.await;
            tell.send_replace(true);
        });
        assert_eq!(a.forwarded + b.forwarded, 200);
        let mut arrived = numbers(&environment.drain().await);
        arrived.sort_unstable();
        assert_eq!(arrived, (0..200).collect::<Vec<_>>(), "each once");
    })
    .await;
}

#[tokio::test]
async fn the_run_of_a_tick_ends_before_its_timeout() {
    with(false, |environment| async move {
        environment.publish_numbers(0..3).await;
        let bridge =
            environment.bridge(&[("STOP_MARGIN_MS", "7000"), ("STREAM_BLOCK_MS", "60000")]);
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
        assert!(refused.to_string().contains("not a tick"), "{refused}");
    })
    .await;
}
