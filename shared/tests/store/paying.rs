//! Payments.

use shared::message::{Cents, OrderRequested};
use shared::sale::Status;
use shared::store::{Payment, PaymentResult};

use crate::create::fence_of;
use crate::environment::{Environment, order, with};

pub(crate) fn payment(reference: &str, order: &OrderRequested) -> Payment {
    Payment {
        reference: reference.into(),
        order: order.order,
        amount: order.amount_cents,
    }
}

/// A payment that missed its order.
pub(crate) async fn insert_unmatched(env: &Environment, reference: &str, order: &OrderRequested) {
    record_only(env, &payment(reference, order)).await;
}

/// A payment that was recorded by a call that was then interrupted.
async fn record_only(env: &Environment, payment: &Payment) {
    sqlx::query(
        "INSERT INTO payments (reference, order_number, amount_cents, status) \
         VALUES ($1, $2, $3, 'unmatched')",
    )
    .bind(&payment.reference)
    .bind(payment.order.get())
    .bind(payment.amount.get())
    .execute(&env.raw)
    .await
    .expect("statement");
}

async fn pay(env: &Environment, payment: &Payment) -> (PaymentResult, Option<Status>) {
    let paid = env.store.pay(payment).await.expect("postgres");
    (paid.result, paid.row.map(|row| row.status))
}

#[tokio::test]
async fn a_payment_pays_its_order_once() {
    with(|env| async move {
        let one = order("alice", 7, &[1]);
        env.create(std::slice::from_ref(&one)).await;
        assert_eq!(
            pay(&env, &payment("a", &one)).await,
            (PaymentResult::Applied, Some(Status::Paid))
        );
        assert_eq!(
            pay(&env, &payment("a", &one)).await,
            (PaymentResult::Duplicate, Some(Status::Paid))
        );
        assert_eq!(
            pay(&env, &payment("b", &one)).await,
            (PaymentResult::ToRefund, Some(Status::Paid))
        );
        assert_eq!(env.row(one.order).await.version, 2, "one change");
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_repeated_payment_completes_an_interrupted_one() {
    with(|env| async move {
        let [one, two] = [1, 2].map(|seat| order("alice", 7, &[seat]));
        env.create(&[one.clone(), two.clone()]).await;
        let less = Payment {
            amount: Cents::new(1).expect("amount"),
            ..payment("b", &two)
        };
        for (interrupted, result, status) in [
            (&payment("a", &one), PaymentResult::Applied, Status::Paid),
            (&less, PaymentResult::AmountDiffers, Status::Unpaid),
        ] {
            record_only(&env, interrupted).await;
            for result in [result, PaymentResult::Duplicate] {
                assert_eq!(pay(&env, interrupted).await, (result, Some(status)));
            }
        }
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_payment_of_another_amount_pays_nothing() {
    with(|env| async move {
        let one = order("alice", 7, &[1]);
        env.create(std::slice::from_ref(&one)).await;
        let less = Payment {
            amount: Cents::new(1).expect("amount"),
            ..payment("a", &one)
        };
        assert_eq!(
            pay(&env, &less).await,
            (PaymentResult::AmountDiffers, Some(Status::Unpaid))
        );
        assert_eq!(
            pay(&env, &payment("b", &one)).await,
            (PaymentResult::Applied, Some(Status::Paid))
        );
        assert_eq!(env.store.counts().await.expect("postgres").to_refund, 1);
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_payment_revives_no_ended_order() {
    with(|env| async move {
        let [cancelled, closed, void] = [1, 2, 3].map(|seat| order("alice", 7, &[seat]));
        env.create(&[cancelled.clone(), closed.clone()]).await;
        env.store
            .cancel(cancelled.order, &cancelled.user)
            .await
            .expect("postgres");
        env.make_overdue(closed.order).await;
        env.store
            .close_due(&[(closed.order, closed.nonce)])
            .await
            .expect("postgres");
        env.store.fence(&fence_of(&void)).await.expect("postgres");
        for (ended, status) in [
            (&cancelled, Status::Cancelled),
            (&closed, Status::Closed),
            (&void, Status::Void),
        ] {
            let reference = ended.order.to_string();
            assert_eq!(
                pay(&env, &payment(&reference, ended)).await,
                (PaymentResult::ToRefund, Some(status))
            );
        }
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_late_payment_pays_an_unpaid_order() {
    with(|env| async move {
        let one = order("alice", 7, &[1]);
        env.create(std::slice::from_ref(&one)).await;
        env.make_overdue(one.order).await;
        assert_eq!(
            pay(&env, &payment("a", &one)).await,
            (PaymentResult::Applied, Some(Status::Paid))
        );
    })
    .await;
}

#[tokio::test]
async fn a_payment_before_its_order_is_applied_later() {
    with(|env| async move {
        let one = order("alice", 7, &[1]);
        assert_eq!(
            pay(&env, &payment("a", &one)).await,
            (PaymentResult::Unmatched, None)
        );
        assert_eq!(
            pay(&env, &payment("b", &one)).await,
            (PaymentResult::Unmatched, None)
        );
        env.create(std::slice::from_ref(&one)).await;
        let paid = env
            .store
            .match_payments(&[one.order])
            .await
            .expect("postgres");
        assert_eq!(
            paid.iter()
                .map(|row| (row.number, row.status))
                .collect::<Vec<_>>(),
            [(one.order, Status::Paid)]
        );
        assert_eq!(
            env.number(
                "SELECT count(*) FROM payments WHERE status = 'to_refund' AND reference = 'b'"
            )
            .await,
            1
        );
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_payment_for_a_fenced_order_is_refunded() {
    with(|env| async move {
        let one = order("alice", 7, &[1]);
        assert_eq!(
            pay(&env, &payment("a", &one)).await.0,
            PaymentResult::Unmatched
        );
        env.store.fence(&fence_of(&one)).await.expect("postgres");
        assert_eq!(
            env.number("SELECT count(*) FROM payments WHERE status = 'to_refund'")
                .await,
            1
        );
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn the_sweep_matches_orders_and_payments() {
    with(|env| async move {
        let [stored, missing] = [1, 2].map(|seat| order("alice", 7, &[seat]));
        insert_unmatched(&env, "a", &stored).await;
        insert_unmatched(&env, "b", &missing).await;
        env.create(std::slice::from_ref(&stored)).await;
        let paid = env.store.sweep_payments(10).await.expect("postgres");
        assert_eq!(
            paid.iter().map(|row| row.number).collect::<Vec<_>>(),
            [stored.order]
        );
        assert_eq!(
            env.store
                .counts()
                .await
                .expect("postgres")
                .unmatched_payments,
            1
        );
    })
    .await;
}
