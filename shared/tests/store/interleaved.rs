//! A change finds no row, another transaction commits, then a read looks for the reason: the result
//! must not contradict the row. The test holds the statement that finds no row, so nothing depends
//! on time.

use std::time::Duration;

use shared::message::UserId;
use shared::sale::{ProgramChange, ProgramStatus, Status};
use shared::store::{
    Cancel, Changed, CloseDecision, Discarded, PaymentResult, ReplayBegun, ReplayEnd, Switched,
};

use crate::environment::{MIN_PAY_MS, TOPIC, order, unreadable, with};
use crate::meeting::Meeting;
use crate::paying::payment;

#[tokio::test]
async fn an_order_stored_during_its_cancellation_is_cancelled() {
    with(|env| async move {
        let one = order("alice", 7, &[1]);
        let mut meeting = Meeting::at(&env, "orders", 1).await;
        let cancel = tokio::spawn({
            let store = env.store.clone();
            let one = one.clone();
            async move { store.cancel(one.order, &one.user).await }
        });
        meeting.reached().await;
        env.create(std::slice::from_ref(&one)).await;
        meeting.leave().await;
        let cancelled = cancel.await.expect("ran").expect("postgres");
        assert!(matches!(cancelled, Cancel::Cancelled(_)), "{cancelled:?}");
        assert_eq!(env.status(one.order).await, Status::Cancelled);
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_sale_resumed_during_a_stop_is_stopped() {
    with(|env| async move {
        let program = env.program().await;
        env.store
            .switch_sale(program.id, ProgramStatus::Stopped)
            .await
            .expect("postgres");
        let mut meeting = Meeting::at(&env, "programs", 1).await;
        let stop = tokio::spawn({
            let store = env.store.clone();
            async move { store.switch_sale(program.id, ProgramStatus::Stopped).await }
        });
        meeting.reached().await;
        env.store
            .switch_sale(program.id, ProgramStatus::OnSale)
            .await
            .expect("postgres");
        meeting.leave().await;
        let stopped = stop.await.expect("ran").expect("postgres");
        assert!(
            matches!(&stopped, Switched::Done(program) if program.status == ProgramStatus::Stopped),
            "{stopped:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_version_committed_meanwhile_is_the_expected_one() {
    with(|env| async move {
        let program = env.program().await;
        let change = |title: &str| {
            ProgramChange::new(Some(title.into()), None, None, vec![]).expect("valid")
        };
        let next =
            shared::message::ProgramVersion::new(program.version.get() + 1).expect("version");
        let mut meeting = Meeting::at(&env, "programs", 1).await;
        let update = tokio::spawn({
            let store = env.store.clone();
            let change = change("second");
            async move { store.update_program(program.id, next, &change).await }
        });
        meeting.reached().await;
        env.store
            .update_program(program.id, program.version, &change("first"))
            .await
            .expect("postgres");
        meeting.leave().await;
        let changed = update.await.expect("ran").expect("postgres");
        assert!(
            matches!(&changed, Changed::Done(program) if program.title == "second"),
            "{changed:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_order_that_falls_due_meanwhile_is_closed() {
    with(|env| async move {
        let one = order("alice", 7, &[1]);
        env.create(std::slice::from_ref(&one)).await;
        let mut meeting = Meeting::at(&env, "orders", 1).await;
        let close = tokio::spawn({
            let store = env.store.clone();
            let asked = [(one.order, one.nonce)];
            async move { store.close_due(&asked).await }
        });
        meeting.reached().await;
        env.make_overdue(one.order).await;
        meeting.leave().await;
        assert_eq!(
            close.await.expect("ran").expect("postgres").decisions[0].decision,
            CloseDecision::Closed
        );
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_payment_whose_order_is_stored_meanwhile_applies() {
    with(|env| async move {
        let one = order("alice", 7, &[1]);
        // A recorded payment looks for its order by two statements. The second is the last before
        // the result.
        let mut meeting = Meeting::at(&env, "payments", 2).await;
        let pay = tokio::spawn({
            let store = env.store.clone();
            let payment = payment("a", &one);
            async move { store.pay(&payment).await }
        });
        meeting.reached().await;
        env.create(std::slice::from_ref(&one)).await;
        meeting.leave().await;
        let paid = pay.await.expect("ran").expect("postgres");
        assert_eq!(
            (paid.result, paid.row.map(|row| row.status)),
            (PaymentResult::Applied, Some(Status::Paid))
        );
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_replay_that_ends_meanwhile_is_not_busy() {
    with(|env| async move {
        env.store
            .store_orders(&[unreadable(0, Some(b"a"), "not an order")], MIN_PAY_MS)
            .await;
        let id = env
            .store
            .parked(Some(TOPIC), None, None, 1)
            .await
            .expect("postgres")[0]
            .id;
        let user = UserId::new("ann").expect("user");
        let long = Duration::from_secs(600);
        let ReplayBegun::Yes(first) = env
            .store
            .begin_replay(id, 0, &user, long)
            .await
            .expect("postgres")
        else {
            panic!("the first replay starts")
        };
        let mut meeting = Meeting::at(&env, "parked", 1).await;
        let second = tokio::spawn({
            let store = env.store.clone();
            let user = user.clone();
            async move { store.begin_replay(id, 0, &user, long).await }
        });
        meeting.reached().await;
        env.store
            .end_replay(&first, &ReplayEnd::Refused("no broker"))
            .await
            .expect("postgres");
        meeting.leave().await;
        let ReplayBegun::Yes(second) = second.await.expect("ran").expect("postgres") else {
            panic!("the first replay has ended")
        };
        env.store
            .end_replay(&second, &ReplayEnd::Refused("no broker"))
            .await
            .expect("postgres");
        let discarded = env
            .store
            .discard(id, &user, "of no use")
            .await
            .expect("postgres");
        assert!(matches!(discarded, Discarded::Yes(_)), "{discarded:?}");
    })
    .await;
}
