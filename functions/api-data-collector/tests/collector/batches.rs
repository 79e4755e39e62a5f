//! What a batch adds and parks, and its partial batch response.

use serde_json::json;

use crate::environment::{call, collector, event, with};

#[tokio::test]
async fn calls_are_added_and_poison_between_them_is_parked() {
    with(|env| async move {
        let nul = String::from_utf8(call(7))
            .expect("text")
            .replace("/orders/7", "/orders/\\u0000")
            .into_bytes();
        let values = [
            Some(call(1)),
            Some(b"not JSON".to_vec()),
            Some(br#"{"v":1,"id":7,"status":"ok"}"#.to_vec()),
            Some(vec![0xff; 900_000]),
            Some(nul),
            None,
            Some(call(2)),
        ];
        assert_eq!(
            env.handle(&values).await,
            json!({"batchItemFailures": []}),
            "no record is delivered again"
        );
        assert_eq!(
            env.number("SELECT sum(calls)::bigint FROM api_minutes")
                .await,
            2
        );
        assert_eq!(env.number("SELECT count(*) FROM api_calls").await, 2);
        assert_eq!(
            env.number("SELECT count(*) FROM parked WHERE reason <> ''")
                .await,
            5
        );
        // Delivered again: the same.
        assert_eq!(env.handle(&values).await, json!({"batchItemFailures": []}));
        assert_eq!(
            env.number("SELECT sum(calls)::bigint FROM api_minutes")
                .await,
            2
        );
        assert_eq!(env.number("SELECT count(*) FROM parked").await, 5);
    })
    .await;
}

#[tokio::test]
async fn without_a_database_every_record_is_delivered_again() {
    let port = testkit::net::free_address().port();
    let unreachable = collector(
        "nowhere",
        &format!("postgres://usher:usher@127.0.0.1:{port}/usher"),
    );
    let zero = [Some(b"noise".to_vec()), Some(call(1))];
    let one = [Some(call(2))];
    let response = unreachable.handle(&event(&[(0, &zero), (1, &one)])).await;
    let expected = json!({"batchItemFailures": [
        {"itemIdentifier": {"partition": "t-api-call-0", "offset": 0}}, {"itemIdentifier": {"partition": "t-api-call-1", "offset": 0}},
    ]});
    assert_eq!(serde_json::to_value(&response).expect("JSON"), expected);
}

#[tokio::test]
async fn old_rows_are_deleted_batch_by_batch() {
    with(|env| async move {
        let calls: Vec<_> = (0..12).map(|n| Some(call(n))).collect();
        // The first deletion of this process; no row is too old.
        env.handle(&calls[..1]).await;
        env.handle(&calls).await;
        env.run("UPDATE api_calls SET at = at - interval '30 days'")
            .await;
        env.handle(&calls).await;
        assert_eq!(
            env.number("SELECT count(*) FROM api_calls").await,
            12,
            "the interval is not over"
        );
    })
    .await;
    with(|env| async move {
        let calls: Vec<_> = (0..12).map(|n| Some(call(n))).collect();
        env.handle(&calls).await;
        env.run("UPDATE api_calls SET at = at - interval '30 days'")
            .await;
        let fresh = env.another();
        for left in [7, 2, 0] {
            fresh.handle(&event(&[(0, &calls)])).await;
            assert_eq!(
                env.number("SELECT count(*) FROM api_calls").await,
                left,
                "five rows per batch"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_calls_of_one_batch_are_added() {
    with(|env| async move {
        let calls: Vec<_> = (0..10_000).map(|n| Some(call(n))).collect();
        assert_eq!(env.handle(&calls).await, json!({"batchItemFailures": []}));
        assert_eq!(
            env.number("SELECT sum(calls)::bigint FROM api_minutes")
                .await,
            10_000
        );
        assert_eq!(
            env.number("SELECT count(DISTINCT url) FROM api_calls")
                .await,
            10_000
        );
    })
    .await;
}
