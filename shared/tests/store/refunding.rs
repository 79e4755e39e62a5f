//! Refunds: requested once, handed out under a lease, ended by an answer.

use std::time::Duration;

use shared::message::{Cents, IdempotencyKey, Nonce, OrderNumber, OrderRequested, UserId};
use shared::sale::Status;
use shared::store::{
    HandedOut, Payment, PaymentResult, RefundDone, RefundFilter, RefundRequest, RefundRequested,
    RefundRow, RefundState, Refunded,
};

use crate::environment::{Environment, order, with};
use crate::paying::payment;

pub(crate) const LEASE: Duration = Duration::from_mins(1);
pub(crate) const DAY: Duration = Duration::from_hours(24);

pub(crate) fn cents(n: i64) -> Cents {
    Cents::new(n).expect("amount")
}

pub(crate) fn operator() -> UserId {
    UserId::new("operator").expect("user")
}

pub(crate) fn token(n: u8) -> Nonce {
    Nonce::new([n; 16])
}

/// An order that is paid.
async fn paid(env: &Environment, seats: &[u32]) -> OrderRequested {
    let order = order("alice", 7, seats);
    env.create(std::slice::from_ref(&order)).await;
    let paid = env
        .store
        .pay(&payment("p", &order))
        .await
        .expect("postgres");
    assert_eq!(paid.result, PaymentResult::Applied);
    order
}

pub(crate) async fn pay(env: &Environment, payment: &Payment) -> PaymentResult {
    env.store.pay(payment).await.expect("postgres").result
}

fn request(order: OrderNumber, amount: Option<i64>, key: &str) -> RefundRequest {
    RefundRequest {
        order,
        amount: amount.map(cents),
        key: IdempotencyKey::new(key).expect("key"),
        by: operator(),
        note: "the concert is moved".to_owned(),
    }
}

async fn requested(env: &Environment, request: &RefundRequest) -> RefundRequested {
    env.store.request_refund(request).await.expect("postgres")
}

async fn new_refund(env: &Environment, request: &RefundRequest) -> RefundRow {
    match requested(env, request).await {
        RefundRequested::New(row) => row,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn hand_out(env: &Environment, by: u8, lease: Duration) -> Vec<HandedOut> {
    let handed_out = env.store.hand_out_refunds(token(by), lease, 100).await;
    let mut handed_out = handed_out.expect("postgres");
    handed_out.sort_by_key(|refund| refund.id);
    handed_out
}

/// The provider returns the money of one refund; the order that ended by it.
async fn done(env: &Environment, refund: &HandedOut, by: u8) -> Option<OrderNumber> {
    match env.store.refund_done(refund.id, token(by), "re").await {
        Ok(RefundDone::Recorded(order)) => order,
        other => panic!("{other:?}"),
    }
}

async fn refunds(env: &Environment) -> Vec<RefundRow> {
    let all = RefundFilter::default();
    env.store.refunds(&all, None, 100).await.expect("postgres")
}

/// Checks what holds after every test of refunds.
pub(crate) async fn check(env: &Environment) {
    env.check_invariants().await;
    let unlike = env
        .number(
            "SELECT count(*) FROM payments p WHERE (p.refund_cents, p.refunded_cents) <>
             (SELECT COALESCE(sum(r.amount_cents), 0),
                     COALESCE(sum(r.amount_cents) FILTER (WHERE r.state = 'refunded'), 0)
              FROM refunds r WHERE r.payment = p.id)
             AND p.refunded_at IS NULL",
        )
        .await;
    assert_eq!(
        unlike, 0,
        "payments whose sums are not those of their refunds"
    );
    let unlike = env
        .number(
            "SELECT count(*) FROM orders o JOIN payments p ON p.order_number = o.number
             WHERE p.id IN (SELECT payment FROM refunds WHERE of_order) AND o.status <>
             CASE WHEN p.refunded_cents = p.amount_cents THEN 'refunded'
                  WHEN p.refund_cents = p.amount_cents THEN 'refunding' ELSE 'paid' END",
        )
        .await;
    assert_eq!(unlike, 0, "orders whose state is not that of their refunds");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_payment_without_an_order_is_handed_out_once() {
    with(|env| async move {
        let order = paid(&env, &[1]).await;
        for reference in ["q", "r", "s"] {
            let late = pay(&env, &payment(reference, &order)).await;
            assert_eq!(late, PaymentResult::ToRefund);
        }
        let workers: Vec<_> = (0..4)
            .map(|by| {
                let env = env.clone();
                tokio::spawn(async move {
                    env.store.request_refunds(100).await.expect("postgres");
                    hand_out(&env, by, LEASE).await
                })
            })
            .collect();
        let mut references = Vec::new();
        for worker in workers {
            references.extend(worker.await.expect("ran").into_iter().map(|r| r.reference));
        }
        // A worker may have looked before the refunds of another were committed.
        references.extend(
            hand_out(&env, 9, LEASE)
                .await
                .into_iter()
                .map(|r| r.reference),
        );
        references.sort();
        assert_eq!(references, ["q", "r", "s"]);
        assert_eq!(env.status(order.order).await, Status::Paid);
        check(&env).await;
    })
    .await;
}

#[tokio::test]
async fn an_ended_lease_repeats_the_refund_under_its_key() {
    with(|env| async move {
        let order = paid(&env, &[1]).await;
        new_refund(&env, &request(order.order, None, "k")).await;
        let first = hand_out(&env, 1, Duration::ZERO).await;
        let second = hand_out(&env, 2, LEASE).await;
        let key = |refunds: &[HandedOut]| refunds[0].key.clone();
        assert_eq!(key(&first), key(&second));
        assert_eq!((first[0].attempts, second[0].attempts), (1, 2));
        let late = env.store.refund_done(first[0].id, token(1), "re").await;
        assert_eq!(late.expect("postgres"), RefundDone::Unchanged);
        assert_eq!(env.status(order.order).await, Status::Refunding);
        assert_eq!(done(&env, &second[0], 2).await, Some(order.order));
        assert!(hand_out(&env, 3, LEASE).await.is_empty());
        check(&env).await;
    })
    .await;
}

#[tokio::test]
async fn a_part_leaves_the_order_paid_and_the_rest_ends_it() {
    with(|env| async move {
        let order = paid(&env, &[1, 2]).await;
        let part = new_refund(&env, &request(order.order, Some(4_000), "part")).await;
        assert_eq!(
            (part.amount, part.order_status),
            (cents(4_000), Some(Status::Paid))
        );
        let too_much = requested(&env, &request(order.order, Some(5_001), "more")).await;
        assert_eq!(too_much, RefundRequested::TooMuch { left: cents(5_000) });
        let rest = new_refund(&env, &request(order.order, None, "rest")).await;
        assert_eq!(rest.amount, cents(5_000));
        assert_eq!(rest.order_status, Some(Status::Refunding));
        let nothing_left = requested(&env, &request(order.order, None, "again")).await;
        assert!(matches!(nothing_left, RefundRequested::NotPaid(_)));
        check(&env).await;
        let handed_out = hand_out(&env, 1, LEASE).await;
        assert_eq!(
            done(&env, &handed_out[1], 1).await,
            None,
            "a part is missing"
        );
        check(&env).await;
        assert_eq!(done(&env, &handed_out[0], 1).await, Some(order.order));
        let held = env.number("SELECT count(*) FROM order_seats").await;
        assert_eq!(held, 0, "its seats are free");
        // The provider repeats its notification.
        assert_eq!(
            pay(&env, &payment("p", &order)).await,
            PaymentResult::Duplicate
        );
        check(&env).await;
    })
    .await;
}

#[tokio::test]
async fn a_second_payment_that_goes_back_ends_no_order() {
    with(|env| async move {
        let order = paid(&env, &[1]).await;
        assert_eq!(
            pay(&env, &payment("q", &order)).await,
            PaymentResult::ToRefund
        );
        env.store.request_refunds(100).await.expect("postgres");
        new_refund(&env, &request(order.order, None, "k")).await;
        let handed_out = hand_out(&env, 1, LEASE).await;
        let second = handed_out.iter().find(|r| r.reference == "q").expect("due");
        assert_eq!(done(&env, second, 1).await, None);
        assert_eq!(env.status(order.order).await, Status::Refunding);
        check(&env).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_requests_never_claim_more_than_was_paid() {
    with(|env| async move {
        let order = paid(&env, &[1, 2]).await;
        let racers: Vec<_> = (0..8)
            .map(|n| {
                let env = env.clone();
                // Two requests with each key.
                let request = request(order.order, Some(2_500), &format!("k{}", n / 2));
                tokio::spawn(async move { requested(&env, &request).await })
            })
            .collect();
        let mut new = 0;
        for racer in racers {
            match racer.await.expect("ran") {
                RefundRequested::New(_) => new += 1,
                RefundRequested::Before(_) | RefundRequested::TooMuch { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(new, 3, "of 9000 cents");
        assert_eq!(refunds(&env).await.len(), 3);
        check(&env).await;
    })
    .await;
}

#[tokio::test]
async fn a_repeated_request_makes_no_other_refund() {
    with(|env| async move {
        let order = paid(&env, &[1]).await;
        let whole = new_refund(&env, &request(order.order, None, "k")).await;
        let again = requested(&env, &request(order.order, None, "k")).await;
        assert_eq!(again, RefundRequested::Before(whole.clone()));
        let other = requested(&env, &request(order.order, Some(1), "k")).await;
        assert_eq!(other, RefundRequested::KeyReused(whole));
        let unknown = requested(&env, &request(crate::environment::number(), None, "k")).await;
        assert_eq!(unknown, RefundRequested::Missing);
        check(&env).await;
    })
    .await;
}

#[tokio::test]
async fn a_refused_refund_waits_for_an_operator() {
    with(|env| async move {
        let order = paid(&env, &[1]).await;
        let refund = new_refund(&env, &request(order.order, None, "k")).await;
        let first = hand_out(&env, 1, LEASE).await;
        let refused = env
            .store
            .refund_refused(refund.id, token(1), "card closed")
            .await;
        assert!(refused.expect("postgres"));
        assert!(hand_out(&env, 2, LEASE).await.is_empty(), "not by itself");
        assert_eq!(
            env.store.refund_counts().await.expect("postgres").refused,
            1
        );
        assert_eq!(env.status(order.order).await, Status::Refunding);
        assert!(env.store.retry_refund(refund.id).await.expect("postgres"));
        let second = hand_out(&env, 2, LEASE).await;
        assert_ne!(
            first[0].key, second[0].key,
            "the old key may be answered from memory"
        );
        let by_hand = env
            .store
            .refund_done_by(refund.id, &operator(), "cash")
            .await;
        assert_eq!(
            by_hand.expect("postgres"),
            RefundDone::Unchanged,
            "it is handed out"
        );
        let postponed = env
            .store
            .postpone_refund(refund.id, token(2), DAY, "503")
            .await;
        postponed.expect("postgres");
        assert!(
            hand_out(&env, 3, LEASE).await.is_empty(),
            "not before it is due"
        );
        let by_hand = env
            .store
            .refund_done_by(refund.id, &operator(), "cash")
            .await;
        let ended = RefundDone::Recorded(Some(order.order));
        assert_eq!(by_hand.expect("postgres"), ended);
        let row = env
            .store
            .refund(refund.id)
            .await
            .expect("postgres")
            .expect("a row");
        let answer = (row.state, row.ended_by, row.answer.as_deref());
        assert_eq!(
            answer,
            (RefundState::Refunded, Some(operator()), Some("cash"))
        );
        check(&env).await;
    })
    .await;
}

#[tokio::test]
async fn an_operator_records_no_refund_that_is_handed_out() {
    with(|env| async move {
        let order = paid(&env, &[1]).await;
        assert_eq!(
            pay(&env, &payment("q", &order)).await,
            PaymentResult::ToRefund
        );
        env.store.request_refunds(100).await.expect("postgres");
        let handed_out = hand_out(&env, 1, LEASE).await;
        let id = refunds(&env).await[0].payment;
        let by_hand = env.store.refunded(id, &operator(), "cash").await;
        assert!(matches!(by_hand.expect("postgres"), Refunded::HandedOut(_)));
        let postponed = env
            .store
            .postpone_refund(handed_out[0].id, token(1), DAY, "503")
            .await;
        postponed.expect("postgres");
        let by_hand = env.store.refunded(id, &operator(), "cash").await;
        let Refunded::Yes(row) = by_hand.expect("postgres") else {
            panic!("not recorded")
        };
        assert_eq!(
            row.refund.map(|refund| refund.note).as_deref(),
            Some("cash")
        );
        assert_eq!(refunds(&env).await[0].state, RefundState::Refunded);
        check(&env).await;
    })
    .await;
}
