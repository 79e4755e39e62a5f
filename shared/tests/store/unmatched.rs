//! Payments that meet no order: refunded after a time, or assigned to an order by an operator.

use shared::sale::Status;
use shared::store::{Assigned, PaymentFilter, PaymentId, PaymentResult, PaymentState};

use crate::environment::{Environment, order, with};
use crate::paying::payment;
use crate::refunding::{DAY, LEASE, check, hand_out, operator, pay};

#[tokio::test]
async fn a_payment_that_meets_no_order_is_refunded_after_a_time() {
    with(|env| async move {
        let [late, early] = [1, 2].map(|seat| order("alice", 7, &[seat]));
        for (reference, order) in [("p", &late), ("q", &early)] {
            let waits = pay(&env, &payment(reference, order)).await;
            assert_eq!(waits, PaymentResult::Unmatched);
        }
        let give_up = async |age| {
            env.store
                .give_up_unmatched(age, 100)
                .await
                .expect("postgres")
        };
        assert_eq!(give_up(DAY).await, 0);
        env.run("UPDATE payments SET received_at = now() - interval '2 days'")
            .await;
        // It is stored, and not matched yet.
        env.create(std::slice::from_ref(&early)).await;
        assert_eq!(give_up(DAY).await, 1);
        assert_eq!(env.store.request_refunds(100).await.expect("postgres"), 1);
        env.store
            .match_payments(&[early.order])
            .await
            .expect("postgres");
        assert_eq!(env.status(early.order).await, Status::Paid);
        let handed_out = hand_out(&env, 1, LEASE).await;
        let references: Vec<_> = handed_out.iter().map(|r| r.reference.as_str()).collect();
        assert_eq!(references, ["p"]);
        // Its order arrives after all, but the payment is on its way back.
        env.create(std::slice::from_ref(&late)).await;
        env.store
            .match_payments(&[late.order])
            .await
            .expect("postgres");
        assert_eq!(env.status(late.order).await, Status::Unpaid);
        check(&env).await;
    })
    .await;
}

async fn waiting_payment(env: &Environment) -> PaymentId {
    let unmatched = PaymentFilter {
        state: Some(PaymentState::Unmatched),
        ..PaymentFilter::default()
    };
    let rows = env.store.payments(&unmatched, None, 1).await;
    rows.expect("postgres")[0].id
}

#[tokio::test]
async fn an_assigned_payment_pays_and_its_repetitions_change_nothing() {
    with(|env| async move {
        let (reported, meant) = (order("alice", 7, &[1]), order("alice", 7, &[2]));
        env.create(std::slice::from_ref(&meant)).await;
        let first = payment("p", &reported);
        assert_eq!(pay(&env, &first).await, PaymentResult::Unmatched);
        let id = waiting_payment(&env).await;
        let by = operator();
        let unknown = env
            .store
            .assign_payment(id, crate::environment::number(), &by)
            .await;
        assert_eq!(unknown.expect("postgres"), Assigned::NoOrder);
        for _ in 0..2 {
            let assigned = env.store.assign_payment(id, meant.order, &by).await;
            let Ok(Assigned::Yes { payment, order }) = assigned else {
                panic!("{assigned:?}")
            };
            assert_eq!(payment.state, PaymentState::Applied);
            assert_eq!(payment.reported_order, Some(reported.order));
            assert_eq!(order.status, Status::Paid);
        }
        for order in [&reported, &meant] {
            let again = pay(&env, &payment("p", order)).await;
            assert_eq!(again, PaymentResult::Duplicate);
        }
        let back = env.store.assign_payment(id, reported.order, &by).await;
        assert_eq!(back.expect("postgres"), Assigned::NoOrder);
        assert_eq!(env.number("SELECT count(*) FROM payments").await, 1);
        check(&env).await;
    })
    .await;
}
