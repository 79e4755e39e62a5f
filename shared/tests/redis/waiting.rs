//! Places for requests that wait for their order.

use std::time::Duration;

use shared::gate::WaitBegun;

use testkit::servers::redis_url;

use super::environment::TestEnvironment;

const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn places_are_bounded_and_returned() {
    let environment = TestEnvironment::at(&redis_url(), &[(1, 10)]).await;
    let begin = async |who, time| {
        environment
            .gate
            .wait_begin(who, time, 2)
            .await
            .expect("answers")
    };
    assert_eq!(
        environment.gate.wait_begin(1, LONG, 0).await,
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
        environment
            .gate
            .wait_end(1, Duration::ZERO)
            .await
            .expect("answers");
    }
    assert_eq!(begin(3, Duration::from_millis(1)).await, WaitBegun::Yes);
    // The place of the dead request ends after a millisecond.
    while begin(4, LONG).await != WaitBegun::Yes {}
    assert_eq!(begin(5, LONG).await, WaitBegun::Full);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_request_waits_while_orders_are_not_stored() {
    let environment = TestEnvironment::at(&redis_url(), &[(1, 10)]).await;
    let begin = async |who| {
        environment
            .gate
            .wait_begin(who, LONG, 2)
            .await
            .expect("answers")
    };
    assert_eq!(begin(1).await, WaitBegun::Yes);
    environment.gate.wait_end(1, LONG).await.expect("answers");
    assert_eq!(begin(2).await, WaitBegun::Lagging);
    // A repetition with less time ends earlier.
    environment
        .gate
        .wait_end(1, Duration::from_millis(1))
        .await
        .expect("answers");
    while begin(2).await != WaitBegun::Yes {}
}
