//! A gate that lost a program.

use serde_json::json;

use crate::support::{Scripted, free, open_with, problem, program, redis_url, store, two};

/// Takes every key of the environment away, as a lost Redis would.
async fn lose(shop: &storefront::Storefront) {
    let client = redis::Client::open(redis_url()).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("Redis runs (scripts/servers start)");
    let pattern = format!("{}:*", shop.settings.names.prefix());
    let mut from = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(from).arg("MATCH").arg(&pattern).arg("COUNT").arg(1000);
        let (next, keys): (u64, Vec<String>) = scan.query_async(&mut connection).await.expect("scans");
        if !keys.is_empty() {
            let _: u64 = redis::cmd("DEL").arg(keys).query_async(&mut connection).await.expect("deletes");
        }
        from = next;
        if from == 0 {
            return;
        }
    }
}

#[tokio::test]
async fn a_lost_gate_opens_again_only_with_every_accepted_order_in_it() {
    let publisher = Scripted::new([]);
    let shop = open_with(publisher.clone()).await;
    let id = program(&shop).await;
    let alices = shop.serve(&two(&id, "alice")).await.expect("accepted");
    assert_eq!(alices.body["seats"], json!([0, 1]));
    lose(&shop).await;
    // Her order is in Kafka, and nobody has stored it: selling now would sell her seats.
    publisher.ends.lock().expect("whole").insert(0, 1);
    assert_eq!(problem(shop.serve(&two(&id, "bob")).await), (503, "loading"));
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&shop, &message, 0).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let bobs = loop {
        assert!(std::time::Instant::now() < deadline, "the gate does not open");
        match shop.serve(&two(&id, "bob")).await {
            Ok(reply) => break reply,
            Err(problem) => assert_eq!(problem.code, "loading"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(bobs.body["seats"], json!([2, 3]));
    assert_eq!(free(&shop, &id).await, 6);
}

#[tokio::test]
async fn who_only_looks_opens_a_lost_gate_again() {
    let publisher = Scripted::new([]);
    let shop = open_with(publisher.clone()).await;
    let id = program(&shop).await;
    shop.serve(&two(&id, "alice")).await.expect("accepted");
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&shop, &message, 0).await;
    publisher.ends.lock().expect("whole").insert(0, 1);
    lose(&shop).await;
    assert_eq!(free(&shop, &id).await, 8);
}

#[tokio::test]
async fn progress_beyond_the_end_of_a_topic_made_anew_opens_nothing() {
    let publisher = Scripted::new([]);
    let shop = open_with(publisher.clone()).await;
    let id = program(&shop).await;
    shop.serve(&two(&id, "alice")).await.expect("accepted");
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&shop, &message, 1000).await;
    // Ten records stand in the new topic, and nobody has read them.
    publisher.ends.lock().expect("whole").insert(0, 10);
    lose(&shop).await;
    assert_eq!(problem(shop.serve(&two(&id, "bob")).await), (503, "loading"));
}
