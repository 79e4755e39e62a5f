//! Reused references, and the payments that operators list.

use shared::message::{Cents, OrderRequested, UserId};
use shared::sale::Status;
use shared::store::{Payment, PaymentFilter, PaymentResult, PaymentRow, PaymentState, Refunded};

use crate::environment::{Environment, order, with};
use crate::paying::payment;

fn cents(n: i64) -> Cents {
    Cents::new(n).expect("amount")
}

async fn pay(env: &Environment, payment: &Payment) -> PaymentResult {
    env.store.pay(payment).await.expect("postgres").result
}

async fn listed(env: &Environment, filter: PaymentFilter) -> Vec<PaymentRow> {
    env.store
        .payments(&filter, None, 100)
        .await
        .expect("postgres")
}

fn in_state(state: PaymentState) -> PaymentFilter {
    PaymentFilter {
        state: Some(state),
        ..PaymentFilter::default()
    }
}

async fn two_orders(env: &Environment) -> [OrderRequested; 2] {
    let orders = [1, 2].map(|seat| order("alice", 7, &[seat]));
    env.create(&orders).await;
    orders
}

#[tokio::test]
async fn a_reused_reference_is_stored_beside_the_first() {
    with(|env| async move {
        let [one, two] = two_orders(&env).await;
        let first_order = one.order;
        let first_amount = one.amount_cents;
        assert_eq!(pay(&env, &payment("r", &one)).await, PaymentResult::Applied);
        let other_order = payment("r", &two);
        let other_amount = Payment {
            amount: cents(1),
            ..payment("r", &one)
        };
        for another in [&other_order, &other_amount] {
            for new in [true, false] {
                let reused = PaymentResult::ReferenceReused {
                    new,
                    first_order,
                    first_amount,
                };
                assert_eq!(pay(&env, another).await, reused, "{another:?}");
            }
        }
        assert_eq!(
            pay(&env, &payment("r", &one)).await,
            PaymentResult::Duplicate,
            "the first payment stays"
        );
        assert_eq!(
            env.status(two.order).await,
            Status::Unpaid,
            "it pays nothing"
        );
        let back = listed(&env, in_state(PaymentState::ToRefund)).await;
        let back: Vec<_> = back
            .iter()
            .map(|row| (row.order, row.amount, row.reused))
            .collect();
        assert_eq!(
            back,
            [
                (one.order, cents(1), true),
                (two.order, two.amount_cents, true)
            ],
            "newest first"
        );
        assert_eq!(env.store.counts().await.expect("postgres").to_refund, 2);
        assert_eq!(
            pay(&env, &payment("s", &two)).await,
            PaymentResult::Applied,
            "its order can be paid by another"
        );
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_reused_reference_pays_no_later_order() {
    with(|env| async move {
        let [one, two] = [1, 2].map(|seat| order("alice", 7, &[seat]));
        assert_eq!(
            pay(&env, &payment("r", &one)).await,
            PaymentResult::Unmatched
        );
        assert!(matches!(
            pay(&env, &payment("r", &two)).await,
            PaymentResult::ReferenceReused { new: true, .. }
        ));
        env.create(&[one.clone(), two.clone()]).await;
        env.store
            .match_payments(&[one.order, two.order])
            .await
            .expect("postgres");
        assert_eq!(
            (env.status(one.order).await, env.status(two.order).await),
            (Status::Paid, Status::Unpaid)
        );
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_racing_for_a_reference_are_all_kept() {
    with(|env| async move {
        for round in 0..20 {
            let orders: Vec<_> = (0..8)
                .map(|seat| order("alice", 10 + round, &[seat]))
                .collect();
            env.create(&orders).await;
            let reference = format!("r{round}");
            let racers: Vec<_> = orders
                .iter()
                .map(|order| {
                    let env = env.clone();
                    let payment = payment(&reference, order);
                    tokio::spawn(async move { pay(&env, &payment).await })
                })
                .collect();
            let mut applied = 0;
            for racer in racers {
                match racer.await.expect("ran") {
                    PaymentResult::Applied => applied += 1,
                    PaymentResult::ReferenceReused { new: true, .. } => {}
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(applied, 1);
            let kept = listed(
                &env,
                PaymentFilter {
                    reference: Some(reference),
                    ..PaymentFilter::default()
                },
            )
            .await;
            assert_eq!(kept.len(), orders.len());
        }
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn payments_are_listed_by_state_order_and_reference() {
    with(|env| async move {
        let [one, two] = two_orders(&env).await;
        let missing = order("bob", 7, &[3]);
        pay(&env, &payment("a", &one)).await;
        pay(&env, &payment("b", &one)).await;
        pay(
            &env,
            &Payment {
                amount: cents(2),
                ..payment("c", &two)
            },
        )
        .await;
        pay(&env, &payment("d", &missing)).await;
        for (state, reference) in [
            (PaymentState::Applied, "a"),
            (PaymentState::ToRefund, "b"),
            (PaymentState::AmountDiffers, "c"),
            (PaymentState::Unmatched, "d"),
        ] {
            let rows = listed(&env, in_state(state)).await;
            assert_eq!(
                rows.iter()
                    .map(|row| row.reference.as_str())
                    .collect::<Vec<_>>(),
                [reference]
            );
            assert_eq!(rows[0].state, state);
        }
        let of_order = listed(
            &env,
            PaymentFilter {
                order: Some(one.order),
                ..PaymentFilter::default()
            },
        )
        .await;
        assert_eq!(
            of_order
                .iter()
                .map(|row| row.reference.as_str())
                .collect::<Vec<_>>(),
            ["b", "a"]
        );
        assert_eq!(
            of_order[0].for_order,
            Some((Status::Paid, Some(one.amount_cents)))
        );
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let page = env
                .store
                .payments(&PaymentFilter::default(), before, 3)
                .await
                .expect("postgres");
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            seen.extend(page.into_iter().map(|row| row.reference));
        }
        assert_eq!(seen, ["d", "c", "b", "a"]);
    })
    .await;
}

#[tokio::test]
async fn a_due_refund_is_recorded_once() {
    with(|env| async move {
        let [one, _] = two_orders(&env).await;
        let ops = UserId::new("ops").expect("user");
        pay(&env, &payment("a", &one)).await;
        pay(&env, &payment("b", &one)).await;
        let rows = listed(&env, PaymentFilter::default()).await;
        let late = rows[0].id;
        let applied = rows[1].id;
        for note in ["re-1", "re-2"] {
            let refunded = env
                .store
                .refunded(late, &ops, note)
                .await
                .expect("postgres");
            let Refunded::Yes(row) = refunded else {
                panic!("{refunded:?}")
            };
            let refund = row.refund.expect("recorded");
            assert_eq!(
                (row.state, refund.by, refund.note.as_str()),
                (PaymentState::Refunded, ops.clone(), "re-1")
            );
        }
        let refused = env
            .store
            .refunded(applied, &ops, "re-3")
            .await
            .expect("postgres");
        assert!(
            matches!(&refused, Refunded::NotDue(row) if row.state == PaymentState::Applied),
            "{refused:?}"
        );
        assert_eq!(env.store.counts().await.expect("postgres").to_refund, 0);
        env.check_invariants().await;
    })
    .await;
}
