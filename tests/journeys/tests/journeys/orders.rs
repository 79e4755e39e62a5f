//! Orders of buyers.

use std::time::Duration;

use anyhow::Result;
use journeys::TestEnvironment;
use ticket_rush::api::{Answer, SeatSelection};
use tokio::task::JoinSet;

const LONG: Duration = Duration::from_mins(10);
/// Just above the publish window of the journeys.
const SHORT: Duration = Duration::from_secs(4);

#[tokio::test]
async fn an_order_is_accepted_stored_and_paid_once() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let program = env.sale(2, 10, LONG, 6).await?;
    let ann = env.buyer("ann")?;
    let order = env
        .order(&ann, &program, SeatSelection::Best(3), "k1")
        .await?;
    assert_eq!((order.seats.len(), order.amount_cents), (3, 3000));
    env.until_status(&ann, &order.order, "unpaid").await?;
    let paid = env.api.pay(&order.order, "p1", 3000).await;
    assert_eq!(paid.text("result"), Some("applied"), "{}", paid.body);
    let repeated = env.api.pay(&order.order, "p1", 3000).await;
    assert_eq!(
        repeated.text("result"),
        Some("duplicate"),
        "{}",
        repeated.body
    );
    let second = env.api.pay(&order.order, "p2", 3000).await;
    assert_eq!(second.text("result"), Some("to_refund"), "{}", second.body);
    env.until_status(&ann, &order.order, "paid").await?;
    let mine = env.api.list_orders(&ann).await;
    assert!(
        mine.body.to_string().contains(&order.order),
        "{}",
        mine.body
    );
    env.audited(&["--final"]).await?;
    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn an_unpaid_order_times_out() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let program = env.sale(1, 2, SHORT, 6).await?;
    let ann = env.buyer("ann")?;
    let bob = env.buyer("bob")?;
    let order = env
        .order(&ann, &program, SeatSelection::Best(2), "k1")
        .await?;
    let none = env
        .api
        .order(&bob, &program, 0, &SeatSelection::Best(1), Some("k1"), 0)
        .await;
    assert_eq!(
        (none.http, none.code()),
        (409, Some("sold_out")),
        "{}",
        none.body
    );
    env.until_status(&ann, &order.order, "closed").await?;
    env.until_free(&program, 2).await?;
    let late = env.api.pay(&order.order, "p1", 2000).await;
    assert_eq!(late.text("result"), Some("to_refund"), "{}", late.body);
    let again = env
        .order(
            &bob,
            &program,
            SeatSelection::Seats(order.seats.clone()),
            "k2",
        )
        .await?;
    env.until_status(&bob, &again.order, "unpaid").await?;
    assert_eq!(
        env.api.pay(&again.order, "p2", 2000).await.text("result"),
        Some("applied")
    );
    env.audited(&["--final"]).await?;
    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn a_cancelled_order_frees_its_seats_and_cannot_be_paid() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let program = env.sale(1, 4, LONG, 4).await?;
    let ann = env.buyer("ann")?;
    let order = env
        .order(&ann, &program, SeatSelection::Seats(vec![1, 2]), "k1")
        .await?;
    env.until_status(&ann, &order.order, "unpaid").await?;
    let cancelled = env.api.cancel(&ann, &order.order).await;
    assert_eq!(
        (cancelled.http, cancelled.text("status")),
        (200, Some("cancelled")),
        "{}",
        cancelled.body
    );
    let twice = env.api.cancel(&ann, &order.order).await;
    assert!(
        matches!(twice.http, 200 | 409),
        "{} {}",
        twice.http,
        twice.body
    );
    assert_eq!(
        env.api.pay(&order.order, "p1", 2000).await.text("result"),
        Some("to_refund")
    );
    env.until_free(&program, 4).await?;
    let early = env
        .order(&ann, &program, SeatSelection::Best(1), "k2")
        .await?;
    let cancelled = env.api.cancel(&ann, &early.order).await; // possibly before it is stored
    assert_eq!(cancelled.http, 200, "{}", cancelled.body);
    env.until_free(&program, 4).await?;
    env.audited(&["--final"]).await?;
    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn one_key_makes_one_order() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let program = env.sale(2, 20, LONG, 20).await?;
    let ann = env.buyer("ann")?;
    let mut clicks = JoinSet::new();
    for _ in 0..6 {
        let api = env.api.clone();
        let ann = ann.clone();
        let program = program.clone();
        clicks.spawn(async move {
            api.order(
                &ann,
                &program,
                0,
                &SeatSelection::Best(2),
                Some("one-key"),
                0,
            )
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
    let other = env
        .api
        .order(
            &ann,
            &program,
            0,
            &SeatSelection::Best(3),
            Some("one-key"),
            0,
        )
        .await;
    assert_eq!(
        (other.http, other.code()),
        (422, Some("idempotency_key_reused")),
        "{}",
        other.body
    );
    env.until_status(&ann, &orders[0], "unpaid").await?;
    let after = env
        .order(&ann, &program, SeatSelection::Best(2), "one-key")
        .await?;
    assert_eq!(
        (&after.order, after.status.as_str()),
        (&orders[0], "unpaid")
    );
    env.until_free(&program, 38).await?;
    assert_eq!(env.count("SELECT count(*) FROM orders").await?, 1);
    env.audited(&[]).await?;
    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn one_of_many_buyers_gets_a_seat() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let program = env.sale(1, 8, LONG, 6).await?;
    let mut buyers = JoinSet::new();
    for n in 0..20 {
        let api = env.api.clone();
        let buyer = env.buyer(&format!("buyer-{n}"))?;
        let program = program.clone();
        let want = SeatSelection::Seats(if n % 2 == 0 { vec![3, 4] } else { vec![4, 5] });
        buyers.spawn(async move { api.order(&buyer, &program, 0, &want, Some("k"), 10).await });
    }
    let answers = buyers.join_all().await;
    let winners = answers.iter().filter(|a| a.ok()).count();
    let taken = answers
        .iter()
        .filter(|a| a.http == 409 && a.code() == Some("seats_taken"))
        .count();
    assert_eq!((winners, taken), (1, 19), "{answers:?}");
    env.audited(&[]).await?;
    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn limits_and_adjacency_hold() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let program = env.sale(1, 6, LONG, 3).await?;
    let ann = env.buyer("ann")?;
    let bob = env.buyer("bob")?;
    env.order(&ann, &program, SeatSelection::Seats(vec![1]), "k1")
        .await?;
    env.order(&ann, &program, SeatSelection::Seats(vec![4]), "k2")
        .await?;
    let over = env
        .api
        .order(&ann, &program, 0, &SeatSelection::Best(2), Some("k3"), 0)
        .await;
    assert_eq!(
        (over.http, over.code()),
        (409, Some("limit_reached")),
        "{}",
        over.body
    );
    let apart = env
        .api
        .order(&bob, &program, 0, &SeatSelection::Best(3), Some("k1"), 0)
        .await;
    assert_eq!(
        (apart.http, apart.code()),
        (409, Some("not_adjacent")),
        "{}",
        apart.body
    );
    let outside = env
        .api
        .order(
            &bob,
            &program,
            0,
            &SeatSelection::Seats(vec![99]),
            Some("k2"),
            0,
        )
        .await;
    assert!(
        matches!(outside.http, 404 | 422),
        "{} {}",
        outside.http,
        outside.body
    );
    let stored = env
        .api
        .order(&bob, &program, 0, &SeatSelection::Best(2), Some("k3"), 20)
        .await;
    assert_eq!(
        (stored.http, stored.text("status")),
        (201, Some("unpaid")),
        "{}",
        stored.body
    );
    env.until_free(&program, 2).await?;
    env.audited(&[]).await?;
    host.stop().await?;
    env.remove().await
}
