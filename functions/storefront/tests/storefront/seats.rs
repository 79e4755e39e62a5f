//! Seats that an operator adds, blocks and unblocks while buyers order.

use serde_json::{Value, json};
use shared::message::{OrderNumber, OrderRequested};
use shared::reconcile::reconcile;
use storefront::App;
use storefront::http::{Problem, Reply};
use storefront::identity::Claims;

use crate::changes::shown;
use crate::support::{Scripted, another, call, free, open_with, problem, program, store};

async fn operate(app: &App, id: &str, verb: &str, body: Value) -> Result<Reply, Problem> {
    let path = format!("/programs/{id}/{verb}");
    app.serve(&call("POST", &path, Some("house"), Some(body)))
        .await
}

async fn block(app: &App, id: &str, ranges: &[(u32, u32)]) -> Reply {
    let seats: Vec<Value> = ranges
        .iter()
        .map(|(first, last)| json!({"first": first, "last": last}))
        .collect();
    let body = json!({"seats": seats, "reason": "camera"});
    operate(app, id, "block", body).await.expect("blocked")
}

async fn unblock(app: &App, id: &str, first: u32, last: u32) -> Reply {
    let body = json!({"seats": [{"first": first, "last": last}]});
    operate(app, id, "unblock", body).await.expect("unblocked")
}

async fn add(app: &App, id: &str, body: Value) -> Result<Reply, Problem> {
    operate(app, id, "seats", body).await
}

/// An order of a buyer for these seats of a category.
async fn order(
    app: &App,
    id: &str,
    buyer: &str,
    category: u16,
    seats: &[u32],
) -> Result<Reply, Problem> {
    let body = json!({"category": category, "seats": seats});
    let path = format!("/programs/{id}/orders");
    app.serve(&call("POST", &path, Some(buyer), Some(body)))
        .await
}

async fn map(app: &App, id: &str, category: u16) -> Value {
    let path = format!("/programs/{id}/seats?category={category}");
    let reply = app.serve(&call("GET", &path, None, None)).await;
    reply.expect("found").body["rows"].clone()
}

/// Cancels an order after it has been stored and settled.
async fn cancel(app: &App, message: &str, buyer: &str) {
    store(app, message, 0).await;
    let request: OrderRequested = serde_json::from_str(message).expect("a message");
    let number: OrderNumber = request.order;
    let row = app.store.order(number).await.expect("Postgres runs");
    let rows = [row.expect("stored")];
    reconcile(&app.gate, &app.store, &rows)
        .await
        .expect("settled");
    let path = format!("/orders/{number}/cancel");
    let cancelled = app.serve(&call("POST", &path, Some(buyer), None)).await;
    assert_eq!(cancelled.expect("cancelled").body["status"], "cancelled");
}

#[tokio::test]
async fn a_blocked_seat_is_refused_by_its_own_code() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let reply = block(&app, &id, &[(0, 3), (9, 9)]).await;
    let expected = json!({"program": id, "version": 2, "changed": 5, "held": []});
    assert_eq!((reply.status, reply.body), (200, expected));
    assert_eq!(map(&app, &id, 0).await, json!(["####.....#"]));
    assert_eq!(free(&app, &id).await, 5);
    assert_eq!(shown(&app, &id).await["version"], 2);

    let refused = order(&app, &id, "alice", 0, &[3, 4]).await;
    let refused = refused.expect_err("blocked");
    assert_eq!((refused.status, refused.code), (409, "seats_blocked"));
    assert_eq!(refused.extras["seats"], json!([3]));
    let best = crate::support::two(&id, "alice");
    assert_eq!(
        app.serve(&best).await.expect("sold").body["seats"],
        json!([4, 5])
    );

    // Repeated it changes nothing; unblocked the seats are for sale at once.
    assert_eq!(block(&app, &id, &[(0, 3)]).await.body["version"], 2);
    let reply = unblock(&app, &id, 2, 3).await;
    assert_eq!((reply.status, &reply.body["changed"]), (200, &json!(2)));
    order(&app, &id, "bob", 0, &[2, 3]).await.expect("sold");
    assert_eq!(map(&app, &id, 0).await, json!(["##xxxx...#"]));
}

#[tokio::test]
async fn an_order_keeps_a_seat_that_is_blocked_afterwards() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    order(&app, &id, "alice", 0, &[0, 1])
        .await
        .expect("accepted");
    let reply = block(&app, &id, &[(1, 2)]).await;
    assert_eq!(reply.body["held"], json!([{"first": 1, "last": 1}]));
    assert_eq!(map(&app, &id, 0).await, json!(["xx#......."]));
    // It is stored as it was accepted; ended, it leaves a blocked seat.
    let message = publisher.sent.lock().expect("whole")[0].clone();
    cancel(&app, &message, "alice").await;
    assert_eq!(map(&app, &id, 0).await, json!([".##......."]));
    assert_eq!(
        problem(order(&app, &id, "bob", 0, &[1]).await),
        (409, "seats_blocked")
    );
}

#[tokio::test]
async fn blocked_seats_survive_the_loss_of_the_gate() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    order(&app, &id, "alice", 0, &[0]).await.expect("accepted");
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&app, &message, 0).await;
    block(&app, &id, &[(0, 1)]).await;
    let grown = add(
        &app,
        &id,
        json!({"version": 2, "more_rows": {"category": 0, "rows": 2}}),
    );
    grown.await.expect("added");
    let behind = another(&app, &[]);
    shown(&behind, &id).await;
    let last = json!({"version": 3, "more_rows": {"category": 0, "rows": 3}});
    add(&app, &id, last).await.expect("added");

    let prefix = app.settings.names.prefix();
    testkit::redis::remove_keys(&testkit::servers::redis_url(), prefix).expect("Redis runs");
    // While nothing is installed a change is committed, and takes effect with the filling.
    let reply = block(&app, &id, &[(29, 29)]).await;
    assert_eq!((reply.status, &reply.body["held"]), (202, &Value::Null));
    // An instance that has an earlier version of the program fills the gate.
    let opened = crate::support::order_when_open(&behind, &id, "bob").await;
    assert_eq!(opened, json!([2, 3]));
    let expected = json!(["x#xx......", "..........", ".........#"]);
    assert_eq!(map(&app, &id, 0).await, expected);
    assert_eq!(free(&app, &id).await, 25);
}

#[tokio::test]
async fn added_seats_are_sold_without_a_pause() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let behind = another(&app, &[]);
    shown(&behind, &id).await;
    order(&app, &id, "alice", 0, &[9]).await.expect("accepted");
    let body = json!({
        "version": 1, "more_rows": {"category": 0, "rows": 2},
        "categories": [{"name": "Box", "rows": 1, "seats_per_row": 4, "price_cents": 900}],
    });
    let reply = add(&app, &id, body.clone()).await.expect("added");
    let categories = &reply.body["categories"];
    assert_eq!(
        (&reply.body["version"], &categories[0]["free"]),
        (&json!(2), &json!(19))
    );
    let box_seats = (&categories[1]["first_seat"], &categories[1]["free"]);
    assert_eq!(box_seats, (&json!(20), &json!(4)));
    let sold = order(&app, &id, "bob", 0, &[10, 19]).await.expect("sold");
    assert_eq!(sold.body["amount_cents"], 200);
    let sold = order(&app, &id, "bob", 1, &[20, 23]).await.expect("sold");
    assert_eq!(sold.body["amount_cents"], 1800);
    assert_eq!(map(&app, &id, 1).await, json!(["x..x"]));
    // An instance that has not received the change sells the seats that it has, and reads the new
    // version when the map shows that there is one.
    order(&behind, &id, "carol", 0, &[8]).await.expect("sold");
    assert_eq!(
        map(&behind, &id, 0).await,
        json!(["........xx", "x........x"])
    );
    assert_eq!(
        problem(add(&app, &id, body).await),
        (409, "version_conflict")
    );
}

/// The instance that added the seats has died before the gate had them.
#[tokio::test]
async fn a_buyer_brings_added_seats_into_the_gate() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let number = id.parse().expect("an id");
    let program = app
        .store
        .program(number)
        .await
        .expect("Postgres runs")
        .expect("stored");
    let addition = shared::sale::SeatAddition {
        rows: None,
        categories: vec![shared::sale::NewCategory {
            name: "Box".to_owned(),
            rows: 1,
            row_len: 4,
            price: shared::message::Cents::new(900).expect("in bounds"),
        }],
    };
    let added = app.store.add_seats(number, program.version, &addition);
    added.await.expect("Postgres runs");
    let new = another(&app, &[]);
    let sold = order(&new, &id, "alice", 1, &[10, 11]).await.expect("sold");
    assert_eq!(sold.body["amount_cents"], 1800);
    assert_eq!(
        problem(order(&new, &id, "alice", 1, &[14]).await),
        (422, "invalid_order")
    );
}

#[tokio::test]
async fn each_impossible_change_of_seats_has_its_own_problem() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let rows = |category: u16, rows: u32| json!({"version": 1, "more_rows": {"category": category, "rows": rows}});
    let seats =
        |first: u32, last: u32| json!({"seats": [{"first": first, "last": last}], "reason": "r"});
    for (verb, body, expected) in [
        ("seats", json!({"version": 1}), (422, "invalid_addition")),
        ("seats", rows(0, 1), (422, "invalid_addition")),
        ("seats", rows(0, 0), (422, "invalid_addition")),
        ("seats", rows(0, 10_001), (422, "invalid_addition")),
        ("seats", rows(3, 2), (404, "no_such_category")),
        (
            "seats",
            json!({"version": 1, "rows": 3}),
            (400, "malformed_request"),
        ),
        ("block", seats(0, 10), (422, "invalid_seats")),
        ("block", seats(3, 2), (422, "invalid_seats")),
        (
            "block",
            json!({"seats": [], "reason": "r"}),
            (422, "invalid_seats"),
        ),
        (
            "block",
            json!({"seats": [{"first": 0, "last": 0}]}),
            (400, "malformed_request"),
        ),
        (
            "block",
            json!({"seats": [{"first": 0, "last": 0}], "reason": "a\nb"}),
            (422, "invalid_seats"),
        ),
        ("unblock", seats(0, 0), (400, "malformed_request")),
    ] {
        let refused = operate(&app, &id, verb, body.clone()).await;
        assert_eq!(problem(refused), expected, "{verb} {body}");
    }
    for verb in ["block", "unblock", "seats"] {
        let mut request = call(
            "POST",
            &format!("/programs/{id}/{verb}"),
            None,
            Some(json!({})),
        );
        request.claims = Claims::new([("sub".to_owned(), "alice".to_owned())].into());
        assert_eq!(
            problem(app.serve(&request).await),
            (403, "forbidden"),
            "{verb}"
        );
        let body = match verb {
            "seats" => rows(0, 2),
            "block" => seats(0, 0),
            _ => json!({"seats": [{"first": 0, "last": 0}]}),
        };
        let missing = operate(&app, "999999999", verb, body).await;
        assert_eq!(problem(missing), (404, "no_such_program"), "{verb}");
    }
    let no_rows = add(&app, &id, rows(0, 1)).await.expect_err("refused");
    assert!(
        no_rows.detail.contains("category 0 has 1 rows"),
        "{}",
        no_rows.detail
    );
    assert_eq!(shown(&app, &id).await["version"], 1);
}

#[tokio::test]
async fn operators_list_blocked_seats_in_pages() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    block(&app, &id, &[(0, 1), (4, 4), (7, 9)]).await;
    let page = async |query: &str| {
        let path = format!("/programs/{id}/blocked?{query}");
        let reply = app.serve(&call("GET", &path, Some("house"), None)).await;
        reply.expect("listed").body
    };
    let first = page("limit=2").await;
    let shown = |page: &Value| -> Vec<(u64, u64)> {
        let ranges = page["blocked"].as_array().expect("a list").iter();
        let of = |range: &Value, name: &str| range[name].as_u64().expect("a seat");
        ranges
            .map(|range| (of(range, "first"), of(range, "last")))
            .collect()
    };
    assert_eq!(shown(&first), [(0, 1), (4, 4)]);
    assert_eq!(
        (
            &first["blocked"][0]["reason"],
            &first["blocked"][0]["blocked_by"]
        ),
        (&json!("camera"), &json!("house"))
    );
    let after = first["after"].as_str().expect("another page");
    let last = page(&format!("limit=2&after={after}")).await;
    assert_eq!((shown(&last), &last["after"]), (vec![(7, 9)], &Value::Null));
}
