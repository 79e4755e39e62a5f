//! A gate whose primary is cut off from its replica takes no order.

use serde_json::json;
use testkit::redis::PrivateRedis;
use testkit::until;
use tokio::sync::oneshot;

use crate::support::{Scripted, free, keyed, open_with_settings, problem, program, settings, two};

/// Kills the replica, and waits until the primary knows.
async fn cut_off(primary: &PrivateRedis, replica: &mut PrivateRedis) {
    tokio::task::block_in_place(|| replica.kill());
    until("the primary has lost its replica", async || {
        let info: String = primary.query(&["INFO", "replication"]);
        info.contains("min_slaves_good_slaves:0")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_cut_off_from_its_replica_takes_no_order() {
    let (primary, mut replica) = tokio::task::block_in_place(|| {
        let settings = [
            "--min-replicas-to-write",
            "1",
            "--repl-diskless-sync-delay",
            "0",
        ];
        let primary = PrivateRedis::start(&settings);
        let port = primary.port().to_string();
        let replica = PrivateRedis::start(&["--replicaof", "127.0.0.1", &port]);
        primary.wait_for_replicas();
        (primary, replica)
    });
    let publisher = Scripted::new([]);
    let settings = settings(&[("REDIS_GATE_URL", &primary.url())]);
    let app = open_with_settings(settings, publisher.clone()).await;
    let id = program(&app).await;
    assert_eq!(free(&app, &id).await, 10);

    // Cut off while the first order is being published: the buyer repeats it.
    let (acknowledge, held) = oneshot::channel();
    *publisher.held.lock().expect("whole") = Some(held);
    let alice = keyed(two(&id, "alice"), "k");
    let cut = async {
        until("it is being published", async || {
            !publisher.sent.lock().expect("whole").is_empty()
        })
        .await;
        cut_off(&primary, &mut replica).await;
        acknowledge.send(()).expect("the request waits");
    };
    let (answer, ()) = tokio::join!(app.serve(&alice), cut);
    assert_eq!(problem(answer), (503, "unknown_repeat_with_same_key"));

    // Later ones hold nothing and publish nothing.
    let refused = app.serve(&two(&id, "bob")).await.expect_err("refused");
    assert_eq!((refused.status, refused.code), (503, "unavailable"));
    assert!(refused.retry_after.is_some());
    assert_eq!(publisher.sent.lock().expect("whole").len(), 1);
    assert_eq!(free(&app, &id).await, 8);

    tokio::task::block_in_place(|| {
        replica.start_again();
        primary.wait_for_replicas();
    });
    let repeated = app.serve(&alice).await.expect("accepted");
    assert_eq!(
        (repeated.status, &repeated.body["seats"]),
        (202, &json!([0, 1]))
    );
    let sold = app.serve(&two(&id, "bob")).await.expect("accepted");
    assert_eq!(sold.body["seats"], json!([2, 3]));
}
