//! Cancel, fence, close.

use shared::message::{Nonce, UserId};
use shared::sale::Status;
use shared::store::{Cancel, CloseDecision, Fence, Fenced};

use crate::create::fence_of;
use crate::environment::{number, order, with};
use crate::paying::{insert_unmatched, payment};

#[tokio::test]
async fn only_the_buyer_cancels_an_unpaid_order() {
    with(|env| async move {
        let mine = order("alice", 7, &[1, 2]);
        env.create(std::slice::from_ref(&mine)).await;
        let mallory = UserId::new("mallory").expect("user");
        assert_eq!(
            env.store
                .cancel(mine.order, &mallory)
                .await
                .expect("postgres"),
            Cancel::OtherBuyer
        );
        assert_eq!(
            env.store
                .cancel(number(), &mallory)
                .await
                .expect("postgres"),
            Cancel::NoRow
        );
        assert_eq!(env.status(mine.order).await, Status::Unpaid);
        let Cancel::Cancelled(row) = env
            .store
            .cancel(mine.order, &mine.user)
            .await
            .expect("postgres")
        else {
            panic!("not cancelled")
        };
        assert_eq!((row.status, row.version), (Status::Cancelled, 2));
        assert_eq!(env.number("SELECT count(*) FROM order_seats").await, 0);
        let again = env
            .store
            .cancel(mine.order, &mine.user)
            .await
            .expect("postgres");
        assert!(matches!(again, Cancel::AlreadyFinal(row) if row.version == 2));
        // The seats are free for others.
        let next = order("bob", 7, &[1, 2]);
        env.create(std::slice::from_ref(&next)).await;
        assert_eq!(env.status(next.order).await, Status::Unpaid);
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_fence_yields_to_a_row() {
    with(|env| async move {
        let stored = order("alice", 7, &[1]);
        env.create(std::slice::from_ref(&stored)).await;
        let found = env.store.fence(&fence_of(&stored)).await.expect("postgres");
        assert!(
            matches!(&found, Fenced::Existing(row) if row.status == Status::Unpaid),
            "{found:?}"
        );

        let bare = order("x", 7, &[1]);
        let bare = Fence::of_number(bare.order, bare.nonce, bare.program, "abandoned");
        let made = env.store.fence(&bare).await.expect("postgres");
        assert!(
            matches!(&made, Fenced::New(row) if row.status == Status::Void && row.user.is_none()),
            "{made:?}"
        );
        assert!(
            matches!(env.store.fence(&bare).await, Ok(Fenced::Existing(row)) if row == *made.row())
        );
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn every_order_gets_its_close_decision() {
    with(|env| async move {
        let [due, early, paid, cancelled, waiting] =
            [0, 1, 2, 3, 4].map(|seat| order("alice", 7, &[seat]));
        env.create(&[
            due.clone(),
            early.clone(),
            paid.clone(),
            cancelled.clone(),
            waiting.clone(),
        ])
        .await;
        env.store.pay(&payment("p", &paid)).await.expect("postgres");
        env.store
            .cancel(cancelled.order, &cancelled.user)
            .await
            .expect("postgres");
        for overdue in [&due, &paid, &cancelled, &waiting] {
            env.make_overdue(overdue.order).await;
        }
        insert_unmatched(&env, "w", &waiting).await;
        let unknown = (number(), due.nonce);
        let foreign = (early.order, Nonce::new([1; 16]));
        let asked = [
            (due.order, due.nonce),
            (early.order, early.nonce),
            (paid.order, paid.nonce),
            (cancelled.order, cancelled.nonce),
            (waiting.order, waiting.nonce),
            unknown,
            foreign,
        ];
        let answers = env
            .store
            .close_due(&asked)
            .await
            .expect("postgres")
            .decisions;
        assert_eq!(
            answers
                .iter()
                .map(|a| (a.number, a.nonce))
                .collect::<Vec<_>>(),
            asked
        );
        let decisions: Vec<_> = answers.iter().map(|answer| answer.decision).collect();
        let CloseDecision::NotYet { remaining_ms } = decisions[1] else {
            panic!("{decisions:?}")
        };
        assert!(remaining_ms > 0);
        assert_eq!(decisions[0], CloseDecision::Closed);
        assert_eq!(decisions[2], CloseDecision::Final(Status::Paid));
        assert_eq!(decisions[3], CloseDecision::Final(Status::Cancelled));
        assert_eq!(decisions[4], CloseDecision::PaymentWaiting);
        assert_eq!(decisions[5], CloseDecision::NoRow);
        assert_eq!(decisions[6], CloseDecision::OtherNonce);
        assert_eq!(
            env.number("SELECT count(*) FROM order_seats WHERE seat = 0")
                .await,
            0
        );
        // Closed stays closed, and says so again.
        let again = env.store.close_due(&asked[..1]).await;
        let again = again.expect("postgres").decisions;
        assert_eq!(again[0].decision, CloseDecision::Closed);
        assert_eq!(
            again[0].row,
            answers[0].row.clone().map(|row| {
                crate::create::SameRemainingTime::with_remaining_time_of(
                    row,
                    again[0].row.as_ref().expect("row"),
                )
            })
        );
    })
    .await;
}
