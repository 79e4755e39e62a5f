//! Rate limits of buyers and addresses.

use std::net::IpAddr;

use storefront::App;
use storefront::http::{Call, Problem, Reply};
use testkit::net::free_address;

use crate::support::{
    Scripted, another, call, keyed, open_with_settings, problem, program, settings, two,
};

const LIMITED: (u16, &str) = (429, "too_many_requests");

async fn app(limits: &[(&str, &str)]) -> App {
    open_with_settings(settings(limits), Scripted::new([])).await
}

async fn served(app: &App, call: &Call) -> Reply {
    app.serve(call).await.expect("accepted")
}

fn from(mut call: Call, address: &str) -> Call {
    call.source_ip = Some(address.parse::<IpAddr>().expect("an address"));
    call
}

async fn status(app: &App, call: &Call) -> u16 {
    let answer: Result<Reply, Problem> = app.serve(call).await;
    answer.map_or_else(|problem| problem.status, |reply| reply.status)
}

#[tokio::test]
async fn an_order_beyond_the_limit_is_refused_and_a_repetition_answered() {
    let app = app(&[("ORDER_BUYER_RATE", "1"), ("ORDER_BUYER_BURST", "2")]).await;
    let id = program(&app).await;
    let first = served(&app, &keyed(two(&id, "alice"), "k1")).await;
    served(&app, &keyed(two(&id, "alice"), "k2")).await;
    let third = keyed(two(&id, "alice"), "k3");
    let refused = app.serve(&third).await.expect_err("two are allowed");
    assert_eq!((refused.status, refused.code), LIMITED);
    assert!(
        refused.retry_after.is_some_and(|s| (1..=60).contains(&s)),
        "{refused:?}"
    );
    assert_eq!(problem(app.serve(&two(&id, "alice")).await), LIMITED);
    let again = served(&app, &keyed(two(&id, "alice"), "k1")).await;
    assert_eq!(again.body["order"], first.body["order"]);
    let other = another(
        &app,
        &[("ORDER_BUYER_RATE", "1"), ("ORDER_BUYER_BURST", "2")],
    );
    assert_eq!(
        problem(other.serve(&third).await),
        LIMITED,
        "all instances count together"
    );
    served(&app, &two(&id, "bob")).await;
    let unlimited = another(&app, &[("ORDER_BUYER_RATE", "0")]);
    served(&unlimited, &third).await;
}

#[tokio::test]
async fn buyers_of_one_address_share_its_limit() {
    let app = app(&[
        ("ORDER_ADDRESS_RATE", "1"),
        ("ORDER_ADDRESS_BURST", "2"),
        ("TRUSTED_PROXIES", "1"),
    ])
    .await;
    let id = program(&app).await;
    let proxy = "192.0.2.9";
    let order = |buyer: &str, forwarded: &str| {
        let mut call = from(two(&id, buyer), proxy);
        call.headers.insert("x-forwarded-for", forwarded);
        call
    };
    // The client is what the proxy has appended, whatever stands in front of it.
    assert_eq!(
        status(&app, &order("a", "203.0.113.5, 192.0.2.9")).await,
        202
    );
    let forged = order("b", "198.51.100.1, 203.0.113.5, 192.0.2.9");
    assert_eq!(status(&app, &forged).await, 202);
    assert_eq!(
        problem(app.serve(&order("c", "junk, 203.0.113.5, 192.0.2.9")).await),
        LIMITED
    );
    assert_eq!(
        status(&app, &order("d", "2001:db8:1:2::1, 192.0.2.9")).await,
        202
    );
    assert_eq!(
        status(&app, &order("e", "2001:db8:1:2::ffff, 192.0.2.9")).await,
        202
    );
    let third = order("f", "2001:db8:1:2:3::1, 192.0.2.9");
    assert_eq!(
        problem(app.serve(&third).await),
        LIMITED,
        "a /64 is one client"
    );
    let unreadable = order("g", "unknown, 192.0.2.9");
    assert_eq!(
        problem(app.serve(&unreadable).await),
        (400, "malformed_request")
    );
}

#[tokio::test]
async fn look_ups_have_limits_of_their_own() {
    let app = app(&[
        ("LOOKUP_ADDRESS_RATE", "1"),
        ("LOOKUP_ADDRESS_BURST", "2"),
        ("ORDER_ADDRESS_RATE", "1"),
        ("ORDER_ADDRESS_BURST", "1"),
    ])
    .await;
    let id = program(&app).await;
    let address = "192.0.2.9";
    let look = from(call("GET", &format!("/programs/{id}"), None, None), address);
    assert_eq!(
        (status(&app, &look).await, status(&app, &look).await),
        (200, 200)
    );
    assert_eq!(problem(app.serve(&look).await), LIMITED);
    let order = from(two(&id, "alice"), address);
    assert_eq!(status(&app, &order).await, 202);
    assert_eq!(problem(app.serve(&order).await), LIMITED);
    for _ in 0..3 {
        let payment = from(call("POST", "/payments", None, None), address);
        assert_eq!(status(&app, &payment).await, 401, "payments have no limit");
        let stop = call(
            "POST",
            &format!("/programs/{id}/stop"),
            Some("promoter"),
            None,
        );
        assert_eq!(
            status(&app, &from(stop, address)).await,
            200,
            "nor have operators"
        );
    }
}

#[tokio::test]
async fn orders_are_taken_while_limits_cannot_be_counted() {
    let away = format!("redis://{}", free_address());
    let app = app(&[
        ("REDIS_CACHE_URL", &away),
        ("ORDER_BUYER_RATE", "1"),
        ("ORDER_BUYER_BURST", "1"),
    ])
    .await;
    let id = program(&app).await;
    for _ in 0..3 {
        served(&app, &two(&id, "alice")).await;
    }
}
