//! Buyers and their orders.

use std::time::Duration;

use anyhow::Result;
use journeys::World;
use ticket_rush::shop::{Answer, Want};
use tokio::task::JoinSet;

const LONG: Duration = Duration::from_mins(10);
/// Just above the publish window of the journeys.
const SHORT: Duration = Duration::from_secs(4);

#[tokio::test]
async fn an_order_is_accepted_stored_and_paid_once() -> Result<()> {
    let world = World::new().await?;
    let host = world.up().await?;
    let program = world.sale(2, 10, LONG, 6).await?;
    let ann = world.buyer("ann")?;
    let order = world.order(&ann, &program, Want::Best(3), "k1").await?;
    assert_eq!((order.seats.len(), order.amount_cents), (3, 3000));
    world.until_status(&ann, &order.order, "unpaid").await?;
    let paid = world.shop.pay(&order.order, "p1", 3000).await;
    assert_eq!(paid.text("result"), Some("applied"), "{}", paid.body);
    let told_again = world.shop.pay(&order.order, "p1", 3000).await;
    assert_eq!(
        told_again.text("result"),
        Some("duplicate"),
        "{}",
        told_again.body
    );
    let second = world.shop.pay(&order.order, "p2", 3000).await;
    assert_eq!(second.text("result"), Some("to_refund"), "{}", second.body);
    world.until_status(&ann, &order.order, "paid").await?;
    let mine = world.shop.mine(&ann).await;
    assert!(
        mine.body.to_string().contains(&order.order),
        "{}",
        mine.body
    );
    world.audited(&["--final"]).await?;
    host.stop().await?;
    world.remove().await
}

#[tokio::test]
async fn an_unpaid_order_times_out_its_seats_sell_again_and_a_late_payment_is_refunded()
-> Result<()> {
    let world = World::new().await?;
    let host = world.up().await?;
    let program = world.sale(1, 2, SHORT, 6).await?;
    let ann = world.buyer("ann")?;
    let bob = world.buyer("bob")?;
    let order = world.order(&ann, &program, Want::Best(2), "k1").await?;
    let none = world
        .shop
        .order(&bob, &program, 0, &Want::Best(1), Some("k1"), 0)
        .await;
    assert_eq!(
        (none.http, none.code()),
        (409, Some("sold_out")),
        "{}",
        none.body
    );
    world.until_status(&ann, &order.order, "closed").await?;
    world.until_free(&program, 2).await?;
    let late = world.shop.pay(&order.order, "p1", 2000).await;
    assert_eq!(late.text("result"), Some("to_refund"), "{}", late.body);
    let again = world
        .order(&bob, &program, Want::Seats(order.seats.clone()), "k2")
        .await?;
    world.until_status(&bob, &again.order, "unpaid").await?;
    assert_eq!(
        world
            .shop
            .pay(&again.order, "p2", 2000)
            .await
            .text("result"),
        Some("applied")
    );
    world.audited(&["--final"]).await?;
    host.stop().await?;
    world.remove().await
}

#[tokio::test]
async fn a_cancelled_order_frees_its_seats_and_cannot_be_paid() -> Result<()> {
    let world = World::new().await?;
    let host = world.up().await?;
    let program = world.sale(1, 4, LONG, 4).await?;
    let ann = world.buyer("ann")?;
    let order = world
        .order(&ann, &program, Want::Seats(vec![1, 2]), "k1")
        .await?;
    world.until_status(&ann, &order.order, "unpaid").await?;
    let cancelled = world.shop.cancel(&ann, &order.order).await;
    assert_eq!(
        (cancelled.http, cancelled.text("status")),
        (200, Some("cancelled")),
        "{}",
        cancelled.body
    );
    let twice = world.shop.cancel(&ann, &order.order).await;
    assert!(
        matches!(twice.http, 200 | 409),
        "{} {}",
        twice.http,
        twice.body
    );
    assert_eq!(
        world
            .shop
            .pay(&order.order, "p1", 2000)
            .await
            .text("result"),
        Some("to_refund")
    );
    world.until_free(&program, 4).await?;
    let early = world.order(&ann, &program, Want::Best(1), "k2").await?;
    let cancelled = world.shop.cancel(&ann, &early.order).await; // perhaps before it is stored
    assert_eq!(cancelled.http, 200, "{}", cancelled.body);
    world.until_free(&program, 4).await?;
    world.audited(&["--final"]).await?;
    host.stop().await?;
    world.remove().await
}

#[tokio::test]
async fn a_double_click_makes_one_order_and_a_key_belongs_to_one_request() -> Result<()> {
    let world = World::new().await?;
    let host = world.up().await?;
    let program = world.sale(2, 20, LONG, 20).await?;
    let ann = world.buyer("ann")?;
    let mut clicks = JoinSet::new();
    for _ in 0..6 {
        let shop = world.shop.clone();
        let ann = ann.clone();
        let program = program.clone();
        clicks.spawn(async move {
            shop.order(&ann, &program, 0, &Want::Best(2), Some("one-key"), 0)
                .await
        });
    }
    let answers = clicks.join_all().await;
    let orders: Vec<String> = answers
        .iter()
        .filter_map(Answer::order)
        .map(|o| o.order)
        .collect();
    assert!(
        !orders.is_empty() && orders.iter().all(|o| *o == orders[0]),
        "{answers:?}"
    );
    let other = world
        .shop
        .order(&ann, &program, 0, &Want::Best(3), Some("one-key"), 0)
        .await;
    assert_eq!(
        (other.http, other.code()),
        (422, Some("idempotency_key_reused")),
        "{}",
        other.body
    );
    world.until_status(&ann, &orders[0], "unpaid").await?;
    let after = world
        .order(&ann, &program, Want::Best(2), "one-key")
        .await?;
    assert_eq!(
        (&after.order, after.status.as_str()),
        (&orders[0], "unpaid")
    );
    world.until_free(&program, 38).await?;
    assert_eq!(world.count("SELECT count(*) FROM orders").await?, 1);
    world.audited(&[]).await?;
    host.stop().await?;
    world.remove().await
}

#[tokio::test]
async fn of_many_who_want_one_seat_one_gets_it() -> Result<()> {
    let world = World::new().await?;
    let host = world.up().await?;
    let program = world.sale(1, 8, LONG, 6).await?;
    let mut buyers = JoinSet::new();
    for n in 0..20 {
        let shop = world.shop.clone();
        let buyer = world.buyer(&format!("buyer-{n}"))?;
        let program = program.clone();
        let want = Want::Seats(if n % 2 == 0 { vec![3, 4] } else { vec![4, 5] });
        buyers.spawn(async move { shop.order(&buyer, &program, 0, &want, Some("k"), 10).await });
    }
    let answers = buyers.join_all().await;
    let winners = answers.iter().filter(|a| a.ok()).count();
    let taken = answers
        .iter()
        .filter(|a| a.http == 409 && a.code() == Some("seats_taken"))
        .count();
    assert_eq!((winners, taken), (1, 19), "{answers:?}");
    world.audited(&[]).await?;
    host.stop().await?;
    world.remove().await
}

#[tokio::test]
async fn the_limit_holds_and_only_free_adjacent_seats_are_sold() -> Result<()> {
    let world = World::new().await?;
    let host = world.up().await?;
    let program = world.sale(1, 6, LONG, 3).await?;
    let ann = world.buyer("ann")?;
    let bob = world.buyer("bob")?;
    world
        .order(&ann, &program, Want::Seats(vec![1]), "k1")
        .await?;
    world
        .order(&ann, &program, Want::Seats(vec![4]), "k2")
        .await?;
    let over = world
        .shop
        .order(&ann, &program, 0, &Want::Best(2), Some("k3"), 0)
        .await;
    assert_eq!(
        (over.http, over.code()),
        (409, Some("limit_reached")),
        "{}",
        over.body
    );
    let apart = world
        .shop
        .order(&bob, &program, 0, &Want::Best(3), Some("k1"), 0)
        .await;
    assert_eq!(
        (apart.http, apart.code()),
        (409, Some("not_adjacent")),
        "{}",
        apart.body
    );
    let outside = world
        .shop
        .order(&bob, &program, 0, &Want::Seats(vec![99]), Some("k2"), 0)
        .await;
    assert!(
        matches!(outside.http, 404 | 422),
        "{} {}",
        outside.http,
        outside.body
    );
    let stored = world
        .shop
        .order(&bob, &program, 0, &Want::Best(2), Some("k3"), 20)
        .await;
    assert_eq!(
        (stored.http, stored.text("status")),
        (201, Some("unpaid")),
        "{}",
        stored.body
    );
    world.until_free(&program, 2).await?;
    world.audited(&[]).await?;
    host.stop().await?;
    world.remove().await
}
