//! Places for requests that wait for their order.

use std::time::Duration;

use shared::gate::WaitBegun;

use super::stage::{Stage, shared_url};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn places_are_bounded_and_come_back_by_word_or_by_time() {
    let stage = Stage::at(&shared_url(), &[(1, 10)]).await;
    let begin = async |who, time| stage.gate.wait_begin(who, time, 2).await.expect("answers");
    assert_eq!(
        stage.gate.wait_begin(1, LONG, 0).await,
        Ok(WaitBegun::Full),
        "no places at all"
    );
    assert_eq!(
        (
            begin(1, LONG).await,
            begin(2, LONG).await,
            begin(3, LONG).await
        ),
        (WaitBegun::Yes, WaitBegun::Yes, WaitBegun::Full)
    );
    assert_eq!(
        begin(2, LONG).await,
        WaitBegun::Yes,
        "repeated, it is the same place"
    );
    for _ in 0..2 {
        stage
            .gate
            .wait_end(1, Duration::ZERO)
            .await
            .expect("answers");
    }
    assert_eq!(begin(3, Duration::from_millis(1)).await, WaitBegun::Yes);
    // The one that died has its place for a millisecond only.
    while begin(4, LONG).await != WaitBegun::Yes {}
    assert_eq!(begin(5, LONG).await, WaitBegun::Full);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_request_waits_while_orders_are_not_stored() {
    let stage = Stage::at(&shared_url(), &[(1, 10)]).await;
    let begin = async |who| stage.gate.wait_begin(who, LONG, 2).await.expect("answers");
    assert_eq!(begin(1).await, WaitBegun::Yes);
    stage.gate.wait_end(1, LONG).await.expect("answers");
    assert_eq!(begin(2).await, WaitBegun::Lagging);
    // Repeated with less time, it ends sooner.
    stage
        .gate
        .wait_end(1, Duration::from_millis(1))
        .await
        .expect("answers");
    while begin(2).await != WaitBegun::Yes {}
}
