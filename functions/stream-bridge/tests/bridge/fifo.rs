//! A FIFO queue: each message group keeps the order of the stream.

use crate::environment::{body, endpoint, number, with};
use crate::rejecting_proxy::RejectingProxy;

#[tokio::test]
async fn a_message_group_stops_at_its_first_failure() {
    with(true, |environment| async move {
        let proxy =
            RejectingProxy::before(endpoint().trim_start_matches("http://"), r#""n":"2""#).await;
        let bridge = environment.bridge_to(&proxy.endpoint, &[]);
        for n in 0..12 {
            environment
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
                    environment
                        .receive(5)
                        .await
                        .iter()
                        .map(|message| number(&body(message))),
                );
            }
            // All of the other group, and nothing after the failure of this one.
            let mut so_far = order.clone();
            so_far.sort_unstable();
            assert_eq!(so_far, [0, 1, 3, 5, 7, 9, 11]);
            proxy.accept_all();
            while order.len() < 12 {
                order.extend(
                    environment
                        .receive(5)
                        .await
                        .iter()
                        .map(|message| number(&body(message))),
                );
            }
            environment.all_acknowledged().await;
        };
        let report = environment.run_while(&bridge, meanwhile).await;
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
async fn an_entry_without_message_group_is_parked() {
    with(true, |environment| async move {
        environment.publish(&[("n", "0"), ("group", "a")]).await;
        environment.publish(&[("n", "1")]).await;
        environment
            .publish(&[("n", "2"), ("group", "not visible: \u{1}")])
            .await;
        environment.publish(&[("n", "3"), ("group", "a")]).await;
        let report = environment.run(&environment.bridge(&[])).await;
        assert_eq!((report.forwarded, report.parked), (2, 2));
        assert_eq!(
            crate::environment::numbers(&environment.drain().await),
            [0, 3]
        );
    })
    .await;
}

#[tokio::test]
async fn overlapping_runs_keep_the_order() {
    with(true, |environment| async move {
        let settings = [("STREAM_BATCH", "3"), ("TAKE_OVER_IDLE_MS", "3600000")];
        let one = environment.bridge(&settings);
        let other = environment.bridge(&settings);
        let (tell, told) = tokio::sync::watch::channel(false);
        let stop = stream_bridge::Stop::when(told);
        let (a, b, ()) = tokio::join!(one.run(&stop), other.run(&stop), async {
            for n in 0..60 {
                environment
                    .publish(&[("n", &n.to_string()), ("group", "a")])
                    .await;
            }
            environment.all_acknowledged().await;
            tell.send_replace(true);
        });
        assert_eq!(a.forwarded + b.forwarded, 60);
        assert_eq!(
            crate::environment::numbers(&environment.drain().await),
            (0..60).collect::<Vec<_>>()
        );
    })
    .await;
}
