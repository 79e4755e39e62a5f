//! A gate that lost a program.

use serde_json::json;

use crate::support::{
    Scripted, call, free, open_with, order_when_open, pass_barriers, problem, program, redis_url, store, two, until,
};

/// Takes every key of the environment away, as a lost Redis would.
pub(crate) async fn lose(shop: &storefront::Storefront) {
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
    pass_barriers(&shop, &publisher, 1_800_000_000_000).await;
    assert_eq!(order_when_open(&shop, &id, "bob").await, json!([2, 3]));
    assert_eq!(free(&shop, &id).await, 6);
}

#[tokio::test]
async fn a_lost_accepted_order_is_loading_never_absent() {
    let publisher = Scripted::new([]);
    let shop = open_with(publisher.clone()).await;
    let id = program(&shop).await;
    let order = shop.serve(&two(&id, "alice")).await.expect("accepted").body["order"].clone();
    let order = order.as_str().expect("a number");
    publisher.ends.lock().expect("whole").insert(0, 1);
    lose(&shop).await;
    let get = call("GET", &format!("/orders/{order}"), Some("alice"), None);
    let cancel = call("POST", &format!("/orders/{order}/cancel"), Some("alice"), None);
    for request in [&get, &cancel] {
        assert_eq!(problem(shop.serve(request).await), (503, "loading"));
    }
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&shop, &message, 0).await;
    pass_barriers(&shop, &publisher, 1_800_000_000_000).await;
    assert_eq!(shop.serve(&get).await.expect("stored").body["status"], "unpaid");
    let other = call("GET", &format!("/orders/{}", order.parse::<u64>().expect("a number") ^ 1), Some("alice"), None);
    until("the gate is open", async || problem(shop.serve(&other).await) != (503, "loading")).await;
    assert_eq!(problem(shop.serve(&other).await), (404, "no_such_order"));
    assert_eq!(shop.serve(&cancel).await.expect("its row is there").body["status"], "cancelled");
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
    shop.serve(&call("GET", &format!("/programs/{id}"), None, None)).await.expect("found");
    pass_barriers(&shop, &publisher, 1_800_000_000_000).await;
    let look = call("GET", &format!("/programs/{id}"), None, None);
    until("the gate is open", async || shop.serve(&look).await.expect("found").body["categories"][0]["free"] == json!(8)).await;
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
    // Order-create comes to the barrier in the new topic, and so past all that stood before it.
    pass_barriers(&shop, &publisher, 1_800_000_000_001).await;
    order_when_open(&shop, &id, "bob").await;
}
