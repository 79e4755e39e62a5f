//! The bridge is killed at each of its first awaits.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use stream_bridge::Stop;
use tokio::time::Instant;

use crate::environment::{PATIENCE, numbers, with};

/// Polls a future until it has been pending `waits` times, then drops it.
async fn killed_after<T>(waits: usize, future: impl Future<Output = T>) {
    let mut future = pin!(future);
    let mut waited = 0;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending if waited + 1 >= waits => Poll::Ready(()),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await;
}

async fn killed_at_each_of_its_first_waits(fifo: bool) {
    with(fifo, move |environment| async move {
        const RUNS: u32 = 40;
        // Each run is a new process: new connections, a new consumer.
        let settings = [("MAX_DELIVERIES", "1000"), ("TAKE_OVER_IDLE_MS", "100")];
        for waits in 1..=RUNS {
            for n in 0..5 {
                let (n, group) = ((waits - 1) * 5 + n, format!("g{}", n % 3));
                environment
                    .publish(&[("n", &n.to_string()), ("group", &group)])
                    .await;
            }
            let bridge = environment.bridge(&settings);
            // With nothing to forward, the time limit ends the run.
            let stop = Stop::at(Instant::now() + Duration::from_millis(300));
            killed_after(waits as usize, bridge.run(&stop)).await;
        }
        let report = environment.run(&environment.bridge(&settings)).await;
        assert_eq!((report.parked, report.given_up), (0, 0));
        let arrived = environment.drain().await;
        let mut seen = numbers(&arrived);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(
            seen,
            (0..RUNS * 5).collect::<Vec<_>>(),
            "nothing is lost; duplicates are allowed"
        );
        if fifo {
            for group in ["g0", "g1", "g2"] {
                let of_group: Vec<u32> = arrived
                    .iter()
                    .filter(|e| e.field("group") == Some(group))
                    .map(crate::environment::number)
                    .collect();
                assert!(
                    of_group.is_sorted_by(|a, b| a < b),
                    "{group} is in order and without repeats: {of_group:?}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn killed_at_any_await_it_loses_nothing() {
    tokio::time::timeout(PATIENCE * 5, killed_at_each_of_its_first_waits(false))
        .await
        .expect("ends");
}

#[tokio::test]
async fn killed_at_any_await_it_keeps_the_order() {
    tokio::time::timeout(PATIENCE * 5, killed_at_each_of_its_first_waits(true))
        .await
        .expect("ends");
}
