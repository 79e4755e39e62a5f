//! What a batch comes to, and what is answered for it.

use serde_json::json;

use crate::stage::{call, collector, event, with};

#[tokio::test]
async fn calls_are_added_and_poison_between_them_is_parked() {
    with(|stage| async move {
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
            stage.handle(&values).await,
            json!({"batchItemFailures": []}),
            "nothing is to come again"
        );
        assert_eq!(
            stage
                .number("SELECT sum(calls)::bigint FROM api_minutes")
                .await,
            2
        );
        assert_eq!(stage.number("SELECT count(*) FROM api_calls").await, 2);
        assert_eq!(
            stage
                .number("SELECT count(*) FROM parked WHERE reason <> ''")
                .await,
            5
        );
        // Delivered again: the same.
        assert_eq!(
            stage.handle(&values).await,
            json!({"batchItemFailures": []})
        );
        assert_eq!(
            stage
                .number("SELECT sum(calls)::bigint FROM api_minutes")
                .await,
            2
        );
        assert_eq!(stage.number("SELECT count(*) FROM parked").await, 5);
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_away_returns_every_record_from_the_first_of_each_partition() {
    let port = testkit::net::free_address().port();
    let away = collector(
        "nowhere",
        &format!("postgres://usher:usher@127.0.0.1:{port}/usher"),
    );
    let zero = [Some(b"noise".to_vec()), Some(call(1))];
    let one = [Some(call(2))];
    let failures = away.handle(&event(&[(0, &zero), (1, &one)])).await;
    let wanted = json!({"batchItemFailures": [
        {"itemIdentifier": {"partition": "t-api-call-0", "offset": 0}}, {"itemIdentifier": {"partition": "t-api-call-1", "offset": 0}},
    ]});
    assert_eq!(serde_json::to_value(&failures).expect("JSON"), wanted);
}

#[tokio::test]
async fn what_is_too_old_goes_with_the_batches_and_keeps_going_while_there_is_more() {
    with(|stage| async move {
        let calls: Vec<_> = (0..12).map(|n| Some(call(n))).collect();
        // Nothing is too old; this process has looked.
        stage.handle(&calls[..1]).await;
        stage.handle(&calls).await;
        stage
            .run("UPDATE api_calls SET at = at - interval '30 days'")
            .await;
        stage.handle(&calls).await;
        assert_eq!(
            stage.number("SELECT count(*) FROM api_calls").await,
            12,
            "it is not time yet"
        );
    })
    .await;
    with(|stage| async move {
        let calls: Vec<_> = (0..12).map(|n| Some(call(n))).collect();
        stage.handle(&calls).await;
        stage
            .run("UPDATE api_calls SET at = at - interval '30 days'")
            .await;
        let fresh = stage.another();
        for left in [7, 2, 0] {
            fresh.handle(&event(&[(0, &calls)])).await;
            assert_eq!(
                stage.number("SELECT count(*) FROM api_calls").await,
                left,
                "five at a time, batch by batch"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_calls_of_one_batch_are_added() {
    with(|stage| async move {
        let calls: Vec<_> = (0..10_000).map(|n| Some(call(n))).collect();
        assert_eq!(stage.handle(&calls).await, json!({"batchItemFailures": []}));
        assert_eq!(
            stage
                .number("SELECT sum(calls)::bigint FROM api_minutes")
                .await,
            10_000
        );
        assert_eq!(
            stage
                .number("SELECT count(DISTINCT url) FROM api_calls")
                .await,
            10_000
        );
    })
    .await;
}
