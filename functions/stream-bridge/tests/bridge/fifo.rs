//! A FIFO queue: each message group in the order of the stream, whatever fails.

use crate::picky::Picky;
use crate::stage::{body, endpoint, number, with};

#[tokio::test]
async fn a_message_group_stops_at_its_first_failure_and_the_others_go_on() {
    with(true, |stage| async move {
        let picky = Picky::before(endpoint().trim_start_matches("http://"), r#""n":"2""#).await;
        let bridge = stage.bridge_to(&picky.endpoint, &[]);
        for n in 0..12 {
            stage
                .publish(&[
                    ("n", &n.to_string()),
                    ("group", if n % 2 == 0 { "even" } else { "odd" }),
                ])
                .await;
        }
        let mut order = Vec::new();
        let meanwhile = async {
            while order.len() < 7 {
                order.extend(
                    stage
                        .receive(5)
                        .await
                        .iter()
                        .map(|message| number(&body(message))),
                );
            }
            // Of the other group everything, of this one nothing past the failure.
            let mut so_far = order.clone();
            so_far.sort_unstable();
            assert_eq!(so_far, [0, 1, 3, 5, 7, 9, 11]);
            picky.relent();
            while order.len() < 12 {
                order.extend(
                    stage
                        .receive(5)
                        .await
                        .iter()
                        .map(|message| number(&body(message))),
                );
            }
            stage.all_dealt_with().await;
        };
        let report = stage.carry_while(&bridge, meanwhile).await;
        assert_eq!((report.forwarded, report.parked), (12, 0));
        assert!(report.failed > 0);
        for group in 0..2 {
            let of_group: Vec<u32> = order.iter().copied().filter(|n| n % 2 == group).collect();
            assert!(of_group.is_sorted() && of_group.len() == 6, "{of_group:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_belongs_to_no_message_group_is_set_aside_and_holds_nobody_up() {
    with(true, |stage| async move {
        stage.publish(&[("n", "0"), ("group", "a")]).await;
        stage.publish(&[("n", "1")]).await;
        stage
            .publish(&[("n", "2"), ("group", "not visible: \u{1}")])
            .await;
        stage.publish(&[("n", "3"), ("group", "a")]).await;
        let report = stage.carry(&stage.bridge(&[])).await;
        assert_eq!((report.forwarded, report.parked), (2, 2));
        assert_eq!(crate::stage::numbers(&stage.drain().await), [0, 3]);
    })
    .await;
}

#[tokio::test]
async fn runs_that_overlap_keep_the_order() {
    with(true, |stage| async move {
        let settings = [("STREAM_BATCH", "3"), ("TAKE_OVER_IDLE_MS", "3600000")];
        let one = stage.bridge(&settings);
        let other = stage.bridge(&settings);
        let (tell, told) = tokio::sync::watch::channel(false);
        let stop = stream_bridge::Stop::when(told);
        let (a, b, ()) = tokio::join!(one.run(&stop), other.run(&stop), async {
            for n in 0..60 {
                stage
                    .publish(&[("n", &n.to_string()), ("group", "a")])
                    .await;
            }
            stage.all_dealt_with().await;
            tell.send_replace(true);
        });
        assert_eq!(a.forwarded + b.forwarded, 60);
        assert_eq!(
            crate::stage::numbers(&stage.drain().await),
            (0..60).collect::<Vec<_>>()
        );
    })
    .await;
}
